/*
 * Kinds of operations: select.
 *
 * A case is twice a channel's number, and 1 for a send.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_select.h"

enum { DEFAULT = 1, AFTER = 2, TOLD = 4 }; /* flags; DEFAULT goes before AFTER */

static void generate_choose(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .d = bgp_any_time(g)};
    op.n = (uint16_t)(1 + bgp_below(g, 4));
    for (unsigned i = 0; i < op.n; i++) {
        op.list[i] = (uint16_t)bgp_below(g, 2 * CHANS);
    }
    op.flags = (uint16_t)(bgp_below(g, 3) | (bgp_one_in(g, 2) ? TOLD : 0));
    bgp_generate_limited(g, op);
}

static int fits_choose(struct bgp_builder *b, struct bgp_op *op)
{
    return op->n > 0 && ((op->flags & (DEFAULT | AFTER)) != 0 || bgp_may_wait_for_ever(b));
}

static int run_choose(int t, const struct bgp_op *op)
{
    int which[BGP_LIST];
    int otherwise = (op->flags & DEFAULT) != 0 ? OR_AT_ONCE
                    : (op->flags & AFTER) != 0 ? OR_AFTER
                                               : DIRECTLY;
    for (unsigned i = 0; i < op->n; i++) {
        which[i] = op->list[i];
    }
    return choose(t, op->n, which, otherwise, (op->flags & TOLD) != 0, op->d);
}

static void print_choose(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "choose(%d, %d, ", t, op->n);
    bgp_out_list(p, op);
    bgp_out(p, ", %s, %d, ",
            (op->flags & DEFAULT) != 0 ? "OR_AT_ONCE"
            : (op->flags & AFTER) != 0 ? "OR_AFTER"
                                       : "DIRECTLY",
            (op->flags & TOLD) != 0);
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

const struct bgp_kind bgp_kind_choose = {
    .name = "choose",
    .flags = BGP_IN_THREAD | BGP_CASES | BGP_TIME | BGP_WAITS | BGP_FLAGS,
    .weight = 12,
    .generate = generate_choose,
    .fits = fits_choose,
    .run = run_choose,
    .print = print_choose,
    .helper = "choose",
};

/* ---- several tasks of its own ---- */

static void generate_many(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind};
    op.what = (uint16_t)bgp_below(g, 3);
    op.n = (uint16_t)bgp_below(g, 5);
    (void)bgp_emit(g, op);
}

static void print_many(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, %d)", op->kind->name, t, op->n, op->what);
}

static int run_merge(int t, const struct bgp_op *op)
{
    return merge(t, op->n, op->what);
}

const struct bgp_kind bgp_kind_merge = {
    .name = "merge",
    .flags = BGP_NUMBER | BGP_WAITS,
    .weight = 4,
    .generate = generate_many,
    .run = run_merge,
    .print = print_many,
    .helper = "merge",
};

static int run_scatter(int t, const struct bgp_op *op)
{
    return scatter(t, op->n, op->what);
}

const struct bgp_kind bgp_kind_scatter = {
    .name = "scatter",
    .flags = BGP_NUMBER | BGP_WAITS,
    .weight = 4,
    .generate = generate_many,
    .run = run_scatter,
    .print = print_many,
    .helper = "scatter",
};
