/*
 * What every C and C++ program of the micro benchmarks shares: clock, resident memory, arguments,
 * percentiles, and the lines the runner reads.
 *
 * The protocol, the same for every program in whatever language:
 *   prog WORKLOAD [key=value ...]    prog version
 *   stdout   "metric value unit"     one figure
 *            "note text"             something the reader of the figure has to know
 *            "cannot reason"         before exit 2
 *   exit     0 measured; 1 failed; 2 this runtime has no such thing; 3 the margin was too short
 *            (not everything was asleep or pending before it fell due: try a longer one)
 *
 * The deadlines of the timeout workload, bm_live_delay and bm_pair_delay, are the same formula in
 * every program, so that heaps and wheels all see the same positions.
 */
#ifndef BM_MEASURE_H
#define BM_MEASURE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BM_US INT64_C(1000)
#define BM_MS INT64_C(1000000)
#define BM_S INT64_C(1000000000)

enum { BM_OK = 0, BM_FAILED = 1, BM_CANNOT = 2, BM_MARGIN = 3 };

static inline int64_t bm_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * BM_S + ts.tv_nsec;
}

static inline int64_t bm_now(void)
{
    return bm_clock(CLOCK_MONOTONIC);
}

/* Where one worker computes all the time: its CPU time, which other programs on the machine do not
 * lengthen (but by what they do to the caches). With more workers: the time. */
static inline int64_t bm_spent(int64_t workers)
{
    return workers == 1 ? bm_clock(CLOCK_PROCESS_CPUTIME_ID) : bm_now();
}

/* Resident bytes of this process; 0 where /proc is not there. */
static inline double bm_rss(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (f) {
        if (fscanf(f, "%*s %ld", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static inline int64_t bm_arg(int argc, char **argv, const char *key, int64_t fallback)
{
    size_t len = strlen(key);
    for (int i = 2; i < argc; i++)
        if (!strncmp(argv[i], key, len) && argv[i][len] == '=')
            return strtoll(argv[i] + len + 1, NULL, 10);
    return fallback;
}

static inline void bm_metric(const char *name, double value, const char *unit)
{
    printf("%s %.4f %s\n", name, value, unit);
}

static inline int bm_cannot(const char *reason)
{
    printf("cannot %s\n", reason);
    return BM_CANNOT;
}

static inline int bm_fail(const char *reason)
{
    fflush(stdout);
    fprintf(stderr, "%s\n", reason);
    return BM_FAILED;
}

/* Zeroed and touched, so that it is part of the baseline and not of what is measured. */
static inline void *bm_touched(size_t n, size_t size)
{
    void *p = malloc(n * size);
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(BM_FAILED);
    }
    memset(p, 1, n * size);
    __asm__ volatile("" : : "r"(p) : "memory");
    memset(p, 0, n * size);
    return p;
}

static inline int bm_by_value(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Sorts, and prints p50, p99 (of few samples: the last) and the last as <prefix>p50 and so on. */
static inline void bm_percentiles(const char *prefix, int64_t *ns, size_t n)
{
    char name[64];
    if (!n)
        return;
    qsort(ns, n, sizeof *ns, bm_by_value);
    snprintf(name, sizeof name, "%sp50", prefix);
    bm_metric(name, (double)ns[(n - 1) / 2] / 1e6, "ms");
    snprintf(name, sizeof name, "%sp99", prefix);
    bm_metric(name, (double)ns[(n * 99 + 99) / 100 - 1] / 1e6, "ms");
    snprintf(name, sizeof name, "%smax", prefix);
    bm_metric(name, (double)ns[n - 1] / 1e6, "ms");
}

/* Computes for so many nanoseconds of this thread's own CPU time, in steps of some 20 us. */
static inline uint64_t bm_burn(int64_t cpu_ns)
{
    uint64_t x = 88172645463325252u;
    int64_t end = bm_clock(CLOCK_THREAD_CPUTIME_ID) + cpu_ns;
    do {
        for (int i = 0; i < 10000; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        __asm__ volatile("" : "+r"(x));
    } while (bm_clock(CLOCK_THREAD_CPUTIME_ID) < end);
    return x;
}

/* The timers that stay live: spread evenly over 10 to 75 seconds. */
static inline int64_t bm_live_delay(size_t i, size_t live)
{
    return 10 * BM_S + (int64_t)(i * 65536 / live) * BM_MS;
}

/* The timeout that never fires: anywhere among them, in an order without a pattern to a heap. */
static inline int64_t bm_pair_delay(uint64_t i)
{
    return 10 * BM_S + (int64_t)(i * 40503 & 65535) * BM_MS;
}

/* ---- what several programs do in the same way ---------------------------------------------- */

/* Sorts. */
static inline double bm_median(int64_t *v, size_t n)
{
    qsort(v, n, sizeof *v, bm_by_value);
    return (double)v[n / 2];
}

/* The median of what each block with a scope takes more than the bare block before it, so that what
 * disturbs the machine for longer than a block disturbs both. Overwrites with. */
static inline double bm_added(const int64_t *bare, int64_t *with, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++)
        with[i] -= bare[i];
    return bm_median(with, blocks);
}

/* What the contended mutex guards: a few steps of a generator, whose state shows afterwards whether
 * two were ever in at once, and how far each task is. */
enum { BM_TASKS = 8, BM_STEPS = 4 };

typedef struct {
    uint64_t state;
    int64_t done[BM_TASKS];
    int64_t least; /* of done, when the first task had all its turns; -1 before */
} bm_guarded;

#define BM_GUARDED {88172645463325252u, {0}, -1}

static inline uint64_t bm_steps(uint64_t x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

static inline void bm_guarded_step(bm_guarded *g, size_t task)
{
    g->state = bm_steps(g->state, BM_STEPS);
    g->done[task]++;
}

static inline void bm_guarded_end(bm_guarded *g)
{
    if (g->least >= 0)
        return;
    g->least = g->done[0];
    for (size_t i = 1; i < BM_TASKS; i++)
        g->least = g->done[i] < g->least ? g->done[i] : g->least;
}

/* took, and of how much CPU time. */
static inline int bm_guarded_report(const bm_guarded *g, int64_t each, int64_t took, int64_t cpu)
{
    if (g->state != bm_steps(88172645463325252u, BM_TASKS * each * BM_STEPS))
        return bm_fail("the mutex let two in");
    bm_metric("pair_ns", (double)took / (double)(BM_TASKS * each), "ns");
    bm_metric("cpu_ns", (double)cpu / (double)(BM_TASKS * each), "ns");
    bm_metric("slowest", (double)g->least / (double)each * 100, "%");
    return BM_OK;
}

/* Which of two channels gets message i, in an order without a short pattern. */
static inline size_t bm_which(uint64_t i)
{
    return i * 40503 >> 7 & 1;
}

#endif
