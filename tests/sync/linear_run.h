/*
 * Random programs of a few parties on a few channels, and the history of what they did, for
 * support/linear.h. Parties are tasks, in the deterministic mode or on workers, or plain threads.
 *
 * Whoever would wait does so for a short time only, by a scope around it or by a BG_AFTER: a wait
 * that ended so has done nothing, and is left out of the history; if it did something all the same,
 * what follows does not fit. At the end the channels are emptied: what was lost is missing then.
 */
#ifndef TESTS_SYNC_LINEAR_RUN_H
#define TESTS_SYNC_LINEAR_RUN_H

#include "../support/linear.h"
#include "../task/check.h"

#include "base/random.h"

enum { LR_PARTIES = 4, LR_EACH = 9, LR_CHANS = 2 };

_Static_assert(LR_PARTIES *LR_EACH + LR_CHANS * LIN_ROOM <= LIN_OPS, "they fit");

struct lr_run {
    bg_chan *ch[LR_CHANS];
    bgi_atomic stamp, number, begun;
    uint64_t seed;
    int closes;
    struct lin_history h;
    struct lin_op op[LR_PARTIES][LR_EACH];
    size_t count[LR_PARTIES];
};

static inline size_t lr_stamp(struct lr_run *r)
{
    return bgi_fetch_add(&r->stamp, 1);
}

/* How one operation ended: fills in what became of it. 0: it has done nothing. */
static inline int lr_ended(struct lin_op *op, enum lin_kind kind, int chan, int result, int value)
{
    if (result == -ETIMEDOUT || result == -ECANCELED) {
        return 0;
    }
    op->kind = kind;
    op->chan = chan;
    op->result = result;
    op->value = result == 0 && kind != LIN_CLOSE ? value : 0;
    if (result == -EAGAIN) {
        op->kind = LIN_REFUSED;
        op->result = 0;
        op->no_send = kind == LIN_SEND ? 1U << chan : 0;
        op->no_recv = kind == LIN_RECV ? 1U << chan : 0;
    }
    return 1;
}

/* Two to four cases; with `otherwise` a default, else a time. */
static inline int lr_select(struct lr_run *r, struct bgi_random *random, struct lin_op *op,
                            int value, int otherwise, bg_duration patience)
{
    bg_case cases[5];
    int in[4] = {0, 0, 0, 0}, result = 0;
    size_t n = 2 + bgi_random_below(random, 3);
    op->no_send = op->no_recv = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned chan = bgi_random_below(random, LR_CHANS);
        if (bgi_random_below(random, 2) == 0) {
            cases[i] = BG_SEND(r->ch[chan], &value, &result);
            op->no_send |= 1U << chan;
        } else {
            cases[i] = BG_RECV(r->ch[chan], &in[i], &result);
            op->no_recv |= 1U << chan;
        }
    }
    cases[n] = otherwise ? BG_DEFAULT : BG_AFTER(patience);
    int k = bg_select_cases(cases, n + 1);
    CHECK(k >= 0 || k == -ETIMEDOUT);
    if (k < 0 || (size_t)k == n) {
        op->kind = LIN_REFUSED;
        return k >= 0 && otherwise;
    }
    op->no_send = op->no_recv = 0;
    int chan = cases[k].chan == r->ch[0] ? 0 : 1;
    return cases[k].kind == BG_CASE_SEND ? lr_ended(op, LIN_SEND, chan, result, value)
                                         : lr_ended(op, LIN_RECV, chan, result, in[k]);
}

/* As a task; a plain thread waits in selects alone. */
static inline int lr_one(struct lr_run *r, struct bgi_random *random, struct lin_op *op, int value)
{
    int what = (int)bgi_random_below(random, 16), in_task = bg_self() != NULL, done = 0, in = 0;
    int chan = (int)bgi_random_below(random, LR_CHANS);
    bg_duration patience = (bg_duration)bgi_random_below(random, 4) * 20 * BG_US + 1;
    bg_chan *ch = r->ch[chan];

    if (what < 2) {
        return lr_ended(op, LIN_SEND, chan, bg_try_send(ch, &value), value);
    }
    if (what < 4) {
        int result = bg_try_recv(ch, &in);
        return lr_ended(op, LIN_RECV, chan, result, in);
    }
    if (what == 4 && r->closes) {
        return lr_ended(op, LIN_CLOSE, chan, bg_close(ch), 0);
    }
    if (what < 10 && in_task) {
        bg_timeout (patience) {
            int result = what < 7 ? bg_send(ch, &value) : bg_recv(ch, &in);
            done = what < 7 ? lr_ended(op, LIN_SEND, chan, result, value)
                            : lr_ended(op, LIN_RECV, chan, result, in);
        }
        return done;
    }
    if (what % 2 == 0 && in_task) {
        bg_timeout (patience) {
            done = lr_select(r, random, op, value, 0, 1000 * BG_S);
        }
        return done;
    }
    return lr_select(r, random, op, value, what < 12, patience);
}

static inline void lr_party(struct lr_run *r)
{
    struct bgi_random random;
    size_t me = bgi_fetch_add(&r->number, 1);
    bgi_random_seed(&random, r->seed * LR_PARTIES + me);
    for (size_t i = 0; i < LR_EACH; i++) {
        struct lin_op *op = &r->op[me][r->count[me]];
        memset(op, 0, sizeof *op);
        op->begin = lr_stamp(r);
        int counts = lr_one(r, &random, op, (int)(1 + me * LR_EACH + i));
        op->end = lr_stamp(r);
        r->count[me] += counts != 0;
    }
}

static inline void lr_begin(struct lr_run *r, uint64_t seed)
{
    struct bgi_random random;
    memset(r, 0, sizeof *r);
    bgi_random_seed(&random, seed);
    r->seed = seed;
    r->closes = bgi_random_below(&random, 3) == 0;
    r->h.chans = LR_CHANS;
    for (int i = 0; i < LR_CHANS; i++) {
        r->h.room[i] = (int)bgi_random_below(&random, LIN_ROOM);
        r->ch[i] = bg_chan_create(sizeof(int), (size_t)r->h.room[i]);
        CHECK(r->ch[i] != NULL);
    }
}

/* Empties the channels; whether the history is linearizable. */
static inline int lr_end(struct lr_run *r)
{
    for (size_t p = 0; p < LR_PARTIES; p++) {
        memcpy(r->h.op + r->h.n, r->op[p], r->count[p] * sizeof r->op[p][0]);
        r->h.n += r->count[p];
    }
    for (int i = 0; i < LR_CHANS; i++) {
        for (int k = 0; k <= r->h.room[i]; k++) { /* once more than there may be */
            struct lin_op *op = &r->h.op[r->h.n++];
            int in = 0;
            memset(op, 0, sizeof *op);
            op->begin = lr_stamp(r);
            int result = bg_try_recv(r->ch[i], &in);
            (void)lr_ended(op, LIN_RECV, i, result, in);
            op->end = lr_stamp(r);
        }
        bg_chan_destroy(r->ch[i]);
    }
    return lin_check(&r->h);
}

static inline int lr_task(void *arg)
{
    lr_party(arg);
    return 0;
}

/* As main: whether all of so many programs were linearizable; else prints the first that was not.
 */
struct lr_job {
    uint64_t first;
    int programs, quiet;
};

static inline int lr_main(void *arg)
{
    const struct lr_job *job = arg;
    static struct lr_run r;
    uint64_t first = job->first + bg_seed() * 1000;
    for (int i = 0; i < job->programs; i++) {
        bg_task *t[LR_PARTIES];
        lr_begin(&r, first + (uint64_t)i);
        for (int p = 0; p < LR_PARTIES; p++) {
            t[p] = bg_spawn(lr_task, &r);
        }
        CHECK(bg_gather_all(t, LR_PARTIES, NULL) == 0);
        if (!lr_end(&r)) {
            if (!job->quiet) {
                (void)fprintf(stderr, "program %llu:\n", (unsigned long long)r.seed);
                lin_print(&r.h);
            }
            return -EPROTO;
        }
    }
    return 0;
}

#endif
