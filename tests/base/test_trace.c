/*
 * Trace points: where they are compiled in they reach the sink with their arguments, elsewhere
 * their arguments are never evaluated.
 */
#include "base/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>

static int evaluations;

static int evaluate(void)
{
    return ++evaluations;
}

#ifdef BGI_TRACE_ENABLED

static char last[64];

static void keep(void *ctx, const char *event, uint64_t a, uint64_t b)
{
    ++*(int *)ctx;
    snprintf(last, sizeof last, "%s %llu %llu", event, (unsigned long long)a,
             (unsigned long long)b);
}

Test(trace, points_reach_the_sink)
{
    int seen = 0;
    struct bgi_trace_sink sink = {.record = keep, .ctx = &seen};
    BGI_TRACE(park, evaluate(), 0);
    bgi_trace_set_sink(&sink);
    BGI_TRACE(park, evaluate(), 7);
    cr_assert_eq(seen, 1);
    cr_assert_str_eq(last, "park 2 7");
    BGI_TRACE(steal, &seen, 0);
    cr_assert_eq(seen, 2);
    bgi_trace_set_sink(NULL);
    BGI_TRACE(park, 1, 1);
    cr_assert_eq(seen, 2);
}

#else

Test(trace, points_are_compiled_away)
{
    int unused_elsewhere = 1;
    BGI_TRACE(park, evaluate(), unused_elsewhere);
    cr_assert_eq(evaluations, 0);
    cr_assert_eq(evaluate(), 1);
}

#endif
