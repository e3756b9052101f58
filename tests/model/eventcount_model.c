/*
 * Models of the eventcount (queue/eventcount.h): no wake-up is lost, each notification has exactly
 * one owner, and a kick or notification carries what was written before it.
 *
 * A lost wake-up shows as everybody blocked; a notification owned twice or not at all as an
 * assertion of the check. The idle protocol of core/submit.c, park.c and steal.c is here with
 * nothing but its words: an injector, the count of searchers, the eventcount.
 */
#include "mc.h"

#include "queue/eventcount.h"
#include "queue/injector.h"

static bgi_eventcount ec;
static bgi_ec_node nodes[2];
static bgi_atomic work; /* pieces that lie there */
static int written, owned[2], given[2];

static void setup(void)
{
    bgi_ec_init(&ec);
    bgi_store(&work, 0);
    written = 0;
    for (int i = 0; i < 2; i++) {
        bgi_ec_node_init(&nodes[i]);
        owned[i] = 0;
        given[i] = 0;
    }
}

static void rests(void)
{
    mc_assert(bgi_ec_waiting(&ec) == 0);
    mc_assert(bgi_list_empty(&ec.sleepers));
    for (int i = 0; i < 2; i++) {
        mc_assert(!bgi_list_linked(&nodes[i].link));
    }
}

/* Takes one piece, if there is one. */
static int find(void)
{
    for (;;) {
        bgi_word n = bgi_load(&work);
        if (n == 0) {
            return 0;
        }
        if (bgi_cas(&work, n, n - 1)) {
            return 1;
        }
    }
}

/* Sleeps until it has got one. Its node is that of its number. */
static void sleeper(void)
{
    bgi_ec_node *node = &nodes[mc_self()];
    while (!find()) {
        bgi_ec_prepare(&ec, node);
        if (bgi_load(&work) == 0) {
            bgi_ec_wait(node, BG_TIME_MAX);
        }
        (void)bgi_ec_cancel(&ec, node);
    }
}

static void submit(void)
{
    (void)bgi_fetch_add_relaxed(&work, 1);
    bgi_fence_full();
    if (bgi_ec_waiting(&ec) != 0) {
        (void)bgi_ec_notify(&ec);
    }
}

static void check_rests(void)
{
    mc_assert(bgi_load(&work) == 0);
    rests();
}

MC_MODEL(one_and_one, .name = "eventcount/one_and_one",
         .says = "work that is submitted while a sleeper lies down is found or wakes it",
         .setup = setup, .thread = {sleeper, submit}, .check = check_rests);

MC_MODEL(two_and_two, .name = "eventcount/two_and_two",
         .says = "two sleepers and two submitters: nobody sleeps while work is there", .bound = 2,
         .setup = setup, .thread = {sleeper, sleeper, submit, submit}, .check = check_rests);

static void submit_twice(void)
{
    submit();
    submit();
}

MC_MODEL(two_and_one, .name = "eventcount/two_and_one",
         .says = "one submitter of two pieces wakes both sleepers", .setup = setup,
         .thread = {sleeper, sleeper, submit_twice}, .check = check_rests);

/* -- who owns a notification -- */

static void wait_once(void)
{
    int me = mc_self();
    bgi_ec_prepare(&ec, &nodes[me]);
    bgi_ec_wait(&nodes[me], 1); /* may time out */
    owned[me] = bgi_ec_cancel(&ec, &nodes[me]);
    if (owned[me]) {
        mc_assert(written == 1);
    }
}

static void withdraw(void)
{
    int me = mc_self();
    bgi_ec_prepare(&ec, &nodes[me]);
    owned[me] = bgi_ec_cancel(&ec, &nodes[me]);
}

static void give(void)
{
    written = 1;
    bgi_ec_node *node = bgi_ec_notify(&ec);
    for (int i = 0; i < 2; i++) {
        if (node == &nodes[i]) {
            given[i]++;
        }
    }
}

static void check_owned(void)
{
    for (int i = 0; i < 2; i++) {
        mc_assert(owned[i] == given[i]);
    }
    rests();
}

MC_MODEL(cancel_and_notify, .name = "eventcount/cancel_and_notify",
         .says = "who withdraws knows for certain whether a notification was given to it",
         .setup = setup, .thread = {withdraw, give}, .check = check_owned);

MC_MODEL(timed_wait, .name = "eventcount/timed_wait",
         .says = "a notification that meets the time-out is owned by the sleeper, or not given",
         .setup = setup, .thread = {wait_once, give}, .check = check_owned);

MC_MODEL(two_withdraw, .name = "eventcount/two_withdraw",
         .says = "one notification, two that withdraw: it is given to one of them or to none",
         .setup = setup, .thread = {withdraw, withdraw, give}, .check = check_owned);

/* -- notify_node and notify at the same node -- */

static int given_by[2];

static void node_setup(void)
{
    setup();
    given_by[0] = 0;
    given_by[1] = 0;
}

static void give_any(void)
{
    given_by[0] = bgi_ec_notify(&ec) != NULL;
}

static void give_to_first(void)
{
    given_by[1] = bgi_ec_notify_node(&ec, &nodes[0]);
}

static void node_check(void)
{
    mc_assert(owned[0] == given_by[0] + given_by[1]);
    rests();
}

MC_MODEL(notify_node, .name = "eventcount/notify_node",
         .says = "of two that notify the same sleeper one gives the notification, if any",
         .setup = node_setup, .thread = {withdraw, give_any, give_to_first}, .check = node_check);

static void wait_for_node(void)
{
    bgi_ec_prepare(&ec, &nodes[0]);
    bgi_store(&work, 1); /* announced */
    bgi_ec_wait(&nodes[0], BG_TIME_MAX);
    mc_assert(bgi_ec_cancel(&ec, &nodes[0]) == 1);
    mc_assert(written == 1);
    owned[0] = 1;
}

static void give_when_announced(void)
{
    mc_await_equal(&work, 1);
    written = 1;
    given_by[1] = bgi_ec_notify_node(&ec, &nodes[0]);
}

MC_MODEL(notify_announced, .name = "eventcount/notify_announced",
         .says = "an announced sleeper is woken by its notification and sees what came before it",
         .setup = node_setup, .thread = {wait_for_node, give_when_announced}, .check = node_check);

/* -- kicks -- */

static void wait_for_kick(void)
{
    bgi_ec_wait(&nodes[0], BG_TIME_MAX);
    mc_assert(written == 1);
}

static void kick(void)
{
    written = 1;
    bgi_ec_kick(&nodes[0]);
}

MC_MODEL(kick_and_wait, .name = "eventcount/kick_and_wait",
         .says = "a kick ends the wait that goes on or the next, and carries what was written",
         .setup = setup, .thread = {wait_for_kick, kick}, .check = rests);

/* The kick may come before prepare, which then eats it: the second look has to see its cause. */
static bgi_atomic cause[2];

static void cause_setup(void)
{
    setup();
    bgi_store(&cause[0], 0);
    bgi_store(&cause[1], 0);
}

static void look_and_sleep(void)
{
    for (;;) {
        bgi_ec_prepare(&ec, &nodes[0]);
        if (bgi_load(&cause[0]) == 0) {
            bgi_ec_wait(&nodes[0], BG_TIME_MAX);
        }
        (void)bgi_ec_cancel(&ec, &nodes[0]);
        if (bgi_load(&cause[0]) != 0) {
            return;
        }
    }
}

static void kick_with_cause(void)
{
    bgi_store(&cause[0], 1);
    bgi_ec_kick(&nodes[0]);
}

MC_MODEL(kick_and_prepare, .name = "eventcount/kick_and_prepare",
         .says = "a kick that comes before the announcement is answered by the second look",
         .setup = cause_setup, .thread = {look_and_sleep, kick_with_cause}, .check = rests);

/* Two kicks with a cause each: the second may find NOTIFIED, and must not be swallowed. */
static void await_both_causes(void)
{
    while (bgi_load(&cause[0]) == 0 || bgi_load(&cause[1]) == 0) {
        bgi_ec_wait(&nodes[0], BG_TIME_MAX);
    }
}

static void kick_second(void)
{
    bgi_store(&cause[1], 1);
    bgi_ec_kick(&nodes[0]);
}

MC_MODEL(two_kicks, .name = "eventcount/two_kicks",
         .says = "a kick that meets another kick still has its cause seen", .setup = cause_setup,
         .thread = {await_both_causes, kick_with_cause, kick_second}, .check = rests);

/* -- the idle protocol: two workers, a submitter, the count of searchers -- */

static bgi_injector injector;
static bgi_atomic searching;

struct piece {
    struct bgi_link link;
    int filled;
    int ran;
};

static struct piece pieces[2];

static void idle_setup(void)
{
    setup();
    bgi_injector_init(&injector);
    bgi_store(&searching, 0);
    for (int i = 0; i < 2; i++) {
        pieces[i].filled = 0;
        pieces[i].ran = 0;
    }
}

static void notify_one(void)
{
    for (;;) {
        bgi_fence_full();
        if (bgi_load(&searching) != 0 || bgi_ec_waiting(&ec) == 0 || !bgi_cas(&searching, 0, 1)) {
            return;
        }
        if (bgi_ec_notify(&ec) != NULL) {
            return;
        }
        (void)bgi_fetch_sub(&searching, 1);
    }
}

static void inject(int i)
{
    struct bgi_fifo chain;
    pieces[i].filled = 1;
    bgi_fifo_init(&chain);
    bgi_fifo_push(&chain, &pieces[i].link);
    bgi_injector_push(&injector, &chain, 1);
    notify_one();
}

/* Runs one piece; a worker that has run one is stuck in it from then on, so the other one has to
 * be woken for the second. */
static void worker(void)
{
    bgi_ec_node *node = &nodes[mc_self()];
    int am_searching = 0;
    for (;;) {
        struct bgi_fifo chain;
        if (bgi_injector_pop(&injector, &chain, 1) == 1) {
            if (am_searching && bgi_fetch_sub(&searching, 1) == 1) {
                bgi_fence_full();
                if (bgi_ec_waiting(&ec) != 0 && bgi_injector_size(&injector) != 0) {
                    notify_one();
                }
            }
            struct piece *p = BGI_CONTAINER_OF(bgi_fifo_pop(&chain), struct piece, link);
            mc_assert(p->filled == 1);
            p->ran++;
            return;
        }
        bgi_ec_prepare(&ec, node);
        if (am_searching) {
            am_searching = 0;
            (void)bgi_fetch_sub(&searching, 1);
            bgi_fence_full();
        }
        if (bgi_injector_size(&injector) == 0) {
            bgi_ec_wait(node, BG_TIME_MAX);
        }
        am_searching = bgi_ec_cancel(&ec, node);
    }
}

static void inject_first(void)
{
    inject(0);
}

static void inject_second(void)
{
    inject(1);
}

static void inject_both(void)
{
    inject(0);
    inject(1);
}

static void idle_check(void)
{
    mc_assert(pieces[0].ran == 1 && pieces[1].ran == 1);
    mc_assert(bgi_load(&searching) == 0);
    rests();
}

MC_MODEL(idle, .name = "eventcount/idle",
         .says = "with the count of searchers no piece is left while a worker sleeps", .bound = 2,
         .setup = idle_setup, .thread = {worker, worker, inject_both}, .check = idle_check);

MC_MODEL(idle_two_submitters, .name = "eventcount/idle_two_submitters",
         .says = "a submitter that wakes nobody because one searches is not forgotten", .bound = 2,
         .setup = idle_setup, .thread = {worker, worker, inject_first, inject_second},
         .check = idle_check);
