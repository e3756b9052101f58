#include "core/fiber.h"

#include "base/panic.h"
#include "base/rank.h"
#include "base/stress.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>

#if defined(__has_include)
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define BGI_HAVE_BACKTRACE 1
#endif
#endif

BGI_RETURN_THUNK;

static void fiber_main(void *arg);

/*
 * A stack that is given back rests where its last body has ended: who gets it next goes on there,
 * and need not make a first frame. What the address sanitizer keeps beside a stack goes only with a
 * switch that is final.
 */
enum { STACKS_REST = !BGI_ASAN };

/* Gives a fresh fiber a stack: 0, or -ENOMEM. */
BGI_INLINE int bind(bgi_worker *w, bgi_fiber *f)
{
    bgi_stack *stack = bgi_stack_get(w->sched->stacks, w->index, f->stack_size);
    if (bgi_unlikely(stack == NULL)) {
        return -ENOMEM;
    }
    if (bgi_unlikely(!STACKS_REST || bgi_context_zeroed(&stack->context))) {
        bgi_context_init(&stack->context, stack->low, stack->size, fiber_main, NULL);
    }
    f->stack = stack;
    return 0;
}

#if BGI_DEBUG

/* A lock that a task holds when it suspends is released by its commit, or never on this thread: the
 * next one to take it here would deadlock, or release it for somebody else. (Who has ended, of whom
 * nothing is left here, was looked at before.) */
static int run_commit(bgi_worker *w, bgi_commit commit, bgi_fiber *left)
{
    char name[64] = "";
    if (bgi_rank_held() != 0 && w->sched->config.name_of != NULL) {
        (void)snprintf(name, sizeof name, "%s", w->sched->config.name_of(left));
    }
    int again = commit(w, left, w->commit_arg); /* left may be gone after this */
    if (bgi_rank_held() != 0) {
        bgi_panic("task '%s' has suspended with lock '%s' held", name, bgi_rank_top());
    }
    return again;
}

#else

BGI_INLINE int run_commit(bgi_worker *w, bgi_commit commit, bgi_fiber *left)
{
    return commit(w, left, w->commit_arg);
}

#endif

/* Runs the commit of whoever was on this worker before. First thing after every switch. */
BGI_INLINE void switched_in(bgi_worker *w)
{
    bgi_commit commit = w->commit;
    if (commit != NULL) {
        bgi_fiber *left = w->commit_fiber;
        w->commit = NULL;
        if (run_commit(w, commit, left)) {
            bgi_ready(w->sched, &left->item);
        }
    }
}

#ifdef BGI_STRESS_YIELD

/* So often is a fiber given to others: nobody may be there who can take it. */
enum { REFUSALS = 1000 };

/*
 * The forced migration of the stress builds. Whether the fiber, about to go on where it ran last,
 * has been sent to the injector instead, for another worker to take.
 */
static int sent_away(bgi_worker *w, bgi_fiber *f)
{
    bgi_sched *s = w->sched;
    bgi_stack *stack = f->stack;
    if (stack == NULL || stack->last != w->index + 1 || stack->refused == REFUSALS ||
        s->workers == 1 || s->sim != NULL || !bgi_stress_migrates()) {
        return 0;
    }
    stack->refused++;
    struct bgi_fifo chain;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &f->item.link);
    bgi_injector_push(&s->injector, &chain, 1);
    bgi_notify(s);
    (void)sched_yield();
    return 1;
}

static void runs_here(const bgi_worker *w, const bgi_fiber *f)
{
    f->stack->last = w->index + 1;
    f->stack->refused = 0;
}

#else

BGI_INLINE void runs_here(const bgi_worker *w, const bgi_fiber *f)
{
    (void)w;
    (void)f;
}

#endif

/* The fiber to switch straight to, bound and current, or NULL: the loop goes on. */
BGI_INLINE bgi_fiber *choose(bgi_worker *w, bgi_item *next)
{
    if (bgi_likely(next != NULL && next->run == bgi_fiber_run)) {
        bgi_fiber *f = bgi_fiber_of(next);
#ifdef BGI_STRESS_YIELD
        if (sent_away(w, f)) {
            w->current = NULL;
            return NULL;
        }
#endif
        if (bgi_likely(f->stack != NULL || bind(w, f) == 0)) {
            bgi_worker_count(w);
            w->current = f;
            runs_here(w, f);
            bgi_stall_began(w, f);
            return f;
        }
    }
    w->handoff = next;
    w->current = NULL;
    return NULL;
}

BGI_INLINE void suspend(bgi_commit commit, void *arg)
{
    bgi_worker *w = bgi_worker_self();
    bgi_fiber *self = w->current;
    if (bgi_unlikely(bgi_has_own_forks(w))) {
        w->sched->config.share(w);
    }
    bgi_fiber *to = choose(w, bgi_worker_pick(w));

#if BGI_DEBUG
    bgi_stack_check(self->stack);
#endif
    w->commit = commit;
    w->commit_fiber = self;
    w->commit_arg = arg;
    bgi_context_switch(&self->stack->context, to != NULL ? &to->stack->context : &w->loop);
    switched_in(bgi_worker_self());
}

BGI_RETURN_BY_JUMP void bgi_suspend(bgi_commit commit, void *arg)
{
    suspend(commit, arg);
}

void bgi_suspend_for_child(bgi_commit commit, void *arg)
{
    suspend(commit, arg);
}

/* Lines of a stack that are fetched: a task in bg_read has six in use below its own frame. */
enum { FRAMES = 8 };

static void prefetch_frames(const bgi_item *item)
{
    if (item->run == bgi_fiber_run) {
        const bgi_stack *stack = BGI_CONTAINER_OF(item, bgi_fiber, item)->stack;
        const char *line = bgi_context_sp(&stack->context);
        for (int i = 0; i < FRAMES; i++) {
            __builtin_prefetch(line + i * BGI_CACHE_LINE, 1);
        }
    }
}

size_t bgi_push_woken(bgi_worker *w, struct bgi_fifo *woken)
{
    struct bgi_link *l;
    size_t n = 0;
    for (; (l = bgi_fifo_pop(woken)) != NULL; n++) {
        bgi_item *item = bgi_item_of(l);
        prefetch_frames(item);
        bgi_push_quiet(w, item);
    }
    return n;
}

static int commit_yield(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)arg;
    /* No notification: what is queued is as much as before, and was told of when it came. */
    bgi_push_quiet(w, &self->item);
    return 0;
}

int bgi_fiber_yielded(bgi_commit commit)
{
    return commit == commit_yield;
}

void bgi_yield(void)
{
    bgi_worker *w = bgi_worker_self();
    if (bgi_runq_empty(&w->queue) && bgi_worker_spend(w)) {
        return; /* nobody to let go first; now and then the loop looks elsewhere */
    }
    bgi_suspend(commit_yield, NULL);
}

/* What remains of a fiber whose body has ended: its stack. */
static int commit_stack(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)self;
    bgi_stack_put(w->sched->stacks, w->index, arg);
    return 0;
}

/* Where the last switch of a stack goes. */
struct leave {
    bgi_context *from, *to;
};

/* Runs one body after another on this stack, as long as what comes next is fresh. Then the stack
 * is given back; the bodies of the next fiber that gets it are run here as well. */
BGI_HOT BGI_NOINLINE static struct leave run_bodies(void)
{
    for (;;) {
        switched_in(bgi_worker_self());

        bgi_worker *w = bgi_worker_self();
        bgi_fiber *f = w->current;
        bgi_stack *stack = f->stack;
        bgi_item *next;
        for (;;) {
            next = w->sched->config.body(w, f); /* f may be gone after this */
            w = bgi_worker_self();
#if BGI_DEBUG
            if (bgi_rank_held() != 0) {
                bgi_panic("a task has ended with lock '%s' held", bgi_rank_top());
            }
#endif
            if (next == NULL) {
                next = bgi_worker_pick(w);
            }
            if (next == NULL || next->run != bgi_fiber_run) {
                break;
            }
            f = bgi_fiber_of(next);
            if (f->stack != NULL || !bgi_stack_fits(w->sched->stacks, stack, f->stack_size)) {
                break;
            }
            f->stack = stack;
            w->current = f;
            runs_here(w, f);
            bgi_worker_count(w);
            bgi_stall_began(w, f);
        }
        bgi_fiber *to = choose(w, next);
        if (bgi_unlikely(!bgi_stack_put_quick(w->sched->stacks, w->index, stack))) {
            w->commit = commit_stack;
            w->commit_fiber = NULL;
            w->commit_arg = stack;
        }
        struct leave leave = {&stack->context, to != NULL ? &to->stack->context : &w->loop};
        if (!STACKS_REST) {
            return leave;
        }
        bgi_context_switch(leave.from, leave.to);
    }
}

/* The first frame of every fiber. */
BGI_HOT BGI_CONTEXT_ENTRY static void fiber_main(void *arg)
{
    (void)arg;
    struct leave leave = run_bodies();
    bgi_context_switch_final(leave.from, leave.to);
}

BGI_INLINE int enter(bgi_worker *w, bgi_fiber *f)
{
    if (f->stack == NULL && bind(w, f) != 0) {
        w->sched->config.no_stack(w, f);
        return 0;
    }
    w->current = f;
    runs_here(w, f);
    bgi_stall_began(w, f);
    bgi_context_switch(&w->loop, &f->stack->context);
    return 1;
}

void bgi_fiber_run(bgi_worker *w, bgi_item *item)
{
    bgi_fiber *f = bgi_fiber_of(item);
#ifdef BGI_STRESS_YIELD
    if (sent_away(w, f)) {
        return;
    }
#endif
    if (enter(w, f)) {
        switched_in(w);
    }
}

int bgi_fiber_enter(bgi_worker *w, bgi_fiber *f)
{
    return enter(w, f);
}

void bgi_fiber_left(bgi_worker *w)
{
    switched_in(w);
}

#ifdef BGI_HAVE_BACKTRACE

struct capture {
    void **frames;
    int n;
};

/* Runs as a commit on the very stack that is looked at: what lies there is seen as it is. Then goes
 * back to the loop from here; whoever resumes the fiber in earnest comes back to this switch. */
static int commit_capture(bgi_worker *w, bgi_fiber *self, void *arg)
{
    struct capture *c = arg;
    c->n = backtrace(c->frames, c->n);
    bgi_context_switch(&self->stack->context, &w->loop);
    switched_in(bgi_worker_self());
    return 0;
}

int bgi_fiber_backtrace(bgi_worker *w, bgi_fiber *f, void **frames, int n)
{
    enum { OWN = 2, MOST = 64 }; /* commit_capture and the suspension itself */
    void *all[MOST];
    struct capture c = {all, n + OWN < MOST ? n + OWN : MOST};

    if (f->stack == NULL) {
        return 0;
    }
    w->commit = commit_capture;
    w->commit_fiber = f;
    w->commit_arg = &c;
    w->current = f;
    bgi_context_switch(&w->loop, &f->stack->context);
    w->current = NULL;
    n = c.n > OWN ? c.n - OWN : 0;
    memcpy(frames, all + OWN, (size_t)n * sizeof *frames);
    return n;
}

#else

int bgi_fiber_backtrace(bgi_worker *w, bgi_fiber *f, void **frames, int n)
{
    (void)w;
    (void)f;
    (void)frames;
    (void)n;
    return 0;
}

#endif
