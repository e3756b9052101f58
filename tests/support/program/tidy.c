/*
 * Programs made of others: what is left when some operations are left out.
 *
 * The old program is handed to a builder, operation by operation. A task is built when the
 * operation that spawns it has been; others find their tasks under their new numbers, or are not
 * valid any more. So whatever is left out, what comes of it is a valid program.
 */
#include "build.h"

#include <stdlib.h>
#include <string.h>

struct tidy {
    struct bgp_program old;
    const uint8_t *drop;
    uint16_t *new_of; /* by the old number */
    uint16_t *old_of; /* by the new */
    struct bgp_builder b;
};

static unsigned add_task(struct tidy *y, unsigned old)
{
    const struct bgp_task *task = &y->old.task[old];
    unsigned t = bgp_add_task(&y->b, task->own, task->flags, task->stack);
    y->new_of[old] = (uint16_t)t;
    y->old_of[t] = (uint16_t)old;
    return t;
}

/* Whether it was valid. */
static int add_op(struct tidy *y, struct bgp_op op)
{
    unsigned flags = op.kind->flags;
    unsigned n = 0;

    unsigned spawned = BGP_NONE;

    if ((flags & BGP_SPAWNS) != 0) {
        spawned = op.who;
        op.who = (uint16_t)add_task(y, op.who);
    } else if ((flags & BGP_WHO) != 0) {
        op.who = y->new_of[op.who];
        if (op.who == BGP_NONE) {
            return 0;
        }
    }
    for (unsigned i = 0; (flags & BGP_WHOM) != 0 && i < op.n; i++) {
        op.list[n] = y->new_of[op.list[i]];
        n += op.list[n] != BGP_NONE;
    }
    if ((flags & BGP_WHOM) != 0) {
        op.n = (uint16_t)n;
    }
    if (bgp_add(&y->b, op)) {
        return 1;
    }
    if (spawned != BGP_NONE) {
        y->new_of[spawned] = BGP_NONE;
    }
    return 0;
}

/* An operation that closes a block is kept or dropped with the one that opens it. */
static void add_ops(struct tidy *y, unsigned old)
{
    const struct bgp_task *task = &y->old.task[old];
    uint8_t opened[2 * BGP_BLOCKS]; /* a task may have been put into another's block */
    unsigned depth = 0;
    for (uint32_t i = task->first; i < task->first + task->count; i++) {
        const struct bgp_op *op = &y->old.op[i];
        int keep = y->drop == NULL || !y->drop[i];
        if (op->kind == &bgp_kind_close) {
            keep = opened[--depth];
        }
        keep = keep && add_op(y, *op);
        if ((op->kind->flags & BGP_OPENS) != 0) {
            opened[depth++] = (uint8_t)keep;
        }
    }
}

static void rebuild(struct bgp_program *p, const uint8_t *drop)
{
    struct tidy y = {.drop = drop};
    bgp_copy(&y.old, p);
    y.new_of = malloc((y.old.ntasks + 1) * sizeof *y.new_of);
    y.old_of = malloc((y.old.ntasks + 1) * sizeof *y.old_of);
    if (y.new_of == NULL || y.old_of == NULL) {
        abort();
    }
    memset(y.new_of, 0xff, y.old.ntasks * sizeof *y.new_of);
    bgp_build(&y.b, p);
    for (unsigned t = 0; t < y.old.ntasks; t++) {
        if (t == 0 || (y.old.task[t].flags & BGP_THREAD) != 0) {
            (void)add_task(&y, t);
        }
    }
    for (unsigned t = 0; bgp_enter(&y.b, t); t++) {
        add_ops(&y, y.old_of[t]);
        bgp_leave(&y.b);
    }
    bgp_build_end(&y.b);
    free(y.new_of);
    free(y.old_of);
    bgp_free(&y.old);
}

void bgp_tidy(struct bgp_program *p, const uint8_t *drop)
{
    rebuild(p, drop);
}

/* p gets room for n operations, and is to be filled anew from *old. */
static void take_apart(struct bgp_program *p, struct bgp_program *old, uint32_t n)
{
    *old = (struct bgp_program){0};
    bgp_copy(old, p);
    free(p->op);
    p->op = calloc(n + 1, sizeof *p->op);
    if (p->op == NULL) {
        abort();
    }
    p->op_room = n + 1;
    p->nops = 0;
}

static void append(struct bgp_program *p, const struct bgp_program *old, unsigned t)
{
    for (uint32_t i = 0; i < old->task[t].count; i++) {
        p->op[p->nops++] = old->op[old->task[t].first + i];
    }
}

void bgp_put_in_line(struct bgp_program *p, unsigned c)
{
    struct bgp_program old;
    take_apart(p, &old, p->nops);
    for (unsigned t = 0; t < old.ntasks; t++) {
        p->task[t].first = p->nops;
        for (uint32_t i = 0; i < old.task[t].count && t != c; i++) {
            const struct bgp_op *op = &old.op[old.task[t].first + i];
            if ((op->kind->flags & BGP_SPAWNS) != 0 && op->who == c) {
                append(p, &old, c);
            } else {
                p->op[p->nops++] = *op;
            }
        }
        p->task[t].count = p->nops - p->task[t].first;
    }
    bgp_free(&old);
    rebuild(p, NULL);
}

void bgp_make_seeded(struct bgp_program *p, uint64_t schedule)
{
    struct bgp_program old;
    take_apart(p, &old, p->nops + p->ntasks);
    for (unsigned t = 1; t < old.ntasks; t++) { /* main spawns them before all else */
        if ((old.task[t].flags & BGP_THREAD) != 0) {
            p->task[t].flags &= (uint16_t)~BGP_THREAD;
            p->op[p->nops++] = (struct bgp_op){.kind = &bgp_kind_spawn, .who = (uint16_t)t};
        }
    }
    for (unsigned t = 0; t < old.ntasks; t++) {
        p->task[t].first = t == 0 ? 0 : p->nops;
        append(p, &old, t);
        p->task[t].count = p->nops - p->task[t].first;
    }
    p->mode = BGP_SEEDED;
    p->schedule = schedule;
    p->spares = 0;
    bgp_free(&old);
    rebuild(p, NULL);
}
