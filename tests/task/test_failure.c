/*
 * Failures nobody awaits: each one reported, exactly once, none that somebody has taken.
 */
#include "child.h"

enum { CODES = 64 };

/* How often each code, -1 to -63, was reported; the names and threads are looked at on the way. */
static struct {
    bgi_atomic seen[CODES];
    bgi_atomic total;
    bgi_atomic wrong_name;
    bgi_atomic in_task;
} reports;

static void count_report(const char *name, int result, void *arg)
{
    CHECK(arg == &reports);
    CHECK(result < 0 && result > -CODES);
    add_one(&reports.seen[-result]);
    add_one(&reports.total);
    if (strcmp(name, result <= -32 ? "thirty" : "") != 0) {
        add_one(&reports.wrong_name);
    }
}

static void reset(void)
{
    for (int i = 0; i < CODES; i++) {
        bgi_store(&reports.seen[i], 0);
    }
    bgi_store(&reports.total, 0);
    bgi_store(&reports.wrong_name, 0);
    bg_set_failure_hook(count_report, &reports);
}

static bgi_word seen(int code)
{
    return bgi_load(&reports.seen[code]);
}

static bgi_atomic gate;

static int fail_after_gate(void *arg)
{
    yield_until(&gate, 1);
    return (int)(intptr_t)arg;
}

static int fail_when_cancelled(void *arg)
{
    (void)bg_sleep(BG_FOREVER);
    return (int)(intptr_t)arg;
}

static int main_detached(void *arg)
{
    (void)arg;
    bgi_store(&gate, 0);
    bg_detach(bg_spawn(fail_after_gate, INT_ARG(-1))); /* before its end */
    bg_detach(bg_spawn(fail_after_gate, INT_ARG(0)));
    bg_detach(bg_spawn(fail_after_gate, INT_ARG(40)));
    bg_detach(bg_spawn(fail_after_gate, INT_ARG(-33), .name = "thirty"));
    bgi_store_release(&gate, 1);
    bg_task *ended = bg_spawn(return_arg, INT_ARG(-2)); /* after its end */
    bg_task *named = bg_spawn(return_arg, INT_ARG(-34), .name = "thirty");
    CHECK(bg_wait_any(&ended, 1, NULL) == 0);
    CHECK(bg_wait_any(&named, 1, NULL) == 0);
    CHECK(seen(2) == 0 && seen(34) == 0); /* while there is a handle, somebody may await */
    bg_detach(ended);
    bg_detach(named);
    CHECK(seen(2) == 1 && seen(34) == 1);
    yield_until_alone(); /* who has not begun when main ends never does */
    return 0;
}

Test(failure, of_a_detached_task)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        RUN(main_detached, NULL, .workers = w);
        cr_assert_eq(seen(1), 1);
        cr_assert_eq(seen(2), 1);
        cr_assert_eq(seen(33), 1);
        cr_assert_eq(seen(34), 1);
        cr_assert_eq(bgi_load(&reports.total), 4);
        cr_assert_eq(bgi_load(&reports.wrong_name), 0);
    }
}

static int main_cancelled(void *arg)
{
    (void)arg;
    /* -ECANCELED is no failure of anybody's, wherever it comes from. */
    bg_detach(bg_spawn(return_arg, INT_ARG(-ECANCELED)));
    bg_detach(bg_spawn(sleep_forever, NULL)); /* by the end of main */
    bg_task *t = bg_spawn(sleep_forever, NULL);
    CHECK(bg_cancel(t) == 0);
    bg_detach(t);
    (void)bg_spawn(sleep_forever, NULL); /* never awaited, cancelled at the end */
    return 0;
}

Test(failure, cancellation_is_none)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        RUN(main_cancelled, NULL, .workers = w);
        cr_assert_eq(bgi_load(&reports.total), 0);
    }
}

static int main_awaited(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(-3))) == -3);
    CHECK(bg_gather(bg_spawn(return_arg, INT_ARG(-3)), bg_spawn(return_arg, INT_ARG(-4))) == -3);
    return -5; /* main's is bg_run's to return */
}

Test(failure, what_somebody_took_is_not_reported)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        cr_assert_eq(bg_run(main_awaited, NULL, .workers = w), -5);
        NO_CHECK_FAILED();
        cr_assert_eq(bgi_load(&reports.total), 0);
    }
}

static int main_never_awaited(void *arg)
{
    (void)arg;
    for (int i = 10; i < 20; i++) {
        bg_task *t = bg_spawn(return_arg, INT_ARG(-i)); /* ended before main does */
        CHECK(bg_wait_any(&t, 1, NULL) == 0);
    }
    (void)bg_spawn(fail_when_cancelled, INT_ARG(-20)); /* ends because main does, if it begins */
    bg_task *t = bg_spawn(fail_when_cancelled, INT_ARG(-35), .name = "thirty");
    CHECK(bg_sleep(2 * BG_MS) == 0);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_wait_any(&t, 1, NULL) == 0);
    CHECK(bgi_load(&reports.total) == 0); /* at the end of the runtime, not before */
    return 0;
}

Test(failure, of_a_task_never_awaited)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        RUN(main_never_awaited, NULL, .workers = w);
        for (int i = 10; i < 20; i++) {
            cr_assert_eq(seen(i), 1);
        }
        cr_assert_leq(seen(20), 1);
        cr_assert_leq(seen(35), 1);
        cr_assert_eq(bgi_load(&reports.total), 10 + seen(20) + seen(35));
        cr_assert_eq(bgi_load(&reports.wrong_name), 0);
    }
}

static bgi_atomic called;

static int failing_callback(void *arg)
{
    add_one(&called);
    return (int)(intptr_t)arg;
}

static int main_callbacks(void *arg)
{
    (void)arg;
    bg_timer timer;
    bgi_store(&called, 0);
    bg_timer_init(&timer);
    CHECK(bg_after(0, failing_callback, INT_ARG(-21)) == 0);
    CHECK(bg_after(BG_MS, failing_callback, INT_ARG(-22)) == 0);
    CHECK(bg_after(BG_MS, failing_callback, INT_ARG(5)) == 0);
    CHECK(bg_after(BG_MS, failing_callback, INT_ARG(0)) == 0);
    CHECK(bg_timer_start(&timer, BG_MS, failing_callback, INT_ARG(-23)) == 0);
    yield_until(&called, 5);
    return 0;
}

Test(failure, of_a_callback)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        RUN(main_callbacks, NULL, .workers = w);
        for (int i = 21; i <= 23; i++) {
            cr_assert_eq(seen(i), 1);
        }
        cr_assert_eq(bgi_load(&reports.total), 3);
        cr_assert_eq(bgi_load(&reports.wrong_name), 0);
    }
}

/* Detach and end meet in every way; once each, all the same. */
static int main_detach_races_end(void *arg)
{
    struct bgi_random rnd;
    (void)arg;
    bgi_random_seed(&rnd, 10);
    for (int i = 0; i < MANY(10000); i++) {
        bg_task *t = bg_spawn(return_arg, INT_ARG(-1 - i % 31));
        if (i % 3 == 0) {
            bg_yield();
        }
        for (uint32_t p = bgi_random_below(&rnd, 300); p > 0; p--) {
            bgi_pause();
        }
        bg_detach(t);
        if (i % 64 == 0) {
            CHECK(bg_sleep(1) == 0);
        }
    }
    yield_until_alone();
    return 0;
}

Test(failure, detach_races_the_end)
{
    EACH_WORKER_COUNT(w)
    {
        reset();
        RUN(main_detach_races_end, NULL, .workers = w);
        cr_assert_eq(bgi_load(&reports.total), (bgi_word)MANY(10000));
    }
}

/* ---- the default ---- */

static int main_for_default(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, INT_ARG(-ENOENT), .name = "soup");
    CHECK(bg_wait_any(&t, 1, NULL) == 0);
    bg_detach(t);
    t = bg_spawn(return_arg, INT_ARG(-EIO));
    CHECK(bg_wait_any(&t, 1, NULL) == 0);
    return 0;
}

static void run_with_default(void *arg)
{
    bg_set_failure_hook(count_report, &reports);
    bg_set_failure_hook(NULL, NULL); /* the default again */
    CHECK(bg_run(main_for_default, arg, .workers = 2) == 0);
}

static size_t lines_of(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) {
        n += *s == '\n';
    }
    return n;
}

Test(failure, the_default_writes_one_line_each)
{
    struct child_end end = child_run(run_with_default, NULL);
    cr_assert_eq(end.signal, 0);
    cr_assert_eq(end.status, 0, "%s", end.words);
    cr_assert_eq(lines_of(end.words), 2, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "task 'soup'"), "%s", end.words);
    cr_assert_not_null(strstr(end.words, "no such file or directory (-2)"), "%s", end.words);
    cr_assert_not_null(strstr(end.words, "task ''"), "%s", end.words);
    cr_assert_not_null(strstr(end.words, "input or output failed (-5)"), "%s", end.words);
}

static void run_without_stderr(void *arg)
{
    (void)close(STDERR_FILENO);
    CHECK(bg_run(main_for_default, arg, .workers = 1) == 0);
}

Test(failure, without_a_stderr_nobody_is_told)
{
    struct child_end end = child_run(run_without_stderr, NULL);
    cr_assert_eq(end.signal, 0);
    cr_assert_eq(end.status, 0);
    cr_assert_eq(end.words[0], '\0');
}

static int main_long_name(void *arg)
{
    static char name[5000];
    (void)arg;
    memset(name, 'n', sizeof name - 1);
    bg_detach(bg_spawn(return_arg, INT_ARG(-EIO), .name = name));
    bg_task *t = bg_spawn(return_arg, NULL);
    CHECK(bg_await(t) == 0);
    return 0;
}

static void run_with_long_name(void *arg)
{
    CHECK(bg_run(main_long_name, arg, .workers = 1, .spares = BG_NO_SPARES) == 0);
}

Test(failure, a_long_name_does_not_break_the_line)
{
    struct child_end end = child_run(run_with_long_name, NULL);
    cr_assert_eq(end.status, 0, "%s", end.words);
    cr_assert_eq(lines_of(end.words), 1, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "(-5)\n"), "%s", end.words);
}
