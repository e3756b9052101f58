/*
 * The builder (build.h): which operations are valid, and what is known of a task before it is run.
 *
 * Of the handle of a task c only the one that spawned it makes use, with one exception: another
 * task x may cancel c, if c's handle is owned for as long as x lives (outlives). That is so when x
 * is c; when x is awaited, over any number of levels, by c, or by somebody who spawned c before and
 * gives its handle back after the one above x. On the road that leaves operations out, too: a task
 * that ends early awaits what it holds, the youngest first.
 *
 * A task may wait without an end only when it is doomed: sure to be cancelled while it waits. c is
 * doomed if the one that spawned it cancels it before it waits for it, on each road; if that one is
 * doomed itself and awaits c outside of shields, so that it passes the cancelling on; or if nobody
 * awaits c and the end of main cancels all. Everything else a task does takes its time at most, and
 * it waits for tasks that it spawned only. So every program ends.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

static void *grown(void *p, uint32_t *room, uint32_t wanted, size_t size)
{
    if (wanted > *room) {
        uint32_t more = *room < 64 ? 64 : *room;
        while (more < wanted) {
            more *= 2;
        }
        p = realloc(p, more * size);
        if (p == NULL) {
            abort();
        }
        *room = more;
    }
    return p;
}

void bgp_clear(struct bgp_program *p)
{
    p->ntasks = p->nops = p->ncalls = p->ntimers = p->ngroups = p->nsigns = 0;
}

void bgp_copy(struct bgp_program *to, const struct bgp_program *from)
{
    struct bgp_program old = *to;
    *to = *from;
    to->task = old.task;
    to->op = old.op;
    to->task_room = old.task_room;
    to->op_room = old.op_room;
    to->task = grown(to->task, &to->task_room, from->ntasks, sizeof *to->task);
    to->op = grown(to->op, &to->op_room, from->nops, sizeof *to->op);
    memcpy(to->task, from->task, from->ntasks * sizeof *to->task); /* there is always main */
    if (from->nops > 0) {
        memcpy(to->op, from->op, from->nops * sizeof *to->op);
    }
}

void bgp_free(struct bgp_program *p)
{
    free(p->task);
    free(p->op);
    memset(p, 0, sizeof *p);
}

enum bgp_spawn bgp_spawn_of(const struct bgp_program *p, unsigned t)
{
    const struct bgp_task *task = &p->task[t];
    int by_thread = task->parent != BGP_NONE && (p->task[task->parent].flags & BGP_THREAD) != 0;
    if (task->fate == BGP_GROUPED) {
        return BGP_SPAWN;
    }
    if (p->mode == BGP_FOREIGN && (by_thread || (task->flags & BGP_BY_RUNTIME) != 0)) {
        return BGP_RUNTIME_SPAWN;
    }
    return (task->flags & BGP_COPIED) != 0 ? BGP_SPAWN_WITH : BGP_SPAWN;
}

/* ---- tasks ---- */

void bgp_build(struct bgp_builder *b, struct bgp_program *p)
{
    *b = (struct bgp_builder){.p = p};
    bgp_clear(p);
}

unsigned bgp_add_task(struct bgp_builder *b, int own, unsigned flags, unsigned stack)
{
    struct bgp_program *p = b->p;
    unsigned t = p->ntasks;
    if (t >= BGP_TASKS) {
        return BGP_NONE;
    }
    p->task = grown(p->task, &p->task_room, t + 1, sizeof *p->task);
    b->life = grown(b->life, &b->life_room, t + 1, sizeof *b->life);
    p->ntasks = t + 1;
    p->task[t] = (struct bgp_task){
        .own = own,
        .flags = (uint16_t)flags,
        .stack = (uint8_t)stack,
        .parent = BGP_NONE,
    };
    b->life[t] =
        (struct bgp_life){.back_at = BGP_NEVER, .waited_at = BGP_NEVER, .cancelled_at = BGP_NEVER};
    return t;
}

int bgp_enter(struct bgp_builder *b, unsigned t)
{
    struct bgp_program *p = b->p;
    if (t >= p->ntasks) {
        return 0;
    }
    b->t = t;
    b->at = 0;
    b->depth = 0;
    b->blocks_before = 0;
    p->task[t].first = p->nops;
    p->task[t].kids = (uint16_t)p->ntasks;
    p->task[t].timer = p->ntimers;
    return 1;
}

static int is_doomed(const struct bgp_builder *b, const struct bgp_life *k, enum bgp_fate fate)
{
    if (k->cancelled_at != BGP_NEVER &&
        (k->waited_at == BGP_NEVER || k->cancelled_at <= k->waited_at)) {
        return 1;
    }
    if (fate == BGP_JOINED || fate == BGP_GROUPED) {
        return b->life[b->t].doomed && !k->shielded;
    }
    /* Its handle must be sure to be given up, or it may be awaited after all. */
    return b->p->leave && (fate == BGP_LOOSE || (k->surely_back && k->waited_at == BGP_NEVER));
}

void bgp_leave(struct bgp_builder *b)
{
    struct bgp_program *p = b->p;
    struct bgp_task *self = &p->task[b->t];

    while (b->depth > 0) {
        (void)bgp_add(b, (struct bgp_op){.kind = &bgp_kind_close});
    }
    self->count = p->nops - self->first;
    self->kids_end = (uint16_t)p->ntasks;
    p->ntimers += self->ntimers;
    if (b->blocks_before && (self->flags & BGP_LEAVES) != 0) {
        /* It may leave some of those out that it would pass on. */
        self->flags &= (uint16_t)~BGP_PASSES_ON;
    }
    for (unsigned c = self->kids; c < self->kids_end; c++) {
        struct bgp_life *k = &b->life[c];
        struct bgp_task *task = &p->task[c];
        if (k->status == BGP_HELD) { /* it is awaited when this one ends */
            k->status = BGP_GONE;
            k->back_at = BGP_AT_THE_END;
            k->surely_back = 1;
            if (k->waited_at == BGP_NEVER) {
                k->waited_at = BGP_AT_THE_END;
            }
        }
        k->doomed = (uint8_t)is_doomed(b, k, task->fate);
        if (task->fate != BGP_JOINED &&
            (task->own < 0 || (task->flags & (BGP_PASSES_ON | BGP_LEAVES_ALL)) != 0)) {
            task->flags |= BGP_NAMED; /* so that its failure can be told from others */
        }
        if ((task->flags & BGP_NAMED) != 0) {
            task->flags &= (uint16_t)~BGP_COPIED; /* bg_spawn_with takes no options */
        }
    }
}

void bgp_build_end(struct bgp_builder *b)
{
    bgp_foretell(b);
    free(b->life);
    free(b->group);
    b->life = NULL;
    b->group = NULL;
}

/* ---- operations ---- */

/* Whether this operation is sure to come on any road, once the task has begun and unless it is
 * cancelled. */
static int is_sure(const struct bgp_builder *b)
{
    unsigned flags = b->p->task[b->t].flags;
    if ((flags & BGP_LEAVES_ALL) != 0) {
        return !b->blocks_before;
    }
    return (flags & BGP_LEAVES) == 0 || b->depth == 0;
}

/* Whether it comes before any that lies behind it, on each road on which that comes. */
static int is_passed(const struct bgp_builder *b)
{
    return b->depth == 0 || (b->p->task[b->t].flags & BGP_LEAVES) == 0;
}

static int is_valid(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned flags = op->kind->flags;
    if ((b->p->task[b->t].flags & BGP_THREAD) != 0 && (flags & BGP_IN_THREAD) == 0) {
        return 0;
    }
    if ((flags & BGP_OPENS) != 0 && b->depth == BGP_BLOCKS) {
        return 0;
    }
    if (op->kind == &bgp_kind_close) {
        return b->depth > 0;
    }
    return op->kind->fits == NULL || op->kind->fits(b, op);
}

/* The block ends by this operation: if it is a group's, all members are waited for. */
static void close_group(struct bgp_builder *b, const struct bgp_op *opened)
{
    if (opened->kind != &bgp_kind_group) {
        return;
    }
    const struct bgp_open_group *g = &b->group[opened->what];
    for (unsigned c = b->p->task[b->t].kids; c < b->p->ntasks; c++) {
        struct bgp_life *k = &b->life[c];
        if (b->p->task[c].fate != BGP_GROUPED || b->p->task[c].group != opened->what) {
            continue;
        }
        bgp_waited_for(b, c);
        k->back_at = b->at;
        k->surely_back = 1;
        /* Who wants a place or a result may wait for it before it is cancelled. */
        if (opened->n == 0 && (g->waited_at == BGP_NEVER || g->cancelled_at < g->waited_at)) {
            k->cancelled_at = g->cancelled_at;
        }
    }
}

int bgp_add(struct bgp_builder *b, struct bgp_op op)
{
    struct bgp_program *p = b->p;
    unsigned flags = op.kind->flags;

    if (!is_valid(b, &op)) {
        if ((flags & BGP_SPAWNS) != 0) {
            p->ntasks--; /* nobody spawns it now */
        }
        return 0;
    }
    flags = op.kind->flags; /* it may have been changed to another kind */
    if ((flags & BGP_CALLS) != 0) {
        op.call = (uint16_t)p->ncalls++;
    }
    p->op = grown(p->op, &p->op_room, p->nops + 1, sizeof *p->op);
    if (op.kind == &bgp_kind_close) {
        close_group(b, &p->op[b->block[b->depth - 1]]);
        p->op[b->block[--b->depth]].end = p->nops;
    } else if ((flags & BGP_OPENS) != 0) {
        b->block[b->depth++] = p->nops;
        b->blocks_before = 1;
    }
    p->op[p->nops++] = op;
    b->at++;
    return 1;
}

int bgp_holds(const struct bgp_builder *b, unsigned c)
{
    if (c >= b->p->ntasks || b->p->task[c].parent != b->t || b->life[c].status != BGP_HELD) {
        return 0;
    }
    int block = b->life[c].block;
    if (block == BGP_NEVER || (b->p->task[b->t].flags & BGP_LEAVES) == 0) {
        return 1;
    }
    for (unsigned i = 0; i < b->depth; i++) {
        if (b->block[i] == (uint32_t)block) {
            return 1;
        }
    }
    return 0; /* the block may have been left before c was spawned */
}

void bgp_spawned(struct bgp_builder *b, unsigned c, enum bgp_fate fate)
{
    struct bgp_task *task = &b->p->task[c];
    struct bgp_life *k = &b->life[c];
    task->parent = (uint16_t)b->t;
    task->fate = (uint8_t)fate;
    k->status = fate == BGP_LOOSE ? BGP_GONE : BGP_HELD;
    k->depth = (uint8_t)(b->life[b->t].depth + 1);
    k->spawned_at = b->at;
    k->surely_spawned = (uint8_t)is_passed(b);
    k->block = b->depth == 0 ? BGP_NEVER : (int)b->block[b->depth - 1];
}

void bgp_waited_for(struct bgp_builder *b, unsigned c)
{
    struct bgp_life *k = &b->life[c];
    if (k->waited_at == BGP_NEVER) {
        k->waited_at = b->at;
    }
    for (unsigned i = 0; i < b->depth; i++) {
        unsigned flags = b->p->op[b->block[i]].kind->flags;
        k->shielded |= (flags & BGP_SHIELDS) != 0;
        k->scoped |= (flags & (BGP_LIMITS | BGP_ENDS)) != 0;
    }
}

void bgp_given_back(struct bgp_builder *b, unsigned c, enum bgp_fate fate)
{
    b->p->task[c].fate = (uint8_t)fate;
    b->life[c].status = BGP_GONE;
    b->life[c].back_at = b->at;
    b->life[c].surely_back = (uint8_t)is_passed(b);
    if (fate == BGP_JOINED) {
        bgp_waited_for(b, c);
    } else if (!is_sure(b)) {
        b->life[c].surely_back = 0;
    }
}

static int is_awaited(const struct bgp_task *task)
{
    return task->fate == BGP_JOINED || task->fate == BGP_GROUPED;
}

/* Whether somebody owns c's handle for as long as the task lives that is being built. */
static int outlives(const struct bgp_builder *b, unsigned c)
{
    const struct bgp_task *task = b->p->task;
    unsigned y = b->t;
    if (c == 0 || (task[c].flags & BGP_THREAD) != 0 || task[c].parent == BGP_NONE) {
        return 0;
    }
    while (y != c && task[y].parent != task[c].parent) {
        if (!is_awaited(&task[y]) || task[y].parent == BGP_NONE) {
            return 0;
        }
        y = task[y].parent;
    }
    if (y == c) { /* itself, or one who awaits it in the end */
        return is_awaited(&task[c]);
    }
    const struct bgp_life *above = &b->life[y], *other = &b->life[c];
    if (!is_awaited(&task[y]) || task[c].fate == BGP_LOOSE || task[c].fate == BGP_GROUPED ||
        !other->surely_spawned || other->spawned_at > above->spawned_at || !above->surely_back) {
        return 0;
    }
    return above->back_at < other->back_at || /* or both, the youngest first */
           (above->back_at == BGP_AT_THE_END && other->back_at == BGP_AT_THE_END);
}

int bgp_cancels(struct bgp_builder *b, unsigned c)
{
    if (bgp_holds(b, c)) {
        if (is_sure(b) && b->life[c].cancelled_at == BGP_NEVER) {
            b->life[c].cancelled_at = b->at;
        }
    } else if (c >= b->p->ntasks || b->life[c].status == BGP_NEW || !outlives(b, c)) {
        return 0;
    }
    b->life[c].cancelled = 1;
    return 1;
}

unsigned bgp_keep_held(struct bgp_builder *b, struct bgp_op *op)
{
    unsigned n = 0;
    for (unsigned i = 0; i < op->n; i++) {
        unsigned c = op->list[i];
        int twice = 0;
        for (unsigned j = 0; j < n; j++) {
            twice |= op->list[j] == c;
        }
        if (bgp_holds(b, c) && !twice) {
            op->list[n++] = (uint16_t)c;
        }
    }
    op->n = (uint16_t)n;
    return n;
}

int bgp_may_wait_for_ever(const struct bgp_builder *b)
{
    for (unsigned i = b->depth; i-- > 0;) {
        unsigned flags = b->p->op[b->block[i]].kind->flags;
        if ((flags & (BGP_LIMITS | BGP_SHIELDS)) != 0) {
            return (flags & BGP_LIMITS) != 0;
        }
    }
    return b->life[b->t].doomed;
}

void bgp_has_timer(struct bgp_builder *b, unsigned number)
{
    struct bgp_task *self = &b->p->task[b->t];
    if (number >= self->ntimers) {
        self->ntimers = (uint8_t)(number + 1);
    }
}

/* ---- groups ---- */

void bgp_joins_group(struct bgp_builder *b, unsigned c, unsigned group)
{
    bgp_spawned(b, c, BGP_GROUPED);
    b->p->task[c].group = (uint16_t)group;
    b->life[c].status = BGP_GONE;
    b->life[c].cancelled = 1;
}

unsigned bgp_new_group(struct bgp_builder *b)
{
    unsigned group = ++b->p->ngroups;
    b->group = grown(b->group, &b->group_room, group + 1, sizeof *b->group);
    b->group[group] = (struct bgp_open_group){BGP_NEVER, BGP_NEVER};
    return group;
}

unsigned bgp_own_group(const struct bgp_builder *b)
{
    for (unsigned i = b->depth; i-- > 0;) {
        const struct bgp_op *op = &b->p->op[b->block[i]];
        if (op->kind == &bgp_kind_group) {
            return op->what;
        }
    }
    return 0;
}

unsigned bgp_group_around(const struct bgp_builder *b)
{
    unsigned group = bgp_own_group(b);
    unsigned y = b->t;
    while (group == 0 && y != BGP_NONE && is_awaited(&b->p->task[y])) {
        group = b->p->task[y].group;
        y = b->p->task[y].parent;
    }
    return group;
}

void bgp_group_cancelled(struct bgp_builder *b, unsigned group)
{
    if (group == bgp_own_group(b) && is_sure(b) && b->group[group].cancelled_at == BGP_NEVER) {
        b->group[group].cancelled_at = b->at;
    }
}

void bgp_group_waited_for(struct bgp_builder *b, unsigned group)
{
    if (b->group[group].waited_at == BGP_NEVER) {
        b->group[group].waited_at = b->at;
    }
}

/* ---- what there is ---- */

void bgp_gives_sign(struct bgp_builder *b, unsigned c, unsigned way)
{
    struct bgp_task *task = &b->p->task[c];
    if (task->sign == 0) {
        task->sign = (uint16_t)++b->p->nsigns;
    }
    task->ways |= (uint8_t)(1U << way);
}

unsigned bgp_depth(const struct bgp_builder *b)
{
    return b->depth;
}

const struct bgp_op *bgp_block(const struct bgp_builder *b)
{
    return b->depth == 0 ? NULL : &b->p->op[b->block[b->depth - 1]];
}

const struct bgp_program *bgp_built(const struct bgp_builder *b)
{
    return b->p;
}

unsigned bgp_built_task(const struct bgp_builder *b)
{
    return b->t;
}
