/*
 * The read-write lock: a wait queue whose value is one bit and a count.
 *
 *   WRITER (value 1), READERS (value 2, 4, ...): how many readers have it
 * Transitions of the word (wait/queue.h)
 *   r          -> r + 1        read_lock: no writer, nobody waits           (cas, acquire)
 *   0          -> WRITER       write_lock                                   (cas, acquire)
 *   r          -> r - 1        unlock of a reader, nobody waits             (cas, release)
 *   WRITER     -> 0            unlock of the writer, nobody waits           (cas, release)
 *   LOCK, v    -> v, QUEUED    inside: queues itself
 *   LOCK, v    -> v'           inside: unlock, or one in the queue was cancelled: `grant` gives the
 *                              lock to as many from the front of the queue as can have it together
 * QUEUED implies that the first in the queue cannot have the lock as it is: a reader behind a
 * writer, or a writer behind anybody. So nobody is left waiting for nothing, and nobody barges in:
 * the fast roads want a word without QUEUED. A writer at the front that is cancelled may leave
 * readers behind it who can go on, so who is cancelled looks.
 *
 * A node's info: READ or WRITE.
 *
 * Partners: what gives it up (the cas of unlock, or leaving; release) -> what takes it (the cas, or
 * entering; acquire), or the signal -> the end of the wait. A reader's unlock releases as well, and
 * is a read-modify-write, so that the writer after it comes after all readers.
 */
#include "base/panic.h"
#include "sync/owned.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

struct rwlock {
    bgi_waitq q;
    bgi_owned owned; /* by its writer */
};

_Static_assert(sizeof(struct rwlock) <= sizeof(bg_rwlock), "bg_rwlock has room for it");
_Static_assert(offsetof(struct rwlock, owned) == BGI_OWNED_OFFSET, "messages name the lock");

#define WRITER BGI_WAITQ_VALUE
#define READER (2 * BGI_WAITQ_VALUE)

enum { READ, WRITE };

BGI_RETURN_THUNK;

static const bgi_wait_site read_site = {"bg_rwlock_read_lock", "the lock, to read"};
static const bgi_wait_site write_site = {"bg_rwlock_write_lock", "the lock, to write"};

static struct rwlock *rwlock_of(bg_rwlock *lock)
{
    return (struct rwlock *)(void *)lock;
}

void bg_rwlock_init(bg_rwlock *lock)
{
    *lock = (bg_rwlock)BG_RWLOCK_INIT;
}

void bg_rwlock_destroy(bg_rwlock *lock)
{
#if BGI_DEBUG
    struct rwlock *l = rwlock_of(lock);
    if (bgi_load(&l->q.word) != 0) {
        bgi_misuse("bg_rwlock_destroy", bgi_task_self_name(), "it is held%s",
                   (bgi_load(&l->q.word) & BGI_WAITQ_QUEUED) != 0 ? ", and waited for" : "");
    }
    bgi_owned_destroy(&l->owned);
#endif
    (void)lock;
}

/* What the word becomes when one of this kind takes the lock, or 0: it cannot. */
BGI_INLINE bgi_word taken_by(bgi_word s, uintptr_t kind)
{
    if (kind == READ) {
        return (s & WRITER) == 0 ? s + READER : 0;
    }
    return s < WRITER ? s | WRITER : 0;
}

/* Inside: gives the lock to those at the front who can have it; the word then. */
static bgi_word grant(struct rwlock *l, bgi_word s, bgi_wake_list *wake)
{
    bgi_wait_node *n;
    bgi_word next;
    while ((n = l->q.first) != NULL && (next = taken_by(s, n->info)) != 0) {
        bgi_waitq_remove(&l->q, n);
        bgi_wake_list_add(wake, n);
        s = next;
    }
    return s;
}

/* Inside: leaves with this value, after those have been served who can be. */
static void leave_to_others(struct rwlock *l, bgi_word s)
{
    bgi_wake_list wake = {NULL, NULL};
    bgi_waitq_leave(&l->q, grant(l, s & ~BGI_WAITQ_FLAGS, &wake));
    bgi_waitq_wake_all(&l->q, &wake);
}

BGI_WAITS static int lock_slow(struct rwlock *l, bgi_waiter *waiter, uintptr_t kind)
{
    bgi_wait_node node;
    bgi_word now;
    bgi_word s = bgi_waitq_enter(&l->q);
    bgi_word next = (s & BGI_WAITQ_QUEUED) == 0 ? taken_by(s, kind) : 0;
    if (next != 0) {
        bgi_waitq_leave(&l->q, next);
        return 0;
    }
    node.waiter = waiter;
    node.info = kind;
    if (waiter == NULL) {
        bgi_waitq_wait_thread(&l->q, s, &node);
        return 0;
    }
    bgi_waitq_push(&l->q, &node);
    int r = bgi_waitq_wait_inside(&l->q, s, &node, kind == READ ? &read_site : &write_site, &now);
    if (bgi_unlikely(r != 0)) {
        leave_to_others(l, now);
    }
    return r;
}

/* 1: taken; 0: it cannot be, or somebody is inside or waits: s says which. */
BGI_INLINE int take(struct rwlock *l, uintptr_t kind, bgi_word *s)
{
    *s = bgi_load(&l->q.word);
    while ((*s & BGI_WAITQ_FLAGS) == 0) {
        bgi_word next = taken_by(*s, kind);
        if (next == 0) {
            return 0;
        }
        bgi_word found = bgi_cas_fetch_acquire(&l->q.word, *s, next);
        if (bgi_likely(found == *s)) {
            return 1;
        }
        *s = found;
    }
    return 0;
}

int bg_rwlock_read_lock(bg_rwlock *lock)
{
    struct rwlock *l = rwlock_of(lock);
    bgi_waiter *waiter;
    bgi_word s;
    int r = bgi_task_may_wait("bg_rwlock_read_lock", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    bgi_owned_before_lock(&l->owned, "bg_rwlock_read_lock");
    return bgi_likely(take(l, READ, &s)) ? 0 : lock_slow(l, waiter, READ);
}

int bg_rwlock_write_lock(bg_rwlock *lock)
{
    struct rwlock *l = rwlock_of(lock);
    bgi_waiter *waiter;
    bgi_word s;
    int r = bgi_task_may_wait("bg_rwlock_write_lock", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    bgi_owned_before_lock(&l->owned, "bg_rwlock_write_lock");
    if (bgi_unlikely(!take(l, WRITE, &s))) {
        r = lock_slow(l, waiter, WRITE);
    }
#if BGI_DEBUG
    if (r == 0) {
        bgi_owned_locked(&l->owned);
    }
#endif
    return r;
}

BGI_COLD static int try_slow(struct rwlock *l, uintptr_t kind)
{
    bgi_word s = bgi_waitq_enter(&l->q);
    bgi_word next = (s & BGI_WAITQ_QUEUED) == 0 ? taken_by(s, kind) : 0;
    bgi_waitq_leave(&l->q, next != 0 ? next : s);
    return next != 0 ? 0 : -EBUSY;
}

BGI_INLINE int try_lock(struct rwlock *l, uintptr_t kind)
{
    bgi_word s;
    bgi_task_point();
    if (bgi_likely(take(l, kind, &s))) {
        return 0;
    }
    return (s & BGI_WAITQ_LOCK) == 0 ? -EBUSY : try_slow(l, kind);
}

int bg_rwlock_try_read_lock(bg_rwlock *lock)
{
    return try_lock(rwlock_of(lock), READ);
}

int bg_rwlock_try_write_lock(bg_rwlock *lock)
{
    int r = try_lock(rwlock_of(lock), WRITE);
#if BGI_DEBUG
    if (r == 0) {
        bgi_owned_locked(&rwlock_of(lock)->owned);
    }
#endif
    return r;
}

/* The word when its holder has given it up: s has a writer or readers. */
BGI_INLINE bgi_word given_up(bgi_word s)
{
    return (s & WRITER) != 0 ? s - WRITER : s - READER;
}

BGI_NOINLINE static int unlock_slow(struct rwlock *l)
{
    bgi_word s = bgi_waitq_enter(&l->q);
    if (s < WRITER) {
        bgi_waitq_leave(&l->q, s);
        return -EPERM;
    }
    leave_to_others(l, given_up(s));
    return 0;
}

int bg_rwlock_unlock(bg_rwlock *lock)
{
    struct rwlock *l = rwlock_of(lock);
    bgi_task_point();
    bgi_word s = bgi_load(&l->q.word);
#if BGI_DEBUG
    if (s < WRITER) {
        bgi_misuse("bg_rwlock_unlock", bgi_task_self_name(), "the lock is held by nobody");
    }
    if ((s & WRITER) != 0) {
        bgi_owned_before_unlock(&l->owned, "bg_rwlock_unlock");
    }
#endif
    while (bgi_likely((s & BGI_WAITQ_FLAGS) == 0 && s >= WRITER)) {
        bgi_word found = bgi_cas_fetch_release(&l->q.word, s, given_up(s));
        if (bgi_likely(found == s)) {
            return 0;
        }
        s = found;
    }
    return unlock_slow(l);
}
