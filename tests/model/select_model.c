/*
 * Models of select (sync/select.c): two channels that fire at once, a claim against a cancel, the
 * timer and a close; two selects on each other's channels. It takes exactly one case, the others
 * take nothing, and nobody looks at its nodes when it has returned.
 */
#include "waiting.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "sync/chan.h"

#include <brigade/select.h>
#include <string.h>

static bg_chan *ch[2];
static bg_case cases[2][3]; /* of two selects; used for something else afterwards */
static int taken[2];        /* what they returned */
static int result[2];
static size_t got[2], in[2]; /* received by a select, and by others from channel i */
static int sent[2], received[2];
static int beside[4];

static void setup_channels(size_t a, size_t b)
{
    wt_setup(3);
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, 0);
    for (size_t i = 0; i < BGI_WAITQ_COUNTS; i++) {
        bgi_store(&bgi_waitq_asleep[i], 0);
    }
    ch[0] = bg_chan_create(sizeof(size_t), a);
    ch[1] = bg_chan_create(sizeof(size_t), b);
    memset(cases, 0, sizeof cases);
    memset(beside, 0, sizeof beside);
    for (int i = 0; i < 2; i++) {
        taken[i] = sent[i] = received[i] = result[i] = -1000;
        got[i] = in[i] = 0;
    }
}

static void with_room(void)
{
    setup_channels(1, 1);
}

static void without_room(void)
{
    setup_channels(0, 0);
}

/* Item 20 in each: a send has to wait. */
static void full(void)
{
    size_t item = 20;
    with_room();
    mc_assert(bg_try_send(ch[0], &item) == 0 && bg_try_send(ch[1], &item) == 0);
}

/* Nobody has to do with the nodes any more: a late look would be a race. */
static int select_cases(int i, size_t n)
{
    taken[i] = bg_select_cases(cases[i], n);
    memset(cases[i], 0xff, sizeof cases[i]);
    if (taken[i] >= 0 && got[i] != 0) {
        mc_assert(got[i] >= 10 && got[i] < 14 && beside[got[i] - 10] == 1);
    }
    return taken[i];
}

static void selects_receives(void)
{
    (void)wt_begin();
    cases[0][0] = BG_RECV(ch[0], &got[0], &result[0]);
    cases[0][1] = BG_RECV(ch[1], &got[0], &result[0]);
    (void)select_cases(0, 2);
}

static void thread_selects_receives(void)
{
    wt_begin_thread();
    cases[0][0] = BG_RECV(ch[0], &got[0], &result[0]);
    cases[0][1] = BG_RECV(ch[1], &got[0], &result[0]);
    (void)select_cases(0, 2);
}

/* In channel i, item 10 + i. */
static void tries_to_send(int i)
{
    size_t item = 10 + (size_t)i;
    beside[i] = 1;
    sent[i] = bg_try_send(ch[i], &item);
}

static void sends_0(void)
{
    (void)wt_begin();
    tries_to_send(0);
}

static void sends_1(void)
{
    (void)wt_begin();
    tries_to_send(1);
}

static void cancels_0(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

/* ---- afterwards ---- */

static void at_rest(void)
{
    for (int i = 0; i < 2; i++) {
        mc_assert(ch[i]->waiting[0].first == NULL && ch[i]->waiting[1].first == NULL);
        mc_assert(bgi_load(&ch[i]->door.q.word) == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        mc_assert(bgi_load(&rt_task(i)->waiter.state) < BGI_WAITER_SIGNAL);
    }
}

/* What was sent in channel i is there still, unless the select has it. */
static void one_was_taken(void)
{
    at_rest();
    for (int i = 0; i < 2; i++) {
        size_t item = 0;
        int there = bg_try_recv(ch[i], &item) == 0;
        mc_assert(there == (sent[i] == 0 && taken[0] != i));
        mc_assert(!there || item == 10 + (size_t)i);
        mc_assert(taken[0] != i || (sent[i] == 0 && got[0] == 10 + (size_t)i && result[0] == 0));
    }
    mc_assert(taken[0] == 0 || taken[0] == 1 || (taken[0] == -ECANCELED && got[0] == 0));
}

MC_MODEL(fire, .name = "select/two_fire_at_once",
         .says = "of two that serve it one does, and the other's item stays", .bound = 2,
         .setup = with_room, .thread = {selects_receives, sends_0, sends_1},
         .check = one_was_taken);

MC_MODEL(fire_thread, .name = "select/two_fire_at_a_thread",
         .says = "likewise one of a plain thread", .bound = 2, .quick = 1, .setup = with_room,
         .thread = {thread_selects_receives, sends_0, sends_1}, .check = one_was_taken);

MC_MODEL(cancel, .name = "select/claim_against_cancel",
         .says = "a select that is cancelled as it is served has the item, or leaves it",
         .bound = 2, .setup = with_room, .thread = {selects_receives, sends_1, cancels_0},
         .check = one_was_taken);

MC_MODEL(cancel_both, .name = "select/two_fire_and_a_cancel", .says = "also with two that serve it",
         .bound = 1, .quick = 1, .setup = with_room,
         .thread = {selects_receives, sends_0, sends_1, cancels_0}, .check = one_was_taken);

/* ---- it sends ---- */

static void selects_sends(void)
{
    static const size_t items[2] = {10, 11};
    (void)wt_begin();
    beside[0] = beside[1] = 1;
    cases[0][0] = BG_SEND(ch[0], &items[0], &result[0]);
    cases[0][1] = BG_SEND(ch[1], &items[1], &result[0]);
    (void)select_cases(0, 2);
}

static void tries_to_receive(int i)
{
    received[i] = bg_try_recv(ch[i], &in[i]);
    if (received[i] == 0 && in[i] != 20) {
        mc_assert(in[i] == 10 + (size_t)i && beside[i] == 1);
    }
}

static void receives_0(void)
{
    (void)wt_begin();
    tries_to_receive(0);
}

static void receives_1(void)
{
    (void)wt_begin();
    tries_to_receive(1);
}

static void one_was_sent(void)
{
    at_rest();
    mc_assert(taken[0] == 0 || taken[0] == 1 || taken[0] == -ECANCELED);
    for (int i = 0; i < 2; i++) {
        size_t item = 0, seen = 0;
        for (int k = 0; k < 3; k++) {
            if (k == 0 ? received[i] == 0 : bg_try_recv(ch[i], &item) == 0) {
                seen += (k == 0 ? in[i] : item) == 10 + (size_t)i;
            }
        }
        mc_assert(seen == (taken[0] == i ? 1U : 0U));
    }
}

MC_MODEL(fire_send, .name = "select/two_take_at_once", .says = "of two items offered one is taken",
         .bound = 2, .setup = full, .thread = {selects_sends, receives_0, receives_1},
         .check = one_was_sent);

MC_MODEL(cancel_send, .name = "select/taken_against_cancel",
         .says = "a select that is cancelled as its item is taken has sent it, or has not",
         .bound = 2, .setup = full, .thread = {selects_sends, receives_1, cancels_0},
         .check = one_was_sent);

/* ---- two selects ---- */

static void selects_across(int i)
{
    size_t item = 12 + (size_t)i;
    (void)wt_begin();
    beside[2 + i] = 1;
    cases[i][0] = BG_SEND(ch[i], &item);
    cases[i][1] = BG_RECV(ch[1 - i], &got[i]);
    (void)select_cases(i, 2);
}

static void selects_across_0(void)
{
    selects_across(0);
}

static void selects_across_1(void)
{
    selects_across(1);
}

static void met(void)
{
    at_rest();
    mc_assert(taken[0] >= 0 && taken[1] >= 0 && taken[0] != taken[1]);
    mc_assert(got[taken[0] == 1 ? 0 : 1] == (taken[0] == 1 ? 13U : 12U));
}

MC_MODEL(across, .name = "select/two_selects",
         .says = "two selects on each other's channels meet in one of them", .setup = without_room,
         .thread = {selects_across_0, selects_across_1}, .check = met);

static void selects_both_ways(int i)
{
    size_t item = 12 + (size_t)i;
    (void)wt_begin();
    beside[2 + i] = 1;
    cases[i][0] = BG_SEND(ch[0], &item);
    cases[i][1] = BG_RECV(ch[0], &got[i]);
    (void)select_cases(i, 2);
}

static void selects_both_ways_0(void)
{
    selects_both_ways(0);
}

static void selects_both_ways_1(void)
{
    selects_both_ways(1);
}

MC_MODEL(both_ways, .name = "select/two_selects_both_ways",
         .says = "two that would send or receive in one channel do not meet themselves",
         .setup = without_room, .thread = {selects_both_ways_0, selects_both_ways_1}, .check = met);

static void cancels_1(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(1));
}

static void met_or_cancelled(void)
{
    at_rest();
    if (taken[1] >= 0) {
        met();
    } else {
        mc_assert(taken[1] == -ECANCELED && taken[0] == -ECANCELED);
    }
}

MC_MODEL(across_cancel, .name = "select/two_selects_and_cancels",
         .says = "two selects that are cancelled have met, or neither has taken anything",
         .bound = 1, .quick = 1, .setup = without_room,
         .thread = {selects_across_0, selects_across_1, cancels_0, cancels_1},
         .check = met_or_cancelled);

/* ---- a close ---- */

static void closes_0(void)
{
    wt_begin_thread();
    mc_assert(bg_close(ch[0]) == 0);
}

static void closed_or_served(void)
{
    at_rest();
    mc_assert(taken[0] == 0 ? result[0] == -EPIPE && got[0] == 0
                            : taken[0] == 1 && result[0] == 0 && got[0] == 11);
    size_t item;
    mc_assert(bg_try_recv(ch[1], &item) == (taken[0] == 1 ? -EAGAIN : 0));
}

MC_MODEL(closed, .name = "select/close_against_send",
         .says = "a close and an item at once: it is told of one, and the other remains",
         .bound = 2, .setup = with_room, .thread = {selects_receives, closes_0, sends_1},
         .check = closed_or_served);

/* ---- its time ---- */

static void selects_with_a_time(void)
{
    (void)wt_begin();
    cases[0][0] = BG_RECV(ch[0], &got[0]);
    cases[0][1] = BG_AFTER(BG_MS);
    (void)select_cases(0, 2);
}

static void thread_selects_with_a_time(void)
{
    wt_begin_thread();
    cases[0][0] = BG_RECV(ch[0], &got[0]);
    cases[0][1] = BG_AFTER(BG_MS);
    (void)select_cases(0, 2);
}

/* The service: settles it, if it is there, and fires it. */
static void time_passes(void)
{
    bg_time now = bgi_clock_now();
    bgi_worker_is(&W[2]);
    for (int i = 0; i < 2; i++) {
        size_t fired = 0;
        (void)bgi_timers_run(&W[2], &W[0].timers, 0, now + i * BG_S, BGI_TIMERS_BATCH, &fired);
    }
}

static void in_time_or_late(void)
{
    size_t item = 0;
    at_rest();
    int there = bg_try_recv(ch[0], &item) == 0;
    mc_assert(taken[0] == 0 ? !there && got[0] == 10 : taken[0] == 1 && there && got[0] == 0);
}

MC_MODEL(late, .name = "select/timer_against_send",
         .says = "the time and an item at once: it takes one of them", .bound = 2,
         .setup = with_room, .thread = {selects_with_a_time, sends_0, time_passes},
         .check = in_time_or_late);

MC_MODEL(late_thread, .name = "select/time_of_a_thread_against_send",
         .says = "likewise a plain thread's", .setup = with_room,
         .thread = {thread_selects_with_a_time, sends_0}, .check = in_time_or_late);

/* ---- the channel of the case that was served ---- */

static void sends_and_destroys(void)
{
    (void)wt_begin();
    tries_to_send(0);
    if (sent[0] == 0) {
        bg_chan_destroy(ch[0]);
    }
}

static void cancelled_or_served(void)
{
    mc_assert(sent[0] == 0 ? taken[0] == 0 && got[0] == 10 : taken[0] == -ECANCELED);
}

MC_MODEL(destroyed, .name = "select/destroyed_by_who_served_it",
         .says = "who has served a select destroys the channel, also as that is cancelled",
         .bound = 2, .setup = without_room,
         .thread = {selects_receives, sends_and_destroys, cancels_0}, .check = cancelled_or_served);
