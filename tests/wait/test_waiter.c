/*
 * The waiter: each transition of its word; races of waker, timer and canceller, of which one claims
 * and none of whose signals is lost; sleeps of tasks and of plain threads.
 *
 * Labels: valgrind aarch64 long
 */
#include "wait/scope.h"

#include "../core/rig.h"

#include "arch/futex.h"
#include "base/random.h"

#include <errno.h>

/* ---- transitions ---- */

#define ARMED BGI_WAITER_ARMED
#define SHIELDED MASK(1)
#define MASK(n) ((bgi_word)(n) << BGI_WAITER_MASK_SHIFT)
#define CANCEL BGI_WAITER_CANCEL
#define KICKED BGI_WAITER_KICKED
#define LOOK BGI_WAITER_LOOK
#define SIGNALS(n) ((bgi_word)(n) * BGI_WAITER_SIGNAL)
#define BY(reason) ((bgi_word)BGI_REASON_##reason << BGI_WAITER_REASON_SHIFT)

static int woken;

static bgi_item *count_wake(bgi_waiter *w, bgi_sched *here)
{
    (void)w;
    (void)here;
    woken++;
    return NULL;
}

enum step {
    ARM,
    ARM_SHIELDED,
    ARM_FOR_SIGNAL,
    ARM_STILL_KICKED,
    SIGNAL,
    EXPIRE,
    CANCEL_IT,
    KICK_1,
    KICK_7,
    UNKICK,
    REKICK,
    FAIL
};

static int take(bgi_waiter *w, enum step step)
{
    switch (step) {
    case ARM:
        return (int)bgi_waiter_arm(w, 0, 0);
    case ARM_SHIELDED:
        return (int)bgi_waiter_arm(w, 1, 0);
    case ARM_FOR_SIGNAL:
        return (int)bgi_waiter_arm(w, BGI_MASK_ALL, 0);
    case ARM_STILL_KICKED:
        return (int)bgi_waiter_arm(w, 3, KICKED);
    case KICK_1:
        return bgi_waiter_kick(w, 1);
    case KICK_7:
        return bgi_waiter_kick(w, 7);
    case UNKICK:
        return bgi_waiter_unkick(w), 0;
    case REKICK:
        return bgi_waiter_rekick(w), 0;
    case FAIL:
        return bgi_waiter_fail(w), 0;
    case SIGNAL:
        return bgi_waiter_signal(w);
    case EXPIRE:
        return bgi_waiter_expire(w);
    default:
        return bgi_waiter_cancel(w);
    }
}

/* Every line of the table in wait/waiter.h, with all that has to stay as it was. */
Test(waiter, each_transition_of_the_word)
{
    static const struct {
        bgi_word before;
        enum step step;
        int result;
        bgi_word after;
    } table[] = {
        /* arm: nothing is there, so it waits; the last reason is forgotten */
        {0, ARM, 1, ARMED},
        {BY(WAKER), ARM, 1, ARMED},
        {BY(TIMER), ARM_SHIELDED, 1, ARMED | SHIELDED},
        {CANCEL | BY(CANCELLER), ARM_SHIELDED, 1, ARMED | SHIELDED | CANCEL},
        /* arm: a signal was there; one is taken, cancelled or not */
        {SIGNALS(1), ARM, 0, BY(WAKER)},
        {SIGNALS(3) | BY(TIMER), ARM, 0, SIGNALS(2) | BY(WAKER)},
        {SIGNALS(1) | CANCEL, ARM, 0, CANCEL | BY(WAKER)},
        {SIGNALS(2) | CANCEL | BY(CANCELLER), ARM_SHIELDED, 0, SIGNALS(1) | CANCEL | BY(WAKER)},
        /* arm: cancelled before, and again at the next wait */
        {CANCEL, ARM, 0, CANCEL | BY(CANCELLER)},
        {CANCEL | BY(TIMER), ARM, 0, CANCEL | BY(CANCELLER)},
        {CANCEL | BY(CANCELLER), ARM, 0, CANCEL | BY(CANCELLER)},
        /* signal: claims who is armed, shielded or not */
        {ARMED, SIGNAL, 1, BY(WAKER)},
        {ARMED | SHIELDED, SIGNAL, 1, BY(WAKER)},
        {ARMED | SHIELDED | CANCEL, SIGNAL, 1, CANCEL | BY(WAKER)},
        /* signal: is kept for who is not */
        {0, SIGNAL, 0, SIGNALS(1)},
        {SIGNALS(5) | BY(TIMER), SIGNAL, 0, SIGNALS(6) | BY(TIMER)},
        {CANCEL | BY(CANCELLER), SIGNAL, 0, SIGNALS(1) | CANCEL | BY(CANCELLER)},
        /* expire */
        {ARMED, EXPIRE, 1, BY(TIMER)},
        {ARMED | SHIELDED | CANCEL, EXPIRE, 1, CANCEL | BY(TIMER)},
        {0, EXPIRE, 0, 0},
        {SIGNALS(2) | CANCEL | BY(WAKER), EXPIRE, 0, SIGNALS(2) | CANCEL | BY(WAKER)},
        /* cancel */
        {ARMED, CANCEL_IT, 1, CANCEL | BY(CANCELLER)},
        {ARMED | SHIELDED, CANCEL_IT, 0, ARMED | SHIELDED | CANCEL},
        {ARMED | SHIELDED | CANCEL, CANCEL_IT, 0, ARMED | SHIELDED | CANCEL},
        {0, CANCEL_IT, 0, CANCEL},
        {BY(WAKER) | SIGNALS(1), CANCEL_IT, 0, CANCEL | BY(WAKER) | SIGNALS(1)},
        {CANCEL | BY(CANCELLER), CANCEL_IT, 0, CANCEL | BY(CANCELLER)},
        {LOOK | ARMED, CANCEL_IT, 1, LOOK | CANCEL | BY(CANCELLER)},
        /* arm: kicked, so the scopes come first, unless only a signal counts */
        {KICKED, ARM, BGI_ARM_KICKED, KICKED},
        {KICKED | CANCEL | BY(TIMER), ARM_SHIELDED, BGI_ARM_KICKED, KICKED | CANCEL | BY(TIMER)},
        {KICKED | CANCEL | BY(TIMER), ARM_FOR_SIGNAL, 1, KICKED | CANCEL | ARMED | BGI_WAITER_MASK},
        {KICKED | SIGNALS(2), ARM, 0, KICKED | SIGNALS(1) | BY(WAKER)},
        {CANCEL, ARM_STILL_KICKED, 1, CANCEL | KICKED | ARMED | MASK(3)},
        {SIGNALS(1), ARM_STILL_KICKED, 0, KICKED | BY(WAKER)},
        {KICKED, ARM_STILL_KICKED, BGI_ARM_KICKED, KICKED},
        /* kick: claims who is armed, unless a shield lies in between */
        {0, KICK_1, 0, KICKED},
        {LOOK | BY(WAKER), KICK_1, 0, LOOK | KICKED | BY(WAKER)},
        {SIGNALS(1), KICK_7, 0, SIGNALS(1) | KICKED},
        {ARMED, KICK_1, 1, KICKED | BY(CANCELLER)},
        {ARMED | MASK(7), KICK_7, 1, KICKED | BY(CANCELLER)},
        {ARMED | MASK(2), KICK_1, 0, ARMED | MASK(2) | KICKED},
        {ARMED | MASK(8) | CANCEL, KICK_7, 0, ARMED | MASK(8) | CANCEL | KICKED},
        {ARMED | BGI_WAITER_MASK, KICK_7, 0, ARMED | BGI_WAITER_MASK | KICKED},
        {ARMED | MASK(7), CANCEL_IT, 0, ARMED | MASK(7) | CANCEL},
        {ARMED | MASK(7) | KICKED, SIGNAL, 1, KICKED | BY(WAKER)},
        {ARMED | MASK(7) | KICKED, EXPIRE, 1, KICKED | BY(TIMER)},
        /* who looks at its scopes */
        {KICKED | CANCEL | SIGNALS(1) | BY(TIMER), UNKICK, 0, CANCEL | SIGNALS(1) | BY(TIMER)},
        {0, UNKICK, 0, 0},
        {CANCEL | BY(WAKER), REKICK, 0, KICKED | CANCEL | BY(WAKER)},
        {KICKED, REKICK, 0, KICKED},
        {0, FAIL, 0, KICKED | BY(CANCELLER)},
        {CANCEL | BY(TIMER), FAIL, 0, KICKED | CANCEL | BY(CANCELLER)},
        {SIGNALS(2) | BY(TIMER), FAIL, 0, KICKED | SIGNALS(1) | BY(WAKER)},
    };
    for (size_t i = 0; i < BGI_ARRAY_LEN(table); i++) {
        bgi_waiter w;
        bgi_waiter_init(&w, count_wake);
        bgi_store(&w.state, table[i].before);
        cr_assert_eq(take(&w, table[i].step), table[i].result, "line %zu", i);
        cr_assert_eq(bgi_load(&w.state), table[i].after, "line %zu: %#zx", i,
                     (size_t)bgi_load(&w.state));
    }
    cr_assert_eq(woken, 0); /* a claim wakes nobody by itself */
}

Test(waiter, tells_who_claimed_it_and_whether_it_was_cancelled)
{
    bgi_waiter w;
    bgi_waiter_init(&w, count_wake);
    cr_assert_eq(bgi_waiter_reason(&w), BGI_REASON_NONE);
    cr_assert_not(bgi_waiter_cancelled(&w));
    (void)bgi_waiter_arm(&w, 0, 0);
    cr_assert_eq(bgi_waiter_reason(&w), BGI_REASON_NONE);
    (void)bgi_waiter_expire(&w);
    cr_assert_eq(bgi_waiter_reason(&w), BGI_REASON_TIMER);
    (void)bgi_waiter_arm(&w, 0, 0);
    (void)bgi_waiter_signal(&w);
    cr_assert_eq(bgi_waiter_reason(&w), BGI_REASON_WAKER);
    (void)bgi_waiter_arm(&w, 0, 0);
    (void)bgi_waiter_cancel(&w);
    cr_assert_eq(bgi_waiter_reason(&w), BGI_REASON_CANCELLER);
    cr_assert(bgi_waiter_cancelled(&w));
    bgi_waiter_wake(&w);
    cr_assert_eq(woken, 1);
}

/* ---- races ---- */

enum { RACES = 40000, SIGNALLERS = 2, OTHERS = SIGNALLERS + 2 };

static struct {
    bgi_waiter w;
    bgi_atomic round;    /* the waiter's thread (release) -> the others (acquire) */
    bgi_atomic finished; /* the others count up when they have done theirs */
    bgi_atomic claims[4];
    int cancels; /* whether this round has a canceller */
    size_t wrong, by[4], at_once;
} race;

struct racer {
    pthread_t id;
    unsigned self;
};

static void dawdle(struct bgi_random *random)
{
    uint32_t n = bgi_random_below(random, 64);
    if (n == 0) {
        sched_yield();
    }
    for (; n > 1; n--) {
        bgi_pause();
    }
}

static void *race_one(void *arg)
{
    unsigned self = ((struct racer *)arg)->self;
    struct bgi_random random;
    bgi_random_seed(&random, self);
    for (bgi_word round = 1; round <= RACES; round++) {
        for (unsigned spins = 0; bgi_load_acquire(&race.round) < round; spins++) {
            if (spins % 8 == 7) {
                sched_yield();
            }
        }
        dawdle(&random);
        int claimed = 0;
        enum bgi_reason as;
        if (self < SIGNALLERS) {
            as = BGI_REASON_WAKER;
            claimed = bgi_waiter_signal(&race.w);
        } else if (self == SIGNALLERS) {
            as = BGI_REASON_TIMER;
            claimed = bgi_waiter_expire(&race.w);
        } else {
            as = BGI_REASON_CANCELLER;
            claimed = race.cancels ? bgi_waiter_cancel(&race.w) : 0;
        }
        (void)bgi_fetch_add(&race.claims[as], (bgi_word)claimed);
        (void)bgi_fetch_add(&race.finished, 1);
    }
    return NULL;
}

/* One round has been: its claims and signals add up. */
static void check_round(int armed)
{
    bgi_word s = bgi_load_acquire(&race.w.state);
    size_t claims = 0;
    for (int i = BGI_REASON_WAKER; i <= BGI_REASON_CANCELLER; i++) {
        claims += bgi_load(&race.claims[i]);
    }
    enum bgi_reason reason = bgi_waiter_reason(&race.w);
    size_t used = bgi_load(&race.claims[BGI_REASON_WAKER]) + (!armed && reason == BGI_REASON_WAKER);
    race.wrong += claims != (size_t)armed; /* exactly one, who is then the reason */
    race.wrong += armed && bgi_load(&race.claims[reason]) != 1;
    race.wrong += (s & (ARMED | SHIELDED)) != 0;
    race.wrong += used + s / BGI_WAITER_SIGNAL != SIGNALLERS; /* given = taken + left */
    race.wrong += ((s & CANCEL) != 0) != race.cancels;
    race.by[reason]++;
    race.at_once += !armed;
}

Test(waiter, exactly_one_claims_and_no_signal_is_lost)
{
    struct racer racer[OTHERS];
    struct bgi_random random;
    bgi_random_seed(&random, 99);
    for (unsigned i = 0; i < OTHERS; i++) {
        racer[i].self = i;
        cr_assert_eq(pthread_create(&racer[i].id, NULL, race_one, &racer[i]), 0);
    }
    for (bgi_word round = 1; round <= RACES; round++) {
        int shielded = round % 4 == 3;
        bgi_waiter_init(&race.w, count_wake);
        for (int i = 0; i < 4; i++) {
            bgi_store(&race.claims[i], 0);
        }
        race.cancels = round % 2 == 0;
        int armed = 0;
        if (round % 3 == 0) { /* armed before they come; else among them */
            armed = (int)bgi_waiter_arm(&race.w, shielded, 0);
        }
        bgi_store_release(&race.round, round);
        if (round % 3 != 0) {
            dawdle(&random);
            armed = (int)bgi_waiter_arm(&race.w, shielded, 0);
        }
        for (unsigned spins = 0; bgi_load_acquire(&race.finished) < round * OTHERS; spins++) {
            if (spins % 8 == 7) {
                sched_yield();
            }
        }
        check_round(armed);
    }
    for (unsigned i = 0; i < OTHERS; i++) {
        cr_assert_eq(pthread_join(racer[i].id, NULL), 0);
    }
    cr_assert_eq(race.wrong, 0);
    cr_log_info("by wakers %zu, timers %zu, cancellers %zu; %zu did not wait\n",
                race.by[BGI_REASON_WAKER], race.by[BGI_REASON_TIMER], race.by[BGI_REASON_CANCELLER],
                race.at_once);
}

/* ---- plain threads ---- */

static int no_sleep(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    (void)deadline;
    cr_assert_fail("it sleeps");
    return 0;
}

static int no_wake(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    (void)w;
    (void)n;
    return 0;
}

Test(waiter, a_thread_whose_signal_has_come_does_not_sleep)
{
    static const struct bgi_futex_ops ops = {no_sleep, no_wake, NULL};
    bgi_thread_waiter t;
    bgi_futex_set_ops(&ops);
    bgi_thread_waiter_init(&t);
    cr_assert_eq(bgi_waiter_signal(&t.waiter), 0);
    bgi_thread_waiter_wait(&t);
    cr_assert_eq(bgi_waiter_reason(&t.waiter), BGI_REASON_WAKER);
    bgi_futex_set_ops(NULL);
}

/* Signals just as it is about to sleep. */
static bgi_thread_waiter scripted;
static int sleeps, wakes;

static int signal_instead_of_sleep(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)deadline;
    cr_assert(w == &scripted.woken);
    cr_assert_eq(bgi_load(w), expected);
    if (++sleeps < 3) {
        return sleeps == 1 ? 0 : -EINTR; /* without a cause */
    }
    cr_assert_eq(bgi_waiter_cancel(&scripted.waiter), 0); /* a thread's wait is shielded */
    cr_assert_eq(bgi_waiter_signal(&scripted.waiter), 1);
    bgi_waiter_wake(&scripted.waiter);
    return -EAGAIN;
}

static int count_wakes(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    (void)n;
    cr_assert_eq(bgi_load(w), 1);
    wakes++;
    return 1;
}

Test(waiter, a_thread_sleeps_until_its_signal)
{
    static const struct bgi_futex_ops ops = {signal_instead_of_sleep, count_wakes, NULL};
    bgi_futex_set_ops(&ops);
    bgi_thread_waiter_init(&scripted);
    bgi_thread_waiter_wait(&scripted);
    cr_assert_eq(sleeps, 3);
    cr_assert_eq(wakes, 1);
    cr_assert_eq(bgi_load(&scripted.woken), 1);
    bgi_futex_set_ops(NULL);
}

/* Between its look at the signals and its sleep. */
Test(waiter, a_thread_that_does_not_sleep_yet_is_woken_without_a_call)
{
    static const struct bgi_futex_ops ops = {no_sleep, count_wakes, NULL};
    bgi_futex_set_ops(&ops);
    bgi_thread_waiter_init(&scripted);
    cr_assert_eq(bgi_waiter_arm(&scripted.waiter, BGI_MASK_ALL, 0), BGI_ARM_ARMED);
    cr_assert_eq(bgi_waiter_signal(&scripted.waiter), 1);
    bgi_waiter_wake(&scripted.waiter);
    cr_assert_eq(bgi_load(&scripted.woken), 1);
    cr_assert_eq(wakes, 0);
    bgi_futex_set_ops(NULL);
}

/* Until a point in time: it passes, or it passes when the waker has claimed and not woken yet. */
static int late;

static int let_the_time_pass(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    (void)w;
    (void)expected;
    switch (++sleeps) {
    case 1:
        cr_assert_eq(deadline, 77);
        return -EINTR;
    case 2:
        cr_assert_eq(deadline, 77);
        if (!late) {
            cr_assert_eq(bgi_waiter_signal(&scripted.waiter), 1);
        }
        return -ETIMEDOUT;
    default:
        cr_assert_eq(deadline, -1, "it is about to be woken, whatever the time");
        bgi_waiter_wake(&scripted.waiter);
        return 0;
    }
}

Test(waiter, a_thread_sleeps_until_a_point_in_time)
{
    static const struct bgi_futex_ops ops = {let_the_time_pass, count_wakes, NULL};
    bgi_futex_set_ops(&ops);
    for (late = 0; late < 2; late++) {
        sleeps = 0;
        bgi_thread_waiter_init(&scripted);
        cr_assert_eq(bgi_thread_waiter_wait_until(&scripted, 77), !late);
        cr_assert_eq(sleeps, late ? 2 : 3);
        cr_assert_eq(bgi_waiter_reason(&scripted.waiter),
                     late ? BGI_REASON_TIMER : BGI_REASON_WAKER);
    }
    cr_assert_eq(bgi_waiter_signal(&scripted.waiter), 0); /* the one that is owed still */
    cr_assert_eq(bgi_thread_waiter_wait_until(&scripted, 77), 1);
    cr_assert_eq(sleeps, 2);
    bgi_futex_set_ops(NULL);
}

enum { THREAD_ROUNDS = 20000 };

static bgi_atomic offered; /* the waiter of this round, to be signalled once */

static void *signal_each(void *arg)
{
    (void)arg;
    for (int i = 0; i < THREAD_ROUNDS; i++) {
        bgi_thread_waiter *t;
        while ((t = bgi_load_acquire_ptr(&offered)) == NULL) {
            sched_yield();
        }
        bgi_store_release(&offered, 0);
        if (bgi_waiter_signal(&t->waiter)) {
            bgi_waiter_wake(&t->waiter);
        }
    }
    return NULL;
}

/* The waiter is on the stack of a function that returns: nobody may touch it after the wait. */
BGI_NOINLINE static void wait_for_one_signal(int how)
{
    bgi_thread_waiter t;
    bgi_thread_waiter_init(&t);
    bgi_store_release_ptr(&offered, &t);
    if (how % 2) {
        sched_yield();
    }
    bgi_thread_waiter_wait(&t);
}

Test(waiter, each_wait_of_a_thread_ends_with_its_signal)
{
    pthread_t id;
    cr_assert_eq(pthread_create(&id, NULL, signal_each, NULL), 0);
    for (int i = 0; i < THREAD_ROUNDS; i++) {
        wait_for_one_signal(i);
    }
    cr_assert_eq(pthread_join(id, NULL), 0);
}

/* ---- tasks ---- */

struct task {
    struct rig_fiber f;
    bgi_waiter w;
    bgi_sched *s;
    bg_duration delay;
    bgi_atomic waiting, runs, early;
    int result;
};

static bgi_atomic done, wrong;

static bgi_item *wake_task(bgi_waiter *w, bgi_sched *here)
{
    struct task *t = BGI_CONTAINER_OF(w, struct task, w);
    if (t->s == here) {
        return &t->f.fiber.item;
    }
    bgi_ready(t->s, &t->f.fiber.item);
    return NULL;
}

static void make_task(struct task *t, bgi_sched *s, void (*body)(struct rig_fiber *))
{
    memset((void *)t, 0, sizeof *t);
    rig_fiber_init(&t->f, body, t);
    bgi_waiter_init(&t->w, wake_task);
    t->s = s;
}

static void sleep_once(struct rig_fiber *f)
{
    struct task *t = f->arg;
    bg_time until = bgi_time_add(bgi_clock_now(), t->delay);
    (void)bgi_fetch_add(&t->waiting, 1);
    t->result = bgi_wait_until(&t->w, until);
    (void)bgi_fetch_add(&t->early, t->result == 0 && bgi_clock_now() < until);
    (void)bgi_fetch_add(&t->runs, 1);
    (void)bgi_fetch_add(&done, 1);
}

enum { TASKS = 400 };

static struct task task[TASKS];

Test(waiter, a_task_sleeps_until_its_time_and_not_less)
{
    bgi_sched *s = rig_start(3, 1);
    struct bgi_random random;
    bgi_random_seed(&random, 5);
    for (size_t i = 0; i < TASKS; i++) {
        make_task(&task[i], s, sleep_once);
        task[i].delay = i == 0 ? 0 : i == 1 ? -BG_S : bgi_random_below(&random, 8000) * BG_US;
        bgi_submit(s, &task[i].f.fiber.item);
    }
    rig_reach(&done, TASKS);
    rig_end(s);
    for (size_t i = 0; i < TASKS; i++) {
        cr_assert_eq(task[i].result, 0);
        cr_assert_eq(bgi_load(&task[i].runs), 1);
        cr_assert_eq(bgi_load(&task[i].early), 0);
    }
}

/* Two other ways of waking: by an item that is no fiber, and without giving an item at all. */
static struct task *woken_by_item;

static void run_wake(bgi_worker *w, bgi_item *item)
{
    (void)w;
    (void)item;
    bgi_ready(woken_by_item->s, &woken_by_item->f.fiber.item);
}

static bgi_item *wake_by_item(bgi_waiter *w, bgi_sched *here)
{
    static bgi_item item = {.run = run_wake};
    (void)here;
    woken_by_item = BGI_CONTAINER_OF(w, struct task, w);
    return &item;
}

static bgi_item *wake_by_itself(bgi_waiter *w, bgi_sched *here)
{
    struct task *t = BGI_CONTAINER_OF(w, struct task, w);
    (void)here;
    bgi_submit(t->s, &t->f.fiber.item);
    return NULL;
}

Test(waiter, a_timer_wakes_in_whatever_way_the_waiter_says)
{
    bgi_sched *s = rig_start(1, 0);
    for (size_t i = 0; i < 3; i++) {
        make_task(&task[i], s, sleep_once);
        task[i].w.wake = i == 0 ? wake_task : i == 1 ? wake_by_item : wake_by_itself;
        task[i].delay = BG_MS;
        bgi_submit(s, &task[i].f.fiber.item);
    }
    rig_reach(&done, 3);
    rig_end(s);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(task[i].result, 0);
        cr_assert_eq(bgi_load(&task[i].runs), 1);
        cr_assert_eq(bgi_load(&task[i].early), 0);
    }
}

static void cancel(struct task *t)
{
    if (bgi_waiter_cancel(&t->w)) {
        bgi_waiter_wake(&t->w);
    }
}

Test(waiter, a_cancelled_task_wakes_and_its_later_waits_fail_at_once)
{
    struct task *t = &task[0];
    bgi_sched *s = rig_start(2, 0);
    make_task(t, s, sleep_once);
    t->delay = 3600 * BG_S;
    bgi_submit(s, &t->f.fiber.item);
    rig_reach(&t->waiting, 1);
    RIG_UNTIL((bgi_load_acquire(&t->w.state) & ARMED) != 0);
    cancel(t);
    rig_reach(&done, 1);
    cr_assert_eq(t->result, -ECANCELED);
    rig_idle(s);
    rig_fiber_init(&t->f, sleep_once, t); /* the same waiter, which stays cancelled */
    bgi_submit(s, &t->f.fiber.item);
    rig_reach(&done, 2);
    cr_assert_eq(t->result, -ECANCELED);
    rig_end(s);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 0); /* its timer was taken off each time */
}

/* Cancelled from another thread at about the time when it expires, and asleep again at once. */
static void sleep_and_count(struct rig_fiber *f)
{
    struct task *t = f->arg;
    (void)bgi_fetch_add(&t->waiting, 1);
    bg_time until = bgi_time_add(bgi_clock_now(), t->delay);
    int r = bgi_wait_until(&t->w, until);
    if ((r != 0 && r != -ECANCELED) || (r == 0 && bgi_clock_now() < until) ||
        (r == -ECANCELED && !bgi_waiter_cancelled(&t->w))) {
        (void)bgi_fetch_add(&wrong, 1);
    }
    t->result = r;
    if (bgi_fetch_add(&t->runs, 1) != 0) {
        (void)bgi_fetch_add(&wrong, 1);
    }
    /* Deeper in its stack than the wait was: a timer left behind would show. */
    volatile char over[512];
    for (size_t i = 0; i < sizeof over; i++) {
        over[i] = 0x5a;
    }
    (void)bgi_fetch_add(&done, 1);
}

Test(waiter, a_sleep_ends_once_by_its_time_or_by_a_cancel)
{
    enum { ROUNDS = 30 };
    struct bgi_random random;
    size_t cancelled = 0, slept = 0;
    bgi_sched *s = rig_start(4, 1);
    bgi_random_seed(&random, 6);
    for (bgi_word round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < TASKS; i++) {
            make_task(&task[i], s, sleep_and_count);
            task[i].delay = bgi_random_below(&random, 1500) * BG_US;
            bgi_submit(s, &task[i].f.fiber.item);
        }
        for (size_t i = 0; i < TASKS; i++) {
            struct task *t = &task[bgi_random_below(&random, TASKS)];
            cancel(t); /* before, during or after its sleep; perhaps twice */
            if (i % 20 == 0) {
                struct timespec ts = {.tv_nsec = 50000};
                (void)nanosleep(&ts, NULL);
            }
        }
        rig_reach(&done, round * TASKS);
        for (size_t i = 0; i < TASKS; i++) {
            cr_assert_eq(bgi_load(&task[i].runs), 1);
            slept += task[i].result == 0;
            cancelled += task[i].result != 0;
        }
        rig_idle(s);
    }
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
    cr_assert_eq(bgi_load(&rig_dropped_timers), 0);
    cr_log_info("%zu slept, %zu were cancelled\n", slept, cancelled);
}

static void await_two_signals(struct rig_fiber *f)
{
    struct task *t = f->arg;
    for (int i = 0; i < 2; i++) {
        (void)bgi_fetch_add(&t->waiting, 1);
        bgi_waiter_await_signal(&t->w);
        (void)bgi_fetch_add(&wrong, bgi_waiter_reason(&t->w) != BGI_REASON_WAKER);
        (void)bgi_fetch_add(&done, 1);
    }
}

Test(waiter, a_shielded_task_waits_for_its_signal_though_cancelled)
{
    struct task *t = &task[0];
    bgi_sched *s = rig_start(2, 0);
    make_task(t, s, await_two_signals);
    bgi_submit(s, &t->f.fiber.item);
    RIG_UNTIL((bgi_load_acquire(&t->w.state) & ARMED) != 0);
    cancel(t);
    rig_idle(s);
    cr_assert_eq(bgi_load(&done), 0);
    cr_assert_eq(bgi_load(&t->w.state), ARMED | BGI_WAITER_MASK | CANCEL);
    cr_assert_eq(bgi_waiter_signal(&t->w), 1);
    bgi_waiter_wake(&t->w);
    rig_reach(&t->waiting, 2); /* cancelled, but shielded: it waits again */
    RIG_UNTIL((bgi_load_acquire(&t->w.state) & ARMED) != 0);
    cr_assert_eq(bgi_load(&done), 1);
    cr_assert_eq(bgi_waiter_signal(&t->w), 1);
    bgi_waiter_wake(&t->w);
    rig_reach(&done, 2);
    rig_end(s);
    cr_assert_eq(bgi_load(&wrong), 0);
}

/* Signals by the thousand, from two threads: as many waits end, no more and no less. */
enum { SIGNALS_EACH = 10000 };

static void await_many_signals(struct rig_fiber *f)
{
    struct task *t = f->arg;
    for (int i = 0; i < 2 * SIGNALS_EACH; i++) {
        bgi_waiter_await_signal(&t->w);
        (void)bgi_fetch_add(&t->runs, 1);
    }
    (void)bgi_fetch_add(&done, 1);
}

static void *signal_many(void *arg)
{
    struct task *t = arg;
    for (int i = 0; i < SIGNALS_EACH; i++) {
        if (bgi_waiter_signal(&t->w)) {
            bgi_waiter_wake(&t->w);
        }
        if (i % 16 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

Test(waiter, as_many_waits_end_as_there_are_signals)
{
    struct task *t = &task[0];
    pthread_t id[2];
    bgi_sched *s = rig_start(2, 0);
    make_task(t, s, await_many_signals);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&id[i], NULL, signal_many, t), 0);
    }
    bgi_submit(s, &t->f.fiber.item);
    rig_reach(&done, 1);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(pthread_join(id[i], NULL), 0);
    }
    rig_end(s);
    cr_assert_eq(bgi_load(&t->runs), 2 * SIGNALS_EACH);
    cr_assert_eq(bgi_load(&t->w.state) / BGI_WAITER_SIGNAL, 0);
}
