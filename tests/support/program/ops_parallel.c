/*
 * Kinds of operations: loops and forks.
 *
 * n says how many items there are, or how deep the forks go, and which of them dawdle.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"

#include "helpers_parallel.h"

enum { DEPTH = 3 };

static int items_of(const struct bgp_op *op)
{
    return op->n % (LOOP_ITEMS + 1);
}

static int depth_of(const struct bgp_op *op)
{
    return op->n % (DEPTH + 1);
}

static void generate_parallel(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .n = (uint16_t)bgp_below(g, 1000)});
}

static int run_loop(int t, const struct bgp_op *op)
{
    return loop(t, items_of(op), op->n);
}

static void print_loop(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "loop(%d, %d, %d)", t, items_of(op), op->n);
}

const struct bgp_kind bgp_kind_loop = {
    .name = "loop",
    .flags = BGP_NUMBER | BGP_WAITS,
    .weight = 4,
    .generate = generate_parallel,
    .run = run_loop,
    .print = print_loop,
    .helper = "loop",
};

static int run_forks(int t, const struct bgp_op *op)
{
    forks(t, depth_of(op), op->n);
    return 0;
}

static void print_forks(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "forks(%d, %d, %d)", t, depth_of(op), op->n);
}

const struct bgp_kind bgp_kind_forks = {
    .name = "forks",
    .flags = BGP_NUMBER,
    .weight = 4,
    .generate = generate_parallel,
    .run = run_forks,
    .print = print_forks,
    .helper = "forks",
};
