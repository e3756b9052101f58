/*
 * Select: which case is taken and what becomes of the others, in tasks and on plain threads.
 *
 * Labels: valgrind aarch64
 */
#include "../task/check.h"

#include "dies.h"

#include <errno.h>

static void everywhere(bg_fn body, void *arg)
{
    cr_assert_eq(bg_explore(body, arg, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
    EACH_WORKER_COUNT(w)
    {
        RUN(body, arg, .workers = w);
    }
}

static bg_chan *made(size_t capacity)
{
    bg_chan *ch = bg_chan_create(sizeof(int), capacity);
    CHECK(ch != NULL);
    return ch;
}

static void put(bg_chan *ch, int v)
{
    CHECK(bg_try_send(ch, &v) == 0);
}

/* ---- which one ---- */

static int contract(void *arg)
{
    bg_chan *a = made(1), *b = made(1), *none = NULL;
    int v = 0, w = 7, r = 9;

    (void)arg;
    CHECK(bg_select(BG_RECV(a, &v), BG_RECV(b, &v), BG_DEFAULT) == 2);
    CHECK(bg_select(BG_DEFAULT) == 0);
    CHECK(bg_select(BG_DEFAULT, BG_RECV(a, &v), BG_DEFAULT) == 0);
    CHECK(bg_select(BG_RECV(a, &v), BG_AFTER(0)) == 1);
    CHECK(bg_select(BG_RECV(a, &v), BG_AFTER(-1), BG_AFTER(BG_S), BG_DEFAULT) == 3);
    CHECK(bg_select(BG_RECV(a, &v), BG_AFTER(-1), BG_AFTER(0)) == 1);
    CHECK(v == 0);

    CHECK(bg_select(BG_RECV(a, &v), BG_SEND(b, &w), BG_DEFAULT) == 1);
    CHECK(bg_chan_length(a) == 0 && bg_chan_length(b) == 1);
    CHECK(bg_select(BG_RECV(a, &v), BG_SEND(b, &w), BG_DEFAULT) == 2); /* full */
    CHECK(bg_select(BG_RECV(a, &v, &r), BG_RECV(b, &v, &r)) == 1);
    CHECK(v == 7 && r == 0);
    CHECK(bg_chan_length(b) == 0);

    CHECK(bg_select(BG_RECV(none, &v), BG_SEND(none, &w), BG_DEFAULT) == 2);
    CHECK(bg_select(BG_RECV(none, &v), BG_SEND(a, &w), BG_SEND(none, &w)) == 1);
    CHECK(bg_select(BG_RECV(a, NULL)) == 0); /* dropped */
    CHECK(bg_chan_length(a) == 0);

    bg_chan *tokens = bg_chan_create(0, 1);
    CHECK(bg_select(BG_SEND(tokens, NULL), BG_RECV(a, &v)) == 0);
    CHECK(bg_select(BG_RECV(tokens, NULL), BG_RECV(a, &v)) == 0);

    /* A rendezvous with oneself does not come about. */
    bg_chan *meet = made(0);
    CHECK(bg_select(BG_SEND(meet, &w), BG_RECV(meet, &v), BG_DEFAULT) == 2);
    CHECK(bg_select(BG_SEND(meet, &w), BG_RECV(meet, &v), BG_AFTER(BG_US)) == 2);

    CHECK(bg_select_cases(NULL, 0) == -EINVAL);
    bg_case wrong[] = {BG_RECV(a, &v), {.kind = 9}};
    CHECK(bg_select_cases(wrong, 2) == -EINVAL);
    CHECK(bg_select_cases(wrong, 0) == -EINVAL);
    CHECK(bg_select_cases(NULL, 1) == -EINVAL);
    CHECK(bg_select(BG_SEND(a, NULL), BG_DEFAULT) == -EINVAL);
    CHECK(bg_select(BG_SEND(none, NULL), BG_DEFAULT) == 1);

    bg_chan_destroy(a);
    bg_chan_destroy(b);
    bg_chan_destroy(meet);
    bg_chan_destroy(tokens);
    return 0;
}

Test(select, takes_one_that_is_possible)
{
    (void)contract(NULL); /* on a plain thread */
    everywhere(contract, NULL);
}

static int closed_cases(void *arg)
{
    bg_chan *a = made(2), *b = made(0);
    int v = 0, w = 5, r = 9;

    (void)arg;
    put(a, 1);
    CHECK(bg_close(a) == 0 && bg_close(b) == 0);
    CHECK(bg_select(BG_RECV(a, &v, &r)) == 0 && v == 1 && r == 0);
    CHECK(bg_select(BG_RECV(a, &v, &r)) == 0 && v == 1 && r == -EPIPE);
    CHECK(bg_select(BG_RECV(a, &v)) == -EPIPE);
    CHECK(bg_select(BG_RECV(a, &v), BG_DEFAULT) == -EPIPE);
    r = 9;
    CHECK(bg_select(BG_SEND(b, &w, &r), BG_DEFAULT) == 0 && r == -EPIPE);
    CHECK(bg_select(BG_SEND(b, &w), BG_AFTER(BG_S)) == -EPIPE);
    bg_chan_destroy(a);
    bg_chan_destroy(b);
    return 0;
}

Test(select, a_closed_channel_is_a_possible_case)
{
    (void)closed_cases(NULL);
    everywhere(closed_cases, NULL);
}

/* ---- waiting ---- */

struct pair {
    bg_chan *a, *b;
    int v;
};

static int sends_to_b(void *arg)
{
    struct pair *p = arg;
    CHECK(bg_sleep(BG_MS) == 0);
    return bg_send(p->b, &p->v);
}

static int receives_from_b(void *arg)
{
    struct pair *p = arg;
    CHECK(bg_sleep(BG_MS) == 0);
    return bg_recv(p->b, &p->v);
}

static int closes_b(void *arg)
{
    struct pair *p = arg;
    CHECK(bg_sleep(BG_MS) == 0);
    return bg_close(p->b);
}

/* Nothing of it is left in either channel. */
static void is_out_of(bg_chan *ch)
{
    int v = 0;
    CHECK(bg_try_recv(ch, &v) == -EAGAIN);
    CHECK(bg_try_send(ch, &v) == (bg_chan_capacity(ch) == 0 ? -EAGAIN : 0));
    if (bg_chan_capacity(ch) != 0) {
        CHECK(bg_try_recv(ch, &v) == 0);
    }
}

static int waits(void *arg)
{
    size_t capacity = *(const size_t *)arg;
    struct pair p = {made(capacity), made(capacity), 11};
    int v = 0, w = 0, r = 9;

    bg_task *t = bg_spawn(sends_to_b, &p);
    CHECK(bg_select(BG_RECV(p.a, &v), BG_RECV(p.b, &w, &r)) == 1);
    CHECK(v == 0 && w == 11 && r == 0);
    CHECK(bg_await(t) == 0);
    is_out_of(p.a);
    is_out_of(p.b);

    for (size_t i = 0; i < capacity; i++) {
        put(p.a, 1);
        put(p.b, 2);
    }
    t = bg_spawn(receives_from_b, &p);
    v = 21;
    w = 22;
    CHECK(bg_select(BG_SEND(p.a, &v), BG_SEND(p.b, &w)) == 1);
    CHECK(bg_await(t) == 0);
    CHECK(p.v == (capacity == 0 ? 22 : 2));
    CHECK(bg_chan_length(p.b) == capacity && bg_chan_length(p.a) == capacity);
    for (size_t i = 0; i < capacity; i++) {
        CHECK(bg_try_recv(p.a, &v) == 0 && v == 1);
        CHECK(bg_try_recv(p.b, &v) == 0 && v == (i + 1 == capacity ? 22 : 2));
    }
    is_out_of(p.a);
    is_out_of(p.b);

    t = bg_spawn(closes_b, &p);
    r = 9;
    CHECK(bg_select(BG_RECV(p.a, &v), BG_RECV(p.b, &w, &r), BG_RECV(p.b, NULL, &r)) >= 1);
    CHECK(r == -EPIPE);
    CHECK(bg_await(t) == 0);
    is_out_of(p.a);
    bg_chan_destroy(p.a);
    bg_chan_destroy(p.b);
    return 0;
}

Test(select, waits_for_the_first)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        everywhere(waits, &capacity);
    }
}

static int in_time(void *arg)
{
    bg_chan *a = made(0), *none = NULL;
    int v = 0;

    (void)arg;
    bg_time start = bg_now();
    CHECK(bg_select(BG_RECV(a, &v), BG_AFTER(BG_S * 1000), BG_AFTER(2 * BG_MS)) == 2);
    CHECK(bg_now() - start >= 2 * BG_MS);
    start = bg_now();
    CHECK(bg_select(BG_AFTER(BG_MS)) == 0);
    CHECK(bg_now() - start >= BG_MS);
    CHECK(bg_select(BG_RECV(none, &v), BG_AFTER(BG_MS), BG_AFTER(BG_FOREVER)) == 1);
    is_out_of(a);
    bg_chan_destroy(a);
    return 0;
}

static int ended_by_scopes(void *arg)
{
    bg_chan *a = made(0), *full = made(1), *none = NULL;
    int v = 3;

    (void)arg;
    put(full, 1);
    bg_timeout (BG_MS) {
        CHECK(bg_select(BG_RECV(a, &v), BG_SEND(full, &v), BG_AFTER(1000 * BG_S)) == -ETIMEDOUT);
        CHECK(bg_select(BG_RECV(full, &v)) == -ETIMEDOUT); /* though it is possible */
        CHECK(bg_select(BG_RECV(full, &v), BG_DEFAULT) == 0);
        CHECK(v == 1);
        put(full, 1);
    }
    bg_timeout (BG_MS) {
        CHECK(bg_select(BG_RECV(none, &v)) == -ETIMEDOUT);
    }
    bg_timeout (1000 * BG_S) {
        CHECK(bg_select(BG_RECV(a, &v), BG_SEND(full, &v), BG_AFTER(BG_MS)) == 2);
    }
    is_out_of(a);
    CHECK(bg_try_recv(full, &v) == 0 && v == 1);
    is_out_of(full);
    bg_chan_destroy(a);
    bg_chan_destroy(full);
    return 0;
}

Test(select, or_until_it_is_time)
{
    (void)in_time(NULL);
    everywhere(in_time, NULL);
    everywhere(ended_by_scopes, NULL);
}

/* ---- fair ---- */

enum { WAYS = 4, DRAWS = 4000 };

static int draws(void *arg)
{
    unsigned *chosen = arg;
    bg_chan *ch[WAYS];
    for (int i = 0; i < WAYS; i++) {
        ch[i] = made(1);
    }
    for (int n = 0; n < DRAWS; n++) {
        int v = n;
        for (int i = 0; i < WAYS; i++) {
            (void)bg_try_send(ch[i], &v);
        }
        int i = bg_select(BG_RECV(ch[0], &v), BG_RECV(NULL, &v), BG_RECV(ch[1], &v),
                          BG_RECV(ch[2], &v), BG_RECV(ch[3], &v), BG_DEFAULT);
        CHECK(i >= 0 && i <= WAYS && i != 1);
        chosen[i < 1 ? i : i - 1]++;
    }
    for (int i = 0; i < WAYS; i++) {
        bg_chan_destroy(ch[i]);
    }
    return 0;
}

static void is_fair(const unsigned *chosen)
{
    for (int i = 0; i < WAYS; i++) { /* 1000 each, standard deviation 27 */
        cr_assert_gt(chosen[i], 800, "%d: %u", i, chosen[i]);
        cr_assert_lt(chosen[i], 1200, "%d: %u", i, chosen[i]);
    }
}

Test(select, draws_among_the_possible)
{
    unsigned on_thread[WAYS] = {0}, in_task[WAYS] = {0}, again[WAYS] = {0};
    (void)draws(on_thread);
    is_fair(on_thread);
    RUN(draws, in_task, .workers = 1);
    is_fair(in_task);
    memset(in_task, 0, sizeof in_task);
    RUN(draws, in_task, .seed = 17);
    is_fair(in_task);
    RUN(draws, again, .seed = 17);
    cr_assert_eq(memcmp(in_task, again, sizeof again), 0, "a seed decides");
}

/* ---- many cases ---- */

enum { MANY_CASES = 1000 };

static int many_cases(void *arg)
{
    static bg_case cases[MANY_CASES];
    static int got[MANY_CASES];
    bg_chan *ch[MANY_CASES / 4];
    enum { CHANS = MANY_CASES / 4 };

    (void)arg;
    memset(got, 0, sizeof got);
    for (int i = 0; i < CHANS; i++) {
        ch[i] = made(1);
    }
    for (int i = 0; i < MANY_CASES; i++) { /* each channel four times, all over the place */
        cases[i] = BG_RECV(ch[i * 7 % CHANS], &got[i]);
    }
    cases[0] = BG_AFTER(BG_MS);
    CHECK(bg_select_cases(cases, MANY_CASES) == 0);
    for (int k = 0; k < 20; k++) {
        int c = k * 37 % CHANS;
        struct pair p = {NULL, ch[c], k + 1};
        bg_task *t = k % 2 == 0 ? NULL : bg_spawn(sends_to_b, &p);
        if (t == NULL) {
            put(ch[c], k + 1);
        }
        cases[0] = BG_RECV(NULL, NULL);
        int i = bg_select_cases(cases, MANY_CASES);
        CHECK(i > 0 && i * 7 % CHANS == c && got[i] == k + 1);
        CHECK(t == NULL || bg_await(t) == 0);
    }
    for (int i = 0; i < CHANS; i++) {
        is_out_of(ch[i]);
        bg_chan_destroy(ch[i]);
    }
    return 0;
}

Test(select, any_number_of_cases)
{
    size_t live = bgi_alloc_live();
    cr_assert_eq(bg_explore(many_cases, NULL, .seeds = MANY(20)), 0);
    NO_CHECK_FAILED();
    RUN(many_cases, NULL, .workers = 2);
    cr_assert_eq(bgi_alloc_live(), live);
}

/* ---- selects with each other ---- */

enum { SIDES = 4, ROUNDS = 50 };

struct exchange {
    bg_chan *ch[3];
    bgi_atomic sent, received, sum_sent, sum_received, number;
};

/* Sends and receives in either of three channels, whatever comes first. */
static int trades(void *arg)
{
    struct exchange *x = arg;
    unsigned me = (unsigned)bgi_fetch_add(&x->number, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        int out = (int)(me * ROUNDS + i + 1), in = 0, r = 0;
        bg_chan *a = x->ch[i % 3], *b = x->ch[(i + 1) % 3];
        int k = bg_select(BG_SEND(a, &out, &r), BG_RECV(a, &in, &r), BG_SEND(b, &out, &r),
                          BG_RECV(b, &in, &r), BG_RECV(x->ch[(i + 2) % 3], &in, &r));
        CHECK(k >= 0);
        if (r == -EPIPE) {
            return 0;
        }
        CHECK(r == 0);
        if (k == 0 || k == 2) {
            (void)bgi_fetch_add(&x->sum_sent, (bgi_word)out);
            add_one(&x->sent);
        } else {
            CHECK(in != 0);
            (void)bgi_fetch_add(&x->sum_received, (bgi_word)in);
            add_one(&x->received);
        }
    }
    return 0;
}

/* They serve who is left alone, one by sending in one channel, another by receiving from the
 * others, until these are closed. */
static int attends(struct exchange *x, int by_sending)
{
    for (;;) {
        int out = 1, in = 0, r = 0;
        int k = by_sending ? bg_select(BG_SEND(x->ch[1], &out, &r))
                           : bg_select(BG_RECV(x->ch[0], &in, &r), BG_RECV(x->ch[2], &in, &r));
        CHECK(k >= 0);
        if (r != 0) {
            CHECK(r == -EPIPE);
            return 0;
        }
        (void)bgi_fetch_add(&x->sum_sent, by_sending ? 1 : 0);
        (void)bgi_fetch_add(&x->sum_received, (bgi_word)in);
        add_one(by_sending ? &x->sent : &x->received);
    }
}

static int attends_sending(void *arg)
{
    return attends(arg, 1);
}

static int attends_receiving(void *arg)
{
    return attends(arg, 0);
}

static void drain(struct exchange *x)
{
    for (int i = 0; i < 3; i++) {
        int v;
        while (bg_try_recv(x->ch[i], &v) == 0) {
            (void)bgi_fetch_add(&x->sum_received, (bgi_word)v);
            add_one(&x->received);
        }
        bg_chan_destroy(x->ch[i]);
    }
    CHECK(bgi_load(&x->sent) == bgi_load(&x->received));
    CHECK(bgi_load(&x->sum_sent) == bgi_load(&x->sum_received));
}

static int exchange(void *arg)
{
    size_t capacity = *(const size_t *)arg;
    struct exchange x = {{made(capacity), made(0), made(capacity)}, 0, 0, 0, 0, 0};
    bg_task *t[SIDES], *attendant[2];

    attendant[0] = bg_spawn(attends_sending, &x);
    attendant[1] = bg_spawn(attends_receiving, &x);
    for (int i = 0; i < SIDES; i++) {
        t[i] = bg_spawn(trades, &x);
    }
    CHECK(bg_gather_all(t, SIDES, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(bg_close(x.ch[i]) == 0);
    }
    CHECK(bg_gather_all(attendant, 2, NULL) == 0);
    drain(&x);
    return 0;
}

Test(select, with_other_selects)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        cr_assert_eq(bg_explore(exchange, &capacity, .seeds = MANY(200)), 0);
        NO_CHECK_FAILED();
        EACH_WORKER_COUNT(w)
        {
            for (int i = 0; i < MANY(20); i++) {
                RUN(exchange, &capacity, .workers = w);
            }
        }
    }
}

/* ---- plain threads ---- */

static void *thread_trades(void *arg)
{
    (void)trades(arg);
    return NULL;
}

static void *thread_attends(void *arg)
{
    (void)attends(arg, 1);
    return NULL;
}

static int task_trades(void *arg)
{
    return trades(arg);
}

Test(select, on_threads_and_in_tasks)
{
    for (size_t capacity = 0; capacity < 2; capacity++) {
        for (int i = 0; i < MANY(20); i++) {
            struct exchange x = {{made(capacity), made(0), made(capacity)}, 0, 0, 0, 0, 0};
            pthread_t trader[2], attendant;
            bg_runtime *rt = NULL;
            bg_task *t[2];

            cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
            cr_assert_eq(pthread_create(&attendant, NULL, thread_attends, &x), 0);
            for (int k = 0; k < 2; k++) {
                t[k] = bg_runtime_spawn(rt, task_trades, &x);
                cr_assert_eq(pthread_create(&trader[k], NULL, thread_trades, &x), 0);
            }
            for (int k = 0; k < 2; k++) {
                cr_assert_eq(bg_runtime_wait(rt, t[k]), 0);
                (void)pthread_join(trader[k], NULL);
            }
            for (int k = 0; k < 3; k++) {
                cr_assert_eq(bg_close(x.ch[k]), 0);
            }
            (void)pthread_join(attendant, NULL);
            cr_assert_eq(bg_runtime_shutdown(rt), 0);
            drain(&x);
            NO_CHECK_FAILED();
        }
    }
}

static bgi_atomic hurry;

static void *sends_now_and_then(void *arg)
{
    bg_chan *ch = arg;
    for (int i = 1; i <= 200; i++) {
        CHECK(bg_send(ch, &i) == 0);
    }
    bgi_store_release(&hurry, 1);
    return NULL;
}

/* A time that is over as the item comes. */
Test(select, a_threads_time_is_over_as_it_is_served)
{
    pthread_t sender;
    bg_chan *ch = made(0), *never = made(0);
    int v = 0, next = 1;
    cr_assert_eq(pthread_create(&sender, NULL, sends_now_and_then, ch), 0);
    while (next <= 200) {
        int k = bg_select(BG_RECV(ch, &v), BG_RECV(never, &v), BG_AFTER((next % 7) * BG_US));
        if (k == 0) {
            cr_assert_eq(v, next);
            next++;
        } else {
            cr_assert_eq(k, 2);
        }
    }
    (void)pthread_join(sender, NULL);
    is_out_of(ch);
    is_out_of(never);
    bg_chan_destroy(ch);
    bg_chan_destroy(never);
    NO_CHECK_FAILED();
}

/* ---- callbacks ---- */

static int selects_in_a_callback(void *arg)
{
    int v = 0;
    CHECK(bg_select(BG_RECV(arg, &v), BG_DEFAULT) == 0 && v == 4);
    CHECK(bg_select(BG_RECV(arg, &v), BG_DEFAULT) == 1);
    return 0;
}

static int in_a_callback(void *arg)
{
    put(arg, 4);
    CHECK(bg_after(0, selects_in_a_callback, arg) == 0);
    return bg_sleep(10 * BG_MS);
}

static int waits_in_a_callback(void *arg)
{
    int v = 0;
    CHECK(bg_select(BG_RECV(arg, &v), BG_AFTER(0)) == -EPERM);
    return 0;
}

static int misplaced(void *arg)
{
    CHECK(bg_after(0, waits_in_a_callback, arg) == 0);
    return bg_sleep(10 * BG_MS);
}

static void run_misplaced(void *arg)
{
    (void)bg_run(misplaced, arg, .workers = 1);
}

Test(select, in_a_callback_it_may_not_wait)
{
    bg_chan *ch = made(1);
    RUN(in_a_callback, ch, .workers = 1);
#if BGI_DEBUG
    DIES(run_misplaced, ch, "misuse: bg_select");
#else
    run_misplaced(ch);
    NO_CHECK_FAILED();
#endif
    bg_chan_destroy(ch);
}
