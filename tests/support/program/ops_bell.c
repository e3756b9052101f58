/*
 * Kinds of operations: what is waited for until another comes by.
 *
 * Who waits for what may never come has to be doomed, or within a timeout. For a task's sign its
 * spawner may wait anywhere.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_bell.h"

enum { TRY = 1 }; /* a flag */

static struct bgp_op of_any_bell(struct bgp_generator *g, const struct bgp_kind *kind)
{
    return (struct bgp_op){.kind = kind, .what = (uint16_t)bgp_below(g, BELLS)};
}

static void generate_wait(struct bgp_generator *g, const struct bgp_kind *kind)
{
    bgp_generate_limited(g, of_any_bell(g, kind));
}

static int fits_wait(struct bgp_builder *b, struct bgp_op *op)
{
    (void)op;
    return bgp_may_wait_for_ever(b);
}

/* name(t, what) */
static void print_of_bell(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d)", op->kind->name, t, op->what);
}

/* ---- the event ---- */

static void generate_one(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, of_any_bell(g, kind));
}

static int run_ring(int t, const struct bgp_op *op)
{
    ring(t, op->what);
    return 0;
}

const struct bgp_kind bgp_kind_ring = {
    .name = "ring",
    .flags = BGP_IN_THREAD,
    .weight = 4,
    .generate = generate_one,
    .run = run_ring,
    .print = print_of_bell,
    .helper = "ring",
};

static int run_silence(int t, const struct bgp_op *op)
{
    silence(t, op->what);
    return 0;
}

const struct bgp_kind bgp_kind_silence = {
    .name = "silence",
    .flags = BGP_IN_THREAD,
    .weight = 3,
    .generate = generate_one,
    .run = run_silence,
    .print = print_of_bell,
    .helper = "silence",
};

static int run_hear(int t, const struct bgp_op *op)
{
    return hear(t, op->what);
}

const struct bgp_kind bgp_kind_hear = {
    .name = "hear",
    .flags = BGP_WAITS,
    .weight = 5,
    .generate = generate_wait,
    .fits = fits_wait,
    .run = run_hear,
    .print = print_of_bell,
    .helper = "hear",
};

/* ---- the latch ---- */

static void generate_count_down(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = of_any_bell(g, kind);
    op.n = (uint16_t)bgp_below(g, 4);
    (void)bgp_emit(g, op);
}

static int run_count_down(int t, const struct bgp_op *op)
{
    count_down(t, op->what, op->n);
    return 0;
}

static void print_count_down(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "count_down(%d, %d, %d)", t, op->what, op->n);
}

const struct bgp_kind bgp_kind_count_down = {
    .name = "count_down",
    .flags = BGP_IN_THREAD | BGP_NUMBER,
    .weight = 4,
    .generate = generate_count_down,
    .run = run_count_down,
    .print = print_count_down,
    .helper = "count_down",
};

static int run_wait_latch(int t, const struct bgp_op *op)
{
    return wait_latch(t, op->what);
}

const struct bgp_kind bgp_kind_wait_latch = {
    .name = "wait_latch",
    .flags = BGP_WAITS,
    .weight = 4,
    .generate = generate_wait,
    .fits = fits_wait,
    .run = run_wait_latch,
    .print = print_of_bell,
    .helper = "wait_latch",
};

/* ---- the barrier ---- */

static int run_meet(int t, const struct bgp_op *op)
{
    return meet(t, op->what);
}

const struct bgp_kind bgp_kind_meet = {
    .name = "meet",
    .flags = BGP_WAITS,
    .weight = 8,
    .generate = generate_wait,
    .fits = fits_wait,
    .run = run_meet,
    .print = print_of_bell,
    .helper = "meet",
};

/* ---- the semaphore ---- */

static int run_give(int t, const struct bgp_op *op)
{
    give(t, op->what);
    return 0;
}

const struct bgp_kind bgp_kind_give = {
    .name = "give",
    .flags = BGP_IN_THREAD,
    .weight = 5,
    .generate = generate_one,
    .run = run_give,
    .print = print_of_bell,
    .helper = "give",
};

static void generate_take(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = of_any_bell(g, kind);
    op.flags = bgp_one_in(g, 4) ? TRY : 0;
    bgp_generate_limited(g, op);
}

static int fits_take(struct bgp_builder *b, struct bgp_op *op)
{
    return (op->flags & TRY) != 0 || bgp_may_wait_for_ever(b);
}

static int run_take(int t, const struct bgp_op *op)
{
    return take(t, op->what, (op->flags & TRY) != 0);
}

static void print_take(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "take(%d, %d, %d)", t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_take = {
    .name = "take",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 6,
    .generate = generate_take,
    .fits = fits_take,
    .run = run_take,
    .print = print_take,
    .helper = "take",
};

/* ---- signs ---- */

static void generate_wait_sign(struct bgp_generator *g, const struct bgp_kind *kind)
{
    unsigned c = bgp_any_held(g);
    struct bgp_op op = {.kind = kind, .who = (uint16_t)c, .what = (uint16_t)bgp_below(g, WAYS)};
    if (c != BGP_NONE) {
        (void)bgp_emit(g, op);
    }
}

static int fits_wait_sign(struct bgp_builder *b, struct bgp_op *op)
{
    if (!bgp_holds(b, op->who)) {
        return 0;
    }
    bgp_gives_sign(b, op->who, op->what);
    return 1;
}

static int run_wait_sign(int t, const struct bgp_op *op)
{
    return wait_sign(t, op->who, op->what);
}

static void print_wait_sign(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    static const char *const name[] = {"BY_EVENT", "BY_LATCH", "BY_SEM", "BY_COND", "BY_CHAN"};
    bgp_out(p, "wait_sign(%d, %d, %s)", t, op->who, name[op->what]);
}

const struct bgp_kind bgp_kind_wait_sign = {
    .name = "wait_sign",
    .flags = BGP_IN_THREAD | BGP_WHO | BGP_WAITS,
    .weight = 8,
    .generate = generate_wait_sign,
    .fits = fits_wait_sign,
    .run = run_wait_sign,
    .print = print_wait_sign,
    .helper = "wait_sign",
};
