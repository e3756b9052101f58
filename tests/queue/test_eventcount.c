/*
 * The eventcount: who gets a notification and who knows of it; each interleaving of a sleeper and a
 * submitter, played by one thread through a futex of the test's own; and races, in which every
 * notification given is one received and no wake-up is lost.
 */
#include "queue/eventcount.h"

#include "arch/futex.h"
#include "base/clock.h"
#include "base/random.h"
#include "crew.h"

#include <errno.h>

/* ---- one thread, no sleep ---- */

Test(eventcount, nobody_is_there_to_be_notified)
{
    bgi_eventcount ec;
    bgi_ec_node a;
    bgi_ec_init(&ec);
    bgi_ec_node_init(&a);
    cr_assert_eq(bgi_ec_waiting(&ec), 0);
    cr_assert_null(bgi_ec_notify(&ec));
    cr_assert_eq(bgi_ec_notify_node(&ec, &a), 0);
    cr_assert_eq(bgi_ec_waiting(&ec), 0);
}

Test(eventcount, a_notification_goes_to_who_came_last_and_to_nobody_else)
{
    enum { N = 5 };
    bgi_eventcount ec;
    bgi_ec_node node[N];
    bgi_ec_init(&ec);
    for (size_t i = 0; i < N; i++) {
        bgi_ec_node_init(&node[i]);
        bgi_ec_prepare(&ec, &node[i]);
        cr_assert_eq(bgi_ec_waiting(&ec), i + 1);
    }
    cr_assert(bgi_ec_notify(&ec) == &node[4]);
    cr_assert(bgi_ec_notify(&ec) == &node[3]);
    cr_assert_eq(bgi_ec_waiting(&ec), 3);
    cr_assert_eq(bgi_ec_cancel(&ec, &node[2]), 0); /* withdrew in time */
    cr_assert_eq(bgi_ec_waiting(&ec), 2);
    cr_assert(bgi_ec_notify(&ec) == &node[1]);
    cr_assert_eq(bgi_ec_cancel(&ec, &node[0]), 0);
    cr_assert_null(bgi_ec_notify(&ec));
    cr_assert_eq(bgi_ec_cancel(&ec, &node[1]), 1);
    cr_assert_eq(bgi_ec_cancel(&ec, &node[3]), 1);
    cr_assert_eq(bgi_ec_cancel(&ec, &node[4]), 1);
    cr_assert_eq(bgi_ec_waiting(&ec), 0);
}

Test(eventcount, one_sleeper_can_be_picked)
{
    bgi_eventcount ec;
    bgi_ec_node a, b;
    bgi_ec_init(&ec);
    bgi_ec_node_init(&a);
    bgi_ec_node_init(&b);
    bgi_ec_prepare(&ec, &a);
    bgi_ec_prepare(&ec, &b);
    cr_assert_eq(bgi_ec_notify_node(&ec, &a), 1);
    cr_assert_eq(bgi_ec_notify_node(&ec, &a), 0); /* one is enough */
    cr_assert_eq(bgi_ec_waiting(&ec), 1);
    cr_assert_eq(bgi_ec_cancel(&ec, &a), 1);
    cr_assert_eq(bgi_ec_cancel(&ec, &b), 0);
}

/* ---- one thread, a futex of its own ---- */

enum { EMPTY, PARKED, NOTIFIED };

/* What happens while the sleeper sleeps, one step a futex call, and what the call returns. */
struct step {
    void (*act)(void);
    int result;
};

static struct {
    const struct step *steps;
    size_t n, waits, wakes;
    int64_t deadline;
    bgi_eventcount ec;
    bgi_ec_node a, b;
    bgi_ec_node *told;
} script;

static int scripted_wait(void *ctx, bgi_atomic *w, uint32_t expected, int64_t deadline)
{
    (void)ctx;
    cr_assert_eq(bgi_load(w), PARKED);
    cr_assert_eq(expected, PARKED);
    script.deadline = deadline;
    cr_assert_lt(script.waits, script.n, "it sleeps for ever");
    const struct step *s = &script.steps[script.waits++];
    if (s->act != NULL) {
        s->act();
    }
    return s->result;
}

static int scripted_wake(void *ctx, bgi_atomic *w, int n)
{
    (void)ctx;
    cr_assert_eq(bgi_load(w), NOTIFIED);
    cr_assert_eq(n, 1);
    script.wakes++;
    return 1;
}

static const struct bgi_futex_ops scripted = {scripted_wait, scripted_wake, NULL};

static void play(const struct step *steps, size_t n)
{
    memset((void *)&script, 0, sizeof script);
    script.steps = steps;
    script.n = n;
    bgi_ec_init(&script.ec);
    bgi_ec_node_init(&script.a);
    bgi_ec_node_init(&script.b);
    bgi_futex_set_ops(&scripted);
}

static void notify(void)
{
    script.told = bgi_ec_notify(&script.ec);
}

static void kick(void)
{
    bgi_ec_kick(&script.a);
}

static void kick_twice(void)
{
    bgi_ec_kick(&script.a);
    bgi_ec_kick(&script.a);
}

Test(eventcount, a_notification_before_the_wait_needs_no_system_call)
{
    play(NULL, 0);
    bgi_ec_prepare(&script.ec, &script.a);
    notify();
    cr_assert(script.told == &script.a);
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 1);
    cr_assert_eq(script.waits + script.wakes, 0);
}

Test(eventcount, a_notification_during_the_sleep_wakes)
{
    static const struct step steps[] = {{NULL, 0}, {NULL, -EINTR}, {NULL, -EAGAIN}, {notify, 0}};
    play(steps, 4); /* it goes on through returns without a cause */
    bgi_ec_prepare(&script.ec, &script.a);
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    cr_assert_eq(script.waits, 4);
    cr_assert_eq(script.wakes, 1);
    cr_assert_lt(script.deadline, 0);
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 1);
}

Test(eventcount, after_its_time_a_sleeper_is_still_announced)
{
    static const struct step steps[] = {{NULL, -ETIMEDOUT}, {NULL, -ETIMEDOUT}};
    play(steps, 2);
    bgi_ec_prepare(&script.ec, &script.a);
    bgi_ec_wait(&script.a, 12345);
    cr_assert_eq(script.deadline, 12345);
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    cr_assert_eq(bgi_ec_waiting(&script.ec), 1);
    bgi_ec_wait(&script.a, 0); /* a deadline in the past is one all the same */
    cr_assert_eq(script.deadline, 0);
    cr_assert_eq(script.waits, 2);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
    cr_assert_eq(bgi_ec_waiting(&script.ec), 0);
}

Test(eventcount, a_notification_at_the_last_moment_is_not_lost)
{
    static const struct step steps[] = {{notify, -ETIMEDOUT}, {NULL, -ETIMEDOUT}};
    play(steps, 2);
    bgi_ec_prepare(&script.ec, &script.a);
    bgi_ec_wait(&script.a, 1);
    cr_assert(script.told == &script.a);
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 1);

    bgi_ec_prepare(&script.ec, &script.a); /* and is not there twice */
    bgi_ec_wait(&script.a, 1);
    cr_assert_eq(script.waits, 2);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
}

Test(eventcount, a_notification_after_the_time_is_told_of_by_cancel)
{
    static const struct step steps[] = {{NULL, -ETIMEDOUT}, {NULL, -ETIMEDOUT}};
    play(steps, 2);
    bgi_ec_prepare(&script.ec, &script.a);
    bgi_ec_wait(&script.a, 1);
    notify();
    cr_assert(script.told == &script.a);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 1);
    cr_assert_eq(bgi_load(&script.a.word), NOTIFIED);
    bgi_ec_prepare(&script.ec, &script.a); /* what is left of it ends no later sleep */
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    bgi_ec_wait(&script.a, 1);
    cr_assert_eq(script.waits, 2);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
}

Test(eventcount, a_kick_ends_a_sleep_and_is_no_notification)
{
    static const struct step steps[] = {{kick, 0}, {kick_twice, 0}, {NULL, -ETIMEDOUT}};
    play(steps, 3);
    for (size_t i = 1; i <= 2; i++) {
        bgi_ec_prepare(&script.ec, &script.a);
        bgi_ec_wait(&script.a, BG_TIME_MAX);
        cr_assert_eq(script.wakes, i); /* the second of two finds it woken already */
        cr_assert_eq(bgi_load(&script.a.word), EMPTY);
        cr_assert_eq(bgi_ec_waiting(&script.ec), 1);
        cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
    }
    bgi_ec_prepare(&script.ec, &script.a);
    kick_twice(); /* before the sleep: the next one ends at once, the one after does not */
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    cr_assert_eq(script.waits, 2);
    bgi_ec_wait(&script.a, 1);
    cr_assert_eq(script.waits, 3);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
}

Test(eventcount, a_kick_for_who_was_never_announced)
{
    static const struct step steps[] = {{kick, 0}};
    play(steps, 1);
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    kick();
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    cr_assert_eq(script.waits, 1);
    cr_assert_eq(script.wakes, 1);
    cr_assert_eq(bgi_ec_waiting(&script.ec), 0);
}

Test(eventcount, a_kick_before_the_announcement_is_for_the_second_look)
{
    static const struct step steps[] = {{NULL, -ETIMEDOUT}};
    play(steps, 1);
    kick();
    bgi_ec_prepare(&script.ec, &script.a);
    cr_assert_eq(bgi_load(&script.a.word), EMPTY);
    bgi_ec_wait(&script.a, 1);
    cr_assert_eq(script.waits, 1);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 0);
}

Test(eventcount, a_kick_and_a_notification_are_one_wake_up_and_one_notification)
{
    play(NULL, 0);
    bgi_ec_prepare(&script.ec, &script.a);
    kick();
    notify();
    bgi_ec_wait(&script.a, BG_TIME_MAX);
    cr_assert_eq(bgi_ec_cancel(&script.ec, &script.a), 1);
}

/*
 * The sleeper: prepare, look for work, then cancel or sleep. The submitter: put work there, tell.
 * The submitter's two steps come at any two of four moments, the last of which is the sleep itself.
 */
enum moment { BEFORE, PREPARED, LOOKED, SLEEPING };

static struct {
    enum moment put_at, tell_at;
    int work, told;
} play2;

static void submitter_at(enum moment m)
{
    if (play2.put_at == m) {
        play2.work = 1;
    }
    if (play2.tell_at == m && bgi_ec_waiting(&script.ec) != 0) {
        play2.told += bgi_ec_notify(&script.ec) != NULL;
    }
}

static void submitter_while_asleep(void)
{
    submitter_at(SLEEPING);
    /* Asleep, and nobody will come any more, though there is work: the lost wake-up. */
    cr_assert_eq(bgi_load(&script.a.word), NOTIFIED, "put at %d, told at %d", (int)play2.put_at,
                 (int)play2.tell_at);
}

Test(eventcount, no_interleaving_leaves_work_beside_a_sleeper)
{
    static const struct step steps[] = {{submitter_while_asleep, 0}};
    int slept = 0, looked = 0, told_before = 0;
    for (int put = BEFORE; put <= SLEEPING; put++) {
        for (int tell = put; tell <= SLEEPING; tell++) {
            play(steps, 1);
            play2.put_at = (enum moment)put;
            play2.tell_at = (enum moment)tell;
            play2.work = play2.told = 0;

            submitter_at(BEFORE);
            bgi_ec_prepare(&script.ec, &script.a);
            submitter_at(PREPARED);
            int found = play2.work;
            submitter_at(LOOKED);
            if (!found) {
                bgi_ec_wait(&script.a, BG_TIME_MAX);
                found = play2.work;
            } else {
                submitter_at(SLEEPING);
            }
            int notified = bgi_ec_cancel(&script.ec, &script.a);
            cr_assert(found, "put at %d, told at %d", put, tell);
            cr_assert_eq(notified, play2.told);
            cr_assert_eq(bgi_ec_waiting(&script.ec), 0);
            slept += script.waits != 0;
            looked += script.waits == 0 && !notified;
            told_before += script.waits == 0 && notified;
        }
    }
    /* Put when it had looked, told while it slept: (looked, sleeping) and (sleeping, sleeping). */
    cr_assert_eq(slept, 2);
    cr_assert_eq(looked, 1);
    cr_assert_eq(told_before, 7);
}

/* ---- races ---- */

enum { SLEEPERS = 6, NOTIFIERS = 3, NOTIFICATIONS = 4000 };

static struct {
    bgi_eventcount ec;
    bgi_ec_node node[SLEEPERS];
    bgi_atomic given, received, notifiers_done;
} races;

static void sleep_and_count(unsigned self)
{
    struct bgi_random random;
    bgi_random_seed(&random, self);
    bgi_ec_node *node = &races.node[self];
    while (bgi_load_acquire(&races.notifiers_done) < NOTIFIERS) {
        bgi_ec_prepare(&races.ec, node);
        uint32_t how = bgi_random_below(&random, 8);
        if (how > 1) { /* mostly so short that its end meets the notification */
            bg_time until = bgi_clock_now() + (bg_time)bgi_random_below(&random, 60) * BG_US;
            bgi_ec_wait(node, until);
            if (how == 7) {
                bgi_ec_kick(node); /* one left over */
            }
        } else if (how == 1) {
            sched_yield();
        }
        (void)bgi_fetch_add(&races.received, (bgi_word)bgi_ec_cancel(&races.ec, node));
    }
}

static void notify_and_count(unsigned self)
{
    bgi_word given = 0;
    while (given < NOTIFICATIONS) {
        bgi_ec_node *node = given % 3 == 0 ? &races.node[given % SLEEPERS] : NULL;
        if (node != NULL) {
            bgi_ec_kick(node);
        }
        if (bgi_ec_notify(&races.ec) != NULL) {
            given++;
        } else {
            sched_yield();
        }
    }
    (void)self;
    (void)bgi_fetch_add(&races.given, given);
    (void)bgi_fetch_add(&races.notifiers_done, 1);
}

static void race_main(unsigned self, void *arg)
{
    (void)arg;
    if (self < SLEEPERS) {
        sleep_and_count(self);
    } else {
        notify_and_count(self);
    }
}

Test(eventcount, each_notification_given_is_one_received)
{
    bgi_ec_init(&races.ec);
    for (size_t i = 0; i < SLEEPERS; i++) {
        bgi_ec_node_init(&races.node[i]);
    }
    crew_run(SLEEPERS + NOTIFIERS, race_main, NULL);
    cr_assert_eq(bgi_load(&races.given), NOTIFIERS * NOTIFICATIONS);
    cr_assert_eq(bgi_load(&races.received), bgi_load(&races.given));
    cr_assert_eq(bgi_ec_waiting(&races.ec), 0);
}

/* Sleeps never end early on their own: without a kick and a notification only the time ends them.
 */
Test(eventcount, nobody_wakes_before_the_time)
{
    bgi_eventcount ec;
    bgi_ec_node a;
    bgi_ec_init(&ec);
    bgi_ec_node_init(&a);
    for (int i = 0; i < 10; i++) {
        bg_time until = bgi_clock_now() + 500 * BG_US;
        bgi_ec_prepare(&ec, &a);
        bgi_ec_wait(&a, until);
        cr_assert_geq(bgi_clock_now(), until);
        cr_assert_eq(bgi_ec_cancel(&ec, &a), 0);
    }
}

enum { WORK = 20000 };

static struct {
    bgi_eventcount ec;
    bgi_atomic made, taken, finished;
    bgi_atomic sleeps;
    unsigned producers;
} flow;

/* A number that has been made and not taken, or 0. */
static bgi_word take(void)
{
    for (;;) {
        bgi_word t = bgi_load(&flow.taken);
        if (t >= bgi_load_acquire(&flow.made)) {
            return 0;
        }
        if (bgi_cas(&flow.taken, t, t + 1)) {
            return t + 1;
        }
    }
}

static void submit(void)
{
    (void)bgi_fetch_add(&flow.made, 1);
    bgi_fence_full();
    if (bgi_ec_waiting(&flow.ec) != 0) {
        (void)bgi_ec_notify(&flow.ec);
    }
}

static void consume(void)
{
    bgi_ec_node node;
    bgi_ec_node_init(&node);
    while (!bgi_load_acquire(&flow.finished)) {
        bgi_word got = take();
        if (got == 0) {
            bgi_ec_prepare(&flow.ec, &node);
            got = take();
            if (got == 0 && !bgi_load_acquire(&flow.finished)) {
                (void)bgi_fetch_add_relaxed(&flow.sleeps, 1);
                bgi_ec_wait(&node, BG_TIME_MAX); /* a lost wake-up would hang here */
            }
            if (bgi_ec_cancel(&flow.ec, &node) && got != 0) {
                (void)bgi_ec_notify(&flow.ec); /* it was for more than this: pass it on */
            }
        }
        if (got == WORK) {
            bgi_store_release(&flow.finished, 1);
            bgi_fence_full();
            while (bgi_ec_notify(&flow.ec) != NULL) {
            }
        }
    }
}

static void flow_main(unsigned self, void *arg)
{
    (void)arg;
    if (self >= flow.producers) {
        consume();
        return;
    }
    /* Slower than the consumers: they sleep at nearly every item. */
    for (bgi_word i = self; i < WORK; i += flow.producers) {
        submit();
        if (i % 3 != 0) {
            sched_yield();
        }
    }
}

static void run_flow(unsigned producers, unsigned consumers)
{
    memset((void *)&flow, 0, sizeof flow);
    flow.producers = producers;
    bgi_ec_init(&flow.ec);
    crew_run(producers + consumers, flow_main, NULL);
    cr_assert_eq(bgi_load(&flow.taken), WORK);
    cr_assert_eq(bgi_ec_waiting(&flow.ec), 0);
    cr_log_info("%u producers, %u consumers: %zu sleeps\n", producers, consumers,
                (size_t)bgi_load(&flow.sleeps));
}

Test(eventcount, no_wake_up_is_lost_between_one_and_one)
{
    run_flow(1, 1);
}

Test(eventcount, no_wake_up_is_lost_between_one_and_many)
{
    run_flow(1, 5);
}

Test(eventcount, no_wake_up_is_lost_between_many_and_one)
{
    run_flow(4, 1);
}

Test(eventcount, no_wake_up_is_lost_between_many_and_many)
{
    run_flow(4, 6);
}
