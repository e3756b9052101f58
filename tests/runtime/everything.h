/*
 * A program that asks for a bit of everything, in which each call may fail, but only in its own
 * way: what the tests of refused requests run.
 */
#ifndef TESTS_RUNTIME_EVERYTHING_H
#define TESTS_RUNTIME_EVERYTHING_H

#include "structured.h"

static struct {
    bgi_atomic main_ran;
    bgi_atomic callbacks;
    int forever;        /* refused from the nth one on */
    int harmless;       /* what is refused is no reason to fail */
    bgi_atomic refused; /* results that were -ENOMEM */
} now;

static int count_callback(void *arg)
{
    (void)arg;
    add_one(&now.callbacks);
    return 0;
}

static int sum_three(void *arg)
{
    const int *n = arg;
    return n[0] + n[1] + n[2];
}

static int own_name_is(void *arg)
{
    return strcmp(bg_task_name(bg_self()), arg) == 0 ? 1 : -EIO;
}

static int is_result(int r, int expected)
{
    if (r == -ENOMEM) {
        add_one(&now.refused);
    }
    return r == expected || (r == -ENOMEM && !now.harmless);
}

/* The argument: how many tasks; NULL: more than there are records in a chunk. */
static int main_everything(void *arg)
{
    enum { MORE_THAN_A_CHUNK = 1200 };
    static bg_task *t[MORE_THAN_A_CHUNK];
    static int results[MORE_THAN_A_CHUNK];
    int n = arg == NULL ? MORE_THAN_A_CHUNK : (int)(intptr_t)arg;
    bgi_store(&now.main_ran, 1);

    for (int i = 0; i < n; i++) {
        t[i] = i % 4 == 0   ? bg_spawn_with(sum_three, int[3], i, 1, 1)
               : i % 4 == 1 ? bg_spawn(own_name_is, "soup", .name = "soup")
               : i % 4 == 2 ? bg_spawn(return_arg, INT_ARG(i))
                            : bg_spawn(sleep_some, INT_ARG(BG_US), .stack_size = 16384 << i % 3);
    }
    int r = bg_gather_all(t, (size_t)n, results);
    CHECK(is_result(r, 0));
    for (int i = 0; i < n; i++) {
        CHECK(is_result(results[i], i % 4 == 0 ? i + 2 : i % 4 == 1 ? 1 : i % 4 == 2 ? i : 0));
    }

    bgi_store(&now.callbacks, 0);
    bgi_word expected = 0;
    for (int i = 0; i < 3; i++) {
        r = bg_after(i % 2 * BG_US, count_callback, NULL);
        CHECK(is_result(r, 0));
        expected += r == 0;
    }
    bg_timer timer;
    bg_timer_init(&timer);
    CHECK(bg_timer_start(&timer, 0, count_callback, NULL) == 0); /* takes no memory */
    yield_until(&now.callbacks, expected + 1);

    CHECK(bg_sleep(BG_US) == 0); /* nor does this */

    /* A refusal is not for ever: of two in a row one succeeds. */
    int a = bg_await(bg_spawn_with(sum_three, int[3], 1, 2, 3));
    int b = bg_await(bg_spawn_with(sum_three, int[3], 1, 2, 3));
    CHECK(is_result(a, 6) && is_result(b, 6));
    CHECK(now.forever || a == 6 || b == 6);

    r = structured();
    CHECK(is_result(r == -EAGAIN ? -ENOMEM : r, 0));
    if (r != 0 && !now.forever) {
        CHECK(structured() == 0);
    }
    bg_detach(bg_spawn(sleep_forever, NULL, .name = "left"));
    CHECK(is_result(bg_after(BG_S, count_callback, NULL), 0));
    return 123;
}

/* What bg_run returned. In a child of a test too: it uses CHECK. */
static int run_everything(unsigned workers, void *arg)
{
    bgi_store(&now.main_ran, 0);
    int r = bg_run(main_everything, arg, .workers = workers);
    if (r == 123) {
        CHECK(bgi_load(&now.main_ran) == 1);
    } else {
        CHECK(!now.harmless && (r == -ENOMEM || r == -EAGAIN));
        CHECK(bgi_load(&now.main_ran) == 0);
    }
    return r;
}

#endif
