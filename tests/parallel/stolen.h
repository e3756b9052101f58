/*
 * The tests of this folder run a second time with BRIGADE_STEAL_FORKS=1 (tests/CMakeLists.txt): no
 * fork is run by who joins it.
 */
#ifndef TESTS_PARALLEL_STOLEN_H
#define TESTS_PARALLEL_STOLEN_H

#include <stdlib.h>
#include <string.h>

static inline int forks_are_stolen(void)
{
    const char *value = getenv("BRIGADE_STEAL_FORKS");
    return value != NULL && strcmp(value, "1") == 0;
}

#endif
