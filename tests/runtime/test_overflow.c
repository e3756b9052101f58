/*
 * A task that runs out of stack: its process ends with a line that names the task and the size of
 * its stack, and says what to do.
 */
#include "../task/child.h"

static volatile long sink;

BGI_NOINLINE static long fall(long depth)
{
    volatile char frame[300];
    frame[0] = (char)depth;
    sink += frame[0];
    long below = depth > 0 ? fall(depth - 1) : 0; /* far deeper than any stack here */
    return below + frame[0] + sink;
}

static int recurse(void *arg)
{
    if (arg != NULL) {
        (void)bg_sleep(BG_MS);
    }
    sink += fall(1L << 24);
    return 0;
}

static int main_recurses(void *arg)
{
    return recurse(arg);
}

/* Main keeps worker 0, the caller's thread, so that the task runs on another one. */
static bgi_atomic begun;

static int recurse_elsewhere(void *arg)
{
    bgi_store_release(&begun, 1);
    return recurse(arg);
}

static int main_elsewhere(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(recurse_elsewhere, NULL, .name = "elsewhere");
    while (!bgi_load_acquire(&begun)) {
        bgi_pause(); /* computes, without a yield */
    }
    return bg_await(t);
}

static int main_small(void *arg)
{
    return bg_await(bg_spawn(recurse, arg, .name = "small", .stack_size = 16 * 1024));
}

static int main_after_sleep(void *arg)
{
    (void)arg;
    return bg_await(bg_spawn(recurse, INT_ARG(1), .name = "woken", .stack_size = 64 * 1024));
}

static int main_unnamed(void *arg)
{
    return bg_await(bg_spawn(recurse, arg));
}

struct overflow {
    bg_fn main;
    unsigned workers;
    const char *task, *size;
};

static void overflow(void *arg)
{
    const struct overflow *o = arg;
    (void)bg_run(o->main, NULL, .workers = o->workers, .name = "chef");
}

static void expect_report(struct overflow o)
{
    struct child_end end = child_run(overflow, &o);
    cr_assert_eq(end.signal, SIGABRT, "signal %d, status %d: %s", end.signal, end.status,
                 end.words);
    cr_assert_not_null(strstr(end.words, "stack overflow in task"), "%s", end.words);
    cr_assert_not_null(strstr(end.words, o.task), "%s", end.words);
    cr_assert_not_null(strstr(end.words, o.size), "%s", end.words);
    cr_assert_not_null(strstr(end.words, "raise .stack_size"), "%s", end.words);
}

Test(overflow, of_main)
{
    expect_report((struct overflow){main_recurses, 1, "'chef'", "256 KiB"});
    expect_report((struct overflow){main_recurses, 2, "'chef'", "256 KiB"});
}

Test(overflow, on_another_worker)
{
    expect_report((struct overflow){main_elsewhere, 2, "'elsewhere'", "256 KiB"});
}

Test(overflow, of_the_smallest_stack)
{
    expect_report((struct overflow){main_small, 2, "'small'", "16 KiB"});
}

Test(overflow, after_a_wait)
{
    expect_report((struct overflow){main_after_sleep, 2, "'woken'", "64 KiB"});
}

Test(overflow, of_an_unnamed_task)
{
    expect_report((struct overflow){main_unnamed, 1, "''", "256 KiB"});
}
