/*
 * Forks: a list of each worker that only the task on it touches, from which the oldest is made a
 * task for others when somebody has nothing to do.
 *
 * A fork lies in its caller's frame. Making and joining one that nobody wants is a few plain loads
 * and stores (brigade/detail/fork.h); stores most of all are few, as that is what bounds them (with
 * one less a fork of fib takes 2.43 ns instead of 2.65). All else is here:
 *   A worker that finds nothing raises `attention` with the others (core/steal.c, core/park.c). The
 *   next fork one of them makes comes here: its oldest fork becomes a task, in the deque from which
 *   workers steal, and a sleeper is woken.
 *   A task that suspends has all its forks made tasks: the next one on this worker begins with an
 *   empty list, and while it sleeps others can run what it has forked.
 *
 * Invariants
 *   F1  The list of a worker holds forks of the task that runs on it and of no other, the oldest
 *       first; it is empty whenever a switch happens.
 *   F2  A fork is in the list, or it has a task (or none, when there was no memory: then who joins
 *       it runs it). One that is in the list may have a task as well: `taken`.
 *   F3  Forks are joined the newest first; those that have a task and are not in the list are older
 *       than all that are. So when one of them is joined, the list is empty.
 *   F4  The function of a fork runs once. Of a fork with a task: whoever moves `done` of the task
 *       away from FORK runs it, the task itself (LIVE) or who joins it (DETACHED). A task that ends
 *       without having begun (it was cancelled, or there was no stack for it) moves it to DONE, and
 *       leaves has_run 0: who joins it runs it.
 *   F5  A task that finds DETACHED does not touch the fork: its frame may be gone.
 *   F6  `taken` is the oldest of the list, or has just left it by the fast path of a join whose
 *       look at `attention` is yet to come; it has a task.
 *   F7  A link, `prev` or `newest`, that is marked (its lowest bit) leads to a fork below which all
 *       are threaded: the `next` of each older one, and of `oldest`, leads to the one above it. No
 *       link to `oldest`, who is no fork, is marked: below it there is nothing.
 *
 * `attention`, who moves it; it begins as WANTED, without membarrier as TAKEN
 *   0 -> WANTED        who has nothing to do (compare-and-swap)
 *   any -> TAKEN       the monitor, under the lock
 *   WANTED, TAKEN -> 0 the owner, under the lock, who then fences and looks who is idle
 *   0 -> WANTED        the owner, when there still is somebody
 * Who goes to sleep announces it, fences, and raises WANTED after that: if the owner's 0 overwrites
 * it, the owner's look finds the sleeper. WANTED guards no data. A spare worker raises it for
 * nobody.
 *
 * TAKEN. A worker may stay in one function for long, with forks that were made when nobody wanted
 * any. So the monitor takes one for whoever sleeps: it stores TAKEN, has every running thread pass
 * a fence (membarrier), and reads the list. A join of the owner stores `newest`, and then looks at
 * `attention`. The fence meets it before its store: then its look comes after, sees TAKEN, and it
 * waits for the lock; or after its look: then the monitor sees the list without that fork. A fork
 * looks first, and writes what the monitor reads last. The monitor writes to no list: the owner
 * takes out what was taken when it comes to look. What has been taken is offered at the worker
 * itself (`offered`), where thieves find it as if it had been shared. Without membarrier the flag
 * stays TAKEN, and each fork and join takes the lock: the owner's store is then before its lock, or
 * sees what was taken.
 *
 * The task of a fork has the locals of who forked it. The monitor copies them while their owner
 * goes on, which therefore changes them under the lock as long as it has forks (task/local.c).
 *
 * Partners: newest (release, on the paths without the lock) -> the monitor's look (acquire): the
 * fork, its function and its arguments, whose fork it is (w->current), and in_callback. What others
 * find in the task they find through the deque or `offered`. done: FORK -> LIVE or DETACHED only
 * says who runs it: relaxed. LIVE -> DONE (release, in the end of the task) -> the join's await
 * (acquire): the result, and has_run.
 *
 * The thread. A fork knows the one before it only, since to write down the one after it costs as
 * much as all else together. Who wants the oldest goes through the list from the newest, and leaves
 * the way back in `next`, so that it need not be gone through again: the link to all but some of
 * the newest is marked. A join that finds `newest` marked comes here (the inlined one finds that it
 * is not its own), and puts the mark some forks further down; so one join in some is not inlined,
 * and only after somebody has wanted the oldest. The monitor, who writes to no list, goes all the
 * way.
 *
 * Patience. To wake a worker costs some microseconds, so forks that are joined sooner are better
 * not shared, and it can only be seen afterwards which those are. Each time that a shared fork is
 * joined before anybody has begun it, its worker lets forks get twice as old before it shares the
 * next, up to config.patience; each time that it pays, half as old; and when the monitor has had to
 * take one, it shares at once again: there may be no further fork for long.
 *
 * For tests `steal_forks` has each fork become a task at once, LIVE from the beginning, so that it
 * runs on a stack of its own and never on that of who joins it.
 *
 * Dropped: thieves that take from the list themselves, as the monitor does: a fence in every thread
 * for each steal costs more than a word to an owner who forks all the time.
 *
 * Sources: Mohr, Kranz and Halstead, "Lazy task creation" (1990); work requested by a flag rather
 * than stolen, as by Acar, Charguéraud and Rainey, "Scheduling parallel programs by work stealing
 * with private deques" (PPoPP 2013).
 */
#include "parallel/fork.h"

#include "arch/bias.h"
#include "base/clock.h"
#include "base/panic.h"

#include <brigade/fork.h>

#define PATIENCE_LEAST (1 * BG_US)

#if !(defined(__x86_64__) && defined(__LP64__))
bg_detail_forks *bg_detail_forks_here(void)
{
    bgi_worker *w = bgi_worker_self();
    return w == NULL ? &bgi_no_forks : &w->own;
}
#endif

/* The body of a fork's task. */
static int run_fork(void *arg)
{
    bg_detail_fork *f = arg;
    bg_task *self = bgi_task_self();
    if (bgi_worker_self()->sched->config.steal_forks ||
        bgi_cas_relaxed(&self->done, BGI_TASK_FORK, BGI_TASK_LIVE)) {
        f->run(f);
        f->has_run = 1;
    }
    return 0;
}

BGI_INLINE bgi_atomic *attention_of(bgi_worker *w)
{
    return (bgi_atomic *)&w->own.attention;
}

/* Words that others read; the inline paths of brigade/detail/fork.h store them likewise. */
BGI_INLINE bgi_atomic *newest_of(bgi_worker *w)
{
    return (bgi_atomic *)(void *)&w->own.newest;
}

/* So many of the newest have their way back found again each time. */
#if defined(BGI_MODEL) || defined(BGI_STRESS_YIELD)
enum { NEAR = 1 };
#else
enum { NEAR = 16 };
#endif

#define MARK ((uintptr_t)1)

static int is_marked(const bg_detail_fork *link)
{
    return ((uintptr_t)link & MARK) != 0;
}

static bg_detail_fork *unmarked(bg_detail_fork *link)
{
    return (bg_detail_fork *)((uintptr_t)link & ~MARK);
}

static bg_detail_fork *marked(bg_detail_fork *link)
{
    return (bg_detail_fork *)((uintptr_t)link | MARK);
}

/* The owner, under the lock: all of the list is threaded. */
static void thread_list(bgi_worker *w)
{
    bg_detail_fork *const end = &w->own.oldest;
    bg_detail_fork *far = NULL; /* its link is to be marked */
    bg_detail_fork *younger = unmarked(w->own.newest);
    if (is_marked(w->own.newest)) {
        return;
    }
    for (unsigned n = 1; younger != end; n++) {
        bg_detail_fork *link = younger->prev;
        bg_detail_fork *f = unmarked(link);
        f->next = younger;
        if (n == NEAR) {
            far = younger;
        }
        if (is_marked(link)) {
            younger->prev = far != NULL ? f : link; /* one mark is enough */
            break;
        }
        younger = f;
    }
    if (far != NULL && unmarked(far->prev) != end) {
        far->prev = marked(far->prev);
    }
}

/* The owner: f is the newest, to which the link is marked; it leaves the list. */
static void pop_marked(bgi_worker *w, const bg_detail_fork *f)
{
    const bg_detail_fork *const end = &w->own.oldest;
    bgi_lock_acquire(&w->own_lock);
    bg_detail_fork *far = unmarked(f->prev);
    bgi_store_ptr(newest_of(w), far);
    for (unsigned n = 1; far != end && n < NEAR; n++) {
        far = unmarked(far->prev);
    }
    if (far != end && unmarked(far->prev) != end) {
        far->prev = marked(far->prev);
    }
    bgi_lock_release(&w->own_lock);
}

/* The monitor, under the lock: the oldest, or NULL. */
static bg_detail_fork *find_oldest(bgi_worker *w)
{
    const bg_detail_fork *const end = &w->own.oldest;
    bg_detail_fork *f = unmarked(bgi_load_acquire_ptr(newest_of(w)));
    if (f == end) {
        return NULL;
    }
    for (bg_detail_fork *older; (older = unmarked(f->prev)) != end;) {
        f = older;
    }
    return f;
}

/* Whether the list is not empty, for who is not the owner: a hint. */
BGI_INLINE int has_forks(bgi_worker *w)
{
    return bgi_load_ptr(newest_of(w)) != &w->own.oldest;
}

/* The owner, under the lock, the list being threaded: the oldest leaves it. */
static void unlink_oldest(bgi_worker *w)
{
    bg_detail_fork *f = w->own.oldest.next;
    if (f == unmarked(w->own.newest)) {
        bgi_store_ptr(newest_of(w), &w->own.oldest);
    } else {
        w->own.oldest.next = f->next;
        f->next->prev = &w->own.oldest;
    }
}

/* A fork was shared, and joined before anybody had begun it: to wake a worker was in vain. */
static void grow_patience(bgi_worker *w)
{
    bg_duration twice = w->patience == 0 ? PATIENCE_LEAST : 2 * w->patience;
    w->patience = twice < w->sched->config.patience ? twice : w->sched->config.patience;
}

/* The owner, under the lock: what was taken leaves the list, unless it was `joined`, which has left
 * it. The list is threaded after this. */
static void settle(bgi_worker *w, const bg_detail_fork *joined)
{
    thread_list(w);
    if (w->taken != NULL) {
        w->patience = 0; /* it has come to the monitor */
        if (w->taken != joined) {
            unlink_oldest(w);
        }
        w->taken = NULL;
    }
}

/* Under the lock: a task for a fork of w's; NULL: no memory. here: the caller's worker, or NULL. */
static bg_task *give_task(bgi_worker *w, bgi_worker *here, bg_detail_fork *f)
{
    f->has_run = 0;
    f->task = bgi_task_make_fork(here, w, run_fork, f);
    if (f->task != NULL && !w->sched->config.steal_forks) {
        bgi_store(&f->task->done, BGI_TASK_FORK);
    }
    return f->task;
}

/* The owner, under the lock, the list being threaded: a task for the oldest fork, of which there is
 * one, in the deque; 0: no memory for it. */
static int share_oldest(bgi_worker *w)
{
    bg_task *t = give_task(w, w, w->own.oldest.next);
    unlink_oldest(w);
    if (t == NULL) {
        return 0;
    }
    bgi_forks_note(w);
    if (bgi_deque_push(&w->forks, &t->fiber.item) != 0) {
        bgi_push_quiet(w, &t->fiber.item);
    }
    return 1;
}

void bgi_forks_share(bgi_worker *w)
{
    int any = 0;
    bgi_lock_acquire(&w->own_lock);
    settle(w, NULL);
    while (bgi_has_own_forks(w)) {
        any |= share_oldest(w);
    }
    bgi_lock_release(&w->own_lock);
    if (any && w->sched->workers > 1) {
        bgi_notify(w->sched);
    }
}

void bgi_forks_take(bgi_worker *w)
{
    bg_task *t = NULL;
    if (!has_forks(w)) {
        return;
    }
    bgi_lock_acquire(&w->own_lock);
    if (w->taken == NULL && bgi_load(&w->offered) == 0) {
        if (bgi_load(&bgi_fence_asymmetric) != 0) {
            bgi_store(attention_of(w), BGI_FORKS_TAKEN);
            bgi_fence_heavy(); /* partner: the compiler's fence in bg_detail_fork_end */
        }
        bg_detail_fork *f = find_oldest(w);
        if (f != NULL && bgi_load(&w->in_callback) == 0) {
            t = give_task(w, NULL, f);
            w->taken = t == NULL ? NULL : f;
        }
    }
    if (t != NULL) {
        bgi_store_release_ptr(&w->offered, &t->fiber.item);
    }
    bgi_lock_release(&w->own_lock);
    if (t != NULL) {
        bgi_notify(w->sched);
    }
}

static void want(bgi_worker *w)
{
    (void)bgi_cas_relaxed(attention_of(w), 0, BGI_FORKS_WANTED);
}

static int anybody_idle(bgi_sched *s)
{
    return bgi_ec_waiting(&s->idle) != 0 || bgi_load(&s->searching) != 0;
}

/* The owner has come to look: what was taken leaves the list, and somebody who is idle gets the
 * oldest fork. `joined`: what has just left the list, or NULL. */
static void look(bgi_worker *w, const bg_detail_fork *joined)
{
    bgi_sched *s = w->sched;
    int shared = 0;

    bgi_lock_acquire(&w->own_lock);
    settle(w, joined);
    bgi_store(attention_of(w), bgi_load(&bgi_fence_asymmetric) != 0 ? 0 : BGI_FORKS_TAKEN);
    bgi_fence_full(); /* partner: the fence in bgi_ec_prepare, before the flag is raised */
    if (w->current != NULL && bgi_has_own_forks(w) && anybody_idle(s)) {
        shared = share_oldest(w);
        if (bgi_ec_waiting(&s->idle) > 1) {
            want(w); /* one of them is woken, now or before */
        }
    } else if (anybody_idle(s)) {
        want(w);
    }
    bgi_lock_release(&w->own_lock);
    if (shared) {
        bgi_notify(s);
    }
}

/* Whether it is too early to wake somebody for the oldest fork: what has just been forked may be
 * joined at once. The flag stays up, so a later fork comes here again. now: 0, or what the rough
 * clock has just shown. */
static int too_early(bgi_worker *w, int first, bg_time now)
{
    bg_duration patience = w->patience;
    if (patience == 0 || bgi_load(attention_of(w)) != BGI_FORKS_WANTED) {
        return 0;
    }
    now = now != 0 ? now : bgi_clock_rough();
    if (first) {
        w->forked_at = now;
    }
    return (uint64_t)(now - w->forked_at) < (uint64_t)patience; /* not when it went backwards */
}

/* The newest from now on. Others read what it leads to under the lock, or the store is a release.
 */
static void link_newest(bgi_worker *w, bg_detail_fork *f)
{
    f->prev = w->own.newest;
    bgi_store_release_ptr(newest_of(w), f);
}

void bg_detail_fork_slow(bg_detail_fork *f)
{
    bgi_fork_slow_at(f, 0);
}

void bgi_fork_slow_at(bg_detail_fork *f, bg_time now)
{
    bgi_worker *w = bgi_worker_self();
    f->task = NULL;
    f->has_run = 0;
    if (w == NULL) {
        return; /* a plain thread: it runs when it is joined */
    }
    bgi_sched *s = w->sched;
    int at_once = w->current != NULL && (s->sim != NULL || s->config.steal_forks);
    if (!at_once && w->current != NULL && too_early(w, !bgi_has_own_forks(w), now)) {
        link_newest(w, f); /* as if nobody had asked: it is not TAKEN, or has not been just now */
        return;
    }
    bgi_lock_acquire(&w->own_lock);
    settle(w, NULL);
    link_newest(w, f);
    if (at_once) {
        thread_list(w);
        (void)share_oldest(w);
    }
    bgi_lock_release(&w->own_lock);
    if (at_once) {
        bgi_notify_here(s);
    } else if (w->current != NULL) { /* not a callback, which cannot wait for others */
        look(w, NULL);
    }
}

#if BGI_DEBUG

/* It is not the newest: then it has a task, or is out of turn. */
static void check_turn(const bgi_worker *w, const bg_detail_fork *f)
{
    for (const bg_detail_fork *at = unmarked(w->own.newest); at != &w->own.oldest;
         at = unmarked(at->prev)) {
        if (at == f) {
            bgi_misuse("bg_join", bgi_task_self_name(),
                       "a fork that was made later is to be joined before");
        }
    }
}

#endif

/* A task that has nothing to do any more (DETACHED) ends: now, if it lies where it is to be
 * expected, as it does unless its maker has changed workers; else when somebody comes to it.
 *
 * What lies there is this task, and no later one in the same record: nothing has been pushed to the
 * deque since the task was found not to have begun, and by F3 the list is empty, so the monitor
 * offers nothing. At another worker that could not be said; so none is looked at. */
static void take_back(bgi_worker *w, bg_task *t)
{
    bgi_word item = (bgi_word)&t->fiber.item;
    if (bgi_deque_take_back(&w->forks, &t->fiber.item) || bgi_cas_relaxed(&w->offered, item, 0)) {
        t->fiber.result = 0;
        (void)bgi_task_end(w, t);
    }
}

int bg_detail_join_slow(bg_detail_fork *f)
{
    bgi_worker *w = bgi_worker_self();
    if (w != NULL && w->own.newest == marked(f)) {
        pop_marked(w, f);
        return bgi_load(attention_of(w)) != 0 ? bg_detail_join_look(f) : 0;
    }
#if BGI_DEBUG
    if (w != NULL) {
        check_turn(w, f);
    }
#endif
    bg_task *t = f->task;
    if (t == NULL) {
        return 0;
    }
    bgi_task_point();
    w = bgi_worker_self();
    if (bgi_cas_relaxed(&t->done, BGI_TASK_FORK, BGI_TASK_DETACHED)) {
        grow_patience(w);
        take_back(w, t);
        return 0;
    }
    w->patience /= 2;
    (void)bg_await(t);
    return f->has_run;
}

/* The fork has left the list by the fast path, and then attention was asked for. */
int bg_detail_join_look(bg_detail_fork *f)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_load(attention_of(w)) != BGI_FORKS_TAKEN) {
        return 0; /* the next fork sees to it */
    }
    bgi_lock_acquire(&w->own_lock);
    int taken = w->taken == f;
    bgi_lock_release(&w->own_lock);
    look(w, f);
    return taken ? bg_detail_join_slow(f) : 0;
}
