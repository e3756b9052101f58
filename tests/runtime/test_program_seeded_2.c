/*
 * Random programs with an oracle, in the deterministic mode: the second half of fifty thousand
 * seeds.
 *
 * Labels: long
 */
#include "../task/check.h"
#include "program/batch.h"

Test(program_seeded, random_ones)
{
    cr_assert(bgp_batch(&bgp_small, 25001, MANY(BGP_SEEDS)));
}
