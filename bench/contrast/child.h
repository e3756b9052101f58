/*
 * Runs one mode in a process of its own, so that its memory and CPU time are its own and a crash
 * ends one row of the table rather than the program.
 *
 * The child leads a process group that all it forks belongs to; the program is their subreaper.
 * Whatever happens (the mode ends, crashes, or the user stops the program) the group is ended by
 * its number while its leader has not been reaped yet, so the number cannot be anybody else's, and
 * every process of it is waited for before child_run returns.
 */
#ifndef CONTRAST_CHILD_H
#define CONTRAST_CHILD_H

#include "modes.h"

/* Once, before the first child_run. */
void child_prepare(void);

/*
 * Calls fn(run, out) in a child and copies its outcome back. `label` is for the progress line.
 * 0; -EINTR when the program is to stop (the outcome is then worth nothing). A mode that crashed
 * has out->error = -ECHILD and a note that says how.
 */
int child_run(mode_fn fn, const struct run *run, struct outcome *out, const char *label);

#endif
