/*
 * Pipelines: what ends at the moment at which they are stopped.
 */
#include "../task/check.h"

#include <errno.h>

static int made, used, dropped;

static int make(void *item, void *unused)
{
    (void)unused;
    *(int *)item = made;
    return made++ < 100;
}

/* The third item ends here, and so does the pipeline. */
static int end_third(void *item, void *self)
{
    if (*(int *)item != 2) {
        return 1;
    }
    CHECK(bg_cancel(self) == 0);
    return 0;
}

static int use(void *item, void *unused)
{
    (void)unused;
    CHECK(*(int *)item == used++);
    return 1;
}

static void drop(void *item, void *unused)
{
    (void)item;
    (void)unused;
    dropped++;
}

static int cancelled_as_one_ends(void *arg)
{
    const bg_stage stages[] = {BG_SERIAL(make, NULL), BG_PARALLEL(end_third, bg_self()),
                               BG_SERIAL(use, NULL)};
    size_t tokens = (size_t)(uintptr_t)arg;
    made = used = dropped = 0;
    CHECK(bg_pipeline_run(stages, 3, .tokens = tokens, .item_size = sizeof(int), .drop = drop) ==
          -ECANCELED);
    CHECK(made == 3 && used == 2 && dropped == 0); /* the stage has taken care of it */
    return bg_cancelled();
}

static int ends(void *arg)
{
    CHECK(bg_await(bg_spawn(cancelled_as_one_ends, arg)) == -ECANCELED);
    return 0;
}

Test(pipeline_moments, an_item_ends_as_it_is_stopped)
{
    RUN(ends, INT_ARG(1), .workers = 1, .spares = BG_NO_SPARES);
    RUN(ends, INT_ARG(4), .workers = 1, .spares = BG_NO_SPARES);
}
