/*
 * Kinds of operations: time, callbacks, and what is neither of tasks nor of waiting.
 */
#include "kinds.h"
#include "world.h"

#include "helpers_task.h"
#include "helpers_time.h"

/* ---- sleep, yield, compute, look ---- */

static void generate_nap(struct bgp_generator *g, const struct bgp_kind *kind)
{
    bg_duration d = bgp_one_in(g, 4) ? BG_FOREVER : bgp_any_time(g);
    if (!bgp_emit(g, (struct bgp_op){.kind = kind, .d = d})) {
        bgp_generate_time(g, kind);
    }
}

static int fits_nap(struct bgp_builder *b, struct bgp_op *op)
{
    return op->d != BG_FOREVER || bgp_may_wait_for_ever(b);
}

static int run_nap(int t, const struct bgp_op *op)
{
    if ((bgp_world.program->task[t].flags & BGP_THREAD) != 0) {
        thread_pause(op->d);
        return 0;
    }
    return nap(t, op->d);
}

static void print_nap(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    if ((bgp_printed(p)->task[t].flags & BGP_THREAD) != 0) {
        bgp_out(p, "thread_pause(");
        bgp_out_time(p, op->d);
        bgp_out(p, ")");
    } else {
        bgp_print_time(p, t, op);
    }
}

const struct bgp_kind bgp_kind_nap = {
    .name = "nap",
    .flags = BGP_IN_THREAD | BGP_TIME | BGP_WAITS,
    .weight = 20,
    .generate = generate_nap,
    .fits = fits_nap,
    .run = run_nap,
    .print = print_nap,
    .helper = "nap",
    .thread_helper = "thread_pause",
};

static int fits_nap_until(struct bgp_builder *b, struct bgp_op *op)
{
    (void)b;
    return op->d != BG_FOREVER;
}

static int run_nap_until(int t, const struct bgp_op *op)
{
    return nap_until(t, op->d);
}

const struct bgp_kind bgp_kind_nap_until = {
    .name = "nap_until",
    .flags = BGP_TIME | BGP_WAITS,
    .weight = 4,
    .generate = bgp_generate_time,
    .fits = fits_nap_until,
    .run = run_nap_until,
    .print = bgp_print_time,
    .helper = "nap_until",
};

static int run_yield(int t, const struct bgp_op *op)
{
    (void)t;
    (void)op;
    bg_yield();
    return 0;
}

static void print_yield(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    (void)op;
    bgp_out(p, "bg_yield()");
}

const struct bgp_kind bgp_kind_yield = {
    .name = "yield",
    .weight = 16,
    .generate = bgp_generate_plain,
    .run = run_yield,
    .print = print_yield,
};

/* Of no use where time stands still meanwhile. */
static void generate_compute(struct bgp_generator *g, const struct bgp_kind *kind)
{
    uint32_t n = bgp_mode_of(g) == BGP_SEEDED ? 10 : 20000;
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .n = (uint16_t)bgp_below(g, n)});
}

static int run_compute(int t, const struct bgp_op *op)
{
    (void)t;
    compute(op->n);
    return 0;
}

static void print_compute(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)t;
    bgp_out(p, "compute(%d)", op->n);
}

const struct bgp_kind bgp_kind_compute = {
    .name = "compute",
    .flags = BGP_IN_THREAD | BGP_NUMBER,
    .weight = 6,
    .generate = generate_compute,
    .run = run_compute,
    .print = print_compute,
    .helper = "compute",
};

static int run_look(int t, const struct bgp_op *op)
{
    (void)op;
    look(t, runtime);
    return 0;
}

static void print_look(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    (void)op;
    bgp_out(p, "look(%d, runtime)", t);
}

const struct bgp_kind bgp_kind_look = {
    .name = "look",
    .flags = BGP_IN_THREAD,
    .weight = 2,
    .generate = bgp_generate_plain,
    .run = run_look,
    .print = print_look,
    .helper = "look",
};

/* ---- callbacks ---- */

/* Its number is its failure, 0: none. */
static void generate_after(struct bgp_generator *g, const struct bgp_kind *kind)
{
    uint32_t n = bgp_one_in(g, 3) ? bgp_below(g, 90) : 0;
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .d = bgp_any_time(g), .n = (uint16_t)n});
}

static int run_after(int t, const struct bgp_op *op)
{
    after(t, op->call, op->d, -(int)op->n);
    return 0;
}

static void print_after(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "after(%d, %d, ", t, op->call);
    bgp_out_time(p, op->d);
    bgp_out(p, ", %d)", -(int)op->n);
}

const struct bgp_kind bgp_kind_after = {
    .name = "after",
    .flags = BGP_TIME | BGP_NUMBER | BGP_CALLS,
    .weight = 5,
    .generate = generate_after,
    .run = run_after,
    .print = print_after,
    .helper = "after",
};

static void generate_spawn_after(struct bgp_generator *g, const struct bgp_kind *kind)
{
    unsigned c = bgp_new_task(g);
    if (c != BGP_NONE) {
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c, .d = bgp_any_time(g)});
    }
}

static int fits_spawn_after(struct bgp_builder *b, struct bgp_op *op)
{
    bgp_spawned(b, op->who, BGP_LOOSE);
    return 1;
}

static int spawn_it(void *arg)
{
    const struct call *c = arg;
    return spawned_after(arg, bgp_spawn(c->who));
}

static int run_spawn_after(int t, const struct bgp_op *op)
{
    spawn_after(t, op->call, op->d, op->who, spawn_it);
    return 0;
}

static void print_spawn_after(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "spawn_after(%d, %d, ", t, op->call);
    bgp_out_time(p, op->d);
    bgp_out(p, ", %d, spawn_%d)", op->who, op->who);
}

const struct bgp_kind bgp_kind_spawn_after = {
    .name = "spawn_after",
    .flags = BGP_SPAWNS | BGP_TIME | BGP_CALLS,
    .weight = 3,
    .generate = generate_spawn_after,
    .fits = fits_spawn_after,
    .run = run_spawn_after,
    .print = print_spawn_after,
    .helper = "spawn_after",
};

/* ---- timers ---- */

enum { TIMERS = 3 }; /* of a task */

static void generate_start_timer(struct bgp_generator *g, const struct bgp_kind *kind)
{
    uint16_t i = (uint16_t)bgp_below(g, TIMERS);
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .what = i, .d = bgp_any_time(g)});
    if (bgp_one_in(g, 2)) {
        (void)bgp_emit(g, (struct bgp_op){.kind = &bgp_kind_stop_timer, .what = i});
    }
}

static int fits_timer(struct bgp_builder *b, struct bgp_op *op)
{
    bgp_has_timer(b, op->what);
    return 1;
}

static int timer_of(const struct bgp_program *p, int t, const struct bgp_op *op)
{
    return (int)p->task[t].timer + op->what;
}

static int run_start_timer(int t, const struct bgp_op *op)
{
    start_timer(t, timer_of(bgp_world.program, t, op), op->call, op->d);
    return 0;
}

static void print_start_timer(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "start_timer(%d, %d, %d, ", t, timer_of(bgp_printed(p), t, op), op->call);
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

const struct bgp_kind bgp_kind_start_timer = {
    .name = "start_timer",
    .flags = BGP_TIME | BGP_CALLS,
    .weight = 5,
    .generate = generate_start_timer,
    .fits = fits_timer,
    .run = run_start_timer,
    .print = print_start_timer,
    .helper = "timer",
};

static void generate_stop_timer(struct bgp_generator *g, const struct bgp_kind *kind)
{
    (void)bgp_emit(g, (struct bgp_op){.kind = kind, .what = (uint16_t)bgp_below(g, TIMERS)});
}

static int fits_stop_timer(struct bgp_builder *b, struct bgp_op *op)
{
    return op->what < bgp_built(b)->task[bgp_built_task(b)].ntimers;
}

static int run_stop_timer(int t, const struct bgp_op *op)
{
    stop_timer(t, timer_of(bgp_world.program, t, op));
    return 0;
}

static void print_stop_timer(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "stop_timer(%d, %d)", t, timer_of(bgp_printed(p), t, op));
}

const struct bgp_kind bgp_kind_stop_timer = {
    .name = "stop_timer",
    .weight = 4,
    .generate = generate_stop_timer,
    .fits = fits_stop_timer,
    .run = run_stop_timer,
    .print = print_stop_timer,
    .helper = "timer",
};

/* ---- a timeout made of both ---- */

static void generate_join_within(struct bgp_generator *g, const struct bgp_kind *kind)
{
    unsigned c = bgp_any_held(g);
    if (c != BGP_NONE) {
        (void)bgp_emit(g, (struct bgp_op){.kind = kind, .who = (uint16_t)c, .d = bgp_any_time(g)});
    }
}

static int fits_join_within(struct bgp_builder *b, struct bgp_op *op)
{
    if (!bgp_holds(b, op->who)) {
        return 0;
    }
    (void)bgp_cancels(b, op->who);
    bgp_given_back(b, op->who, BGP_JOINED);
    return 1;
}

static int run_join_within(int t, const struct bgp_op *op)
{
    join_within(t, op->call, op->d, op->who);
    return 0;
}

static void print_join_within(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "join_within(%d, %d, ", t, op->call);
    bgp_out_time(p, op->d);
    bgp_out(p, ", %d)", op->who);
}

const struct bgp_kind bgp_kind_join_within = {
    .name = "join_within",
    .flags = BGP_WHO | BGP_TIME | BGP_CALLS | BGP_PASSES,
    .weight = 4,
    .generate = generate_join_within,
    .fits = fits_join_within,
    .run = run_join_within,
    .print = print_join_within,
    .helper = "join_within",
};
