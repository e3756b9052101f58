/*
 * From runs to rows. Figures of several runs are medians; counts of threads and of waiting tasks
 * are the most that any run saw, and finished tasks the fewest.
 */
#include "results.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

size_t results_tasks(const struct results *r, enum job_kind job)
{
    return job == JOB_IO ? r->options->tasks : r->files->n;
}

void results_add(struct results *r, enum job_kind job, enum mode_id mode, const struct outcome *o,
                 const struct digest_list *digest)
{
    struct cell *c = &r->cell[job][mode];
    if (o->note[0] != '\0')
        memcpy(c->note, o->note, sizeof c->note);
    if (o->error != 0) {
        if (c->error == 0)
            c->error = o->error;
        return;
    }
    c->digest = *digest;
    c->run[c->runs++] = *o;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *sorted, unsigned n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The runs' values of one field, sorted. */
#define COLLECT(cell, values, field)                                                               \
    do {                                                                                           \
        for (unsigned i_ = 0; i_ < (cell)->runs; i_++)                                             \
            (values)[i_] = (double)(cell)->run[i_].field;                                          \
        qsort(values, (cell)->runs, sizeof *(values), by_value);                                   \
    } while (0)

static void fill(const struct results *r, enum job_kind job, const struct cell *c, struct row *row)
{
    double v[MAX_REPEAT];
    unsigned n = c->runs;
    memset(row, 0, sizeof *row);
    row->runs = n;
    row->tasks = results_tasks(r, job);
    row->sample = c->run[0].sample != 0;
    COLLECT(c, v, wall_ns);
    row->wall = median(v, n) / 1e9;
    row->wall_min = v[0] / 1e9;
    row->wall_max = v[n - 1] / 1e9;
    COLLECT(c, v, cpu_ns);
    row->cpu = median(v, n) / 1e9;
    COLLECT(c, v, memory);
    row->memory = (uint64_t)median(v, n);
    COLLECT(c, v, threads);
    row->threads = (uint64_t)v[n - 1];
    COLLECT(c, v, waiting);
    row->waiting = (uint64_t)v[n - 1];
    COLLECT(c, v, tasks_done);
    row->done = (size_t)v[0];
    if (row->done > 0)
        row->whole = row->wall / (double)row->done * (double)row->tasks;
}

bool results_row(const struct results *r, enum job_kind job, enum mode_id mode, struct row *row)
{
    const struct cell *c = &r->cell[job][mode], *base = &r->cell[job][MODE_SEQUENTIAL];
    struct row sequential;
    if (c->runs == 0)
        return false;
    fill(r, job, c, row);
    if (base->runs > 0) {
        fill(r, job, base, &sequential);
        if (row->whole > 0 && sequential.whole > 0) {
            row->has_speedup = true;
            row->speedup = sequential.whole / row->whole;
            row->estimated = mode != MODE_SEQUENTIAL && sequential.sample;
        }
    }
    return true;
}

/* python3 need not be there. */
static bool excused(enum mode_id mode, int error)
{
    return mode == MODE_ASYNCIO && error == -ENOENT;
}

int results_exit_status(const struct results *r)
{
    if (r->signal != 0)
        return 128 + r->signal;
    if (r->digests && r->digests->disagree > 0)
        return EXIT_DISAGREE;
    for (unsigned job = 0; job < JOB_COUNT; job++)
        for (unsigned mode = 0; mode < MODE_COUNT; mode++)
            if (r->cell[job][mode].error != 0 &&
                !excused((enum mode_id)mode, r->cell[job][mode].error))
                return EXIT_FAILED;
    if (r->digests && (r->digests->skipped > 0 || r->files->n_skip > 0))
        return EXIT_SKIPPED;
    return EXIT_OK;
}
