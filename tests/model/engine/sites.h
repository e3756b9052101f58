/*
 * The atomic operations of the library's sources, and what can be made weaker of each: mutants.
 */
#ifndef TESTS_MODEL_SITES_H
#define TESTS_MODEL_SITES_H

#include <stdbool.h>
#include <stdint.h>

enum { NO_FENCE = -1 }; /* the order of a fence that is not there */

/* One operation in the source. Its inlined copies, each a call of its own, belong together. */
typedef struct site {
    char file[48]; /* below lib/ */
    char function[64];
    char text[104]; /* "bgi_store_release(&s->leader, 0)", as the source has it */
    int line, column;
    unsigned nth; /* among those of the function with the same text: 1.. */
    int order;    /* as lib/base/atomic.h promises it */
    bool reached; /* by a thread of a model, on a word that several touch */
} site;

typedef struct mutant {
    unsigned site;
    int order; /* instead of the site's */
    char key[240];
} mutant;

extern site *sites;
extern mutant *mutants;
extern unsigned site_count, mutant_count;

/* Finds those whose file, below the project's folder, begins with `below`. 0, or 1 with a word on
 * stderr. */
int sites_find(const char *below);

void sites_forget_reached(void);
void mutate(const mutant *m); /* NULL: none */

/* For memory.c: per byte of the program's code, what to do at a call that returns there. */
extern uint8_t *site_flags;
extern uintptr_t site_low;
int site_order(int order, const void *pc);

#endif
