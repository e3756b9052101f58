/*
 * base/clock.h: a clock that is put in the real one's place while others read it.
 */
#include "base/clock.h"
#include "mc.h"

static int made; /* plain: what the new clock's functions need */
static struct bgi_clock_ops ops;
static bg_time seen;

static bg_time now(void *ctx)
{
    mc_assert(*(int *)ctx == 1);
    return 42;
}

static void setup(void)
{
    bgi_clock_set_ops(NULL);
    made = 0;
    ops.now = NULL;
    ops.ctx = NULL;
    seen = 0;
}

static void replace(void)
{
    made = 1;
    ops.now = now;
    ops.ctx = &made;
    bgi_clock_set_ops(&ops);
}

static void read_clock(void)
{
    seen = bgi_clock_now();
}

static void one_of_both(void)
{
    mc_assert(seen == 42 || seen == bgi_clock_real());
    mc_assert(bgi_clock_now() == 42);
}

MC_MODEL(replaced, .name = "clock/replaced",
         .says = "who reads the new clock sees all that was made for it", .setup = setup,
         .thread = {replace, read_clock}, .check = one_of_both);
