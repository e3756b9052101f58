/*
 * Exploring seeds: bugs that hang on the order of events are found, named and replayed.
 */
#include "seeded.h"

#include <sys/wait.h>

static int counter, runs;

static int add_unsafely(void *arg)
{
    int seen = counter;
    (void)arg;
    bg_yield();
    counter = seen + 1;
    return 0;
}

static int lost_update(void *arg)
{
    bg_task *t[3];
    (void)arg;
    runs++;
    counter = 0;
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(add_unsafely, NULL);
    }
    (void)bg_gather_all(t, 3, NULL);
    return counter == 3 ? 0 : -EPROTO;
}

Test(explore, finds_a_lost_update)
{
    catch_stderr();
    int r = bg_explore(lost_update, NULL);
    const char *said = caught();
    cr_assert_eq(r, -EPROTO);
    cr_assert(runs >= 1 && runs <= 1000);
    cr_assert_eq(count_of(said, "\n"), 1, "%s", said);
    const char *replay = strstr(said, "BRIGADE_SEED=");
    cr_assert(replay != NULL, "%s", said);
    char seed[24] = "";
    cr_assert_eq(sscanf(replay, "BRIGADE_SEED=%23[0-9]", seed), 1);
    cr_assert_eq(strtoull(seed, NULL, 10), (unsigned long long)runs); /* from 1 on */

    runs = 0;
    (void)setenv("BRIGADE_SEED", seed, 1);
    catch_stderr();
    r = bg_explore(lost_update, NULL, .seeds = 50);
    (void)caught();
    cr_assert_eq(r, -EPROTO);
    cr_assert_eq(runs, 1);
    cr_assert_eq(bg_run(lost_update, NULL), -EPROTO);
    (void)unsetenv("BRIGADE_SEED");
}

/* A flag that is looked at, and a wait begun, with a gap between the two: a wake-up is lost only if
 * the other comes just then. */
static int ready, waiting;
static bg_task *gate, *main_task;

static int stay(void *arg)
{
    (void)arg;
    bg_task *t[] = {main_task};
    return bg_wait_any(t, 1, NULL);
}

static int consumer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        bg_yield();
    }
    if (!ready) {
        bg_yield();
        waiting = 1;
        (void)bg_await(gate);
    } else {
        (void)bg_cancel(gate);
        (void)bg_await(gate);
    }
    return 0;
}

static int producer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        bg_yield();
    }
    ready = 1;
    if (waiting) {
        (void)bg_cancel(gate);
    }
    return 0;
}

static int lost_wakeup(void *arg)
{
    (void)arg;
    runs++;
    ready = 0;
    waiting = 0;
    main_task = bg_self();
    gate = bg_spawn(stay, NULL, .name = "gate");
    return bg_gather(bg_spawn(consumer, NULL, .name = "consumer"), bg_spawn(producer, NULL));
}

Test(explore, finds_a_lost_wake_up)
{
    catch_stderr();
    int r = bg_explore(lost_wakeup, NULL, .seeds = 20000);
    const char *said = caught();
    cr_assert_eq(r, -EDEADLK, "%d after %d runs: %s", r, runs, said);
    cr_assert(runs > 1, "it would take no search");
    cr_assert(count_of(said, "task 'consumer' waits in bg_await for task 'gate'") == 1, "%s", said);
}

static int in_range(void *arg)
{
    uint64_t *seen = arg;
    runs++;
    *seen += bg_seed();
    return runs;
}

Test(explore, runs_every_seed_once)
{
    uint64_t sum = 0;
    cr_assert_eq(bg_explore(in_range, &sum, .seeds = 10, .first = 100), 0);
    cr_assert_eq(runs, 10);
    cr_assert_eq(sum, 1045);
    cr_assert_eq(bg_explore(in_range, &sum), 0);
    cr_assert_eq(runs, 1010);
}

static int explore_within(void *arg)
{
    return bg_explore(in_range, arg);
}

Test(explore, refuses_what_is_not_valid)
{
    uint64_t sum = 0;
    bg_explore_options o = {.size = 1};
    cr_assert_eq(bg_explore(NULL, NULL), -EINVAL);
    cr_assert_eq(bg_explore_opts(in_range, &sum, NULL), -EINVAL);
    cr_assert_eq(bg_explore_opts(in_range, &sum, &o), -EINVAL);
    cr_assert_eq(bg_explore(in_range, &sum, .seeds = 2, .first = UINT64_MAX), -EINVAL);
    catch_stderr(); /* an option that bg_run refuses: the line says so */
    cr_assert_eq(bg_explore(in_range, &sum, .workers = 1000000), -EINVAL);
    (void)caught();
    cr_assert_eq(bg_run(explore_within, &sum, .workers = 1), -EBUSY);
    cr_assert_eq(runs, 0);
    cr_assert_eq(bg_explore(in_range, &sum, .seeds = 1, .first = UINT64_MAX), 0);
    (void)setenv("BRIGADE_SEED", "0", 1);
    cr_assert_eq(bg_explore(in_range, &sum), -EINVAL);
    (void)unsetenv("BRIGADE_SEED");
    cr_assert_eq(runs, 1);
}

static int dies(void *arg)
{
    (void)arg;
    if (bg_seed() == 7) {
        abort();
    }
    return 0;
}

Test(explore, names_the_seed_that_kills)
{
    catch_stderr();
    pid_t pid = fork();
    if (pid == 0) {
        (void)bg_explore(dies, NULL);
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    const char *said = caught();
    cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    cr_assert_eq(count_of(said, "brigade: died with BRIGADE_SEED=7\n"), 1, "%s", said);
}

static void on_abort(int number)
{
    (void)number;
}

Test(explore, leaves_the_signals_as_they_were)
{
    uint64_t sum = 0;
    struct sigaction act = {.sa_handler = on_abort}, now;
    cr_assert_eq(sigaction(SIGABRT, &act, NULL), 0);
    cr_assert_eq(bg_explore(in_range, &sum, .seeds = 2), 0);
    cr_assert_eq(sigaction(SIGABRT, NULL, &now), 0);
    cr_assert(now.sa_handler == on_abort);
}
