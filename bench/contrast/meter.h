/*
 * What a run took, measured by the mode's own process around the work and nothing else.
 *
 * Wall time is the monotonic clock. CPU time is that of the process and of its children that have
 * been waited for. Memory is the kernel's own high-water mark of resident pages (VmHWM): Linux
 * starts it anew at fork, at what the child shares with its parent then. For a mode of many
 * processes the sum of those marks would count the pages they share many times; there the private
 * pages of single processes are added to the mark of their parent (see mode_processes.c).
 */
#ifndef CONTRAST_METER_H
#define CONTRAST_METER_H

#include "work.h"

struct meter {
    int64_t wall;
    int64_t cpu;
};

int64_t meter_now(void);
void meter_start(struct meter *m);
/* Sets wall, CPU, memory, threads and waiting of the outcome. */
void meter_stop(const struct meter *m, const struct run *run, struct outcome *out);

/* From /proc; 0 when it cannot be read. */
uint64_t meter_peak_memory(void);
uint64_t meter_private_memory(void);
/* Reads how many threads this process has and raises run->shared->threads to it. */
void meter_see_threads(const struct run *run);

#endif
