/*
 * Once: a wait queue whose value says how far it is.
 *
 *   NEW 0, RUNNING 1, DONE 2
 * Transitions of the word (wait/queue.h)
 *   NEW            -> RUNNING    run: the caller runs its function         (cas, acquire)
 *   RUNNING        -> DONE       it has succeeded, nobody waits            (cas, release)
 *   RUNNING        -> NEW        it has failed, nobody waits               (cas, release)
 *   LOCK, RUNNING  -> RUNNING, QUEUED   run, inside: queues itself
 *   LOCK, RUNNING  -> DONE       it has succeeded, inside: takes all out of the queue
 *   LOCK, RUNNING  -> RUNNING    it has failed, inside: the first in the queue runs now, its node
 *                                says so
 *   LOCK, NEW      -> RUNNING    run, inside: the one before has failed meanwhile
 * QUEUED implies RUNNING: a failure hands the turn on, so nobody barges in, and who has the turn
 * and is cancelled at that moment has it: it runs, and if its function gives up for that, the turn
 * goes on.
 *
 * A node's info: 0, or TURN, written by who hands the turn on, before the signal.
 *
 * Partners: success (the cas, or leaving; release) -> run (the load, or entering; acquire), or the
 * signal -> the end of the wait: what the function did is seen by all to whom it is done. A failure
 * likewise -> the next to run.
 */
#include "base/panic.h"
#include "sync/owned.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/sync.h>
#include <errno.h>

struct once {
    bgi_waitq q;
    bgi_atomic runner; /* debug builds: who runs it, or 0; compared by others with themselves */
};

_Static_assert(sizeof(struct once) <= sizeof(bg_once), "bg_once has room for it");

#define NEW ((bgi_word)0)
#define RUNNING BGI_WAITQ_VALUE
#define DONE (2 * BGI_WAITQ_VALUE)
#define TURN ((uintptr_t)1)

static const bgi_wait_site once_site = {"bg_once_run", "another to run it"};

static struct once *once_of(bg_once *once)
{
    return (struct once *)(void *)once;
}

void bg_once_init(bg_once *once)
{
    *once = (bg_once)BG_ONCE_INIT;
}

void bg_once_destroy(bg_once *once)
{
#if BGI_DEBUG
    bgi_word s = bgi_load(&once_of(once)->q.word);
    if (s != NEW && s != DONE) {
        bgi_misuse("bg_once_destroy", bgi_task_self_name(), "somebody runs it");
    }
#endif
    (void)once;
}

BGI_COLD static void end_slow(bgi_waitq *q, bgi_word value)
{
    bgi_wake_list l = {NULL, NULL};
    bgi_wait_node *n;

    (void)bgi_waitq_enter(q);
    while ((n = bgi_waitq_pop(q)) != NULL) {
        bgi_wake_list_add(&l, n);
        if (value == NEW) { /* the turn is this one's */
            n->info = TURN;
            value = RUNNING;
            break;
        }
    }
    bgi_waitq_leave(q, value);
    bgi_waitq_wake_all(q, &l);
}

static int run_now(struct once *o, bg_fn fn, void *arg)
{
#if BGI_OWNED
    bgi_store(&o->runner, bgi_owned_self());
#endif
    int r = fn(arg);
    bgi_word value = r < 0 ? NEW : DONE;
#if BGI_OWNED
    bgi_store(&o->runner, 0);
#endif
    bgi_task_point();
    if (!bgi_cas_release(&o->q.word, RUNNING, value)) {
        end_slow(&o->q, value);
    }
    return r < 0 ? r : 0;
}

BGI_COLD static int run_slow(struct once *o, bgi_waiter *waiter, bg_fn fn, void *arg)
{
    bgi_wait_node node;
#if BGI_OWNED
    if (bgi_load(&o->runner) == bgi_owned_self()) {
        bgi_misuse("bg_once_run", bgi_task_self_name(), "the caller is running it already");
    }
#endif
    bgi_word s = bgi_waitq_enter(&o->q);
    if (s != RUNNING && s != (RUNNING | BGI_WAITQ_QUEUED)) {
        bgi_waitq_leave(&o->q, s == NEW ? RUNNING : DONE);
        return s == NEW ? run_now(o, fn, arg) : 0;
    }
    node.info = 0;
    int r = bgi_waitq_join(&o->q, s, &node, waiter, &once_site);
    return r == 0 && node.info == TURN ? run_now(o, fn, arg) : r;
}

int bg_once_run(bg_once *once, bg_fn fn, void *arg)
{
    struct once *o = once_of(once);
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_once_run", &waiter);
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    if (bgi_likely(bgi_load_acquire(&o->q.word) == DONE)) {
        return 0;
    }
    if (bgi_cas_acquire(&o->q.word, NEW, RUNNING)) {
        return run_now(o, fn, arg);
    }
    return run_slow(o, waiter, fn, arg);
}
