/*
 * Kinds of operations: blocks with a timeout, a deadline or a shield.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"

#include "helpers_scope.h"

static void generate_block(struct bgp_generator *g, const struct bgp_kind *kind)
{
    if (bgp_emit(g, (struct bgp_op){.kind = kind, .d = bgp_any_time(g)})) {
        bgp_steps(g, 1 + bgp_below(g, 5));
        (void)bgp_emit(g, (struct bgp_op){.kind = &bgp_kind_close});
    }
}

/* The operations in the block of op; the code of the wait after which t left it, or 0. */
static int run_within(int t, const struct bgp_op *op)
{
    return bgp_run_ops(t, (uint32_t)(op - bgp_world.program->op) + 1, op->end);
}

/* Left by a return, a break or its end. */
#define RUN_BLOCK(t, op)                                                                           \
    {                                                                                              \
        int r = run_within(t, op);                                                                 \
        if (r < 0 && (bgp_world.program->task[t].flags & BGP_LEAVES_ALL) != 0) {                   \
            return r;                                                                              \
        }                                                                                          \
        if (r < 0) {                                                                               \
            break;                                                                                 \
        }                                                                                          \
    }

static void print_left(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)op;
    bgp_out(p, "left(%d)", t);
}

static int run_timeout(int t, const struct bgp_op *op)
{
    bg_timeout (within(t, op->d))
        RUN_BLOCK(t, op);
    left(t);
    return 0;
}

static void print_timeout(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "bg_timeout(within(%d, ", t);
    bgp_out_time(p, op->d);
    bgp_out(p, "))");
}

const struct bgp_kind bgp_kind_timeout = {
    .name = "timeout",
    .flags = BGP_OPENS | BGP_LIMITS | BGP_TIME,
    .weight = 10,
    .generate = generate_block,
    .run = run_timeout,
    .print = print_timeout,
    .print_end = print_left,
    .helper = "within",
};

static int run_deadline(int t, const struct bgp_op *op)
{
    bg_deadline (until(t, op->d))
        RUN_BLOCK(t, op);
    left(t);
    return 0;
}

static void print_deadline(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "bg_deadline(until(%d, ", t);
    bgp_out_time(p, op->d);
    bgp_out(p, "))");
}

const struct bgp_kind bgp_kind_deadline = {
    .name = "deadline",
    .flags = BGP_OPENS | BGP_LIMITS | BGP_TIME,
    .weight = 4,
    .generate = generate_block,
    .run = run_deadline,
    .print = print_deadline,
    .print_end = print_left,
    .helper = "until",
};

static int run_shield(int t, const struct bgp_op *op)
{
    bg_shield
    {
        shielded(t);
        RUN_BLOCK(t, op)
    }
    left(t);
    return 0;
}

static void print_shield(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    (void)op;
    bgp_out(p, "bg_shield");
}

static void print_begin_shield(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)op;
    bgp_out(p, "shielded(%d)", t);
}

const struct bgp_kind bgp_kind_shield = {
    .name = "shield",
    .flags = BGP_OPENS | BGP_SHIELDS,
    .weight = 6,
    .generate = generate_block,
    .run = run_shield,
    .print = print_shield,
    .print_begin = print_begin_shield,
    .print_end = print_left,
    .helper = "shielded",
};

static int run_ask(int t, const struct bgp_op *op)
{
    (void)op;
    return ask(t);
}

const struct bgp_kind bgp_kind_ask = {
    .name = "ask",
    .flags = BGP_WAITS,
    .weight = 4,
    .generate = bgp_generate_plain,
    .run = run_ask,
    .print = bgp_print_plain,
    .helper = "ask",
};
