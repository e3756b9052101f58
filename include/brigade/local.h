/*
 * Task locals: values that belong to a task, and that the tasks it spawns inherit.
 *
 *     static bg_local request = BG_LOCAL_INIT;
 *
 *     bg_local_set(&request, r);
 *     ...
 *     struct request *r = bg_local_get(&request);     in whatever the task calls, or spawns
 *
 * As asyncio's contextvars: a new task has the values its spawner had when it spawned it; what
 * either sets later is not seen by the other. That holds for bg_spawn and all that spawns as it
 * does, groups included. A task that is spawned from a callback, from a plain thread or from a task
 * of another runtime inherits nothing; nor do functions called by bg_blocking see any values. A
 * fork (brigade/fork.h) sees the values of its caller; what it sets itself, its caller may or may
 * not see.
 *
 * A value is a pointer, and what it points to is the program's: it must be there for as long as a
 * task may get it. A program that sets none pays nothing for them. With some, a spawn allocates a
 * small block for the new task, and a set copies the values that are shared with other tasks.
 */
#ifndef BRIGADE_LOCAL_H
#define BRIGADE_LOCAL_H

#include <brigade/types.h>

BG_BEGIN_DECLS

/* A key: its address is what counts, so it stays in place, and is not copied. Before its memory
 * becomes something else, its value is set to NULL in every task that has one. */
typedef struct bg_local {
    uintptr_t opaque[1];
} bg_local;

/* The initialiser of a key, static or not. */
#define BG_LOCAL_INIT {{0}}

/*
 * Sets the calling task's value of the key; NULL takes it away. In a task. Does not suspend.
 * Returns 0; -ENOMEM: the value is as before; -EINVAL: key is NULL. Outside of tasks: misuse, in
 * debug builds; in others -EPERM.
 */
BG_API int bg_local_set(const bg_local *key, void *value);

/*
 * The calling task's value of the key, or NULL when it has none. In a task. Does not suspend, never
 * fails; takes longer the more keys the task has values of. Outside of tasks: misuse, in debug
 * builds; in others NULL.
 */
BG_API void *bg_local_get(const bg_local *key);

BG_END_DECLS

#endif
