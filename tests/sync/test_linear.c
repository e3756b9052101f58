/*
 * Channels and select are linearizable: histories of random programs, in the deterministic mode, on
 * workers and on plain threads. And the checker sees what is not (support/linear.h).
 *
 * Labels: long
 */
#include "linear_run.h"

/* ---- the checker ---- */

static struct lin_op op(enum lin_kind kind, size_t begin, size_t end, int value, int result)
{
    struct lin_op o = {begin, end, kind, 0, result, value, 0, 0};
    return o;
}

static struct lin_op refused(size_t begin, size_t end, unsigned no_send, unsigned no_recv)
{
    struct lin_op o = {begin, end, LIN_REFUSED, 0, 0, 0, no_send, no_recv};
    return o;
}

static int check(int room, size_t n, const struct lin_op *ops)
{
    struct lin_history h = {.chans = 1, .room = {room}, .n = n};
    memcpy(h.op, ops, n * sizeof *ops);
    return lin_check(&h);
}

#define LINEARIZABLE(room, ...)                                                                    \
    check(room, sizeof((struct lin_op[]){__VA_ARGS__}) / sizeof(struct lin_op),                    \
          (struct lin_op[]){__VA_ARGS__})

Test(linear, the_checker_accepts)
{
    cr_assert(LINEARIZABLE(2, op(LIN_SEND, 0, 1, 1, 0), op(LIN_SEND, 2, 3, 2, 0),
                           op(LIN_RECV, 4, 5, 1, 0), op(LIN_RECV, 6, 7, 2, 0)));
    /* Sends at the same time, in either order. */
    cr_assert(LINEARIZABLE(2, op(LIN_SEND, 0, 2, 1, 0), op(LIN_SEND, 1, 3, 2, 0),
                           op(LIN_RECV, 4, 5, 2, 0), op(LIN_RECV, 6, 7, 1, 0)));
    /* A receive that waits, a send that waits. */
    cr_assert(LINEARIZABLE(1, op(LIN_RECV, 0, 3, 1, 0), op(LIN_SEND, 1, 2, 1, 0)));
    cr_assert(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), op(LIN_SEND, 2, 5, 2, 0),
                           op(LIN_RECV, 3, 4, 1, 0)));
    /* A rendezvous. */
    cr_assert(LINEARIZABLE(0, op(LIN_SEND, 0, 3, 1, 0), op(LIN_RECV, 1, 2, 1, 0)));
    /* A close: drained, then told. */
    cr_assert(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), op(LIN_CLOSE, 2, 3, 0, 0),
                           op(LIN_SEND, 4, 5, 0, -EPIPE), op(LIN_RECV, 6, 7, 1, 0),
                           op(LIN_RECV, 8, 9, 0, -EPIPE), op(LIN_CLOSE, 10, 11, 0, -EALREADY)));
    /* Refused while it was full, between two calls. */
    cr_assert(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), refused(2, 5, 1, 0),
                           op(LIN_RECV, 3, 4, 1, 0), refused(6, 7, 0, 1)));
}

Test(linear, the_checker_refuses)
{
    /* Out of order; twice; from nowhere; more than there is room for. */
    cr_assert_not(LINEARIZABLE(2, op(LIN_SEND, 0, 1, 1, 0), op(LIN_SEND, 2, 3, 2, 0),
                               op(LIN_RECV, 4, 5, 2, 0), op(LIN_RECV, 6, 7, 1, 0)));
    cr_assert_not(LINEARIZABLE(2, op(LIN_SEND, 0, 1, 1, 0), op(LIN_RECV, 2, 3, 1, 0),
                               op(LIN_RECV, 4, 5, 1, 0)));
    cr_assert_not(LINEARIZABLE(2, op(LIN_RECV, 0, 1, 1, 0)));
    cr_assert_not(LINEARIZABLE(2, op(LIN_RECV, 0, 1, 1, 0), op(LIN_SEND, 2, 3, 1, 0)));
    cr_assert_not(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), op(LIN_SEND, 2, 3, 2, 0)));
    /* Lost: it was sent, and is not there. */
    cr_assert_not(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), refused(2, 3, 0, 1)));
    /* Refused though there was room, or an item, all the time. */
    cr_assert_not(LINEARIZABLE(1, refused(0, 1, 1, 0)));
    cr_assert_not(LINEARIZABLE(2, op(LIN_SEND, 0, 1, 1, 0), refused(2, 3, 1, 1)));
    /* A rendezvous with one who was not there. */
    cr_assert_not(LINEARIZABLE(0, op(LIN_SEND, 0, 1, 1, 0), op(LIN_RECV, 2, 3, 1, 0)));
    cr_assert_not(LINEARIZABLE(0, op(LIN_SEND, 0, 1, 1, 0)));
    /* Told of a close that was not, or too early; sent after one; closed twice. */
    cr_assert_not(LINEARIZABLE(1, op(LIN_RECV, 0, 1, 0, -EPIPE)));
    cr_assert_not(LINEARIZABLE(1, op(LIN_SEND, 0, 1, 1, 0), op(LIN_CLOSE, 2, 3, 0, 0),
                               op(LIN_RECV, 4, 5, 0, -EPIPE)));
    cr_assert_not(LINEARIZABLE(1, op(LIN_CLOSE, 0, 1, 0, 0), op(LIN_SEND, 2, 3, 1, 0)));
    cr_assert_not(LINEARIZABLE(1, op(LIN_CLOSE, 0, 1, 0, 0), op(LIN_CLOSE, 2, 3, 0, 0)));
    cr_assert_not(LINEARIZABLE(1, op(LIN_CLOSE, 0, 1, 0, -EALREADY)));
}

/* ---- histories ---- */

Test(linear, in_any_schedule)
{
    struct lr_job job = {1, 5, 0};
    cr_assert_eq(bg_explore(lr_main, &job, .seeds = MANY(1000)), 0);
    NO_CHECK_FAILED();
}

Test(linear, on_workers)
{
    EACH_WORKER_COUNT(w)
    {
        struct lr_job job = {1000000 * w, MANY(300), 0};
        RUN(lr_main, &job, .workers = w);
    }
}

static void *thread_party(void *arg)
{
    struct lr_run *r = arg;
    add_one(&r->begun);
    while (bgi_load_acquire(&r->begun) < LR_PARTIES) { /* all at once */
        (void)sched_yield();
    }
    lr_party(r);
    return NULL;
}

Test(linear, on_plain_threads)
{
    static struct lr_run r;
    for (int i = 0; i < MANY(300); i++) {
        pthread_t thread[LR_PARTIES];
        lr_begin(&r, 7000000 + (uint64_t)i);
        for (int p = 0; p < LR_PARTIES; p++) {
            cr_assert_eq(pthread_create(&thread[p], NULL, thread_party, &r), 0);
        }
        for (int p = 0; p < LR_PARTIES; p++) {
            (void)pthread_join(thread[p], NULL);
        }
        int linearizable = lr_end(&r);
        if (!linearizable) {
            lin_print(&r.h);
        }
        cr_assert(linearizable, "program %llu", (unsigned long long)r.seed);
        NO_CHECK_FAILED();
    }
}

/* Tasks of a runtime and plain threads. */
Test(linear, on_both)
{
    static struct lr_run r;
    bg_runtime *rt = NULL;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
    for (int i = 0; i < MANY(200); i++) {
        pthread_t thread[LR_PARTIES / 2];
        bg_task *t[LR_PARTIES / 2];
        lr_begin(&r, 9000000 + (uint64_t)i);
        bgi_store(&r.begun, LR_PARTIES / 2); /* two threads wait for each other */
        for (int p = 0; p < LR_PARTIES / 2; p++) {
            t[p] = bg_runtime_spawn(rt, lr_task, &r);
            cr_assert_eq(pthread_create(&thread[p], NULL, thread_party, &r), 0);
        }
        for (int p = 0; p < LR_PARTIES / 2; p++) {
            (void)pthread_join(thread[p], NULL);
            cr_assert_eq(bg_runtime_wait(rt, t[p]), 0);
        }
        int linearizable = lr_end(&r);
        if (!linearizable) {
            lin_print(&r.h);
        }
        cr_assert(linearizable, "program %llu", (unsigned long long)r.seed);
        NO_CHECK_FAILED();
    }
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
}
