/*
 * Timeouts, deadlines and shields: the public face of wait/scope.h.
 *
 * What kind a scope is stands beside it. One opened outside of tasks is of no kind, and is closed
 * without a trace.
 */
#include "base/panic.h"
#include "task/task.h"

#include <brigade/scope.h>

enum kind { NONE, DEADLINE, SHIELD };

struct scope {
    bgi_deadline_scope s;
    enum kind kind;
};

_Static_assert(sizeof(struct scope) <= sizeof(bg_scope), "bg_scope has room for it");
_Static_assert(_Alignof(struct scope) <= _Alignof(bg_scope), "and its alignment");

static bg_task *opener(struct scope *scope, enum kind kind, const char *function)
{
    bg_task *self = bgi_task_required(function);
    scope->kind = bgi_likely(self != NULL) ? kind : NONE;
    return self;
}

bg_scope *bg_timeout_open(bg_scope *scope, bg_duration timeout)
{
    struct scope *s = (struct scope *)(void *)scope;
    bg_task *self = opener(s, DEADLINE, "bg_timeout");
    if (bgi_likely(self != NULL)) {
        bgi_scope_open_timeout(&s->s, &self->fiber, &self->waiter, timeout);
    }
    return scope;
}

bg_scope *bg_deadline_open(bg_scope *scope, bg_time deadline)
{
    struct scope *s = (struct scope *)(void *)scope;
    bg_task *self = opener(s, DEADLINE, "bg_deadline");
    if (bgi_likely(self != NULL)) {
        bgi_scope_open_deadline(&s->s, &self->fiber, &self->waiter, deadline);
    }
    return scope;
}

bg_scope *bg_shield_open(bg_scope *scope)
{
    struct scope *s = (struct scope *)(void *)scope;
    bg_task *self = opener(s, SHIELD, "bg_shield");
    if (bgi_likely(self != NULL)) {
        bgi_scope_open_shield(&s->s.scope, &self->fiber, &self->waiter);
    }
    return scope;
}

void bg_scope_close(bg_scope *scope)
{
    struct scope *s = (struct scope *)(void *)scope;
    if (bgi_unlikely(s->kind == NONE)) {
        return;
    }
    bgi_fiber *self = bgi_fiber_self();
#if BGI_DEBUG
    if (self == NULL || bgi_scope_innermost(self) != &s->s.scope) {
        bgi_misuse("bg_scope_close", bgi_task_self_name(),
                   "the scope is not the innermost of the calling task");
    }
#endif
    if (s->kind == DEADLINE) {
        self->stack->timed_out = (uint32_t)bgi_scope_leave_deadline(&s->s, self);
    } else {
        bgi_scope_leave(&s->s.scope, self);
    }
}

int bg_timed_out(void)
{
    bgi_fiber *self = bgi_fiber_self();
    return self == NULL ? 0 : (int)self->stack->timed_out;
}

int bg_cancelled(void)
{
    bg_task *self = bgi_task_self();
    return self == NULL ? 0 : bgi_wait_check(&self->waiter);
}
