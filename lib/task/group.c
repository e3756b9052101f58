/*
 * Groups: members that end before their group does.
 *
 * A group is a sink (task/task.h) for the ends of its members, a scope around its owner, and a wait
 * queue whose LOCK guards all of it. It lies on the owner's stack until the owner has closed it,
 * which it does not before every member has been taken off the list; a member takes itself off,
 * inside, as the last thing its end does with the group. Leaving is the last touch (wait/queue.h).
 *
 * Inside only
 *   members   a ring of the extras of those that live: spawned, and not taken off
 *   taken     members that live and places promised to spawners; the owner waits until it is 0
 *   kept      results for bg_group_next, oldest first: records that nobody has freed yet
 *   cancelled 0 -> 1, once: by a failure, bg_group_cancel, or the owner's close
 *   closing   0 -> 1 by the owner: the scope is left, so it is kicked no more
 *
 * Who waits in the queue says so in its node's info, which the waker replaces by what it gives:
 *   JOIN  the owner in close; given nothing
 *   SLOT  a spawner at the limit; given GRANTED (its place counts in `taken` from then on) or
 * REFUSED NEXT  somebody in bg_group_next; given a task's record, or NONE
 *
 * Cancelling claims members' waiters inside, where none of them can vanish, and wakes them there;
 * its owner is kicked inside too, for the same reason, and woken after leaving.
 *
 * Failures. The first is the group's result. Each is noted inside, before the member is taken off,
 * so that the close sees all of them. What has no place is reported by whoever notes it.
 */
#include "base/panic.h"
#include "task/task.h"
#include "wait/queue.h"

#include <brigade/group.h>
#include <stdio.h>

enum { JOIN, SLOT, NEXT };           /* info of who waits */
enum { REFUSED = 3, GRANTED, NONE }; /* what it becomes; a record's address is above */

struct group {
    bgi_task_sink sink; /* first */
    bgi_waitq q;
    bgi_scope scope;
    bg_task *owner; /* NULL: closed */
    struct bgi_extra *members;
    size_t taken, limit;
    struct bgi_fifo kept; /* linked by fiber.item.link */
    bg_failure *failures;
    size_t max_failures, count;
    size_t *failed;
    int *result;
    bg_failure first; /* its result 0: none */
    int why;          /* it was cancelled from outside, with this code */
    unsigned char keep_going, results, cancelled, closing;
};

_Static_assert(sizeof(struct group) <= sizeof(bg_group_t), "bg_group_t has room for it");
_Static_assert(_Alignof(struct group) <= _Alignof(bg_group_t), "and its alignment");

/* What is to be done after leaving. */
struct errands {
    bgi_wake_list wake;
    bgi_wait_node *join; /* to be woken, or to be run next */
    bgi_waiter *owner;   /* claimed */
    bg_task *record;     /* to be freed */
    bg_failure report;   /* nobody will hear of it otherwise */
};

static struct group *group_of(bg_group_t *group)
{
    return (struct group *)(void *)group;
}

static const bgi_wait_site join_site = {"bg_group_close", "the members of its group"};
static const bgi_wait_site slot_site = {"bg_group_spawn", "a member to end, at the limit"};
static const bgi_wait_site next_site = {"bg_group_next", "the next member to end"};

/* ---- inside ---- */

static void link_member(struct group *g, struct bgi_extra *m)
{
    struct bgi_extra *first = g->members;
    if (first == NULL) {
        m->next = m->prev = m;
        g->members = m;
    } else {
        m->next = first;
        m->prev = first->prev;
        first->prev->next = m;
        first->prev = m;
    }
}

static void unlink_member(struct group *g, struct bgi_extra *m)
{
    m->next->prev = m->prev;
    m->prev->next = m->next;
    if (g->members == m) {
        g->members = m->next == m ? NULL : m->next;
    }
}

/* The first who waits for this, taken out and given `gift`; NULL: nobody does. */
static bgi_wait_node *take_waiting(struct group *g, uintptr_t kind, uintptr_t gift)
{
    bgi_wait_node *n = g->q.first;
    if (n == NULL) {
        return NULL;
    }
    while (n->info != kind) {
        n = n->next;
        if (n == g->q.first) {
            return NULL;
        }
    }
    bgi_waitq_remove(&g->q, n);
    n->info = gift;
    return n;
}

static void take_all_waiting(struct group *g, uintptr_t kind, uintptr_t gift,
                             struct errands *errands)
{
    bgi_wait_node *n;
    while ((n = take_waiting(g, kind, gift)) != NULL) {
        bgi_wake_list_add(&errands->wake, n);
    }
}

static void cancel_inside(struct group *g, struct errands *errands)
{
    if (g->cancelled) {
        return;
    }
    g->cancelled = 1;
    if (!g->closing && bgi_scope_cancel(&g->scope)) {
        errands->owner = g->scope.waiter;
    }
    take_all_waiting(g, SLOT, REFUSED, errands);
    struct bgi_extra *m = g->members;
    if (m != NULL) {
        do {
            struct bgi_extra *next = m->next;
            bgi_task_cancel(m->task);
            m = next;
        } while (m != g->members);
    }
}

static void set_failure(bg_failure *f, const char *name, int result)
{
    f->result = result;
    (void)snprintf(f->name, sizeof f->name, "%s", name);
}

/* A member, or one that could not be spawned, has failed. */
static void note_failure(struct group *g, const char *name, int result, struct errands *errands)
{
    int placed = 0;
    if (g->first.result == 0) {
        set_failure(&g->first, name, result);
        placed = 1;
    }
    if (g->count < g->max_failures) {
        set_failure(&g->failures[g->count], name, result);
        placed = 1;
    }
    g->count++;
    if (!placed) {
        set_failure(&errands->report, name, result);
    }
    if (!g->keep_going) {
        cancel_inside(g, errands);
    }
}

/* A place has become free: somebody's who waits for one, or nobody's. */
static void give_place(struct group *g, struct errands *errands)
{
    bgi_wait_node *n = take_waiting(g, SLOT, GRANTED);
    if (n != NULL) {
        bgi_wake_list_add(&errands->wake, n);
        return;
    }
    if (--g->taken == 0) {
        take_all_waiting(g, NEXT, NONE, errands);
        errands->join = take_waiting(g, JOIN, NONE);
    }
}

static void finish(struct errands *errands)
{
    bgi_wake_all(&errands->wake);
    if (errands->join != NULL) {
        bgi_waitq_wake(errands->join);
    }
    if (errands->owner != NULL) {
        bgi_waiter_wake(errands->owner);
    }
    if (errands->record != NULL) {
        bgi_task_drop_extra(errands->record);
        bgi_task_free(errands->record);
    }
    if (errands->report.result != 0) {
        bgi_failure(errands->report.name, errands->report.result);
    }
}

/* ---- a member's end ---- */

static bgi_item *member_ended(bgi_task_sink *sink, bg_task *t, bgi_worker *w)
{
    struct group *g = BGI_CONTAINER_OF(sink, struct group, sink);
    struct errands errands = {.record = t};
    int result = t->fiber.result;

    bgi_word value = bgi_waitq_enter(&g->q);
    unlink_member(g, t->extra);
    if (bgi_unlikely(result < 0 && result != -ECANCELED)) {
        note_failure(g, bg_task_name(t), result, &errands);
    }
    if (g->results) {
        bgi_wait_node *n = take_waiting(g, NEXT, (uintptr_t)t);
        if (n != NULL) {
            bgi_wake_list_add(&errands.wake, n);
        } else {
            bgi_fifo_push(&g->kept, &t->fiber.item.link);
        }
        errands.record = NULL;
    }
    give_place(g, &errands);
    bgi_waitq_leave(&g->q, value);

    bgi_item *next = NULL;
    if (errands.join != NULL) {
        bgi_waiter *owner = errands.join->waiter;
        errands.join = NULL;
        next = bgi_waiter_signal(owner) ? owner->wake(owner, w->sched) : NULL;
    }
    finish(&errands);
    return next;
}

/* ---- open, spawn, cancel ---- */

static int group_options_valid(const bg_group_options *o)
{
    return o != NULL && o->size == sizeof *o && (o->failures != NULL || o->max_failures == 0);
}

int bg_group_open_opts(bg_group_t *group, const bg_group_options *o)
{
    struct group *g = group_of(group);
    g->owner = NULL;
    if (!group_options_valid(o)) {
        if (o != NULL && o->size == sizeof *o && o->result != NULL) {
            *o->result = -EINVAL;
        }
        return -EINVAL;
    }
    bg_task *self = bgi_task_required("bg_group");
    if (self == NULL) {
        if (o->result != NULL) {
            *o->result = -EPERM;
        }
        return -EPERM;
    }
    *g = (struct group){
        .sink = {member_ended},
        .limit = o->limit,
        .owner = self,
        .failures = o->failures,
        .max_failures = o->max_failures,
        .failed = o->failed,
        .result = o->result,
        .keep_going = o->keep_going != 0,
        .results = o->results != 0,
    };
    bgi_fifo_init(&g->kept);
    bgi_scope_open(&g->scope, &self->fiber, &self->waiter);
    return 0;
}

static void check_open(struct group *g, const char *function)
{
#if BGI_DEBUG
    if (g->owner == NULL) {
        bgi_misuse(function, bgi_task_self_name(), "the group is not open");
    }
#endif
    (void)g;
    (void)function;
}

/* A place for one more member: 0, or why there is none. */
static int take_place(struct group *g, bgi_waiter *w)
{
    bgi_word value = bgi_waitq_enter(&g->q);
    if (g->cancelled) {
        bgi_waitq_leave(&g->q, value);
        return -ECANCELED;
    }
    if (g->limit == 0 || g->taken < g->limit) {
        g->taken++;
        bgi_waitq_leave(&g->q, value);
        return 0;
    }
    bgi_wait_node node = {.waiter = w, .info = SLOT};
    bgi_waitq_push(&g->q, &node);
    int r = bgi_waitq_wait(&g->q, value, &node, &slot_site);
    return r < 0 ? r : node.info == GRANTED ? 0 : -ECANCELED;
}

static int spawn_failed(struct group *g, const char *name, int result)
{
    struct errands errands = {.record = NULL};
    bgi_word value = bgi_waitq_enter(&g->q);
    note_failure(g, name == NULL ? "" : name, result, &errands);
    give_place(g, &errands);
    bgi_waitq_leave(&g->q, value);
    finish(&errands);
    return result;
}

static int spawn(bg_group_t *group, bg_fn fn, void *arg, const void *copy, size_t copy_size,
                 const bg_spawn_options *options, const char *function)
{
    struct group *g = group_of(group);
    bg_task *self = bgi_task_required(function);
    if (self == NULL) {
        return -EPERM;
    }
    check_open(g, function);
    int r = bgi_wait_check(&self->waiter);
    if (r == 0) {
        r = take_place(g, &self->waiter);
    }
    if (r != 0) {
        return r;
    }
    const char *name = options == NULL ? NULL : options->name;
    if (fn == NULL || !bgi_spawn_options_valid(options)) {
        return spawn_failed(g, NULL, -EINVAL);
    }
    bgi_worker *w = bgi_worker_self();
    bg_task *t = bgi_task_make_member(w->sched->config.owner, w, fn, arg, copy, copy_size, options);
    if (t == NULL) {
        return spawn_failed(g, name, -ENOMEM);
    }
    t->extra->task = t;
    bgi_store_release(&t->done, (bgi_word)&g->sink | BGI_TASK_SINK);
    bgi_word value = bgi_waitq_enter(&g->q);
    link_member(g, t->extra);
    if (g->cancelled) {
        (void)bgi_waiter_cancel(&t->waiter); /* it has not run: there is no wait to claim */
    }
    bgi_waitq_leave(&g->q, value);
    bgi_push_here(w, &t->fiber.item);
    return 0;
}

int bg_group_spawn_opts(bg_group_t *group, bg_fn fn, void *arg, const bg_spawn_options *options)
{
    return spawn(group, fn, arg, NULL, 0, options, "bg_group_spawn");
}

int bg_group_spawn_copy(bg_group_t *group, bg_fn fn, const void *arg, size_t arg_size,
                        const bg_spawn_options *options)
{
    return spawn(group, fn, NULL, arg, arg_size, options, "bg_group_spawn_with");
}

int bg_group_cancel(bg_group_t *group)
{
    struct group *g = group_of(group);
    struct errands errands = {.record = NULL};

    check_open(g, "bg_group_cancel");
    bgi_task_point();
    bgi_word value = bgi_waitq_enter(&g->q);
    if (!g->cancelled) {
        g->why = -ECANCELED;
    }
    cancel_inside(g, &errands);
    bgi_waitq_leave(&g->q, value);
    finish(&errands);
    return 0;
}

/* ---- results ---- */

/* What a wait of this task would fail with but for the group's own cancelling. */
static int failure_but_for(const struct group *g, const bg_task *self)
{
    for (const bgi_scope *s = bgi_scope_innermost(&self->fiber); s != NULL; s = s->parent) {
        if (s == &g->scope) {
            return bgi_scope_failure(s->parent, &self->waiter);
        }
        if (s->mask == s->depth || bgi_load(&s->state) != BGI_SCOPE_LIVE) {
            return bgi_scope_failure(s, &self->waiter);
        }
    }
    return bgi_scope_failure(NULL, &self->waiter);
}

/* Inside, with the node queued: waits until it is served, whatever happens outside. */
static void wait_hidden(struct group *g, bgi_word value, bgi_wait_node *node, bg_task *self,
                        const bgi_wait_site *site)
{
    bgi_scope shield;
    bgi_scope_open_shield(&shield, &self->fiber, &self->waiter);
    (void)bgi_waitq_wait(&g->q, value, node, site);
    bgi_scope_leave(&shield, &self->fiber);
}

static int hand_over(bg_task *t, int *result)
{
    if (result != NULL) {
        *result = t->fiber.result;
    }
    bgi_task_drop_extra(t);
    bgi_task_free(t);
    return 0;
}

int bg_group_next(bg_group_t *group, int *result)
{
    struct group *g = group_of(group);
    bg_task *self = bgi_task_required("bg_group_next");
    if (self == NULL) {
        return -EPERM;
    }
    check_open(g, "bg_group_next");
    if (!g->results) {
        return -EINVAL;
    }
    bgi_wait_point(&self->waiter);
    for (;;) {
        int r = failure_but_for(g, self);
        if (r != 0) {
            return r;
        }
        bgi_word value = bgi_waitq_enter(&g->q);
        struct bgi_link *l = bgi_fifo_pop(&g->kept);
        if (l != NULL || g->taken == 0) {
            bgi_waitq_leave(&g->q, value);
            return l == NULL ? -ENOENT
                             : hand_over(bgi_task_of(bgi_fiber_of(bgi_item_of(l))), result);
        }
        bgi_wait_node node = {.waiter = &self->waiter, .info = NEXT};
        bgi_waitq_push(&g->q, &node);
        if (g->cancelled) { /* all are about to end; it would not wait otherwise */
            wait_hidden(g, value, &node, self, &next_site);
        } else if (bgi_waitq_wait(&g->q, value, &node, &next_site) != 0) {
            continue; /* by the group itself, or not: see above */
        }
        return node.info == NONE ? -ENOENT : hand_over((bg_task *)node.info, result);
    }
}

/* ---- close ---- */

/* The owner is to end, and so are the members; they are waited for all the same. */
static void cancel_and_join(struct group *g, int why, bgi_wait_node *node, bg_task *self)
{
    struct errands errands = {.record = NULL};
    bgi_word value = bgi_waitq_enter(&g->q);
    g->why = g->cancelled ? g->why : why;
    cancel_inside(g, &errands);
    bgi_waitq_leave(&g->q, value);
    finish(&errands);

    value = bgi_waitq_enter(&g->q);
    if (g->taken == 0) {
        bgi_waitq_leave(&g->q, value); /* the last has ended since the wait failed */
        return;
    }
    bgi_waitq_push(&g->q, node);
    wait_hidden(g, value, node, self, &join_site);
}

static int close_group(struct group *g, bg_task *self)
{
    bgi_wait_node node = {.waiter = &self->waiter, .info = JOIN};

    bgi_wait_point(&self->waiter);
    bgi_word value = bgi_waitq_enter(&g->q);
    g->closing = 1;
    bgi_scope_leave(&g->scope, &self->fiber);
    if (g->taken == 0) {
        bgi_waitq_leave(&g->q, value);
    } else {
        bgi_waitq_push(&g->q, &node);
        int r = bgi_waitq_wait(&g->q, value, &node, &join_site);
        if (r != 0) {
            cancel_and_join(g, r, &node, self);
        }
    }
    struct bgi_link *l;
    while ((l = bgi_fifo_pop(&g->kept)) != NULL) {
        (void)hand_over(bgi_task_of(bgi_fiber_of(bgi_item_of(l))), NULL);
    }
    if (g->failed != NULL) {
        *g->failed = g->count;
    }
    g->owner = NULL;
    return g->first.result != 0 ? g->first.result : g->why;
}

static bg_task *check_owner(struct group *g)
{
    bg_task *self = bgi_task_required("bg_group_close");
#if BGI_DEBUG
    if (g->owner != self) {
        bgi_misuse("bg_group_close", bg_task_name(self),
                   g->owner == NULL ? "the group is not open" : "the group is another task's");
    }
    if (bgi_scope_innermost(&self->fiber) != &g->scope) {
        bgi_misuse("bg_group_close", bg_task_name(self), "a scope within the group is still open");
    }
#endif
    (void)g;
    return self;
}

int bg_group_close(bg_group_t *group)
{
    struct group *g = group_of(group);
    bg_task *self = check_owner(g);
    if (self == NULL || g->owner != self) {
        return -EPERM;
    }
    return close_group(g, self);
}

void bg_detail_group_end(bg_group_t *group)
{
    struct group *g = group_of(group);
    if (g->owner == NULL) {
        return; /* never opened, or closed within its block */
    }
    int *result = g->result;
    int r = bg_group_close(group);
    if (result != NULL) {
        *result = r;
    } else if (g->first.result != 0 && g->max_failures == 0) {
        bgi_failure(g->first.name, r);
    }
}
