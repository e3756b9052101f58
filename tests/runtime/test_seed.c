/*
 * The deterministic mode: the same seed gives the same run, time is virtual, deadlocks are seen.
 *
 * Labels: valgrind aarch64
 */
#include "seeded.h"

/* ---- schedules ---- */

static int noisy(void *arg)
{
    long id = (long)(intptr_t)arg;
    note("%ld begins at %lld\n", id, (long long)bg_now());
    for (long i = 0; i < 3; i++) {
        bg_yield();
        note("%ld.%ld\n", id, i);
        if ((id + i) % 3 == 0) {
            (void)bg_sleep((id + 1) * BG_MS);
            note("%ld slept until %lld\n", id, (long long)bg_now());
        }
    }
    return (int)id;
}

static int note_callback(void *arg)
{
    note("callback %ld at %lld\n", (long)(intptr_t)arg, (long long)bg_now());
    return 0;
}

static int main_noisy(void *arg)
{
    bg_task *t[6];
    int results[6];
    size_t first = 0;
    bg_timer timer;
    (void)arg;
    for (int i = 0; i < 6; i++) {
        t[i] = bg_spawn(noisy, INT_ARG(i));
    }
    bg_timer_init(&timer);
    CHECK(bg_timer_start(&timer, 2 * BG_MS, note_callback, INT_ARG(1)) == 0);
    CHECK(bg_after(3 * BG_MS, note_callback, INT_ARG(2)) == 0);
    CHECK(bg_wait_any(t, 6, &first) == 0);
    note("first %zu\n", first);
    CHECK(bg_cancel(t[5]) == 0);
    note("cancelled 5\n");
    CHECK(bg_gather_all(t, 6, results) == (results[5] < 0 ? results[5] : 0));
    note("last is %d, seed %llu\n", results[5], (unsigned long long)bg_seed());
    CHECK(bg_sleep(5 * BG_MS) == 0);
    return 0;
}

static struct log run_noisy(uint64_t seed, unsigned workers)
{
    log_clear();
    RUN(main_noisy, NULL, .seed = seed, .workers = workers);
    return events;
}

Test(seed, the_same_seed_gives_the_same_run)
{
    static struct log a, b;
    for (uint64_t seed = 1; seed <= MANY(100); seed++) {
        a = run_noisy(seed, 3);
        b = run_noisy(seed, 3);
        cr_assert_eq(memcmp(&a, &b, sizeof a), 0, "seed %llu", (unsigned long long)seed);
    }
}

Test(seed, another_seed_gives_another_run)
{
    static struct log seen[64];
    size_t distinct = 0;
    for (uint64_t seed = 1; seed <= 64; seed++) {
        struct log *now = &seen[distinct];
        *now = run_noisy(seed << 33, 4);
        char *at = strstr(now->text, "seed "); /* which differs anyway */
        cr_assert(at != NULL);
        *at = '\0';
        size_t i = 0;
        while (i < distinct && strcmp(seen[i].text, now->text) != 0) {
            i++;
        }
        distinct += i == distinct;
    }
    cr_assert(distinct > 20, "%zu runs", distinct);
}

static int begin(void *arg)
{
    note("%ld", (long)(intptr_t)arg);
    return 0;
}

static int main_order(void *arg)
{
    bg_task *t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(begin, INT_ARG(i));
    }
    (void)arg;
    note("m");
    return bg_gather_all(t, 3, NULL);
}

/* Three tasks that begin, and main that has spawned them: what comes after its own spawn. */
Test(seed, every_order_comes)
{
    static const char *const orders[] = {"m012", "m021", "m102", "m120", "m201", "m210",
                                         "0m12", "01m2", "012m", "10m2", "021m", "210m"};
    for (size_t i = 0; i < BGI_ARRAY_LEN(orders); i++) {
        uint64_t seed = 1;
        for (; seed < 20000; seed++) {
            log_clear();
            RUN(main_order, NULL, .seed = seed);
            if (strcmp(events.text, orders[i]) == 0) {
                break;
            }
        }
        cr_expect(seed < 20000, "%s never came", orders[i]);
    }
}

Test(seed, one_worker_keeps_the_order_of_asyncio)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        log_clear();
        RUN(main_order, NULL, .seed = seed, .workers = 1);
        cr_assert_str_eq(events.text, "m012");
    }
}

static int main_workers(void *arg)
{
    bg_stats s = {.size = sizeof s};
    (void)arg;
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    return (int)s.workers;
}

Test(seed, the_number_of_workers_is_not_the_machines)
{
    cr_assert_eq(bg_run(main_workers, NULL, .seed = 1), 4);
    cr_assert_eq(bg_run(main_workers, NULL, .seed = 1, .workers = 9), 9);
}

static int count_thread(void *arg)
{
    (void)arg;
    return (int)usual_threads();
}

Test(seed, there_is_one_thread)
{
    int before = (int)usual_threads(); /* one that has just ended may be counted */
    int there = bg_run(count_thread, NULL, .seed = 1, .workers = 8);
    cr_assert(there > 0 && there <= before, "%d threads, %d before", there, before);
}

/* ---- time ---- */

static int sleeper(void *arg)
{
    bg_duration d = *(const bg_duration *)arg;
    bg_time t = bg_now();
    CHECK(bg_sleep(d) == 0);
    bg_duration late = bg_now() - t - d;
    CHECK(late >= 0 && late <= 65536);
    return 0;
}

static int main_sleep(void *arg)
{
    static const bg_duration d[] = {3600 * BG_S, 1, BG_MS, BG_S * 3600 * 24 * 365, 7 * BG_S};
    bg_task *t[BGI_ARRAY_LEN(d)];
    (void)arg;
    for (size_t i = 0; i < BGI_ARRAY_LEN(d); i++) {
        t[i] = bg_spawn_with(sleeper, bg_duration, d[i]);
    }
    return bg_gather_all(t, BGI_ARRAY_LEN(d), NULL);
}

Test(seed, a_sleep_costs_nothing)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        RUN(main_sleep, NULL, .seed = seed);
    }
}

static int yields(void *arg)
{
    bg_time t = bg_now();
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        bg_yield();
        CHECK(bg_now() == t);
    }
    return 0;
}

static int main_still(void *arg)
{
    bg_task *t[3] = {bg_spawn(yields, arg), bg_spawn(yields, arg), bg_spawn(yields, arg)};
    bg_task *late = bg_spawn(sleep_some, INT_ARG(BG_MS));
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    return bg_await(late);
}

Test(seed, the_clock_stands_still_while_anything_runs)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        RUN(main_still, NULL, .seed = seed);
    }
}

static int main_polls(void *arg)
{
    bg_time until = bg_now() + 3 * BG_MS;
    (void)arg;
    while (bg_now() < until) {
        bg_yield();
    }
    bg_task *t = bg_spawn(sleep_some, INT_ARG(BG_S));
    bg_time before = bg_now();
    while (bg_now() < before + BG_S) { /* the timer's time, not so many milliseconds */
        bg_yield();
    }
    return bg_await(t);
}

Test(seed, who_polls_the_clock_sees_it_move)
{
    RUN(main_polls, NULL, .seed = 1);
    RUN(main_polls, NULL, .seed = 2, .workers = 1);
}

static int main_same_time(void *arg)
{
    *(bg_time *)arg = bg_now();
    return bg_sleep(BG_MS);
}

Test(seed, every_run_starts_at_the_same_time)
{
    bg_time a = 0, b = 1;
    RUN(main_same_time, &a, .seed = 1);
    RUN(main_same_time, &b, .seed = 2);
    cr_assert_eq(a, b);
}

static void *look_at_clock(void *arg)
{
    *(bg_time *)arg = bg_now();
    return NULL;
}

static int main_other_thread(void *arg)
{
    pthread_t thread;
    bg_time there = 0;
    (void)arg;
    CHECK(bg_sleep(BG_S * 3600 * 24 * 365 * 100) == 0);
    CHECK(pthread_create(&thread, NULL, look_at_clock, &there) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(there != 0 && there < bg_now());
    return 0;
}

Test(seed, other_threads_have_the_real_clock)
{
    RUN(main_other_thread, NULL, .seed = 1);
    bg_time a = bg_now();
    cr_assert(bg_now() >= a); /* and so has this one again */
}

/* ---- where seeds come from ---- */

static int main_seed(void *arg)
{
    (void)arg;
    return (int)bg_seed();
}

Test(seed, the_environment_comes_first)
{
    cr_assert_eq(bg_seed(), 0);
    cr_assert_eq(bg_run(main_seed, NULL, .workers = 1), 0);
    cr_assert_eq(bg_run(main_seed, NULL, .seed = 5), 5);
    (void)setenv("BRIGADE_SEED", "0x11", 1);
    cr_assert_eq(bg_run(main_seed, NULL, .seed = 5), 17);
    cr_assert_eq(bg_run(main_seed, NULL, .workers = 1), 17);
    (void)setenv("BRIGADE_SEED", "0", 1);
    cr_assert_eq(bg_run(main_seed, NULL, .seed = 5), 0);
    (void)setenv("BRIGADE_SEED", "", 1);
    cr_assert_eq(bg_run(main_seed, NULL, .seed = 5), 5);
    (void)unsetenv("BRIGADE_SEED");
}

Test(seed, what_is_no_number_is_refused)
{
    static const char *const bad[] = {"x", "1x", "-1", " 1", "18446744073709551616", "0x"};
    for (size_t i = 0; i < BGI_ARRAY_LEN(bad); i++) {
        (void)setenv("BRIGADE_SEED", bad[i], 1);
        catch_stderr();
        int r = bg_run(main_seed, NULL);
        const char *said = caught();
        cr_assert_eq(r, -EINVAL, "'%s'", bad[i]);
        cr_assert_eq(count_of(said, "brigade: BRIGADE_SEED is not a number: '"), 1);
        cr_assert_eq(count_of(said, "\n"), 1);
    }
    (void)unsetenv("BRIGADE_SEED");
}

Test(seed, a_runtime_with_threads_has_none)
{
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .seed = 1), -ENOTSUP);
    cr_assert(rt == NULL);
}

/* ---- what goes wrong ---- */

static int spawn_too_many(void *arg)
{
    bg_task *t[10];
    int failed = 0;
    (void)arg;
    for (int i = 0; i < 10; i++) {
        t[i] = bg_spawn(sleep_some, INT_ARG(BG_MS));
        failed += t[i] == NULL;
    }
    CHECK(bg_gather_all(t, 10, NULL) == -ENOMEM);
    return failed;
}

Test(seed, limits_hold)
{
    int r = bg_run(spawn_too_many, NULL, .seed = 4, .max_tasks = 5);
    NO_CHECK_FAILED();
    cr_assert_eq(r, 6);
}

static int main_leaves(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        (void)bg_spawn(sleep_forever, NULL, .name = "left");
        CHECK(bg_after(BG_S, note_callback, NULL) == 0);
        CHECK(bg_after(0, note_callback, NULL) == 0);
    }
    bg_yield();
    return 3;
}

Test(seed, the_end_of_main_cancels_the_others)
{
    size_t live = bgi_alloc_live();
    for (uint64_t seed = 1; seed <= 100; seed++) {
        log_clear();
        cr_assert_eq(bg_run(main_leaves, NULL, .seed = seed), 3);
        NO_CHECK_FAILED();
        cr_assert_eq(bgi_alloc_live(), live);
    }
}
