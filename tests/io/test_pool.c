/*
 * The pool of threads, without tasks: the waiters are those of plain threads. Its file is compiled
 * here once more, so that a thread, or memory for one, can be refused, and something else can come
 * at that very moment.
 */
#include "latch.h"

#include "io/check.h"

static void (*at_create)(void); /* comes once, just before a thread is made */
static int refuse_thread, refuse_memory;

static int met_thread_create(bgi_thread *out, void *(*fn)(void *), void *arg)
{
    void (*comes)(void) = at_create;
    if (comes != NULL) {
        at_create = NULL;
        comes();
    }
    return refuse_thread ? -EAGAIN : bgi_thread_create(out, fn, arg);
}

static void *met_malloc(size_t size)
{
    return refuse_memory ? NULL : bgi_malloc(size);
}

static void *met_calloc(size_t n, size_t size)
{
    return refuse_memory ? NULL : bgi_calloc(n, size);
}

#define bgi_thread_create met_thread_create
#define bgi_malloc met_malloc
#define bgi_calloc met_calloc
#include "io/pool.c"

static const bgi_cpu_set any_cpu;
#undef bgi_thread_create
#undef bgi_malloc
#undef bgi_calloc

/* A call, and a thread's wait for it. */
struct call {
    bgi_thread_waiter waiter;
    bgi_job *job;
    latch begun, may_end;
    pthread_t by;
    int n, result;
};

static bgi_atomic order; /* of the calls that began */

static int run_call(void *arg)
{
    struct call *c = arg;
    c->n = (int)bgi_fetch_add(&order, 1);
    c->by = pthread_self();
    latch_open(&c->begun);
    latch_wait(&c->may_end);
    return c->result;
}

static void submit(bgi_pool *p, struct call *c, int result)
{
    bgi_thread_waiter_init(&c->waiter);
    c->result = result;
    c->n = -1;
    c->job = bgi_calloc(1, sizeof *c->job);
    cr_assert_not_null(c->job);
    c->job->fn = run_call;
    c->job->arg = c;
    c->job->waiter = &c->waiter.waiter;
    c->job->name = "a call";
    bgi_pool_submit(p, c->job);
}

static int finish(struct call *c)
{
    bgi_thread_waiter_wait(&c->waiter);
    cr_assert_eq(c->job->state, BGI_JOB_DONE);
    int result = c->job->result;
    bgi_free(c->job);
    return result;
}

static bgi_pool_counts counts(bgi_pool *p)
{
    bgi_pool_counts c;
    bgi_pool_count(p, &c);
    return c;
}

/* Until so many have nothing to do. */
static void wait_idle_count(bgi_pool *p, unsigned n)
{
    static const struct timespec pause = {0, 100000};
    while (counts(p).idle != n) {
        (void)nanosleep(&pause, NULL);
    }
}

static bgi_pool *pool_of(unsigned most, bg_duration keep)
{
    bgi_pool *p = bgi_pool_create(most, keep, &any_cpu);
    cr_assert_not_null(p);
    bgi_store(&order, 0);
    return p;
}

/* ---- calls ---- */

Test(pool, a_result_comes_back)
{
    size_t threads = usual_threads();
    bgi_pool *p = pool_of(4, BG_S);
    struct call c = {0};
    latch_open(&c.may_end);
    for (int i = -3; i < 3; i++) {
        submit(p, &c, i);
        cr_assert_eq(finish(&c), i);
    }
    cr_assert_leq(counts(p).threads, 4);
    bgi_pool_end(p);
    cr_assert(threads_settle(threads));
}

Test(pool, a_pool_without_calls_has_no_threads)
{
    size_t threads = usual_threads();
    bgi_pool *p = pool_of(4, BG_S);
    cr_assert_eq(count_threads(), threads);
    cr_assert_eq(counts(p).threads, 0);
    bgi_pool_end(p);
}

Test(pool, it_grows_up_to_its_limit_and_serves_in_order)
{
    enum { MOST = 3, CALLS = 10 };
    bgi_pool *p = pool_of(MOST, BG_S);
    struct call c[CALLS] = {0};
    for (int i = 0; i < CALLS; i++) {
        submit(p, &c[i], i);
        if (i < MOST) {
            latch_wait(&c[i].begun);
        }
        cr_assert_eq(counts(p).threads, (unsigned)(i < MOST ? i + 1 : MOST));
    }
    cr_assert_eq(counts(p).queued, CALLS - MOST);
    for (int i = 0; i < CALLS; i++) {
        /* One ends, the one that has waited longest begins. */
        latch_open(&c[i].may_end);
        cr_assert_eq(finish(&c[i]), i);
        cr_assert_eq(c[i].n, i);
        if (i + MOST < CALLS) {
            latch_wait(&c[i + MOST].begun);
        }
    }
    cr_assert_eq(counts(p).threads, MOST);
    cr_assert_eq(counts(p).queued, 0);
    bgi_pool_end(p);
}

Test(pool, the_thread_that_has_just_become_idle_is_taken_first)
{
    bgi_pool *p = pool_of(4, BG_MIN);
    struct call a = {0}, b = {0};
    submit(p, &a, 1);
    submit(p, &b, 2);
    latch_wait(&a.begun);
    latch_wait(&b.begun);
    cr_assert_not(pthread_equal(a.by, b.by));
    latch_open(&b.may_end);
    wait_idle_count(p, 1);
    latch_open(&a.may_end);
    wait_idle_count(p, 2);
    cr_assert_eq(finish(&a), 1);
    cr_assert_eq(finish(&b), 2);
    for (int i = 0; i < 5; i++) {
        struct call c = {0};
        latch_open(&c.may_end);
        submit(p, &c, 3);
        cr_assert_eq(finish(&c), 3);
        cr_assert(pthread_equal(c.by, a.by));
        wait_idle_count(p, 2);
    }
    cr_assert_eq(counts(p).threads, 2);
    bgi_pool_end(p);
}

Test(pool, threads_without_work_leave)
{
    enum { CALLS = 5 };
    size_t usual = usual_threads();
    bgi_pool *p = pool_of(CALLS, BG_MS);
    for (int round = 0; round < 3; round++) {
        struct call c[CALLS] = {0};
        for (int i = 0; i < CALLS; i++) {
            submit(p, &c[i], i);
        }
        for (int i = 0; i < CALLS; i++) {
            latch_wait(&c[i].begun);
        }
        cr_assert_eq(counts(p).threads, CALLS);
        for (int i = 0; i < CALLS; i++) {
            latch_open(&c[i].may_end);
        }
        for (int i = 0; i < CALLS; i++) {
            cr_assert_eq(finish(&c[i]), i);
        }
        static const struct timespec pause = {0, 100000};
        while (counts(p).threads != 0) {
            (void)nanosleep(&pause, NULL);
        }
        cr_assert(threads_settle(usual)); /* and have been joined, but for the last */
    }
    bgi_pool_end(p);
}

/* ---- giving up ---- */

Test(pool, a_queued_call_is_taken_back)
{
    bgi_pool *p = pool_of(1, BG_S);
    struct call a = {0}, b = {0}, c = {0};
    submit(p, &a, 1);
    latch_wait(&a.begun);
    submit(p, &b, 2);
    submit(p, &c, 3);
    cr_assert_eq(bgi_pool_give_up(p, b.job), BGI_JOB_QUEUED);
    bgi_free(b.job);
    cr_assert_eq(counts(p).queued, 1);
    cr_assert_eq(counts(p).abandoned, 0);
    latch_open(&a.may_end);
    latch_open(&b.may_end);
    latch_open(&c.may_end);
    cr_assert_eq(finish(&a), 1);
    cr_assert_eq(finish(&c), 3);
    cr_assert_eq(b.n, -1);
    cr_assert_eq(c.n, 1);
    bgi_pool_end(p);
}

Test(pool, a_running_call_is_abandoned)
{
    bgi_pool *p = pool_of(1, BG_S);
    struct call a = {0}, b = {0};
    submit(p, &a, 1);
    latch_wait(&a.begun);
    cr_assert_eq(bgi_pool_give_up(p, a.job), BGI_JOB_TAKEN);
    cr_assert_eq(counts(p).abandoned, 1);
    submit(p, &b, 2); /* its thread is still busy */
    cr_assert_eq(counts(p).queued, 1);
    latch_open(&a.may_end);
    latch_open(&b.may_end);
    cr_assert_eq(finish(&b), 2);
    cr_assert_eq(counts(p).abandoned, 0);
    /* No signal came: the waiter is as it was. */
    cr_assert_eq(bgi_load(&a.waiter.waiter.state), 0);
    bgi_pool_end(p);
}

Test(pool, a_call_that_is_done_cannot_be_given_up)
{
    bgi_pool *p = pool_of(1, BG_S);
    struct call a = {0};
    latch_open(&a.may_end);
    submit(p, &a, 1);
    wait_idle_count(p, 1); /* it has signalled */
    cr_assert_eq(bgi_pool_give_up(p, a.job), BGI_JOB_DONE);
    cr_assert_eq(finish(&a), 1);
    bgi_pool_end(p);
}

static void *open_latch(void *arg)
{
    latch_open(arg);
    return NULL;
}

Test(pool, the_end_waits_for_abandoned_calls)
{
    bgi_pool *p = pool_of(2, BG_S);
    struct call a = {0};
    pthread_t opener;
    submit(p, &a, 1);
    latch_wait(&a.begun);
    cr_assert_eq(bgi_pool_give_up(p, a.job), BGI_JOB_TAKEN);
    cr_assert_eq(pthread_create(&opener, NULL, open_latch, &a.may_end), 0);
    bgi_pool_end(p);
    cr_assert_eq(bgi_load(&a.may_end.open), 1); /* not before */
    cr_assert_eq(pthread_join(opener, NULL), 0);
}

/* ---- threads that cannot be had ---- */

Test(pool, no_memory_for_a_pool)
{
    refuse_memory = 1;
    cr_assert_null(bgi_pool_create(1, BG_S, &any_cpu));
    refuse_memory = 0;
}

Test(pool, without_a_thread_the_call_fails)
{
    bgi_pool *p = pool_of(2, BG_S);
    struct call a = {0};
    latch_open(&a.may_end);
    refuse_thread = 1;
    submit(p, &a, 1);
    cr_assert_eq(finish(&a), -EAGAIN);
    refuse_thread = 0;
    refuse_memory = 1;
    submit(p, &a, 1);
    cr_assert_eq(finish(&a), -ENOMEM);
    refuse_memory = 0;
    cr_assert_eq(a.n, -1);
    cr_assert_eq(counts(p).threads, 0);
    cr_assert_eq(counts(p).queued, 0);
    submit(p, &a, 1); /* and all is as before */
    cr_assert_eq(finish(&a), 1);
    bgi_pool_end(p);
}

Test(pool, one_thread_is_enough)
{
    bgi_pool *p = pool_of(2, BG_S);
    struct call a = {0}, b = {0};
    submit(p, &a, 1);
    latch_wait(&a.begun);
    refuse_thread = 1;
    latch_open(&b.may_end);
    submit(p, &b, 2);
    refuse_thread = 0;
    cr_assert_eq(counts(p).threads, 1);
    cr_assert_eq(counts(p).queued, 1);
    latch_open(&a.may_end);
    cr_assert_eq(finish(&a), 1);
    cr_assert_eq(finish(&b), 2);
    bgi_pool_end(p);
}

/* What comes while the first thread is being made, which then cannot be. */
static bgi_pool *the_pool;
static struct call early, late;

static void submit_late(void)
{
    submit(the_pool, &late, 2); /* counts on that thread: there may be no other */
}

static void submit_and_give_up(void)
{
    submit_late();
    cr_assert_eq(bgi_pool_give_up(the_pool, late.job), BGI_JOB_QUEUED);
    bgi_free(late.job);
    cr_assert_eq(bgi_pool_give_up(the_pool, early.job), BGI_JOB_QUEUED);
}

Test(pool, who_counted_on_a_thread_that_cannot_be_made)
{
    the_pool = pool_of(1, BG_S);
    latch_open(&early.may_end);
    latch_open(&late.may_end);
    refuse_thread = 1;
    at_create = submit_late;
    submit(the_pool, &early, 1);
    cr_assert_eq(finish(&early), -EAGAIN);
    cr_assert_eq(finish(&late), -EAGAIN);
    cr_assert_eq(counts(the_pool).queued, 0);

    at_create = submit_and_give_up; /* nobody is left to be told */
    submit(the_pool, &early, 1);
    bgi_free(early.job);
    cr_assert_eq(counts(the_pool).queued, 0);
    cr_assert_eq(counts(the_pool).threads, 0);
    refuse_thread = 0;
    bgi_pool_end(the_pool);
}

/* With room for two the second makes a thread of its own, which serves both. */
static void submit_with_thread(void)
{
    refuse_thread = 0;
    submit_late();
    latch_wait(&late.begun);
    refuse_thread = 1;
}

Test(pool, another_thread_takes_what_was_meant_for_one_that_cannot_be_made)
{
    the_pool = pool_of(2, BG_S);
    latch_open(&early.may_end);
    latch_open(&late.may_end);
    at_create = submit_with_thread;
    submit(the_pool, &early, 1);
    refuse_thread = 0;
    cr_assert_eq(finish(&early), 1);
    cr_assert_eq(finish(&late), 2);
    cr_assert_eq(counts(the_pool).threads, 1);
    bgi_pool_end(the_pool);
}

/* ---- all at once ---- */

enum { STRESS_CALLS = 2000, STRESS_THREADS = 4 };

static bgi_atomic stress_ran;

static int count_up(void *arg)
{
    (void)bgi_fetch_add(arg, 1);
    return 5;
}

/* Calls, some of which are given up at once; each is served once, taken back, or abandoned. */
static void *stress(void *arg)
{
    bgi_pool *p = arg;
    size_t served = 0;
    for (int i = 0; i < MANY(STRESS_CALLS); i++) {
        bgi_thread_waiter w;
        bgi_job *j = bgi_calloc(1, sizeof *j);
        if (j == NULL) {
            return NULL;
        }
        bgi_thread_waiter_init(&w);
        j->fn = count_up;
        j->arg = (void *)(uintptr_t)&stress_ran;
        j->waiter = &w.waiter;
        j->name = "stress";
        bgi_pool_submit(p, j);
        enum bgi_job_state s = i % 3 == 0 ? bgi_pool_give_up(p, j) : BGI_JOB_DONE;
        if (s == BGI_JOB_DONE) {
            bgi_thread_waiter_wait(&w);
            CHECK(j->state == BGI_JOB_DONE && j->result == 5);
        }
        served += s != BGI_JOB_QUEUED;
        if (s != BGI_JOB_TAKEN) {
            bgi_free(j);
        }
        if (i % 64 == 0) {
            bgi_pool_check(p);
        }
    }
    return (void *)served;
}

Test(pool, many_at_once)
{
    static const unsigned most[] = {1, 2, 8};
    static const bg_duration keep[] = {0, BG_US, BG_S};
    for (int round = 0; round < 9; round++) {
        bgi_pool *p = pool_of(most[round % 3], keep[round / 3]);
        pthread_t thread[STRESS_THREADS];
        size_t served = 0;
        bgi_store(&stress_ran, 0);
        for (int i = 0; i < STRESS_THREADS; i++) {
            cr_assert_eq(pthread_create(&thread[i], NULL, stress, p), 0);
        }
        for (int i = 0; i < STRESS_THREADS; i++) {
            void *n = NULL;
            cr_assert_eq(pthread_join(thread[i], &n), 0);
            served += (size_t)n;
        }
        bgi_pool_end(p);
        cr_assert_eq(bgi_load(&stress_ran), served);
        NO_CHECK_FAILED();
    }
}
