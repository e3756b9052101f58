/*
 * Walkers: functions named bgi_<structure>_check that look at a structure as a whole and panic
 * when an invariant of its design note does not hold, naming the structure and the invariant.
 *
 * Each layer has them in one place, <layer>/check.h, where each says when it may be called: by the
 * owner only, under the lock, or while nobody moves (quiescent: nothing runs, or one thread plays
 * everybody). They change nothing. Without BGI_DEBUG they are empty, and so are their calls.
 */
#ifndef BGI_CHECK_H
#define BGI_CHECK_H

#include "base/list.h"
#include "base/panic.h"

#if BGI_DEBUG

#define bgi_check(cond, ...) (bgi_likely(cond) ? (void)0 : bgi_panic(__VA_ARGS__))

/*
 * Whoever may change the list. Panics when a link and its neighbour disagree; gives the length. The
 * walk ends: a link in which two ways meet has one predecessor only.
 */
BGI_INLINE size_t bgi_list_check(const struct bgi_list *head, const char *what)
{
    size_t n = 0;
    const struct bgi_list *l = head;
    do {
        bgi_check(l->next != NULL && l->prev != NULL, "%s: list: link %zu has a NULL", what, n);
        bgi_check(l->next->prev == l, "%s: list: link %zu and the next one disagree", what, n);
        l = l->next;
        n++;
    } while (l != head);
    return n - 1;
}

/* Whoever may change the FIFO: it must hold exactly n links, the last of which is its tail. */
BGI_INLINE void bgi_fifo_check(const struct bgi_fifo *f, size_t n, const char *what)
{
    const struct bgi_link *last = NULL;
    size_t seen = 0;
    for (const struct bgi_link *l = f->head; l != NULL && seen <= n; l = l->next) {
        last = l;
        seen++;
    }
    bgi_check(seen == n, "%s: count is %zu, the list has %s%zu", what, n,
              seen > n ? "at least " : "", seen);
    bgi_check(n == 0 || f->tail == last, "%s: the tail is not the last link", what);
}

#endif

#endif
