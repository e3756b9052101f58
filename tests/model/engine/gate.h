/*
 * The mutation gate.
 */
#ifndef TESTS_MODEL_GATE_H
#define TESTS_MODEL_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* All mutants against all models, by `jobs` processes; `settled` is the list of those that may
 * survive, or NULL; a model goes on for `ceiling` steps. With `only_unlisted` those on the list are
 * taken at their word. 0: every mutant is killed or listed, and the list is true. */
int gate(unsigned jobs, const char *settled, uint64_t ceiling, bool only_unlisted);

bool wanted(const char *name); /* of main.c: the model takes part */

/* Weakens the one mutant whose key or place has `part` in it, or whose number it is; 0, or 2 with a
 * word on stderr. */
int gate_mutate(const char *part);

void gate_list(void);

#endif
