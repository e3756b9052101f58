/*
 * Random programs with an oracle: a few of those that the soak test runs for long.
 */
#include "../soak/program.h"

Test(program, random_ones)
{
    run_programs(run_program, 1, MANY(150));
}
