/*
 * Spawning: a record, two words of what to do, and a place at the end of the run queue.
 */
#include "base/panic.h"
#include "task/local.h"

#include <brigade/runtime.h>
#include <brigade/typed.h>
#include <errno.h>

bgi_item *bgi_task_wake(bgi_waiter *w, bgi_sched *here)
{
    return bgi_task_woken(w, here);
}

BGI_INLINE int options_valid(const bg_spawn_options *o)
{
    return o->size == sizeof *o && (o->stack_size == 0 || (o->stack_size >= BGI_STACK_MIN &&
                                                           o->stack_size <= (size_t)1 << 30));
}

int bgi_spawn_options_valid(const bg_spawn_options *o)
{
    return o == NULL || options_valid(o);
}

/* The block of what has to be copied, if there is anything: a member always has one. w: where the
 * task runs whose locals it inherits, or NULL. 0 or -ENOMEM. */
static BGI_COLD int copy_extra(bg_task *t, const bgi_worker *w, const void *copy, size_t size,
                               const char *name, int member)
{
    size_t name_size = name == NULL ? 0 : strlen(name) + 1;
    bgi_locals *locals = w == NULL ? NULL : bgi_locals_inherit(w);
    if (locals == NULL && size + name_size == 0 && !member) {
        return 0;
    }
    struct bgi_extra *extra = bgi_malloc(sizeof *extra + size + name_size);
    if (extra == NULL) {
        if (locals != NULL) {
            bgi_locals_release(locals);
        }
        return -ENOMEM;
    }
    extra->name = NULL;
    extra->locals = locals;
    if (locals != NULL) {
        extra->fn = t->fn;
        t->fn = bgi_locals_run;
    }
    if (size != 0) {
        memcpy(extra->bytes, copy, size);
        t->arg = extra->bytes;
    }
    if (name != NULL) {
        extra->name = memcpy(extra->bytes + size, name, name_size);
    }
    t->extra = extra;
    t->fiber.flag = 1;
    return 0;
}

/* One more alive, if there is a limit: 0 when it is reached. */
static int count_alive(bg_runtime *rt)
{
    if (bgi_likely(rt->max_tasks == 0)) {
        return 1;
    }
    bgi_word alive = bgi_load(&rt->alive);
    while (alive < rt->max_tasks) {
        bgi_word found = bgi_cas_fetch(&rt->alive, alive, alive + 1);
        if (found == alive) {
            return 1;
        }
        alive = found;
    }
    return 0;
}

static void uncount_alive(bg_runtime *rt)
{
    if (bgi_unlikely(rt->max_tasks != 0)) {
        (void)bgi_fetch_sub(&rt->alive, 1);
    }
}

/* w: on which the caller runs, or NULL; from: where the one runs from whom it inherits, or NULL. */
BGI_INLINE bg_task *make_task(bg_runtime *rt, bgi_worker *w, const bgi_worker *from, bg_fn fn,
                              void *arg, const void *copy, size_t copy_size,
                              const bg_spawn_options *options, uint32_t stack_size, int member)
{
    const char *name = NULL;

    if (options != NULL) {
        if (bgi_unlikely(!options_valid(options))) {
            return NULL;
        }
        stack_size = (uint32_t)options->stack_size;
        name = options->name;
    }
    if (bgi_unlikely(fn == NULL || !count_alive(rt))) {
        return NULL;
    }
    bg_task *t = bgi_task_alloc(rt, w);
    if (bgi_unlikely(t == NULL)) {
        uncount_alive(rt);
        return NULL;
    }
    bgi_fiber_init(&t->fiber, stack_size);
    bgi_waiter_reset(&t->waiter, rt->look);
    t->fn = fn;
    t->arg = arg;
    int locals = bgi_load(&rt->locals) != 0;
    if (bgi_unlikely(name != NULL || copy_size != 0 || member || locals)) {
        if (copy_extra(t, locals ? from : NULL, copy, copy_size, name, member) != 0) {
            bgi_task_free(t);
            uncount_alive(rt);
            return NULL;
        }
    }
    if (bgi_likely(w != NULL)) {
        bgi_atomic *spawned = &rt->cache[w->index].spawned;
        bgi_store_release(spawned, bgi_load(spawned) + 1);
    } else {
        (void)bgi_fetch_add(&rt->foreign_spawned, 1);
    }
    bgi_store_release(&t->done, BGI_TASK_LIVE);
    bgi_fence_light(); /* partner: the heavy fence in bgi_runtime_begin_stop */
    if (bgi_unlikely(bgi_load_acquire(&rt->stopping))) {
        (void)bgi_waiter_cancel(&t->waiter);
    }
    return t;
}

bg_task *bgi_task_make(bg_runtime *rt, bgi_worker *w, bg_fn fn, void *arg, const void *copy,
                       size_t copy_size, const bg_spawn_options *options)
{
    return make_task(rt, w, w, fn, arg, copy, copy_size, options, 0, 0);
}

bg_task *bgi_task_make_member(bg_runtime *rt, bgi_worker *w, bg_fn fn, void *arg, const void *copy,
                              size_t copy_size, const bg_spawn_options *options)
{
    return make_task(rt, w, w, fn, arg, copy, copy_size, options, 0, 1);
}

bg_task *bgi_task_make_fork(bgi_worker *w, const bgi_worker *from, bg_fn fn, void *arg)
{
    return make_task(from->sched->config.owner, w, from, fn, arg, NULL, 0, NULL,
                     from->current->stack_size, 0);
}

/* The runtime of the caller, who runs on one of its workers. */
static bg_runtime *runtime_here(const char *function, bgi_worker **w)
{
    *w = bgi_worker_self();
    if (bgi_unlikely(*w == NULL)) {
#if BGI_DEBUG
        bgi_misuse(function, NULL, "called outside of a runtime; see bg_runtime_spawn");
#endif
        (void)function;
        return NULL;
    }
    return (*w)->sched->config.owner;
}

bg_task *bg_spawn_opts(bg_fn fn, void *arg, const bg_spawn_options *options)
{
    bgi_worker *w;
    bg_runtime *rt = runtime_here("bg_spawn", &w);
    bg_task *t =
        bgi_unlikely(rt == NULL) ? NULL : make_task(rt, w, w, fn, arg, NULL, 0, options, 0, 0);
    if (bgi_likely(t != NULL)) {
        bgi_push_here(w, &t->fiber.item);
    }
    return t;
}

bg_task *bg_spawn_copy(bg_fn fn, const void *arg, size_t arg_size, const bg_spawn_options *options)
{
    bgi_worker *w;
    bg_runtime *rt = runtime_here("bg_spawn_with", &w);
    bg_task *t = rt == NULL ? NULL : bgi_task_make(rt, w, fn, NULL, arg, arg_size, options);
    if (t != NULL) {
        bgi_push_here(w, &t->fiber.item);
    }
    return t;
}

bg_task *bg_spawn_typed(bg_fn fn, const char *name, const void *call, size_t size)
{
    bg_spawn_options options = {.size = sizeof options, .name = name};
    return bg_spawn_copy(fn, call, size, &options);
}

bg_task *bg_runtime_spawn_opts(bg_runtime *rt, bg_fn fn, void *arg, const bg_spawn_options *options)
{
    if (rt == NULL) {
        return NULL;
    }
    bgi_worker *w = bgi_worker_self();
    if (w != NULL && w->sched != rt->sched) {
        w = NULL;
    }
    bg_task *t = bgi_task_make(rt, w, fn, arg, NULL, 0, options);
    if (t != NULL) {
        bgi_submit(rt->sched, &t->fiber.item);
    }
    return t;
}

/* After the body, on its stack: nothing of the task's is left there. */
BGI_INLINE void clear_stack(const bg_task *t)
{
    if (bgi_unlikely(t->fiber.stack->locals != NULL)) {
        bgi_locals_drop(t->fiber.stack);
    }
#if BGI_DEBUG
    if (bgi_has_own_forks(bgi_worker_self())) {
        bgi_misuse("bg_join", bg_task_name(t), "the task has ended with a fork not joined");
    }
    if (t->fiber.stack->scope != NULL) {
        bgi_misuse("bg_scope_close", bg_task_name(t), "the task has ended within an open scope");
    }
    if (t->fiber.stack->held != NULL) {
        bgi_misuse("bg_mutex_unlock", bg_task_name(t), "the task has ended with a lock held");
    }
#endif
}

bgi_item *bgi_task_body(bgi_worker *w, bgi_fiber *f)
{
    bg_task *t = bgi_task_of(f);
    f->stack->timed_out = 0;
    f->result = bgi_likely(!bgi_waiter_cancelled(&t->waiter)) ? t->fn(t->arg) : -ECANCELED;
    clear_stack(t);
    (void)w; /* perhaps another one by now */
    return bgi_task_end(bgi_worker_self(), t);
}

bgi_item *bgi_task_body_simulated(bgi_worker *w, bgi_fiber *f)
{
    bg_task *t = bgi_task_of(f);
    f->stack->timed_out = 0;
    f->result = bgi_waiter_cancelled(&t->waiter) ? -ECANCELED : t->fn(t->arg);
    clear_stack(t);
    w = bgi_worker_self();
    w->current = NULL; /* from here on it cannot be held up: its record may go */
    bgi_item *next = bgi_task_end(w, t);
    if (next != NULL) {
        bgi_sim_hand(w, next);
    }
    return NULL;
}

void bgi_task_no_stack(bgi_worker *w, bgi_fiber *f)
{
    f->result = -ENOMEM;
    bgi_item *next = bgi_task_end(w, bgi_task_of(f));
    if (next != NULL) {
        bgi_push(w, next);
    }
}

bg_task *bg_self(void)
{
    return bgi_task_self();
}

const char *bg_task_name(const bg_task *task)
{
    return task == NULL || !task->fiber.flag || task->extra->name == NULL ? "" : task->extra->name;
}

const char *bgi_task_fiber_name(const bgi_fiber *f)
{
    return bg_task_name(BGI_CONTAINER_OF(f, const struct bg_task, fiber));
}
