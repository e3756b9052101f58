/*
 * Random programs with an oracle, on threads: a few of those that the soak test runs for long.
 *
 * Labels: long
 */
#include "../task/check.h"
#include "program/batch.h"

Test(program, random_ones)
{
    cr_assert(bgp_batch(&bgp_large, 1, MANY(600)));
}
