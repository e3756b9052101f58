/*
 * Random programs with an oracle, many of them. BRIGADE_SOAK_SEEDS says how many, BRIGADE_SOAK_SEED
 * from which seed on; one that fails is made smaller and printed as a C program.
 *
 * Labels: soak
 */
#include "../task/check.h"
#include "program/batch.h"

Test(program, random_ones)
{
    cr_assert(bgp_batch(&bgp_large, 1, MANY(50000)));
}

Test(program, deterministic_ones)
{
    cr_assert(bgp_batch(&bgp_small, 1, MANY(2000000)));
}
