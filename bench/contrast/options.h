/*
 * The command line. One bad argument gives one clear line and exit status 2.
 */
#ifndef CONTRAST_OPTIONS_H
#define CONTRAST_OPTIONS_H

#include "modes.h"

#include <stdbool.h>

#define MAX_REPEAT 99

/* What the program's exit status says; the first that applies, in this order. A signal that
 * stopped it gives 128 + its number (Ctrl-C: 130). */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,   /* a mode failed, or an output could not be written */
    EXIT_USAGE = 2,    /* a bad argument; nothing was run */
    EXIT_SKIPPED = 3,  /* everything ran, but some files could not be read and were skipped */
    EXIT_DISAGREE = 4, /* two modes gave one unchanged file two digests */
};

struct options {
    const char *dir;
    unsigned jobs;  /* bit 1 << enum job_kind */
    unsigned modes; /* bit 1 << enum mode_id */
    size_t tasks;
    int64_t wait_ns;
    bool sleeps; /* tasks that wait sleep, instead of fetching */
    unsigned repeat;
    unsigned workers; /* 0: as many as there are CPUs */
    const char *json;
    const char *csv;
};

/* Returns -1 to go on, or the exit status to leave with at once (after --help, or an error that
 * has been printed). */
int options_parse(struct options *o, int argc, char *const argv[]);

#endif
