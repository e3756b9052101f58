/* What the runs gave, and how it is shown: a table a workload, and JSON. */
#ifndef BM_REPORT_H
#define BM_REPORT_H

#include "table.h"

#include <stdio.h>

enum { BM_MAX_REPEATS = 64, BM_MAX_PEERS = 16, BM_MAX_ROWS = 32, BM_MAX_TEXT = 256 };

typedef struct {
    double v[BM_MAX_REPEATS];
    int n;
} bm_samples;

typedef enum { BM_ABSENT, BM_MEASURED, BM_LACKS, BM_BROKEN } bm_state;

typedef struct {
    bm_state state;
    long count, full; /* of how many at once; how many it would be with memory and time enough */
    int margin;
    bm_samples figures[BM_MAX_FIGURES];
    char note[BM_MAX_TEXT];   /* a line the program asks the reader to know */
    char reason[BM_MAX_TEXT]; /* why it is not measured */
} bm_cell;

typedef struct {
    int repeats, quick, alone, cpu;
    int chosen_row[BM_MAX_ROWS], chosen_peer[BM_MAX_PEERS]; /* peers: chosen and built */
    char version[BM_MAX_PEERS][BM_MAX_TEXT];
    char busy[BM_MAX_TEXT]; /* a warning, or "" */
    bm_cell cell[BM_MAX_ROWS][BM_MAX_PEERS];
    int interrupted;
} bm_results;

void bm_print_head(FILE *f, const bm_results *r);
void bm_print_row(FILE *f, const bm_results *r, size_t row);
void bm_print_targets(FILE *f, const bm_results *r);
void bm_print_json(FILE *f, const bm_results *r);

#endif
