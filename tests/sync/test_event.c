/*
 * The event: all who wait at a set go on; nothing is missed by who clears and looks.
 *
 * Labels: valgrind aarch64
 */
#include "sync.h"

static bg_event e;

/* ---- alone ---- */

static int alone(void *arg)
{
    static bg_event fixed = BG_EVENT_INIT;
    (void)arg;
    CHECK(bg_event_is_set(&fixed) == 0);
    bg_event_init(&e);
    CHECK(bg_event_is_set(&e) == 0);
    CHECK(bg_event_clear(&e) == 0);
    CHECK(bg_event_is_set(&e) == 0);
    CHECK(bg_event_set(&e) == 0);
    CHECK(bg_event_is_set(&e) == 1);
    CHECK(bg_event_wait(&e) == 0);
    CHECK(bg_event_set(&e) == 0);
    CHECK(bg_event_wait(&e) == 0);
    CHECK(bg_event_clear(&e) == 0);
    CHECK(bg_event_is_set(&e) == 0);
    bg_event_destroy(&e);
    return 0;
}

Test(event, set_and_cleared)
{
    everywhere(alone);
    cr_assert_eq(alone(NULL), 0); /* by a plain thread */
    NO_CHECK_FAILED();
}

/* ---- all ---- */

static int wait_for_it(void *arg)
{
    (void)arg;
    return bg_event_wait(&e);
}

static int all(void *arg)
{
    enum { N = 6 };
    bg_task *t[N];
    (void)arg;
    for (int n = 0; n <= N; n++) {
        bg_event_init(&e);
        for (int i = 0; i < n; i++) {
            t[i] = bg_spawn(wait_for_it, NULL);
            until_waiting(&e, i + 1);
        }
        CHECK(bg_event_set(&e) == 0);
        CHECK(bg_event_clear(&e) == 0); /* takes it from nobody */
        CHECK(waiting_on(&e) == 0);
        CHECK(bg_gather_all(t, (size_t)n, NULL) == 0);
        CHECK(bg_event_is_set(&e) == 0);
    }
    return 0;
}

Test(event, all_who_wait_go_on_though_it_is_cleared_at_once)
{
    everywhere(all);
}

static int order[8];
static bgi_atomic ordered;

static int note_turn(void *arg)
{
    CHECK(bg_event_wait(&e) == 0);
    order[bgi_fetch_add(&ordered, 1)] = (int)(intptr_t)arg;
    return 0;
}

static int in_order(void *arg)
{
    bg_task *t[8];
    (void)arg;
    bg_event_init(&e);
    bgi_store(&ordered, 0);
    for (int i = 0; i < 8; i++) {
        t[i] = bg_spawn(note_turn, INT_ARG(i));
        until_waiting(&e, i + 1);
    }
    CHECK(bg_event_set(&e) == 0);
    CHECK(bg_gather_all(t, 8, NULL) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(order[i] == i);
    }
    return 0;
}

Test(event, they_go_on_in_order)
{
    RUN(in_order, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

static int mixed(void *arg)
{
    struct helper h[3];
    bg_task *t[3];
    (void)arg;
    bg_event_init(&e);
    for (int i = 0; i < 3; i++) {
        helper_start(&h[i], wait_for_it, NULL);
        t[i] = bg_spawn(wait_for_it, NULL);
    }
    until_waiting(&e, 6);
    CHECK(bg_event_set(&e) == 0);
    CHECK(bg_event_clear(&e) == 0);
    CHECK(bg_gather_all(t, 3, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(helper_end(&h[i]) == 0);
    }
    return 0;
}

Test(event, of_tasks_and_threads)
{
    on_threads(mixed);
}

/* ---- clear, look, wait ---- */

enum { PRODUCERS = 3, EACH = 20 };
static bgi_atomic made[PRODUCERS]; /* relaxed: what orders them is the event alone */

static int produce(void *arg)
{
    bgi_atomic *mine = &made[(intptr_t)arg];
    for (int i = 0; i < EACH; i++) {
        bgi_store(mine, bgi_load(mine) + 1);
        CHECK(bg_event_set(&e) == 0);
        if (bg_self() != NULL && i % 4 == 0) {
            bg_yield();
        }
    }
    return 0;
}

static int consume(void *arg)
{
    (void)arg;
    for (;;) {
        CHECK(bg_event_clear(&e) == 0);
        bgi_word sum = 0;
        for (int i = 0; i < PRODUCERS; i++) {
            sum += bgi_load(&made[i]);
        }
        if (sum == (bgi_word)PRODUCERS * EACH) {
            return 0;
        }
        CHECK(bg_event_wait(&e) == 0);
    }
}

static int nothing_is_missed(void *arg)
{
    bg_task *t[PRODUCERS];
    (void)arg;
    bg_event_init(&e);
    for (int i = 0; i < PRODUCERS; i++) {
        bgi_store(&made[i], 0);
    }
    bg_task *c = bg_spawn(consume, NULL);
    for (int i = 0; i < PRODUCERS; i++) {
        t[i] = bg_spawn(produce, INT_ARG(i));
    }
    CHECK(bg_gather_all(t, PRODUCERS, NULL) == 0);
    CHECK(bg_await(c) == 0);
    return 0;
}

Test(event, who_clears_and_looks_misses_nothing)
{
    everywhere(nothing_is_missed);
}

/* ---- ends ---- */

static int cancelled(void *arg)
{
    bg_task *t[3];
    (void)arg;
    for (int victim = 0; victim < 3; victim++) {
        bg_event_init(&e);
        for (int i = 0; i < 3; i++) {
            t[i] = bg_spawn(wait_for_it, NULL);
            until_waiting(&e, i + 1);
        }
        CHECK(bg_cancel(t[victim]) == 0);
        CHECK(bg_await(t[victim]) == -ECANCELED);
        CHECK(waiting_on(&e) == 2);
        CHECK(bg_event_set(&e) == 0);
        for (int i = 0; i < 3; i++) {
            if (i != victim) {
                CHECK(bg_await(t[i]) == 0);
            }
        }
    }
    return 0;
}

Test(event, who_is_cancelled_goes)
{
    everywhere(cancelled);
}

static int set_but_late(void *arg)
{
    (void)arg;
    bg_event_init(&e);
    CHECK(bg_event_set(&e) == 0);
    bg_timeout (0) {
        CHECK(bg_event_wait(&e) == -ETIMEDOUT);
    }
    CHECK(bg_event_clear(&e) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_event_wait(&e) == -ETIMEDOUT);
    }
    CHECK(waiting_on(&e) == 0);
    return 0;
}

Test(event, who_is_to_end_fails_though_it_is_set)
{
    everywhere(set_but_late);
}

/* ---- gone ---- */

static int wait_for_arg(void *arg)
{
    return bg_event_wait(arg);
}

/* Whoever sets it knows that nobody will come any more, and that those who waited are out, whether
 * they were cancelled at that moment or not. */
static int set_and_free(void *arg)
{
    enum { N = 4 };
    bg_task *t[N];
    (void)arg;
    bg_event *own = bgi_malloc(sizeof *own);
    bg_event_init(own);
    for (int i = 0; i < N; i++) {
        t[i] = bg_spawn(wait_for_arg, own);
    }
    until_waiting(own, N);
    bg_task *canceller = bg_spawn(cancel_arg, t[1]);
    CHECK(bg_cancel(t[2]) == 0);
    CHECK(bg_event_set(own) == 0);
    bgi_free(own);
    CHECK(bg_await(canceller) == 0);
    for (int i = 0; i < N; i++) {
        int r = bg_await(t[i]);
        CHECK(r == 0 || (r == -ECANCELED && (i == 1 || i == 2)));
    }
    return 0;
}

Test(event, may_be_freed_by_who_has_set_it)
{
    everywhere(set_and_free);
}

static int set_arg(void *arg)
{
    return bg_event_set(arg);
}

static int on_a_stack(void *arg)
{
    bg_task *t[4];
    (void)arg;
    for (int i = 0; i < 4; i++) {
        bg_event done = BG_EVENT_INIT;
        t[i] = bg_spawn(set_arg, &done);
        CHECK(bg_event_wait(&done) == 0);
        bg_event_destroy(&done);
        memset(&done, 0x55, sizeof done);
    }
    return bg_gather_all(t, 4, NULL);
}

Test(event, may_be_gone_before_set_returns)
{
    everywhere(on_a_stack);
}
