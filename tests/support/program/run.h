/*
 * Runs of programs, and what is seen of them.
 */
#ifndef BGP_RUN_H
#define BGP_RUN_H

#include "program.h"

#include "base/atomic.h"

enum bgp_failure {
    BGP_PASSED,
    BGP_CHECK,    /* something did not hold */
    BGP_DEADLOCK, /* the deterministic mode says that nobody can go on */
    BGP_DIED,     /* by a signal, or an exit of somebody else's */
    BGP_HUNG,     /* it did not end in time */
    BGP_LEAKED,   /* memory, found by the leak sanitizer after many programs */
};

/* Lies in memory that processes share, so that it outlives the one that wrote it. */
struct bgp_report {
    bgi_atomic failures; /* checks that did not hold; `text` is of the one that counted 1 */
    enum bgp_failure failure;
    int signal; /* BGP_DIED */
    uint64_t seed, schedule;
    char text[400];
};

/* Where checks report; the process's own unless another is set. */
extern struct bgp_report *bgp_report;

/* Runs p once; whether nothing failed. Else the report says what did. */
int bgp_run(const struct bgp_program *p);

/* Of the last run in the deterministic mode: the same for the same program and schedule. */
uint64_t bgp_trace(void);

const char *bgp_failure_name(enum bgp_failure failure);

#endif
