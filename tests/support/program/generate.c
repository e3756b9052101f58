/*
 * Programs from seeds.
 *
 * A program gets weights of its own for the kinds of operations: a third of them do not occur in it
 * at all, others much more often than usual. Programs that are all alike a little would leave out
 * what needs many of one kind, or one kind without another (A. Groce and others, "Swarm testing",
 * ISSTA 2012).
 */
#include "build.h"

#include "base/compiler.h"
#include "base/random.h"

enum {
    KINDS_MOST = 64,
    DEEPEST = 6,
    MAIN_STEPS = 24,
    STEPS = 11,
    THREADS = 2,
    THREAD_STEPS = 120,
};

const struct bgp_size bgp_small = {.mode = BGP_SEEDED, .most = 100};
const struct bgp_size bgp_large = {.mode = BGP_THREADS, .most = 4000};

struct bgp_generator {
    struct bgp_builder b;
    struct bgi_random random;
    uint32_t most; /* tasks */
    uint32_t weight[KINDS_MOST];
    uint32_t weights, weights_of_handles; /* in all; of those that need a handle */
    uint32_t far;         /* of 8, how many times are far off, where time costs nothing */
    uint32_t fail, leave; /* of 16, how many tasks fail, leave */
};

/* ---- for the kinds ---- */

struct bgp_builder *bgp_builder_of(struct bgp_generator *g)
{
    return &g->b;
}

unsigned bgp_current(const struct bgp_generator *g)
{
    return g->b.t;
}

enum bgp_mode bgp_mode_of(const struct bgp_generator *g)
{
    return g->b.p->mode;
}

uint32_t bgp_below(struct bgp_generator *g, uint32_t n)
{
    return bgi_random_below(&g->random, n);
}

int bgp_emit(struct bgp_generator *g, struct bgp_op op)
{
    return bgp_add(&g->b, op);
}

bg_duration bgp_any_time(struct bgp_generator *g)
{
    static const bg_duration unit[] = {BG_NS, BG_US, BG_MS, BG_S, BG_MIN, 1000 * BG_MIN};
    bg_duration n = bgp_below(g, 200);
    if (bgp_one_in(g, 3)) {
        return 0;
    }
    if (bgp_mode_of(g) == BGP_SEEDED && bgp_below(g, 8) < g->far) {
        return n * unit[bgp_below(g, BGI_ARRAY_LEN(unit))];
    }
    return n * (bg_duration)(1 + bgp_below(g, 2)) * BG_US;
}

unsigned bgp_new_task(struct bgp_generator *g)
{
    const struct bgp_program *p = g->b.p;
    unsigned flags = 0, stack = bgp_one_in(g, 5) ? 1 + bgp_below(g, 3) : 0;
    int own = (int)bgp_below(g, 1 << 24);
    if (p->ntasks >= g->most || g->b.life[g->b.t].depth >= DEEPEST) {
        return BGP_NONE;
    }
    flags |= bgp_one_in(g, 5) ? BGP_NAMED : bgp_one_in(g, 6) ? BGP_COPIED : 0;
    flags |= bgp_one_in(g, 5) ? BGP_BY_RUNTIME : 0;
    flags |= bgp_one_in(g, 4) ? BGP_PASSES_ON : 0;
    if (bgp_below(g, 16) < g->leave) {
        flags |= bgp_one_in(g, 2) ? BGP_LEAVES : BGP_LEAVES_ALL;
    }
    if (bgp_below(g, 16) < g->fail) {
        own = -(1000 + (int)p->ntasks);
    }
    return bgp_add_task(&g->b, own, flags, stack);
}

/* Of the tasks it has spawned, one that it holds: the first from `from` on, round about. */
static unsigned held_from(const struct bgp_builder *b, unsigned from)
{
    unsigned first = b->p->task[b->t].kids, n = b->p->ntasks - first;
    for (unsigned i = 0; i < n; i++) {
        unsigned c = first + (from + i) % n;
        if (bgp_holds(b, c)) {
            return c;
        }
    }
    return BGP_NONE;
}

unsigned bgp_any_held(struct bgp_generator *g)
{
    unsigned n = g->b.p->ntasks - g->b.p->task[g->b.t].kids;
    return n == 0 ? BGP_NONE : held_from(&g->b, bgp_below(g, n));
}

unsigned bgp_some_held(struct bgp_generator *g, struct bgp_op *op)
{
    unsigned most = 1 + bgp_below(g, BGP_LIST);
    op->n = 0;
    for (unsigned i = 0; i < most; i++) {
        unsigned c = bgp_any_held(g);
        if (c == BGP_NONE) {
            break;
        }
        op->list[op->n++] = (uint16_t)c; /* the builder takes out what comes twice */
    }
    return op->n;
}

void bgp_generate_plain(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, (struct bgp_op){.kind = kind});
}

void bgp_generate_time(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .d = bgp_any_time(g)});
}

void bgp_generate_who(struct bgp_generator *g, const struct bgp_kind *kind)
{
    unsigned c = bgp_any_held(g);
    if (c != BGP_NONE) {
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c});
    }
}

void bgp_generate_whom(struct bgp_generator *g, const struct bgp_kind *kind)
{
    struct bgp_op op = {.kind = kind};
    if (bgp_some_held(g, &op) != 0) {
        (void)bgp_emit(g, op);
    }
}

void bgp_generate_limited(struct bgp_generator *g, struct bgp_op op)
{
    if (bgp_emit(g, op)) {
        return;
    }
    if (bgp_emit(g, (struct bgp_op){.kind = &bgp_kind_timeout, .d = bgp_any_time(g)})) {
        (void)bgp_emit(g, op);
        (void)bgp_emit(g, (struct bgp_op){.kind = &bgp_kind_close});
    }
}

/* ---- a program ---- */

static int needs_handle(const struct bgp_kind *kind)
{
    return (kind->flags & (BGP_WHO | BGP_WHOM)) != 0;
}

static void draw_weights(struct bgp_generator *g)
{
    for (unsigned i = 0; bgp_kinds[i] != NULL && i < KINDS_MOST; i++) {
        uint32_t how = bgp_below(g, 6);
        g->weight[i] = bgp_kinds[i]->weight * (how < 2 ? 0 : how < 5 ? 2 : 6);
        if (bgp_kinds[i] == &bgp_kind_spawn) {
            g->weight[i] = bgp_kinds[i]->weight * 2;
        }
        g->weights += g->weight[i];
        g->weights_of_handles += needs_handle(bgp_kinds[i]) ? g->weight[i] : 0;
    }
    g->far = bgp_below(g, 9);
    g->fail = bgp_below(g, 6);
    g->leave = bgp_below(g, 17);
}

/* Who holds handles does something with them every other time. */
static void add_step(struct bgp_generator *g)
{
    int handles = g->weights_of_handles != 0 && bgp_one_in(g, 2) && bgp_any_held(g) != BGP_NONE;
    uint32_t at = bgp_below(g, handles ? g->weights_of_handles : g->weights);
    for (unsigned i = 0; bgp_kinds[i] != NULL; i++) {
        uint32_t weight = !handles || needs_handle(bgp_kinds[i]) ? g->weight[i] : 0;
        if (at < weight) {
            bgp_kinds[i]->generate(g, bgp_kinds[i]);
            return;
        }
        at -= weight;
    }
}

void bgp_steps(struct bgp_generator *g, unsigned n)
{
    for (; n > 0; n--) {
        add_step(g);
    }
}

static void add_task(struct bgp_generator *g, unsigned t)
{
    const struct bgp_program *p = g->b.p;
    uint32_t steps = bgp_below(g, t == 0 ? MAIN_STEPS : STEPS);
    if ((p->task[t].flags & BGP_THREAD) != 0) {
        steps = THREAD_STEPS;
        g->b.life[t].depth = DEEPEST - 2; /* small ones */
    }
    bgp_steps(g, steps);
    while (bgp_one_in(g, 2) && bgp_any_held(g) != BGP_NONE) {
        bgp_generate_whom(g, bgp_one_in(g, 2) ? &bgp_kind_gather : &bgp_kind_as_completed);
    }
}

void bgp_generate(struct bgp_program *p, uint64_t seed, const struct bgp_size *size)
{
    static const unsigned workers[] = {1, 2, 3, 8, 16};
    struct bgp_generator g = {.most = size->most};

    bgi_random_seed(&g.random, seed);
    bgp_build(&g.b, p);
    p->seed = seed;
    p->schedule = seed;
    p->mode = size->mode;
    p->spares = 0;
    if (p->mode == BGP_SEEDED) {
        g.most = 5 + bgp_below(&g, size->most - 4);
        p->workers = 1 + bgp_below(&g, 4);
        p->leave = bgp_one_in(&g, 10);
    } else {
        p->mode = bgp_one_in(&g, 2) ? BGP_THREADS : BGP_FOREIGN;
        p->workers = workers[bgp_below(&g, BGI_ARRAY_LEN(workers))];
        p->spares = bgp_one_in(&g, 3) ? BG_NO_SPARES : 0;
        p->leave = bgp_one_in(&g, 3);
    }
    draw_weights(&g);
    (void)bgp_add_task(&g.b, (int)bgp_below(&g, 1 << 24), 0, 0);
    for (unsigned i = 0; p->mode == BGP_FOREIGN && i < THREADS; i++) {
        (void)bgp_add_task(&g.b, 0, BGP_THREAD, 0);
    }
    for (unsigned t = 0; bgp_enter(&g.b, t); t++) {
        add_task(&g, t);
        bgp_leave(&g.b);
    }
    bgp_build_end(&g.b);
}
