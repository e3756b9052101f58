/*
 * Seeds: where they come from.
 */
#ifndef BGI_SEED_H
#define BGI_SEED_H

#include <stdint.h>

/* Puts what BRIGADE_SEED says in *seed, which stays as it is when the variable is not set. 0, or
 * -EINVAL, after a line on stderr, when it is no number. */
int bgi_seed_from_environment(uint64_t *seed);

#endif
