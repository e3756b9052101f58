/*
 * How many more processes or threads this machine can hold without harm to what else runs on it.
 *
 * A process or thread for each waiter is what the `processes` and `threads` modes are about, and
 * they go on until the system says no. Two limits would hurt others before it does: the numbers
 * of the whole system (pid_max, threads-max, the cgroup's pids.max), of which a tenth is left, and
 * memory, of which a quarter of what was available at the start is left.
 */
#ifndef CONTRAST_LIMITS_H
#define CONTRAST_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limits {
    uint64_t most;     /* as many more may be started */
    const char *which; /* what sets that limit */
    uint64_t reserve;  /* bytes that must stay available */
};

void limits_read(struct limits *l);

/* May number `started` + 1 be started? When not, *why names the limit. */
bool limits_allow(const struct limits *l, uint64_t started, const char **why);

#endif
