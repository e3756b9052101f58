/*
 * Futures and broadcasts where two meet: see moments.h.
 *
 * Labels: valgrind aarch64
 */
#include "moments.h"

#include "sync/future.c"

#define wanted broadcast_wanted
#include "sync/broadcast.c"
#undef wanted

static size_t got[MOMENTS_WAITERS];

static void setup_nothing(int waiters)
{
    (void)waiters;
    memset(got, 0, sizeof got);
}

static int not_given(void)
{
    return scene.gifts == 0;
}

static void more_once(void)
{
    if (scene.gifts == 0) {
        make_gift();
    }
}

/* ---- futures ---- */

static bg_future *future(void)
{
    return (bg_future *)(void *)object;
}

static void setup_future(int waiters)
{
    setup_nothing(waiters);
    future()->size = sizeof(size_t);
}

static int wait_future(int i)
{
    int r = bg_future_wait(future(), &got[i]);
    CHECK(got[i] == (r == 0 ? 77U : 0));
    return r;
}

static int wait_failing_future(int i)
{
    int r = bg_future_wait(future(), &got[i]);
    CHECK(got[i] == 0);
    return r == -EIO ? 1 : r;
}

static void give_value(void)
{
    size_t value = 77;
    CHECK(bg_future_set(future(), &value) == 0);
    value = 0; /* it has been copied to all */
}

static void give_failure(void)
{
    CHECK(bg_future_fail(future(), -EIO) == 0);
}

static void rest_future(int served)
{
    size_t value = 1;
    more_once();
    (void)served;
    CHECK(future()->q.first == NULL && future()->q.word == DONE);
    CHECK(bg_future_set(future(), &value) == -EALREADY);
}

Test(moments, of_a_future_that_is_set)
{
    static const struct moments_subject s = {
        .name = "future",
        .setup = setup_future,
        .wait = wait_future,
        .give = give_value,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_future,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

Test(moments, of_a_future_that_fails)
{
    static const struct moments_subject s = {
        .name = "future, fails",
        .setup = setup_future,
        .wait = wait_failing_future,
        .give = give_failure,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_future,
        .unordered = 1,
        .gone = MOMENTS_WORDS,
    };
    run_moments(&s, 500);
}

/* ---- broadcasts ---- */

enum { KEPT = 2 };

static bg_subscriber subscriber[MOMENTS_WAITERS];
static size_t lost[MOMENTS_WAITERS];
static size_t told;

static bg_broadcast *news(void)
{
    return (bg_broadcast *)(void *)object;
}

static void setup_news(int waiters)
{
    setup_nothing(waiters);
    news()->elem_size = sizeof(size_t);
    news()->capacity = KEPT;
    memset(lost, 0, sizeof lost);
    told = 0;
    for (int i = 0; i < waiters; i++) {
        CHECK(bg_broadcast_subscribe(news(), &subscriber[i]) == 0);
    }
}

static int wait_news(int i)
{
    int r = bg_broadcast_recv(&subscriber[i], &got[i], &lost[i]);
    CHECK(r == 0 ? got[i] == lost[i] + 1 : got[i] == 0);
    return r;
}

static int wait_end_of_news(int i)
{
    int r = bg_broadcast_recv(&subscriber[i], &got[i], &lost[i]);
    CHECK(got[i] == 0);
    return r == -EPIPE ? 1 : r;
}

static void give_news(void)
{
    size_t item = ++told;
    CHECK(bg_broadcast_send(news(), &item) == 0);
    item = 0; /* it has been copied to all */
}

static void give_end(void)
{
    CHECK(bg_broadcast_close(news()) == 0);
}

/* Each can have all that it has not seen, but for what it is told that it has missed. */
static void rest_news(int served)
{
    (void)served;
    CHECK(news()->q.first == NULL && (news()->q.word & BGI_WAITQ_FLAGS) == 0);
    for (int i = 0; i < scene.waiters; i++) {
        size_t item, missed, next = got[i];
        while (bg_broadcast_try_recv(&subscriber[i], &item, &missed) == 0) {
            CHECK(item == next + missed + 1);
            next = item;
        }
        CHECK(next == told);
        bg_broadcast_unsubscribe(&subscriber[i]);
    }
    CHECK(news()->subscribers == 0);
}

Test(moments, of_a_broadcast)
{
    static const struct moments_subject s = {
        .name = "broadcast",
        .setup = setup_news,
        .wait = wait_news,
        .give = give_news,
        .more = make_gift,
        .rest = rest_news,
        .unordered = 1,
    };
    run_moments(&s, 500);
}

Test(moments, of_a_broadcast_that_is_closed)
{
    static const struct moments_subject s = {
        .name = "broadcast, closed",
        .setup = setup_news,
        .wait = wait_end_of_news,
        .give = give_end,
        .may_give = not_given,
        .more = more_once,
        .rest = rest_news,
        .unordered = 1,
    };
    run_moments(&s, 500);
}
