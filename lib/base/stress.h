/*
 * The stress builds' hand on the schedule: with BGI_STRESS_YIELD every atomic operation first
 * calls bgi_stress_point(), which now and then gives the processor away or wastes a little time,
 * so that threads meet in places where they hardly ever would.
 */
#ifndef BGI_STRESS_H
#define BGI_STRESS_H

#include "base/compiler.h"

#ifdef BGI_STRESS_YIELD

void bgi_stress_point(void);

/* On average one point in one_in does something; 0 switches it off. It starts at 64. */
void bgi_stress_set(unsigned one_in);

/* Whether who has waited is to go on on another worker than before (core/fiber.c): as the variable
 * BRIGADE_STRESS_MIGRATE says (0 or 1), or this. */
int bgi_stress_migrates(void);
void bgi_stress_set_migration(int on);

#else

BGI_INLINE void bgi_stress_set(unsigned one_in)
{
    (void)one_in;
}

#endif

#endif
