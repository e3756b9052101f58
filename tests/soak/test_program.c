/*
 * Random programs with an oracle, many of them. BRIGADE_SOAK_SEEDS says how many, BRIGADE_SOAK_SEED
 * from which seed on; the seed of a program that fails is told.
 *
 * Labels: soak
 */
#include "program.h"

Test(program, random_ones)
{
    run_programs(run_program, 1, MANY(20000));
}

Test(program, deterministic_ones)
{
    run_programs(run_program_seeded, 1, MANY(2000000));
}
