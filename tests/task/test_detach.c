/*
 * Detaching: the task runs on by itself, and its record is given back at its end.
 */
#include "check.h"

static bgi_atomic ran, cancelled;

static int main_null(void *arg)
{
    (void)arg;
    bg_detach(NULL);
    return 0;
}

Test(detach, null_is_ignored)
{
    bg_detach(NULL);
    RUN(main_null, NULL, .workers = 1);
}

static int run_on(void *arg)
{
    CHECK(bg_sleep((bg_duration)(intptr_t)arg) == 0);
    CHECK(bg_await(bg_spawn(return_arg, INT_ARG(4))) == 4); /* a task like others */
    add_one(&ran);
    return 0;
}

static int main_runs_on(void *arg)
{
    bgi_store(&ran, 0);
    (void)arg;
    for (int i = 0; i < 100; i++) {
        bg_detach(bg_spawn(run_on, INT_ARG(i * 20 * BG_US)));
    }
    yield_until(&ran, 100);
    return 0;
}

Test(detach, the_task_runs_on_by_itself)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_runs_on, NULL, .workers = w);
    }
}

static int wait_for_end(void *arg)
{
    (void)arg;
    add_one(&ran);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    add_one(&cancelled);
    return 0;
}

static int main_ends(void *arg)
{
    (void)arg;
    bgi_store(&ran, 0);
    bgi_store(&cancelled, 0);
    for (int i = 0; i < 100; i++) {
        bg_detach(bg_spawn(wait_for_end, NULL));
    }
    yield_until(&ran, 100);
    return 0;
}

Test(detach, at_the_end_of_main_it_is_cancelled_and_waited_for)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_ends, NULL, .workers = w);
        cr_assert_eq(bgi_load(&cancelled), 100);
    }
}

static void *detach_from_thread(void *arg)
{
    bg_detach(arg);
    return NULL;
}

static int main_foreign(void *arg)
{
    (void)arg;
    bgi_store(&ran, 0);
    for (int i = 0; i < MANY(200); i++) {
        pthread_t thread;
        bg_task *t = bg_spawn(run_on, INT_ARG(i % 50 * BG_US));
        CHECK(pthread_create(&thread, NULL, detach_from_thread, t) == 0);
        if (i % 2 == 0) {
            bg_yield();
        }
        CHECK(pthread_join(thread, NULL) == 0);
    }
    yield_until(&ran, MANY(200));
    return 0;
}

Test(detach, from_a_plain_thread)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_foreign, NULL, .workers = w);
    }
}

static int copied(void *arg)
{
    const int *numbers = arg;
    add_one(&ran);
    return numbers[0] + numbers[1];
}

static int main_copies(void *arg)
{
    (void)arg;
    bgi_store(&ran, 0);
    for (int i = 0; i < 1000; i++) {
        bg_detach(bg_spawn_with(copied, int[2], i, 1));
        bg_detach(bg_spawn(run_on, INT_ARG(1), .name = "named"));
    }
    yield_until(&ran, 2000);
    return 0;
}

Test(detach, what_was_copied_is_freed)
{
    EACH_WORKER_COUNT(w)
    {
        size_t before = bgi_alloc_live();
        RUN(main_copies, NULL, .workers = w);
        cr_assert_eq(bgi_alloc_live(), before);
    }
}
