/*
 * A spare worker's life: lent once, whoever else calls it up; retired when there are more than are
 * needed; asleep until it is called up, or its own timers need it (core/looks.h).
 */
#include "looks.h"

static void calls_itself_up(bgi_atomic *state)
{
    cr_expect(bgi_cas(state, BGI_RETIRED, BGI_ACTIVE));
}

Test(spares, a_spare_is_lent_once)
{
    bgi_sched *s = with_retired_spares();
    neighbour = calls_itself_up;
    lend_spare(s);
    cr_assert_eq(bgi_load(&s->worker[1].state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&s->spares_active), 0, "counted by who called it up, not twice");
    cr_assert_eq(bgi_load(&s->worker[2].state), BGI_RETIRED, "one is enough for this look");
    lend_spare(s);
    cr_assert_eq(bgi_load(&s->worker[2].state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&s->spares_active), 1);
    cr_assert_eq(bgi_load(&s->spares_peak), 1);
    lend_spare(s);
    cr_assert_eq(bgi_load(&s->spares_active), 1, "there is none left");
    bgi_store(&s->worker[1].state, BGI_RETIRED);
    bgi_store(&s->spares_active, 0);
    lend_spare(s);
    cr_assert_eq(bgi_load(&s->spares_peak), 1, "the peak was as high before");
    bgi_sched_destroy(s);
}

static void another_retires(bgi_atomic *active)
{
    (void)bgi_fetch_sub(active, 1);
}

Test(spares, only_surplus_spares_retire)
{
    bgi_sched *s = with_retired_spares();
    bgi_store(&s->spares_active, 2);
    bgi_store(&s->stuck, 2);
    cr_assert_not(is_surplus(s));
    bgi_store(&s->stuck, 1);
    neighbour = another_retires;
    cr_assert_not(is_surplus(s), "the other one was, and has gone");
    cr_assert_eq(bgi_load(&s->spares_active), 1);
    bgi_store(&s->stuck, 0);
    cr_assert(is_surplus(s));
    cr_assert_eq(bgi_load(&s->spares_active), 0);
    bgi_sched_destroy(s);
}

static bgi_sched *retiring; /* with its worker 1 about to retire */
static unsigned sleeps;

/* Calls the sleeper up the second time it sleeps. */
static int lend_in_sleep(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    (void)deadline;
    if (++sleeps == 2) {
        cr_expect_eq(bgi_load(&retiring->worker[1].state), BGI_RETIRED);
        cr_expect_eq(bgi_load(&retiring->spares_active), 0);
        lend_spare(retiring);
    }
    return -ETIMEDOUT;
}

static int stop_in_sleep(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    (void)deadline;
    sleeps++;
    bgi_sched_stop(retiring);
    return -ETIMEDOUT;
}

static const struct bgi_futex_ops lending = {lend_in_sleep, wake_nobody, NULL};
static const struct bgi_futex_ops stopping = {stop_in_sleep, wake_nobody, NULL};

static bgi_worker *about_to_retire(void)
{
    retiring = with_retired_spares();
    bgi_store(&retiring->worker[1].state, BGI_ACTIVE);
    bgi_store(&retiring->spares_active, 1);
    return &retiring->worker[1];
}

Test(spares, a_retired_spare_sleeps_until_it_is_called_up)
{
    bgi_worker *w = about_to_retire();
    bgi_futex_set_ops(&lending);
    w->searching = 1;
    bgi_store(&retiring->searching, 1);
    set_timers(w, 3);
    cr_assert_eq(bgi_spare_retire(w), 1);
    cr_assert_eq(sleeps, 2);
    cr_assert_eq(bgi_load(&w->state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&retiring->spares_active), 1);
    cr_assert_eq(bgi_load(&retiring->searching), 0);
    cr_assert_eq(bgi_injector_size(&retiring->injector), 3, "what its timers woke is for others");
    cr_assert(bgi_runq_empty(&w->queue));
    bgi_store(&retiring->stuck, 1);
    cr_assert_eq(bgi_spare_retire(w), 0, "one is stuck: it stays");
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(retiring);
    cr_assert_eq(bgi_load(&rig_dropped_items), 3);
}

Test(spares, a_retired_spare_ends_with_the_scheduler)
{
    bgi_worker *w = about_to_retire();
    bgi_futex_set_ops(&stopping);
    cr_assert_eq(bgi_spare_retire(w), 1);
    cr_assert_eq(sleeps, 1);
    cr_assert_eq(bgi_load(&w->state), BGI_RETIRED);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(retiring);
}

Test(spares, a_retired_spare_comes_back_when_its_timers_wake_many)
{
    bgi_worker *w = about_to_retire();
    bgi_futex_set_ops(&stopping);
    set_timers(w, BGI_TIMERS_BATCH / 2);
    cr_assert_eq(bgi_spare_retire(w), 1);
    cr_assert_eq(sleeps, 0);
    cr_assert_eq(bgi_load(&w->state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&retiring->spares_active), 1, "it counts again");
    cr_assert_eq(bgi_runq_size(&w->queue), BGI_TIMERS_BATCH / 2, "and runs them itself");
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(retiring);
    cr_assert_eq(bgi_load(&rig_dropped_items), BGI_TIMERS_BATCH / 2);
}

static void the_monitor_lends_it(bgi_atomic *state)
{
    cr_expect_eq(bgi_load(state), BGI_RETIRED);
    lend_spare(retiring);
}

static void then_the_monitor_lends_it(bgi_atomic *spares)
{
    (void)spares;
    neighbour = the_monitor_lends_it; /* the first one is at the count of the active */
}

Test(spares, a_retired_spare_is_called_up_as_it_comes_back)
{
    bgi_worker *w = about_to_retire();
    bgi_futex_set_ops(&stopping);
    set_timers(w, BGI_TIMERS_BATCH / 2);
    neighbour = then_the_monitor_lends_it;
    cr_assert_eq(bgi_spare_retire(w), 1);
    cr_assert_eq(bgi_load(&w->state), BGI_ACTIVE);
    cr_assert_eq(bgi_load(&retiring->spares_active), 1, "counted once");
    cr_assert_eq(sleeps, 0);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(retiring);
}

static bgi_timer restarted;

static void start_another(bg_fn fn, void *arg)
{
    (void)fn;
    bgi_timers_add_fresh(arg, &restarted, 60 * BG_S);
}

static void expire_start(bgi_timer *t, bgi_expiry *out)
{
    bgi_timers *s = bgi_timer_home(t);
    out->act = start_another;
    out->arg = s;
}

Test(spares, a_retired_spare_settles_what_its_callbacks_start)
{
    bgi_worker *w = about_to_retire();
    bgi_timer t;
    bgi_futex_set_ops(&stopping);
    bgi_timer_init(&t, expire_start);
    bgi_timer_init(&restarted, expire_start);
    cr_assert_eq(bgi_timers_start_at(&w->timers, &t, time_now, NULL, NULL), 1);
    time_now += BG_MS;
    cr_assert_eq(bgi_spare_retire(w), 1);
    cr_assert_eq(sleeps, 1, "only when that one had its time");
    cr_assert_geq(bgi_timers_next(&w->timers), time_now + 60 * BG_S);
    cr_assert_lt(bgi_timers_next(&w->timers), BG_TIME_MAX);
    bgi_futex_set_ops(NULL);
    bgi_sched_destroy(retiring);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 1);
}
