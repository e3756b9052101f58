/*
 * One task of a job, and what all tasks of one run share.
 *
 * A job is a number of tasks. In `cpu` a task hashes its file, in `io` it waits for an answer
 * of the server, in `mixed` it waits and then hashes. Every mode runs the same work_task(); only
 * who calls it (a loop, a process, a thread, a brigade task) and how it waits differs.
 *
 * `struct shared` lies in memory that the program, the mode's process and that one's children all
 * map, so that forked workers, threads and Python write their digests and counts to one place.
 * The program reads it when the mode's process has ended; the end of a process orders that, so
 * the counters need no more than their own atomicity:
 *   waiting, living   entered and left by any task; peak only rises
 *   next              taken from by pool workers, each value once
 *   done              counted by each task at its end, read at any time for the progress line
 *   threads           the most threads one process had, as /proc says; only rises
 *   private_bytes/_samples  memory of single processes, summed by those that were measured
 * A slot is written by the one task that has its file, and by nobody else in that run.
 */
#ifndef CONTRAST_WORK_H
#define CONTRAST_WORK_H

#include "base/atomic.h"
#include "files.h"
#include "hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum job_kind { JOB_CPU, JOB_IO, JOB_MIXED, JOB_COUNT };

struct highwater {
    bgi_atomic now;
    bgi_atomic peak;
} BGI_ALIGNED(BGI_FALSE_SHARING_RANGE);

struct counter {
    bgi_atomic value;
} BGI_ALIGNED(BGI_FALSE_SHARING_RANGE);

enum { SLOT_EMPTY = 0, SLOT_HASHED = 1 }; /* below zero: the errno why the file was not read */

struct slot {
    int32_t status;
    unsigned char digest[HASH_SIZE];
};

struct shared {
    struct highwater waiting;
    struct highwater living;
    struct counter next;
    struct counter done;
    struct counter threads;
    struct counter private_bytes;
    struct counter private_samples;
    struct slot slots[];
};

/* One run of one mode: what it is given. */
struct run {
    enum job_kind kind;
    size_t tasks;
    int64_t wait_ns;
    int port;               /* of the server that answers after that time; 0: tasks sleep */
    unsigned workers;       /* as many as the work-stealing pool starts by itself, or --workers */
    unsigned workers_asked; /* 0 when the command line left it open */
    int64_t sequential_budget; /* ns a sequential run may take where it has to wait */
    const struct file_list *files;
    struct shared *shared;
    int shared_fd;
};

/* What it measured. Plain data: it goes through a pipe. */
struct outcome {
    int32_t error;   /* 0, or a negative errno: the mode could not run at all */
    uint32_t sample; /* 1: only some tasks were run, on purpose; the rest can be extrapolated */
    uint64_t tasks_done;
    int64_t wall_ns;
    int64_t cpu_ns;
    uint64_t memory;
    uint64_t threads;
    uint64_t waiting;
    char note[224];
};

/* A caller's way to wait, for a fetch from the server or for the time to pass: returns 0, or a
 * negative errno. */
typedef int (*wait_fn)(const struct run *run);

bool job_waits(enum job_kind kind);
bool job_hashes(enum job_kind kind);
const char *job_name(enum job_kind kind);

/* Shared memory for n slots, or NULL with *error set; the descriptor is close-on-exec. */
struct shared *shared_create(size_t n, int *fd, int *error);
size_t shared_size(size_t n);
void shared_clear(struct shared *s, size_t n);

void highwater_enter(struct highwater *h);
void highwater_leave(struct highwater *h);
void counter_raise(struct counter *c, bgi_word to);

/* Runs task number i (0 <= i < run->tasks) to its end: 0, or the negative errno of the wait. */
int work_task(const struct run *run, size_t i, wait_fn wait);

/* Blocks the calling thread; a sleep never ends early. */
int wait_thread(const struct run *run);

#endif
