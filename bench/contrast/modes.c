/*
 * The table of modes, in the order in which they are run and shown.
 */
#include "modes.h"

#include <stdarg.h>
#include <stdio.h>

const struct mode modes[MODE_COUNT] = {
    [MODE_SEQUENTIAL] = {"sequential", "one task after another, on one thread", mode_sequential},
    [MODE_PROCESSES] = {"processes", "fork: a pool for cpu, one a task where tasks wait",
                        mode_processes},
    [MODE_THREADS] = {"threads", "a pool for cpu, one a task where tasks wait", mode_threads},
    [MODE_ONE_WORKER] = {"one-worker", "brigade with one worker: asyncio's model", mode_one_worker},
    [MODE_STEALING] = {"stealing", "brigade on all CPUs", mode_stealing},
    [MODE_ASYNCIO] = {"asyncio", "Python's own, when python3 is there", mode_asyncio},
};

void outcome_note(struct outcome *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->note, sizeof out->note, fmt, ap);
    va_end(ap);
}
