/* What the parts of the driver share: work.c (forks), loops.c and sorts.c. Not for the programs. */
#ifndef FJ_DRIVER_H
#define FJ_DRIVER_H

#include "forkjoin.h"

#define FJ_MOST_ITEMS 1000000000L

typedef struct {
    int argc;
    char **argv;
    const fj_program *program;
    int64_t workers;
    int64_t took; /* by the last run that was timed */
} fj_job;

static inline long fj_count(const fj_job *job, long fallback)
{
    return (long)bm_arg(job->argc, job->argv, "count", fallback);
}

/* 0, and it is said, when it is not 1 to most. */
static inline size_t fj_items(const fj_job *job, long fallback, long most)
{
    long n = fj_count(job, fallback);
    char text[64];
    if (n >= 1 && n <= most)
        return (size_t)n;
    snprintf(text, sizeof text, "count is to be 1 to %ld", most);
    bm_fail(text);
    return 0;
}

/* Before and after what is timed. */
static inline void fj_start(fj_job *job)
{
    job->took = -bm_spent(job->workers);
}

static inline void fj_stop(fj_job *job)
{
    job->took += bm_spent(job->workers);
}

static inline int fj_wrong(double got, double want)
{
    char text[128];
    snprintf(text, sizeof text, "the result is %.15g instead of %.15g", got, want);
    return bm_fail(text);
}

static inline int fj_all_ms(const fj_job *job)
{
    bm_metric("all_ms", (double)job->took / 1e6, "ms");
    return BM_OK;
}

int fj_run_reduce(fj_job *job);
int fj_run_loop_task(fj_job *job);
int fj_run_loop_thread(fj_job *job);
int fj_run_grain1(fj_job *job);
int fj_run_uneven(fj_job *job);
int fj_run_scan(fj_job *job);
int fj_run_sort(fj_job *job);
int fj_run_sort_strings(fj_job *job);

#endif
