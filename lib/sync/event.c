/*
 * The event: a wait queue whose value is one bit.
 *
 * Transitions of the word (wait/queue.h)
 *   0 or SET     -> SET       set, nobody waits                      (cas, acquire and release)
 *   0 or SET     -> 0         clear                                  (cas, acquire and release)
 *   LOCK, 0      -> SET       set, inside: takes all out of the queue
 *   LOCK, 0      -> 0, QUEUED wait, inside: queues itself
 *   LOCK, v      -> v         wait, inside: it has been set; clear while somebody is inside
 * QUEUED implies not SET. Who waits at a set is taken out by it, so clearing the event at once
 * takes nothing from them.
 *
 * Setting it when it is set is a read-modify-write all the same, and so is clearing it. A consumer
 * clears the event and then looks what there is to do; a producer adds something and sets it. Had
 * the producer only looked, it could find the event set, while its own addition is not yet seen by
 * the consumer that clears it just then and looks: both would go on, and the addition would lie
 * there. As it is, one of the two comes first in the order of the word. If it is the set, the clear
 * sees what was written before it; if it is the clear, the event stays set.
 *
 * Partners: set (release) -> wait, is_set (the load, or entering; acquire), clear (acquire); and
 * the signal -> the end of a wait.
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

_Static_assert(sizeof(bgi_waitq) <= sizeof(bg_event), "bg_event has room for it");

#define SET BGI_WAITQ_VALUE

BGI_RETURN_THUNK;

static const bgi_wait_site event_site = {"bg_event_wait", "the event"};

static bgi_waitq *queue_of(bg_event *event)
{
    return (bgi_waitq *)(void *)event;
}

void bg_event_init(bg_event *event)
{
    *event = (bg_event)BG_EVENT_INIT;
}

void bg_event_destroy(bg_event *event)
{
#if BGI_DEBUG
    if ((bgi_load(&queue_of(event)->word) & BGI_WAITQ_FLAGS) != 0) {
        bgi_misuse("bg_event_destroy", bgi_task_self_name(), "somebody waits for it");
    }
#endif
    (void)event;
}

BGI_WAITS static int wait_slow(bgi_waitq *q, bgi_waiter *waiter)
{
    bgi_wait_node node;
    bgi_word s = bgi_waitq_enter(q);
    if ((s & SET) != 0) {
        bgi_waitq_leave(q, s);
        return 0;
    }
    return bgi_waitq_join(q, s, &node, waiter, &event_site);
}

int bg_event_wait(bg_event *event)
{
    bgi_waitq *q = queue_of(event);
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_event_wait", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    return bgi_likely((bgi_load_acquire(&q->word) & SET) != 0) ? 0 : wait_slow(q, waiter);
}

/* Stores the value if nobody is inside or waits. */
BGI_INLINE int change(bgi_waitq *q, bgi_word value)
{
    bgi_word s = bgi_load(&q->word);
    while (bgi_likely((s & BGI_WAITQ_FLAGS) == 0)) {
        bgi_word found = bgi_cas_fetch(&q->word, s, value);
        if (bgi_likely(found == s)) {
            return 1;
        }
        s = found;
    }
    return 0;
}

BGI_NOINLINE static void set_slow(bgi_waitq *q)
{
    bgi_wake_list l = {NULL, NULL};
    bgi_wait_node *n;

    (void)bgi_waitq_enter(q);
    while ((n = bgi_waitq_pop(q)) != NULL) {
        bgi_wake_list_add(&l, n);
    }
    bgi_waitq_leave(q, SET);
    bgi_waitq_wake_all(q, &l);
}

int bg_event_set(bg_event *event)
{
    bgi_waitq *q = queue_of(event);
    bgi_task_point();
    if (bgi_unlikely(!change(q, SET))) {
        set_slow(q);
    }
    return 0;
}

int bg_event_clear(bg_event *event)
{
    bgi_waitq *q = queue_of(event);
    bgi_task_point();
    if (bgi_unlikely(!change(q, 0))) {
        (void)bgi_waitq_enter(q);
        bgi_waitq_leave(q, 0);
    }
    return 0;
}

int bg_event_is_set(const bg_event *event)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)event;
    bgi_task_point();
    return (bgi_load_acquire(&q->word) & SET) != 0;
}
