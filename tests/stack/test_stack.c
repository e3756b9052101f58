/*
 * The pool: sizes, layout, caches and batches, giving memory back, many stacks, and every refusal
 * of the system.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "stack/stack.h"

#include "base/alloc.h"
#include "base/atomic.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../support/faults.h"

#define KIB ((size_t)1024)
#define DEFAULT (256 * KIB)

/* Sanitizers and emulators pay for memory several times over. */
#if BGI_ASAN || BGI_TSAN || BGI_VALGRIND || !defined(__x86_64__)
enum { MANY = 10000, BURST = 5000 };
#else
enum { MANY = 100000, BURST = 20000 };
#endif

static size_t page;
static bgi_stack_pool *pool;

static void open_pool(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    pool = bgi_stack_pool_create(DEFAULT, 2);
    cr_assert_not_null(pool);
}

static void close_pool(void)
{
    bgi_stack_pool_destroy(pool);
    pool = NULL;
    bgi_guard_force(BGI_GUARD_NONE);
    bgi_guard_set_protect_limit(0);
}

TestSuite(stack, .init = open_pool, .fini = close_pool);

static int closed(const char *p)
{
    static int fd[2] = {-1, -1}; /* the kernel reads it for us */
    if (fd[0] < 0) {
        cr_assert_eq(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
    }
    return write(fd[1], p, 1) < 0 && errno == EFAULT;
}

static size_t resident(void)
{
    char text[128] = {0};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    unsigned long size;
    unsigned long pages;
    return n > 0 && sscanf(text, "%lu %lu", &size, &pages) == 2 ? pages * page : 0;
}

static size_t mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "re");
    size_t lines = 0;
    for (int c; f && (c = fgetc(f)) != EOF;) {
        lines += c == '\n';
    }
    if (f) {
        (void)fclose(f);
    }
    return lines;
}

Test(stack, layout)
{
    bgi_stack *s[32];
    for (size_t i = 0; i < 32; i++) {
        s[i] = bgi_stack_get(pool, 0, 0);
        cr_assert_not_null(s[i]);
        uintptr_t low = (uintptr_t)s[i]->low;
        cr_assert_eq(low % page, 0);
        cr_assert_eq((uintptr_t)s[i] % BGI_CACHE_LINE, 0);
        cr_assert_eq((char *)s[i], s[i]->low + s[i]->size);
        cr_assert_leq(s[i]->size, DEFAULT);
        cr_assert_geq(s[i]->size, DEFAULT - 2 * KIB - sizeof(bgi_stack));
        cr_assert_eq(s[i]->nominal, DEFAULT);
        cr_assert_neq(s[i]->guard, BGI_GUARD_NONE);
        cr_assert_eq(closed(s[i]->low - page), s[i]->guard != BGI_GUARD_CANARY);
        cr_assert(bgi_stack_guard_hit(s[i], s[i]->low - 1));
        cr_assert(bgi_stack_guard_hit(s[i], s[i]->low - page));
        cr_assert(!bgi_stack_guard_hit(s[i], s[i]->low));
        cr_assert(!bgi_stack_guard_hit(s[i], s[i]->low - page - 1));
        memset(s[i]->low, (int)i, s[i]->size); /* all of it is there */
    }
    size_t sets[64] = {0};
    for (size_t i = 0; i < 32; i++) {
        cr_assert_eq(s[i]->low[0], (char)i); /* and nobody else's */
        cr_assert_eq(s[i]->low[s[i]->size - 1], (char)i);
        sets[((uintptr_t)s[i] / 64) % 64]++;
    }
    for (size_t i = 0; i < 64; i++) {
        cr_assert_leq(sets[i], 3, "records share a cache set");
    }
    for (size_t i = 0; i < 32; i++) {
        bgi_stack_put(pool, 0, s[i]);
    }
}

Test(stack, the_last_put_is_the_first_got)
{
    bgi_stack *a = bgi_stack_get(pool, 0, 0);
    bgi_stack *b = bgi_stack_get(pool, 0, DEFAULT);
    cr_assert(a && b && a != b);
    bgi_stack_put(pool, 0, a);
    bgi_stack_put(pool, 0, b);
    cr_assert_eq(bgi_stack_get(pool, 0, 0), b);
    cr_assert_eq(bgi_stack_get(pool, 0, DEFAULT), a);
    bgi_stack_put(pool, 0, a);
    bgi_stack_put(pool, 0, b);
}

Test(stack, sizes)
{
    static const struct {
        size_t asked, nominal;
    } table[] = {
        {0, DEFAULT},
        {DEFAULT, DEFAULT},
        {1, 16 * KIB},
        {16 * KIB, 16 * KIB},
        {16 * KIB + 1, 32 * KIB},
        {100 * KIB, 128 * KIB},
        {200 * KIB, DEFAULT},
        {300 * KIB, 512 * KIB},
        {8192 * KIB, 8192 * KIB},
        {5000 * KIB, 8192 * KIB},
        {8192 * KIB + 1, 0 /* a page more */},
        {64 << 20, 64 << 20},
    };
    for (size_t i = 0; i < BGI_ARRAY_LEN(table); i++) {
        for (int again = 0; again < 3; again++) {
            bgi_stack *s = bgi_stack_get(pool, 1, table[i].asked);
            cr_assert_not_null(s);
            size_t want = table[i].nominal ? table[i].nominal : 8192 * KIB + page;
            cr_assert_eq(s->nominal, want, "%zu: %zu", table[i].asked, s->nominal);
            cr_assert_geq(s->size + 2 * KIB + sizeof *s, table[i].asked);
            cr_assert(bgi_stack_fits(pool, s, table[i].asked) || table[i].asked == 1);
            s->low[0] = 1;
            s->low[s->size - 1] = 1;
            cr_assert_eq(closed(s->low - page), s->guard != BGI_GUARD_CANARY);
            bgi_stack_put(pool, 1, s);
        }
    }
    cr_assert_null(bgi_stack_get(pool, 0, SIZE_MAX));
    cr_assert_null(bgi_stack_get(pool, 0, SIZE_MAX / 4 * 3));
    cr_assert_null(bgi_stack_get(pool, 0, (size_t)1 << 56));
}

Test(stack, other_sizes_come_back)
{
    bgi_stack *a = bgi_stack_get(pool, 0, 64 * KIB);
    bgi_stack_put(pool, 0, a);
    cr_assert_eq(bgi_stack_get(pool, 1, 64 * KIB), a); /* through the pool, whoever gave it */
    bgi_stack_put(pool, 1, a);
    bgi_stack_counts before;
    bgi_stack_counts after;
    bgi_stack_pool_counts(pool, &before);
    bgi_stack *big = bgi_stack_get(pool, 0, 100 << 20);
    cr_assert_not_null(big);
    bgi_stack_put(pool, 0, big);
    bgi_stack_pool_counts(pool, &after);
    cr_assert_eq(after.slabs, before.slabs); /* unmapped at once */
    cr_assert_eq(after.slots, before.slots);
}

Test(stack, what_fits_what)
{
    bgi_stack *s = bgi_stack_get(pool, 0, 0);
    cr_assert(bgi_stack_fits(pool, s, 0));
    cr_assert(bgi_stack_fits(pool, s, 200 * KIB));
    cr_assert(!bgi_stack_fits(pool, s, 257 * KIB));
    cr_assert(!bgi_stack_fits(pool, s, 64 * KIB));
    bgi_stack_put(pool, 0, s);
}

Test(stack, odd_defaults)
{
    static const size_t asked[] = {0, 1, 16 * KIB, 20 * KIB, 100 * KIB + 1, 20 << 20};
    for (size_t i = 0; i < BGI_ARRAY_LEN(asked); i++) {
        bgi_stack_pool *p = bgi_stack_pool_create(asked[i], 1);
        cr_assert_not_null(p);
        cr_assert_eq(p->default_size % page, 0);
        cr_assert_geq(p->default_size, asked[i]);
        cr_assert_geq(p->default_size, BGI_STACK_MIN);
        cr_assert_lt(p->default_size, asked[i] + BGI_STACK_MIN + page);
        bgi_stack *s = bgi_stack_get(p, 0, 0);
        cr_assert_not_null(s);
        cr_assert_eq(s->nominal, p->default_size);
        memset(s->low, 1, s->size);
        bgi_stack_put(p, 0, s);
        cr_assert_eq(bgi_stack_get(p, 0, asked[i] ? p->default_size : 0), s);
        bgi_stack_put(p, 0, s);
        bgi_stack_pool_destroy(p);
    }
    cr_assert_null(bgi_stack_pool_create(SIZE_MAX, 1));
    cr_assert_null(bgi_stack_pool_create(DEFAULT, 0));
    bgi_stack_pool_destroy(NULL);
}

/* ---- caches ---- */

Test(stack, batches_travel_between_caches)
{
    enum { N = 5 * BGI_STACK_BATCH };
    static bgi_stack *s[N];
    bgi_stack_counts c;
    for (size_t i = 0; i < N; i++) {
        s[i] = bgi_stack_get(pool, 0, 0);
        cr_assert_not_null(s[i]);
    }
    for (size_t i = 0; i < N; i++) {
        bgi_stack_put(pool, 0, s[i]);
    }
    bgi_stack_pool_counts(pool, &c);
    cr_assert_eq(c.pooled, N - 2 * BGI_STACK_BATCH); /* a cache keeps two batches */
    size_t slots = c.slots;
    size_t cold = c.cold;
    for (size_t i = 0; i < N - 2 * BGI_STACK_BATCH; i++) {
        s[i] = bgi_stack_get(pool, 1, 0);
        cr_assert_not_null(s[i]);
    }
    bgi_stack_pool_counts(pool, &c);
    cr_assert(c.slots == slots && c.cold == cold && c.pooled == 0); /* all of it was at hand */
    for (size_t i = 0; i < N - 2 * BGI_STACK_BATCH; i++) {
        bgi_stack_put(pool, 1, s[i]);
    }
    bgi_stack_flush(pool, 0);
    bgi_stack_flush(pool, 1);
    bgi_stack_pool_counts(pool, &c);
    cr_assert_eq(c.pooled, N);
    cr_assert_eq(c.cold + N, c.slots);
    for (size_t i = 0; i < N; i++) {
        s[i] = bgi_stack_get(pool, 1, 0);
        for (size_t k = 0; k < i; k++) {
            cr_assert_neq(s[i], s[k]);
        }
    }
    bgi_stack_pool_counts(pool, &c);
    cr_assert_eq(c.slots, slots);
    for (size_t i = 0; i < N; i++) {
        bgi_stack_put(pool, 1, s[i]);
    }
}

/* Threads with a cache each, which pass stacks on to each other. */
enum { THREADS = 4, EXCHANGED = 64, TURNS = 20000 };

static struct {
    bgi_stack_pool *pool;
    bgi_atomic slot[EXCHANGED];
    bgi_atomic wrong;
    bgi_atomic missing;
} exchange;

static void *pass_on(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    uint64_t seed = self + 1;
    for (int i = 0; i < TURNS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t size = (seed >> 60) == 0 ? 64 * KIB : 0;
        bgi_stack *s = bgi_stack_get(exchange.pool, self, size);
        if (!s) {
            (void)bgi_fetch_add(&exchange.missing, 1);
            continue;
        }
        long *mark = (long *)(void *)(s->low + s->size / 64 * 64 - 64);
        *mark = (long)self;
        bgi_atomic *slot = &exchange.slot[(seed >> 40) % EXCHANGED];
        bgi_stack *other = bgi_load_acquire_ptr(slot);
        (void)bgi_fetch_add(&exchange.wrong, *mark != (long)self);
        if (!bgi_cas_ptr(slot, other, s)) {
            other = s;
        }
        if (other) {
            bgi_stack_put(exchange.pool, self, other);
        }
        if (i % 1024 == 0) {
            (void)bgi_stack_trim(exchange.pool, 1000);
        }
        if (i % 4096 == 0) {
            bgi_stack_flush(exchange.pool, self);
        }
    }
    return NULL;
}

Test(stack, threads_share_a_pool)
{
    pthread_t ids[THREADS];
    exchange.pool = bgi_stack_pool_create(32 * KIB, THREADS);
    cr_assert_not_null(exchange.pool);
    for (uintptr_t i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&ids[i], NULL, pass_on, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(ids[i], NULL), 0);
    }
    for (int i = 0; i < EXCHANGED; i++) {
        bgi_stack *s = bgi_load_ptr(&exchange.slot[i]);
        if (s) {
            bgi_stack_put(exchange.pool, 0, s);
        }
    }
    cr_assert_eq(bgi_load(&exchange.wrong), 0);
    cr_assert_eq(bgi_load(&exchange.missing), 0);
    bgi_stack_pool_destroy(exchange.pool); /* panics if one is not back */
}

/* ---- giving back ---- */

static bgi_stack *list_of(bgi_stack_pool *p, size_t n)
{
    bgi_stack *list = NULL;
    for (size_t i = 0; i < n; i++) {
        bgi_stack *s = bgi_stack_get(p, 0, 0);
        if (!s) {
            break;
        }
        s->next = list;
        list = s;
    }
    return list;
}

static size_t put_all(bgi_stack_pool *p, bgi_stack *list)
{
    size_t n = 0;
    for (bgi_stack *next; list; list = next) {
        next = list->next;
        bgi_stack_put(p, 0, list);
        n++;
    }
    return n;
}

Test(stack, memory_is_given_back_after_a_burst)
{
    bgi_stack *list = list_of(pool, BURST);
    size_t peak = resident();
    cr_assert_eq(put_all(pool, list), BURST);
    cr_assert_geq(resident() + BURST * page / 8, peak); /* put itself gives nothing back */
    cr_assert_eq(bgi_stack_trim(pool, BURST), 0);       /* used since the last look */
    size_t first = bgi_stack_trim(pool, 1000);          /* bounded, but for the last batch */
    cr_assert(first >= 1000 && first < 1000 + BGI_STACK_BATCH, "%zu", first);
    size_t rest = bgi_stack_trim(pool, BURST);
    cr_assert_geq(first + rest, (size_t)BURST - BGI_STACK_KEEP - 3 * BGI_STACK_BATCH);
    cr_assert_lt(resident() + BURST * page * 3 / 4, peak);
    bgi_stack_counts c;
    bgi_stack_pool_counts(pool, &c);
    cr_assert_leq(c.slots, BURST / 4); /* whole slabs were unmapped */
    /* And it all works once more. */
    cr_assert_eq(put_all(pool, list_of(pool, BURST)), BURST);
}

Test(stack, a_steady_load_keeps_its_memory)
{
    enum { STEADY = 2000 };
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(put_all(pool, list_of(pool, STEADY)), STEADY);
        cr_assert_eq(bgi_stack_trim(pool, SIZE_MAX), 0);
    }
    cr_assert_gt(bgi_stack_trim(pool, SIZE_MAX), 0);
}

Test(stack, what_comes_back_from_the_cold_is_guarded)
{
    enum { SPREAD = 2000 };
    static bgi_stack *s[SPREAD];
    for (size_t i = 0; i < SPREAD; i++) {
        s[i] = bgi_stack_get(pool, 0, 0);
        cr_assert_not_null(s[i]);
        s[i]->low[0] = 1;
    }
    for (size_t i = 0; i < SPREAD; i++) {
        if (i % 4 != 0) { /* no slab is all free */
            bgi_stack_put(pool, 0, s[i]);
        }
    }
    bgi_stack_counts before;
    bgi_stack_counts after;
    bgi_stack_pool_counts(pool, &before);
    (void)bgi_stack_trim(pool, SPREAD);
    cr_assert_gt(bgi_stack_trim(pool, SPREAD), SPREAD / 2);
    bgi_stack_pool_counts(pool, &after);
    cr_assert_eq(after.slabs, before.slabs);
    for (size_t i = 0; i < SPREAD; i++) {
        if (i % 4 == 0) {
            cr_assert_eq(s[i]->low[0], 1);
            cr_assert(closed(s[i]->low - page) || s[i]->guard == BGI_GUARD_CANARY);
        }
    }
    for (size_t i = 0; i < SPREAD; i++) {
        if (i % 4 != 0) {
            s[i] = bgi_stack_get(pool, 0, 0);
            cr_assert_not_null(s[i]);
            cr_assert(closed(s[i]->low - page) || s[i]->guard == BGI_GUARD_CANARY);
        }
    }
    bgi_stack_pool_counts(pool, &after);
    cr_assert_eq(after.slabs, before.slabs); /* no new one was needed */
    for (size_t i = 0; i < SPREAD; i++) {
        bgi_stack_put(pool, 0, s[i]);
    }
}

Test(stack, very_many)
{
    size_t before = mappings();
    size_t empty = resident();
    bgi_stack *list = list_of(pool, MANY);
    size_t marked = 0;
    size_t protected = 0;
    for (bgi_stack *s = list; s; s = s->next) {
        marked += s->guard == BGI_GUARD_MARKER;
        protected += s->guard == BGI_GUARD_PROTECT;
    }
    size_t made = mappings() - before;
    size_t each = (resident() - empty) / MANY;
    cr_log_info("%d stacks: %zu marked, %zu protected, %zu mappings, %zu bytes each", MANY, marked,
                protected, made, each);
    if (marked == MANY) {
        cr_assert_leq(made, BGI_TSAN ? MANY / 16 : MANY / 64); /* its shadow has mappings too */
    } else {
        cr_assert_leq(made, 40000 + MANY / 32);
    }
#if !BGI_ASAN && !BGI_TSAN && !BGI_VALGRIND && defined(__x86_64__)
    cr_assert(marked != MANY || each < page + 200, "%zu", each);
#endif
    cr_assert_eq(put_all(pool, list), MANY);
}

/* ---- guards of the other kinds ---- */

Test(stack, by_mprotect_near_the_limit)
{
    bgi_guard_force(BGI_GUARD_PROTECT);
    bgi_guard_set_protect_limit(100);
    bgi_stack *list = list_of(pool, 300);
    size_t protected = 0;
    size_t canaries = 0;
    for (bgi_stack *s = list; s; s = s->next) {
        protected += s->guard == BGI_GUARD_PROTECT && closed(s->low - page);
        canaries += s->guard == BGI_GUARD_CANARY && bgi_stack_intact(s);
    }
    cr_assert_eq(protected, 100);
    cr_assert_eq(canaries, 200);
    cr_assert_eq(put_all(pool, list), 300);
    bgi_stack_pool_destroy(pool); /* gives the guards back */
    pool = bgi_stack_pool_create(DEFAULT, 1);
    list = list_of(pool, 50);
    for (bgi_stack *s = list; s; s = s->next) {
        cr_assert_eq(s->guard, BGI_GUARD_PROTECT);
    }
    cr_assert_eq(put_all(pool, list), 50);
}

Test(stack, a_trampled_canary_is_reported, .signal = SIGABRT)
{
    bgi_guard_force(BGI_GUARD_CANARY);
    bgi_stack *s = bgi_stack_get(pool, 0, 0);
    bgi_stack_check(s);
    if (!bgi_stack_intact(s)) {
        _exit(3);
    }
    s->low[-1] = 0;
    s->low[-2] = 0;
    if (bgi_stack_intact(s)) {
        _exit(3);
    }
    bgi_stack_put(pool, 0, s);
}

Test(stack, canaries_survive_reuse)
{
    bgi_guard_force(BGI_GUARD_CANARY);
    for (int i = 0; i < 3; i++) {
        bgi_stack *list = list_of(pool, 1000);
        for (bgi_stack *s = list; s; s = s->next) {
            cr_assert(bgi_stack_intact(s));
            memset(s->low, 0, s->size / 16);
        }
        cr_assert_eq(put_all(pool, list), 1000);
        (void)bgi_stack_trim(pool, SIZE_MAX);
        (void)bgi_stack_trim(pool, SIZE_MAX);
    }
}

Test(stack, one_in_use_keeps_the_pool_from_going, .signal = SIGABRT)
{
    (void)bgi_stack_get(pool, 0, 0);
    bgi_stack_pool_destroy(pool);
}

/* ---- refusals ---- */

/* A life of a pool; 0, or -1 when something was refused. */
static int small_life(void)
{
    int rc = 0;
    bgi_stack_pool *p = bgi_stack_pool_create(DEFAULT, 1);
    if (!p) {
        return -1;
    }
    bgi_stack *s[3] = {bgi_stack_get(p, 0, 0), bgi_stack_get(p, 0, 64 * KIB),
                       bgi_stack_get(p, 0, 32 << 20)};
    for (int i = 0; i < 3; i++) {
        if (!s[i]) {
            rc = -1;
            continue;
        }
        s[i]->low[0] = 1;
        bgi_stack_put(p, 0, s[i]);
    }
    bgi_stack_flush(p, 0);
    (void)bgi_stack_trim(p, 1000);
    bgi_stack_pool_destroy(p);
    return rc;
}

Test(stack, every_refusal_is_borne)
{
    size_t live = bgi_alloc_live();
    size_t refused = 0;
    bgi_fault_arm(BGI_FAULT_ALL, 0);
    cr_assert_eq(small_life(), 0);
    size_t calls = bgi_fault_count();
    cr_assert_gt(calls, 9);
    for (size_t n = 1; n <= calls; n++) {
        bgi_fault_arm(BGI_FAULT_ALL, n);
        refused += small_life() != 0;
        bgi_fault_disarm();
        cr_assert_eq(bgi_alloc_live(), live, "call %zu", n);
    }
    cr_assert_geq(refused, 6); /* three blocks of the pool, three slabs */
    for (unsigned kind = BGI_FAULT_MALLOC; kind <= BGI_FAULT_MPROTECT; kind *= 2) {
        bgi_fault_arm(kind | BGI_FAULT_FOREVER, 1);
        int rc = small_life();
        bgi_fault_disarm();
        cr_assert_eq(rc, kind == BGI_FAULT_MALLOC || kind == BGI_FAULT_MMAP ? -1 : 0);
        cr_assert_eq(bgi_alloc_live(), live);
    }
}

Test(stack, a_small_address_space_is_used_up)
{
    bgi_fault_arm(BGI_FAULT_MMAP, 1); /* the first, large piece */
    bgi_stack *s = bgi_stack_get(pool, 0, 0);
    bgi_fault_disarm();
    cr_assert_not_null(s);
    bgi_stack_counts c;
    bgi_stack_pool_counts(pool, &c);
    cr_assert_eq(c.slots, 16);
    bgi_stack_put(pool, 0, s);
}
