/*
 * Misuse, in builds that catch it: one line on stderr that names the function, and the task where
 * there is one, then abort().
 */
#include "../task/child.h"

#if BGI_DEBUG

struct misuse {
    bg_fn main; /* NULL: `plain` is called outside of any runtime */
    void (*plain)(void);
    const char *function, *task;
};

static void commit_misuse(void *arg)
{
    const struct misuse *m = arg;
    if (m->main != NULL) {
        /* One worker: whoever is spawned runs when the spawner waits, and not before. */
        (void)bg_run(m->main, NULL, .workers = 1, .spares = BG_NO_SPARES, .name = "chef");
    } else {
        m->plain();
    }
}

static void expect_caught(bg_fn main, void (*plain)(void), const char *function, const char *task)
{
    struct misuse m = {main, plain, function, task};
    struct child_end end = child_run(commit_misuse, &m);
    char expected[256];
    (void)snprintf(expected, sizeof expected, "brigade: misuse: %s%s%s%s: ", function,
                   task != NULL ? " in task '" : "", task != NULL ? task : "",
                   task != NULL ? "'" : "");
    cr_assert_eq(end.signal, SIGABRT, "%s: signal %d, status %d: %s", function, end.signal,
                 end.status, end.words);
    cr_assert_not_null(strstr(end.words, expected), "%s: %s", function, end.words);
    cr_assert_not_null(strchr(end.words, '\n'));
}

static int await_twice(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, NULL);
    (void)bg_await(t);
    return bg_await(t);
}

static int await_self(void *arg)
{
    (void)arg;
    return bg_await(bg_self());
}

static int await_detached(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_detach(t);
    return bg_await(t);
}

static int detach_twice(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_detach(t);
    bg_detach(t);
    return 0;
}

static int detach_awaited(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, NULL);
    (void)bg_await(t);
    bg_detach(t);
    return 0;
}

static int await_arg(void *arg)
{
    return bg_await(arg);
}

static int two_await_one(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    (void)bg_spawn(await_arg, t, .name = "first");
    (void)bg_sleep(20 * BG_MS); /* both wait, whichever came first */
    (void)bg_spawn(await_arg, t, .name = "second");
    return bg_sleep(BG_FOREVER);
}

static int gather_one_twice(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, NULL);
    return bg_gather(t, t);
}

static int any_one_twice(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_task *both[] = {t, t};
    return bg_wait_any(both, 2, NULL);
}

static int any_one_far_apart_twice(void *arg)
{
    (void)arg;
    bg_task *t[5];
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(sleep_forever, NULL);
    }
    t[4] = t[1];
    return bg_wait_any(t, 5, NULL);
}

static int any_after_detach(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_detach(t);
    return bg_wait_any(&t, 1, NULL);
}

static int any_self(void *arg)
{
    (void)arg;
    bg_task *t[] = {bg_spawn(sleep_forever, NULL), bg_self()};
    return bg_wait_any(t, 2, NULL);
}

static int gather_self(void *arg)
{
    (void)arg;
    return bg_gather(bg_spawn(return_arg, NULL), bg_self());
}

static int detach_arg(void *arg)
{
    bg_detach(arg);
    return 0;
}

static int detach_self(void *arg)
{
    (void)arg;
    bg_detach(bg_self());
    return 0;
}

static int in_child(void *fn)
{
    return bg_await(bg_spawn(*(bg_fn *)fn, bg_self(), .name = "child"));
}

static int child_awaits_main(void *arg)
{
    (void)arg;
    bg_fn fn = await_arg;
    return in_child(&fn);
}

static int child_detaches_main(void *arg)
{
    (void)arg;
    bg_fn fn = detach_arg;
    return in_child(&fn);
}

static int child_detaches_itself(void *arg)
{
    (void)arg;
    bg_fn fn = detach_self;
    return in_child(&fn);
}

/* The child is awaited by main when it comes to this. */
static int detach_who_is_awaited(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    (void)bg_spawn(detach_arg, t, .name = "second");
    return bg_await(t);
}

static int cancel_after_await(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(return_arg, NULL);
    (void)bg_await(t);
    return bg_cancel(t);
}

static int cancel_after_detach(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_detach(t);
    return bg_cancel(t);
}

static int start_no_timer(void *arg)
{
    (void)arg;
    static bg_timer none;
    return bg_timer_start(&none, BG_MS, return_arg, NULL);
}

static int cancel_no_timer(void *arg)
{
    (void)arg;
    static bg_timer none;
    return bg_timer_cancel(&none);
}

static bg_runtime *other;

static void wait_for_a_strangers_task(void)
{
    bg_runtime *one = NULL;
    if (bg_runtime_create(&one, .workers = 1) == 0 &&
        bg_runtime_create(&other, .workers = 1) == 0) {
        (void)bg_runtime_wait(one, bg_runtime_spawn(other, sleep_forever, NULL));
    }
}

static int wait_in_task(void *arg)
{
    (void)arg;
    if (bg_runtime_create(&other, .workers = 1) != 0) {
        return 0;
    }
    return bg_runtime_wait(other, bg_runtime_spawn(other, sleep_forever, NULL));
}

static int wait_in_callback(void *arg)
{
    (void)arg;
    return bg_sleep(BG_MS);
}

static int await_in_callback(void *arg)
{
    return bg_await(arg);
}

static int main_sleep_in_callback(void *arg)
{
    (void)arg;
    (void)bg_after(0, wait_in_callback, NULL);
    return bg_sleep(BG_FOREVER);
}

static int main_await_in_callback(void *arg)
{
    (void)arg;
    (void)bg_after(0, await_in_callback, bg_spawn(sleep_forever, NULL));
    return bg_sleep(BG_FOREVER);
}

Test(misuse, of_a_handle)
{
    expect_caught(await_twice, NULL, "bg_await", "chef");
    expect_caught(await_self, NULL, "bg_await", "chef");
    expect_caught(await_detached, NULL, "bg_await", "chef");
    expect_caught(detach_twice, NULL, "bg_detach", "chef");
    expect_caught(detach_awaited, NULL, "bg_detach", "chef");
    expect_caught(two_await_one, NULL, "bg_await", "second");
    expect_caught(gather_one_twice, NULL, "bg_await", "chef");
    expect_caught(any_one_twice, NULL, "bg_wait_any", "chef");
    expect_caught(any_one_far_apart_twice, NULL, "bg_wait_any", "chef");
    expect_caught(any_after_detach, NULL, "bg_wait_any", "chef");
    expect_caught(any_self, NULL, "bg_wait_any", "chef");
    expect_caught(gather_self, NULL, "bg_gather", "chef");
    expect_caught(cancel_after_await, NULL, "bg_cancel", "chef");
    expect_caught(cancel_after_detach, NULL, "bg_cancel", "chef");
    expect_caught(detach_who_is_awaited, NULL, "bg_detach", "second");
}

Test(misuse, of_a_handle_that_is_not_ones_own)
{
    expect_caught(child_awaits_main, NULL, "bg_await", "child");
    expect_caught(child_detaches_main, NULL, "bg_detach", "child");
    expect_caught(child_detaches_itself, NULL, "bg_detach", "child");
    expect_caught(NULL, wait_for_a_strangers_task, "bg_runtime_wait", NULL);
}

Test(misuse, of_a_timer)
{
    expect_caught(start_no_timer, NULL, "bg_timer_start", "chef");
    expect_caught(cancel_no_timer, NULL, "bg_timer_cancel", "chef");
}

Test(misuse, waiting_where_a_worker_would_block)
{
    expect_caught(wait_in_task, NULL, "bg_runtime_wait", "chef");
    expect_caught(main_sleep_in_callback, NULL, "bg_sleep", NULL);
    expect_caught(main_await_in_callback, NULL, "bg_await", NULL);
}

static bg_task *no_task;
static bg_timer timer;

static void plain_await(void)
{
    (void)bg_await(no_task);
}

static void plain_sleep(void)
{
    (void)bg_sleep(1);
}

static void plain_sleep_until(void)
{
    (void)bg_sleep_until(1);
}

static void plain_yield(void)
{
    bg_yield();
}

static void plain_spawn(void)
{
    (void)bg_spawn(return_arg, NULL);
}

/* ---- scopes and groups ---- */

static bg_scope scope, inner_scope;
static bg_group_t group;

static int leave_scopes_crosswise(void *arg)
{
    (void)arg;
    bg_timeout_open(&scope, BG_S);
    bg_shield_open(&inner_scope);
    bg_scope_close(&scope);
    return 0;
}

static int end_within_a_scope(void *arg)
{
    (void)arg;
    bg_shield_open(&scope);
    return 0;
}

static void *close_it(void *arg)
{
    bg_scope_close(arg);
    return NULL;
}

static int leave_a_scope_on_a_thread(void *arg)
{
    pthread_t id;
    (void)arg;
    bg_shield_open(&scope);
    CHECK(pthread_create(&id, NULL, close_it, &scope) == 0);
    CHECK(pthread_join(id, NULL) == 0);
    return 0;
}

static void plain_timeout(void)
{
    bg_timeout_open(&scope, BG_S);
}

static void plain_deadline(void)
{
    bg_deadline_open(&scope, 0);
}

static void plain_shield(void)
{
    bg_shield_open(&scope);
}

Test(misuse, scopes)
{
    expect_caught(leave_scopes_crosswise, NULL, "bg_scope_close", "chef");
    expect_caught(end_within_a_scope, NULL, "bg_scope_close", "chef");
    expect_caught(leave_a_scope_on_a_thread, NULL, "bg_scope_close", NULL);
    expect_caught(NULL, plain_timeout, "bg_timeout", NULL);
    expect_caught(NULL, plain_deadline, "bg_deadline", NULL);
    expect_caught(NULL, plain_shield, "bg_shield", NULL);
}

static int close_group_twice(void *arg)
{
    (void)arg;
    CHECK(bg_group_open(&group) == 0);
    CHECK(bg_group_close(&group) == 0);
    return bg_group_close(&group);
}

static int spawn_in_a_closed_group(void *arg)
{
    (void)arg;
    CHECK(bg_group_open(&group) == 0);
    CHECK(bg_group_close(&group) == 0);
    return bg_group_spawn(&group, return_arg, NULL);
}

static int closes_the_group(void *arg)
{
    (void)arg;
    return bg_group_close(&group);
}

static int close_anothers_group(void *arg)
{
    (void)arg;
    CHECK(bg_group_open(&group) == 0);
    return bg_await(bg_spawn(closes_the_group, NULL, .name = "thief"));
}

static int close_around_a_scope(void *arg)
{
    (void)arg;
    CHECK(bg_group_open(&group) == 0);
    bg_shield_open(&scope);
    return bg_group_close(&group);
}

static void plain_group(void)
{
    (void)bg_group_open(&group);
}

Test(misuse, groups)
{
    expect_caught(close_group_twice, NULL, "bg_group_close", "chef");
    expect_caught(spawn_in_a_closed_group, NULL, "bg_group_spawn", "chef");
    expect_caught(close_anothers_group, NULL, "bg_group_close", "thief");
    expect_caught(close_around_a_scope, NULL, "bg_group_close", "chef");
    expect_caught(NULL, plain_group, "bg_group", NULL);
}

static int complete_oneself(void *arg)
{
    bg_task *all[] = {bg_self()};
    (void)arg;
    bg_as_completed (t, all, 1) {
        return bg_await(t);
    }
    return 0;
}

static int complete_twice(void *arg)
{
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_task *all[] = {t, t};
    (void)arg;
    bg_as_completed (done, all, 2) {
        return bg_await(done);
    }
    return 0;
}

static void plain_completed(void)
{
    bg_completion it;
    (void)bg_as_completed_open(&it, &no_task, 1);
}

Test(misuse, completed)
{
    expect_caught(complete_oneself, NULL, "bg_as_completed", "chef");
    expect_caught(complete_twice, NULL, "bg_as_completed", "chef");
    expect_caught(NULL, plain_completed, "bg_as_completed", NULL);
}

static void plain_spawn_with(void)
{
    (void)bg_spawn_with(return_arg, int[1], 1);
}

static void plain_gather(void)
{
    (void)bg_gather_all(NULL, 0, NULL);
}

static void plain_wait_any(void)
{
    (void)bg_wait_any(&no_task, 1, NULL);
}

static void plain_after(void)
{
    (void)bg_after(0, return_arg, NULL);
}

static void plain_timer_start(void)
{
    bg_timer_init(&timer);
    (void)bg_timer_start(&timer, 0, return_arg, NULL);
}

Test(misuse, outside_of_a_runtime)
{
    expect_caught(NULL, plain_await, "bg_await", NULL);
    expect_caught(NULL, plain_sleep, "bg_sleep", NULL);
    expect_caught(NULL, plain_sleep_until, "bg_sleep_until", NULL);
    expect_caught(NULL, plain_yield, "bg_yield", NULL);
    expect_caught(NULL, plain_spawn, "bg_spawn", NULL);
    expect_caught(NULL, plain_spawn_with, "bg_spawn_with", NULL);
    expect_caught(NULL, plain_gather, "bg_gather", NULL);
    expect_caught(NULL, plain_wait_any, "bg_wait_any", NULL);
    expect_caught(NULL, plain_after, "bg_after", NULL);
    expect_caught(NULL, plain_timer_start, "bg_timer_start", NULL);
}

#else

/* In other builds the call says so. */
Test(misuse, outside_of_a_runtime)
{
    bg_timer t;
    bg_task *no_task = NULL;
    bg_timer_init(&t);
    cr_assert_eq(bg_sleep(1), -EPERM);
    cr_assert_eq(bg_sleep_until(1), -EPERM);
    cr_assert_null(bg_spawn(return_arg, NULL));
    cr_assert_null(bg_spawn_with(return_arg, int[1], 1));
    cr_assert_eq(bg_gather_all(NULL, 0, NULL), -EPERM);
    cr_assert_eq(bg_wait_any(&no_task, 1, NULL), -EPERM);
    cr_assert_eq(bg_after(0, return_arg, NULL), -EPERM);
    cr_assert_eq(bg_timer_start(&t, 0, return_arg, NULL), -EPERM);
    bg_yield(); /* does nothing */
}

static int wait_in_task(void *arg)
{
    (void)arg;
    bg_runtime *other = NULL;
    CHECK(bg_runtime_create(&other, .workers = 1) == 0);
    bg_task *t = bg_runtime_spawn(other, return_arg, INT_ARG(4));
    CHECK(bg_runtime_wait(other, t) == -EDEADLK);
    CHECK(bg_await(t) == 4);
    *(bg_runtime **)arg = other;
    return 0;
}

Test(misuse, waiting_where_a_worker_would_block)
{
    bg_runtime *other = NULL;
    RUN(wait_in_task, &other, .workers = 2);
    cr_assert_eq(bg_runtime_shutdown(other), 0);
}

#endif
