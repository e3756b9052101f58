/*
 * Whether a recorded history of operations on bounded channels is linearizable: whether there is an
 * order of all of them in which each lies between its beginning and its end, and in which channels
 * that do one thing at a time give just these results.
 *
 * The search is that of Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 17, 1993):
 * next in the order may be any operation that began before all that are left have ended. States
 * that were found to lead nowhere (what is done, and what the channels hold) are remembered, as
 * Lowe does in "Testing for linearizability" (2017).
 *
 * A channel without room is no object of its own: there a send and a receive take place together,
 * at a moment that lies within both. That nobody was there to meet cannot be told from a history,
 * so there every refusal is allowed.
 */
#ifndef TESTS_SUPPORT_LINEAR_H
#define TESTS_SUPPORT_LINEAR_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIN_OPS = 64, LIN_CHANS = 4, LIN_ROOM = 4 };

enum lin_kind { LIN_SEND, LIN_RECV, LIN_CLOSE, LIN_REFUSED };

struct lin_op {
    size_t begin, end; /* stamps, all different */
    enum lin_kind kind;
    int chan;
    int result; /* 0; -EPIPE; for a close -EALREADY */
    int value;  /* all sent are different */
    /* LIN_REFUSED: at one moment none of these was possible, a bit for each channel. */
    unsigned no_send, no_recv;
};

struct lin_history {
    int chans;
    int room[LIN_CHANS];
    size_t n;
    struct lin_op op[LIN_OPS];
};

struct lin_chan {
    int count, closed, item[LIN_ROOM];
};

struct lin_state {
    uint64_t done; /* a bit for each operation */
    struct lin_chan chan[LIN_CHANS];
};

enum { LIN_SEEN = 1 << 16 }; /* a power of two */

struct lin_search {
    const struct lin_history *h;
    struct lin_state *seen; /* a hash table; done 0: empty */
    size_t used;
};

/* 1: it was not there, and is now. A full table forgets all: the search only takes longer. */
static inline int lin_remember(struct lin_search *s, const struct lin_state *state)
{
    const unsigned char *bytes = (const unsigned char *)state;
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < sizeof *state; i++) {
        hash = (hash ^ bytes[i]) * 1099511628211U;
    }
    if (s->used >= LIN_SEEN / 2) {
        memset(s->seen, 0, LIN_SEEN * sizeof *s->seen);
        s->used = 0;
    }
    size_t at = (hash ^ hash >> 32) % LIN_SEEN;
    for (; s->seen[at].done != 0; at = (at + 1) % LIN_SEEN) {
        if (memcmp(&s->seen[at], state, sizeof *state) == 0) {
            return 0;
        }
    }
    s->seen[at] = *state;
    s->used++;
    return 1;
}

/* Does the operation alone: 1 if it gives the result it had. */
static inline int lin_do(const struct lin_history *h, const struct lin_op *op, struct lin_state *s)
{
    struct lin_chan *c = &s->chan[op->chan];
    switch (op->kind) {
    case LIN_SEND:
        if (op->result == -EPIPE) {
            return c->closed;
        }
        if (c->closed || c->count >= h->room[op->chan]) {
            return 0; /* without room it takes two */
        }
        c->item[c->count++] = op->value;
        return 1;
    case LIN_RECV:
        if (op->result == -EPIPE) {
            return c->closed && c->count == 0;
        }
        if (c->count == 0 || c->item[0] != op->value) {
            return 0;
        }
        c->count--;
        memmove(c->item, c->item + 1, (size_t)c->count * sizeof c->item[0]);
        c->item[c->count] = 0; /* states that are the same look the same */
        return 1;
    case LIN_CLOSE:
        if ((op->result == -EALREADY) != c->closed) {
            return 0;
        }
        c->closed = 1;
        return 1;
    case LIN_REFUSED:
        for (int i = 0; i < h->chans; i++) {
            const struct lin_chan *other = &s->chan[i];
            if (((op->no_send >> i & 1) != 0 && (other->closed || other->count < h->room[i])) ||
                ((op->no_recv >> i & 1) != 0 && (other->closed || other->count > 0))) {
                return 0;
            }
        }
        return 1;
    }
    return 0;
}

/* The receive that a send without room meets, or n. */
static inline size_t lin_partner(const struct lin_history *h, const struct lin_op *send,
                                 const struct lin_state *s)
{
    for (size_t i = 0; i < h->n; i++) {
        const struct lin_op *op = &h->op[i];
        if ((s->done >> i & 1) == 0 && op->kind == LIN_RECV && op->result == 0 &&
            op->chan == send->chan && op->value == send->value) {
            return i;
        }
    }
    return h->n;
}

static inline int lin_search(struct lin_search *s, const struct lin_state *from)
{
    const struct lin_history *h = s->h;
    size_t first_end = SIZE_MAX;

    for (size_t i = 0; i < h->n; i++) {
        if ((from->done >> i & 1) == 0 && h->op[i].end < first_end) {
            first_end = h->op[i].end;
        }
    }
    if (first_end == SIZE_MAX) {
        return 1;
    }
    for (size_t i = 0; i < h->n; i++) {
        const struct lin_op *op = &h->op[i];
        struct lin_state next = *from;
        if ((from->done >> i & 1) != 0 || op->begin > first_end) {
            continue;
        }
        next.done |= (uint64_t)1 << i;
        if (op->kind == LIN_SEND && op->result == 0 && h->room[op->chan] == 0) {
            size_t other = lin_partner(h, op, from);
            if (other == h->n || h->op[other].begin > first_end || from->chan[op->chan].closed) {
                continue;
            }
            next.done |= (uint64_t)1 << other;
        } else if (!lin_do(h, op, &next)) {
            continue;
        }
        if (lin_remember(s, &next) && lin_search(s, &next)) {
            return 1;
        }
    }
    return 0;
}

static inline void lin_print(const struct lin_history *h)
{
    static const char *const names[] = {"send", "recv", "close", "refused"};
    for (size_t i = 0; i < h->n; i++) {
        const struct lin_op *op = &h->op[i];
        (void)fprintf(stderr, "  %3zu..%3zu %-7s chan %d (room %d) value %d: %d; no %x %x\n",
                      op->begin, op->end, names[op->kind], op->chan, h->room[op->chan], op->value,
                      op->result, op->no_send, op->no_recv);
    }
}

/* 1: it is; 0: it is not. */
static inline int lin_check(const struct lin_history *h)
{
    struct lin_state none;
    struct lin_search s = {h, calloc(LIN_SEEN, sizeof *s.seen), 0};
    memset(&none, 0, sizeof none);
    int found = s.seen != NULL && lin_search(&s, &none);
    free(s.seen);
    return found;
}

#endif
