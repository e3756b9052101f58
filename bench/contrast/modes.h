/*
 * The ways to do the same work, one a source file: mode_*.c. Each runs in a process of its own
 * (see child.c), does the whole job, and fills in the outcome.
 */
#ifndef CONTRAST_MODES_H
#define CONTRAST_MODES_H

#include "work.h"

typedef void (*mode_fn)(const struct run *run, struct outcome *out);

enum mode_id {
    MODE_SEQUENTIAL,
    MODE_PROCESSES,
    MODE_THREADS,
    MODE_ONE_WORKER,
    MODE_STEALING,
    MODE_ASYNCIO,
    MODE_COUNT
};

struct mode {
    const char *name;
    const char *what; /* one line for --help */
    mode_fn run;
};

extern const struct mode modes[MODE_COUNT];

void mode_sequential(const struct run *run, struct outcome *out);
void mode_processes(const struct run *run, struct outcome *out);
void mode_threads(const struct run *run, struct outcome *out);
void mode_one_worker(const struct run *run, struct outcome *out);
void mode_stealing(const struct run *run, struct outcome *out);
void mode_asyncio(const struct run *run, struct outcome *out);

/* Not a mode but run like one: sets threads to the workers that the stealing mode starts, and
 * memory to what a process of this program takes before it has done anything. */
void mode_probe(const struct run *run, struct outcome *out);

/* Sets the note of the outcome, printf-like. */
void outcome_note(struct outcome *out, const char *fmt, ...) BGI_PRINTF(2, 3);

#endif
