/*
 * Deadlocks of the deterministic mode: seen, reported, and left by everybody.
 *
 * Labels: valgrind aarch64
 */
#include "seeded.h"

static bg_task *main_task;
static int cleaned;

static int wait_for_main(void *arg)
{
    (void)arg;
    bg_task *t[] = {main_task};
    int r = bg_wait_any(t, 1, NULL);
    CHECK(r == -ECANCELED);
    CHECK(bg_sleep(BG_S) == -ECANCELED); /* as ever, once cancelled */
    cleaned++;
    return r;
}

static int main_waits(void *arg)
{
    bg_task *t[2];
    (void)arg;
    main_task = bg_self();
    CHECK(bg_sleep(1500 * BG_MS) == 0);
    t[0] = bg_spawn(wait_for_main, NULL, .name = "alice");
    t[1] = bg_spawn(return_arg, INT_ARG(0), .name = "bob");
    CHECK(bg_await(t[1]) == 0);
    int r = bg_await(t[0]);
    CHECK(r == -ECANCELED);
    cleaned++;
    return 77;
}

Test(deadlock, is_reported_and_everybody_cleans_up)
{
    size_t live = bgi_alloc_live();
    for (uint64_t seed = 1; seed <= 30; seed++) {
        cleaned = 0;
        catch_stderr();
        int r = bg_run(main_waits, NULL, .seed = seed, .name = "cook");
        const char *said = caught();
        NO_CHECK_FAILED();
        cr_assert_eq(r, -EDEADLK);
        cr_assert_eq(cleaned, 2);
        char seed_text[32];
        (void)snprintf(seed_text, sizeof seed_text, "(seed %d, 1.50", (int)seed);
        cr_assert_eq(count_of(said, "brigade: deadlock: 2 tasks live, none can run"), 1);
        cr_assert_eq(count_of(said, seed_text), 1, "%s", said);
        cr_assert_eq(count_of(said, "task 'cook' waits in bg_await for task 'alice' since 1.50"), 1,
                     "%s", said);
        cr_assert_eq(
            count_of(said, "task 'alice' waits in bg_wait_any or bg_gather for task 'cook'"), 1,
            "%s", said);
        cr_assert_eq(count_of(said, "bob"), 0);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    cr_assert_eq(bg_run(return_arg, INT_ARG(5), .workers = 2), 5);
}

#if defined(__GLIBC__) && defined(__x86_64__)
Test(deadlock, shows_the_stacks)
{
    catch_stderr();
    int r = bg_run(main_waits, NULL, .seed = 1);
    const char *said = caught();
    cr_assert_eq(r, -EDEADLK);
    cr_assert(count_of(said, "    #0 ") == 2, "%s", said);
    cr_assert(count_of(said, "    #2 ") == 2, "%s", said);
    /* What is in brackets is the same in each run. */
    static char first[sizeof caught_text];
    memcpy(first, said, sizeof first);
    catch_stderr();
    r = bg_run(main_waits, NULL, .seed = 1);
    said = caught();
    cr_assert_eq(r, -EDEADLK);
    cr_assert_str_eq(first, said);
}
#endif

static bg_task *others[2];

static int await_other(void *arg)
{
    bg_task **t = arg;
    do {
        bg_yield();
    } while (*t == NULL); /* it is not spawned yet */
    return bg_await(*t);
}

/* Two that wait for each other: each passes its cancellation on and waits for the other's end. */
static int main_cycle(void *arg)
{
    (void)arg;
    main_task = bg_self();
    others[0] = others[1] = NULL;
    others[0] = bg_spawn(await_other, &others[1], .name = "alice");
    others[1] = bg_spawn(await_other, &others[0], .name = "bob");
    bg_task *t = bg_spawn(wait_for_main, NULL, .name = "carl");
    (void)bg_await(t);
    return 0;
}

Test(deadlock, what_cancelling_does_not_end_is_given_up)
{
    size_t live = bgi_alloc_live();
    for (uint64_t seed = 1; seed <= 30; seed++) {
        catch_stderr();
        int r = bg_run(main_cycle, NULL, .seed = seed);
        const char *said = caught();
        NO_CHECK_FAILED();
        cr_assert_eq(r, -EDEADLK);
        cr_assert_eq(count_of(said, "deadlock: 4 tasks live"), 1, "%s", said);
        cr_assert_eq(count_of(said, "deadlock though all are cancelled: 2 tasks live"), 1, "%s",
                     said);
        cr_assert_eq(count_of(said, "task 'alice', cancelled, waits in bg_await for whom"), 1, "%s",
                     said);
        cr_assert_eq(bgi_alloc_live(), live);
    }
}

static int main_leaves_a_cycle(void *arg)
{
    (void)arg;
    others[0] = others[1] = NULL;
    others[0] = bg_spawn(await_other, &others[1], .name = "alice");
    others[1] = bg_spawn(await_other, &others[0], .name = "bob");
    for (int i = 0; i < 5; i++) {
        bg_yield();
    }
    return 9;
}

Test(deadlock, at_the_end_is_seen_too)
{
    catch_stderr();
    int r = bg_run(main_leaves_a_cycle, NULL, .seed = 1, .workers = 1);
    const char *said = caught();
    cr_assert_eq(r, -EDEADLK);
    cr_assert_eq(count_of(said, "brigade: deadlock: 2 tasks live"), 1, "%s", said);
}

static int sleep_then_end(void *arg)
{
    (void)arg;
    return bg_sleep(BG_S);
}

static int main_no_deadlock(void *arg)
{
    (void)arg;
    return bg_await(bg_spawn(sleep_then_end, NULL));
}

Test(deadlock, a_timer_is_hope)
{
    catch_stderr();
    int r = bg_run(main_no_deadlock, NULL, .seed = 1);
    const char *said = caught();
    cr_assert_eq(r, 0);
    cr_assert_str_eq(said, "");
}
