/*
 * The semaphore: a wait queue whose value is the number of permits nobody has.
 *
 * Transitions of the word (wait/queue.h), n permits
 *   n            -> n - 1         acquire, try_acquire, n > 0        (cas, acquire)
 *   n            -> n + 1         release, nobody waits              (cas, release)
 *   LOCK, n      -> n - 1         acquire, inside: there is one, and nobody before the caller
 *   LOCK, 0      -> 0, QUEUED     acquire, inside: queues itself
 *   LOCK, 0      -> 0, QUEUED?    release, inside: the first in the queue has the permit
 *   LOCK, n      -> n + 1         release, inside: nobody waits any more
 * QUEUED implies n = 0: a permit goes straight to who has waited longest and is never free while
 * anybody waits, so nobody can barge in. A permit given to who is cancelled at that moment has been
 * received: its acquire succeeds. So none is lost, and none has to be passed on.
 *
 * Partners: release (the cas, or leaving; release) -> acquire (the cas, or entering; acquire), or
 * the signal to who has the permit now -> the end of its wait. A release is the last touch of the
 * object by one store.
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

_Static_assert(sizeof(bgi_waitq) <= sizeof(bg_sem), "bg_sem has room for it");

#define PERMIT BGI_WAITQ_VALUE
#define MOST ((bgi_word)BG_SEM_MAX * PERMIT)

BGI_RETURN_THUNK;

static const bgi_wait_site sem_site = {"bg_sem_acquire", "a permit of the semaphore"};

static bgi_waitq *queue_of(bg_sem *sem)
{
    return (bgi_waitq *)(void *)sem;
}

int bg_sem_init(bg_sem *sem, int n)
{
    if (n < 0) {
        return -EINVAL;
    }
    *sem = (bg_sem)BG_SEM_INIT(n);
    return 0;
}

void bg_sem_destroy(bg_sem *sem)
{
#if BGI_DEBUG
    if ((bgi_load(&queue_of(sem)->word) & BGI_WAITQ_FLAGS) != 0) {
        bgi_misuse("bg_sem_destroy", bgi_task_self_name(), "somebody waits for it");
    }
#endif
    (void)sem;
}

/* 1: taken; 0: there is none, or somebody is inside or waits: s says which. */
BGI_INLINE int take(bgi_waitq *q, bgi_word *s)
{
    *s = bgi_load(&q->word);
    while (bgi_likely(*s >= PERMIT && (*s & BGI_WAITQ_FLAGS) == 0)) {
        bgi_word found = bgi_cas_fetch_acquire(&q->word, *s, *s - PERMIT);
        if (bgi_likely(found == *s)) {
            return 1;
        }
        *s = found;
    }
    return 0;
}

BGI_WAITS static int acquire_slow(bgi_waitq *q, bgi_waiter *waiter)
{
    bgi_wait_node node;
    bgi_word s = bgi_waitq_enter(q);
    if (s >= PERMIT) {
        bgi_waitq_leave(q, s - PERMIT);
        return 0;
    }
    return bgi_waitq_join(q, s, &node, waiter, &sem_site);
}

int bg_sem_acquire(bg_sem *sem)
{
    bgi_waitq *q = queue_of(sem);
    bgi_waiter *waiter;
    bgi_word s;
    int r = bgi_task_may_wait("bg_sem_acquire", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    return bgi_likely(take(q, &s)) ? 0 : acquire_slow(q, waiter);
}

BGI_COLD static int try_acquire_slow(bgi_waitq *q)
{
    bgi_word s = bgi_waitq_enter(q);
    int free = s >= PERMIT;
    bgi_waitq_leave(q, free ? s - PERMIT : s);
    return free ? 0 : -EAGAIN;
}

int bg_sem_try_acquire(bg_sem *sem)
{
    bgi_waitq *q = queue_of(sem);
    bgi_word s;
    bgi_task_point();
    if (bgi_likely(take(q, &s))) {
        return 0;
    }
    return s < PERMIT ? -EAGAIN : try_acquire_slow(q);
}

BGI_NOINLINE static int release_slow(bgi_waitq *q)
{
    bgi_word s = bgi_waitq_enter(q);
    bgi_wait_node *n = bgi_waitq_pop(q);
    int full = n == NULL && s >= MOST;
    bgi_waitq_leave(q, n != NULL || full ? s : s + PERMIT);
    if (n != NULL) {
        bgi_waitq_wake(n);
    }
    return full ? -EOVERFLOW : 0;
}

int bg_sem_release(bg_sem *sem)
{
    bgi_waitq *q = queue_of(sem);
    bgi_task_point();
    bgi_word s = bgi_load(&q->word);
    while (bgi_likely((s & BGI_WAITQ_FLAGS) == 0 && s < MOST)) {
        bgi_word found = bgi_cas_fetch_release(&q->word, s, s + PERMIT);
        if (bgi_likely(found == s)) {
            return 0;
        }
        s = found;
    }
    return release_slow(q);
}

int bg_sem_value(const bg_sem *sem)
{
    const bgi_waitq *q = (const bgi_waitq *)(const void *)sem;
    return (int)(bgi_load(&q->word) >> BGI_WAITQ_VALUE_SHIFT);
}
