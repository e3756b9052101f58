#include "task/local.h"

#include <errno.h>

bgi_locals *bgi_locals_inherit(const bgi_worker *w)
{
    bgi_locals *l = w->current == NULL ? NULL : w->current->stack->locals;
    if (l != NULL) {
        (void)bgi_fetch_add_relaxed(&l->refs, 1);
    }
    return l;
}

void bgi_locals_release(bgi_locals *l)
{
    if (bgi_fetch_sub(&l->refs, 1) == 1) {
        bgi_free(l);
    }
}

int bgi_locals_run(void *arg)
{
    bg_task *self = bgi_task_self();
    struct bgi_extra *extra = self->extra;
    self->fiber.stack->locals = extra->locals;
    extra->locals = NULL;
    return extra->fn(arg);
}

void bgi_locals_drop(bgi_stack *stack)
{
    bgi_locals *l = stack->locals;
    stack->locals = NULL;
    bgi_locals_release(l);
}

/* The place of the key in the array, or its count. */
static size_t find(const bgi_locals *l, const bg_local *key)
{
    size_t i = 0;
    while (i < l->count && l->at[i].key != key) {
        i++;
    }
    return i;
}

/* A copy of so many values, with room for one more. */
static bgi_locals *copy(const bgi_locals *l, size_t count)
{
    bgi_locals *c = bgi_malloc(sizeof *c + (count + 1) * sizeof c->at[0]);
    if (c != NULL) {
        bgi_store(&c->refs, 1);
        c->count = count;
        if (count != 0) {
            memcpy(c->at, l->at, count * sizeof c->at[0]);
        }
    }
    return c;
}

/* The array to be written by the task, which has no other: its own, or a copy. NULL: no memory. */
static bgi_locals *own(bgi_locals *l, int with_room)
{
    if (l == NULL) {
        return copy(NULL, 0);
    }
    if (!with_room && bgi_load_acquire(&l->refs) == 1) {
        return l;
    }
    bgi_locals *c = copy(l, l->count);
    if (c != NULL) {
        bgi_locals_release(l);
    }
    return c;
}

static int set(bgi_stack *stack, const bg_local *key, void *value)
{
    bgi_locals *l = stack->locals;
    size_t i = l == NULL ? 0 : find(l, key);
    int is_new = l == NULL || i == l->count;

    if (is_new && value == NULL) {
        return 0;
    }
    if (value == NULL && l->count == 1) {
        bgi_locals_drop(stack); /* the only one */
        return 0;
    }
    l = own(l, is_new);
    if (l == NULL) {
        return -ENOMEM;
    }
    stack->locals = l;
    if (value == NULL) {
        l->at[i] = l->at[--l->count];
    } else {
        l->at[i] = (struct bgi_local_value){key, value};
        l->count += (size_t)is_new;
    }
    return 0;
}

/* Others may copy the array for a fork of the task's (parallel/fork.c), and only then. */
static int set_with_forks(bgi_worker *w, bgi_stack *stack, const bg_local *key, void *value)
{
    bgi_lock_acquire(&w->own_lock);
    int r = set(stack, key, value);
    bgi_lock_release(&w->own_lock);
    return r;
}

int bg_local_set(const bg_local *key, void *value)
{
    bg_task *self = bgi_task_required("bg_local_set");
    if (self == NULL || key == NULL) {
        return self == NULL ? -EPERM : -EINVAL;
    }
    bgi_atomic *any = &bgi_task_runtime(self)->locals;
    if (bgi_load(any) == 0) {
        bgi_store(any, 1);
    }
    bgi_worker *w = bgi_worker_self();
    return bgi_has_own_forks(w) ? set_with_forks(w, self->fiber.stack, key, value)
                                : set(self->fiber.stack, key, value);
}

void *bg_local_get(const bg_local *key)
{
    const bg_task *self = bgi_task_required("bg_local_get");
    const bgi_locals *l = self == NULL ? NULL : self->fiber.stack->locals;
    size_t i = l == NULL ? 0 : find(l, key);
    return l == NULL || i == l->count ? NULL : l->at[i].value;
}
