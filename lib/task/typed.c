/*
 * What BG_TASK's functions are made of. A typed task is one with a copied argument, in which its
 * function leaves the result; its own result says only that the function has run.
 */
#include "base/panic.h"
#include "task/task.h"

#include <brigade/typed.h>
#include <errno.h>

bg_task *bg_spawn_typed(bg_fn fn, const char *name, const void *call, size_t size)
{
    bg_spawn_options options = {.size = sizeof options, .name = name};
    return bg_spawn_copy(fn, call, size, &options);
}

/* Several files may have each their own static functions for it, so the name has to do. */
static void check_kind(const bg_task *t, const char *name)
{
#if BGI_DEBUG
    if (strcmp(bg_task_name(t), name) != 0) {
        bgi_misuse("bg_await_typed", bgi_task_self_name(), "task '%s' was not made by %s_spawn",
                   bg_task_name(t), name);
    }
#endif
    (void)t;
    (void)name;
}

int bg_await_typed(bg_task *t, const char *name, void *out, size_t size)
{
    int r = bgi_task_wait_end(t, "bg_await_typed");
    if (bgi_unlikely(r != 0)) {
        return r;
    }
    check_kind(t, name);
    if (t->fiber.result == 0 && out != NULL) {
        memcpy(out, t->arg, size);
    }
    return bgi_task_take_result(t);
}
