/*
 * The report of a deadlock: every task that lives, what it waits for, since when, and its stack.
 *
 * Only the deterministic mode knows for certain that nothing can go on; it writes the report from
 * its loop, when no task runs.
 */
#ifndef BGI_DEADLOCK_H
#define BGI_DEADLOCK_H

#include "task/task.h"

/* Writes the report to stderr. On the thread that plays the workers, between two steps. */
void bgi_report_deadlock(bg_runtime *rt);

#endif
