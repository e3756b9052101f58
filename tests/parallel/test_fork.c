/*
 * Fork and join: results as of calls, whoever runs them; forks that wait; the end of who forked;
 * and what happens when nothing can be had.
 *
 * Labels: valgrind aarch64
 */
#include "parallel/fork.h"

#include "../task/check.h"

#include "dies.h"
#include "stolen.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static BG_TASK(long, fib, (int, n))
{
    fib_frame f;
    if (n < 2) {
        return n;
    }
    fib_fork(&f, n - 1);
    long b = fib(n - 2);
    return fib_join(&f) + b;
}

static int fib_body(void *arg)
{
    int n = (int)(intptr_t)arg;
    long a = 0, b = 1;
    for (int i = 0; i < n; i++) {
        long c = a + b;
        a = b;
        b = c;
    }
    CHECK(fib(n) == a);
    return 0;
}

Test(fork, results_are_those_of_calls)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(fib_body, INT_ARG(MANY(100) / 5), .workers = w);
    }
    cr_assert_eq(bg_explore(fib_body, INT_ARG(7), .seeds = MANY(1000)), 0);
    NO_CHECK_FAILED();
}

Test(fork, on_a_plain_thread_they_are_calls)
{
    (void)fib_body(INT_ARG(15));
    NO_CHECK_FAILED();
}

/* ---- of every kind ---- */

struct tree {
    bg_mutex lock;
    bg_chan *chan;
    int depth;
    bgi_atomic leaves;
};

/* A tree of forks, whose leaves wait in one way or another. */
static int grow(struct tree *t, int depth, int way);

struct branch {
    struct tree *t;
    int depth, way;
};

static int branch(void *arg)
{
    struct branch *b = arg;
    return grow(b->t, b->depth, b->way);
}

static void leaf(struct tree *t, int way)
{
    int v = way;
    switch (t->chan != NULL || way % 5 < 2 ? way % 5 : 4) {
    case 0:
        CHECK(bg_sleep(way % 3 * BG_US) == 0);
        break;
    case 1:
        CHECK(bg_mutex_lock(&t->lock) == 0);
        bg_yield();
        CHECK(bg_mutex_unlock(&t->lock) == 0);
        break;
    case 2:
        CHECK(bg_send(t->chan, &v) == 0);
        break;
    case 3:
        CHECK(bg_recv(t->chan, &v) == 0);
        CHECK(v % 5 == 2);
        break;
    default:
        break;
    }
    add_one(&t->leaves);
}

static int grow(struct tree *t, int depth, int way)
{
    bg_fork_frame f[3];
    struct branch b[3];
    if (depth == 0) {
        leaf(t, way);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        b[i] = (struct branch){t, depth - 1, way + i};
        bg_fork(&f[i], branch, &b[i]);
    }
    int n = grow(t, depth - 1, way + 3) + grow(t, depth - 1, way + 4);
    for (int i = 3; i-- > 0;) {
        n += bg_join(&f[i]);
    }
    return n;
}

static int grow_tree(int depth, bg_chan *chan)
{
    struct tree t;
    memset(&t, 0, sizeof t);
    bg_mutex_init(&t.lock);
    t.depth = depth;
    t.chan = chan;
    int leaves = 1;
    for (int i = 0; i < t.depth; i++) {
        leaves *= 5;
    }
    CHECK(grow(&t, t.depth, 0) == leaves);
    CHECK(bgi_load(&t.leaves) == (bgi_word)leaves);
    bg_mutex_destroy(&t.lock);
    return 0;
}

static int grow_a_tree(void *arg)
{
    bg_chan *chan = bg_chan_create(sizeof(int), 1);
    int r = grow_tree((int)(intptr_t)arg, chan);
    bg_chan_destroy(chan);
    return r;
}

Test(fork, what_is_forked_may_wait)
{
    EACH_WORKER_COUNT(w)
    {
        for (int i = 0; i < MANY(20); i++) {
            RUN(grow_a_tree, INT_ARG(i % 5), .workers = w);
        }
    }
    cr_assert_eq(bg_explore(grow_a_tree, INT_ARG(2), .seeds = MANY(600)), 0);
    NO_CHECK_FAILED();
}

/* ---- it runs elsewhere ---- */

static int signals(void *arg)
{
    bgi_store_release((bgi_atomic *)arg, 1);
    return 7;
}

/* The caller does not wait in any way that the library knows: another worker has to run it. */
static int is_run_meanwhile(void *arg)
{
    bgi_atomic done = 0;
    bg_fork_frame f;
    (void)arg;
    bg_fork(&f, signals, (void *)&done);
    block_until(&done, 1);
    CHECK(bg_join(&f) == 7);
    return 0;
}

Test(fork, a_worker_with_nothing_to_do_takes_it)
{
    for (int i = 0; i < MANY(50); i++) {
        RUN(is_run_meanwhile, NULL, .workers = 2);
    }
}

static int sees_itself(void *arg)
{
    return bg_self() == arg;
}

/* While the caller sleeps, all that it has forked is run by others, and on one worker too. */
static int sleeps_before_it_joins(void *arg)
{
    bgi_atomic done[3] = {0, 0, 0};
    bg_fork_frame f[3], same;
    (void)arg;
    for (int i = 0; i < 3; i++) {
        bg_fork(&f[i], signals, (void *)&done[i]);
    }
    while (bgi_load_acquire(&done[0]) + bgi_load_acquire(&done[1]) + bgi_load_acquire(&done[2]) <
           3) {
        CHECK(bg_sleep(10 * BG_US) == 0);
    }
    bg_fork(&same, sees_itself, bg_self());
    (void)bg_join(&same);
    for (int i = 3; i-- > 0;) {
        CHECK(bg_join(&f[i]) == 7);
    }
    return 0;
}

Test(fork, who_sleeps_leaves_its_forks_to_others)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(sleeps_before_it_joins, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(sleeps_before_it_joins, NULL, .seeds = MANY(500)), 0);
    NO_CHECK_FAILED();
}

static int in_order(void *arg)
{
    bgi_atomic *next = arg;
    return (int)bgi_fetch_add(next, 1);
}

static int alone(void *arg)
{
    bgi_atomic next = 0;
    bg_fork_frame f, g;
    (void)arg;
    for (int i = 0; i < 100; i++) {
        bg_fork(&f, in_order, (void *)&next);
        bg_fork(&g, in_order, (void *)&next);
        CHECK(bg_join(&g) == 2 * i);
        CHECK(bg_join(&f) == 2 * i + 1);
        bg_fork(&f, sees_itself, bg_self());
        CHECK(bg_join(&f) == 1); /* on the caller's own stack */
    }
    bg_stats s = {.size = sizeof s};
    CHECK(bg_runtime_stats(NULL, &s) == 0);
    CHECK(s.tasks_spawned == 1);
    return 0;
}

Test(fork, with_one_worker_it_is_a_call)
{
    if (!forks_are_stolen()) {
        RUN(alone, NULL, .workers = 1, .spares = BG_NO_SPARES);
    }
}

/* ---- as its caller ---- */

static bg_local colour = BG_LOCAL_INIT;

static int sees_colour(void *arg)
{
    return bg_local_get(&colour) == arg;
}

/* Whoever makes a task of it: the owner, for another worker or as it sleeps; or the monitor. */
static int locals_come_along(void *arg)
{
    bg_fork_frame f[3];
    (void)arg;
    CHECK(bg_local_set(&colour, &f[0]) == 0);
    for (int i = 0; i < 3; i++) {
        bg_fork(&f[i], sees_colour, &f[0]);
        CHECK(bg_local_set(&colour, &f[1]) == 0);
        CHECK(bg_local_set(&colour, &f[0]) == 0);
        bgi_forks_take(bgi_worker_self());
    }
    CHECK(bg_sleep(BG_US) == 0);
    for (int i = 3; i-- > 0;) {
        CHECK(bg_join(&f[i]) == 1);
    }
    return 0;
}

Test(fork, locals_come_along)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(locals_come_along, NULL, .workers = w);
    }
}

static int some_colour[2];
static bgi_atomic over;

static int sees_some_colour(void *arg)
{
    const int *c = bg_local_get(&colour);
    (void)arg;
    return c == &some_colour[0] || c == &some_colour[1];
}

/* As the monitor does, at any time. */
static void *takes(void *worker)
{
    while (bgi_load_acquire(&over) == 0) {
        bgi_forks_take(worker);
        (void)sched_yield();
    }
    return NULL;
}

static int sets_locals_while_taken_from(void *arg)
{
    pthread_t taker;
    bg_fork_frame f;
    (void)arg;
    bgi_store(&over, 0);
    CHECK(pthread_create(&taker, NULL, takes, bgi_worker_self()) == 0);
    for (int i = 0; i < MANY(2000); i++) {
        CHECK(bg_local_set(&colour, &some_colour[0]) == 0);
        bg_fork(&f, sees_some_colour, NULL);
        for (int k = 0; k < 10; k++) {
            CHECK(bg_local_set(&colour, &some_colour[k % 2]) == 0);
        }
        CHECK(bg_join(&f) == 1);
    }
    bgi_store_release(&over, 1);
    CHECK(pthread_join(taker, NULL) == 0);
    return 0;
}

Test(fork, locals_are_set_as_the_monitor_takes)
{
    RUN(sets_locals_while_taken_from, NULL, .workers = 1);
    RUN(sets_locals_while_taken_from, NULL, .workers = 4);
}

/* Needs more than the stacks of other tasks have. */
static int needs_space(void *arg)
{
    volatile char space[200 * 1024];
    for (size_t i = 0; i < sizeof space; i += 1024) {
        space[i] = (char)i;
    }
    return space[1024] == (char)1024 && arg == NULL;
}

static int space_comes_along(void *arg)
{
    bg_fork_frame f[2];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        bg_fork(&f[i], needs_space, NULL);
        bgi_forks_take(bgi_worker_self());
    }
    CHECK(bg_sleep(BG_US) == 0);
    CHECK(bg_join(&f[1]) == 1);
    CHECK(bg_join(&f[0]) == 1);
    return 0;
}

static int in_a_large_task(void *arg)
{
    return bg_await(bg_spawn(space_comes_along, arg, .stack_size = 512 * 1024));
}

Test(fork, the_size_of_the_stack_comes_along)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(in_a_large_task, NULL, .workers = w, .stack_size = 64 * 1024);
    }
}

/* ---- cancelled ---- */

static int waits_forever(void *arg)
{
    add_one(arg);
    return bg_sleep(BG_FOREVER);
}

static int forks_and_joins(void *arg)
{
    bg_fork_frame f[4];
    for (int i = 0; i < 4; i++) {
        bg_fork(&f[i], waits_forever, arg);
    }
    int r = waits_forever(arg);
    for (int i = 4; i-- > 0;) {
        CHECK(bg_join(&f[i]) == -ECANCELED);
    }
    return r;
}

static int cancels(void *arg)
{
    bgi_atomic began = 0;
    (void)arg;
    bg_task *t = bg_spawn(forks_and_joins, (void *)&began);
    yield_until(&began, 1);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    CHECK(bgi_load(&began) == 5); /* each has run, be it to be told so */
    return 0;
}

Test(fork, a_cancel_reaches_what_was_forked)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(cancels, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(cancels, NULL, .seeds = MANY(1000)), 0);
    NO_CHECK_FAILED();
}

static int has_a_deadline(void *arg)
{
    bgi_atomic began = 0;
    bg_fork_frame f;
    int r = 0;
    (void)arg;
    bg_timeout (BG_MS) {
        bg_fork(&f, waits_forever, (void *)&began);
        r = bg_sleep(BG_FOREVER);
        int joined = bg_join(&f);
        CHECK(joined == -ECANCELED || joined == -ETIMEDOUT);
    }
    CHECK(r == -ETIMEDOUT && bgi_load(&began) == 1);
    CHECK(bg_sleep(0) == 0);
    return 0;
}

Test(fork, a_deadline_reaches_it_too)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(has_a_deadline, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(has_a_deadline, NULL, .seeds = MANY(500)), 0);
    NO_CHECK_FAILED();
}

/* The runtime ends while others hold forks: each is still run once, and joined. */
static bgi_atomic forked_runs;

static int one_run(void *arg)
{
    (void)arg;
    (void)bgi_fetch_add(&forked_runs, 1);
    return bg_sleep(BG_US);
}

static int goes_on(void *arg)
{
    bg_fork_frame f[3];
    for (int round = 0; round < 50; round++) {
        bgi_word before = bgi_load(&forked_runs);
        for (int i = 0; i < 3; i++) {
            bg_fork(&f[i], one_run, arg);
        }
        (void)bg_sleep(BG_US);
        for (int i = 3; i-- > 0;) {
            (void)bg_join(&f[i]);
        }
        CHECK(bgi_load(&forked_runs) >= before + 3);
    }
    add_one(arg);
    return 0;
}

static bgi_atomic gone_on;

static int leaves_them(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        bg_detach(bg_spawn(goes_on, (void *)&gone_on));
    }
    for (int i = 0; i < 8; i++) {
        bg_yield();
    }
    return 0;
}

Test(fork, at_the_end_of_the_runtime)
{
    EACH_WORKER_COUNT(w)
    {
        for (int i = 0; i < MANY(20); i++) {
            RUN(leaves_them, NULL, .workers = w);
        }
    }
    cr_assert_eq(bg_explore(leaves_them, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- nothing can be had ---- */

static int fib_of_ten(void *arg)
{
    (void)arg;
    CHECK(fib(10) == 55);
    struct tree t;
    memset(&t, 0, sizeof t);
    bg_mutex_init(&t.lock);
    for (int i = 0; i < 5; i++) {
        bg_fork_frame f;
        bgi_atomic done = 0;
        bg_fork(&f, signals, (void *)&done);
        CHECK(bg_sleep(0) == 0);
        CHECK(bg_join(&f) == 7);
    }
    bg_mutex_destroy(&t.lock);
    return 99;
}

Test(fork, every_request_is_refused_once)
{
    static const unsigned kinds[] = {BGI_FAULT_MALLOC, BGI_FAULT_MMAP, BGI_FAULT_ALL};
    size_t live = bgi_alloc_live();
    for (size_t k = 0; k < BGI_ARRAY_LEN(kinds); k++) {
        for (int forever = 0; forever < 2; forever++) {
            int missed = 0, ran = 0;
            for (size_t n = 1; missed < 2; n++) {
                bgi_fault_arm(kinds[k] | (forever ? BGI_FAULT_FOREVER : 0), n);
                int r = bg_run(fib_of_ten, NULL, .workers = 2);
                bgi_fault_disarm();
                NO_CHECK_FAILED();
                cr_assert(r == 99 || r == -ENOMEM || r == -EAGAIN);
                ran += r == 99;
                missed = bgi_fault_count() < n ? missed + 1 : 0;
                cr_assert_eq(bgi_alloc_live(), live);
            }
            cr_assert_gt(ran, 1);
        }
    }
}

static int too_many(void *arg)
{
    (void)arg;
    CHECK(fib(12) == 144);
    return 0;
}

/* None waits for another: that one may not have begun. */
static int more_than_may_be(void *arg)
{
    return grow_tree((int)(intptr_t)arg, NULL);
}

Test(fork, there_may_be_no_more_tasks)
{
    RUN(too_many, NULL, .workers = 4, .max_tasks = 1);
    for (int i = 0; i < MANY(100); i++) {
        RUN(more_than_may_be, INT_ARG(2), .workers = 4, .max_tasks = 3);
    }
}

/* ---- in a callback ---- */

static int forks_in_a_callback(void *arg)
{
    CHECK(bg_self() == NULL);
    CHECK(fib(10) == 55);
    add_one(arg);
    return 0;
}

static int has_callbacks(void *arg)
{
    bgi_atomic called = 0;
    (void)arg;
    for (int i = 0; i < 10; i++) {
        CHECK(bg_after(i * BG_US, forks_in_a_callback, (void *)&called) == 0);
    }
    CHECK(fib(10) == 55);
    yield_until(&called, 10);
    return 0;
}

Test(fork, in_a_callback_it_is_a_call)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(has_callbacks, NULL, .workers = w);
    }
}

/* ---- too deep ---- */

static BG_TASK(long, deep, (long, n))
{
    deep_frame f;
    if (n == 0) {
        return 0;
    }
    deep_fork(&f, n - 1);
    return deep_join(&f) + 1;
}

static int a_million_deep(void *arg)
{
    (void)arg;
    return deep(1000 * 1000) == 0;
}

static void recurse(void *unused)
{
    (void)unused;
    (void)bg_run(a_million_deep, NULL, .workers = 2, .name = "diver", .stack_size = 64 * 1024);
}

Test(fork, too_deep_a_recursion_is_reported)
{
    /* When all are stolen each level has a stack of its own. The thread sanitizer's own functions
     * run on the task's stack, and what they hold as it overflows the report of it waits for. */
    if (!forks_are_stolen() && !BGI_TSAN) {
        DIES(recurse, NULL, "stack overflow in task");
    }
}

static int deep_enough(void *arg)
{
    (void)arg;
    CHECK(deep(300 * 1000) == 300 * 1000);
    return 0;
}

Test(fork, a_recursion_is_as_deep_as_its_stack)
{
    if (!forks_are_stolen() && CHECK_SLOW == 0) {
        RUN(deep_enough, NULL, .workers = 1, .stack_size = 128 << 20);
        RUN(deep_enough, NULL, .workers = 4, .stack_size = 128 << 20);
    }
}

/* ---- misuse ---- */

#if BGI_DEBUG

static int joins_out_of_turn(void *arg)
{
    bg_fork_frame f, g;
    (void)arg;
    bg_fork(&f, return_arg, NULL);
    bg_fork(&g, return_arg, NULL);
    (void)bg_join(&f);
    (void)bg_join(&g);
    return 0;
}

static int does_not_join(void *arg)
{
    static bg_fork_frame f;
    bg_fork(&f, return_arg, arg);
    return 0;
}

static void run_one(void *fn)
{
    (void)bg_run(*(bg_fn *)fn, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

Test(fork, misuse_is_caught)
{
    bg_fn fn = joins_out_of_turn;
    if (forks_are_stolen()) {
        return; /* they wait in no list */
    }
    DIES(run_one, &fn, "a fork that was made later is to be joined before");
    fn = does_not_join;
    DIES(run_one, &fn, "the task has ended with a fork not joined");
}

#endif
