/*
 * Kinds of operations: futures.
 *
 * Who waits for what nobody need set has to be doomed, or within a timeout.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_future.h"

enum { FAILS = 1, TRY = 1 }; /* flags */

static void generate_settle(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, FUTURES)};
    op.flags = bgp_one_in(g, 3) ? FAILS : 0;
    (void)bgp_emit(g, op);
}

/* name(t, what, its flag) */
static void print_of_future(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, %d)", op->kind->name, t, op->what, op->flags != 0);
}

static int run_settle(int t, const struct bgp_op *op)
{
    settle(t, op->what, (op->flags & FAILS) != 0);
    return 0;
}

const struct bgp_kind bgp_kind_settle = {
    .name = "settle",
    .flags = BGP_IN_THREAD | BGP_FLAGS,
    .weight = 2,
    .generate = generate_settle,
    .run = run_settle,
    .print = print_of_future,
    .helper = "settle",
};

static void generate_expect(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, FUTURES)};
    op.flags = bgp_one_in(g, 3) ? TRY : 0;
    bgp_generate_limited(g, op);
}

static int fits_expect(struct bgp_builder *b, struct bgp_op *op)
{
    return (op->flags & TRY) != 0 || bgp_may_wait_for_ever(b);
}

static int run_expect(int t, const struct bgp_op *op)
{
    return expect(t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_expect = {
    .name = "expect",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 5,
    .generate = generate_expect,
    .fits = fits_expect,
    .run = run_expect,
    .print = print_of_future,
    .helper = "expect",
};
