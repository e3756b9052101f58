/*
 * bg_run: options, what it leaves behind, and how everything ends when main returns.
 *
 * Labels: long
 */
#include "../task/check.h"

#include <signal.h>
#include <sys/prctl.h>

static bgi_atomic ran;

static int count_run(void *arg)
{
    add_one(&ran);
    return (int)(intptr_t)arg;
}

/* ---- options ---- */

#define REFUSED(code, ...)                                                                         \
    do {                                                                                           \
        size_t threads = usual_threads();                                                          \
        size_t live = bgi_alloc_live();                                                            \
        bg_runtime *rt = (void *)&ran;                                                             \
        cr_assert_eq(bg_run(count_run, NULL, __VA_ARGS__), code);                                  \
        cr_assert_eq(bg_runtime_create(&rt, __VA_ARGS__), code);                                   \
        cr_assert_eq((void *)rt, (void *)&ran); /* untouched */                                    \
        cr_assert(threads_settle(threads));                                                        \
        cr_assert_eq(bgi_alloc_live(), live);                                                      \
        cr_assert_eq(bgi_load(&ran), 0);                                                           \
    } while (0)

Test(run, options_that_are_not_valid_start_nothing)
{
    REFUSED(-EINVAL, .workers = 1025);
    REFUSED(-EINVAL, .workers = UINT32_MAX);
    REFUSED(-EINVAL, .workers = 1, .stack_size = 1);
    REFUSED(-EINVAL, .workers = 1, .stack_size = 16 * 1024 - 1);
    REFUSED(-EINVAL, .workers = 1, .stack_size = ((size_t)1 << 30) + 1);
    REFUSED(-EINVAL, .workers = 1, .stack_size = SIZE_MAX);
    REFUSED(-EINVAL, .workers = 1, .spares = -2);
    REFUSED(-EINVAL, .workers = 1, .spares = INT32_MIN);
    REFUSED(-EINVAL, .workers = 1, .spares = 65);
    REFUSED(-EINVAL, .spares = 65, .seed = UINT64_MAX);
    REFUSED(-EINVAL, .workers = 1025, .seed = 1);
}

Test(run, the_size_of_the_options_is_checked)
{
    size_t threads = usual_threads(); /* the test's framework may have its own */
    static const size_t bad[] = {0, 1, sizeof(bg_run_options) - 1, sizeof(bg_run_options) + 1,
                                 SIZE_MAX};
    bg_runtime *rt = NULL;
    for (size_t i = 0; i < BGI_ARRAY_LEN(bad); i++) {
        bg_run_options o = {.size = bad[i], .workers = 1};
        cr_assert_eq(bg_run_opts(count_run, NULL, &o), -EINVAL);
        cr_assert_eq(bg_runtime_create_opts(&rt, &o), -EINVAL);
    }
    cr_assert_eq(bg_run_opts(count_run, NULL, NULL), -EINVAL);
    cr_assert_eq(bg_runtime_create_opts(&rt, NULL), -EINVAL);
    cr_assert_eq(bg_runtime_create(NULL, .workers = 1), -EINVAL);
    cr_assert_eq(bg_run(NULL, NULL, .workers = 1), -EINVAL);
    cr_assert_null(rt);
    cr_assert_eq(bgi_load(&ran), 0);
    cr_assert(threads_settle(threads));
}

static int main_is(void *arg)
{
    CHECK(strcmp(bg_task_name(bg_self()), arg) == 0);
    return 0;
}

Test(run, options_that_are_valid)
{
    static const int spares[] = {BG_NO_SPARES, 0, 1, 64};
    char name[] = "kitchen";
    for (size_t i = 0; i < BGI_ARRAY_LEN(spares); i++) {
        RUN(main_is, "main", .workers = 2, .spares = spares[i]);
    }
    RUN(main_is, "kitchen", .workers = 1, .name = name);
    RUN(main_is, "", .workers = 1, .name = "");
    RUN(main_is, "main", .workers = 0);
    RUN(main_is, "main", .stack_size = 16 * 1024 * 4);
    RUN(main_is, "main", .workers = 3, .stack_size = 1024 * 1024, .max_tasks = 1);
}

static int main_stats(void *arg)
{
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(arg == NULL ? s.workers >= 1 : s.workers == (unsigned)(uintptr_t)arg);
    return 0;
}

Test(run, so_many_workers)
{
    RUN(main_stats, NULL, .workers = 0);
    RUN(main_stats, INT_ARG(1), .workers = 1);
    RUN(main_stats, INT_ARG(33), .workers = 33);
    if (!CHECK_SLOW) {
        RUN(main_stats, INT_ARG(300), .workers = 300);
    }
}

Test(run, returns_what_main_returned)
{
    EACH_WORKER_COUNT(w)
    {
        cr_assert_eq(bg_run(count_run, INT_ARG(0), .workers = w), 0);
        cr_assert_eq(bg_run(count_run, INT_ARG(12345), .workers = w), 12345);
        cr_assert_eq(bg_run(count_run, INT_ARG(-EIO), .workers = w), -EIO);
        cr_assert_eq(bg_run(count_run, INT_ARG(INT32_MIN), .workers = w), INT32_MIN);
    }
}

/* ---- nested ---- */

static int try_nested(void *arg)
{
    (void)arg;
    bgi_store(&ran, 0);
    CHECK(bg_run(count_run, NULL, .workers = 1) == -EBUSY);
    CHECK(bgi_load(&ran) == 0);
    return 0;
}

static int main_nested(void *arg)
{
    bgi_store(&ran, 0);
    CHECK(bg_await(bg_spawn(try_nested, arg)) == 0);
    return try_nested(arg);
}

Test(run, from_within_a_task_it_is_busy)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_nested, NULL, .workers = w);
    }
}

/* ---- what is left behind ---- */

static int do_a_bit(void *arg)
{
    bg_task *t[50];
    for (int i = 0; i < 50; i++) {
        t[i] = bg_spawn(i % 2 ? sleep_some : return_arg, INT_ARG(i), .name = "a bit");
    }
    CHECK(bg_after(BG_S, count_run, NULL) == 0);
    CHECK(bg_gather_all(t, 50, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        (void)bg_spawn(sleep_forever, NULL, .name = "never awaited");
    }
    (void)arg;
    return 0;
}

Test(run, leaves_nothing_behind)
{
    size_t threads = usual_threads();
    for (int i = 0; i < 5; i++) { /* what libraries keep for good is there after this */
        EACH_WORKER_COUNT(w)
        {
            RUN(do_a_bit, NULL, .workers = w);
        }
    }
    cr_assert(threads_settle(threads));
    size_t live = bgi_alloc_live();
    size_t mappings = count_mappings();
    int rounds = MANY(100);
    for (int i = 0; i < rounds; i++) {
        RUN(do_a_bit, NULL, .workers = worker_counts[i % 4]);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    cr_assert(threads_settle(threads));
#if !CHECK_SLOW
    /* The C library keeps a stack or an arena more or less; one a run would be a leak. */
    cr_assert_lt(count_mappings(), mappings + (size_t)rounds / 2);
#endif
    (void)mappings;
}

Test(run, gives_the_thread_back_as_it_was)
{
    stack_t alt_before, alt_after;
    struct sigaction segv_before, segv_after;
    sigset_t mask_before, mask_after;
    (void)sigaltstack(NULL, &alt_before);
    (void)sigaction(SIGSEGV, NULL, &segv_before);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    RUN(do_a_bit, NULL, .workers = 4);
    (void)sigaltstack(NULL, &alt_after);
    (void)sigaction(SIGSEGV, NULL, &segv_after);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    cr_assert_eq(alt_before.ss_sp, alt_after.ss_sp);
    cr_assert_eq(alt_before.ss_flags, alt_after.ss_flags);
    cr_assert(segv_before.sa_sigaction == segv_after.sa_sigaction);
    for (int sig = 1; sig < 32; sig++) {
        cr_assert_eq(sigismember(&mask_before, sig), sigismember(&mask_after, sig));
    }
    cr_assert_eq(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), slack);
    cr_assert_null(bg_self());
}

/* ---- the end ---- */

static struct {
    bgi_atomic begun, ended, cancelled;
    int spawn_more;
} end_;

static int live_on(void *arg)
{
    intptr_t kind = (intptr_t)arg;
    int r = 0;
    add_one(&end_.begun);
    switch (kind % 5) {
    case 0:
        r = bg_sleep(BG_FOREVER);
        break;
    case 1:
        r = bg_await(bg_spawn(sleep_forever, NULL));
        break;
    case 2:
        while (r == 0) {
            bg_yield();
            r = bg_sleep(kind % 7 * 10 * BG_US);
        }
        break;
    case 3: {
        bg_task *t[3] = {bg_spawn(sleep_forever, NULL), bg_spawn(sleep_forever, NULL),
                         bg_spawn(sleep_forever, NULL)};
        r = kind % 2 ? bg_wait_any(t, 3, NULL) : bg_gather_all(t, 3, NULL);
        break;
    }
    default:
        while (r == 0) { /* computes until it looks whether it should go on */
            for (int i = 0; i < 1000; i++) {
                bgi_pause();
            }
            r = bg_sleep(0);
        }
    }
    if (r == -ECANCELED) {
        add_one(&end_.cancelled);
    } else {
        CHECK(kind % 5 == 3 && r == 0); /* one of those waited for ended first */
    }
    add_one(&end_.ended);
    return 0;
}

static int main_returns(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (intptr_t i = 0; i < n; i++) {
        CHECK(bg_spawn(live_on, INT_ARG(i)) != NULL);
    }
    yield_until(&end_.begun, (bgi_word)n / 2); /* some have begun, some not */
    return 9;
}

Test(run, at_its_end_all_tasks_are_cancelled_and_waited_for)
{
    EACH_WORKER_COUNT(w)
    {
        bgi_store(&end_.begun, 0);
        bgi_store(&end_.ended, 0);
        bgi_store(&end_.cancelled, 0);
        cr_assert_eq(bg_run(main_returns, INT_ARG(MANY(4000)), .workers = w), 9);
        NO_CHECK_FAILED();
        cr_assert_geq(bgi_load(&end_.begun), (bgi_word)MANY(4000) / 2);
        cr_assert_eq(bgi_load(&end_.begun), bgi_load(&end_.ended)); /* each that began, once */
        cr_assert_leq(bgi_load(&end_.cancelled), bgi_load(&end_.ended));
        cr_assert_gt(bgi_load(&end_.cancelled), bgi_load(&end_.ended) / 2);
    }
}

/* Tasks that answer their cancellation with new tasks, to a depth: those are cancelled from the
 * start, never call their function, and are waited for too. */
static int spawn_at_the_end(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    add_one(&end_.begun);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    if (depth >= 0) {
        bg_task *t = bg_spawn(count_run, NULL, .name = "too late");
        CHECK(t != NULL);
        CHECK(bg_await(t) == -ECANCELED);
        bg_detach(bg_spawn(count_run, NULL));
        (void)bg_spawn(count_run, NULL);
    }
    add_one(&end_.ended);
    return 0;
}

static int main_spawns_at_the_end(void *arg)
{
    (void)arg;
    bgi_store(&end_.begun, 0);
    bgi_store(&end_.ended, 0);
    bgi_store(&ran, 0);
    for (int i = 0; i < 200; i++) {
        bg_detach(bg_spawn(spawn_at_the_end, INT_ARG(i)));
    }
    yield_until(&end_.begun, 200);
    return 0;
}

Test(run, what_is_spawned_during_the_end_is_cancelled_from_the_start)
{
    EACH_WORKER_COUNT(w)
    {
        size_t live = bgi_alloc_live();
        for (int i = 0; i < 10; i++) {
            RUN(main_spawns_at_the_end, NULL, .workers = w);
            cr_assert_eq(bgi_load(&end_.ended), 200);
            cr_assert_eq(bgi_load(&ran), 0);
            cr_assert_eq(bgi_alloc_live(), live);
        }
    }
}

/* A task that goes on working after its cancellation is waited for. */
static int finish_work(void *arg)
{
    (void)arg;
    add_one(&end_.begun);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    for (int i = 0; i < 100; i++) {
        bg_yield();
    }
    add_one(&end_.ended);
    return 0;
}

static int main_unfinished(void *arg)
{
    (void)arg;
    bgi_store(&end_.begun, 0);
    bgi_store(&end_.ended, 0);
    for (int i = 0; i < 20; i++) {
        (void)bg_spawn(finish_work, NULL);
    }
    yield_until(&end_.begun, 20);
    return 0;
}

Test(run, who_takes_time_to_end_is_waited_for)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_unfinished, NULL, .workers = w);
        cr_assert_eq(bgi_load(&end_.ended), 20);
    }
}

/* Runs without anything in them, one after another: the start and the end meet in every way. */
Test(run, many_times_in_a_row)
{
    size_t threads = usual_threads();
    for (int i = 0; i < MANY(400); i++) {
        cr_assert_eq(bg_run(count_run, INT_ARG(i), .workers = worker_counts[i % 4]), i);
    }
    cr_assert(threads_settle(threads));
}

/* ---- limits ---- */

static int main_max_tasks(void *arg)
{
    bg_task *t[10];
    (void)arg;
    /* main is one of the ten */
    for (int i = 0; i < 9; i++) {
        t[i] = bg_spawn(sleep_forever, NULL);
        CHECK(t[i] != NULL);
    }
    for (int i = 0; i < 100; i++) {
        CHECK(bg_spawn(count_run, NULL) == NULL);
        CHECK(bg_spawn_with(count_run, int[2], 1, 2) == NULL);
    }
    CHECK(bg_await(bg_spawn(count_run, NULL)) == -ENOMEM);
    CHECK(bg_cancel(t[3]) == 0);
    CHECK(bg_await(t[3]) == -ECANCELED);
    t[3] = bg_spawn(return_arg, INT_ARG(6)); /* one has ended, one may be spawned */
    CHECK(t[3] != NULL);
    CHECK(bg_wait_any(&t[3], 1, NULL) == 0); /* ended, though its handle is here */
    bg_task *in_its_place = bg_spawn(return_arg, INT_ARG(7));
    CHECK(in_its_place != NULL);
    CHECK(bg_await(t[3]) == 6 && bg_await(in_its_place) == 7);
    return 0;
}

Test(run, at_most_so_many_tasks)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_max_tasks, NULL, .workers = w, .max_tasks = 10);
    }
}

static int main_tight_limit(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(10000); i++) {
        bg_task *t = bg_spawn(return_arg, INT_ARG(i));
        CHECK(t != NULL); /* the one before has been awaited, so it is not alive */
        CHECK(bg_await(t) == i);
        if (i % 7 == 0) {
            bg_yield();
        }
    }
    return 0;
}

Test(run, a_task_that_was_awaited_does_not_count)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_tight_limit, NULL, .workers = w, .max_tasks = 2);
    }
}

/* One worker without spares is one thread: what it does needs no locks. */
static int unguarded;

static int add_unguarded(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int before = unguarded;
        for (int k = 0; k < 100; k++) {
            bgi_pause();
        }
        unguarded = before + 1;
        if (i % 10 == 0) {
            bg_yield();
        }
    }
    return 0;
}

static int main_one_thread(void *arg)
{
    bg_task *t[100];
    (void)arg;
    for (int i = 0; i < 100; i++) {
        t[i] = bg_spawn(add_unguarded, NULL);
    }
    CHECK(bg_gather_all(t, 100, NULL) == 0);
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0 && s.spares_peak == 0);
    return 0;
}

Test(run, one_worker_without_spares_is_one_thread)
{
    RUN(main_one_thread, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(unguarded, 10000);
}
