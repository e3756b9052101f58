/*
 * What a runner runs: the workloads with their figures and targets, the peers, and how much of
 * each workload a peer is given (so that one run takes a fraction of a second, where a million at
 * once is not the point). Each set of benchmarks has a table.c of its own.
 */
#ifndef BM_TABLE_H
#define BM_TABLE_H

#include <stddef.h>

enum { BM_MAX_FIGURES = 5 };

typedef struct {
    const char *metric; /* as the programs print it */
    const char *unit;
    const char *head; /* of the column */
    double target;    /* brigade's figure is to be at most this; 0: there is none */
} bm_figure;

typedef struct {
    const char *name;     /* for --only, with its group */
    const char *group;    /* a name for several rows; also the key of their sizes */
    const char *workload; /* what the program is asked for */
    const char *args;     /* more arguments, separated by one blank; "" for none */
    const char *quick;    /* the same with --quick */
    const char *title;
    int pinned; /* to one CPU */
    bm_figure figures[BM_MAX_FIGURES];
} bm_row;

typedef struct {
    const char *name;
    const char *file; /* in the directory of programs */
    const char *arg;  /* an argument more, or NULL */
} bm_peer;

typedef struct {
    const char *group, *peer;
    long count, quick_count;  /* 0: the workload has no count */
    int repeats;              /* at most so many; 0: as many as asked for */
    int bytes;                /* memory for each one, to stay within what the machine has */
    int margin, quick_margin; /* ms; doubled when a program says that it was too short */
} bm_size;

/* A target beside others: brigade's figure is to be at most so many times the least of theirs. */
typedef struct {
    const char *row, *metric;
    const char *peers; /* separated by commas; those that are not measured do not count */
    double times;
} bm_match;

extern const char bm_format[]; /* of the JSON */
extern const size_t bm_base; /* the peer whose figures ratios are of; brigade if it is not there */
extern const bm_row bm_rows[];
extern const size_t bm_row_count;
extern const bm_peer bm_peers[]; /* the first one is brigade */
extern const size_t bm_peer_count;
extern const bm_match bm_matches[];
extern const size_t bm_match_count;

/* NULL: this peer has no such thing, and is not asked. */
const bm_size *bm_find_size(const char *group, const char *peer);

#endif
