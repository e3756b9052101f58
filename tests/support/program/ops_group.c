/*
 * Kinds of operations: groups.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"

#include "helpers_group.h"

enum { KEEP_GOING = 1, RESULTS = 2 }; /* flags of the operation that opens one; its limit is n */

static void generate_members(struct bgp_generator *g, const struct bgp_kind *kind)
{
    for (unsigned n = 1 + bgp_below(g, 4); n > 0 && bgp_own_group(bgp_builder_of(g)) != 0; n--) {
        unsigned c = bgp_new_task(g);
        if (c == BGP_NONE) {
            break;
        }
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c});
    }
}

static void generate_group(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind};
    op.flags = (uint16_t)((bgp_one_in(g, 4) ? KEEP_GOING : 0) | (bgp_one_in(g, 2) ? RESULTS : 0));
    op.n = bgp_one_in(g, 4) ? (uint16_t)(1 + bgp_below(g, 4)) : 0;
    if (!bgp_emit(g, op)) {
        return;
    }
    for (unsigned n = 1 + bgp_below(g, 3); n > 0; n--) {
        generate_members(g, &bgp_kind_spawn_in);
        if (bgp_one_in(g, 5)) {
            bgp_generate_plain(g, &bgp_kind_cancel_group);
        }
        if (bgp_one_in(g, 3)) {
            bgp_generate_plain(g, &bgp_kind_next);
        }
        bgp_steps(g, bgp_below(g, 3));
    }
    (void)bgp_emit(g, (struct bgp_op){.kind = &bgp_kind_close});
}

static int fits_group(struct bgp_builder *b, struct bgp_op *op)
{
    op->what = (uint16_t)bgp_new_group(b);
    return 1;
}

static int run_group(int t, const struct bgp_op *op)
{
    const struct bgp_program *p = bgp_world.program;
    int i = op->what;
    groups[i].keep_going = (op->flags & KEEP_GOING) != 0;
    bg_group (g, .limit = op->n, .keep_going = (op->flags & KEEP_GOING) != 0,
              .results = (op->flags & RESULTS) != 0, .result = &groups[i].result) {
        opened(t, i, &g);
        int r = bgp_run_ops(t, (uint32_t)(op - p->op) + 1, op->end);
        if (r < 0 && (p->task[t].flags & BGP_LEAVES_ALL) != 0) {
            return r;
        }
        if (r < 0) {
            break;
        }
    }
    closed(t, i);
    return 0;
}

static void print_group(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    bgp_out(p, "bg_group(g%d, ", op->what);
    if (op->n != 0) {
        bgp_out(p, ".limit = %d, ", op->n);
    }
    if ((op->flags & KEEP_GOING) != 0) {
        bgp_out(p, ".keep_going = 1, ");
    }
    if ((op->flags & RESULTS) != 0) {
        bgp_out(p, ".results = 1, ");
    }
    bgp_out(p, ".result = &groups[%d].result)", op->what);
}

static void print_opened(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    if ((op->flags & KEEP_GOING) != 0) {
        bgp_out(p, "groups[%d].keep_going = 1, ", op->what);
    }
    bgp_out(p, "opened(%d, %d, &g%d)", t, op->what, op->what);
}

static void print_closed(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "closed(%d, %d)", t, op->what);
}

const struct bgp_kind bgp_kind_group = {
    .name = "group",
    .flags = BGP_OPENS | BGP_ENDS | BGP_FLAGS | BGP_NUMBER,
    .weight = 8,
    .generate = generate_group,
    .fits = fits_group,
    .run = run_group,
    .print = print_group,
    .print_begin = print_opened,
    .print_end = print_closed,
    .helper = "opened",
};

/* Where there is no group, it is a plain spawn. */
static int fits_spawn_in(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned group = bgp_own_group(b);
    if (group == 0) {
        op->kind = &bgp_kind_spawn;
        return op->kind->fits(b, op);
    }
    op->what = (uint16_t)group;
    bgp_joins_group(b, op->who, group);
    return 1;
}

static int run_spawn_in(int t, const struct bgp_op *op)
{
    return spawn_in(t, op->what, op->who, bgp_body, (void *)(intptr_t)op->who);
}

static void print_spawn_in(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "spawn_in(%d, %d, %d, task_%d, NULL)", t, op->what, op->who, op->who);
}

const struct bgp_kind bgp_kind_spawn_in = {
    .name = "spawn_in",
    .flags = BGP_SPAWNS | BGP_WAITS,
    .weight = 6,
    .generate = generate_members,
    .fits = fits_spawn_in,
    .run = run_spawn_in,
    .print = print_spawn_in,
    .helper = "spawn_in",
};

static int fits_cancel_group(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned group = bgp_group_around(b);
    if (group == 0) {
        return 0;
    }
    op->what = (uint16_t)group;
    bgp_group_cancelled(b, group);
    return 1;
}

static int run_cancel_group(int t, const struct bgp_op *op)
{
    cancel_group(t, op->what);
    return 0;
}

static void print_of_group(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d)", op->kind->name, t, op->what);
}

const struct bgp_kind bgp_kind_cancel_group = {
    .name = "cancel_group",
    .weight = 4,
    .generate = bgp_generate_plain,
    .fits = fits_cancel_group,
    .run = run_cancel_group,
    .print = print_of_group,
    .helper = "cancel_group",
};

/* Of the innermost block, which has to be a group that keeps results. */
static int fits_next(struct bgp_builder *b, struct bgp_op *op)
{
    const struct bgp_op *block = bgp_block(b);
    if (block == NULL || block->kind != &bgp_kind_group || (block->flags & RESULTS) == 0) {
        return 0;
    }
    op->what = block->what;
    bgp_group_waited_for(b, op->what);
    return 1;
}

static int run_next(int t, const struct bgp_op *op)
{
    return next(t, op->what);
}

const struct bgp_kind bgp_kind_next = {
    .name = "next",
    .flags = BGP_WAITS,
    .weight = 4,
    .generate = bgp_generate_plain,
    .fits = fits_next,
    .run = run_next,
    .print = print_of_group,
    .helper = "next",
};
