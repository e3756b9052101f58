/*
 * Kinds of operations: descriptors.
 *
 * As with channels, who sends or receives where nobody may ever come by has to be doomed, or within
 * a timeout; who listens has a task of its own that talks.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_wire.h"

enum { TRY = 1 };    /* a flag of mail and fetch */
enum { SOCKET = 1 }; /* a flag of listen */

static void generate_message(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .what = (uint16_t)bgp_below(g, WIRES)};
    op.flags = bgp_one_in(g, 3) ? TRY : 0;
    bgp_generate_limited(g, op);
}

static int fits_message(struct bgp_builder *b, struct bgp_op *op)
{
    return (op->flags & TRY) != 0 || bgp_may_wait_for_ever(b);
}

static void print_message(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, %d)", op->kind->name, t, op->what, (op->flags & TRY) != 0);
}

static int run_mail(int t, const struct bgp_op *op)
{
    return mail(t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_mail = {
    .name = "mail",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 6,
    .generate = generate_message,
    .fits = fits_message,
    .run = run_mail,
    .print = print_message,
    .helper = "mail",
};

static int run_fetch(int t, const struct bgp_op *op)
{
    return fetch(t, op->what, (op->flags & TRY) != 0);
}

const struct bgp_kind bgp_kind_fetch = {
    .name = "fetch",
    .flags = BGP_IN_THREAD | BGP_WAITS | BGP_FLAGS,
    .weight = 6,
    .generate = generate_message,
    .fits = fits_message,
    .run = run_fetch,
    .print = print_message,
    .helper = "fetch",
};

/* ---- a task of its own that writes ---- */

static void generate_listen(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind, .flags = bgp_one_in(g, 2) ? SOCKET : 0};
    op.what = (uint16_t)bgp_below(g, 64); /* bytes at a time, less one */
    op.n = (uint16_t)bgp_below(g, bgp_one_in(g, 4) ? 3000 : 100);
    (void)bgp_emit(g, op);
}

static int run_listen(int t, const struct bgp_op *op)
{
    return listen_to(t, op->n, op->what, (op->flags & SOCKET) != 0);
}

static void print_listen(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "listen_to(%d, %d, %d, %d)", t, op->n, op->what, (op->flags & SOCKET) != 0);
}

const struct bgp_kind bgp_kind_listen = {
    .name = "listen",
    .flags = BGP_NUMBER | BGP_WAITS | BGP_FLAGS,
    .weight = 6,
    .generate = generate_listen,
    .run = run_listen,
    .print = print_listen,
    .helper = "listen",
};
