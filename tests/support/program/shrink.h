/*
 * Making a failing program smaller.
 */
#ifndef BGP_SHRINK_H
#define BGP_SHRINK_H

#include "trial.h"

struct bgp_limits {
    unsigned tries;   /* at most so many candidates */
    unsigned times;   /* each under so many schedules */
    unsigned seconds; /* no candidate is begun after that; scaled as other limits */
};

/*
 * p fails as *report says. Makes it as small as it gets: fewer tasks, operations, workers, shorter
 * times. *report becomes how the result fails, and p->schedule the schedule under which it does.
 * One that failed on threads is tried in the deterministic mode first. How many candidates were
 * tried.
 */
unsigned bgp_shrink(struct bgp_program *p, struct bgp_report *report,
                    const struct bgp_limits *limits);

#endif
