/*
 * A pool of threads for calls that block. It knows waiters, not tasks.
 *
 * One lock guards all of it: the queue, the states of the jobs, and how many threads there are. A
 * call takes it three times, for a moment each (submit, take, complete), and a thread is
 * woken and another goes to sleep for each: the lock is not what it costs.
 *
 * A job's state, and who moves it (all under the lock)
 *   QUEUED    in the queue; the record is the waiter's
 *   TAKEN     its function runs, or is about to
 *   DONE      the result can be read; the record is the waiter's
 *   ABANDONED its function runs, and nobody waits for it; the record is the thread's
 *
 *   QUEUED -> TAKEN      a thread of the pool; or who could not make one, for -EAGAIN
 *   QUEUED -> (gone)     give_up, out of the queue: the function is never called
 *   TAKEN  -> DONE       complete: owes the waiter one signal, which comes after the lock
 *   TAKEN  -> ABANDONED  give_up: no signal will come
 * So a waiter that was cancelled knows by the state what it is owed: nothing, or, when it finds
 * DONE, one signal, for which it has to wait before its memory is used for anything else.
 *
 * No job is left without a thread
 *   P1  While the queue is not empty there is a thread that will look into it: one that was called
 *       or is being made for each job queued when fewer than `most` were busy, else all that are
 *       busy, each of which looks before it waits.
 *   P2  A thread leaves only if it finds the queue empty, under the lock under which it is taken
 *       off the count: a job submitted later does not count on it.
 *   P3  Who counted a thread that then cannot be made takes it off the count; while none is left,
 *       it takes what is queued, also what others have put there counting on it, and completes it
 *       with the failure. Once there is another, P1 and P3 hold for that one.
 *
 * A thread that waits has a word of its own, `called`: 0 -> 1 by who takes it off the list of the
 * idle, under the lock; it looks around under the lock after that, so the word carries no data and
 * needs no order, nor does `gone`. The last to have become idle is called first: the others get to
 * leave. Each thread that leaves joins the one that left before it, the end of the pool joins the
 * last: threads are neither detached, and still about when the program thinks they have ended, nor
 * do they pile up.
 */
#ifndef BGI_POOL_H
#define BGI_POOL_H

#include "arch/lock.h"
#include "arch/topology.h"
#include "base/alloc.h"
#include "base/list.h"
#include "wait/waiter.h"

#include <stddef.h>

enum bgi_job_state { BGI_JOB_QUEUED, BGI_JOB_TAKEN, BGI_JOB_DONE, BGI_JOB_ABANDONED };

typedef struct bgi_job {
    struct bgi_list link; /* of the list of its state; DONE: of none */
    enum bgi_job_state state;
    int result;
    bg_fn fn;
    void *arg;
    void (*drop)(void *arg); /* NULL, or: frees what the argument owns, when nobody takes it back */
    bgi_waiter *waiter;
    bg_time since;                      /* when it was taken; this and the next two for reports */
    const char *name;                   /* of the task, for as long as that waits */
    char task[48];                      /* the same, ABANDONED */
    _Alignas(max_align_t) char bytes[]; /* a copied argument */
} bgi_job;

typedef struct bgi_pool {
    bgi_lock lock;
    struct bgi_list queue;     /* of jobs, the oldest first */
    struct bgi_list running;   /* of jobs, TAKEN */
    struct bgi_list abandoned; /* of jobs */
    struct bgi_list idle;      /* of members, the latest first */
    size_t queued;             /* jobs in the queue */
    unsigned threads, most;    /* those that are being made count */
    int ending;
    bg_time report_at; /* of bgi_pool_linger: its next report; 0: it has not been called yet */
    bg_duration pause; /* and how long after that the one after it comes */
    bg_duration keep;  /* how long a thread waits for a job before it leaves */
    const bgi_cpu_set *cpus;    /* its threads' */
    struct bgi_member *retired; /* the last that has left, to be joined */
    bgi_atomic gone;            /* 0 -> 1 by the last thread of a pool that ends; a futex */
} bgi_pool;

/* A thread of the pool. */
typedef struct bgi_member {
    struct bgi_list link; /* of the idle */
    bgi_pool *pool;
    bgi_atomic called; /* a futex */
    pthread_t id;      /* written by itself when it leaves */
} bgi_member;

/* cpus: what its threads may use, an empty set: what who has them made may; stays until the end of
 * the pool. NULL: no memory. */
bgi_pool *bgi_pool_create(unsigned most, bg_duration keep, const bgi_cpu_set *cpus);

/* Nobody waits for a job any more. Waits for the abandoned ones, with reports, ends all threads,
 * and frees the pool. */
void bgi_pool_end(bgi_pool *p);

/* A job whose fn, arg and waiter are set: its waiter will get one signal, unless the job is given
 * up in time. May start a thread; when that fails and there is none, the result is the failure. */
void bgi_pool_submit(bgi_pool *p, bgi_job *j);

/* The waiter of the job has been cancelled: the state in which it was. QUEUED: it is the caller's,
 * unserved. TAKEN: it is abandoned, and no longer the caller's. DONE: one signal comes, or has
 * come, and the job is the caller's after it. */
enum bgi_job_state bgi_pool_give_up(bgi_pool *p, bgi_job *j);

/* Likewise, but one that runs is not abandoned: QUEUED: it is the caller's, unserved. Else one
 * signal comes, or has come. */
enum bgi_job_state bgi_pool_withdraw(bgi_pool *p, bgi_job *j);

/* The runtime is to end, and tasks still live, a moment after the last call of this, or the first:
 * says on stderr, now and then, which calls run that somebody waits for in spite of it. One thread,
 * which has ended before bgi_pool_end. */
void bgi_pool_linger(bgi_pool *p);

typedef struct bgi_pool_counts {
    unsigned threads, idle;
    size_t queued, abandoned;
} bgi_pool_counts;

/* A look at it; any thread. */
void bgi_pool_count(bgi_pool *p, bgi_pool_counts *out);

/* ---- for models ---- */

/* What a thread of the pool does: a member that is counted, and frees itself or is joined. */
void *bgi_pool_main(void *member);

#endif
