/*
 * A batch is run by a child, program after program, so that one that takes the process with it is
 * known by its seed. What is found is made smaller and printed by the parent.
 */
#include "batch.h"

#include "../threads.h"
#include "kinds.h"
#include "shrink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The leak sanitizer's, where it is linked. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

enum {
    TWICE = 32, /* one of so many seeded programs is run again, for the same trace */
};

struct batch {
    const struct bgp_size *size;
    uint64_t from, n;
};

static void say(const char *text)
{
    (void)snprintf(bgp_report->text, sizeof bgp_report->text, "%s", text);
}

static int runs_alike(const struct bgp_program *p)
{
    uint64_t trace = bgp_trace();
    if (!bgp_run(p)) {
        return 0;
    }
    if (bgp_trace() != trace) {
        bgp_report->failure = BGP_CHECK;
        say("the same seed gives another run");
        return 0;
    }
    return 1;
}

static void run_batch(void *arg)
{
    static const struct bgp_patience on_threads = {60, 0}, seeded = {120, 5};
    const struct batch *batch = arg;
    struct bgp_program p = {0};
    size_t threads = usual_threads();
    for (uint64_t seed = batch->from; seed - batch->from < batch->n; seed++) {
        bgp_generate(&p, seed, batch->size);
        bgp_start_watch(p.mode == BGP_SEEDED ? &seeded : &on_threads);
        if (!bgp_run(&p) || (p.mode == BGP_SEEDED && seed % TWICE == 0 && !runs_alike(&p))) {
            break;
        }
    }
    bgp_free(&p);
    if (bgp_report->failure == BGP_PASSED && !threads_settle(threads)) {
        bgp_report->failure = BGP_LEAKED;
        say("threads are left");
    }
    if (bgp_report->failure == BGP_PASSED && __lsan_do_recoverable_leak_check != NULL &&
        __lsan_do_recoverable_leak_check() != 0) {
        bgp_report->failure = BGP_LEAKED;
        say("the sanitizer's report is above");
    }
}

static void tell(const struct bgp_report *report)
{
    (void)fprintf(stderr, "%s", bgp_failure_name(report->failure));
    if (report->failure == BGP_DIED) {
        (void)fprintf(stderr, " (signal %d)", report->signal);
    }
    if (report->text[0] != '\0') {
        (void)fprintf(stderr, ": %s", report->text);
    }
    (void)fprintf(stderr, "\n");
}

static void tell_all(const struct bgp_size *size, struct bgp_report *report)
{
    static const struct bgp_limits limits = {.tries = 5000, .times = 24, .seconds = 30};
    struct bgp_program p = {0};
    struct bgp_report again;

    (void)fprintf(stderr,
                  "brigade: random program %" PRIu64
                  ": run it again with BRIGADE_SOAK_SEED=%" PRIu64 " BRIGADE_SOAK_SEEDS=1: ",
                  report->seed, report->seed);
    tell(report);
    if (report->failure == BGP_LEAKED) {
        return; /* of all of them */
    }
    bgp_generate(&p, report->seed, size);
    (void)fprintf(stderr, "brigade: it has %u tasks and %u operations\n", p.ntasks, p.nops);
    unsigned tries = bgp_shrink(&p, report, &limits);
    (void)fprintf(stderr,
                  "brigade: made smaller in %u tries: %u tasks, %u operations, %u workers, %s ",
                  tries, p.ntasks, p.nops, p.workers,
                  p.mode == BGP_SEEDED ? "deterministic:" : "on threads:");
    (void)bgp_try(&p, p.mode == BGP_SEEDED ? 1 : limits.times, 0, &again);
    tell(report);
    (void)fprintf(stderr, "---- a C program that does the same ----\n");
    (void)bgp_print(stderr, &p);
    (void)fprintf(stderr, "----------------------------------------\n");
    bgp_free(&p);
}

int bgp_search(const struct bgp_size *size, uint64_t from, uint64_t n, int quiet,
               struct bgp_report *report)
{
    struct batch batch = {size, from, n};
    return bgp_in_child(run_batch, &batch, quiet, report);
}

int bgp_batch(const struct bgp_size *size, uint64_t from, uint64_t n)
{
    const char *first = getenv("BRIGADE_SOAK_SEED");
    const char *count = getenv("BRIGADE_SOAK_SEEDS");
    struct bgp_report report;
    from = first != NULL ? strtoull(first, NULL, 0) : from;
    n = count != NULL ? strtoull(count, NULL, 0) : n;
    if (bgp_search(size, from, n, 0, &report)) {
        return 1;
    }
    tell_all(size, &report);
    return 0;
}
