/*
 * Random programs of tasks, with an oracle.
 *
 * A program is a tree of nodes. Each node is a task that does a random number of random steps:
 * yields, sleeps, spawns, awaits, gathers, waits for any, cancels, detaches, sets timers. All of it
 * follows from the seed and the node's number, so the oracle knows without running anything what a
 * node returns: its value. What depends on the schedule is only whether a node that may be
 * cancelled is, and where.
 *
 * Checked, of each node: it runs at most once; if it begins it ends; it returns its value, or
 * -ECANCELED if it or somebody above it may have been cancelled; a node that was spawned and may
 * not have been cancelled has run. Of the whole: the counters of the runtime fit the nodes, and
 * nothing that was allocated is left.
 */
#ifndef TESTS_SOAK_PROGRAM_H
#define TESTS_SOAK_PROGRAM_H

#include "../task/check.h"

enum { NODES = 4000, CHILDREN = 6, FOREIGN_THREADS = 2 };

struct node {
    uint32_t id;
    uint32_t depth;
    int may_be_cancelled;
    bgi_atomic spawned, begun, ended;
};

static struct program {
    uint64_t seed;
    bg_runtime *rt; /* NULL in bg_run */
    struct node node[NODES];
    bgi_word most;        /* nodes of this program, at most NODES */
    bgi_atomic used;      /* nodes handed out */
    bgi_atomic extra;     /* tasks spawned that are no nodes */
    bgi_atomic callbacks; /* that were promised a call; wraps down to 0 as they are called */
    int leave_sleepers;
} program;

static int run_node(void *arg);

/* What the oracle says a node returns. */
static int value_of(const struct node *n)
{
    uint64_t x = program.seed * 1000003 + n->id;
    return (int)(bgi_splitmix64(&x) >> 40);
}

/* A node that nobody has, or NULL when the program is large enough. */
static struct node *take_node(const struct node *parent, int may_be_cancelled)
{
    bgi_word i = bgi_fetch_add(&program.used, 1);
    if (i >= program.most) {
        return NULL;
    }
    struct node *n = &program.node[i];
    n->id = (uint32_t)i;
    n->depth = parent == NULL ? 0 : parent->depth + 1;
    n->may_be_cancelled = may_be_cancelled || (parent != NULL && parent->may_be_cancelled);
    bgi_store(&n->begun, 0);
    bgi_store(&n->ended, 0);
    bgi_store(&n->spawned, 0);
    return n;
}

static bg_task *spawn_node(struct node *n, struct bgi_random *rnd)
{
    bg_task *t;
    add_one(&n->spawned);
    switch (bgi_random_below(rnd, 5)) {
    case 0:
        t = bg_spawn(run_node, n, .name = "node");
        break;
    case 1:
        t = bg_spawn(run_node, n, .stack_size = (size_t)32 * 1024 << bgi_random_below(rnd, 3));
        break;
    case 2:
        if (program.rt != NULL) {
            t = bg_runtime_spawn(program.rt, run_node, n);
            break;
        }
        /* fall through */
    default:
        t = bg_spawn(run_node, n);
    }
    CHECK(t != NULL);
    return t;
}

/* A result somebody got for a node that has ended. */
static void check_result(const struct node *n, int result)
{
    bgi_word begun = bgi_load(&n->begun);
    CHECK(begun <= 1);
    CHECK(bgi_load(&n->ended) == begun);
    CHECK(result == value_of(n) || (result == -ECANCELED && n->may_be_cancelled));
    CHECK(begun == 1 || result == -ECANCELED);
}

static bg_duration random_delay(struct bgi_random *rnd)
{
    return (bg_duration)bgi_random_below(rnd, 3) * (bg_duration)bgi_random_below(rnd, 200) * BG_US;
}

static int count_down(void *arg)
{
    (void)bgi_fetch_sub(arg, 1);
    return 0;
}

/* A group of children, and what is done with them. Whether the node was cancelled. */
static int use_group(struct node *self, struct bgi_random *rnd)
{
    struct node *n[CHILDREN];
    bg_task *t[CHILDREN];
    int results[CHILDREN];
    size_t count = 1 + bgi_random_below(rnd, CHILDREN);
    uint32_t how = bgi_random_below(rnd, 5);
    int cancelled = 0;

    for (size_t i = 0; i < count; i++) {
        n[i] = take_node(self, how == 3);
        if (n[i] == NULL) {
            count = i;
            break;
        }
        t[i] = spawn_node(n[i], rnd);
    }
    if (count == 0) {
        return 0;
    }
    switch (how) {
    case 0: /* one after another, in an order of its own */
        for (size_t i = count; i-- > 0;) {
            check_result(n[i], bg_await(t[i]));
        }
        return 0;
    case 1:
    case 2: { /* all */
        int r = bg_gather_all(t, count, results), first = 0;
        for (size_t i = count; i-- > 0;) {
            check_result(n[i], results[i]);
            first = results[i] < 0 ? results[i] : first;
        }
        CHECK(r == first);
        return 0;
    }
    case 3: { /* some are cancelled */
        for (size_t i = 0; i < count; i++) {
            if (bgi_random_below(rnd, 2) == 0) {
                cancelled |= bg_sleep(random_delay(rnd)) != 0;
            }
            if (bgi_random_below(rnd, 4) != 0) {
                CHECK(bg_cancel(t[i]) == 0);
            }
        }
        (void)bg_gather_all(t, count, results);
        for (size_t i = 0; i < count; i++) {
            check_result(n[i], results[i]);
        }
        return cancelled;
    }
    default: /* as they end */
        for (size_t left = count; left > 0; left--) {
            size_t index = 0;
            int r = bg_wait_any(t, left, &index);
            if (r != 0) {
                CHECK(r == -ECANCELED && self->may_be_cancelled);
                cancelled = 1;
                index = bgi_random_below(rnd, (uint32_t)left);
                CHECK(bg_cancel(t[index]) == 0);
            }
            CHECK(index < left);
            check_result(n[index], bg_await(t[index]));
            t[index] = t[left - 1];
            n[index] = n[left - 1];
        }
        return cancelled;
    }
}

/* One step of a node; whether it was cancelled in it. */
static int step(struct node *self, struct bgi_random *rnd)
{
    switch (bgi_random_below(rnd, 12)) {
    case 0:
    case 1:
        bg_yield();
        return 0;
    case 2:
    case 3: {
        bg_duration d = random_delay(rnd);
        bg_time before = bg_now();
        int r = bg_sleep(d);
        CHECK(r == 0 || r == -ECANCELED);
        CHECK(r != 0 || bg_now() - before >= d);
        return r != 0;
    }
    case 4: { /* a timeout that does not fire, or does */
        bg_timer timer;
        bgi_atomic left = 1;
        int cancelled = 0;
        bg_timer_init(&timer);
        CHECK(bg_timer_start(&timer, random_delay(rnd), count_down, (void *)&left) == 0);
        if (bgi_random_below(rnd, 2) == 0) {
            cancelled = bg_sleep(random_delay(rnd)) != 0;
        }
        if (bg_timer_cancel(&timer) == 0) {
            while (bgi_load_acquire(&left) != 0) {
                bg_yield();
            }
        } else {
            CHECK(bgi_load(&left) == 1);
        }
        return cancelled;
    }
    case 5:
        add_one(&program.callbacks);
        CHECK(bg_after(random_delay(rnd), count_down, (void *)&program.callbacks) == 0);
        return 0;
    case 6: {                                /* goes on by itself */
        struct node *n = take_node(self, 1); /* the end may come before it has run */
        if (n != NULL) {
            bg_detach(spawn_node(n, rnd));
        }
        return 0;
    }
    case 7: /* a short computation */
        for (uint32_t i = bgi_random_below(rnd, 2000); i > 0; i--) {
            bgi_pause();
        }
        return 0;
    case 8: {
        int a[3] = {1, 2, (int)bgi_random_below(rnd, 1000)};
        add_one(&program.extra);
        bg_task *t = bg_spawn_with(return_arg, int[3], a[0], a[1], a[2]);
        CHECK(t != NULL);
        (void)bg_await(t);
        return 0;
    }
    default:
        return self->depth < 6 ? use_group(self, rnd) : 0;
    }
}

static int run_node(void *arg)
{
    struct node *self = arg;
    struct bgi_random rnd;
    int cancelled = 0;

    CHECK(bgi_fetch_add(&self->begun, 1) == 0);
    bgi_random_seed(&rnd, program.seed * 7919 + self->id);
    uint32_t steps = bgi_random_below(&rnd, self->depth == 0 ? 30 : 8);
    for (uint32_t i = 0; i < steps && !cancelled; i++) {
        cancelled = step(self, &rnd);
    }
    CHECK(!cancelled || self->may_be_cancelled);
    CHECK(bgi_fetch_add(&self->ended, 1) == 0);
    return cancelled ? -ECANCELED : value_of(self);
}

/* Between two looks at something: virtual time passes in sleeps only. */
static void let_time_pass(void)
{
    if (bg_seed() == 0) {
        bg_yield();
    } else {
        CHECK(bg_sleep(50 * BG_US) == 0);
    }
}

/* The main task, of bg_run or on its own: a few roots, and then everybody who was detached. */
static int run_roots(void *arg)
{
    bg_stats s = {.size = sizeof s};
    uint64_t others = (uint64_t)(uintptr_t)arg; /* tasks alive beside the nodes */
    struct bgi_random rnd;
    bgi_random_seed(&rnd, program.seed);
    for (uint32_t i = 1 + bgi_random_below(&rnd, 3); i > 0; i--) {
        struct node *n = take_node(NULL, 0);
        if (n == NULL) {
            break;
        }
        check_result(n, bg_await(spawn_node(n, &rnd)));
    }
    if (program.leave_sleepers) {
        for (int i = 0; i < 50; i++) {
            add_one(&program.extra);
            (void)bg_spawn(sleep_forever, NULL, .name = "left");
        }
        return 0;
    }
    while (bgi_load_acquire(&program.callbacks) != 0) {
        let_time_pass();
    }
    do {
        let_time_pass();
        CHECK(bg_runtime_stats(NULL, &s) == 0);
    } while (s.tasks_live > others && program.rt == NULL);
    return 0;
}

static void *run_foreign(void *arg)
{
    struct bgi_random rnd;
    bgi_random_seed(&rnd, program.seed ^ (uintptr_t)arg << 32);
    for (int i = 0; i < 40; i++) {
        int cancel = bgi_random_below(&rnd, 3) == 0;
        int detach = bgi_random_below(&rnd, 8) == 0;
        struct node *n = take_node(NULL, cancel || detach);
        if (n == NULL) {
            break;
        }
        n->depth = 3; /* small ones */
        add_one(&n->spawned);
        bg_task *t = bg_runtime_spawn(program.rt, run_node, n);
        CHECK(t != NULL);
        if (cancel) {
            CHECK(bg_cancel(t) == 0);
        }
        if (detach) {
            bg_detach(t);
        } else {
            check_result(n, bg_runtime_wait(program.rt, t));
        }
    }
    return NULL;
}

static int run_on_own_runtime(unsigned workers, int spares)
{
    pthread_t thread[FOREIGN_THREADS];
    bg_runtime *rt = NULL;
    int r = bg_runtime_create(&rt, .workers = workers, .spares = spares);
    if (r != 0) {
        return r;
    }
    program.rt = rt;
    add_one(&program.extra);
    bg_task *roots = bg_runtime_spawn(rt, run_roots, INT_ARG(1));
    for (uintptr_t i = 0; i < FOREIGN_THREADS; i++) {
        cr_assert_eq(pthread_create(&thread[i], NULL, run_foreign, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < FOREIGN_THREADS; i++) {
        cr_assert_eq(pthread_join(thread[i], NULL), 0);
    }
    r = bg_runtime_wait(rt, roots);
    if (!program.leave_sleepers) {
        static const struct timespec pause = {0, 100000};
        bg_stats s = {.size = sizeof s};
        do { /* the detached ones */
            (void)nanosleep(&pause, NULL);
            CHECK(bg_runtime_stats(rt, &s) == 0);
        } while (s.tasks_live != 0);
        bgi_word spawned = bgi_load(&program.extra);
        for (bgi_word i = 0; i < program.most && i < bgi_load(&program.used); i++) {
            spawned += bgi_load(&program.node[i].spawned);
        }
        CHECK(s.tasks_spawned == spawned);
    }
    CHECK(bg_runtime_shutdown(rt) == 0);
    return r;
}

static void begin_program(uint64_t seed, bgi_word most)
{
    program.seed = seed;
    program.rt = NULL;
    program.most = most;
    bgi_store(&program.used, 0);
    bgi_store(&program.extra, 0);
    bgi_store(&program.callbacks, 0);
}

/* What has to hold of all nodes when the program has ended with r. */
static void end_program(int r, size_t live, const char *how, unsigned w)
{
    bgi_word used = bgi_load(&program.used) < program.most ? bgi_load(&program.used) : program.most;
    for (bgi_word i = 0; i < used; i++) {
        const struct node *n = &program.node[i];
        bgi_word begun = bgi_load(&n->begun);
        CHECK(bgi_load(&n->spawned) == 1);
        CHECK(begun <= 1 && bgi_load(&n->ended) == begun);
        CHECK(begun == 1 || n->may_be_cancelled);
    }
    CHECK(bgi_alloc_live() == live);
    cr_assert(r == 0 && bgi_load(&check_failures) == 0,
              "seed %llu, %s, %u workers: result %d, %zu checks failed; run it again with "
              "BRIGADE_SOAK_SEED=%llu BRIGADE_SOAK_SEEDS=1",
              (unsigned long long)program.seed, how, w, r, (size_t)bgi_load(&check_failures),
              (unsigned long long)program.seed);
}

/* Runs the program of a seed. What goes wrong is counted by CHECK, and the seed is told. */
static inline void run_program(uint64_t seed)
{
    static const unsigned workers[] = {1, 2, 3, 8, 16};
    struct bgi_random rnd;
    size_t live = bgi_alloc_live();
    bgi_random_seed(&rnd, ~seed);

    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed); /* one that hangs is known */
    begin_program(seed, NODES);
    program.leave_sleepers = bgi_random_below(&rnd, 3) == 0;
    unsigned w = workers[bgi_random_below(&rnd, BGI_ARRAY_LEN(workers))];
    int spares = bgi_random_below(&rnd, 3) == 0 ? BG_NO_SPARES : 0;
    int r = bgi_random_below(&rnd, 2) == 0
                ? bg_run(run_roots, INT_ARG(1), .workers = w, .spares = spares)
                : run_on_own_runtime(w, spares);
    end_program(r, live, "threads", w);
}

/* A small one, in the deterministic mode. */
static inline void run_program_seeded(uint64_t seed)
{
    size_t live = bgi_alloc_live();
    struct bgi_random rnd;
    bgi_random_seed(&rnd, ~seed);

    begin_program(seed, 5 + bgi_random_below(&rnd, 40));
    program.leave_sleepers = bgi_random_below(&rnd, 10) == 0;
    unsigned w = 1 + bgi_random_below(&rnd, 4);
    int r = bg_run(run_roots, INT_ARG(1), .workers = w, .seed = seed);
    end_program(r, live, "deterministic", w);
}

/* The seeds from BRIGADE_SOAK_SEED or `from` on, BRIGADE_SOAK_SEEDS or `usual` of them. */
static void run_programs(void (*run)(uint64_t seed), uint64_t from, uint64_t usual)
{
    const char *first = getenv("BRIGADE_SOAK_SEED");
    const char *count = getenv("BRIGADE_SOAK_SEEDS");
    uint64_t n = count != NULL ? strtoull(count, NULL, 0) : usual;
    from = first != NULL ? strtoull(first, NULL, 0) : from;
    for (uint64_t seed = from; seed - from < n; seed++) {
        run(seed);
    }
}

#endif
