/*
 * All runs and what is made of them: medians, and the speed-up over the sequential mode.
 *
 * A speed-up compares time per finished task, so that a mode which got only part of the way is
 * not made to look fast. Where the sequential mode ran a sample, the figure rests on that sample
 * (`estimated`) and every output marks it.
 */
#ifndef CONTRAST_RESULTS_H
#define CONTRAST_RESULTS_H

#include "digests.h"
#include "options.h"

struct cell {
    bool asked;
    unsigned runs; /* finished ones */
    struct outcome run[MAX_REPEAT];
    struct digest_list digest; /* of the last run */
    int error;                 /* of the first run that failed */
    char note[224];
};

struct row {
    unsigned runs;
    size_t tasks, done;
    bool sample;
    double wall, wall_min, wall_max, cpu; /* seconds; medians where nothing else is said */
    uint64_t memory, threads, waiting;
    bool has_speedup, estimated;
    double speedup;
    double whole; /* seconds all tasks would take at this speed; the wall time when all were run */
};

struct results {
    bool fetches[JOB_COUNT]; /* tasks that wait fetch; else they sleep */
    const struct options *options;
    const struct file_list *files; /* NULL when no job reads any */
    const struct digests *digests; /* likewise */
    unsigned workers;
    uint64_t idle_memory; /* of a process of this program that has done nothing */
    int signal;           /* what stopped it, 0 when all was run */
    struct cell cell[JOB_COUNT][MODE_COUNT];
};

size_t results_tasks(const struct results *r, enum job_kind job);
void results_add(struct results *r, enum job_kind job, enum mode_id mode, const struct outcome *o,
                 const struct digest_list *digest);
/* False when the cell has no finished run. */
bool results_row(const struct results *r, enum job_kind job, enum mode_id mode, struct row *row);
int results_exit_status(const struct results *r);

#endif
