/*
 * Kinds of operations: spawn, and what is done with a handle.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"

static int is_thread(const struct bgp_program *p, int t)
{
    return (p->task[t].flags & BGP_THREAD) != 0;
}

static int list_of(const struct bgp_op *op, int who[])
{
    for (unsigned i = 0; i < op->n; i++) {
        who[i] = op->list[i];
    }
    return op->n;
}

/* ---- spawn ---- */

static void generate_spawn(struct bgp_generator *g, const struct bgp_kind *kind)
{
    for (unsigned n = 1 + bgp_below(g, BGP_LIST); n > 0; n--) {
        unsigned c = bgp_new_task(g);
        if (c == BGP_NONE) {
            break;
        }
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c});
    }
}

static int fits_spawn(struct bgp_builder *b, struct bgp_op *op)
{
    bgp_spawned(b, op->who, BGP_JOINED);
    return 1;
}

static int run_spawn(int t, const struct bgp_op *op)
{
    (void)t;
    started(op->who, bgp_spawn(op->who));
    return 0;
}

static void print_spawn(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    bgp_out(p, "started(%d, ", op->who);
    bgp_out_spawn(p, op->who);
    bgp_out(p, ")");
}

const struct bgp_kind bgp_kind_spawn = {
    .name = "spawn",
    .flags = BGP_IN_THREAD | BGP_SPAWNS,
    .weight = 30,
    .generate = generate_spawn,
    .fits = fits_spawn,
    .run = run_spawn,
    .print = print_spawn,
    .helper = "started",
};

/* ---- awaiting one, some, some as they end ---- */

static int fits_join(struct bgp_builder *b, struct bgp_op *op)
{
    if (!bgp_holds(b, op->who)) {
        return 0;
    }
    bgp_given_back(b, op->who, BGP_JOINED);
    return 1;
}

static int run_join(int t, const struct bgp_op *op)
{
    if (is_thread(bgp_world.program, t)) {
        (void)joined(-1, op->who, bg_runtime_wait(runtime, tasks[op->who].handle));
    } else {
        join(t, op->who);
    }
    return 0;
}

static void print_join(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    if (is_thread(bgp_printed(p), t)) {
        bgp_out(p, "thread_join(%d)", op->who);
    } else {
        bgp_print_who(p, t, op);
    }
}

const struct bgp_kind bgp_kind_join = {
    .name = "join",
    .flags = BGP_IN_THREAD | BGP_WHO | BGP_PASSES,
    .weight = 12,
    .generate = bgp_generate_who,
    .fits = fits_join,
    .run = run_join,
    .print = print_join,
    .helper = "join",
    .thread_helper = "thread_join",
};

static int fits_join_some(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned n = bgp_keep_held(b, op);
    for (unsigned i = 0; i < n; i++) {
        bgp_given_back(b, op->list[i], BGP_JOINED);
    }
    return n > 0;
}

static int run_gather(int t, const struct bgp_op *op)
{
    int who[BGP_LIST];
    gather(t, list_of(op, who), who);
    return 0;
}

const struct bgp_kind bgp_kind_gather = {
    .name = "gather",
    .flags = BGP_WHOM | BGP_PASSES,
    .weight = 10,
    .generate = bgp_generate_whom,
    .fits = fits_join_some,
    .run = run_gather,
    .print = bgp_print_whom,
    .helper = "gather",
};

static int run_join_by_turns(int t, const struct bgp_op *op)
{
    int who[BGP_LIST];
    join_by_turns(t, list_of(op, who), who);
    return 0;
}

const struct bgp_kind bgp_kind_join_by_turns = {
    .name = "join_by_turns",
    .flags = BGP_WHOM,
    .weight = 5,
    .generate = bgp_generate_whom,
    .fits = fits_join_some,
    .run = run_join_by_turns,
    .print = bgp_print_whom,
    .helper = "join_by_turns",
};

static int run_as_completed(int t, const struct bgp_op *op)
{
    int who[BGP_LIST];
    as_completed(t, list_of(op, who), who);
    return 0;
}

const struct bgp_kind bgp_kind_as_completed = {
    .name = "as_completed",
    .flags = BGP_WHOM,
    .weight = 5,
    .generate = bgp_generate_whom,
    .fits = fits_join_some,
    .run = run_as_completed,
    .print = bgp_print_whom,
    .helper = "as_completed",
};

static int run_two_completed(int t, const struct bgp_op *op)
{
    int who[BGP_LIST];
    two_completed(t, list_of(op, who), who);
    return 0;
}

const struct bgp_kind bgp_kind_two_completed = {
    .name = "two_completed",
    .flags = BGP_WHOM,
    .weight = 3,
    .generate = bgp_generate_whom,
    .fits = fits_join_some,
    .run = run_two_completed,
    .print = bgp_print_whom,
    .helper = "two_completed",
};

/* ---- waiting for the first of some ---- */

static int fits_wait_any(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned n = bgp_keep_held(b, op);
    for (unsigned i = 0; i < n; i++) {
        bgp_waited_for(b, op->list[i]);
    }
    return n > 0;
}

static int run_wait_any(int t, const struct bgp_op *op)
{
    int who[BGP_LIST];
    return wait_any(t, list_of(op, who), who);
}

const struct bgp_kind bgp_kind_wait_any = {
    .name = "wait_any",
    .flags = BGP_WHOM | BGP_WAITS,
    .weight = 6,
    .generate = bgp_generate_whom,
    .fits = fits_wait_any,
    .run = run_wait_any,
    .print = bgp_print_whom,
    .helper = "wait_any",
};

/* ---- cancel ---- */

/* One of its own; itself; one that came before, if that is valid. */
static void generate_cancel(struct bgp_generator *g, const struct bgp_kind *kind)
{
    unsigned t = bgp_current(g);
    uint32_t how = bgp_below(g, 8);
    unsigned c = how == 0 ? t : how == 1 ? bgp_below(g, t + 1) : bgp_any_held(g);
    if (how == 2 && t > 0) { /* a neighbour */
        const struct bgp_program *p = bgp_built(bgp_builder_of(g));
        unsigned parent = p->task[t].parent;
        if (parent != BGP_NONE && t > p->task[parent].kids) {
            c = p->task[parent].kids + bgp_below(g, t - p->task[parent].kids);
        }
    }
    if (c != BGP_NONE) {
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c});
    }
}

static int fits_cancel(struct bgp_builder *b, struct bgp_op *op)
{
    return bgp_cancels(b, op->who);
}

/* A task that will await this one is known by what bg_self() gave there. */
static int is_above(const struct bgp_program *p, int t, unsigned c)
{
    unsigned y = (unsigned)t;
    while (y != c && y != BGP_NONE) {
        y = p->task[y].parent;
    }
    return y == c;
}

static int run_cancel(int t, const struct bgp_op *op)
{
    const struct task *c = &tasks[op->who];
    cancel(op->who, is_above(bgp_world.program, t, op->who) ? c->self : c->handle);
    return 0;
}

static void print_cancel(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "cancel(%d, tasks[%d].%s)", op->who, op->who,
            is_above(bgp_printed(p), t, op->who) ? "self" : "handle");
}

const struct bgp_kind bgp_kind_cancel = {
    .name = "cancel",
    .flags = BGP_IN_THREAD | BGP_WHO,
    .weight = 24,
    .generate = generate_cancel,
    .fits = fits_cancel,
    .run = run_cancel,
    .print = print_cancel,
    .helper = "cancel",
};

/* ---- giving handles up ---- */

static int fits_detach(struct bgp_builder *b, struct bgp_op *op)
{
    if (!bgp_holds(b, op->who)) {
        return 0;
    }
    bgp_given_back(b, op->who, BGP_DETACHED);
    return 1;
}

static int run_detach(int t, const struct bgp_op *op)
{
    (void)t;
    let_go(op->who, 1);
    return 0;
}

static void print_detach(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    bgp_out(p, "let_go(%d, 1)", op->who);
}

const struct bgp_kind bgp_kind_detach = {
    .name = "detach",
    .flags = BGP_IN_THREAD | BGP_WHO,
    .weight = 5,
    .generate = bgp_generate_who,
    .fits = fits_detach,
    .run = run_detach,
    .print = print_detach,
    .helper = "let_go",
};

static int fits_abandon(struct bgp_builder *b, struct bgp_op *op)
{
    if (!bgp_holds(b, op->who)) {
        return 0;
    }
    bgp_given_back(b, op->who, BGP_ABANDONED);
    return 1;
}

static int run_abandon(int t, const struct bgp_op *op)
{
    (void)t;
    let_go(op->who, 0);
    return 0;
}

static void print_abandon(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    bgp_out(p, "let_go(%d, 0)", op->who);
}

const struct bgp_kind bgp_kind_abandon = {
    .name = "abandon",
    .flags = BGP_IN_THREAD | BGP_WHO,
    .weight = 1,
    .generate = bgp_generate_who,
    .fits = fits_abandon,
    .run = run_abandon,
    .print = print_abandon,
    .helper = "let_go",
};
