/*
 * The latch: a wait queue whose value is the count that is left.
 *
 * Transitions of the word (wait/queue.h), n left
 *   n         -> n - k            count_down, 0 < k < n; QUEUED stays       (cas, release)
 *   n         -> 0                count_down, k = n, nobody waits           (cas, release)
 *   LOCK, n   -> n - k, QUEUED?   count_down, inside; at 0 it takes all out of the queue
 *   LOCK, n   -> n, QUEUED        wait, inside, n > 0: queues itself
 * QUEUED implies n > 0. Counting down looks at the list only when it gets to 0.
 *
 * Partners: each count_down (release; the later ones carry the earlier ones on, as
 * read-modify-writes) -> wait (the load, or entering; acquire); and the signal -> the end of a
 * wait. So all that was done before the counts is seen. The last count_down touches the latch last
 * by the store that says 0: whoever has waited may destroy it then.
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

_Static_assert(sizeof(bgi_waitq) <= sizeof(bg_latch), "bg_latch has room for it");

BGI_RETURN_THUNK;

static const bgi_wait_site latch_site = {"bg_latch_wait", "the latch to open"};

static bgi_waitq *queue_of(bg_latch *latch)
{
    return (bgi_waitq *)(void *)latch;
}

int bg_latch_init(bg_latch *latch, int n)
{
    if (n < 0) {
        return -EINVAL;
    }
    *latch = (bg_latch)BG_LATCH_INIT(n);
    return 0;
}

void bg_latch_destroy(bg_latch *latch)
{
#if BGI_DEBUG
    if ((bgi_load(&queue_of(latch)->word) & BGI_WAITQ_FLAGS) != 0) {
        bgi_misuse("bg_latch_destroy", bgi_task_self_name(), "somebody waits for it");
    }
#endif
    (void)latch;
}

BGI_NOINLINE static int count_down_slow(bgi_waitq *q, bgi_word down)
{
    bgi_wake_list l = {NULL, NULL};
    bgi_wait_node *n;
    bgi_word s = bgi_waitq_enter(q);
    if (down > s) {
        bgi_waitq_leave(q, s);
        return -EINVAL;
    }
    if (s - down < BGI_WAITQ_VALUE) {
        while ((n = bgi_waitq_pop(q)) != NULL) {
            bgi_wake_list_add(&l, n);
        }
    }
    bgi_waitq_leave(q, s - down);
    bgi_waitq_wake_all(q, &l);
    return 0;
}

int bg_latch_count_down(bg_latch *latch, int n)
{
    bgi_waitq *q = queue_of(latch);
    bgi_word down = (bgi_word)n << BGI_WAITQ_VALUE_SHIFT;
    bgi_task_point();
    if (bgi_unlikely(n <= 0)) {
        return n == 0 ? 0 : -EINVAL;
    }
    bgi_word s = bgi_load(&q->word);
    while (bgi_likely((s & BGI_WAITQ_LOCK) == 0 && down <= s)) {
        bgi_word left = s - down;
        if (left < BGI_WAITQ_VALUE && left != 0) {
            break; /* those who wait are to be woken */
        }
        bgi_word found = bgi_cas_fetch_release(&q->word, s, left);
        if (bgi_likely(found == s)) {
            return 0;
        }
        s = found;
    }
    return count_down_slow(q, down);
}

BGI_WAITS static int wait_slow(bgi_waitq *q, bgi_waiter *waiter)
{
    bgi_wait_node node;
    bgi_word s = bgi_waitq_enter(q);
    if (s < BGI_WAITQ_VALUE) {
        bgi_waitq_leave(q, s);
        return 0;
    }
    return bgi_waitq_join(q, s, &node, waiter, &latch_site);
}

int bg_latch_wait(bg_latch *latch)
{
    bgi_waitq *q = queue_of(latch);
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_latch_wait", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    return bgi_load_acquire(&q->word) < BGI_WAITQ_VALUE ? 0 : wait_slow(q, waiter);
}

int bg_latch_try_wait(const bg_latch *latch)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)latch;
    bgi_task_point();
    return bgi_load_acquire(&q->word) < BGI_WAITQ_VALUE ? 0 : -EAGAIN;
}
