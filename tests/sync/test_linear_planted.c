/*
 * The programs of test_linear.c find a fault: channels are compiled here once more, and now and
 * then read a wrong number of items.
 */
#include "linear_run.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/panic.h"
#include "sync/door.h"
#include "task/task.h"

#include <limits.h>

static int off; /* by how much it is wrong */
static unsigned reads;

static bgi_word planted_load(const bgi_atomic *p)
{
    bgi_word v = bgi_load(p);
    return off != 0 && v >= 1 && v < LIN_ROOM && ++reads % 7 == 0 ? v + (bgi_word)off : v;
}

#define bgi_load planted_load
#include "sync/chan.c"
#undef bgi_load

static int finds(int by)
{
    struct lr_job job = {1, 5, 1};
    off = by;
    reads = 0;
    int r = bg_explore(lr_main, &job, .seeds = 100);
    off = 0;
    return r;
}

Test(planted, a_sound_one_passes)
{
    cr_assert_eq(finds(0), 0);
    NO_CHECK_FAILED();
}

Test(planted, one_item_less)
{
    cr_assert_eq(finds(-1), -EPROTO);
}

Test(planted, one_item_more)
{
    cr_assert_eq(finds(1), -EPROTO);
}
