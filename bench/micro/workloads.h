/* What the files of brigade's program share: a workload's arguments and the table of workloads. */
#ifndef BM_WORKLOADS_H
#define BM_WORKLOADS_H

#include "measure.h"

#include <brigade.h>

typedef struct {
    int argc;
    char **argv;
    int status;
} bm_job;

typedef struct {
    const char *name;
    int (*run)(bm_job *);
    unsigned workers; /* unless asked for otherwise */
} bm_workload;

/* Channels, locks, scopes, groups; ends with a NULL name. */
extern const bm_workload bm_sync_workloads[];

static inline int64_t bm_opt(const bm_job *job, const char *key, int64_t fallback)
{
    return bm_arg(job->argc, job->argv, key, fallback);
}

static inline size_t bm_size(const bm_job *job, const char *key, int64_t fallback)
{
    int64_t v = bm_opt(job, key, fallback);
    return v < 1 ? 1 : (size_t)v;
}

#endif
