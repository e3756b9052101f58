/*
 * The stall detector, look by look: what it adds up, what it says, and what it reads of a worker
 * that goes on just then. It is compiled here once more, in place of the library's, with a clock, a
 * kernel and a worker that the test moves; runtime/test_stall.c has the real one.
 */
#include "core/stall.h"
#include "dies.h"
#include "rig.h"

#include <stdio.h>
#include <unistd.h>

#if BGI_DEBUG

static bg_time cpu_used, time_now = 1000 * BG_S;
static int blocked;
static void (*worker_goes_on)(bgi_atomic *turn);

static bg_time met_cpu_time(const bgi_worker *w)
{
    (void)w;
    return cpu_used;
}

static int met_blocked(const bgi_worker *w)
{
    (void)w;
    return blocked;
}

static bg_time met_now(void)
{
    return time_now;
}

static bgi_word met_load(const bgi_atomic *p)
{
    void (*goes_on)(bgi_atomic *) = worker_goes_on;
    worker_goes_on = NULL;
    if (goes_on != NULL) {
        goes_on((bgi_atomic *)(uintptr_t)p);
    }
    return bgi_load(p);
}

#define bgi_worker_cpu_time met_cpu_time
#define bgi_worker_blocked met_blocked
#define bgi_clock_now met_now
#define bgi_load met_load
#include "core/stall.c"
#undef bgi_worker_cpu_time
#undef bgi_worker_blocked
#undef bgi_clock_now
#undef bgi_load

static bgi_sched *s;
static bgi_worker *w;
static unsigned reports;
static struct bgi_stall_report last;
static char last_name[64];

static void on_stall(const struct bgi_stall_report *r, void *arg)
{
    (void)arg;
    reports++;
    last = *r;
    (void)snprintf(last_name, sizeof last_name, "%s", r->name);
}

static const char *soup(const bgi_fiber *f)
{
    (void)f;
    return "soup";
}

static bgi_fiber fiber;

/* A worker in the middle of a task that is to be reported after 5 ms. */
static void begin(void)
{
    s = rig_create(1, 0);
    w = &s->worker[0];
    s->stall_after = 5 * BG_MS;
    s->config.name_of = soup;
    bgi_stall_set_hook(on_stall, NULL);
    bgi_stall_began(w, &fiber);
}

/* A look after which so much time has passed, of which the thread computed so much. */
static unsigned look_after(bg_time passed, bg_time computed)
{
    time_now += passed;
    cpu_used += computed;
    bgi_stall_look(w, 1);
    return reports;
}

Test(stall, what_was_computed_adds_up)
{
    begin();
    cr_assert_eq(look_after(0, 0), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(look_after(9 * BG_MS, BG_MS), 0, "only processor time counts");
    }
    cr_assert_eq(look_after(BG_MS, BG_MS), 1);
    cr_assert_eq(last.lasts, 5 * BG_MS);
    cr_assert_not(last.blocked);
    cr_assert_eq(last.kind, BGI_STALL_TASK);
    cr_assert_str_eq(last_name, "soup");
    cr_assert_eq(look_after(9 * BG_MS, 9 * BG_MS), 1, "once");
    bgi_stall_look(w, 0);
    cr_assert_eq(look_after(BG_MS, BG_MS), 1, "it starts again");
    cr_assert_eq(look_after(6 * BG_MS, 6 * BG_MS), 2);
    cpu_used -= BG_S; /* the thread cannot be asked */
    bgi_stall_look(w, 0);
    s->stall_after = 0;
    (void)look_after(BG_S, BG_S);
    cr_assert_eq(look_after(BG_S, BG_S), 2, "turned off");
    bgi_sched_destroy(s);
}

Test(stall, so_does_what_it_was_blocked)
{
    begin();
    blocked = 1;
    cr_assert_eq(look_after(0, 0), 0);
    cr_assert_eq(look_after(3 * BG_MS, -BG_S), 0);
    blocked = 0;
    cr_assert_eq(look_after(9 * BG_MS, 0), 0, "it waits for a core");
    blocked = 1;
    cr_assert_eq(look_after(BG_MS, BG_MS), 0, "it has computed");
    cr_assert_eq(look_after(2 * BG_MS, 0), 1);
    cr_assert_eq(last.lasts, 6 * BG_MS);
    cr_assert(last.blocked);
    bgi_sched_destroy(s);
}

/* ---- one that goes on just then ---- */

static void is_half_through(bgi_atomic *turn)
{
    (void)turn;
    (void)bgi_fetch_add(&w->stall.turn, BGI_STALL_TURN);
}

static void begins_another(bgi_atomic *turn)
{
    (void)turn;
    bgi_stall_nothing(w);
    bgi_stall_began(w, &fiber);
}

static void counts_another(bgi_atomic *turn)
{
    (void)turn;
    (void)bgi_fetch_add(&w->tick, 1);
}

Test(stall, one_that_has_gone_on_is_not_reported)
{
    begin();
    (void)look_after(0, 0);
    is_half_through(NULL);
    cr_assert_eq(look_after(9 * BG_MS, 9 * BG_MS), 0, "the name is being written");
    cr_assert_not(w->stall.reported, "the next look tries again");
    is_half_through(NULL);
    worker_goes_on = begins_another;
    cr_assert_eq(look_after(BG_MS, BG_MS), 0, "the name was written meanwhile");
    worker_goes_on = counts_another;
    cr_assert_eq(look_after(BG_MS, BG_MS), 0, "it runs another item");
    w->seen_tick = bgi_load(&w->tick);
    bgi_stall_nothing(w);
    cr_assert_eq(look_after(BG_MS, BG_MS), 0, "it is in its loop");
    cr_assert(w->stall.reported);
    bgi_sched_destroy(s);
}

/* ---- the line ---- */

static void say_and_abort(void *kind_and_blocked)
{
    const int *what = kind_and_blocked;
    struct bgi_stall_report r = {(enum bgi_stall_kind)what[0], what[2] ? "soup" : "", 3, 7 * BG_MS,
                                 what[1]};
    bgi_stall_set_hook(NULL, NULL);
    tell(&r);
    abort();
}

Test(stall, the_line)
{
    int what[3] = {BGI_STALL_TASK, 0, 1};
    DIES(say_and_abort, what,
         "brigade: stall: task 'soup' on worker 3 has not suspended for 7 ms (computing)\n");
    what[1] = 1;
    what[2] = 0;
    DIES(say_and_abort, what,
         "brigade: stall: an unnamed task on worker 3 has not suspended for 7 ms (blocked in the "
         "kernel)\n");
    what[0] = BGI_STALL_CALLBACK;
    DIES(say_and_abort, what,
         "brigade: stall: a callback on worker 3 has not returned for 7 ms (blocked in the "
         "kernel)\n");
}

/* ---- a lock held when a fiber without a name suspends ---- */

static bgi_lock pan = BGI_LOCK_INIT(5, "pan");

static int stay(bgi_worker *worker, bgi_fiber *self, void *arg)
{
    (void)worker;
    (void)self;
    (void)arg;
    return 1;
}

static void hold_and_suspend(struct rig_fiber *self)
{
    (void)self;
    bgi_lock_acquire(&pan);
    bgi_suspend(stay, NULL);
}

static void run_one_that_holds(void *arg)
{
    struct rig_fiber f;
    bgi_sched *own = rig_start(1, 0);
    rig_fiber_init(&f, hold_and_suspend, arg);
    bgi_submit(own, &f.fiber.item);
    bgi_sched_join(own);
}

Test(stall, a_lock_held_by_a_fiber_without_a_name)
{
    DIES(run_one_that_holds, NULL, "brigade: task '' has suspended with lock 'pan' held");
}

#else

Test(stall, other_builds_keep_nothing)
{
    bgi_sched *s = rig_create(1, 0);
    bgi_stall_setup(s);
    bgi_stall_look(&s->worker[0], 1);
    bgi_sched_destroy(s);
}

#endif
