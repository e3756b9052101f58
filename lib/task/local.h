/*
 * The values of task locals: an array of (key, value), shared by the tasks that have the same.
 *
 * A running task's array hangs on the record of its stack (bgi_stack.locals, NULL between bodies:
 * a task without any has nothing to be set up or cleared). A task that has not begun has its
 * array in what it copied (bgi_extra.locals); its function is then one that takes it from there to
 * the stack and calls the real one. So each array belongs to one or the other, never to both.
 *
 * `refs`: how many tasks have the array. With more than one nobody writes it: who sets a value goes
 * on with a copy. With one, that task does as it likes, since only it could let another have it.
 *
 *   retain: the running task that has it, for one that it spawns; or the monitor, for a fork of
 * that task, under the lock of its forks. Relaxed: it is not read for it.
 *
 *   release: fetch_sub, with release: what was read before is over -> whoever then finds 1, in a
 * set (load, acquire), or was the last (acquire), and writes or frees.
 *
 * Whether any task of a runtime has ever set a value stands in the runtime (`locals`, 0 -> 1, both
 * relaxed). A spawn looks there first, at a word beside others it needs, and goes no further
 * while it is 0. Who has a value has set it, or got it from a task that had one: it sees the 1.
 */
#ifndef BGI_LOCAL_H
#define BGI_LOCAL_H

#include "task/task.h"

#include <brigade/local.h>

struct bgi_local_value {
    const bg_local *key;
    void *value;
};

typedef struct bgi_locals {
    bgi_atomic refs;
    size_t count;
    struct bgi_local_value at[];
} bgi_locals;

/* The array of the task that runs on the worker, with one reference more; NULL: it has none. */
bgi_locals *bgi_locals_inherit(const bgi_worker *w);

/* The function of a task that has inherited. */
int bgi_locals_run(void *arg);

#endif
