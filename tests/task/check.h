/*
 * What the tests of tasks, runtimes and programs of tasks share.
 *
 * CHECK may be used anywhere, on a task's stack and on any thread: it counts, and says where. The
 * functions that run something on a runtime look at the count on the test's own thread, so no
 * failure in a task goes unnoticed.
 */
#ifndef TESTS_TASK_CHECK_H
#define TESTS_TASK_CHECK_H

#include "../support/faults.h"
#include "../support/threads.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/random.h"

#include <brigade.h>
#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef BGI_VALGRIND
#define BGI_VALGRIND 0
#endif
#ifndef BGI_EMULATED
#define BGI_EMULATED 0
#endif

/* Builds in which everything takes many times as long do less. */
#if BGI_VALGRIND
#define CHECK_SLOW 40
#elif BGI_TSAN || BGI_ASAN
#define CHECK_SLOW 4
#else
#define CHECK_SLOW 0
#endif

/* And what the quick tier of tests/run divides by in each of its builds; 1 is all, as in the soak.
 */
#ifndef CHECK_FEWER
#define CHECK_FEWER 1
#endif

/* Where all of something is tried one by one, each so many-th. */
#define EVERY_NTH (CHECK_FEWER * (CHECK_SLOW && CHECK_FEWER > 1 ? 2 : 1))

#define CHECK_DIVISOR (CHECK_FEWER * (CHECK_SLOW + !CHECK_SLOW))
#define MANY(n) (((n) + CHECK_DIVISOR - 1) / CHECK_DIVISOR)

static bgi_atomic check_failures;

static inline void check_failed(const char *file, int line, const char *what)
{
    if (bgi_fetch_add(&check_failures, 1) < 10) {
        char text[512];
        int n = snprintf(text, sizeof text, "%s:%d: does not hold: %s\n", file, line, what);
        if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0) {
            return;
        }
    }
}

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

/* On the test's own thread. */
#define NO_CHECK_FAILED()                                                                          \
    cr_assert_eq(bgi_load(&check_failures), 0, "%zu checks failed", bgi_load(&check_failures))

#if BGI_VALGRIND || BGI_EMULATED /* those that search keep the others waiting for long */
static const unsigned worker_counts[] = {1, 2, 3, 4};
#else
static const unsigned worker_counts[] = {1, 2, 8, 16};
#endif

#define EACH_WORKER_COUNT(w)                                                                       \
    for (unsigned w##_i = 0, w; w##_i < 4 && (w = worker_counts[w##_i], 1); w##_i++)

/* Runs fn as a main task that has to return 0. */
#define RUN(fn, arg, ...)                                                                          \
    do {                                                                                           \
        int run_result = bg_run(fn, arg, __VA_ARGS__);                                             \
        NO_CHECK_FAILED();                                                                         \
        cr_assert_eq(run_result, 0, "main returned %d", run_result);                               \
    } while (0)

/* In a task: others run until the word has reached v. */
static inline void yield_until(const bgi_atomic *word, bgi_word v)
{
    while (bgi_load_acquire(word) < v) {
        bg_yield();
    }
}

/* In a task: until no other one lives. */
static inline void yield_until_alone(void)
{
    bg_stats s = {.size = sizeof s};
    do {
        bg_yield();
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.tasks_live > 1);
}

/* On a plain thread: until the word has reached v. */
static inline void block_until(const bgi_atomic *word, bgi_word v)
{
    static const struct timespec pause = {0, 100000};
    while (bgi_load_acquire(word) < v) {
        (void)nanosleep(&pause, NULL);
    }
}

static inline void add_one(bgi_atomic *word)
{
    (void)bgi_fetch_add(word, 1);
}

/* Bodies of tasks that many tests need. */

static inline int return_arg(void *arg)
{
    return (int)(intptr_t)arg;
}

#define INT_ARG(n) ((void *)(intptr_t)(n))

static inline int sleep_forever(void *arg)
{
    (void)arg;
    return bg_sleep(BG_FOREVER);
}

static inline int sleep_some(void *arg)
{
    return bg_sleep((bg_duration)(intptr_t)arg);
}

/* ---- what a process has ---- */

static inline size_t count_mappings(void)
{
    size_t n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    if (f == NULL) {
        return 0;
    }
    for (int c; (c = fgetc(f)) != EOF;) {
        n += c == '\n';
    }
    (void)fclose(f);
    return n;
}

#endif
