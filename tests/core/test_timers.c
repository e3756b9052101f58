/*
 * The timer service: fresh timers and their deadline, the two roads in and out, order, batches,
 * what expiry may do, draining, and the race between a stop and an expiry, of owner and stranger.
 *
 * Labels: valgrind aarch64
 */
#include "core/timers.h"

#include "base/random.h"
#include "rig.h"

enum { TICK = 1 << BGI_WHEEL_TICK_BITS, BATCH = 64, START = 1000 * TICK };

/* ---- timers that note their expiry ---- */

struct noting {
    bgi_timer timer;
    bgi_item item;
    int id;
    int as_item;
    int declines; /* as one whose waiter another has claimed */
    bgi_atomic expired;
};

static struct {
    int id[4096];
    size_t n;
} fired;

static int note(void *arg)
{
    struct noting *t = arg;
    fired.id[fired.n++] = t->id;
    return 0;
}

static void act(bg_fn fn, void *arg)
{
    (void)fn(arg);
}

static void run_item(bgi_worker *w, bgi_item *item)
{
    (void)w;
    (void)note(BGI_CONTAINER_OF(item, struct noting, item));
}

static void expire(bgi_timer *t, bgi_expiry *out)
{
    struct noting *n = BGI_CONTAINER_OF(t, struct noting, timer);
    (void)bgi_fetch_add(&n->expired, 1);
    if (n->declines) {
        return;
    }
    if (n->as_item) {
        out->item = &n->item;
        return;
    }
    out->act = act;
    out->fn = note;
    out->arg = n;
}

static void make(struct noting *t, int id)
{
    memset((void *)t, 0, sizeof *t);
    bgi_timer_init(&t->timer, expire);
    t->item.run = run_item;
    t->id = id;
}

static bgi_timers service;

/* The service reads the clock itself where the time it is given may be too old. */
static bgi_atomic clock_at;

static bg_time fake_now(void *ctx)
{
    (void)ctx;
    return (bg_time)bgi_load(&clock_at);
}

static const struct bgi_clock_ops fake_clock = {fake_now, NULL};

static void begin(void)
{
    bgi_store(&clock_at, START);
    bgi_clock_set_ops(&fake_clock);
    bgi_fence_setup();
    bgi_timers_init(&service, START);
    fired.n = 0;
}

static void add_fresh(bgi_timers *s, struct noting *t, bg_duration delay)
{
    int how = bgi_bias_enter(&s->lock);
    bgi_timers_add_fresh(s, &t->timer, delay);
    bgi_bias_leave(&s->lock, how);
}

static void add_at(bgi_timers *s, struct noting *t, bg_time deadline)
{
    cr_assert_eq(bgi_timers_start_at(s, &t->timer, deadline, NULL, NULL), 1);
}

/* A worker that does not search, of a scheduler that does nothing, for expiries that make nothing
 * ready. */
static bgi_sched no_scheduler;
static bgi_worker nobody = {.sched = &no_scheduler};

/* Fires what is due, without a limit; gives how many. */
static size_t run(bgi_timers *s, bg_time now)
{
    size_t n = 0;
    bgi_store(&clock_at, (bgi_word)now);
    cr_assert_eq(bgi_timers_run(&nobody, s, 1, now, SIZE_MAX, &n), 0);
    return n;
}

/* ---- fresh ones ---- */

Test(timers, a_fresh_one_has_no_deadline_until_it_is_settled)
{
    struct noting t;
    begin();
    make(&t, 1);
    cr_assert_not(bgi_timers_unsettled(&service));
    add_fresh(&service, &t, 10 * TICK);
    cr_assert(bgi_timers_unsettled(&service));
    cr_assert_eq(bgi_timers_next(&service), BG_TIME_MAX);

    /* Its time counts from here, long after it was set. */
    bg_time settled = START + 1000 * TICK + 5;
    cr_assert_eq(run(&service, settled), 0);
    cr_assert_not(bgi_timers_unsettled(&service));
    cr_assert_leq(bgi_timers_next(&service), settled + 11 * TICK);
    cr_assert_gt(bgi_timers_next(&service), settled);
    cr_assert_eq(run(&service, settled + 10 * TICK - 1), 0);
    cr_assert_eq(bgi_load(&t.expired), 0);
    cr_assert_eq(run(&service, settled + 11 * TICK), 1);
    cr_assert_eq(bgi_load(&t.expired), 1);
    cr_assert_eq(bgi_timers_next(&service), BG_TIME_MAX);
}

Test(timers, fresh_ones_of_no_delay_or_less_are_due_when_settled)
{
    struct noting t[3];
    begin();
    for (int i = 0; i < 3; i++) {
        make(&t[i], i);
        add_fresh(&service, &t[i], i == 0 ? 0 : i == 1 ? -5 : INT64_MIN);
    }
    cr_assert_eq(run(&service, START + TICK), 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(fired.id[i], i);
    }
}

Test(timers, a_fresh_one_for_ever_is_never_due)
{
    struct noting t;
    begin();
    make(&t, 1);
    add_fresh(&service, &t, BG_FOREVER);
    cr_assert_eq(run(&service, START), 0);
    cr_assert_eq(run(&service, BG_TIME_MAX), 0);
    cr_assert_eq(bgi_timers_stop(&service, &t.timer), 1);
}

Test(timers, a_stranger_settles_too)
{
    struct noting t;
    size_t n = 0;
    begin();
    make(&t, 1);
    add_fresh(&service, &t, 2 * TICK);
    bgi_store(&clock_at, START + 7 * TICK);
    cr_assert_eq(bgi_timers_run(&nobody, &service, 0, START + 7 * TICK, SIZE_MAX, &n), 0);
    cr_assert_eq(n, 0);
    cr_assert_not(bgi_timers_unsettled(&service));
    cr_assert_eq(bgi_timers_run(&nobody, &service, 0, START + 10 * TICK, SIZE_MAX, &n), 0);
    cr_assert_eq(n, 1);
}

/* A stranger has read the clock, then the owner sets a timer, then the stranger gets the lock. */
Test(timers, a_strangers_old_time_does_not_make_a_fresh_one_early)
{
    struct noting t;
    size_t n = 0;
    begin();
    make(&t, 1);
    bg_time old = START;
    bgi_store(&clock_at, START + 100 * TICK);
    add_fresh(&service, &t, 10 * TICK);
    cr_assert_eq(bgi_timers_run(&nobody, &service, 0, old, SIZE_MAX, &n), 0);
    cr_assert_eq(run(&service, START + 110 * TICK - 1), 0);
    cr_assert_eq(run(&service, START + 110 * TICK), 1);
}

static struct noting late;

static int set_late(void *arg)
{
    (void)arg;
    if (fired.n++ == 0) {
        bgi_store(&clock_at, START + 100 * TICK); /* the callback took its time */
        add_fresh(&service, &late, 10 * TICK);
    }
    return 0;
}

static void expire_late(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->act = act;
    out->fn = set_late;
}

Test(timers, a_callbacks_fresh_one_is_not_settled_by_the_time_before_the_callback)
{
    enum { N = 3 * BATCH };
    static struct noting t[N];
    begin();
    make(&late, 1);
    for (int i = 0; i < N; i++) {
        make(&t[i], i);
        t[i].timer.expire = expire_late;
        add_at(&service, &t[i], START);
    }
    cr_assert_eq(run(&service, START), N);
    cr_assert_eq(run(&service, START + 110 * TICK - 1), 0);
    cr_assert_eq(run(&service, START + 110 * TICK), 1);
}

/* ---- in and out ---- */

static int armed_result, armed_calls;
static struct noting *armed_timer;

static int arm(void *arg)
{
    cr_expect(arg == &armed_calls);
    armed_calls++;
    /* Whoever is woken from here on must find the timer's home and wait for the lock. */
    cr_expect(bgi_timer_home(&armed_timer->timer) == &service);
    cr_expect_eq(bgi_load(&service.lock.inside), 1);
    return armed_result;
}

Test(timers, a_timer_is_set_only_if_its_waiter_could_be_armed)
{
    struct noting t;
    begin();
    make(&t, 1);
    armed_timer = &t;
    armed_result = 0;
    cr_assert_eq(bgi_timers_start_at(&service, &t.timer, START + TICK, arm, &armed_calls), 0);
    cr_assert_eq(armed_calls, 1);
    cr_assert_eq(bgi_timers_next(&service), BG_TIME_MAX);
    cr_assert_eq(bgi_timers_stop(&service, &t.timer), 0);
    armed_result = 1;
    cr_assert_eq(bgi_timers_start_at(&service, &t.timer, START + TICK, arm, &armed_calls), 1);
    cr_assert_eq(armed_calls, 2);
    cr_assert_leq(bgi_timers_next(&service), START + TICK);
    cr_assert_eq(run(&service, START + TICK), 1);
}

Test(timers, next_is_never_above_the_earliest)
{
    struct noting t[3];
    begin();
    make(&t[0], 0);
    make(&t[1], 1);
    make(&t[2], 2);
    add_at(&service, &t[0], START + 50 * TICK);
    cr_assert_leq(bgi_timers_next(&service), START + 50 * TICK);
    add_at(&service, &t[1], START + 20 * TICK);
    cr_assert_leq(bgi_timers_next(&service), START + 20 * TICK);
    add_at(&service, &t[2], START + 90 * TICK);
    cr_assert_leq(bgi_timers_next(&service), START + 20 * TICK);
    /* The earliest goes: somebody may look in vain, and then knows better. */
    cr_assert_eq(bgi_timers_stop(&service, &t[1].timer), 1);
    cr_assert_leq(bgi_timers_next(&service), START + 50 * TICK);
    cr_assert_eq(run(&service, START + 20 * TICK), 0);
    cr_assert_gt(bgi_timers_next(&service), START + 20 * TICK);
    cr_assert_leq(bgi_timers_next(&service), START + 50 * TICK);
}

Test(timers, deadlines_in_the_past_and_before_all_time)
{
    struct noting t[2];
    begin();
    make(&t[0], 0);
    make(&t[1], 1);
    add_at(&service, &t[0], START - 5 * TICK);
    add_at(&service, &t[1], -1);
    cr_assert_eq(bgi_timers_next(&service), 0);
    cr_assert_eq(run(&service, START), 2);
}

Test(timers, stopped_before_and_after_its_expiry)
{
    bgi_timers other;
    struct noting t;
    begin();
    bgi_timers_init(&other, START);
    make(&t, 1);
    cr_assert_eq(bgi_timers_stop(&service, &t.timer), 0); /* never started */
    cr_assert_eq(bgi_timers_stop(NULL, &t.timer), 0);

    bgi_timers *const who[] = {&service, &other, NULL}; /* its owner, another's, a plain thread */
    for (size_t i = 0; i < BGI_ARRAY_LEN(who); i++) {
        make(&t, 1);
        add_fresh(&service, &t, 5);
        cr_assert_eq(bgi_timers_pending_stranger(bgi_timer_home(&t.timer), &t.timer), 1);
        cr_assert_eq(bgi_timers_stop(who[i], &t.timer), 1);
        cr_assert_eq(bgi_timers_pending_stranger(bgi_timer_home(&t.timer), &t.timer), 0);
        cr_assert_eq(bgi_timers_stop(who[i], &t.timer), 0);
        bg_time now = START + (bg_time)(i + 1) * 100 * TICK;
        cr_assert_eq(run(&service, now), 0);

        add_at(&service, &t, now + 5 * TICK);
        cr_assert_eq(bgi_timers_pending_stranger(bgi_timer_home(&t.timer), &t.timer), 1);
        cr_assert_eq(bgi_timers_stop(who[i], &t.timer), 1);
        cr_assert_eq(bgi_timers_stop(who[i], &t.timer), 0);
        cr_assert_eq(run(&service, now + 10 * TICK), 0);
        cr_assert_eq(bgi_load(&t.expired), 0);

        add_at(&service, &t, now + 20 * TICK);
        cr_assert_eq(run(&service, now + 20 * TICK), 1);
        cr_assert_eq(bgi_timers_pending_stranger(bgi_timer_home(&t.timer), &t.timer), 0);
        cr_assert_eq(bgi_timers_stop(who[i], &t.timer), 0);
        cr_assert_eq(bgi_load(&t.expired), 1);
    }
}

Test(timers, stopping_one_of_many_fresh_ones_leaves_the_others)
{
    struct noting t[5];
    begin();
    for (int i = 0; i < 5; i++) {
        make(&t[i], i);
        add_fresh(&service, &t[i], TICK);
    }
    cr_assert_eq(bgi_timers_stop(&service, &t[0].timer), 1);
    cr_assert_eq(bgi_timers_stop(NULL, &t[2].timer), 1);
    cr_assert_eq(bgi_timers_stop(&service, &t[4].timer), 1);
    cr_assert_eq(run(&service, START), 0);
    cr_assert_eq(run(&service, START + 3 * TICK), 2);
    cr_assert_eq(fired.id[0], 1);
    cr_assert_eq(fired.id[1], 3);
}

/* ---- expiry ---- */

Test(timers, by_deadline_and_in_the_order_they_were_set)
{
    enum { N = 500 };
    static struct noting t[N];
    struct bgi_random random;
    begin();
    bgi_random_seed(&random, 7);
    for (int i = 0; i < N; i++) {
        make(&t[i], i);
        add_at(&service, &t[i], START + (bg_time)bgi_random_below(&random, 300) * TICK);
    }
    cr_assert_eq(run(&service, START + 300 * TICK), N);
    for (size_t i = 1; i < N; i++) {
        const struct noting *a = &t[fired.id[i - 1]], *b = &t[fired.id[i]];
        cr_assert(a->timer.node.deadline < b->timer.node.deadline ||
                  (a->timer.node.deadline == b->timer.node.deadline && a->id < b->id));
    }
}

Test(timers, items_are_made_ready_before_callbacks_are_called)
{
    enum { N = 10 };
    struct noting t[N];
    begin();
    bgi_sched *s = rig_create(1, 0);
    for (int i = 0; i < N; i++) {
        make(&t[i], i);
        t[i].as_item = i % 2;
        add_at(&service, &t[i], START + i * TICK);
    }
    size_t n = 0;
    cr_assert_eq(bgi_timers_run(&s->worker[0], &service, 1, START + N * TICK, SIZE_MAX, &n), 0);
    cr_assert_eq(n, N);
    cr_assert_eq(bgi_runq_size(&s->worker[0].queue), N / 2);
    for (int i = 0; i < N / 2; i++) {
        cr_assert_eq(fired.id[i], 2 * i); /* called already */
        bgi_item *item = bgi_item_of(bgi_runq_pop(&s->worker[0].queue));
        cr_assert(item == &t[2 * i + 1].item);
    }
    bgi_sched_destroy(s);
}

Test(timers, one_that_finds_its_waiter_claimed_does_not_count)
{
    struct noting t[3];
    begin();
    for (int i = 0; i < 3; i++) {
        make(&t[i], i);
        t[i].declines = i == 1;
        add_at(&service, &t[i], START);
    }
    cr_assert_eq(run(&service, START), 2);
    cr_assert_eq(fired.n, 2);
    cr_assert_eq(bgi_load(&t[1].expired), 1);
}

Test(timers, at_most_a_batch_beyond_the_limit)
{
    enum { N = 10 * BATCH };
    static struct noting t[N];
    begin();
    for (int i = 0; i < N; i++) {
        make(&t[i], i);
        add_at(&service, &t[i], START);
    }
    size_t n = 0;
    cr_assert_eq(bgi_timers_run(&nobody, &service, 1, START, 1, &n), 1);
    cr_assert(n >= 1 && n <= BATCH, "%zu", n);
    cr_assert_leq(bgi_timers_next(&service), START); /* who looks again, finds the rest */
    size_t before = n;
    cr_assert_eq(bgi_timers_run(&nobody, &service, 0, START, 3 * BATCH, &n), 1);
    cr_assert(n > before && n - before <= 3 * BATCH, "%zu", n);
    cr_assert_eq(bgi_timers_run(&nobody, &service, 1, START, SIZE_MAX, &n), 0);
    cr_assert_eq(n, N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(fired.id[i], i);
    }
    cr_assert_eq(bgi_timers_next(&service), BG_TIME_MAX);
}

/* Sets itself again, from its own callback, and another one. */
static struct noting again;
static int rounds;

static int set_again(void *arg)
{
    (void)arg;
    if (++rounds < 5) {
        add_at(&service, &again, START + rounds * 10 * TICK);
    }
    return 0;
}

static void expire_again(bgi_timer *t, bgi_expiry *out)
{
    (void)t;
    out->act = act;
    out->fn = set_again;
}

Test(timers, a_callback_may_set_its_timer_again)
{
    begin();
    make(&again, 0);
    again.timer.expire = expire_again;
    add_at(&service, &again, START);
    for (int i = 0; i < 10; i++) {
        (void)run(&service, START + i * 10 * TICK);
        cr_assert_eq(rounds, i < 5 ? i + 1 : 5);
    }
}

static struct noting *drained[16];
static size_t drained_n;

static void drain_one(bgi_timer *t)
{
    drained[drained_n++] = BGI_CONTAINER_OF(t, struct noting, timer);
}

Test(timers, draining_gives_each_timer_that_is_left_once)
{
    struct noting t[8];
    begin();
    for (int i = 0; i < 8; i++) {
        make(&t[i], i);
    }
    add_fresh(&service, &t[0], 5);
    add_fresh(&service, &t[1], BG_FOREVER);
    add_at(&service, &t[2], START);
    add_at(&service, &t[3], START + 3 * TICK);
    add_at(&service, &t[4], BG_TIME_MAX);
    add_at(&service, &t[5], START + BG_S);
    add_at(&service, &t[6], START + TICK);
    cr_assert_eq(bgi_timers_stop(&service, &t[6].timer), 1);
    bgi_timers_drain(&service, drain_one);
    cr_assert_eq(drained_n, 6);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_neq(drained[i]->id, 6);
        cr_assert_neq(drained[i]->id, 7);
        cr_assert_not(bgi_timer_node_pending(&drained[i]->timer.node));
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(drained[i]->id, drained[k]->id);
        }
    }
    cr_assert_eq(bgi_wheel_count(&service.wheel), 0);
    bgi_timers_drain(&service, drain_one);
    cr_assert_eq(drained_n, 6);
}

/* ---- a stop races an expiry ---- */

enum { RACES = 30000 };

static struct {
    bgi_timers s;
    struct noting t[8];
    bgi_atomic set[8]; /* 1: by the setter (release); 0: by the stopper (release), t[i] is over */
    bgi_atomic finished;
    size_t stops, wrong, total;
} race;

/* Takes timers off as another than their owner; each was either stopped or has expired. */
static void *stop_as_stranger(void *arg)
{
    struct bgi_random random;
    (void)arg;
    bgi_random_seed(&random, 3);
    while (race.total < RACES) {
        int any = 0;
        for (size_t i = 0; i < BGI_ARRAY_LEN(race.t); i++) {
            if (!bgi_load_acquire(&race.set[i])) {
                continue;
            }
            any = 1;
            for (uint32_t n = bgi_random_below(&random, 300); n > 0; n--) {
                bgi_pause();
            }
            if (bgi_random_below(&random, 2) == 0) {
                sched_yield();
            }
            bgi_word stopped = (bgi_word)bgi_timers_stop(NULL, &race.t[i].timer);
            /* From here on nobody looks at it: its memory can be used again, without an atomic. */
            race.wrong += stopped + bgi_load(&race.t[i].expired) != 1;
            race.stops += stopped;
            race.total++;
            memset((void *)&race.t[i].timer, 0xa5, sizeof race.t[i].timer);
            bgi_store_release(&race.set[i], 0);
        }
        if (!any) {
            sched_yield();
        }
    }
    bgi_store_release(&race.finished, 1);
    return NULL;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void expire_race(bgi_timer *t, bgi_expiry *out)
{
    struct noting *n = BGI_CONTAINER_OF(t, struct noting, timer);
    (void)bgi_fetch_add(&n->expired, 1);
    out->act = act;
    out->fn = nothing;
}

/* The owner: sets them, fresh or at a time, and fires. */
static void set_and_fire(int fire)
{
    struct bgi_random random;
    bg_time now = START;
    bgi_random_seed(&random, 4);
    while (!bgi_load_acquire(&race.finished)) {
        for (size_t i = 0; i < BGI_ARRAY_LEN(race.t); i++) {
            if (bgi_load_acquire(&race.set[i])) {
                continue;
            }
            make(&race.t[i], (int)i);
            race.t[i].timer.expire = expire_race;
            if (i % 2) {
                add_fresh(&race.s, &race.t[i], fire ? TICK : 0);
            } else {
                (void)bgi_timers_start_at(&race.s, &race.t[i].timer, fire ? now + TICK : START,
                                          NULL, NULL);
            }
            bgi_store_release(&race.set[i], 1);
        }
        now += (bg_time)bgi_random_below(&random, 2) * TICK;
        bgi_store(&clock_at, (bgi_word)now);
        size_t n = 0;
        if (fire) {
            (void)bgi_timers_run(&nobody, &race.s, 1, now, SIZE_MAX, &n);
        }
        if (bgi_random_below(&random, 16) == 0) {
            sched_yield();
        }
    }
}

static void *fire_as_stranger(void *arg)
{
    bg_time now = START;
    (void)arg;
    while (!bgi_load_acquire(&race.finished)) {
        size_t n = 0;
        (void)bgi_timers_run(&nobody, &race.s, 0, now, SIZE_MAX, &n);
        now += TICK;
        sched_yield();
    }
    return NULL;
}

static void run_race(int owner_fires)
{
    pthread_t stopper, firer;
    memset((void *)&race, 0, sizeof race);
    begin();
    bgi_timers_init(&race.s, START);
    cr_assert_eq(pthread_create(&stopper, NULL, stop_as_stranger, NULL), 0);
    if (!owner_fires) {
        cr_assert_eq(pthread_create(&firer, NULL, fire_as_stranger, NULL), 0);
    }
    set_and_fire(owner_fires);
    if (!owner_fires) {
        cr_assert_eq(pthread_join(firer, NULL), 0);
    }
    cr_assert_eq(pthread_join(stopper, NULL), 0);
    cr_assert_eq(race.wrong, 0);
    cr_log_info("%zu of %zu stopped\n", race.stops, race.total);
}

Test(timers, each_is_stopped_or_fired_when_the_owner_fires_and_a_stranger_stops)
{
    run_race(1);
}

Test(timers, each_is_stopped_or_fired_when_two_strangers_meet)
{
    run_race(0);
}

/* The owner sets and stops its own, others fire: the owner's fast road against strangers. */
static struct noting own_t[4];
static bgi_atomic own_finished;

static void *fire_for_the_owner(void *arg)
{
    bg_time now = START;
    (void)arg;
    while (!bgi_load_acquire(&own_finished)) {
        size_t n = 0;
        (void)bgi_timers_run(&nobody, &race.s, 0, now, SIZE_MAX, &n);
        now += TICK / 4;
        sched_yield();
    }
    return NULL;
}

Test(timers, each_is_stopped_or_fired_when_a_stranger_fires_and_the_owner_stops)
{
    pthread_t firer[2];
    size_t wrong = 0, stops = 0;
    begin();
    bgi_timers_init(&race.s, START);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&firer[i], NULL, fire_for_the_owner, NULL), 0);
    }
    for (int round = 0; round < RACES; round++) {
        struct noting *t = &own_t[round % 4];
        make(t, 0);
        t->timer.expire = expire_race;
        if (round % 3 == 0) {
            add_fresh(&race.s, t, 0);
        } else {
            (void)bgi_timers_start_at(&race.s, &t->timer, START, NULL, NULL);
        }
        if (round % 8 == 0) {
            sched_yield();
        }
        int stopped = bgi_timers_stop(&race.s, &t->timer);
        wrong += (bgi_word)stopped + bgi_load(&t->expired) != 1;
        stops += (size_t)stopped;
    }
    bgi_store_release(&own_finished, 1);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_join(firer[i], NULL), 0);
    }
    cr_assert_eq(wrong, 0);
    cr_log_info("%zu of %d stopped\n", stops, RACES);
}
