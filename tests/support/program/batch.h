/*
 * Many random programs.
 */
#ifndef BGP_BATCH_H
#define BGP_BATCH_H

#include "base/compiler.h"

#include "trial.h"

/* Runs the programs of n seeds, from `from` on, in a child, until one fails. Whether none did; else
 * *report says which and how. quiet: what the child writes is dropped. */
int bgp_search(const struct bgp_size *size, uint64_t from, uint64_t n, int quiet,
               struct bgp_report *report);

/*
 * Likewise. When one fails, it is made smaller and printed to
 * stderr, with its seed and how to run it again; those after it are not run. Whether none failed.
 *
 * BRIGADE_SOAK_SEED=s has it begin with s, BRIGADE_SOAK_SEEDS=n run n.
 */
int bgp_batch(const struct bgp_size *size, uint64_t from, uint64_t n);

/* How many seeds a quick test takes. One thread runs them: what makes a build slow or different for
 * the sake of threads is worth fewer. */
#if defined(BGI_STRESS_YIELD) || defined(BGI_CONTEXT_UCONTEXT) || BGI_ASAN || BGI_TSAN
#define BGP_SEEDS 6000
#else
#define BGP_SEEDS 25000
#endif

#endif
