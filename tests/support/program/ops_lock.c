/*
 * Kinds of operations: what is taken and given back.
 *
 * `what` is which one, n how often its holder yields, d how long it sleeps.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_lock.h"

enum { TRY = 1, BOTH = 2, ALL = 2, FAILS = 2 }; /* flags */

static void generate_hold(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, LOCKS)};
    op.flags = (uint16_t)((bgp_one_in(g, 4) ? TRY : 0) | (bgp_one_in(g, 3) ? BOTH : 0));
    op.n = (uint16_t)bgp_below(g, 3);
    op.d = bgp_one_in(g, 2) ? bgp_any_time(g) % BG_S : 0; /* others wait meanwhile */
    (void)bgp_emit(g, op);
}

static void print_end_of_hold(struct bgp_printer *p, const struct bgp_op *op)
{
    bgp_out(p, "%d, ", op->n);
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

/* name(t, what, a flag, n, d) */
static void print_hold(struct bgp_printer *p, int t, const struct bgp_op *op, unsigned flag)
{
    bgp_out(p, "%s(%d, %d, %d, ", op->kind->name, t, op->what, (op->flags & flag) != 0);
    print_end_of_hold(p, op);
}

/* The mutex; and the next one, with BOTH: in this order, so that nobody waits in a circle. */
static int last_lock(const struct bgp_op *op)
{
    return op->what + ((op->flags & BOTH) != 0 && op->what + 1 < LOCKS);
}

static int run_lock(int t, const struct bgp_op *op)
{
    return lock(t, op->what, last_lock(op), (op->flags & TRY) != 0, op->n, op->d);
}

static void print_lock(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "lock(%d, %d, %d, %d, ", t, op->what, last_lock(op), (op->flags & TRY) != 0);
    print_end_of_hold(p, op);
}

const struct bgp_kind bgp_kind_lock = {
    .name = "lock",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 10,
    .generate = generate_hold,
    .run = run_lock,
    .print = print_lock,
    .helper = "lock",
};

static int run_monitor(int t, const struct bgp_op *op)
{
    return monitor(t, op->what, (op->flags & ALL) != 0, op->n, op->d);
}

static void print_monitor(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    print_hold(p, t, op, ALL);
}

const struct bgp_kind bgp_kind_monitor = {
    .name = "monitor",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 8,
    .generate = generate_hold,
    .run = run_monitor,
    .print = print_monitor,
    .helper = "monitor",
};

static int run_permit(int t, const struct bgp_op *op)
{
    return permit(t, op->what, (op->flags & TRY) != 0, op->n, op->d);
}

static void print_permit(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    print_hold(p, t, op, TRY);
}

const struct bgp_kind bgp_kind_permit = {
    .name = "permit",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 8,
    .generate = generate_hold,
    .run = run_permit,
    .print = print_permit,
    .helper = "permit",
};

static int run_read(int t, const struct bgp_op *op)
{
    return rwlock(t, op->what, 0, (op->flags & TRY) != 0, op->n, op->d);
}

static void print_read(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "rwlock(%d, %d, 0, %d, ", t, op->what, (op->flags & TRY) != 0);
    print_end_of_hold(p, op);
}

const struct bgp_kind bgp_kind_read = {
    .name = "read",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 8,
    .generate = generate_hold,
    .run = run_read,
    .print = print_read,
    .helper = "rwlock",
};

static int run_write(int t, const struct bgp_op *op)
{
    return rwlock(t, op->what, 1, (op->flags & TRY) != 0, op->n, op->d);
}

static void print_write(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "rwlock(%d, %d, 1, %d, ", t, op->what, (op->flags & TRY) != 0);
    print_end_of_hold(p, op);
}

const struct bgp_kind bgp_kind_write = {
    .name = "write",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 5,
    .generate = generate_hold,
    .run = run_write,
    .print = print_write,
    .helper = "rwlock",
};

static int run_once_op(int t, const struct bgp_op *op)
{
    return once(t, op->what, (op->flags & FAILS) != 0, op->n, op->d);
}

static void print_once(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    print_hold(p, t, op, FAILS);
}

const struct bgp_kind bgp_kind_once = {
    .name = "once",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 5,
    .generate = generate_hold,
    .run = run_once_op,
    .print = print_once,
    .helper = "once",
};
