/*
 * Models of channels (sync/chan.c): what was sent is received, once; a hand-off against a cancel,
 * either way; a close against those who send, receive and wait; the channel's end at its last item.
 *
 * Items are words beside which something plain is written: who receives has to see it.
 */
#include "waiting.h"

#include "base/alloc.h"
#include "sync/chan.h"

static bg_chan *ch;
static int beside[4];            /* written by its sender before item i is sent */
static int sent[4], received[4]; /* what the calls returned; NONE: it did not return */
static size_t got[4];            /* by who received */

enum { NONE = 1 };

static void setup_channel(size_t capacity, bgi_word asymmetric)
{
    wt_setup(3);
    bgi_fence_setup();
    bgi_store(&bgi_fence_asymmetric, asymmetric);
    for (size_t i = 0; i < BGI_WAITQ_COUNTS; i++) {
        bgi_store(&bgi_waitq_asleep[i], 0);
    }
    ch = bg_chan_create(sizeof(size_t), capacity);
    for (int i = 0; i < 4; i++) {
        beside[i] = 0;
        sent[i] = received[i] = NONE;
        got[i] = 0;
    }
}

static void rendezvous(void)
{
    setup_channel(0, 0);
}

static void room_for_one(void)
{
    setup_channel(1, 0);
}

/* Item 0 is in it. */
static void full(void)
{
    room_for_one();
    size_t item = 10;
    beside[0] = 1;
    sent[0] = bg_try_send(ch, &item);
}

/* The first task's worker owns the door. */
static void owned(void)
{
    setup_channel(1, 1);
    bgi_store(&ch->door.bias, (bgi_word)&W[0]);
}

static void sends(int i)
{
    size_t item = 10 + (size_t)i;
    beside[i] = 1;
    sent[i] = bg_send(ch, &item);
}

static void looks_at(int i)
{
    if (received[i] == 0) {
        mc_assert(got[i] >= 10 && got[i] < 14 && beside[got[i] - 10] == 1);
    }
}

static void receives(int i)
{
    received[i] = bg_recv(ch, &got[i]);
    looks_at(i);
}

static void tries_to_receive(int i)
{
    received[i] = bg_try_recv(ch, &got[i]);
    looks_at(i);
}

static void task_sends(void)
{
    (void)wt_begin();
    sends(mc_self());
}

static void task_receives(void)
{
    (void)wt_begin();
    receives(mc_self());
}

static void thread_sends(void)
{
    wt_begin_thread();
    sends(mc_self());
}

static void thread_receives(void)
{
    wt_begin_thread();
    receives(mc_self());
}

static void task_sends_two(void)
{
    (void)wt_begin();
    sends(2);
    sends(3);
}

static void task_receives_two(void)
{
    (void)wt_begin();
    receives(0);
    receives(1);
}

static void cancels_0(void)
{
    wt_begin_thread();
    bgi_task_cancel(rt_task(0));
}

static void closes(void)
{
    wt_begin_thread();
    mc_assert(bg_close(ch) == 0);
}

/* ---- afterwards ---- */

static size_t times_received(size_t item)
{
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        n += received[i] == 0 && got[i] == item;
    }
    return n;
}

/* Items are where they should be: received once, or in the channel still, if they were sent. */
static void nothing_lost(void)
{
    size_t item;
    mc_assert(ch->waiting[0].first == NULL && ch->waiting[1].first == NULL);
    mc_assert(bgi_load(&ch->door.q.word) == 0 && bgi_load(&ch->door.inside) == 0);
    for (int i = 0; i < 4; i++) {
        if (received[i] == NONE && bg_try_recv(ch, &got[i]) == 0) {
            received[i] = 0;
        }
    }
    mc_assert(bg_try_recv(ch, &item) != 0);
    for (int i = 0; i < 4; i++) {
        mc_assert(times_received(10 + (size_t)i) == (sent[i] == 0 ? 1U : 0U));
        mc_assert(bgi_load(&rt_task(i % 3)->waiter.state) < BGI_WAITER_SIGNAL);
    }
}

static void all_received(void)
{
    for (int i = 0; i < 4; i++) {
        mc_assert(sent[i] == 0 || sent[i] == NONE);
        mc_assert(received[i] == 0 || received[i] == NONE);
    }
    nothing_lost();
}

static void in_order(void)
{
    all_received();
    mc_assert(got[0] == 12 && got[1] == 13);
}

MC_MODEL(meet, .name = "chan/rendezvous", .says = "a sender and a receiver meet",
         .setup = rendezvous, .thread = {task_receives, task_sends}, .check = all_received);

MC_MODEL(meet_threads, .name = "chan/rendezvous_of_threads", .says = "so do plain threads",
         .setup = rendezvous, .thread = {thread_receives, thread_sends}, .check = all_received);

MC_MODEL(buffered, .name = "chan/room_for_one", .says = "two items come in order through one slot",
         .setup = room_for_one, .thread = {task_receives_two, task_sends_two}, .check = in_order);

MC_MODEL(two_each, .name = "chan/two_senders_two_receivers",
         .says = "each item goes to one receiver", .bound = 2, .quick = 1, .setup = room_for_one,
         .thread = {task_receives, task_receives, task_sends, thread_sends}, .check = all_received);

MC_MODEL(biased, .name = "chan/owned_door", .says = "the same through a door that has an owner",
         .setup = owned, .thread = {task_receives, task_sends}, .check = all_received);

/* ---- a hand-off against a cancel ---- */

static void tries_to_send(void)
{
    size_t item = 11;
    (void)wt_begin();
    beside[1] = 1;
    sent[1] = bg_try_send(ch, &item);
}

static void recv_or_cancel(void)
{
    mc_assert(received[0] == 0 || received[0] == -ECANCELED);
    mc_assert(sent[1] == 0 || sent[1] == -EAGAIN);
    if (received[0] == -ECANCELED) {
        received[0] = NONE;
    }
    nothing_lost();
}

MC_MODEL(cancelled_recv, .name = "chan/send_against_cancel",
         .says = "a receiver that is cancelled as it is served has the item, or leaves it",
         .setup = rendezvous, .thread = {task_receives, tries_to_send, cancels_0},
         .check = recv_or_cancel);

MC_MODEL(cancelled_recv_buffered, .name = "chan/send_against_cancel_with_room",
         .says = "and what it leaves stays in the channel", .setup = room_for_one,
         .thread = {task_receives, tries_to_send, cancels_0}, .check = recv_or_cancel);

static void task_sends_second(void)
{
    (void)wt_begin();
    sends(1);
}

static void tries_to_receive_once(void)
{
    (void)wt_begin();
    tries_to_receive(2);
}

static void send_or_cancel(void)
{
    mc_assert(sent[1] == 0 || sent[1] == -ECANCELED);
    mc_assert(received[2] == 0 || received[2] == -EAGAIN);
    if (received[2] == -EAGAIN) {
        received[2] = NONE;
    }
    nothing_lost();
}

MC_MODEL(cancelled_send, .name = "chan/recv_against_cancel",
         .says = "a sender that is cancelled as its item is taken has sent it, or has not",
         .setup = rendezvous, .thread = {task_sends_second, tries_to_receive_once, cancels_0},
         .check = send_or_cancel);

static void task_receives_one(void)
{
    (void)wt_begin();
    receives(2);
}

MC_MODEL(cancelled_send_full, .name = "chan/recv_against_cancel_when_full",
         .says = "likewise one that waits for room", .setup = full,
         .thread = {task_sends_second, task_receives_one, cancels_0}, .check = send_or_cancel);

/* ---- a close ---- */

static void closed_well(void)
{
    for (int i = 0; i < 4; i++) {
        mc_assert(sent[i] == 0 || sent[i] == NONE || sent[i] == -EPIPE);
        mc_assert(received[i] == 0 || received[i] == NONE || received[i] == -EPIPE);
        if (received[i] == -EPIPE) { /* nothing is left when somebody is told that */
            mc_assert(bg_chan_length(ch) == 0);
        }
    }
    mc_assert(ch->closed == 1);
    nothing_lost();
}

MC_MODEL(close_waiting, .name = "chan/close_against_both",
         .says = "a close, a sender and a receiver: the item is received, or was not sent",
         .bound = 2, .setup = rendezvous, .thread = {task_receives, task_sends, closes},
         .check = closed_well);

MC_MODEL(close_buffered, .name = "chan/close_against_both_with_room",
         .says = "what was sent before the close is received after it", .bound = 2,
         .setup = room_for_one, .thread = {task_receives, task_sends, closes},
         .check = closed_well);

MC_MODEL(close_threads, .name = "chan/close_against_threads",
         .says = "plain threads are told of the close", .bound = 2, .setup = full,
         .thread = {thread_receives, thread_sends, closes}, .check = closed_well);

static void close_or_cancel(void)
{
    mc_assert(received[0] == -EPIPE || received[0] == -ECANCELED);
    received[0] = NONE;
    nothing_lost();
}

MC_MODEL(close_cancel, .name = "chan/close_against_cancel",
         .says = "a receiver that is cancelled as the channel closes is told one of the two",
         .setup = rendezvous, .thread = {task_receives, closes, cancels_0},
         .check = close_or_cancel);

/* ---- the end of a channel ---- */

static void receives_and_destroys(void)
{
    (void)wt_begin();
    received[2] = bg_recv(ch, &got[2]);
    mc_assert(received[2] == 0 && got[2] == 10 && beside[0] == 1);
    bg_chan_destroy(ch);
}

MC_MODEL(destroyed, .name = "chan/destroyed_with_its_last_item",
         .says = "who has the last item destroys the channel", .setup = rendezvous,
         .thread = {task_sends, receives_and_destroys});

static void sends_or_is_cancelled(void)
{
    (void)wt_begin();
    sends(0);
    mc_assert(sent[0] == 0 || sent[0] == -ECANCELED);
}

static void takes_and_destroys(void)
{
    (void)wt_begin();
    received[1] = bg_try_recv(ch, &got[1]);
    if (received[1] == 0) {
        mc_assert(got[1] == 10 && beside[0] == 1);
        bg_chan_destroy(ch);
    }
}

MC_MODEL(destroyed_cancel, .name = "chan/destroyed_as_the_sender_is_cancelled",
         .says = "also as its sender is cancelled", .setup = rendezvous,
         .thread = {sends_or_is_cancelled, takes_and_destroys, cancels_0});

static void receives_or_is_cancelled(void)
{
    (void)wt_begin();
    receives(0);
    mc_assert(received[0] == 0 || received[0] == -ECANCELED);
}

static void gives_and_destroys(void)
{
    size_t item = 11;
    (void)wt_begin();
    beside[1] = 1;
    sent[1] = bg_try_send(ch, &item);
    if (sent[1] == 0) {
        bg_chan_destroy(ch);
    }
}

MC_MODEL(destroyed_recv_cancel, .name = "chan/destroyed_as_the_receiver_is_cancelled",
         .says = "who has met the only receiver destroys it, also as that one is cancelled",
         .setup = rendezvous, .thread = {receives_or_is_cancelled, gives_and_destroys, cancels_0});

static void is_told_of_the_close(void)
{
    (void)wt_begin();
    int r = bg_recv(ch, &got[mc_self()]);
    mc_assert(r == -EPIPE || r == -ECANCELED);
}

static int both_wait(void)
{
    enum bgi_door_way way = bgi_door_enter(&ch->door, NULL);
    bgi_wait_node *first = ch->waiting[BGI_CHAN_RECV].first;
    int both = first != NULL && first->next != first;
    bgi_door_leave(&ch->door, way);
    return both;
}

static void closes_and_destroys(void)
{
    wt_begin_thread();
    if (!both_wait()) {
        mc_ignore();
    }
    mc_assert(bg_close(ch) == 0);
    bg_chan_destroy(ch);
}

MC_MODEL(destroyed_close, .name = "chan/destroyed_by_who_closes",
         .says = "who has closed it on all that waited destroys it, also as one is cancelled",
         .bound = 3, .quick = 2, .setup = rendezvous,
         .thread = {is_told_of_the_close, is_told_of_the_close, closes_and_destroys, cancels_0});
