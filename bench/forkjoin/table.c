/*
 * The tables of the fork/join benchmarks, for the runner of the micro benchmarks. Ratios are to the
 * serial program, and so are most targets; a fork's is in nanoseconds, and memory's in MB, as on
 * the machine they were set on. With one worker it is CPU time that counts, with two it is time,
 * the serial program's too.
 *
 * A peer that has no line in fj_sizes for a group is not asked for it (Taskflow's stack overflows
 * in T3). fib and integrate are counted by the fork and the interval, so that slow ones may be
 * given less of them; the others do the same work for all.
 *
 * A new algorithm: two rows here, a line in bm_matches for each target that is a ratio, a group in
 * fj_sizes; then work.c and the programs.
 */
#include "table.h"

#include <string.h>

const char bm_format[] = "brigade-forkjoin-1";
const size_t bm_base = 1; /* serial */

const bm_row bm_rows[] = {
    {"fib_1w",
     "fib",
     "fib",
     "workers=1",
     "workers=1",
     "fib(count) without a cutoff, a fork in each call, 1 worker: CPU time a fork",
     1,
     {{"fork_ns", "ns", "a fork", 2.5}}},
    {"fib_2w",
     "fib",
     "fib",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time",
     0,
     {{"fork_ns", "ns", "a fork", 1.3}}},
    {"spawn_1w",
     "spawn",
     "spawn",
     "workers=1",
     "workers=1",
     "an empty task, which always has a stack, spawned and awaited, 1 worker: CPU time",
     1,
     {{"each_ns", "ns", "each", 0}}},
    {"spawn_2w",
     "spawn",
     "spawn",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time",
     0,
     {{"each_ns", "ns", "each", 0}}},
    {"queens_1w",
     "queens",
     "queens",
     "workers=1",
     "workers=1",
     "all solutions for that many queens, 1 worker: CPU time",
     1,
     {{"all_ms", "ms", "all", 0}}},
    {"queens_2w",
     "queens",
     "queens",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time",
     0,
     {{"all_ms", "ms", "all", 0}}},
    {"uts_t1_1w",
     "uts_t1",
     "uts_t1",
     "workers=1",
     "workers=1",
     "the tree T1 of UTS (count: depth), geometric, 1 worker: CPU time",
     1,
     {{"all_ms", "ms", "all", 0}}},
    {"uts_t1_2w",
     "uts_t1",
     "uts_t1",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time, and resident memory at most, less that before main",
     0,
     {{"all_ms", "ms", "all", 0}, {"memory_mb", "MB", "memory", 6}}},
    {"uts_t3_1w",
     "uts_t3",
     "uts_t3",
     "workers=1",
     "workers=1",
     "the tree T3 of UTS (count: children of the root), binomial, 1 worker: CPU time",
     1,
     {{"all_ms", "ms", "all", 0}}},
    {"uts_t3_2w",
     "uts_t3",
     "uts_t3",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time, and resident memory at most, less that before main",
     0,
     {{"all_ms", "ms", "all", 0}, {"memory_mb", "MB", "memory", 6}}},
    {"integrate_1w",
     "integrate",
     "integrate",
     "workers=1",
     "workers=1",
     "adaptive integration from 0 to count, 1 worker: CPU time an interval",
     1,
     {{"each_ns", "ns", "an interval", 0}}},
    {"integrate_2w",
     "integrate",
     "integrate",
     "workers=2",
     "workers=2",
     "the same, 2 workers: time",
     0,
     {{"each_ns", "ns", "an interval", 0}}},
};
const size_t bm_row_count = sizeof bm_rows / sizeof *bm_rows;

const bm_peer bm_peers[] = {
    {"brigade", "brigade", NULL},
    {"serial", "serial", NULL},
    {"lace", "lace", NULL},
    {"rayon", "rayon", NULL},
    {"onetbb", "onetbb", NULL},
    {"taskflow", "taskflow", NULL},
    {"openmp_gcc", "openmp_gcc", NULL},
    {"openmp_clang", "openmp_clang", NULL},
};
const size_t bm_peer_count = sizeof bm_peers / sizeof *bm_peers;

static const bm_size fj_sizes[] = {
    /* group, peer, count, with --quick, repeats, bytes, margin, with --quick */
    {"fib", "brigade", 37, 30, 0, 0, 0, 0},
    {"fib", "serial", 37, 30, 0, 0, 0, 0},
    {"fib", "lace", 37, 30, 0, 0, 0, 0},
    {"fib", "rayon", 35, 30, 0, 0, 0, 0},
    {"fib", "onetbb", 31, 27, 0, 0, 0, 0},
    {"fib", "taskflow", 31, 27, 0, 0, 0, 0},
    {"fib", "openmp_gcc", 29, 25, 0, 0, 0, 0},
    {"fib", "openmp_clang", 29, 25, 0, 0, 0, 0},

    {"spawn", "brigade", 5000000, 300000, 0, 0, 0, 0},

    {"queens", "brigade", 13, 11, 0, 0, 0, 0},
    {"queens", "serial", 13, 11, 0, 0, 0, 0},
    {"queens", "lace", 13, 11, 0, 0, 0, 0},
    {"queens", "rayon", 13, 11, 0, 0, 0, 0},
    {"queens", "onetbb", 13, 11, 0, 0, 0, 0},
    {"queens", "taskflow", 13, 11, 0, 0, 0, 0},
    {"queens", "openmp_gcc", 13, 11, 3, 0, 0, 0},
    {"queens", "openmp_clang", 13, 11, 3, 0, 0, 0},

    {"uts_t1", "brigade", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "serial", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "lace", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "rayon", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "onetbb", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "taskflow", 10, 8, 0, 0, 0, 0},
    {"uts_t1", "openmp_gcc", 10, 8, 3, 0, 0, 0},
    {"uts_t1", "openmp_clang", 10, 8, 3, 0, 0, 0},

    {"uts_t3", "brigade", 2000, 150, 0, 0, 0, 0},
    {"uts_t3", "serial", 2000, 150, 0, 0, 0, 0},
    {"uts_t3", "lace", 2000, 150, 0, 0, 0, 0},
    {"uts_t3", "rayon", 2000, 150, 0, 0, 0, 0},
    {"uts_t3", "onetbb", 2000, 150, 0, 0, 0, 0},
    {"uts_t3", "openmp_gcc", 2000, 150, 3, 0, 0, 0},
    {"uts_t3", "openmp_clang", 2000, 150, 3, 0, 0, 0},

    {"integrate", "brigade", 2000, 200, 0, 0, 0, 0},
    {"integrate", "serial", 2000, 200, 0, 0, 0, 0},
    {"integrate", "lace", 2000, 200, 0, 0, 0, 0},
    {"integrate", "rayon", 2000, 200, 0, 0, 0, 0},
    {"integrate", "onetbb", 500, 100, 0, 0, 0, 0},
    {"integrate", "taskflow", 500, 100, 0, 0, 0, 0},
    {"integrate", "openmp_gcc", 200, 50, 0, 0, 0, 0},
    {"integrate", "openmp_clang", 200, 50, 0, 0, 0, 0},
};

/* So many times the serial program's. */
const bm_match bm_matches[] = {
    {"queens_1w", "all_ms", "serial", 1.02},    {"queens_2w", "all_ms", "serial", 0.53},
    {"uts_t1_1w", "all_ms", "serial", 1.0},     {"uts_t1_2w", "all_ms", "serial", 0.51},
    {"uts_t3_1w", "all_ms", "serial", 1.07},    {"uts_t3_2w", "all_ms", "serial", 0.55},
    {"integrate_1w", "each_ns", "serial", 1.3}, {"integrate_2w", "each_ns", "serial", 0.75},
};
const size_t bm_match_count = sizeof bm_matches / sizeof *bm_matches;

const bm_size *bm_find_size(const char *group, const char *peer)
{
    for (size_t i = 0; i < sizeof fj_sizes / sizeof *fj_sizes; i++)
        if (!strcmp(fj_sizes[i].group, group) && !strcmp(fj_sizes[i].peer, peer))
            return &fj_sizes[i];
    return NULL;
}
