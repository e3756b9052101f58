/*
 * Random programs with an oracle, in the deterministic mode: the first half of fifty thousand
 * seeds.
 */
#include "../soak/program.h"

Test(program_seeded, random_ones)
{
    run_programs(run_program_seeded, 1, MANY(25000));
}
