/*
 * Helpers (helpers_types.h): select.
 */
#ifndef BGP_HELPERS_SELECT_H
#define BGP_HELPERS_SELECT_H

#include "helpers_chan.h"

/*@ choose: sending, receiving, waited */
enum { DIRECTLY, OR_AT_ONCE, OR_AFTER };

struct choice {
    int n;
    const int *which; /* twice the channel's number, and 1 for a send */
    bg_case cases[8];
    struct item item[8];
    int result[8];
};

static inline void make_cases(int t, struct choice *s, int told)
{
    for (int k = 0; k < s->n; k++) {
        struct chan *c = &chans[s->which[k] / 2];
        int *result = told ? &s->result[k] : NULL;
        s->result[k] = 1;
        if (s->which[k] % 2 != 0) {
            draw_ticket(t, c, &s->item[k]);
            s->cases[k] = bg_case_send(c->chan, &s->item[k], result);
        } else {
            s->cases[k] = bg_case_recv(c->chan, &s->item[k], result);
        }
    }
}

/* Case i was taken, or, -1, none: nothing has been received by the others. */
static inline void look_at_cases(int t, const struct choice *s, int i)
{
    for (int k = 0; k < s->n; k++) {
        if (k != i) {
            CHECK(t, s->which[k] % 2 != 0 || s->item[k].check == 0);
            CHECK(t, s->result[k] == 1);
        }
    }
}

/* Case i was taken. */
static inline void look_at_case(int t, const struct choice *s, int i, int told)
{
    struct chan *c = &chans[s->which[i] / 2];
    CHECK(t, s->result[i] == (told ? 0 : 1));
    if (s->which[i] % 2 != 0) {
        count_sent(c, &s->item[i]);
        return;
    }
    received(t, c, &s->item[i]);
    for (int k = 0; k < s->n; k++) { /* not what it would have sent itself */
        CHECK(t,
              k == i || s->which[k] != s->which[i] + 1 || s->item[k].ticket != s->item[i].ticket);
    }
}

/* One of some sends and receives; or, if none is possible, nothing at once or after some time. */
static inline int choose(int t, int n, const int *which, int otherwise, int told, bg_duration d)
{
    struct choice s = {.n = n, .which = which};
    make_cases(t, &s, told);
    s.cases[n] = otherwise == OR_AT_ONCE ? BG_DEFAULT : BG_AFTER(d);
    int sure = otherwise == OR_AT_ONCE ? 0 : before_wait(t);
    bg_time since = bg_now();
    int r = bg_select_cases(s.cases, (size_t)n + (otherwise != DIRECTLY));
    if (r < 0 && r != -EPIPE) {
        CHECK(t, otherwise != OR_AT_ONCE); /* it cannot be cancelled */
        look_at_cases(t, &s, -1);
        return after_wait(t, sure, r);
    }
    CHECK(t, sure == 0 && r < n + (otherwise != DIRECTLY));
    if (r >= n) {
        CHECK(t, otherwise == OR_AT_ONCE || bg_now() - since >= d);
        look_at_cases(t, &s, -1);
        return 0;
    }
    look_at_cases(t, &s, r);
    if (r == -EPIPE) {
        int some = 0;
        for (int k = 0; k < n; k++) {
            some |= load(&chans[which[k] / 2].closing) != 0;
        }
        CHECK(t, !told && some);
    } else if (s.result[r] == -EPIPE) {
        CHECK(t, load(&chans[which[r] / 2].closing) != 0);
    } else {
        look_at_case(t, &s, r, told);
    }
    return 0;
}

/*@ merge: producer, might_miss_it, waited */
/* Receives what two tasks of its own send, as it comes. */
static inline int merge(int t, int n, int room)
{
    struct producer p[2];
    int got[2] = {0, 0}, is_open[2] = {1, 1};
    int failed = 0;
    if (might_miss_it(t)) {
        return 0;
    }
    start_producer(t, &p[0], n, room);
    start_producer(t, &p[1], n, room);
    while (failed == 0 && (is_open[0] || is_open[1])) {
        int k[2] = {-1, -1}, result[2] = {1, 1};
        int sure = before_wait(t);
        int r = bg_select(BG_RECV(is_open[0] ? p[0].chan : NULL, &k[0], &result[0]),
                          BG_RECV(is_open[1] ? p[1].chan : NULL, &k[1], &result[1]));
        failed = after_wait(t, sure, r < 0 ? r : 0);
        if (r < 0) {
            break;
        }
        if (r > 1 || !is_open[r] || k[1 - r] != -1) {
            CHECK(t, !"the case that was taken");
            failed = -EIO;
            break;
        }
        if (result[r] == -EPIPE) {
            is_open[r] = 0;
        } else {
            CHECK(t, result[r] == 0 && k[r] == got[r]);
            got[r]++;
        }
    }
    end_producer(t, &p[0], got[0], failed != 0);
    end_producer(t, &p[1], got[1], failed != 0);
    return failed == -EIO ? 0 : failed;
}

/*@ scatter: await_own, might_miss_it, waited */
/* A task that receives growing numbers until the channel is closed. */
struct consumer {
    int got, last;
    bg_chan *chan;
    bg_task *task;
    word ended;
};

static inline int consume(void *arg)
{
    struct consumer *c = arg;
    int k = 0, r;
    while ((r = bg_recv(c->chan, &k)) == 0) {
        CHECK(-1, k > c->last);
        c->last = k;
        c->got++;
    }
    CHECK(-1, r == -EPIPE || r == -ECANCELED || r == -ETIMEDOUT);
    (void)bg_close(c->chan);
    store_release(&c->ended, 1);
    return r == -EPIPE ? 0 : r;
}

static inline void start_consumer(int t, struct consumer *c, int room)
{
    *c = (struct consumer){.last = -1, .chan = bg_chan_create(sizeof(int), (size_t)room)};
    CHECK(t, c->chan != NULL);
    c->task = bg_spawn(consume, c);
    CHECK(t, c->task != NULL);
    (void)add(&all_spawned, c->task != NULL);
}

static inline void end_consumer(int t, struct consumer *c, int sent)
{
    int left = 0;
    (void)bg_close(c->chan);
    int r = await_own(t, c->task, &c->ended);
    while (bg_try_recv(c->chan, NULL) == 0) {
        left++;
    }
    CHECK(t, c->got + left == sent && (r != 0 || left == 0));
    bg_chan_destroy(c->chan);
}

/* Sends the numbers from 0 to n - 1 to two tasks of its own, as they take them. */
static inline int scatter(int t, int n, int room)
{
    struct consumer c[2];
    int sent[2] = {0, 0}, result[2] = {0, 0};
    int failed = 0;
    if (might_miss_it(t)) {
        return 0;
    }
    start_consumer(t, &c[0], room);
    start_consumer(t, &c[1], 0);
    for (int k = 0; k < n && failed == 0; k++) {
        int sure = before_wait(t);
        int r = bg_select(BG_SEND(c[0].chan, &k, &result[0]), BG_SEND(c[1].chan, &k, &result[1]));
        failed = after_wait(t, sure, r < 0 ? r : 0);
        CHECK(t, r <= 1);
        if (r < 0 || r > 1) {
            continue;
        }
        CHECK(t, result[r] == 0 || (result[r] == -EPIPE && load(&leaving) != 0));
        if (result[r] != 0) {
            break;
        }
        sent[r]++;
    }
    end_consumer(t, &c[0], sent[0]);
    end_consumer(t, &c[1], sent[1]);
    return failed;
}

#endif
