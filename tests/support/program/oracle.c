/*
 * The oracle: what each task of a program returns, found without running it.
 *
 * A task returns its own number, or, if it passes failures on, that of the first task it awaits
 * that fails; spawning is calling, as far as results go. What depends on the schedule is only
 * whether a task that somebody may cancel is cancelled, and where: such a one may return -ECANCELED
 * instead, and so may those who pass that on. What has to hold of a run besides is checked by the
 * helpers while it runs.
 */
#include "build.h"

/* (In its header of its own it would be the interpreter's.) */
#include "base/atomic.h"
typedef bgi_atomic word;
#include "helpers_types.h"

/* Whether a wait of t may be cancelled, given the same of the one that spawned it. */
static int may_be_cancelled(const struct bgp_builder *b, unsigned t)
{
    const struct bgp_program *p = b->p;
    const struct bgp_task *task = &p->task[t];
    const struct bgp_life *k = &b->life[t];
    if (task->parent == BGP_NONE) {
        return 0;
    }
    int awaited = task->fate == BGP_JOINED || task->fate == BGP_GROUPED;
    if (k->cancelled || k->scoped || (p->leave && !awaited)) {
        return 1;
    }
    /* One that leaves may come to await what it would have detached. */
    const struct bgp_task *parent = &p->task[task->parent];
    return (parent->may & MAY_BE_CANCELLED) != 0 && task->fate != BGP_LOOSE &&
           (awaited || (parent->flags & (BGP_LEAVES | BGP_LEAVES_ALL)) != 0);
}

/* One of those t awaits, in order; whether it is sure to fail. */
static int passes(struct bgp_builder *b, unsigned t, unsigned c)
{
    struct bgp_task *self = &b->p->task[t];
    const struct bgp_task *task = &b->p->task[c];
    self->may |= task->may & (MAY_RETURN_CANCELLED | MAY_RETURN_TIMED_OUT);
    if (b->life[c].scoped) {
        self->may |= MAY_RETURN_TIMED_OUT;
    }
    if (task->result >= 0) {
        return 0;
    }
    self->result = task->result;
    return 1;
}

static void pass_on(struct bgp_builder *b, unsigned t)
{
    const struct bgp_program *p = b->p;
    for (uint32_t i = 0; i < p->task[t].count; i++) {
        const struct bgp_op *op = &p->op[p->task[t].first + i];
        if ((op->kind->flags & BGP_PASSES) == 0) {
            continue;
        }
        if ((op->kind->flags & BGP_WHO) != 0 && passes(b, t, op->who)) {
            return;
        }
        for (unsigned j = 0; (op->kind->flags & BGP_WHOM) != 0 && j < op->n; j++) {
            if (passes(b, t, op->list[j])) {
                return;
            }
        }
    }
}

void bgp_foretell(struct bgp_builder *b)
{
    struct bgp_program *p = b->p;
    for (unsigned t = 0; t < p->ntasks; t++) {
        struct bgp_task *task = &p->task[t];
        task->result = task->own;
        task->may = may_be_cancelled(b, t) ? MAY_BE_CANCELLED | MAY_RETURN_CANCELLED : 0;
        if ((task->flags & BGP_LEAVES_ALL) != 0) {
            task->may |= MAY_RETURN_TIMED_OUT | MAY_RETURN_CANCELLED;
        }
    }
    for (unsigned t = p->ntasks; t-- > 0;) { /* those it spawns have greater numbers */
        if ((p->task[t].flags & BGP_PASSES_ON) != 0) {
            pass_on(b, t);
        }
    }
}
