/*
 * Helpers (helpers_types.h): time, callbacks, and whole runs.
 */
#ifndef BGP_HELPERS_TIME_H
#define BGP_HELPERS_TIME_H

/*@ nap: waited */
static inline int nap(int t, bg_duration d)
{
    int sure = before_wait(t);
    bg_time since = bg_now();
    int r = bg_sleep(d);
    CHECK(t, r != 0 || bg_now() - since >= d);
    return after_wait(t, sure, r);
}

/*@ nap_until: waited */
static inline int nap_until(int t, bg_duration d)
{
    int sure = before_wait(t);
    bg_time when = bg_now() + d;
    int r = bg_sleep_until(when);
    CHECK(t, r != 0 || bg_now() >= when);
    return after_wait(t, sure, r);
}

/*@ compute: */
static inline void compute(int n)
{
    for (volatile int i = 0; i < n; i++) {
    }
}

/*@ look: types */
/* Each counter is right, though not all are of one moment. */
static inline void look(int t, bg_runtime *rt)
{
    bg_stats s = {.size = sizeof s};
    CHECK(t, bg_runtime_stats(rt, &s) == 0);
    CHECK(t, s.workers >= 1 && s.tasks_spawned >= s.tasks_live);
}

/*@ called: types */
/* What every callback runs. */
static inline int called(void *arg)
{
    struct call *c = arg;
    CHECK(-1, bg_now() - c->since >= c->d);
    CHECK(-1, add_full(&c->called, 1) == 0);
    return c->result;
}

/* A callback is about to be promised. */
static inline struct call *promise(int k, bg_duration d, int result)
{
    calls[k].since = bg_now();
    calls[k].d = d;
    calls[k].due = 1;
    calls[k].result = result;
    return &calls[k];
}

/*@ called_after: called */
static inline int called_after(void *arg)
{
    int r = called(arg);
    (void)add(&pending_calls, (word_value)-1);
    return r;
}

/*@ after: called_after */
static inline void after(int t, int k, bg_duration d, int result)
{
    struct call *c = promise(k, d, result);
    c->may_drop = LEAVES;
    (void)add(&pending_calls, 1);
    CHECK(t, bg_after(d, called_after, c) == 0);
}

/*@ spawn_after: called_after */
/* A callback spawns c, and gives it up. */
static inline void spawn_after(int t, int k, bg_duration d, int c, bg_fn spawn)
{
    struct call *call = promise(k, d, 0);
    call->may_drop = LEAVES;
    call->who = c;
    store(&tasks[c].let_go, 1);
    (void)add(&pending_calls, 1);
    CHECK(t, bg_after(d, spawn, call) == 0);
}

/* In that callback. */
static inline int spawned_after(void *arg, bg_task *handle)
{
    struct call *call = arg;
    CHECK(call->who, handle != NULL);
    store(&tasks[call->who].spawned, 1);
    (void)add(&all_spawned, handle != NULL);
    bg_detach(handle);
    return called_after(call);
}

/*@ timer: called */
static inline void start_timer(int t, int i, int k, bg_duration d)
{
    struct timer *s = &timers[i];
    struct call *c = promise(k, d, 0);
    if (!s->made) {
        s->made = 1;
        s->call = -1;
        bg_timer_init(&s->timer);
    }
    int r = bg_timer_start(&s->timer, d, called, c);
    CHECK(t, r == 0 || (r == -EBUSY && s->call >= 0));
    if (r == 0) {
        s->call = k;
    } else {
        c->due = 0;
    }
}

static inline void stop_timer(int t, int i)
{
    struct timer *s = &timers[i];
    if (!s->made) {
        return;
    }
    int was_pending = bg_timer_cancel(&s->timer);
    CHECK(t, was_pending == 0 || (was_pending == 1 && s->call >= 0));
    if (was_pending == 1 && s->call >= 0) {
        calls[s->call].due = 0;
        CHECK(t, load(&calls[s->call].called) == 0);
    }
    s->call = -1;
}

/*@ join_within: called, wait_any, cancel, joined */
static inline int cancel_late(void *arg)
{
    struct call *c = arg;
    cancel(c->who, tasks[c->who].handle);
    return called(arg);
}

/* Awaits c, which a timer cancels when it takes too long. */
static inline void join_within(int t, int k, bg_duration d, int c)
{
    bg_timer timer;
    struct call *call = promise(k, d, 0);
    call->who = c;
    bg_timer_init(&timer);
    CHECK(t, bg_timer_start(&timer, d, cancel_late, call) == 0);
    (void)wait_any(t, 1, (const int[]){c});
    if (bg_timer_cancel(&timer) != 0) {
        call->due = 0;
    } else { /* it may be about to cancel c still: c's handle is not to be given back before */
        while (load_acquire(&call->called) == 0) {
            bg_yield();
        }
    }
    (void)joined(t, c, bg_await(tasks[c].handle));
}

/*@ rest_is_over: types */
/* Whether all tasks but `most` have ended and every callback has been called. Nothing was spawned
 * while it looked, so no callback that spawns came in between. */
static inline int rest_is_over(bg_runtime *rt, uint64_t most)
{
    bg_stats s = {.size = sizeof s};
    word_value known = load_acquire(&all_spawned);
    if (load_acquire(&pending_calls) != 0) {
        return 0;
    }
    CHECK(-1, bg_runtime_stats(rt, &s) == 0);
    if (s.tasks_live > most || load_acquire(&pending_calls) != 0 ||
        load_acquire(&all_spawned) != known) {
        return 0;
    }
    /* Each fork may have become a task. */
    CHECK(-1, s.tasks_spawned >= known && s.tasks_spawned <= known + load(&forks_made));
    return 1;
}

/*@ wait_for_rest: rest_is_over */
/* Main waits for that; on virtual time not for ever, but longer than all that may come first. */
static inline void wait_for_rest(void)
{
    bg_duration longest = bg_seed() != 0 ? 1000000 * BG_MIN : BG_MS;
    bg_duration d = 20 * BG_US;
    for (int n = 0; !rest_is_over(NULL, 1); n++) {
        int something_is_missing = bg_seed() != 0 && n >= 140;
        CHECK(0, !something_is_missing);
        if (something_is_missing) {
            break;
        }
        CHECK(0, bg_sleep(d) == 0);
        d = d < longest ? 2 * d : d;
    }
}

/*@ thread_join: joined */
/* The same for plain threads. */
static inline void thread_join(int c)
{
    (void)joined(-1, c, bg_runtime_wait(runtime, tasks[c].handle));
}

/*@ thread_join_rest: thread_join */
static inline void thread_join_rest(int t)
{
    for (int c = tasks[t].end; c-- > tasks[t].kids;) {
        if (tasks[c].handle != NULL) {
            thread_join(c);
        }
    }
}

/*@ thread_pause: types */
static inline void thread_pause(bg_duration d)
{
    struct timespec ts = {.tv_sec = d / BG_S, .tv_nsec = d % BG_S};
    (void)nanosleep(&ts, NULL);
}

/*@ thread_wait_for_rest: thread_pause, rest_is_over */
static inline void thread_wait_for_rest(void)
{
    while (!rest_is_over(runtime, 0)) {
        thread_pause(100 * BG_US);
    }
}

#endif
