/*
 * Runs in processes of their own, so that one that crashes or hangs is a failure as any other.
 */
#ifndef BGP_TRIAL_H
#define BGP_TRIAL_H

#include "run.h"

/* How long a run may take before it counts as hung, in seconds. */
struct bgp_patience {
    double wall; /* scaled by BRIGADE_TEST_TIME_SCALE, as the time limits of tests are */
    double cpu;  /* of the process; 0: any */
};

/*
 * Calls fn(arg) in a child, whose bgp_report the caller then finds in *out. When the child dies,
 * *out is what it last wrote there, and says that it died, or hung. quiet: its output is dropped.
 * Whether nothing failed. From a process with a single thread.
 */
int bgp_in_child(void (*fn)(void *arg), void *arg, int quiet, struct bgp_report *out);

/* In the child, before each run: the time begins anew. */
void bgp_start_watch(const struct bgp_patience *patience);

/* Runs p so many times, under as many schedules from its own on in the deterministic mode, until it
 * fails. Whether it did not. */
int bgp_try(const struct bgp_program *p, unsigned times, int quiet, struct bgp_report *out);

/* Seconds on a clock that goes forward; the scale of time limits. */
double bgp_seconds(void);
double bgp_time_scale(void);

#endif
