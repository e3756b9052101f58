/*
 * Kinds of operations: channels.
 *
 * Who sends or receives where nobody may ever come by has to be doomed, or within a timeout. A
 * token comes back, and a relay has a sender of its own.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_chan.h"

enum { TRY = 1 }; /* a flag */

static void generate_transfer(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, CHANS)};
    op.flags = bgp_one_in(g, 3) ? TRY : 0;
    bgp_generate_limited(g, op);
}

static int fits_transfer(struct bgp_builder *b, struct bgp_op *op)
{
    return (op->flags & TRY) != 0 || bgp_may_wait_for_ever(b);
}

static void print_transfer(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, %d)", op->kind->name, t, op->what, (op->flags & TRY) != 0);
}

static int run_put(int t, const struct bgp_op *op)
{
    return put(t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_put = {
    .name = "put",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 10,
    .generate = generate_transfer,
    .fits = fits_transfer,
    .run = run_put,
    .print = print_transfer,
    .helper = "put",
};

static int run_get(int t, const struct bgp_op *op)
{
    return get(t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_get = {
    .name = "get",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 10,
    .generate = generate_transfer,
    .fits = fits_transfer,
    .run = run_get,
    .print = print_transfer,
    .helper = "get",
};

static void generate_close_chan(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .what = (uint16_t)bgp_below(g, CHANS)});
}

static int run_close_chan(int t, const struct bgp_op *op)
{
    close_chan(t, op->what);
    return 0;
}

static void print_close_chan(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "close_chan(%d, %d)", t, op->what);
}

const struct bgp_kind bgp_kind_close_chan = {
    .name = "close_chan",
    .flags = BGP_IN_THREAD,
    .weight = 1,
    .generate = generate_close_chan,
    .run = run_close_chan,
    .print = print_close_chan,
    .helper = "close_chan",
};

/* ---- what is given back ---- */

static void generate_token(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, CHANS)};
    op.flags = bgp_one_in(g, 4) ? TRY : 0;
    op.n = (uint16_t)bgp_below(g, 3);
    op.d = bgp_one_in(g, 2) ? bgp_any_time(g) % BG_S : 0; /* others wait meanwhile */
    (void)bgp_emit(g, op);
}

static int run_token(int t, const struct bgp_op *op)
{
    return token(t, op->what, (op->flags & TRY) != 0, op->n, op->d);
}

static void print_token(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "token(%d, %d, %d, %d, ", t, op->what, (op->flags & TRY) != 0, op->n);
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

const struct bgp_kind bgp_kind_token = {
    .name = "token",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 6,
    .generate = generate_token,
    .run = run_token,
    .print = print_token,
    .helper = "token",
};

/* ---- a sender of its own ---- */

static void generate_relay(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind};
    op.what = (uint16_t)bgp_below(g, 3);
    op.n = (uint16_t)bgp_below(g, 7);
    (void)bgp_emit(g, op);
}

static int run_relay(int t, const struct bgp_op *op)
{
    return relay(t, op->n, op->what);
}

static void print_relay(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "relay(%d, %d, %d)", t, op->n, op->what);
}

const struct bgp_kind bgp_kind_relay = {
    .name = "relay",
    .flags = BGP_NUMBER | BGP_WAITS,
    .weight = 6,
    .generate = generate_relay,
    .run = run_relay,
    .print = print_relay,
    .helper = "relay",
};
