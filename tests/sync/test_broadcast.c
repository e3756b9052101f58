/*
 * Broadcasts: each subscriber sees all that is sent after it subscribed, or is told how many it has
 * missed.
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

static void send_number(bg_broadcast *b, int v)
{
    CHECK(bg_broadcast_send(b, &v) == 0);
}

/* The next one, which is v, after so many missed. */
static void next_is(bg_subscriber *me, int v, size_t lost)
{
    int got = -1;
    size_t missed = 999;
    CHECK(bg_broadcast_try_recv(me, &got, &missed) == 0);
    CHECK(got == v && missed == lost);
}

static void nothing_new(bg_subscriber *me)
{
    int got = -1;
    size_t missed = 999;
    CHECK(bg_broadcast_try_recv(me, &got, &missed) == -EAGAIN);
    CHECK(got == -1 && missed == 0);
}

static int contract(void *arg)
{
    bg_subscriber a, b, c = {{0}};
    (void)arg;
    bg_broadcast *news = bg_broadcast_create(sizeof(int), 3);
    send_number(news, 0);
    CHECK(bg_broadcast_subscribe(news, &a) == 0);
    nothing_new(&a);
    send_number(news, 1);
    CHECK(bg_broadcast_subscribe(news, &b) == 0);
    send_number(news, 2);
    next_is(&a, 1, 0);
    next_is(&a, 2, 0);
    nothing_new(&a);
    next_is(&b, 2, 0);
    for (int i = 3; i < 8; i++) {
        send_number(news, i);
    }
    next_is(&a, 5, 2);
    next_is(&a, 6, 0);
    send_number(news, 8);
    send_number(news, 9);
    send_number(news, 10);
    next_is(&a, 8, 1);
    int v = 0;
    CHECK(bg_broadcast_recv(&b, &v, NULL) == 0 && v == 8);
    CHECK(bg_broadcast_recv(&b, NULL, NULL) == 0);
    next_is(&b, 10, 0);
    bg_broadcast_unsubscribe(&b);
    CHECK(bg_broadcast_try_recv(&b, &v, NULL) == -EINVAL);
    CHECK(bg_broadcast_recv(&b, &v, NULL) == -EINVAL);
    bg_broadcast_unsubscribe(&b);
    bg_broadcast_unsubscribe(&c);
    bg_broadcast_unsubscribe(NULL);

    CHECK(bg_broadcast_close(news) == 0);
    CHECK(bg_broadcast_close(news) == -EALREADY);
    CHECK(bg_broadcast_send(news, &v) == -EPIPE);
    next_is(&a, 9, 0);
    CHECK(bg_broadcast_recv(&a, &v, NULL) == 0 && v == 10);
    CHECK(bg_broadcast_recv(&a, &v, NULL) == -EPIPE);
    CHECK(bg_broadcast_try_recv(&a, &v, NULL) == -EPIPE);
    CHECK(bg_broadcast_subscribe(news, &b) == 0);
    CHECK(bg_broadcast_recv(&b, &v, NULL) == -EPIPE);
    bg_broadcast_unsubscribe(&a);
    bg_broadcast_unsubscribe(&b);
    bg_broadcast_destroy(news);

    CHECK(bg_broadcast_send(NULL, &v) == -EINVAL && bg_broadcast_close(NULL) == -EINVAL);
    CHECK(bg_broadcast_subscribe(NULL, &a) == -EINVAL);
    CHECK(bg_broadcast_recv(NULL, &v, NULL) == -EINVAL);
    CHECK(bg_broadcast_try_recv(NULL, &v, NULL) == -EINVAL);
    bg_broadcast_destroy(NULL);
    return 0;
}

Test(broadcast, each_sees_all_from_its_subscription_on)
{
    (void)contract(NULL); /* on a plain thread */
    everywhere(contract, NULL);
}

Test(broadcast, sizes_and_capacities)
{
    static const size_t sizes[] = {0, 1, 8, 24, 4096}, capacities[] = {1, 2, 100};
    static unsigned char in[4096], out[4097];
    size_t live = bgi_alloc_live();
    for (size_t s = 0; s < BGI_ARRAY_LEN(sizes); s++) {
        for (size_t c = 0; c < BGI_ARRAY_LEN(capacities); c++) {
            bg_subscriber me;
            bg_broadcast *b = bg_broadcast_create(sizes[s], capacities[c]);
            cr_assert_not_null(b);
            cr_assert_eq(bgi_alloc_live(), live + 1);
            cr_assert_eq(bg_broadcast_subscribe(b, &me), 0);
            cr_assert_eq(bg_broadcast_send(b, NULL), sizes[s] == 0 ? 0 : -EINVAL);
            (void)bg_broadcast_try_recv(&me, NULL, NULL);
            for (size_t i = 0; i < 2 * capacities[c]; i++) {
                memset(in, (int)i + 1, sizeof in);
                cr_assert_eq(bg_broadcast_send(b, in), 0);
            }
            for (size_t i = capacities[c]; i < 2 * capacities[c]; i++) {
                size_t missed = 999;
                memset(in, (int)i + 1, sizeof in);
                memset(out, 0xee, sizeof out);
                cr_assert_eq(bg_broadcast_recv(&me, out, &missed), 0);
                cr_assert_eq(missed, i == capacities[c] ? i : 0);
                cr_assert_eq(memcmp(in, out, sizes[s]), 0);
                cr_assert_eq(out[sizes[s]], 0xee);
            }
            bg_broadcast_unsubscribe(&me);
            bg_broadcast_destroy(b);
        }
    }
    cr_assert_null(bg_broadcast_create(8, 0));
    cr_assert_null(bg_broadcast_create(8, SIZE_MAX / 4));
    cr_assert_null(bg_broadcast_create(1, SIZE_MAX - 1));
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    bg_broadcast *b = bg_broadcast_create(8, 8);
    bgi_fault_disarm();
    cr_assert_null(b);
    cr_assert_eq(bgi_alloc_live(), live);
}

/* ---- many ---- */

enum { SENDERS = 3, LISTENERS = 6, EACH = 80 };

struct news {
    bg_broadcast *b;
    bgi_atomic ready, sender, left;
    bgi_atomic begun, sent; /* by the one sender of numbers in their order */
};

/* Of each sender's items it sees each at most once and in order; with those missed, all. */
static int listens(struct news *n, int slow)
{
    bg_subscriber me;
    int v = 0, r, last[SENDERS];
    size_t missed = 0, seen = 0;
    memset(last, -1, sizeof last);
    CHECK(bg_broadcast_subscribe(n->b, &me) == 0);
    add_one(&n->ready);
    while ((r = bg_broadcast_recv(&me, &v, &missed)) == 0) {
        CHECK(v / EACH < SENDERS && v % EACH > last[v / EACH]);
        last[v / EACH] = v % EACH;
        seen += 1 + missed;
        if (slow && bg_self() != NULL && seen % 5 == 0) {
            CHECK(bg_sleep(10 * BG_US) == 0);
        }
    }
    CHECK(r == -EPIPE);
    CHECK(seen == (size_t)SENDERS * EACH);
    bg_broadcast_unsubscribe(&me);
    return 0;
}

static int task_listens(void *arg)
{
    return listens(arg, 0);
}

static int task_listens_slowly(void *arg)
{
    return listens(arg, 1);
}

static void *thread_listens(void *arg)
{
    (void)listens(arg, 0);
    return NULL;
}

static int task_sends(void *arg)
{
    struct news *n = arg;
    int me = (int)bgi_fetch_add(&n->sender, 1);
    for (int i = 0; i < EACH; i++) {
        send_number(n->b, me * EACH + i);
        if (i % 16 == 0) {
            bg_yield();
        }
    }
    return 0;
}

static int many(void *arg)
{
    struct news n = {bg_broadcast_create(sizeof(int), *(size_t *)arg), 0, 0, 0, 0, 0};
    bg_task *listener[LISTENERS], *sender[SENDERS];
    for (int i = 0; i < LISTENERS; i++) {
        listener[i] = bg_spawn(i % 2 == 0 ? task_listens : task_listens_slowly, &n);
    }
    yield_until(&n.ready, LISTENERS);
    for (int i = 0; i < SENDERS; i++) {
        sender[i] = bg_spawn(task_sends, &n);
    }
    CHECK(bg_gather_all(sender, SENDERS, NULL) == 0);
    CHECK(bg_broadcast_close(n.b) == 0);
    CHECK(bg_gather_all(listener, LISTENERS, NULL) == 0);
    bg_broadcast_destroy(n.b);
    return 0;
}

Test(broadcast, nothing_is_lost_unnoticed)
{
    static size_t capacities[] = {1, 3, 1000};
    for (size_t c = 0; c < BGI_ARRAY_LEN(capacities); c++) {
        cr_assert_eq(bg_explore(many, &capacities[c], .seeds = MANY(100)), 0);
        NO_CHECK_FAILED();
        EACH_WORKER_COUNT(w)
        {
            RUN(many, &capacities[c], .workers = w);
        }
    }
}

Test(broadcast, on_threads_and_in_tasks)
{
    for (int i = 0; i < MANY(40); i++) {
        struct news n = {bg_broadcast_create(sizeof(int), i % 2 == 0 ? 2 : 1000), 0, 0, 0, 0, 0};
        bg_runtime *rt = NULL;
        bg_task *listener[2], *sender[SENDERS];
        pthread_t thread[2];
        cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
        for (int k = 0; k < 2; k++) {
            listener[k] = bg_runtime_spawn(rt, task_listens, &n);
            cr_assert_eq(pthread_create(&thread[k], NULL, thread_listens, &n), 0);
        }
        block_until(&n.ready, 4);
        for (int k = 0; k < SENDERS; k++) {
            sender[k] = bg_runtime_spawn(rt, task_sends, &n);
        }
        for (int k = 0; k < SENDERS; k++) {
            cr_assert_eq(bg_runtime_wait(rt, sender[k]), 0);
        }
        cr_assert_eq(bg_broadcast_close(n.b), 0);
        for (int k = 0; k < 2; k++) {
            cr_assert_eq(bg_runtime_wait(rt, listener[k]), 0);
            (void)pthread_join(thread[k], NULL);
        }
        cr_assert_eq(bg_runtime_shutdown(rt), 0);
        bg_broadcast_destroy(n.b);
        NO_CHECK_FAILED();
    }
}

/*
 * Some come and go while it is sent: each sees a run without a gap that it is not told of, from the
 * number on that was the next when it subscribed.
 */
static int comes_and_goes(void *arg)
{
    struct news *n = arg;
    for (int i = 0; i < 10; i++) {
        bg_subscriber me;
        int64_t v = 0, next = -1;
        size_t missed = 0;
        int64_t least = (int64_t)bgi_load_acquire(&n->sent);
        CHECK(bg_broadcast_subscribe(n->b, &me) == 0);
        int64_t most = (int64_t)bgi_load_acquire(&n->begun);
        for (int k = 0; k < 5; k++) {
            int r = bg_broadcast_recv(&me, &v, &missed);
            if (r != 0) {
                CHECK(r == -EPIPE);
                break;
            }
            int64_t first = v - (int64_t)missed;
            CHECK(next == -1 ? least <= first && first <= most : first == next);
            next = v + 1;
        }
        bg_broadcast_unsubscribe(&me);
    }
    add_one(&n->left);
    return 0;
}

static int coming_and_going(void *arg)
{
    struct news n = {bg_broadcast_create(sizeof(int64_t), *(size_t *)arg), 0, 0, 0, 0, 0};
    bg_task *t[LISTENERS];
    for (int i = 0; i < LISTENERS; i++) {
        t[i] = bg_spawn(comes_and_goes, &n);
    }
    for (int64_t i = 0; bgi_load_acquire(&n.left) < LISTENERS; i++) {
        bgi_store_release(&n.begun, (bgi_word)i + 1);
        CHECK(bg_broadcast_send(n.b, &i) == 0);
        bgi_store_release(&n.sent, (bgi_word)i + 1);
        bg_yield();
    }
    CHECK(bg_gather_all(t, LISTENERS, NULL) == 0);
    bg_broadcast_destroy(n.b);
    return 0;
}

Test(broadcast, subscribers_come_and_go)
{
    for (size_t capacity = 1; capacity < 5; capacity += 2) {
        everywhere(coming_and_going, &capacity);
    }
}

/* ---- too late ---- */

static int too_late(void *arg)
{
    bg_broadcast *b = bg_broadcast_create(sizeof(int), 4);
    bg_subscriber me;
    int v = -1;
    (void)arg;
    CHECK(bg_broadcast_subscribe(b, &me) == 0);
    bg_timeout (BG_MS) {
        CHECK(bg_broadcast_recv(&me, &v, NULL) == -ETIMEDOUT);
        send_number(b, 1);
        CHECK(bg_broadcast_recv(&me, &v, NULL) == -ETIMEDOUT && v == -1);
    }
    send_number(b, 2);
    next_is(&me, 1, 0);
    next_is(&me, 2, 0);
    nothing_new(&me);
    bg_broadcast_unsubscribe(&me);
    bg_broadcast_destroy(b);
    return 0;
}

Test(broadcast, a_wait_that_is_too_late_takes_nothing)
{
    everywhere(too_late, NULL);
}

/* ---- misuse ---- */

static int waits_in_a_callback(void *arg)
{
    CHECK(bg_broadcast_recv(arg, NULL, NULL) == -EPERM);
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

#if BGI_DEBUG
static int waits_with_it(void *arg)
{
    return bg_broadcast_recv(arg, NULL, NULL);
}

static int waits_too(void *arg)
{
    (void)bg_spawn(waits_with_it, arg);
    (void)bg_spawn(waits_with_it, arg);
    bg_yield();
    return 0;
}

static void run_waits_too(void *arg)
{
    (void)bg_run(waits_too, arg, .workers = 1, .spares = BG_NO_SPARES);
}

static int unsubscribes_too_soon(void *arg)
{
    (void)bg_spawn(waits_with_it, arg);
    bg_yield();
    bg_broadcast_unsubscribe(arg);
    return 0;
}

static void run_unsubscribes_too_soon(void *arg)
{
    (void)bg_run(unsubscribes_too_soon, arg, .workers = 1, .spares = BG_NO_SPARES);
}

static void destroy(void *arg)
{
    bg_broadcast_destroy(arg);
}
#endif

Test(broadcast, misuse)
{
    bg_broadcast *b = bg_broadcast_create(0, 1);
    bg_subscriber me;
    cr_assert_eq(bg_broadcast_subscribe(b, &me), 0);
#if BGI_DEBUG
    DIES(run_misplaced, &me, "misuse: bg_broadcast_recv");
    DIES(run_waits_too, &me, "another waits with this subscriber");
    DIES(run_unsubscribes_too_soon, &me, "somebody waits with it");
    DIES(destroy, b, "1 are subscribed");
#else
    run_misplaced(&me);
    NO_CHECK_FAILED();
#endif
    bg_broadcast_unsubscribe(&me);
    bg_broadcast_destroy(b);
}
