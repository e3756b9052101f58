/*
 * Tasks in the order in which they end.
 *
 * The iterator is a sink (task/task.h) for the ends of its tasks, which lie in a list of its own
 * once they have ended, guarded by the LOCK of its wait queue. An end is told in two steps: DONE is
 * stored, then the record is put in the list. So who finds a registration gone waits for the record
 * to come in: the iterator is not left before all that could not be taken back are in.
 *
 * Inside only
 *   ended      records that have come in and were not given, oldest first
 *   coming     registrations whose records have not come in
 *   waiting    the owner's node, in the queue
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

struct completion {
    bgi_task_sink sink; /* first */
    bgi_waitq q;
    struct bgi_fifo ended;
    size_t coming;
    bg_task *const *tasks;
    size_t n;
    size_t nulls; /* of the tasks, looked at so far for NULL */
    int told;     /* those that have not ended were cancelled */
};

_Static_assert(sizeof(struct completion) <= sizeof(bg_completion), "there is room for it");
_Static_assert(_Alignof(struct completion) <= _Alignof(bg_completion), "and its alignment");

static const bgi_wait_site completed_site = {"bg_as_completed", "the next of its tasks to end"};

static bgi_item *came_in(bgi_task_sink *sink, bg_task *t, bgi_worker *w)
{
    struct completion *c = BGI_CONTAINER_OF(sink, struct completion, sink);
    bgi_word value = bgi_waitq_enter(&c->q);
    bgi_fifo_push(&c->ended, &t->fiber.item.link);
    c->coming--;
    bgi_wait_node *n = bgi_waitq_pop(&c->q);
    bgi_waitq_leave(&c->q, value);
    return n != NULL && bgi_waiter_signal(n->waiter) ? n->waiter->wake(n->waiter, w->sched) : NULL;
}

/* Still registered here: the handle is ours, so it is a record that nobody has freed, or, if it was
 * given before, another's by now, which is not registered here. */
static bgi_word mark_of(const struct completion *c)
{
    return (bgi_word)&c->sink | BGI_TASK_SINK;
}

bg_completion *bg_as_completed_open(bg_completion *it, bg_task *const tasks[], size_t n)
{
    struct completion *c = (struct completion *)(void *)it;
    bg_task *self = bgi_task_required("bg_as_completed");

    *c = (struct completion){.sink = {came_in}, .tasks = tasks, .n = self == NULL ? 0 : n};
    bgi_fifo_init(&c->ended);
    for (size_t i = 0; i < c->n; i++) {
        bg_task *t = tasks[i];
        if (t == NULL) {
            continue;
        }
#if BGI_DEBUG
        if (t == self) {
            bgi_misuse("bg_as_completed", bg_task_name(self),
                       "a task cannot await itself (handle %zu)", i);
        }
#endif
        bgi_word value = bgi_waitq_enter(&c->q);
        if (bgi_cas(&t->done, BGI_TASK_LIVE, mark_of(c))) {
            c->coming++;
        } else {
#if BGI_DEBUG
            if (bgi_load(&t->done) != BGI_TASK_DONE) {
                bgi_misuse("bg_as_completed", bg_task_name(self),
                           "handle %zu is being awaited already, or was given back", i);
            }
#endif
            bgi_fifo_push(&c->ended, &t->fiber.item.link);
        }
        bgi_waitq_leave(&c->q, value);
    }
    return it;
}

/* Has those that have not ended end. */
static void tell(struct completion *c)
{
    c->told = 1;
    for (size_t i = 0; i < c->n; i++) {
        bg_task *t = c->tasks[i];
        if (t != NULL && bgi_load(&t->done) == mark_of(c)) {
            bgi_task_cancel(t);
        }
    }
}

/* Inside: waits until a record comes in, or, unless it is hidden, the caller is to end. */
static int wait_for_one(struct completion *c, bgi_word value, bg_task *self, int hidden)
{
    bgi_wait_node node = {.waiter = &self->waiter};
    bgi_scope shield;

    bgi_waitq_push(&c->q, &node);
    if (!hidden) {
        return bgi_waitq_wait(&c->q, value, &node, &completed_site);
    }
    bgi_scope_open_shield(&shield, &self->fiber, &self->waiter);
    (void)bgi_waitq_wait(&c->q, value, &node, &completed_site);
    bgi_scope_leave(&shield, &self->fiber);
    return 0;
}

int bg_as_completed_next(bg_completion *it, bg_task **task)
{
    struct completion *c = (struct completion *)(void *)it;
    bg_task *self = bgi_task_self();

    for (; c->nulls < c->n; c->nulls++) {
        if (c->tasks[c->nulls] == NULL) {
            c->nulls++;
            *task = NULL;
            return 1;
        }
    }
    if (c->n != 0 && !c->told && bgi_wait_check(&self->waiter) != 0) {
        tell(c);
    }
    for (;;) {
        bgi_word value = bgi_waitq_enter(&c->q);
        struct bgi_link *l = bgi_fifo_pop(&c->ended);
        if (l != NULL || c->coming == 0) {
            bgi_waitq_leave(&c->q, value);
            *task = l == NULL ? NULL : bgi_task_of(bgi_fiber_of(bgi_item_of(l)));
            return l != NULL;
        }
        if (wait_for_one(c, value, self, c->told) != 0) {
            tell(c);
        }
    }
}

void bg_as_completed_close(bg_completion *it)
{
    struct completion *c = (struct completion *)(void *)it;
    size_t taken_back = 0;

    for (size_t i = 0; i < c->n; i++) {
        taken_back += c->tasks[i] != NULL && bgi_cas(&c->tasks[i]->done, mark_of(c), BGI_TASK_LIVE);
    }
    bgi_word value = bgi_waitq_enter(&c->q);
    c->coming -= taken_back;
    while (c->coming != 0) { /* DONE, and about to come in */
        (void)wait_for_one(c, value, bgi_task_self(), 1);
        value = bgi_waitq_enter(&c->q);
    }
    bgi_waitq_leave(&c->q, value);
}
