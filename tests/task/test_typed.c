/*
 * Typed tasks: every number of arguments, results of all sorts, what fails and what then stays
 * untouched.
 *
 * Labels: valgrind aarch64
 */
#include "child.h"
#include "typed_uses.h"

/* ---- arguments and results ---- */

static int main_numbers(void *arg)
{
    (void)arg;
    int sum = 0;
    CHECK(typed_uses_sum(&sum) == 0);
    CHECK(sum == TYPED_USES_SUM);
    return 0;
}

Test(typed, from_none_to_eight_arguments)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_numbers, NULL, .workers = w);
    }
}

static int main_void(void *arg)
{
    (void)arg;
    int a = 0, b = 0;
    CHECK(void_of_0_await(void_of_0_spawn()) == 0);
    CHECK(void_of_1_await(void_of_1_spawn(&a)) == 0);
    CHECK(void_of_8_await(void_of_8_spawn(&b, 1, 2, 3, 4, 5, 6, "\a")) == 0);
    CHECK(a == 1);
    CHECK(b == 28);
    return 0;
}

Test(typed, functions_without_a_result)
{
    RUN(main_void, NULL, .workers = 2);
}

static int main_types(void *arg)
{
    (void)arg;
    struct order soup = {3, "soup", {4.5, 0, 1}}, fish = {4, "fish", {21, 2, 3}}, got = soup;
    struct order other = soup;
    const char *dish = NULL;
    unsigned char letter = 0;

    bg_task *t = dearest_spawn(other, &fish);
    other.price[0] = 100; /* it has a copy */
    CHECK(dearest_await(t, &got) == 0);
    CHECK(got.table == 4 && got.price[2] == 3);
    CHECK(dish_of_await(dish_of_spawn(soup), &dish) == 0);
    CHECK(dish == soup.dish);
    CHECK(first_of_await(first_of_spawn(fish), &letter) == 0);
    CHECK(letter == 'f');
    /* A result that is larger than the arguments. */
    CHECK(order_of_await(order_of_spawn("stew"), &got) == 0);
    CHECK(strcmp(got.dish, "stew") == 0 && got.price[2] == 3);
    /* One that nobody wants. */
    CHECK(order_of_await(order_of_spawn("stew"), NULL) == 0);
    return 0;
}

Test(typed, types_of_all_sorts)
{
    RUN(main_types, NULL, .workers = 2);
}

static int main_fib(void *arg)
{
    long result = 0;
    (void)arg;
    CHECK(fib(1) == 1); /* an ordinary function as well */
    CHECK(fib_await(fib_spawn(CHECK_SLOW == 40 ? 1 : CHECK_SLOW == 4 ? 4 : 16), &result) == 0);
    CHECK(result == (CHECK_SLOW == 40 ? 1 : CHECK_SLOW == 4 ? 3 : 987));
    return 0;
}

Test(typed, tasks_that_spawn_tasks)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_fib, NULL, .workers = w);
    }
    RUN(main_fib, NULL, .seed = 11);
}

/* ---- the handle is any task's ---- */

static BG_TASK(int, own_name_is, (const char *, name))
{
    return strcmp(bg_task_name(bg_self()), name) == 0;
}

static int main_handle(void *arg)
{
    int same = 0;
    size_t index = 9;
    (void)arg;
    bg_task *t = own_name_is_spawn("own_name_is");
    CHECK(strcmp(bg_task_name(t), "own_name_is") == 0);
    CHECK(bg_wait_any(&t, 1, &index) == 0);
    CHECK(index == 0);
    CHECK(own_name_is_await(t, &same) == 0); /* it has ended already */
    CHECK(same == 1);
    CHECK(bg_gather(of_1_spawn(-EIO), of_0_spawn()) == 0); /* they have run */
    CHECK(bg_await(of_1_spawn(7)) == 0);
    bg_detach(of_1_spawn(-EIO)); /* nor is this a failure */
    return 0;
}

static void count_failure(const char *name, int result, void *arg)
{
    (void)name;
    (void)result;
    *(int *)arg += 1;
}

Test(typed, the_handle_is_that_of_any_task)
{
    int failures = 0;
    bg_set_failure_hook(count_failure, &failures);
    RUN(main_handle, NULL, .workers = 1);
    bg_set_failure_hook(NULL, NULL);
    cr_assert_eq(failures, 0);
}

/* ---- failures ---- */

static BG_TASK(int, sleep_long, (bg_duration, d))
{
    return bg_sleep(d);
}

static int main_cancelled(void *arg)
{
    int out = 77;
    (void)arg;
    bg_task *t = of_1_spawn(1);
    CHECK(bg_cancel(t) == 0);
    CHECK(of_1_await(t, &out) == -ECANCELED); /* the function was never called */
    CHECK(out == 77);
    t = void_of_0_spawn();
    CHECK(bg_cancel(t) == 0);
    CHECK(void_of_0_await(t) == -ECANCELED);

    t = sleep_long_spawn(BG_FOREVER);
    bg_yield(); /* the only worker: it sleeps now */
    CHECK(bg_cancel(t) == 0);
    CHECK(sleep_long_await(t, &out) == 0); /* it has run, and this is what it says */
    CHECK(out == -ECANCELED);
    return 0;
}

Test(typed, cancelled_before_it_ran_and_while_it_does)
{
    RUN(main_cancelled, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static int await_sleeper(void *arg)
{
    int out = 77;
    (void)arg;
    int r = sleep_long_await(sleep_long_spawn(BG_FOREVER), &out);
    /* The cancellation was passed on: to one that sleeps, or that has not begun. */
    CHECK(r == 0 ? out == -ECANCELED : r == -ECANCELED && out == 77);
    return -ECANCELED;
}

static int main_passed_on(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(await_sleeper, NULL);
    bg_yield();
    bg_yield();
    CHECK(bg_cancel(t) == 0);
    return bg_await(t) == -ECANCELED ? 0 : -1;
}

Test(typed, a_cancelled_caller_passes_it_on)
{
    RUN(main_passed_on, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(bg_explore(main_passed_on, NULL, .seeds = 50), 0);
    NO_CHECK_FAILED();
}

/* One worker: another task is before the awaited one, which has not begun when the wait fails. */
static int main_timed_out(void *arg)
{
    int out = 77;
    (void)arg;
    bg_timeout (0) {
        bg_task *other = void_of_0_spawn();
        CHECK(of_1_await(of_1_spawn(1), &out) == -ETIMEDOUT);
        CHECK(out == 77);
        CHECK(void_of_0_await(other) == 0);
        bg_task *t = sleep_long_spawn(BG_FOREVER);
        bg_yield();
        CHECK(sleep_long_await(t, &out) == 0);
        CHECK(out == -ECANCELED);
    }
    return 0;
}

Test(typed, a_deadline_around_the_caller)
{
    RUN(main_timed_out, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static int main_null(void *arg)
{
    int out = 77;
    (void)arg;
    CHECK(of_1_await(NULL, &out) == -ENOMEM);
    CHECK(void_of_0_await(NULL) == -ENOMEM);
    CHECK(out == 77);
    bg_task *first = of_0_spawn();
    CHECK(first != NULL);
    CHECK(of_0_spawn() == NULL); /* the limit */
    CHECK(of_0_await(first, &out) == 0);
    CHECK(out == 8);
    return 0;
}

Test(typed, null_is_a_task_for_which_there_was_no_memory)
{
    RUN(main_null, NULL, .workers = 1, .max_tasks = 2);
}

static int main_refused(void *arg)
{
    size_t n = *(size_t *)arg;
    int out = 77;
    bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_MMAP, n);
    bg_task *t = of_1_spawn(5);
    int r = of_1_await(t, &out);
    bgi_fault_disarm();
    CHECK(r == 0 ? out == 5 : r == -ENOMEM && out == 77);
    CHECK(of_1_await(of_1_spawn(5), &out) == 0 && out == 5);
    *(size_t *)arg = bgi_fault_count();
    return 0;
}

Test(typed, memory_that_is_refused)
{
    size_t live = bgi_alloc_live(), came;
    size_t n = 0;
    do {
        came = ++n;
        RUN(main_refused, &came, .workers = 1, .spares = BG_NO_SPARES);
        cr_assert_eq(bgi_alloc_live(), live);
    } while (came >= n);
    cr_assert_geq(n, 2);
}

/* ---- misuse ---- */

#if BGI_DEBUG

static int await_another_kind(void *arg)
{
    int out;
    (void)arg;
    return of_2_await(of_1_spawn(1), &out);
}

static int await_unnamed(void *arg)
{
    int out;
    (void)arg;
    return of_1_await(bg_spawn(return_arg, NULL), &out);
}

static void run_misuse(void *arg)
{
    (void)bg_run(*(bg_fn *)arg, NULL, .workers = 1);
}

static void await_outside(void *arg)
{
    int out;
    (void)arg;
    (void)of_1_await(NULL, &out);
}

Test(typed, misuse_is_caught)
{
    bg_fn cases[] = {await_another_kind, await_unnamed};
    const char *words[] = {"task 'of_1' was not made by of_2_spawn",
                           "task '' was not made by of_1_spawn"};
    for (int i = 0; i < 2; i++) {
        struct child_end end = child_run(run_misuse, &cases[i]);
        cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
        cr_assert_not_null(strstr(end.words, words[i]), "%s", end.words);
    }
    struct child_end end = child_run(await_outside, NULL);
    cr_assert_eq(end.signal, SIGABRT, "%s", end.words);
    cr_assert_not_null(strstr(end.words, "misuse: bg_await_typed: called outside of a task"), "%s",
                       end.words);
}

#else

Test(typed, outside_of_tasks)
{
    int out = 77;
    cr_assert_null(of_1_spawn(1));
    cr_assert_eq(of_1_await(NULL, &out), -ENOMEM);
    cr_assert_eq(out, 77);
}

#endif
