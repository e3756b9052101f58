/*
 * Kinds of operations: blocking calls.
 *
 * n is what the function returns, or, with FAILS, the negative of that; d is how long it blocks
 * its thread: not for long, since many may wait for a few threads.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"

#include "helpers_block.h"

enum { FAILS = 1, FAILURES = 64 }; /* a flag; those numbers are none that a wait fails with */

static void generate_block(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .d = bgp_any_time(g) % (100 * BG_US)};
    op.n = (uint16_t)bgp_below(g, FAILURES);
    op.flags = bgp_one_in(g, 3) ? FAILS : 0;
    (void)bgp_emit(g, op);
}

static int result_of(const struct bgp_op *op)
{
    return (op->flags & FAILS) != 0 ? -(int)op->n : op->n;
}

static void print_of_block(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, ", op->kind->name, t, result_of(op));
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

static int run_block(int t, const struct bgp_op *op)
{
    return block(t, result_of(op), op->d);
}

const struct bgp_kind bgp_kind_block = {
    .name = "block",
    .flags = BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 4,
    .generate = generate_block,
    .run = run_block,
    .print = print_of_block,
    .helper = "block",
};

static int run_block_here(int t, const struct bgp_op *op)
{
    block_here(t, result_of(op), op->d);
    return 0;
}

const struct bgp_kind bgp_kind_block_here = {
    .name = "block_here",
    .flags = BGP_TIME | BGP_NUMBER | BGP_FLAGS,
    .weight = 2,
    .generate = generate_block,
    .run = run_block_here,
    .print = print_of_block,
    .helper = "block_here",
};
