/*
 * A runtime's pool for blocking calls.
 */
#ifndef BGI_BLOCKING_H
#define BGI_BLOCKING_H

#include "io/pool.h"
#include "task/task.h"

#define BGI_BLOCKING_MOST 512     /* threads, unless the options say otherwise */
#define BGI_BLOCKING_RESOLVING 16 /* threads for names of hosts */
#define BGI_BLOCKING_KEEP (10 * BG_S)

/* The pool of the runtime, made if need be; NULL: no memory. */
bgi_pool *bgi_blocking_pool(bg_runtime *rt);

/* The running task waits for its job, which was submitted. Takes it, in every case. */
int bgi_blocking_wait(bg_task *self, bgi_pool *p, bgi_job *j);

/* fn(arg) on a thread of the pool, for the running task; not given up once it has begun, so that
 * arg may point into the caller's stack. 0; or what ended the wait before, -ENOMEM or -EAGAIN, and
 * it was not called. fn's result is dropped. */
int bgi_blocking_through(bg_task *self, bg_fn fn, void *arg);

/*
 * Calls fn with a copy of the size bytes at record, in the pool for names of hosts, and copies them
 * back when it has returned: its result. Else the failure: record is as it was.
 */
int bgi_blocking_resolve(bg_task *self, bg_fn fn, void *record, size_t size);

/*
 * Calls fn with a copy of the size bytes at record, on a thread of the pool. 0: fn, which returns
 * 0, has been called, and the copy is copied back. Else what ended the wait, -ENOMEM or -EAGAIN:
 * drop has been called for the copy (or will be when fn has returned), to free what it owns; the
 * record must not be used any more. self: the running task, or NULL for a plain thread, where fn is
 * called here.
 */
int bgi_blocking_record(bg_task *self, bg_fn fn, void (*drop)(void *record), void *record,
                        size_t size);

/* The end of the runtime: no task lives, no worker runs. Waits for what was abandoned. */
void bgi_blocking_end(bg_runtime *rt);

/* The runtime is to end, and does not yet: see bgi_pool_linger. */
void bgi_blocking_linger(bg_runtime *rt);

/* A look at the pool; all zero when there is none. */
void bgi_blocking_count(bg_runtime *rt, bgi_pool_counts *out);

#endif
