/*
 * The deterministic scheduler's parts, one by one: its clock among others, what a player takes,
 * what is left at the end. It is compiled here once more, in place of the library's, with an
 * allocation that can fail; runtime/test_seed.c and test_explore.c have the whole.
 */
#include "rig.h"

#include <errno.h>

static int no_memory;

static void *met_calloc(size_t n, size_t size)
{
    return no_memory ? NULL : bgi_calloc(n, size);
}

#define bgi_calloc met_calloc
#include "core/sim.c"
#undef bgi_calloc

static bgi_sched *new_sim(unsigned workers, uint64_t seed)
{
    bgi_sched *s = rig_create(workers, 0);
    cr_assert_eq(bgi_sim_create(s, seed), 0);
    return s;
}

static bg_time read_fixed(void *ctx)
{
    (void)ctx;
    return 77;
}

static const struct bgi_clock_ops fixed = {read_fixed, NULL};

/* ---- the clock ---- */

Test(sim, each_run_has_a_clock_of_its_own)
{
    bgi_clock_set_ops(&fixed);
    bgi_sched *plain = rig_create(1, 0);
    bgi_sched *one = new_sim(1, 1), *two = new_sim(1, 2);
    one->sim->now = 1000;
    two->sim->now = 2000;
    cr_assert_eq(bgi_clock_now(), 77, "a plain thread has the clock that was there before");
    bgi_worker_is(&plain->worker[0]);
    cr_assert_eq(bgi_clock_now(), 77, "so has a worker of another scheduler");
    bgi_worker_is(&one->worker[0]);
    cr_assert_eq(bgi_clock_now(), 1000);
    bgi_worker_is(&two->worker[0]);
    cr_assert_eq(bgi_clock_now(), 2000);
    bgi_sched_destroy(one);
    cr_assert_eq(bgi_clock_now(), 2000, "the other one goes on");
    bgi_worker_is(NULL);
    bgi_sched_destroy(two);
    cr_assert_eq(bgi_clock_now(), 77);
    bgi_sched_destroy(plain);
    bgi_clock_set_ops(NULL);

    bg_time before = bgi_clock_real();
    one = new_sim(1, 1);
    cr_assert_geq(bgi_clock_now(), before, "or the real one");
    bgi_sched_destroy(one);
    cr_assert_null(bgi_load_ptr(&bgi_clock_replacement));
}

static void expire_nothing(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    (void)out;
}

Test(sim, the_clock_moves_to_the_next_timer_and_never_back)
{
    bgi_sched *s = new_sim(1, 1);
    bgi_timer t;
    bg_time now = s->sim->now;
    cr_assert_eq(advance(s), 0, "no timer is set");
    bgi_timer_init(&t, expire_nothing);
    bgi_worker_is(&s->worker[0]);
    cr_assert_eq(bgi_timers_start_at(&s->worker[0].timers, &t, now + BG_S, NULL, NULL), 1);
    cr_assert_eq(advance(s), 1);
    cr_assert_eq(s->sim->now, now + BG_S);
    s->sim->now += BG_S;
    cr_assert_eq(advance(s), 1);
    cr_assert_eq(s->sim->now, now + 2 * BG_S, "it is late already");
    bgi_worker_is(NULL);
    bgi_sched_destroy(s);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 1);
}

/* ---- what is refused ---- */

Test(sim, without_memory_there_is_none)
{
    bgi_sched *s = rig_create(2, 0);
    no_memory = 1;
    cr_assert_eq(bgi_sim_create(s, 1), -ENOMEM);
    no_memory = 0;
    cr_assert_null(s->sim);
    cr_assert_null(bgi_load_ptr(&bgi_clock_replacement));
    bgi_sched_destroy(s);
}

/* ---- what a player takes ---- */

static bgi_item item[4];

Test(sim, forks_come_first)
{
    bgi_sched *s = new_sim(2, 1);
    bgi_worker *w = &s->worker[0], *other = &s->worker[1];
    struct bgi_fifo chain;
    cr_assert_eq(bgi_deque_push(&w->forks, &item[0]), 0);
    cr_assert_eq(bgi_deque_push(&w->forks, &item[1]), 0);
    cr_assert_eq(bgi_runq_push(&w->queue, &item[2].link, &chain), 0);
    cr_assert_null(bgi_runq_put_next(&w->queue, &item[3].link));
    cr_assert_eq(take_own(w), &item[1], "the newest");
    cr_assert_eq(steal_from(other, w), &item[0], "a thief has the oldest");
    cr_assert_eq(steal_from(other, w), &item[2]);
    cr_assert_eq(steal_from(other, w), &item[3]);
    cr_assert_null(steal_from(other, w));
    cr_assert_null(take_own(w));
    bgi_sched_destroy(s);
}

static void run_nothing(bgi_worker *w, bgi_item *self)
{
    (void)w;
    (void)self;
}

Test(sim, what_a_player_holds_at_the_end_is_dropped)
{
    bgi_sched *s = new_sim(2, 1);
    item[0].run = run_nothing;
    bgi_sim_hand(&s->worker[1], &item[0]);
    bgi_store(&s->stopping, 1);
    bgi_worker_is(&s->worker[0]);
    bgi_sim_run(s);
    cr_assert_eq(bgi_worker_self(), &s->worker[0]);
    bgi_worker_is(NULL);
    bgi_sched_destroy(s);
    cr_assert_eq(bgi_load(&rig_dropped_items), 1);
}

/* ---- where nothing is to be done ---- */

Test(sim, only_a_running_fiber_can_be_held_up)
{
    bgi_sched *s = new_sim(1, 1), *other = new_sim(1, 2);
    struct rig_fiber f;
    rig_fiber_init(&f, NULL, NULL);
    bgi_sim_point(s); /* on a plain thread */
    bgi_worker_is(&other->worker[0]);
    other->worker[0].current = &f.fiber;
    bgi_sim_point(s); /* on a worker of another scheduler */
    bgi_worker_is(&s->worker[0]);
    bgi_sim_point(s); /* in the loop */
    bgi_worker_is(NULL);
    cr_assert_eq(other->worker[0].current, &f.fiber);
    cr_assert_null(s->sim->player[0].hand);
    cr_assert_null(other->sim->player[0].hand);
    bgi_sched_destroy(s);
    bgi_sched_destroy(other);
}

Test(sim, one_that_has_not_run_or_is_ready_waits_for_nothing)
{
    static bgi_stack stack;
    struct rig_fiber f;
    rig_fiber_init(&f, NULL, NULL);
    cr_assert(bgi_sim_waits(&f.fiber).commit == NULL);
    f.fiber.stack = &stack;
    cr_assert(bgi_sim_waits(&f.fiber).commit == NULL);
    note_wait(&f.fiber, commit_point, &f, START + 5);
    cr_assert(bgi_sim_waits(&f.fiber).commit == commit_point);
    cr_assert_eq(bgi_sim_waits(&f.fiber).arg, &f);
    cr_assert_eq(bgi_sim_waits(&f.fiber).since, 5);
}

/* ---- the frames of one that is suspended ---- */

static int commit_stay(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    (void)self;
    (void)arg;
    return 0;
}

static void wait_once(struct rig_fiber *self)
{
    bgi_suspend(commit_stay, NULL);
    *(int *)self->arg = 1;
}

Test(sim, as_many_frames_as_are_asked_for)
{
    void *frames[100];
    int ended = 0;
    struct rig_fiber f;
    bgi_sched *s = rig_create(1, 0);
    bgi_worker *w = &s->worker[0];
    rig_fiber_init(&f, wait_once, &ended);
    cr_assert_eq(bgi_fiber_backtrace(w, &f.fiber, frames, 100), 0, "it has not run");
    bgi_worker_is(w);
    bgi_context_adopt(&w->loop);
    bgi_fiber_run(w, &f.fiber.item);
    cr_assert_eq(ended, 0);
    int all = bgi_fiber_backtrace(w, &f.fiber, frames, 100);
    cr_assert(all >= 0 && all < 100);
    cr_assert_eq(bgi_fiber_backtrace(w, &f.fiber, frames, 0), 0);
    int one = bgi_fiber_backtrace(w, &f.fiber, frames, 1);
    cr_assert_eq(one, all < 1 ? all : 1);
    cr_assert_eq(ended, 0, "it still waits");
    bgi_fiber_run(w, &f.fiber.item);
    cr_assert_eq(ended, 1);
    bgi_context_fini(&w->loop);
    bgi_worker_is(NULL);
    bgi_sched_destroy(s);
}
