/*
 * Contexts: what a switch keeps, where it may resume, how a stack begins and ends. The same tests
 * for each of the implementations.
 */
#include "arch/context.h"

#include <criterion/criterion.h>

#include <execinfo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK = 128 * 1024, MANY = 64, ROUNDS = 500 };

static void *map_stack(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* One context beside the test's own, with what its body is to do and what it found. */
struct pair {
    bgi_context home, ctx;
    void *stack;
    size_t size;
    void (*body)(struct pair *p);
    long steps;
    long wrong;
    void *arg;
};

BGI_NOINLINE static void run_body(struct pair *p)
{
    p->body(p);
}

BGI_CONTEXT_ENTRY static void pair_entry(void *arg)
{
    struct pair *p = arg;
    run_body(p);
    bgi_context_switch_final(&p->ctx, &p->home);
}

static void pair_open(struct pair *p, size_t size, void (*body)(struct pair *))
{
    memset(p, 0, sizeof *p);
    p->size = size;
    p->body = body;
    p->stack = map_stack(size);
    cr_assert_not_null(p->stack);
    bgi_context_adopt(&p->home);
    bgi_context_init(&p->ctx, p->stack, size, pair_entry, p);
}

static void pair_close(struct pair *p)
{
    bgi_context_fini(&p->ctx);
    bgi_context_fini(&p->home);
    munmap(p->stack, p->size);
}

BGI_NOINLINE static void go_home(struct pair *p)
{
    bgi_context_switch(&p->ctx, &p->home);
}

BGI_NOINLINE static void resume(struct pair *p)
{
    bgi_context_switch(&p->home, &p->ctx);
}

static void body_of_steps(struct pair *p)
{
    for (int i = 0; i < 3; i++) {
        p->steps++;
        bgi_context_switch(&p->ctx, &p->home);
    }
}

Test(context, goes_on_where_it_left)
{
    struct pair p;
    pair_open(&p, STACK, body_of_steps);
    for (int i = 1; i <= 3; i++) {
        resume(&p);
        cr_assert_eq(p.steps, i);
    }
    resume(&p); /* the final switch */
    cr_assert_eq(p.steps, 3);
    pair_close(&p);
}

static void body_of_argument(struct pair *p)
{
    p->wrong = p->arg != (void *)&p->steps;
    p->steps = 1;
}

Test(context, passes_its_argument)
{
    struct pair p;
    pair_open(&p, STACK, body_of_argument);
    p.arg = &p.steps;
    resume(&p);
    cr_assert_eq(p.steps, 1);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

/* ---- many contexts in a ring ---- */

struct ring {
    bgi_context home;
    bgi_context ctx[MANY];
    void *stack[MANY];
    int at;      /* who should run */
    long wrong;  /* who ran instead */
    long visits; /* in all */
};

static struct ring ring;

static void ring_run(int self)
{
    for (int i = 0; i < ROUNDS; i++) {
        ring.wrong += ring.at != self;
        ring.visits++;
        ring.at = (self + 1) % MANY;
        bgi_context_switch(&ring.ctx[self], &ring.ctx[ring.at]);
    }
}

BGI_CONTEXT_ENTRY static void ring_entry(void *arg)
{
    int self = (int)(intptr_t)arg;
    ring_run(self);
    bgi_context *next = self == MANY - 1 ? &ring.home : &ring.ctx[self + 1];
    bgi_context_switch_final(&ring.ctx[self], next);
}

Test(context, many_in_a_ring)
{
    bgi_context_adopt(&ring.home);
    for (int i = 0; i < MANY; i++) {
        ring.stack[i] = map_stack(STACK);
        cr_assert_not_null(ring.stack[i]);
        bgi_context_init(&ring.ctx[i], ring.stack[i], STACK, ring_entry, (void *)(intptr_t)i);
    }
    bgi_context_switch(&ring.home, &ring.ctx[0]);
    cr_assert_eq(ring.visits, (long)MANY * ROUNDS);
    cr_assert_eq(ring.wrong, 0);
    for (int i = 0; i < MANY; i++) {
        bgi_context_fini(&ring.ctx[i]);
        munmap(ring.stack[i], STACK);
    }
    bgi_context_fini(&ring.home);
}

/* ---- what is live across a switch ---- */

typedef float quad __attribute__((vector_size(16)));
typedef double wide __attribute__((vector_size(32)));

/* Unknown to the compiler, so that nothing can be computed again instead of being kept. */
static volatile long one = 1;

/* More integers, doubles and vectors than there are registers, each its own, all alive. */
#define LIVE(p, switch_away)                                                                       \
    do {                                                                                           \
        long i0 = one, i1 = i0 * 3, i2 = i1 * 3, i3 = i2 * 3, i4 = i3 * 3, i5 = i4 * 3;            \
        long i6 = i5 * 3, i7 = i6 * 3, i8 = i7 * 3, i9 = i8 * 3, i10 = i9 * 3, i11 = i10 * 3;      \
        long i12 = i11 * 3, i13 = i12 * 3, i14 = i13 * 3, i15 = i14 * 3, i16 = i15 * 3;            \
        double d0 = (double)one / 3, d1 = d0 * 2, d2 = d1 * 2, d3 = d2 * 2, d4 = d3 * 2;           \
        double d5 = d4 * 2, d6 = d5 * 2, d7 = d6 * 2, d8 = d7 * 2, d9 = d8 * 2, d10 = d9 * 2;      \
        double d11 = d10 * 2, d12 = d11 * 2, d13 = d12 * 2, d14 = d13 * 2, d15 = d14 * 2;          \
        double d16 = d15 * 2;                                                                      \
        long double l0 = (long double)one / 7, l1 = l0 * 5, l2 = l1 * 5;                           \
        float f0 = (float)one;                                                                     \
        quad q0 = {f0, 2, 3, 4}, q1 = q0 + q0, q2 = q1 + q0, q3 = q2 + q0;                         \
        wide w0 = {d0, 2, 3, 4}, w1 = w0 + w0, w2 = w1 + w0;                                       \
        switch_away;                                                                               \
        (p)->wrong += i1 != i0 * 3 || i2 != i1 * 3 || i3 != i2 * 3 || i4 != i3 * 3;                \
        (p)->wrong += i5 != i4 * 3 || i6 != i5 * 3 || i7 != i6 * 3 || i8 != i7 * 3;                \
        (p)->wrong += i9 != i8 * 3 || i10 != i9 * 3 || i11 != i10 * 3 || i12 != i11 * 3;           \
        (p)->wrong += i13 != i12 * 3 || i14 != i13 * 3 || i15 != i14 * 3 || i16 != 43046721 * i0;  \
        (p)->wrong += d0 * 65536 != d16 || d1 * 32768 != d16 || d2 * 16384 != d16;                 \
        (p)->wrong += d3 * 8192 != d16 || d4 * 4096 != d16 || d5 * 2048 != d16;                    \
        (p)->wrong += d6 * 1024 != d16 || d7 * 512 != d16 || d8 * 256 != d16;                      \
        (p)->wrong += d9 * 128 != d16 || d10 * 64 != d16 || d11 * 32 != d16;                       \
        (p)->wrong += d12 * 16 != d16 || d13 * 8 != d16 || d14 * 4 != d16 || d15 * 2 != d16;       \
        (p)->wrong += l0 != (long double)i0 / 7 || l1 != l0 * 5 || l2 != l1 * 5;                   \
        for (int k = 0; k < 4; k++) {                                                              \
            (p)->wrong += q1[k] != q0[k] + q0[k] || q2[k] != q1[k] + q0[k];                        \
            (p)->wrong += q3[k] != q2[k] + q0[k];                                                  \
            (p)->wrong += w1[k] != w0[k] + w0[k] || w2[k] != w1[k] + w0[k];                        \
        }                                                                                          \
    } while (0)

static void body_of_live(struct pair *p)
{
    for (int i = 0; i < 100; i++) {
        one = i + 1000;
        LIVE(p, bgi_context_switch(&p->ctx, &p->home));
        p->steps++;
    }
}

Test(context, keeps_what_is_live)
{
    struct pair p;
    pair_open(&p, STACK, body_of_live);
    for (int i = 0; i <= 100; i++) {
        one = i + 1;
        LIVE(&p, bgi_context_switch(&p.home, &p.ctx));
    }
    cr_assert_eq(p.steps, 100);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

/* Callee-saved registers of the caller, who sees a plain call. */
static void body_of_spoiling(struct pair *p)
{
    for (int i = 0; i < 100; i++) {
        one = i;
        LIVE(p, go_home(p));
    }
}

Test(context, keeps_the_callers_registers)
{
    struct pair p;
    pair_open(&p, STACK, body_of_spoiling);
    for (int i = 0; i <= 100; i++) {
        one = i + 7;
        LIVE(&p, resume(&p));
    }
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

/* A leaf keeps its data below the stack pointer, where the ABI has a red zone. */
BGI_NOINLINE static long leaf(bgi_context *from, bgi_context *to, const volatile long *in)
{
    volatile long kept[6];
    for (int i = 0; i < 6; i++) {
        kept[i] = in[i];
    }
    bgi_context_jump(from, to);
    long sum = 0;
    for (int i = 0; i < 6; i++) {
        sum = sum * 10 + kept[i];
    }
    return sum;
}

static void body_of_leaf(struct pair *p)
{
    static const volatile long in[6] = {6, 5, 4, 3, 2, 1};
#if BGI_ASAN || BGI_TSAN
    (void)leaf;
    p->wrong += in[5] != 1;
#else
    p->wrong += leaf(&p->ctx, &p->home, in) != 654321;
#endif
    p->steps++;
}

Test(context, leaves_the_red_zone_alone)
{
    static const volatile long in[6] = {1, 2, 3, 4, 5, 6};
    struct pair p;
    pair_open(&p, STACK, body_of_leaf);
#if BGI_ASAN || BGI_TSAN
    resume(&p);
    cr_assert_eq(in[5], 6);
#else
    cr_assert_eq(leaf(&p.home, &p.ctx, in), 123456);
    resume(&p);
#endif
    cr_assert_eq(p.steps, 1);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

/* A frame that is realigned and grows needs a third register for its addresses. */
BGI_NOINLINE static void grown_frame(struct pair *p, bgi_context *from, bgi_context *to)
{
    size_t n = (size_t)one * 64;
    BGI_ALIGNED(128) char aligned[128];
    char grown[n];
    memset(aligned, 0x5a, sizeof aligned);
    memset(grown, 0x3c, n);
    bgi_context_switch(from, to);
    p->wrong += (uintptr_t)aligned % 128 != 0;
    for (size_t i = 0; i < sizeof aligned; i++) {
        p->wrong += *(volatile char *)&aligned[i] != 0x5a;
    }
    for (size_t i = 0; i < n; i++) {
        p->wrong += *(volatile char *)&grown[i] != 0x3c;
    }
}

static void body_of_grown(struct pair *p)
{
    for (int i = 0; i < 5; i++) {
        one = i + 1;
        grown_frame(p, &p->ctx, &p->home);
        p->steps++;
    }
}

Test(context, works_in_realigned_frames)
{
    struct pair p;
    pair_open(&p, STACK, body_of_grown);
    for (int i = 0; i < 6; i++) {
        one = i + 2;
        grown_frame(&p, &p.home, &p.ctx);
    }
    cr_assert_eq(p.steps, 5);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

/* ---- the stack itself ---- */

static void body_of_alignment(struct pair *p)
{
    quad local = {1, 2, 3, (float)one};
    quad *volatile at = &local;
    *at += *at;
    p->wrong += (uintptr_t)at % 16 != 0;
    char text[64];
    (void)snprintf(text, sizeof text, "%.2Lf %.1f", (long double)one + 0.25L, (double)(*at)[1]);
    p->wrong += strcmp(text, "1.25 4.0") != 0;
    p->steps++;
}

Test(context, begins_aligned_whatever_the_stack)
{
    for (size_t cut = 0; cut < 40; cut += 4) {
        struct pair p;
        pair_open(&p, STACK, body_of_alignment);
        one = 1;
        bgi_context_init(&p.ctx, p.stack, STACK - cut, pair_entry, &p);
        resume(&p);
        cr_assert_eq(p.steps, 1);
        cr_assert_eq(p.wrong, 0);
        pair_close(&p);
    }
}

BGI_NOINLINE static long recurse(struct pair *p, long depth)
{
    volatile char frame[256];
    frame[0] = (char)depth;
    frame[255] = (char)depth;
    if (depth == 0) {
        bgi_context_switch(&p->ctx, &p->home);
        return 0;
    }
    long below = recurse(p, depth - 1);
    p->wrong += frame[0] != (char)depth || frame[255] != (char)depth;
    return below + 1;
}

static void body_of_depth(struct pair *p)
{
    p->steps = recurse(p, (long)(intptr_t)p->arg);
}

Test(context, holds_deep_recursion)
{
    struct pair p;
    pair_open(&p, 4 << 20, body_of_depth);
    p.arg = (void *)(intptr_t)2000;
    resume(&p);
    cr_assert_eq(p.steps, 0);
    resume(&p);
    cr_assert_eq(p.steps, 2000);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

#if defined(__GLIBC__)
enum { FRAMES = 64 };

BGI_NOINLINE static int trace(void **frames, void **caller)
{
    *caller = __builtin_return_address(0);
    return backtrace(frames, FRAMES);
}

static void body_of_backtrace(struct pair *p)
{
    void *frames[FRAMES];
    void *caller;
    int n = trace(frames, &caller);
    int found = 0;
    for (int i = 0; i < n; i++) {
        found += frames[i] == caller;
    }
    p->steps = n;
    p->wrong = found != 1;
}

Test(context, unwinding_ends_at_the_first_frame)
{
    struct pair p;
    pair_open(&p, STACK, body_of_backtrace);
    resume(&p);
    /* trace, body, run_body, the entry and what began it; nothing of who switched here. */
    cr_assert_geq(p.steps, 3, "%ld frames", p.steps);
    cr_assert_leq(p.steps, 9, "%ld frames", p.steps);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}
#endif

/* ---- ends ---- */

static void body_of_one(struct pair *p)
{
    volatile char buffer[200]; /* with red zones, where there are such */
    buffer[0] = 1;
    buffer[199] = 2;
    p->steps += buffer[0];
}

Test(context, a_stack_serves_one_after_another)
{
    struct pair p;
    pair_open(&p, STACK, body_of_one);
    for (int i = 1; i <= 100000; i++) {
        bgi_context_init(&p.ctx, p.stack, STACK, pair_entry, &p);
        resume(&p);
    }
    cr_assert_eq(p.steps, 100000);
    pair_close(&p);
}

Test(context, a_suspended_one_can_be_given_up)
{
    struct pair p;
    pair_open(&p, STACK, body_of_depth);
    p.arg = (void *)(intptr_t)100;
    resume(&p); /* deep in a recursion */
    bgi_context_fini(&p.ctx);
    bgi_context zero;
    memset(&zero, 0, sizeof zero);
    cr_assert_eq(memcmp(&zero, &p.ctx, sizeof zero), 0);
    memset(p.stack, 0, STACK);
    p.body = body_of_alignment;
    one = 1;
    bgi_context_init(&p.ctx, p.stack, STACK, pair_entry, &p);
    resume(&p);
    cr_assert_eq(p.steps, 1);
    cr_assert_eq(p.wrong, 0);
    pair_close(&p);
}

Test(context, sp_ip_bp_come_first)
{
    struct pair p;
    pair_open(&p, STACK, body_of_steps);
    uintptr_t *words = (uintptr_t *)&p.ctx;
    resume(&p);
    cr_assert_geq(words[0], (uintptr_t)p.stack);
    cr_assert_lt(words[0], (uintptr_t)p.stack + STACK);
#ifndef BGI_CONTEXT_UCONTEXT
    cr_assert_neq(words[1], 0);
#endif
    bgi_context_fini(&p.ctx);
    pair_close(&p);
}

/* ---- threads ---- */

BGI_NOINLINE static pthread_t who(void)
{
    pthread_t self = pthread_self();
    __asm__ __volatile__("" : "+r"(self));
    return self;
}

struct wander {
    struct pair p;
    bgi_context *back;
    pthread_t seen[4];
};

static void body_of_wander(struct pair *p)
{
    struct wander *w = p->arg;
    for (int i = 0; i < 4; i++) {
        w->seen[i] = who();
        LIVE(p, bgi_context_switch(&p->ctx, w->back));
    }
}

static void *carry_on(void *arg)
{
    struct wander *w = arg;
    bgi_context here;
    bgi_context_adopt(&here);
    w->back = &here;
    bgi_context_switch(&here, &w->p.ctx);
    bgi_context_fini(&here);
    return NULL;
}

Test(context, goes_on_in_another_thread)
{
    static struct wander w;
    pair_open(&w.p, STACK, body_of_wander);
    w.p.arg = &w;
    pthread_t ids[4];
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 0) {
            ids[i] = who();
            w.back = &w.p.home;
            resume(&w.p);
        } else {
            cr_assert_eq(pthread_create(&ids[i], NULL, carry_on, &w), 0);
            cr_assert_eq(pthread_join(ids[i], NULL), 0);
        }
    }
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_equal(w.seen[i], ids[i]), "step %d", i);
    }
    w.back = &w.p.home;
    resume(&w.p);
    cr_assert_eq(w.p.wrong, 0);
    pair_close(&w.p);
}
