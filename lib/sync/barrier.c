/*
 * The barrier: a wait queue whose value is the number of parties that wait in it.
 *
 * Transitions of the word (wait/queue.h), n parties in all
 *   LOCK, k   -> k + 1, QUEUED   wait, inside, k + 1 < n: queues itself
 *   LOCK, n-1 -> 0               wait, inside, the last to come: takes all out of the queue
 *   LOCK, k   -> k - 1, QUEUED?  a party was cancelled, inside: takes itself out
 * The value is the length of the queue, so a party that leaves takes its count with it. One that is
 * cancelled after the last has come has been taken out, and has passed.
 *
 * There is no fast road: each call is one stay inside.
 *
 * Partners: entering and leaving, then the signals: what each party did before is seen by all
 * after. Whoever comes out first may destroy the barrier: the last to come claims the others before
 * the first of them goes on (bgi_waitq_wake_all), and it itself touches only them by then.
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

struct barrier {
    bgi_waitq q;
    uintptr_t parties;
};

_Static_assert(sizeof(struct barrier) <= sizeof(bg_barrier), "bg_barrier has room for it");
_Static_assert(offsetof(struct barrier, parties) == 2 * sizeof(uintptr_t), "BG_BARRIER_INIT");

BGI_RETURN_THUNK;

static const bgi_wait_site barrier_site = {"bg_barrier_wait", "the other parties"};

static struct barrier *barrier_of(bg_barrier *b)
{
    return (struct barrier *)(void *)b;
}

int bg_barrier_init(bg_barrier *barrier, int n)
{
    if (n <= 0) {
        return -EINVAL;
    }
    *barrier = (bg_barrier)BG_BARRIER_INIT(n);
    return 0;
}

void bg_barrier_destroy(bg_barrier *barrier)
{
#if BGI_DEBUG
    if (bgi_load(&barrier_of(barrier)->q.word) != 0) {
        bgi_misuse("bg_barrier_destroy", bgi_task_self_name(), "somebody waits in it");
    }
#endif
    (void)barrier;
}

/* Inside: the last has come. */
static int pass(struct barrier *b)
{
    bgi_wake_list l = {NULL, NULL};
    bgi_wait_node *n;
    while ((n = bgi_waitq_pop(&b->q)) != NULL) {
        bgi_wake_list_add(&l, n);
    }
    bgi_waitq_leave(&b->q, 0);
    bgi_waitq_wake_all(&b->q, &l);
    return 1;
}

BGI_WAITS int bg_barrier_wait(bg_barrier *barrier)
{
    struct barrier *b = barrier_of(barrier);
    bgi_wait_node node;
    bgi_waiter *waiter;
    bgi_word now;
    int r = bgi_task_may_wait("bg_barrier_wait", &waiter);
    if (bgi_unlikely(r != 0 || b->parties - 1 >= INT32_MAX)) {
        return r != 0 ? r : -EINVAL;
    }
    bgi_word s = bgi_waitq_enter(&b->q);
    if ((s >> BGI_WAITQ_VALUE_SHIFT) + 1 >= b->parties) {
        return pass(b);
    }
    s += BGI_WAITQ_VALUE;
    node.waiter = waiter;
    if (waiter == NULL) {
        bgi_waitq_wait_thread(&b->q, s, &node);
        return 0;
    }
    bgi_waitq_push(&b->q, &node);
    r = bgi_waitq_wait_inside(&b->q, s, &node, &barrier_site, &now);
    if (bgi_unlikely(r != 0)) {
        bgi_waitq_leave(&b->q, now - BGI_WAITQ_VALUE);
    }
    return r;
}
