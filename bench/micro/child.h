/* One run of one program, with a limit on its time. */
#ifndef BM_CHILD_H
#define BM_CHILD_H

#include <signal.h>
#include <stddef.h>

typedef struct {
    char text[16384]; /* what it wrote, on both streams; cut at this size */
    size_t length;
    int status;    /* its exit status; 128 + a signal's number */
    int timed_out; /* it was killed for taking too long */
    double seconds;
} bm_outcome;

/* Set by a signal handler: the child under way is killed and no other is started. */
extern volatile sig_atomic_t bm_stop;

/* Children run in a real-time class: before all other programs on the machine. */
extern int bm_alone;

/*
 * Runs argv (ended by NULL) on the given CPU alone, or anywhere for -1. Returns 0, or a negative
 * errno when it could not be started.
 */
int bm_run_child(char *const argv[], int cpu, double limit_s, bm_outcome *out);

#endif
