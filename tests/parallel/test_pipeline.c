/*
 * Pipelines: each item once through all stages, in order where it has to be, so many at a time;
 * stages that wait, end items, fail; pipelines that are cancelled; what is left of the items.
 */
#include "../task/check.h"

#include <errno.h>
#include <stdlib.h>

enum { STAGES = 5, ALL_OF_THEM = 1 << 20 };

struct line;

/* One run; what its stages do beyond counting. */
struct run {
    size_t items, tokens;
    unsigned parallel; /* a bit for each stage behind the first */
    unsigned random;   /* stages wait now and then: a seed, or 0 */
    size_t ends_every; /* that many items: one ends in `ends_at`; 0: none */
    size_t ends_at;    /* a stage */
    size_t fails_at,
        failing;         /* a stage, which returns -EPROTO for the item; fails_at = STAGES: none */
    size_t waits_at;     /* a stage that sleeps for ever; STAGES: none */
    size_t made;         /* by the first stage, which is serial */
    size_t next[STAGES]; /* item that a serial stage sees next, or a later one if some end */
    bgi_atomic inside[STAGES];
    bgi_atomic under_way, most, out, ended, dropped, waiting;
    bgi_atomic times[STAGES]; /* calls */
};

struct line {
    struct run *run;
    size_t number;
    void *memory; /* what an item holds: leaks, or is freed twice, if it is lost */
    size_t stage; /* it has last gone through */
};

static void now_and_then(const struct run *r, size_t number, size_t stage)
{
    if (r->random == 0) {
        return;
    }
    uint64_t x = (number * 7 + stage) * 0x9e3779b97f4a7c15u + r->random * 0xbf58476d1ce4e5b9u;
    x ^= x >> 29;
    if (x % 4 == 0) {
        bg_yield();
    } else if (x % 16 == 1) {
        (void)bg_sleep((bg_duration)(x / 16 % 3) * BG_US);
    }
}

static void come(struct run *r)
{
    bgi_word n = bgi_fetch_add(&r->under_way, 1) + 1;
    CHECK(n <= r->tokens);
    for (bgi_word most = bgi_load(&r->most); n > most && !bgi_cas(&r->most, most, n);) {
        most = bgi_load(&r->most);
    }
}

static void go(struct line *l)
{
    free(l->memory);
    l->memory = NULL;
    (void)bgi_fetch_sub(&l->run->under_way, 1);
}

static int wait_for_ever(struct run *r)
{
    add_one(&r->waiting);
    int rc = bg_sleep(BG_FOREVER);
    CHECK(rc < 0);
    return rc;
}

static int first(void *item, void *ctx)
{
    struct run *r = ctx;
    struct line *l = item;
    CHECK((uintptr_t)item % _Alignof(max_align_t) == 0);
    CHECK(bgi_fetch_add(&r->inside[0], 1) == 0);
    int rc = r->made < r->items;
    now_and_then(r, r->made, 0);
    if (r->fails_at == 0 && r->made == r->failing) {
        rc = -EPROTO;
    } else if (r->waits_at == 0 && r->made == 3) {
        rc = wait_for_ever(r);
    } else if (rc > 0) {
        come(r);
        l->run = r;
        l->number = r->made++;
        l->memory = malloc(1);
        l->stage = 0;
        add_one(&r->times[0]);
    }
    (void)bgi_fetch_sub(&r->inside[0], 1);
    return rc;
}

static int later(struct line *l, size_t stage)
{
    struct run *r = l->run;
    int serial = (r->parallel >> stage & 1) == 0, rc = 1;
    CHECK(l->memory != NULL && l->stage + 1 == stage);
    l->stage = stage;
    add_one(&r->times[stage]);
    bgi_word others = bgi_fetch_add(&r->inside[stage], 1);
    if (serial) {
        CHECK(others == 0);
        CHECK(r->ends_every != 0 && r->ends_at < stage ? r->next[stage] <= l->number
                                                       : r->next[stage] == l->number);
        r->next[stage] = l->number + 1;
    }
    now_and_then(r, l->number, stage);
    if (r->fails_at == stage && r->failing == l->number) {
        rc = -EPROTO;
    } else if (r->waits_at == stage) {
        rc = wait_for_ever(r);
    } else if (r->ends_every != 0 && stage == r->ends_at && l->number % r->ends_every == 0) {
        add_one(&r->ended);
        go(l);
        rc = 0;
    } else if (stage == STAGES - 1) {
        add_one(&r->out);
        go(l);
        rc = l->number % 2 != 0; /* either will do */
    }
    (void)bgi_fetch_sub(&r->inside[stage], 1);
    return rc;
}

static int second(void *item, void *ctx)
{
    CHECK(((struct line *)item)->run == ctx);
    return later(item, 1);
}

static int third(void *item, void *ctx)
{
    (void)ctx;
    return later(item, 2);
}

static int fourth(void *item, void *ctx)
{
    (void)ctx;
    return later(item, 3);
}

static int fifth(void *item, void *ctx)
{
    (void)ctx;
    return later(item, 4);
}

static void drop(void *item, void *ctx)
{
    struct line *l = item;
    CHECK(l->run == ctx && l->memory != NULL);
    add_one(&l->run->dropped);
    go(l);
}

static struct run run_of(size_t items, size_t tokens, unsigned parallel)
{
    struct run r = {.items = items, .tokens = tokens, .parallel = parallel};
    r.fails_at = r.waits_at = STAGES;
    return r;
}

/* Each item that was made has gone one of the three ways. */
static int go_through(struct run *r)
{
    bg_stage s[STAGES] = {BG_SERIAL(first, r), BG_SERIAL(second, r), BG_SERIAL(third, r),
                          BG_SERIAL(fourth, r), BG_SERIAL(fifth, r)};
    for (int i = 1; i < STAGES; i++) {
        s[i].parallel = (r->parallel >> i & 1) != 0;
    }
    int rc = bg_pipeline_run(s, STAGES, .tokens = r->tokens, .item_size = sizeof(struct line),
                             .drop = drop, .drop_ctx = r);
    CHECK(bgi_load(&r->under_way) == 0);
    CHECK(bgi_load(&r->out) + bgi_load(&r->ended) + bgi_load(&r->dropped) == r->made);
    if (rc == 0) {
        CHECK(r->made == r->items && bgi_load(&r->dropped) == 0);
        CHECK(r->ends_every != 0 || bgi_load(&r->times[STAGES - 1]) == r->items);
    }
    return rc;
}

/* ---- all items, in order ---- */

static const size_t token_counts[] = {1, 2, 3, 8, 33};

static int all_shapes(void *arg)
{
    size_t items = (size_t)(intptr_t)arg;
    for (size_t t = 0; t < BGI_ARRAY_LEN(token_counts); t++) {
        for (unsigned parallel = 0; parallel < 32; parallel += 2) {
            struct run r = run_of(items, token_counts[t], parallel);
            r.random = bg_self() != NULL ? parallel + 1 : 0;
            CHECK(go_through(&r) == 0);
            r = run_of(parallel % 8, token_counts[t], parallel);
            CHECK(go_through(&r) == 0);
        }
    }
    return 0;
}

static int small_shapes(void *arg)
{
    (void)arg;
    for (unsigned parallel = 0; parallel < 32; parallel += 6) {
        struct run r = run_of(7, 3, parallel);
        r.random = parallel % 4 != 0;
        CHECK(go_through(&r) == 0);
    }
    return 0;
}

Test(pipeline, each_item_once_and_in_order)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(all_shapes, INT_ARG(MANY(100)), .workers = w);
    }
    cr_assert_eq(bg_explore(small_shapes, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* A stage ends items: the others keep their order. */
static int some_end(void *arg)
{
    size_t items = (size_t)(intptr_t)arg;
    for (size_t at = 1; at < STAGES; at++) {
        for (unsigned parallel = 0; parallel < 32; parallel += 10) {
            struct run r = run_of(items, 4, parallel);
            r.ends_every = 1 + at % 3;
            r.ends_at = at;
            r.random = parallel;
            CHECK(go_through(&r) == 0);
            CHECK(bgi_load(&r.ended) == (items + r.ends_every - 1) / r.ends_every);
            CHECK(bgi_load(&r.out) == items - bgi_load(&r.ended));
        }
    }
    return 0;
}

Test(pipeline, a_stage_may_end_items)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(some_end, INT_ARG(100), .workers = w);
    }
    (void)bg_explore(some_end, INT_ARG(6), .seeds = MANY(100));
    NO_CHECK_FAILED();
}

/* ---- alone: in order, on the caller's stack ---- */

static size_t steps;
static const char *stack_of_caller;

static int step(size_t stage)
{
    char here;
    ptrdiff_t far = stack_of_caller - &here;
    CHECK(far > -65536 && far < 65536);
    CHECK(steps % 3 == stage);
    steps++;
    return 1;
}

static int first_step(void *item, void *ctx)
{
    (void)item;
    return steps == (size_t)(intptr_t)ctx ? 0 : step(0);
}

static int later_step(void *item, void *ctx)
{
    (void)item;
    return step((size_t)(intptr_t)ctx);
}

static int alone(void *arg)
{
    char here;
    (void)arg;
    stack_of_caller = &here;
    for (size_t size = 0; size < 1000; size += 100) {
        steps = 0;
        CHECK(bg_pipeline(10, size, BG_SERIAL(first_step, INT_ARG(3000)),
                          BG_PARALLEL(later_step, INT_ARG(1)),
                          BG_SERIAL(later_step, INT_ARG(2))) == 0);
        CHECK(steps == 3000);
    }
    struct run r = run_of(100, 8, 4);
    CHECK(go_through(&r) == 0);
    CHECK(bgi_load(&r.most) == 1);
    return 0;
}

Test(pipeline, alone_in_order_on_the_callers_stack)
{
    RUN(alone, NULL, .workers = 1, .spares = BG_NO_SPARES);
    (void)alone(NULL);
    NO_CHECK_FAILED();
}

static bgi_atomic called;

static int alone_in_a_callback(void *arg)
{
    (void)alone(arg);
    add_one(&called);
    return 0;
}

static int main_callback(void *arg)
{
    bgi_store(&called, 0);
    CHECK(bg_after(0, alone_in_a_callback, arg) == 0);
    yield_until(&called, 1);
    return 0;
}

Test(pipeline, in_a_callback)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_callback, NULL, .workers = w);
    }
}

/* ---- as many as there are tokens ---- */

struct meeting {
    size_t items, tokens;
    bgi_atomic here;
};

static int invite(void *item, void *ctx)
{
    struct meeting *m = ctx;
    (void)item;
    return m->items-- != 0;
}

/* Returns when the tokens' items are here at once. */
static int meet(void *item, void *ctx)
{
    struct meeting *m = ctx;
    (void)item;
    bgi_word n = bgi_fetch_add(&m->here, 1);
    yield_until(&m->here, (n / m->tokens + 1) * m->tokens);
    return 1;
}

static int count(void *item, void *ctx)
{
    (void)item;
    add_one(ctx);
    return 1;
}

static int main_meet(void *arg)
{
    struct meeting m = {.items = 40, .tokens = 8};
    (void)arg;
    bgi_store(&called, 0);
    CHECK(bg_pipeline(8, 1, BG_SERIAL(invite, &m), BG_PARALLEL(meet, &m),
                      BG_SERIAL(count, (void *)(uintptr_t)&called)) == 0);
    CHECK(bgi_load(&called) == 40);
    return 0;
}

Test(pipeline, as_many_as_tokens_are_under_way)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_meet, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(main_meet, NULL, .seeds = MANY(50)), 0);
    NO_CHECK_FAILED();
}

/* ---- pipelines in pipelines, and beside each other ---- */

static int another(void *item, void *ctx)
{
    struct run r = run_of(9, 3, 4);
    (void)item;
    (void)ctx;
    r.random = 5;
    CHECK(go_through(&r) == 0);
    return 1;
}

static int nested(void *arg)
{
    struct meeting m = {.items = 12};
    (void)arg;
    return bg_pipeline(4, 8, BG_SERIAL(invite, &m), BG_PARALLEL(another, NULL),
                       BG_SERIAL(another, NULL));
}

static int several(void *arg)
{
    bg_task *t[4];
    (void)arg;
    for (int i = 0; i < 4; i++) {
        t[i] = bg_spawn(nested, NULL);
    }
    return bg_gather_all(t, 4, NULL);
}

Test(pipeline, nested_and_several)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(several, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(nested, NULL, .seeds = MANY(50)), 0);
    NO_CHECK_FAILED();
}

/* ---- errors ---- */

static int each_stage_fails(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < STAGES; at++) {
        for (size_t failing = 0; failing < 20; failing += 6) {
            for (size_t t = 0; t < BGI_ARRAY_LEN(token_counts); t++) {
                struct run r = run_of(ALL_OF_THEM, token_counts[t], failing % 4 == 0 ? 12 : 18);
                r.fails_at = at;
                r.failing = failing;
                r.random = bg_self() != NULL ? (unsigned)failing : 0;
                CHECK(go_through(&r) == -EPROTO);
                CHECK(r.made < ALL_OF_THEM);
                CHECK(bgi_load(&r.dropped) >= (at != 0));
            }
        }
    }
    return 0;
}

static int fails_in_some_order(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < STAGES; at++) {
        struct run r = run_of(ALL_OF_THEM, 3, 4);
        r.fails_at = at;
        r.failing = 2;
        CHECK(go_through(&r) == -EPROTO);
    }
    return 0;
}

Test(pipeline, the_first_error_ends_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(each_stage_fails, NULL, .workers = w);
    }
    (void)each_stage_fails(NULL);
    cr_assert_eq(bg_explore(fails_in_some_order, NULL, .seeds = MANY(200)), 0);
    NO_CHECK_FAILED();
}

/* ---- cancellation ---- */

static int run_it(void *arg)
{
    return go_through(arg);
}

/* The caller is cancelled when some wait in a stage, the others for their turns. */
static int cancelled_in_each_stage(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < STAGES; at++) {
        for (unsigned parallel = 0; parallel < 32; parallel += 2) {
            struct run r = run_of(100, 4, parallel);
            r.waits_at = at;
            bg_task *t = bg_spawn(run_it, &r);
            yield_until(&r.waiting, at != 0 && (parallel >> at & 1) != 0 ? 4 : 1);
            for (unsigned i = 0; i < parallel; i++) {
                bg_yield();
            }
            CHECK(bg_cancel(t) == 0);
            CHECK(bg_await(t) == -ECANCELED);
        }
    }
    return 0;
}

static int times_out(void *arg)
{
    (void)arg;
    for (size_t at = 0; at < STAGES; at++) {
        struct run r = run_of(100, 4, at % 2 != 0 ? 14 : 0);
        int rc = 0;
        r.waits_at = at;
        bg_timeout (BG_MS) {
            rc = go_through(&r);
        }
        CHECK(bg_timed_out());
        CHECK(rc == -ETIMEDOUT);
        r = run_of(SIZE_MAX, 4, 4);
        bg_timeout (BG_MS) {
            rc = go_through(&r);
        }
        CHECK(rc == -ETIMEDOUT);
    }
    return 0;
}

static int cancelled_before(void *arg)
{
    struct run r = run_of(10, 4, 4);
    (void)arg;
    (void)bg_cancel(bg_self());
    CHECK(go_through(&r) == -ECANCELED);
    CHECK(r.made == 0);
    bg_shield
    {
        CHECK(go_through(&r) == 0);
    }
    return bg_cancelled();
}

static int main_cancelled(void *arg)
{
    CHECK(bg_await(bg_spawn(cancelled_before, NULL)) == -ECANCELED);
    (void)times_out(arg);
    return cancelled_in_each_stage(arg);
}

Test(pipeline, cancelled_it_ends_early)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancelled, NULL, .workers = w);
    }
    cr_assert_eq(bg_explore(cancelled_in_each_stage, NULL, .seeds = MANY(40)), 0);
    NO_CHECK_FAILED();
}

/* ---- the caller is at a join, and another in a stage that does not end by itself ---- */

static bgi_atomic asleep;
static bg_task *caller;
static int shielded;

static int others_wait(void *item, void *ctx)
{
    (void)item;
    (void)ctx;
    if (bg_self() == caller) {
        yield_until(&asleep, 1);
        return 1;
    }
    add_one(&asleep);
    return bg_sleep(BG_FOREVER);
}

static int join_who_waits(void)
{
    struct meeting m = {.items = 2};
    bgi_store(&asleep, 0);
    caller = bg_self();
    return bg_pipeline(2, 8, BG_SERIAL(invite, &m), BG_PARALLEL(others_wait, NULL));
}

static int shield_it(void *arg)
{
    (void)arg;
    bg_shield
    {
        shielded = join_who_waits();
    }
    return 0;
}

static int main_joins(void *arg)
{
    bg_timeout (BG_MS) {
        CHECK(join_who_waits() == -ETIMEDOUT);
    }
    bgi_store(&asleep, 0);
    bg_detach(bg_spawn(shield_it, arg));
    yield_until(&asleep, 1);
    return 0; /* which ends the runtime */
}

Test(pipeline, who_is_joined_is_told_to_end)
{
    EACH_WORKER_COUNT(w)
    {
        shielded = 0;
        RUN(main_joins, NULL, .workers = w);
        cr_assert_eq(shielded, -ECANCELED);
    }
}

/* ---- without memory ---- */

static int needs_memory(void *arg)
{
    size_t size = (size_t)(intptr_t)arg;
    struct meeting m = {.items = 20};
    bgi_store(&called, 0);
    int rc =
        bg_pipeline(8, size, BG_SERIAL(invite, &m), BG_SERIAL(count, (void *)(uintptr_t)&called));
    CHECK(bgi_load(&called) == (rc == 0 ? 20 : 0));
    return rc;
}

struct refused {
    unsigned times;
    size_t size;
    int want;
};

static int refused(void *arg)
{
    const struct refused *f = arg;
    bgi_fault_arm(BGI_FAULT_MALLOC | f->times, 1);
    int rc = needs_memory(INT_ARG(f->size));
    size_t n = bgi_fault_count();
    bgi_fault_disarm();
    CHECK(rc == f->want);
    CHECK(n >= (f->times != 0 ? 3 : 2)); /* 8, 4, 2 tokens */
    return 0;
}

Test(pipeline, without_memory)
{
    struct refused once = {0, 1000, 0}, small = {BGI_FAULT_FOREVER, 128, 0};
    struct refused large = {BGI_FAULT_FOREVER, 129, -ENOMEM};
    RUN(refused, &once, .workers = 1);
    RUN(refused, &small, .workers = 1);
    RUN(refused, &large, .workers = 1);
    bgi_fault_arm(BGI_FAULT_MALLOC, 1);
    cr_assert_eq(needs_memory(INT_ARG(129)), -ENOMEM);
    bgi_fault_disarm();
    cr_assert_eq(needs_memory(INT_ARG(129)), 0);
    NO_CHECK_FAILED();
}

/* Some carriers have no task. */
static int any_refused(void *arg)
{
    (void)arg;
    for (size_t n = 1; n < 20; n++) {
        struct run r = run_of(30, 6, 4);
        r.random = (unsigned)n;
        bgi_fault_arm(BGI_FAULT_MALLOC | BGI_FAULT_MMAP | (n % 2 != 0 ? BGI_FAULT_FOREVER : 0), n);
        CHECK(go_through(&r) == 0);
        bgi_fault_disarm();
    }
    return 0;
}

Test(pipeline, with_little_memory)
{
    RUN(any_refused, NULL, .workers = 1);
    NO_CHECK_FAILED();
}

/* ---- misuse ---- */

Test(pipeline, what_is_not_valid)
{
    struct run r = run_of(1, 1, 0);
    bg_stage good[] = {BG_SERIAL(first, &r), BG_PARALLEL(second, &r)};
    bg_stage parallel[] = {BG_PARALLEL(first, &r)};
    bg_stage missing[] = {BG_SERIAL(first, &r), BG_SERIAL(NULL, NULL)};
    bg_pipeline_options o = {.size = sizeof o - 1, .tokens = 1};
    cr_assert_eq(bg_pipeline_run(good, 2, .tokens = 0, .item_size = 64), -EINVAL);
    cr_assert_eq(bg_pipeline_run(good, 0, .tokens = 1, .item_size = 64), -EINVAL);
    cr_assert_eq(bg_pipeline_run(NULL, 1, .tokens = 1, .item_size = 64), -EINVAL);
    cr_assert_eq(bg_pipeline_run(parallel, 1, .tokens = 1, .item_size = 64), -EINVAL);
    cr_assert_eq(bg_pipeline_run(missing, 2, .tokens = 1, .item_size = 64), -EINVAL);
    cr_assert_eq(bg_pipeline_run(good, 2, .tokens = 2, .item_size = SIZE_MAX / 2), -EINVAL);
    cr_assert_eq(bg_pipeline_run(good, 2, .tokens = 1, .item_size = SIZE_MAX), -EINVAL);
    cr_assert_eq(bg_pipeline_run(good, 2, .tokens = SIZE_MAX, .item_size = 0), -EINVAL);
    cr_assert_eq(bg_pipeline_run_opts(good, 2, NULL), -EINVAL);
    cr_assert_eq(bg_pipeline_run_opts(good, 2, &o), -EINVAL);
    cr_assert_eq(bg_pipeline(0, 1, BG_SERIAL(first, &r)), -EINVAL);
    cr_assert_eq(r.made, 0);
}
