/*
 * Groups: every member has ended when the block is left; the first failure cancels the rest;
 * limits; results as they come; failures of which none is lost; cancel and deadlines from outside.
 *
 * Labels: valgrind aarch64
 */
#include "check.h"

#include "task/task.h"

#include <errno.h>

static void everywhere(bg_fn body)
{
    cr_assert_eq(bg_explore(body, NULL, .seeds = MANY(300)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, NULL, .workers = w);
    }
}

static void explored(bg_fn body)
{
    cr_assert_eq(bg_explore(body, NULL, .seeds = MANY(300)), 0);
    NO_CHECK_FAILED();
}

static bgi_atomic begun, ended, cancelled;

static void none_yet(void)
{
    bgi_store(&begun, 0);
    bgi_store(&ended, 0);
    bgi_store(&cancelled, 0);
}

/* Sleeps so many ns, then returns the low half; counts how it went. */
struct job {
    bg_duration sleep;
    int result;
};

static int work(void *arg)
{
    struct job job = *(struct job *)arg;
    add_one(&begun);
    int r = bg_sleep(job.sleep);
    add_one(r == 0 ? &ended : &cancelled);
    return r == 0 ? job.result : r;
}

#define SPAWN(group, ns, value) bg_group_spawn_with(group, work, struct job, (ns), (value))

/* ---- joining ---- */

static int joins(void *unused)
{
    (void)unused;
    int rc = 1;
    none_yet();
    bg_group (g, .result = &rc) {
        for (int i = 0; i < 20; i++) {
            CHECK(SPAWN(&g, i % 3 * BG_MS, i) == 0);
        }
    }
    CHECK(rc == 0);
    CHECK(bgi_load(&ended) == 20);

    bg_group (empty, .result = &rc) {
    }
    CHECK(rc == 0);
    bg_group (without_options) {
        CHECK(SPAWN(&without_options, BG_MS, 1) == 0);
    }
    CHECK(bgi_load(&ended) == 21);
    return 0;
}

Test(group, is_left_when_all_have_ended)
{
    everywhere(joins);
}

static int leaves_early(int how)
{
    bg_group (g) {
        CHECK(SPAWN(&g, BG_MS, 0) == 0);
        if (how == 0) {
            break;
        }
        if (how == 1) {
            continue;
        }
        if (how == 2) {
            return 5;
        }
        goto out;
    }
out:
    return 6;
}

static int any_road(void *unused)
{
    (void)unused;
    for (int how = 0; how < 4; how++) {
        none_yet();
        CHECK(leaves_early(how) == (how == 2 ? 5 : 6));
        CHECK(bgi_load(&ended) == 1);
    }
    return 0;
}

Test(group, is_left_by_any_road)
{
    everywhere(any_road);
}

static int by_functions(void *unused)
{
    (void)unused;
    bg_group_t g;
    none_yet();
    CHECK(bg_group_open(&g, .limit = 2) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(SPAWN(&g, BG_MS, 0) == 0);
    }
    CHECK(bg_group_close(&g) == 0);
    CHECK(bgi_load(&ended) == 5);

    CHECK(bg_group_open(&g) == 0);
    CHECK(SPAWN(&g, 0, -EIO) == 0);
    CHECK(bg_group_close(&g) == -EIO);
    return 0;
}

Test(group, by_functions)
{
    everywhere(by_functions);
}

static int spawns_below(void *arg)
{
    bg_group_t *g = arg;
    CHECK(SPAWN(g, BG_MS, 0) == 0);
    CHECK(SPAWN(g, 0, 0) == 0);
    return 0;
}

static int nested_spawns(void *unused)
{
    (void)unused;
    none_yet();
    bg_group (g) {
        CHECK(bg_group_spawn(&g, spawns_below, &g, .name = "parent") == 0);
        CHECK(bg_group_spawn(&g, spawns_below, &g, .stack_size = 64 * 1024) == 0);
    }
    CHECK(bgi_load(&ended) == 4);
    return 0;
}

Test(group, members_spawn_members)
{
    everywhere(nested_spawns);
}

/* ---- failures ---- */

static int first_fails(void *unused)
{
    (void)unused;
    int rc = 1;
    none_yet();
    bg_group (g, .result = &rc) {
        for (int i = 0; i < 10; i++) {
            CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        }
        yield_until(&begun, 10); /* one that is cancelled before it begins counts nothing */
        CHECK(SPAWN(&g, BG_MS, -EIO) == 0);
        CHECK(bg_sleep(2000 * BG_S) == -ECANCELED); /* the owner's waits within end as well */
        CHECK(bg_cancelled() == -ECANCELED);
        CHECK(SPAWN(&g, 0, 0) == -ECANCELED);
    }
    CHECK(rc == -EIO);
    CHECK(bg_cancelled() == 0);
    CHECK(bgi_load(&cancelled) == 10);
    CHECK(bgi_load(&ended) == 1);
    return 0;
}

static int fails_while_joining(void *unused)
{
    (void)unused;
    int rc = 1;
    none_yet();
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(SPAWN(&g, BG_MS, -EPROTO) == 0);
    }
    CHECK(rc == -EPROTO);
    CHECK(bg_sleep(BG_MS) == 0); /* the cancelling ended with the group */
    return 0;
}

static int fails_in_a_shield(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, BG_MS, -EPROTO) == 0);
        bg_shield
        {
            CHECK(bg_sleep(3 * BG_MS) == 0);
        }
        CHECK(bg_sleep(0) == -ECANCELED);
    }
    CHECK(rc == -EPROTO);
    return 0;
}

Test(group, the_first_failure_cancels_the_rest)
{
    explored(first_fails);
    explored(fails_while_joining);
    explored(fails_in_a_shield);
    EACH_WORKER_COUNT(w)
    {
        RUN(first_fails, NULL, .workers = w);
        RUN(fails_while_joining, NULL, .workers = w);
    }
}

static bgi_atomic reported;
static int last_reported;

static void on_failure(const char *name, int result, void *arg)
{
    (void)arg;
    CHECK(result == -EIO - 2 || result == -EIO - 1 || result == -EIO);
    CHECK(strcmp(name, "") == 0 || strcmp(name, "cook") == 0);
    last_reported = result;
    add_one(&reported);
}

static int many_fail(void *unused)
{
    (void)unused;
    int rc = 1;
    size_t n = 0;
    bg_failure failure[2];
    bgi_store(&reported, 0);
    none_yet();

    bg_group (g, .result = &rc, .keep_going = 1, .failures = failure, .max_failures = 2,
              .failed = &n) {
        CHECK(SPAWN(&g, 2 * BG_MS, -EIO - 1) == 0);
        CHECK(SPAWN(&g, 4 * BG_MS, 5) == 0);
        CHECK(SPAWN(&g, 3 * BG_MS, -EIO - 2) == 0);
        static struct job first = {BG_MS, -EIO};
        CHECK(bg_group_spawn(&g, work, &first, .name = "cook") == 0);
        CHECK(SPAWN(&g, 5 * BG_MS, -ECANCELED) == 0); /* no failure */
    }
    CHECK(bgi_load(&ended) == 5);
    CHECK(rc == -EIO && n == 3);
    CHECK(failure[0].result == -EIO && strcmp(failure[0].name, "cook") == 0);
    CHECK(failure[1].result == -EIO - 1 && strcmp(failure[1].name, "") == 0);
    CHECK(bgi_load(&reported) == 1 && last_reported == -EIO - 2); /* had no place */

    bg_group (g2, .keep_going = 1) {
        CHECK(SPAWN(&g2, BG_MS, -EIO) == 0);
    }
    CHECK(bgi_load(&reported) == 2 && last_reported == -EIO); /* nobody asked for it */

    bg_group (g3, .failures = failure, .max_failures = 1) {
        CHECK(SPAWN(&g3, BG_MS, -EIO - 2) == 0);
    }
    CHECK(bgi_load(&reported) == 2 && failure[0].result == -EIO - 2);
    return 0;
}

Test(group, no_failure_is_lost)
{
    bg_set_failure_hook(on_failure, NULL);
    explored(many_fail);
    bg_set_failure_hook(NULL, NULL);
}

static int cannot_spawn(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(bg_group_spawn(&g, work, NULL, .stack_size = 1) == -EINVAL);
    }
    CHECK(rc == -EINVAL);
    bg_group (g, .result = &rc) {
        CHECK(bg_group_spawn(&g, NULL, NULL) == -EINVAL);
    }
    CHECK(rc == -EINVAL);
    bg_group (g, .result = &rc) {
        int r = 0;
        for (int i = 0; i < 10 && r == 0; i++) {
            r = bg_group_spawn(&g, sleep_forever, NULL, .name = "one too many");
        }
        CHECK(r == -ENOMEM); /* .max_tasks */
    }
    CHECK(rc == -ENOMEM);
    return 0;
}

Test(group, a_spawn_that_fails_is_a_failure_of_the_group)
{
    cr_assert_eq(bg_explore(cannot_spawn, NULL, .seeds = MANY(200), .max_tasks = 5), 0);
    NO_CHECK_FAILED();
    RUN(cannot_spawn, NULL, .workers = 2, .max_tasks = 5);
}

/* ---- the limit ---- */

static bgi_atomic at_once, most;

static int counted(void *unused)
{
    (void)unused;
    bgi_word now = bgi_fetch_add(&at_once, 1) + 1;
    for (bgi_word m = bgi_load(&most); m < now && !bgi_cas(&most, m, now);) {
        m = bgi_load(&most);
    }
    int r = bg_sleep(BG_MS);
    (void)bgi_fetch_sub(&at_once, 1);
    return r;
}

static int limited(void *unused)
{
    (void)unused;
    for (size_t limit = 1; limit < 5; limit++) {
        int rc = 1;
        bgi_store(&at_once, 0);
        bgi_store(&most, 0);
        bg_group (g, .limit = limit, .result = &rc) {
            for (int i = 0; i < 12; i++) {
                CHECK(bg_group_spawn(&g, counted, NULL) == 0);
            }
        }
        CHECK(rc == 0);
        CHECK(bgi_load(&most) == limit);
    }
    return 0;
}

Test(group, no_more_members_than_the_limit)
{
    explored(limited);
}

static int limit_and_failure(void *unused)
{
    (void)unused;
    int rc = 1;
    none_yet();
    bg_group (g, .limit = 2, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(SPAWN(&g, BG_MS, -EIO) == 0);
        CHECK(SPAWN(&g, 0, 0) == -ECANCELED); /* it waited for a place */
    }
    CHECK(rc == -EIO);
    CHECK(bgi_load(&begun) <= 2);
    bg_group (g, .limit = 1, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        bg_timeout (BG_MS) {
            CHECK(SPAWN(&g, 0, 0) == -ETIMEDOUT);
        }
        CHECK(bg_group_cancel(&g) == 0);
    }
    CHECK(rc == -ECANCELED);
    return 0;
}

Test(group, who_waits_at_the_limit_hears_of_a_failure)
{
    explored(limit_and_failure);
    RUN(limit_and_failure, NULL, .workers = 2);
}

static int spawns_at_the_limit(void *arg)
{
    bg_group_t *g = arg;
    return SPAWN(g, BG_MS, 7);
}

/* Tasks that are no members wait for a place, and are refused when the group is cancelled. */
static int strangers_at_the_limit(void *unused)
{
    (void)unused;
    bg_task *t[3];
    int results[3], rc = 1;
    bg_group (g, .limit = 1, .result = &rc) {
        CHECK(SPAWN(&g, 3 * BG_MS, 0) == 0);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(spawns_at_the_limit, &g);
        }
        CHECK(bg_sleep(BG_MS) == 0);
        bg_cancel(t[1]);
        CHECK(bg_gather_all(t, 3, results) == -ECANCELED);
        CHECK(results[0] == 0 && results[1] == -ECANCELED && results[2] == 0);
    }
    CHECK(rc == 0);
    bg_group (g, .limit = 1, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(spawns_at_the_limit, &g);
        }
        CHECK(bg_sleep(BG_MS) == 0);
        CHECK(bg_group_cancel(&g) == 0);
        CHECK(bg_group_cancel(&g) == 0);
        bg_shield
        {
            CHECK(bg_gather_all(t, 3, results) == -ECANCELED);
        }
        CHECK(results[0] == -ECANCELED && results[1] == -ECANCELED && results[2] == -ECANCELED);
    }
    CHECK(rc == -ECANCELED);
    return 0;
}

Test(group, others_wait_at_the_limit_too)
{
    explored(strangers_at_the_limit);
}

static int fails_to_spawn(void *arg)
{
    return bg_group_spawn((bg_group_t *)arg, NULL, NULL);
}

/* The last one in the group is a spawn that fails while the owner waits. */
static int fails_while_the_owner_waits(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(bg_group_spawn(&g, fails_to_spawn, &g) == 0);
    }
    CHECK(rc == -EINVAL);
    return 0;
}

Test(group, a_failed_spawn_of_a_member)
{
    everywhere(fails_while_the_owner_waits);
}

/* The place of the last member goes to a stranger, whose spawn fails: then the owner goes on. */
static int fails_at_the_limit(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_task *t = NULL;
    bg_group (g, .limit = 1, .result = &rc) {
        CHECK(SPAWN(&g, 2 * BG_MS, 0) == 0);
        t = bg_spawn(fails_to_spawn, &g);
        CHECK(bg_sleep(BG_MS) == 0);
    }
    CHECK(rc == -EINVAL);
    CHECK(bg_await(t) == -EINVAL);
    return 0;
}

/* A place is given, and the group cancelled before it is taken, in some order of events. */
static int given_and_cancelled(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_task *t[2];
    bg_group (g, .limit = 2, .result = &rc) {
        CHECK(SPAWN(&g, 2 * BG_MS, 0) == 0);
        CHECK(SPAWN(&g, 2 * BG_MS, -EIO) == 0);
        for (int i = 0; i < 2; i++) {
            t[i] = bg_spawn(spawns_at_the_limit, &g);
        }
        bg_shield
        {
            for (int i = 0; i < 2; i++) {
                int r = bg_await(t[i]);
                CHECK(r == 0 || r == -ECANCELED);
            }
        }
        CHECK(bg_await(bg_spawn(spawns_at_the_limit, &g)) == -ECANCELED);
    }
    CHECK(rc == -EIO);
    return 0;
}

Test(group, the_last_place)
{
    explored(fails_at_the_limit);
    explored(given_and_cancelled);
}

/* ---- results ---- */

static int results_as_they_come(void *unused)
{
    (void)unused;
    int r, n = 0, rc = 1;
    bg_group (g, .results = 1, .result = &rc) {
        CHECK(bg_group_next(&g, &r) == -ENOENT);
        for (int i = 5; i > 0; i--) {
            CHECK(SPAWN(&g, i * 10 * BG_MS, i) == 0);
        }
        while (bg_group_next(&g, &r) == 0) {
            CHECK(r == ++n);
        }
        CHECK(n == 5);
        CHECK(SPAWN(&g, BG_MS, 9) == 0);
        CHECK(bg_group_next(&g, NULL) == 0);
        CHECK(SPAWN(&g, BG_MS, 9) == 0);
        CHECK(SPAWN(&g, 2 * BG_MS, 8) == 0); /* these two nobody takes */
        CHECK(bg_sleep(10 * BG_MS) == 0);
    }
    CHECK(rc == 0);
    bg_group (g, .result = &rc) {
        CHECK(bg_group_next(&g, &r) == -EINVAL);
    }
    return 0;
}

static int results_though_cancelled(void *unused)
{
    (void)unused;
    int r, rc = 1, n = 0;
    bg_group (g, .results = 1, .result = &rc) {
        for (int i = 0; i < 4; i++) {
            CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        }
        CHECK(SPAWN(&g, BG_MS, -EIO) == 0);
        CHECK(bg_group_next(&g, &r) == 0 && r == -EIO);
        while (bg_group_next(&g, &r) == 0) {
            CHECK(r == -ECANCELED);
            n++;
        }
        CHECK(n == 4);
    }
    CHECK(rc == -EIO);

    bg_group (g, .results = 1, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        bg_timeout (BG_MS) {
            CHECK(bg_group_next(&g, &r) == -ETIMEDOUT);
            bg_shield
            {
                CHECK(SPAWN(&g, BG_MS, 3) == 0);
                CHECK(bg_group_next(&g, &r) == 0 && r == 3);
            }
            CHECK(bg_group_next(&g, &r) == -ETIMEDOUT);
        }
        bg_timeout (1000 * BG_S) {
            CHECK(bg_group_cancel(&g) == 0);
            CHECK(bg_group_next(&g, &r) == 0 && r == -ECANCELED);
        }
        CHECK(bg_group_next(&g, &r) == -ENOENT);
    }
    CHECK(rc == -ECANCELED);
    return 0;
}

static int asks_for_results(void *arg)
{
    int r, n = 0;
    while (bg_group_next((bg_group_t *)arg, &r) == 0) {
        n++;
    }
    return n;
}

static int several_take_results(void *unused)
{
    (void)unused;
    bg_task *t[3];
    int results[3], rc = 1;
    bg_group (g, .results = 1, .result = &rc) {
        for (int i = 0; i < 7; i++) {
            CHECK(SPAWN(&g, i % 3 * BG_MS + BG_MS, i) == 0);
        }
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(asks_for_results, &g);
        }
        CHECK(bg_gather_all(t, 3, results) == 0);
        CHECK(results[0] + results[1] + results[2] == 7);
    }
    CHECK(rc == 0);
    return 0;
}

Test(group, results_as_they_come)
{
    explored(results_as_they_come);
    explored(results_though_cancelled);
    everywhere(several_take_results);
}

/* ---- from outside ---- */

static int owner(void *arg)
{
    int rc = 1;
    bg_group (g, .result = &rc) {
        for (int i = 0; i < 3; i++) {
            CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        }
        if (arg != NULL) {
            CHECK(bg_sleep(1000 * BG_S) == -ECANCELED);
            CHECK(SPAWN(&g, 0, 0) == -ECANCELED);
        }
    }
    return rc;
}

static int outside(void *arg)
{
    int rc = 1;
    none_yet();
    bg_task *t = bg_spawn(owner, arg);
    bg_sleep(BG_MS);
    bg_cancel(t);
    CHECK(bg_await(t) == -ECANCELED);
    CHECK(bgi_load(&ended) == 0);

    none_yet();
    bg_timeout (BG_MS) {
        bg_group (g, .result = &rc) {
            CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
            CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        }
        CHECK(rc == -ETIMEDOUT);
    }
    CHECK(bg_timed_out());
    CHECK(bgi_load(&cancelled) == bgi_load(&begun));
    bg_timeout (BG_MS) {
        bg_shield
        {
            bg_group (g, .result = &rc) {
                CHECK(SPAWN(&g, 3 * BG_MS, 0) == 0);
            }
            CHECK(rc == 0);
        }
    }
    return 0;
}

static int outside_within(void *unused)
{
    (void)unused;
    return outside((void *)1);
}

Test(group, is_cancelled_with_its_owner)
{
    explored(outside);
    explored(outside_within);
}

/* The last member cancels the owner, whose wait it then finds claimed. */
static int cancels_and_ends(void *owner)
{
    bg_cancel(owner);
    return 4;
}

static int joined_by_its_canceller(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(bg_group_spawn(&g, cancels_and_ends, bg_self()) == 0);
    }
    CHECK(rc == 0 || rc == -ECANCELED);
    return bg_sleep(0);
}

static int ends_slowly(void *unused)
{
    (void)unused;
    bg_shield
    {
        CHECK(bg_sleep(5 * BG_MS) == 0);
    }
    return 0;
}

/* Cancelled from outside when it has been cancelled by a failure, and waits still. */
static int cancelled_by_both(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(bg_group_spawn(&g, ends_slowly, NULL) == 0);
        CHECK(SPAWN(&g, BG_MS, -EIO) == 0);
    }
    return rc;
}

static int cancels_both(void *unused)
{
    (void)unused;
    CHECK(bg_await(bg_spawn(joined_by_its_canceller, NULL)) == -ECANCELED);
    bg_task *t = bg_spawn(cancelled_by_both, NULL);
    CHECK(bg_sleep(2 * BG_MS) == 0);
    bg_cancel(t);
    CHECK(bg_await(t) == -EIO);
    return 0;
}

Test(group, is_cancelled_while_it_joins)
{
    explored(cancels_both);
}

static int cancel_from_a_callback(void *arg)
{
    return bg_group_cancel((bg_group_t *)arg);
}

static void *cancel_from_a_thread(void *arg)
{
    (void)bg_group_cancel((bg_group_t *)arg);
    return NULL;
}

static int cancelled_from_elsewhere(void *unused)
{
    (void)unused;
    int rc = 1;
    pthread_t id;
    bg_group (g, .limit = 1, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        bg_task *t = bg_spawn(spawns_at_the_limit, &g); /* waits for a place */
        CHECK(bg_sleep(BG_MS) == 0);
        CHECK(pthread_create(&id, NULL, cancel_from_a_thread, &g) == 0);
        bg_shield
        {
            CHECK(bg_await(t) == -ECANCELED);
        }
        CHECK(pthread_join(id, NULL) == 0);
    }
    CHECK(rc == -ECANCELED);
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(bg_after(BG_MS, cancel_from_a_callback, &g) == 0);
        CHECK(bg_sleep(1000 * BG_S) == -ECANCELED);
    }
    CHECK(rc == -ECANCELED);
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(pthread_create(&id, NULL, cancel_from_a_thread, &g) == 0);
        CHECK(bg_sleep(1000 * BG_S) == -ECANCELED);
    }
    CHECK(rc == -ECANCELED);
    CHECK(pthread_join(id, NULL) == 0);
    return 0;
}

Test(group, is_cancelled_by_callbacks_and_threads)
{
    RUN(cancelled_from_elsewhere, NULL, .workers = 2);
}

static int cancels_its_group(void *arg)
{
    bg_group_t *g = arg;
    CHECK(bg_group_cancel(g) == 0);
    CHECK(bg_sleep(BG_S) == -ECANCELED);
    return 3;
}

static int cancelled_by_a_member(void *unused)
{
    (void)unused;
    int rc = 1;
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(bg_group_spawn(&g, cancels_its_group, &g) == 0);
    }
    CHECK(rc == -ECANCELED);
    bg_group (g, .result = &rc) {
        CHECK(SPAWN(&g, 1000 * BG_S, 0) == 0);
        CHECK(bg_group_spawn(&g, cancels_its_group, &g) == 0);
        CHECK(bg_sleep(1000 * BG_S) == -ECANCELED);
    }
    CHECK(rc == -ECANCELED);
    return 0;
}

Test(group, is_cancelled_by_a_member)
{
    everywhere(cancelled_by_a_member);
}

/* ---- many ---- */

static int tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    int rc = 0;
    add_one(&begun);
    if (depth > 0) {
        bg_group (g, .result = &rc, .limit = (size_t)depth) {
            for (int i = 0; i < 4; i++) {
                CHECK(bg_group_spawn(&g, tree, (void *)(depth - 1)) == 0);
            }
        }
    }
    return rc;
}

static int trees(void *unused)
{
    (void)unused;
    none_yet();
    CHECK(tree((void *)5) == 0);
    CHECK(bgi_load(&begun) == 1 + 4 + 16 + 64 + 256 + 1024);
    return 0;
}

Test(group, many_in_each_other)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(trees, NULL, .workers = w);
    }
}

static int fails_somewhere(void *arg)
{
    intptr_t n = (intptr_t)arg;
    for (intptr_t i = 0; i < n; i++) {
        bg_yield();
    }
    return n == 9 ? -EIO : bg_sleep(1000 * BG_S);
}

static int races(void *unused)
{
    (void)unused;
    for (int round = 0; round < 100; round++) {
        int rc = 1;
        bg_group (g, .result = &rc) {
            for (intptr_t i = 0; i < 12; i++) {
                (void)bg_group_spawn(&g, fails_somewhere, (void *)i);
            }
        }
        CHECK(rc == -EIO);
    }
    return 0;
}

Test(group, failures_beside_spawns_and_the_join)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(races, NULL, .workers = w);
    }
}

/* ---- not valid ---- */

static int not_valid(void *unused)
{
    (void)unused;
    bg_group_t g;
    int rc = 0, ran = 0;
    bg_failure f;
    CHECK(bg_group_open_opts(&g, NULL) == -EINVAL);
    CHECK(bg_group_open_opts(&g, &(bg_group_options){.size = 3}) == -EINVAL);
    CHECK(bg_group_open(&g, .max_failures = 1) == -EINVAL);
    bg_group (h, .max_failures = 1, .result = &rc) {
        ran = 1;
    }
    CHECK(!ran && rc == -EINVAL);
    CHECK(bg_group_open(&g, .max_failures = 1, .failures = &f) == 0);
    CHECK(bg_group_close(&g) == 0);
#if !BGI_DEBUG
    CHECK(bg_group_close(&g) == -EPERM);
#endif
    return 0;
}

Test(group, options_that_are_not_valid)
{
    RUN(not_valid, NULL, .workers = 1);
}

#if !BGI_DEBUG
Test(group, outside_of_tasks)
{
    int rc = 0;
    bg_group_t g;
    bg_group (h, .result = &rc) {
        rc = 1;
    }
    cr_assert_eq(rc, -EPERM);
    cr_assert_eq(bg_group_open(&g), -EPERM);
    cr_assert_eq(bg_group_spawn(&g, work, NULL), -EPERM);
    cr_assert_eq(bg_group_next(&g, NULL), -EPERM);
    cr_assert_eq(bg_group_close(&g), -EPERM);
}
#endif
