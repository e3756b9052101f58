/*
 * Channels and select where two meet: see moments.h.
 *
 * Who waits to receive is given an item, or told of a close; who waits to send is given room by
 * somebody who receives, or told likewise. With room and without, through a door that is locked and
 * through one that has an owner. Selects wait in two channels, which are used by turns, or both at
 * once. Then: items were received in the order in which they were sent, each once, and those of
 * sends that failed not at all.
 *
 * Labels: valgrind aarch64
 */
#include "moments.h"

#include "sync/door.c"

#define call_of chan_call_of
#define describe chan_describe
#define withdraw chan_withdraw
#include "sync/chan.c"
#undef describe

#define describe select_describe
#define wait_as_thread select_wait_as_thread
#include "sync/select.c"

enum { CHAN_WORDS = MOMENTS_WORDS / 2, MOST_ITEMS = 64 };

_Static_assert(sizeof(bg_chan) + 3 * sizeof(size_t) <= CHAN_WORDS * sizeof(uintptr_t),
               "two channels are an object");

static struct shape {
    uint32_t capacity;
    int owned;
    int both; /* a gift for either channel, not for one by turns */
} shape;

static size_t given[2], taken[2];       /* in or out of channel i by main */
static size_t out[2][MOST_ITEMS];       /* what main received */
static size_t got[MOMENTS_WAITERS];     /* what waiter i received */
static int way[MOMENTS_WAITERS];        /* in which channel it was served */
static int closed_for[MOMENTS_WAITERS]; /* it was told of a close */

static bg_chan *chan(int n)
{
    return (bg_chan *)(void *)(object + n * CHAN_WORDS);
}

static void make(int n)
{
    bg_chan *ch = chan(n); /* all zero */
    ch->capacity = shape.capacity;
    ch->elem_size = sizeof(size_t);
    if (shape.owned) {
        (bgi_store)(&ch->door.bias, (bgi_word)bgi_worker_self());
    }
}

static void setup(int waiters)
{
    (void)waiters;
    make(0);
    make(1);
    memset(given, 0, sizeof given);
    memset(taken, 0, sizeof taken);
    memset(out, 0, sizeof out);
    memset(got, 0, sizeof got);
    memset(closed_for, 0, sizeof closed_for);
    memset(way, 0, sizeof way);
}

static int outside(void)
{
    for (int n = 0; n < 2; n++) {
        if (chan(n)->door.inside != 0 || (chan(n)->door.q.word & BGI_WAITQ_LOCK) != 0) {
            return 0;
        }
    }
    return 1;
}

static int not_closed(void)
{
    return outside() && chan(0)->closed == 0;
}

/* ---- gifts ---- */

static void put(int n)
{
    size_t item = 1 + given[n];
    int r = bg_try_send(chan(n), &item);
    CHECK(r == 0 || r == -EAGAIN);
    given[n] += r == 0;
}

static void take(int n)
{
    int r = bg_try_recv(chan(n), &out[n][taken[n]]);
    CHECK(r == 0 || r == -EAGAIN);
    taken[n] += r == 0;
}

static void give_item(void)
{
    put(0);
}

static void give_room(void)
{
    take(0);
}

static void give_items(void)
{
    if (shape.both || scene.gifts % 2 == 1) {
        put(1);
    }
    if (shape.both || scene.gifts % 2 == 0) {
        put(0);
    }
}

static void give_rooms(void)
{
    if (shape.both || scene.gifts % 2 == 1) {
        take(1);
    }
    if (shape.both || scene.gifts % 2 == 0) {
        take(0);
    }
}

static void give_close(void)
{
    CHECK(bg_close(chan(0)) == 0);
}

/* Those who are left wait in channels that are as they should be. */
static void check_both(void)
{
    for (int n = 0; n < 2 && object[0] != 0x5555555555555555U; n++) {
        bgi_chan_check(chan(n));
    }
}

static void more_once(void)
{
    if (scene.gifts == 0) {
        make_gift();
    }
}

/* ---- receiving ---- */

static int told(int i, int r)
{
    if (r == -EPIPE) {
        closed_for[i] = 1;
        return 1;
    }
    return r;
}

static int wait_recv(int i)
{
    size_t item = 0;
    int r = told(i, bg_recv(chan(0), &item));
    CHECK((r == 0) == (item != 0));
    got[i] = item;
    return r;
}

static int wait_select_recv(int i)
{
    size_t item[2] = {0, 0};
    int result = 5;
    int r = bg_select(BG_RECV(chan(0), &item[0], &result), BG_RECV(chan(1), &item[1], &result));
    CHECK(r >= 0 ? r < 2 && (result == 0 || result == -EPIPE) : result == 5);
    CHECK((item[0] != 0) == (r == 0 && result == 0));
    CHECK((item[1] != 0) == (r == 1 && result == 0));
    way[i] = r;
    got[i] = r < 0 ? 0 : item[r];
    return r < 0 ? r : told(i, result);
}

static void nobody_waits(bg_chan *ch)
{
    bgi_chan_check(ch);
    CHECK(ch->waiting[BGI_CHAN_SEND].first == NULL && ch->waiting[BGI_CHAN_RECV].first == NULL);
    CHECK(ch->door.q.word == 0 && ch->door.inside == 0);
}

/* Those served have the first items of each channel, in order, and the others are in it. */
static void rest_items(int served)
{
    size_t next[2] = {0, 0}, item;
    for (int k = 0; k < served; k++) {
        int i = scene.order[k];
        if (!closed_for[i]) {
            CHECK(got[i] == ++next[way[i]]);
        }
    }
    for (int n = 0; n < 2; n++) {
        nobody_waits(chan(n));
        while (bg_try_recv(chan(n), &item) == 0) {
            CHECK(item == ++next[n]);
        }
        CHECK(next[n] == given[n]);
    }
}

/* ---- sending ---- */

static void setup_full(int waiters)
{
    setup(waiters);
    for (int n = 0; n < 2; n++) {
        for (uint32_t k = 0; k < shape.capacity; k++) {
            put(n);
        }
    }
}

static int wait_send(int i)
{
    size_t item = 100 + (size_t)i;
    int r = told(i, bg_send(chan(0), &item));
    item = 0; /* it has been copied, or nobody will look at it */
    return r;
}

static int wait_select_send(int i)
{
    size_t item[2] = {100 + (size_t)i, 100 + (size_t)i};
    int result = 5;
    int r = bg_select(BG_SEND(chan(0), &item[0], &result), BG_SEND(chan(1), &item[1], &result));
    CHECK(r >= 0 ? r < 2 && (result == 0 || result == -EPIPE) : result == 5);
    item[0] = item[1] = 0;
    way[i] = r;
    return r < 0 ? r : told(i, result);
}

/* Out of each channel came what was in it first, then what those sent who were served, in order. */
static void rest_sent(int served)
{
    for (int n = 0; n < 2; n++) {
        nobody_waits(chan(n));
        while (bg_chan_length(chan(n)) != 0) {
            take(n);
        }
        size_t at = 0;
        for (; at < given[n]; at++) {
            CHECK(out[n][at] == at + 1);
        }
        for (int k = 0; k < served; k++) {
            int i = scene.order[k];
            if (!closed_for[i] && way[i] == n) {
                CHECK(out[n][at++] == 100 + (size_t)i);
            }
        }
        CHECK(taken[n] == at);
    }
}

/* ---- both, and a time ---- */

static int wait_select_time(int i)
{
    size_t item = 0;
    int r = bg_select(BG_RECV(chan(0), &item), BG_SEND(chan(1), &item), BG_AFTER(1000 * BG_S));
    (void)i;
    CHECK(r < 0 || r == 2);
    CHECK(item == 0);
    return r < 0 ? r : 0;
}

/* What the service does with timers that are due; one that is not started yet is nobody's. */
static void give_time(void)
{
    bgi_worker *here = bgi_worker_self();
    bgi_wait_node *n = chan(0)->waiting[BGI_CHAN_RECV].first;
    for (int left = scene.waiters; n != NULL && left > 0; left--, n = n->next) {
        struct waiting *w = BGI_CONTAINER_OF(bgi_chan_node_of(n)->select, struct waiting, select);
        bgi_expiry due = {NULL, NULL, NULL, NULL};
        if (bgi_timer_home(&w->timer) != NULL && bgi_timers_stop(&here->timers, &w->timer)) {
            w->timer.expire(&w->timer, &due);
            if (due.item != NULL) {
                bgi_push(here, due.item);
            }
        }
    }
}

static void rest_nothing(int served)
{
    (void)served;
    nobody_waits(chan(0));
    nobody_waits(chan(1));
}

static void setup_full_second(int waiters)
{
    setup(waiters);
    while (bg_chan_length(chan(1)) < shape.capacity) {
        put(1);
    }
}

/* ---- all of them ---- */

static void in_each_shape(const struct moments_subject *s, unsigned long least)
{
    for (shape.capacity = 0; shape.capacity < 3; shape.capacity++) {
        for (shape.owned = 0; shape.owned < 2; shape.owned++) {
            run_moments(s, least);
        }
    }
    shape = (struct shape){0, 0, 0};
}

Test(moments, of_a_receiver_and_a_sender)
{
    static const struct moments_subject s = {
        .name = "recv",
        .setup = setup,
        .wait = wait_recv,
        .give = give_item,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_items,
        .settled = check_both,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_receiver_and_a_close)
{
    static const struct moments_subject s = {
        .name = "recv, closed",
        .setup = setup,
        .wait = wait_recv,
        .give = give_close,
        .may_give = not_closed,
        .more = more_once,
        .rest = rest_items,
        .settled = check_both,
        .unordered = 1,
        .gone = CHAN_WORDS,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_sender_and_a_receiver)
{
    static const struct moments_subject s = {
        .name = "send",
        .setup = setup_full,
        .wait = wait_send,
        .give = give_room,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_sent,
        .settled = check_both,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_sender_and_a_close)
{
    static const struct moments_subject s = {
        .name = "send, closed",
        .setup = setup_full,
        .wait = wait_send,
        .give = give_close,
        .may_give = not_closed,
        .more = more_once,
        .rest = rest_sent,
        .settled = check_both,
        .unordered = 1,
        .gone = CHAN_WORDS,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_that_receives)
{
    static const struct moments_subject s = {
        .name = "select, receives",
        .setup = setup,
        .wait = wait_select_recv,
        .give = give_items,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_items,
        .settled = check_both,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_that_receives_and_two_senders)
{
    static const struct moments_subject s = {
        .name = "select, receives from either",
        .setup = setup,
        .wait = wait_select_recv,
        .give = give_items,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_items,
        .settled = check_both,
        .unordered = 1, /* two are ready at once */
    };
    shape.both = 1;
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_that_receives_and_a_close)
{
    static const struct moments_subject s = {
        .name = "select, closed",
        .setup = setup,
        .wait = wait_select_recv,
        .give = give_close,
        .may_give = not_closed,
        .more = more_once,
        .rest = rest_items,
        .settled = check_both,
        .unordered = 1,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_that_sends)
{
    static const struct moments_subject s = {
        .name = "select, sends",
        .setup = setup_full,
        .wait = wait_select_send,
        .give = give_rooms,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_sent,
        .settled = check_both,
    };
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_that_sends_and_two_receivers)
{
    static const struct moments_subject s = {
        .name = "select, sends to either",
        .setup = setup_full,
        .wait = wait_select_send,
        .give = give_rooms,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_sent,
        .settled = check_both,
        .unordered = 1, /* two are ready at once */
    };
    shape.both = 1;
    in_each_shape(&s, 500);
}

Test(moments, of_a_select_and_its_time)
{
    static const struct moments_subject s = {
        .name = "select, until it is time",
        .setup = setup_full_second,
        .wait = wait_select_time,
        .give = give_time,
        .may_give = outside,
        .more = make_gift,
        .rest = rest_nothing,
        .settled = check_both,
        .unordered = 1,
    };
    in_each_shape(&s, 500);
}
