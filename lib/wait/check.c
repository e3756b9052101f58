/*
 * What the transitions of waiter.h allow. ARMED is set only while there are no signals, with the
 * reason cleared, and each claim clears it; MASK comes and goes with it; a cancel that finds ARMED
 * without a mask claims. A wait queue's list is a ring, and its word says whether it is empty.
 */
#include "wait/check.h"

#if BGI_DEBUG

#include "base/check.h"

static void check_word(bgi_word s, const char *what)
{
    int armed = (s & BGI_WAITER_ARMED) != 0;
    int masked = (s & BGI_WAITER_MASK) != 0;
    bgi_word named = BGI_WAITER_ARMED | BGI_WAITER_KICKED | BGI_WAITER_CANCEL | BGI_WAITER_REASON |
                     BGI_WAITER_LOOK | BGI_WAITER_MASK;

    bgi_check((s & (BGI_WAITER_SIGNAL - 1) & ~named) == 0,
              "waiter of '%s': %#zx: a bit that nobody sets", what, s);
    bgi_check(armed || !masked, "waiter of '%s': %#zx: MASK and not ARMED", what, s);
    bgi_check(!armed || s < BGI_WAITER_SIGNAL, "waiter of '%s': %#zx: ARMED with signals", what, s);
    bgi_check(!armed || (s & BGI_WAITER_REASON) == 0, "waiter of '%s': %#zx: ARMED with a reason",
              what, s);
    bgi_check(!armed || masked || (s & BGI_WAITER_CANCEL) == 0,
              "waiter of '%s': %#zx: cancelled, ARMED and no MASK", what, s);
}

void bgi_waiter_check(const bgi_waiter *w, const char *what)
{
    check_word(bgi_load_acquire(&w->state), what);
}

void bgi_waiter_check_idle(const bgi_waiter *w, const char *what)
{
    bgi_word s = bgi_load_acquire(&w->state);
    check_word(s, what);
    bgi_check((s & BGI_WAITER_ARMED) == 0, "waiter of '%s': %#zx: ARMED between two waits", what,
              s);
    bgi_check(s < BGI_WAITER_SIGNAL, "waiter of '%s': %#zx: a signal is left over", what, s);
}

void bgi_waitq_check(const bgi_waitq *q, const char *what)
{
    bgi_word s = bgi_load(&q->word);
    const bgi_wait_node *first = q->first, *n = first;

    bgi_check((s & BGI_WAITQ_LOCK) != 0 || ((s & BGI_WAITQ_QUEUED) != 0) == (first != NULL),
              "wait queue of %s: %#zx: QUEUED and the list disagree", what, s);
    while (n != NULL) {
        bgi_check(bgi_load(&n->taken) == 0, "wait queue of %s: a node was taken out", what);
        bgi_check(n->next != NULL && n->next->prev == n,
                  "wait queue of %s: a node and the next one disagree", what);
        n = n->next == first ? NULL : n->next;
    }
}

#else

/* A translation unit has to declare something. */
typedef int bgi_wait_check_compiled_away;

#endif
