/*
 * Futures: set once, seen by all; who waits, who comes late, who is cancelled; who may destroy it.
 *
 * Labels: valgrind aarch64
 */
#include "../task/check.h"

#include "dies.h"

#include <errno.h>

static const size_t sizes[] = {0, 1, 8, 24, 4096};

static void everywhere(bg_fn body, void *arg)
{
    cr_assert_eq(bg_explore(body, arg, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, arg, .workers = w);
    }
}

static int contract(void *arg)
{
    (void)arg;
    for (size_t s = 0; s < BGI_ARRAY_LEN(sizes); s++) {
        unsigned char in[4096], out[4097];
        bg_future *f = bg_future_create(sizes[s]);
        CHECK(f != NULL);
        memset(in, 0x5a, sizeof in);
        memset(out, 0xee, sizeof out);
        CHECK(bg_future_done(f) == 0);
        CHECK(bg_future_try(f, out) == -EAGAIN);
        CHECK(out[0] == 0xee);
        if (sizes[s] != 0) {
            CHECK(bg_future_set(f, NULL) == -EINVAL);
        }
        CHECK(bg_future_fail(f, 0) == -EINVAL && bg_future_fail(f, 5) == -EINVAL);
        CHECK(bg_future_set(f, sizes[s] == 0 ? NULL : in) == 0);
        CHECK(bg_future_set(f, in) == -EALREADY && bg_future_fail(f, -EIO) == -EALREADY);
        CHECK(bg_future_done(f) == 1);
        for (int i = 0; i < 2; i++) {
            memset(out, 0xee, sizeof out);
            CHECK((i == 0 ? bg_future_wait(f, out) : bg_future_try(f, out)) == 0);
            CHECK(memcmp(in, out, sizes[s]) == 0 && out[sizes[s]] == 0xee);
        }
        CHECK(bg_future_wait(f, NULL) == 0);
        bg_future_destroy(f);

        f = bg_future_create(sizes[s]);
        CHECK(bg_future_fail(f, -EIO) == 0);
        CHECK(bg_future_fail(f, -EIO) == -EALREADY && bg_future_set(f, in) == -EALREADY);
        memset(out, 0xee, sizeof out);
        CHECK(bg_future_wait(f, out) == -EIO && bg_future_try(f, out) == -EIO);
        CHECK(bg_future_done(f) == 1 && out[0] == 0xee);
        bg_future_destroy(f);
    }
    CHECK(bg_future_set(NULL, "") == -EINVAL && bg_future_fail(NULL, -1) == -EINVAL);
    CHECK(bg_future_wait(NULL, NULL) == -EINVAL && bg_future_try(NULL, NULL) == -EINVAL);
    CHECK(bg_future_done(NULL) == 0);
    bg_future_destroy(NULL);
    return 0;
}

Test(future, is_set_once)
{
    (void)contract(NULL); /* on a plain thread */
    everywhere(contract, NULL);
}

Test(future, no_memory)
{
    size_t live = bgi_alloc_live();
    cr_assert_null(bg_future_create(SIZE_MAX));
    cr_assert_null(bg_future_create(SIZE_MAX - 8));
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    bg_future *f = bg_future_create(8);
    bgi_fault_disarm();
    cr_assert_null(f);
    f = bg_future_create(8);
    cr_assert_eq(bgi_alloc_live(), live + 1);
    bg_future_destroy(f); /* not set */
    cr_assert_eq(bgi_alloc_live(), live);
}

/* ---- many wait ---- */

enum { CROWD = 12 };

struct value {
    int number;
    unsigned char rest[60];
};

struct crowd {
    bg_future *f;
    int error; /* 0: set */
    bgi_atomic seen;
};

static int sees(struct crowd *c)
{
    struct value v = {0, {0}};
    int r = bg_future_wait(c->f, &v);
    CHECK(r == c->error);
    CHECK(v.number == (r == 0 ? 77 : 0) && v.rest[59] == (r == 0 ? 9 : 0));
    add_one(&c->seen);
    return 0;
}

static int task_sees(void *arg)
{
    return sees(arg);
}

static void *thread_sees(void *arg)
{
    (void)sees(arg);
    return NULL;
}

static void set(struct crowd *c)
{
    struct value v = {77, {0}};
    v.rest[59] = 9;
    CHECK((c->error == 0 ? bg_future_set(c->f, &v) : bg_future_fail(c->f, c->error)) == 0);
}

static int many_see_it(void *arg)
{
    for (int when = 0; when < 3; when++) { /* before they wait, meanwhile, after that */
        struct crowd c = {bg_future_create(sizeof(struct value)), *(int *)arg, 0};
        bg_task *t[CROWD];
        for (int i = 0; i < CROWD; i++) {
            if (when == 0 && i == 0) {
                set(&c);
            }
            t[i] = bg_spawn(task_sees, &c);
            if (when == 1 && i == CROWD / 2) {
                bg_yield();
                set(&c);
            }
        }
        if (when == 2) {
            CHECK(bg_sleep(BG_MS) == 0);
            set(&c);
        }
        CHECK(bg_gather_all(t, CROWD, NULL) == 0);
        CHECK(bgi_load(&c.seen) == CROWD);
        bg_future_destroy(c.f);
    }
    return 0;
}

Test(future, all_see_it)
{
    int error = 0;
    everywhere(many_see_it, &error);
    error = -EIO;
    everywhere(many_see_it, &error);
}

Test(future, threads_and_tasks_see_it)
{
    for (int i = 0; i < MANY(40); i++) {
        struct crowd c = {bg_future_create(sizeof(struct value)), i % 2 == 0 ? 0 : -EIO, 0};
        bg_runtime *rt = NULL;
        bg_task *t[3];
        pthread_t thread[3];
        cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
        for (int k = 0; k < 3; k++) {
            t[k] = bg_runtime_spawn(rt, task_sees, &c);
            cr_assert_eq(pthread_create(&thread[k], NULL, thread_sees, &c), 0);
        }
        set(&c); /* on a plain thread */
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(bg_runtime_wait(rt, t[k]), 0);
            (void)pthread_join(thread[k], NULL);
        }
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        bg_future_destroy(c.f);
        NO_CHECK_FAILED();
    }
}

/* ---- too late ---- */

static int too_late(void *arg)
{
    bg_future *f = bg_future_create(sizeof(int));
    int v = 0, w = 5;
    (void)arg;
    bg_timeout (BG_MS) {
        CHECK(bg_future_wait(f, &v) == -ETIMEDOUT);
        CHECK(bg_future_set(f, &w) == 0);
        CHECK(bg_future_wait(f, &v) == -ETIMEDOUT); /* though it is set */
        CHECK(v == 0);
        CHECK(bg_future_try(f, &v) == 0 && v == 5);
    }
    v = 0;
    CHECK(bg_future_wait(f, &v) == 0 && v == 5);
    bg_future_destroy(f);
    return 0;
}

Test(future, a_wait_that_is_too_late)
{
    everywhere(too_late, NULL);
}

/* ---- who may destroy it ---- */

static int sets_it(void *arg)
{
    int v = 6;
    return bg_future_set(arg, &v);
}

static int destroys_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY(200); i++) {
        int v = 0;
        bg_future *f = bg_future_create(sizeof v);
        bg_task *setter = bg_spawn(sets_it, f);
        if (i % 3 == 0) {
            bg_yield();
        }
        CHECK(bg_future_wait(f, &v) == 0 && v == 6);
        bg_future_destroy(f);
        CHECK(bg_await(setter) == 0);
    }
    return 0;
}

Test(future, who_has_waited_destroys_it)
{
    cr_assert_eq(bg_explore(destroys_at_once, NULL, .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
    for (int i = 0; i < MANY(20); i++) {
        EACH_WORKER_COUNT(w)
        {
            RUN(destroys_at_once, NULL, .workers = w);
        }
    }
}

/* ---- misplaced ---- */

static int waits_in_a_callback(void *arg)
{
    CHECK(bg_future_wait(arg, NULL) == -EPERM);
    CHECK(bg_future_set(arg, NULL) == 0);
    return 0;
}

static int misplaced(void *arg)
{
    CHECK(bg_after(0, waits_in_a_callback, arg) == 0);
    return bg_future_wait(arg, NULL);
}

static void run_misplaced(void *arg)
{
    (void)bg_run(misplaced, arg, .workers = 1);
}

#if BGI_DEBUG
static int waits_for_it(void *arg)
{
    return bg_future_wait(arg, NULL);
}

static int destroys_too_soon(void *arg)
{
    (void)bg_spawn(waits_for_it, arg);
    bg_yield();
    bg_future_destroy(arg);
    return 0;
}

static void run_destroys_too_soon(void *arg)
{
    (void)bg_run(destroys_too_soon, arg, .workers = 1, .spares = BG_NO_SPARES);
}
#endif

Test(future, misuse)
{
    bg_future *f = bg_future_create(0);
#if BGI_DEBUG
    DIES(run_misplaced, f, "misuse: bg_future_wait");
    DIES(run_destroys_too_soon, f, "somebody waits for it");
#else
    run_misplaced(f);
    NO_CHECK_FAILED();
#endif
    bg_future_destroy(f);
}
