/*
 * Helpers (helpers_types.h): channels.
 *
 * Whatever the order of events: what was sent with success was received once, or is in the channel
 * in the end, and nothing else is; who receives two items of one sender receives them in the order
 * in which they were sent.
 */
#ifndef BGP_HELPERS_CHAN_H
#define BGP_HELPERS_CHAN_H

#include "helpers_lock.h"

/*@ items: chan_types */
static inline word_value check_of(const struct item *item)
{
    word_value x = ((word_value)item->ticket << 20) + (word_value)item->from;
    x = (x ^ x >> 15) * 0x9e3779b97f4a7c15UL;
    return x ^ x >> 29;
}

/* Something has been received. */
static inline void count_received(int t, struct chan *c, const struct item *item)
{
    CHECK(t, item->check == check_of(item));
    CHECK(t, item->ticket <= load(&c->tickets));
    (void)add(&c->received, 1);
    (void)add(&c->received_sum, item->check);
}

/*@ begin_chans: items */
static inline void begin_chans(void)
{
    static const size_t room[CHANS] = {0, 1, 4};
    for (int i = 0; i < CHANS; i++) {
        chans[i].chan = bg_chan_create(sizeof(struct item), room[i]);
        chans[i].pool = bg_chan_create(sizeof(int), (size_t)i + 1);
        CHECK(-1, chans[i].chan != NULL && bg_chan_capacity(chans[i].chan) == room[i]);
        CHECK(-1, chans[i].pool != NULL);
        for (int k = 0; k <= i; k++) {
            CHECK(-1, bg_try_send(chans[i].pool, &k) == 0);
        }
    }
}

/*@ finish_chans: items */
/* When all have ended: receives what is left. */
static inline void finish_chans(void)
{
    for (int i = 0; i < CHANS; i++) {
        struct chan *c = &chans[i];
        struct item item;
        int k, r = bg_close(c->chan);
        CHECK(-1, r == (load(&c->closing) != 0 ? -EALREADY : 0));
        while ((r = bg_try_recv(c->chan, &item)) == 0) {
            count_received(-1, c, &item);
        }
        CHECK(-1, r == -EPIPE && bg_try_send(c->chan, &item) == -EPIPE);
        CHECK(-1, load(&c->sent) == load(&c->received));
        CHECK(-1, load(&c->sent_sum) == load(&c->received_sum));
        CHECK(-1, bg_chan_length(c->pool) == (size_t)i + 1);
        while (bg_try_recv(c->pool, &k) == 0) {
            CHECK(-1, k >= 0 && k <= i && c->holder[k] == 0);
            c->holder[k] = 1;
        }
        bg_chan_destroy(c->chan);
        bg_chan_destroy(c->pool);
    }
}

/*@ sending: items */
static inline void draw_ticket(int t, struct chan *c, struct item *item)
{
    *item = (struct item){.from = t, .ticket = (unsigned)add(&c->tickets, 1) + 1};
    item->check = check_of(item);
}

/* It has been sent. */
static inline void count_sent(struct chan *c, const struct item *item)
{
    (void)add(&c->sent, 1);
    (void)add(&c->sent_sum, item->check);
}

/*@ put: sending, waited */
static inline int put(int t, int i, int only_try)
{
    struct chan *c = &chans[i];
    struct item item;
    int r, failed = 0;
    draw_ticket(t, c, &item);
    if (only_try) {
        r = bg_try_send(c->chan, &item);
        CHECK(t, r == 0 || r == -EAGAIN || r == -EPIPE);
    } else {
        int sure = before_wait(t);
        r = bg_send(c->chan, &item);
        failed = after_wait(t, sure, r == -EPIPE ? 0 : r);
    }
    CHECK(t, r != -EPIPE || load(&c->closing) != 0);
    CHECK(t, bg_chan_length(c->chan) <= bg_chan_capacity(c->chan));
    if (r == 0) {
        count_sent(c, &item);
    }
    return failed;
}

/*@ receiving: items */
/* t has received it: of this sender, it is the latest. */
static inline void received(int t, struct chan *c, const struct item *item)
{
    word *slot = &c->seen[(unsigned)(t * 7 + item->from) % SEEN];
    word_value pair = (word_value)t << 48 | (word_value)item->from << 32;
    word_value seen = load(slot);
    count_received(t, c, item);
    CHECK(t, (seen ^ pair) >> 32 != 0 || (seen & 0xffffffff) < item->ticket);
    store(slot, pair | item->ticket);
}

/*@ get: receiving, waited */
static inline int get(int t, int i, int only_try)
{
    struct chan *c = &chans[i];
    struct item item = {0};
    int r, failed = 0;
    if (only_try) {
        r = bg_try_recv(c->chan, &item);
        CHECK(t, r == 0 || r == -EAGAIN || r == -EPIPE);
    } else {
        int sure = before_wait(t);
        r = bg_recv(c->chan, &item);
        failed = after_wait(t, sure, r == -EPIPE ? 0 : r);
    }
    CHECK(t, r != -EPIPE || load(&c->closing) != 0);
    if (r == 0) {
        received(t, c, &item);
    } else {
        CHECK(t, item.check == 0);
    }
    return failed;
}

/*@ close_chan: chan_types */
static inline void close_chan(int t, int i)
{
    (void)add(&chans[i].closing, 1);
    int r = bg_close(chans[i].chan);
    CHECK(t, r == 0 || (r == -EALREADY && load(&chans[i].closing) > 1));
}

/*@ token: chan_types, stay */
/* Has one of the tokens for a while. */
static inline int token(int t, int i, int only_try, int n, bg_duration d)
{
    struct chan *c = &chans[i];
    int k = -1, r;
    if (only_try) {
        r = bg_try_recv(c->pool, &k);
        CHECK(t, r == 0 || r == -EAGAIN);
        if (r != 0) {
            return 0;
        }
    } else {
        int sure = before_wait(t);
        r = after_wait(t, sure, bg_recv(c->pool, &k));
        if (r != 0) {
            return r;
        }
    }
    CHECK(t, k >= 0 && k <= i);
    if (k < 0 || k > i) {
        return 0;
    }
    CHECK(t, c->holder[k] == 0);
    c->holder[k] = t + 1;
    r = stay(t, n, d);
    CHECK(t, c->holder[k] == t + 1);
    c->holder[k] = 0;
    CHECK(t, bg_try_send(c->pool, &k) == 0); /* there is room for all */
    return r;
}

/*@ await_own: types */
/* Awaits a task that t has spawned besides, which uses what is on t's stack. */
static inline int await_own(int t, bg_task *task, word *ended)
{
    int r = bg_await(task);
    if (r != -ECANCELED && r != -ETIMEDOUT) { /* else it may never have begun */
        CHECK(t, load_acquire(ended) == 1);
    }
    while (r == 0 && load_acquire(ended) == 0) { /* or worse would follow */
        bg_yield();
    }
    return r;
}

/*@ producer: await_own */
/* A task that sends the numbers from 0 to n - 1, and closes the channel. */
struct producer {
    int n, sent;
    bg_chan *chan;
    bg_task *task;
    word ended;
};

static inline int produce(void *arg)
{
    struct producer *p = arg;
    int r = 0;
    while (p->sent < p->n && (r = bg_send(p->chan, &p->sent)) == 0) {
        p->sent++;
    }
    CHECK(-1, r == 0 || r == -EPIPE || r == -ECANCELED || r == -ETIMEDOUT);
    r = r == 0 && p->sent < p->n ? -EIO : r;
    (void)bg_close(p->chan);
    store_release(&p->ended, 1);
    return r;
}

static inline void start_producer(int t, struct producer *p, int n, int room)
{
    *p = (struct producer){.n = n, .chan = bg_chan_create(sizeof(int), (size_t)room)};
    CHECK(t, p->chan != NULL);
    p->task = bg_spawn(produce, p);
    CHECK(t, p->task != NULL);
    (void)add(&all_spawned, p->task != NULL);
}

/* The end of that, after so many have been received; cut_short: who received them is to end. */
static inline void end_producer(int t, struct producer *p, int got, int cut_short)
{
    if (cut_short) {
        (void)bg_close(p->chan);
    }
    int r = await_own(t, p->task, &p->ended);
    CHECK(t, r == 0 || cut_short || load(&leaving) != 0);
    while (bg_try_recv(p->chan, NULL) == 0) {
        CHECK(t, cut_short);
        got++;
    }
    CHECK(t, got == p->sent && (r != 0 || got == p->n));
    bg_chan_destroy(p->chan);
}

/*@ might_miss_it: types */
/* Whether one that is cancelled before it begins, when main leaves, would be waited for all the
 * same. */
static inline int might_miss_it(int t)
{
    int shielded = 0;
    for (int i = 0; i < tasks[t].depth; i++) {
        shielded |= tasks[t].scope[i].shield;
    }
    return LEAVES && shielded;
}

/*@ relay: producer, might_miss_it, waited */
/* Receives all that a task of its own sends. */
static inline int relay(int t, int n, int room)
{
    struct producer p;
    int got = 0, failed = 0;
    if (might_miss_it(t)) {
        return 0;
    }
    start_producer(t, &p, n, room);
    for (;;) {
        int k = -1, sure = before_wait(t);
        int r = bg_recv(p.chan, &k);
        failed = after_wait(t, sure, r == -EPIPE ? 0 : r);
        if (r != 0) {
            break;
        }
        CHECK(t, k == got);
        got++;
    }
    end_producer(t, &p, got, failed != 0);
    return failed;
}

#endif
