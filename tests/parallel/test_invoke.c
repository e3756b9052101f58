/*
 * Invoke: all are called, side by side when they wait; the first error; cancellation.
 */
#include "../task/check.h"

#include "stolen.h"

#include <errno.h>

static bgi_atomic called;

static int add_arg(void *arg)
{
    (void)bgi_fetch_add(&called, (bgi_word)(uintptr_t)arg);
    return 1;
}

static int fail(void *arg)
{
    return -(int)(intptr_t)arg;
}

static int cancel(void *arg)
{
    return bg_cancel(arg);
}

static int main_all(void *arg)
{
    bg_call many[100];
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_invoke(BG_CALL(add_arg, INT_ARG(1))) == 0);
    CHECK(bg_invoke(BG_CALL(add_arg, INT_ARG(2)), BG_CALL(add_arg, INT_ARG(4)),
                    BG_CALL(add_arg, INT_ARG(8))) == 0);
    CHECK(bgi_load(&called) == 15);
    for (int i = 0; i < 100; i++) {
        many[i] = BG_CALL(add_arg, INT_ARG(i));
    }
    CHECK(bg_invoke_all(many, 100) == 0);
    CHECK(bgi_load(&called) == 15 + 4950);
    CHECK(bg_invoke_all(NULL, 0) == 0);
    CHECK(bg_invoke(BG_CALL(add_arg, INT_ARG(1)), BG_CALL(fail, INT_ARG(EPROTO))) == -EPROTO);
    CHECK(bg_invoke_all(NULL, 1) == -EINVAL);
    CHECK(bg_invoke(BG_CALL(add_arg, NULL), BG_CALL(NULL, NULL)) == -EINVAL);
    return 0;
}

Test(invoke, all_are_called)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_all, NULL, .workers = w);
    }
    (void)main_all(NULL);
    NO_CHECK_FAILED();
}

/* ---- each waits for the others ---- */

static bgi_atomic here;

static int meet(void *arg)
{
    add_one(&here);
    yield_until(&here, (bgi_word)(uintptr_t)arg);
    return 0;
}

static int main_meet(void *arg)
{
    (void)arg;
    bgi_store(&here, 0);
    return bg_invoke(BG_CALL(meet, INT_ARG(3)), BG_CALL(meet, INT_ARG(3)),
                     BG_CALL(meet, INT_ARG(3)));
}

Test(invoke, who_waits_lets_the_others_go_on)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_meet, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(main_meet, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- early ends ---- */

static int ends_early(void *arg)
{
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_invoke(BG_CALL(fail, INT_ARG(EIO)), BG_CALL(add_arg, INT_ARG(1)),
                    BG_CALL(add_arg, INT_ARG(1))) == -EIO);
    CHECK(bgi_load(&called) == 0); /* with one worker none of the others has begun */
    return 0;
}

static int cancelled(void *arg)
{
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_invoke(BG_CALL(cancel, bg_self()), BG_CALL(add_arg, INT_ARG(1))) == -ECANCELED);
    CHECK(bgi_load(&called) == 0);
    CHECK(bg_invoke_all(NULL, 0) == -ECANCELED);
    return bg_cancelled();
}

static int main_cancelled(void *arg)
{
    (void)arg;
    CHECK(bg_await(bg_spawn(cancelled, NULL)) == -ECANCELED);
    return 0;
}

Test(invoke, ends_early)
{
    (void)ends_early(NULL);
    if (!forks_are_stolen()) {
        RUN(ends_early, NULL, .workers = 1);
        RUN(main_cancelled, NULL, .workers = 1);
    }
    NO_CHECK_FAILED();
}
