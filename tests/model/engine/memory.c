/*
 * Memory as the model threads see it: the entry points of the thread sanitizer's instrumentation.
 *
 * Every aligned word (8 bytes) of the program's data, of the arena and of the model threads' stacks
 * that an execution touches has a cell: its value before, for putting it back, and who read and
 * wrote it when, for the race check. A word touched atomically by several threads is a location
 * besides: the list of all stores to it in this execution, in modification order, which is the
 * order of execution. The word itself always holds the newest.
 *
 * A thread's view has for each location the oldest store it may still read, and a vector clock.
 * A store carries a message, the view which an acquiring reader takes over: that of the writer (a
 * release), that of the writer's last release fence, or none; a read-modify-write also passes on
 * the message of the store it replaces (release sequence). A relaxed load puts the message aside
 * for the next acquire fence. seq_cst fences exchange locations (not clocks) with one global view.
 * Which store a load reads is a choice, newest first. Read-modify-writes read the newest; a failing
 * compare-and-swap may read an older one.
 *
 * Not covered: a load that reads a store of its future (load buffering, out of thin air), stores
 * that enter the modification order elsewhere than at its end (2+2W), consume. seq_cst loads and
 * stores are acquire and release between two fences, which is stronger than C11; brigade has none.
 * A thread that read the same overwritten store STALE_MAX times in a row reads a newer one next.
 *
 * Which words are locations is learned: a word is one when a second thread touches it atomically
 * for the first time in any execution of the model; the exploration then starts again. Operations
 * on words only one thread ever touches commute with all that others do and are no switch points.
 *
 * Plain accesses to the stacks of threads are not checked for races; atomic ones are complete.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "engine.h"
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SHARED = 0xff, GRAIN = 16 };
enum { ARENA_DEAD = 0, ARENA_LIVE = 1, ARENA_FREED = 2 };
#define STACK_SIZE ((size_t)256 << 10)
#define STACKS_SIZE (STACK_SIZE * T_MAX)
#define ARENA_SIZE ((size_t)62 << 20)
#define MAPS_SIZE ((size_t)16 << 30)
#define NOTHING UINT32_MAX

struct cell {
    volatile uint64_t *word;
    uint64_t old;
    uint32_t grain;
    int16_t loc; /* -1: none */
    bool dirty;  /* the last store's value is what memory holds: a plain write */
    uint8_t plain_writer[2];
    uint8_t plain_mask[2];
    int16_t plain_clk[2];
    v8 plain_read[2];
    v8 atomic_read;
    v8 atomic_write;
};

struct store {
    uint64_t value;
    int message; /* -1: none */
    int by;
};

extern char __data_start, _end; /* of the linker */
extern const uint8_t __executable_start, etext;

static char *area, *arena, *maps, *area_end;
static uintptr_t static_low, static_high;
static uint32_t static_grains;
static uint32_t *shadow; /* cell of a word, 0: none */
static uint8_t *touched; /* across executions: 0, thread + 1, or SHARED */
static uint32_t touched_list[1 << 16];
static unsigned touched_count;
static struct cell cells[CELL_MAX];
static unsigned cell_count = 1;
static struct store stores[LOC_MAX][STORE_MAX];
static uint16_t store_count[LOC_MAX];
static uint32_t loc_cell[LOC_MAX];
static unsigned locs;
static unsigned view_parts = 1; /* of 8 entries in use, clock included */
static view messages[MESSAGE_MAX];
static int message_count;
static view sc_view;
static uint8_t stale_count[T_MAX][LOC_MAX];
static uint16_t stale_index[T_MAX][LOC_MAX];

struct block {
    char *start;
    size_t size;
    bool live;
    bool kept_live; /* as setup left it */
};
enum { BLOCK_MAX = 8192 };
static struct block blocks[BLOCK_MAX], regions[BLOCK_MAX];
static unsigned block_count, region_count, kept_blocks, kept_regions;
static char *arena_next, *maps_next, *kept_arena, *kept_maps;
static uint8_t *arena_state;
static struct {
    volatile uint64_t *word;
    uint64_t old;
} setup_log[CELL_MAX];
static unsigned setup_logged;

static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        perror("models: mmap");
        exit(2);
    }
    return p;
}

void memory_start(void)
{
    static_low = (uintptr_t)&__data_start & ~(uintptr_t)7;
    static_high = ((uintptr_t)&_end + 7) & ~(uintptr_t)7;
    static_grains = (uint32_t)((static_high - static_low) >> 3);
    size_t all = STACKS_SIZE + ARENA_SIZE + MAPS_SIZE;
    area = reserve(all + (1 << 20));
    area = (char *)(((uintptr_t)area + (1 << 20) - 1) & ~(uintptr_t)((1 << 20) - 1));
    area_end = area + all;
    arena = arena_next = kept_arena = area + STACKS_SIZE;
    maps = maps_next = kept_maps = arena + ARENA_SIZE;
    size_t grains = static_grains + (all >> 3);
    shadow = reserve(grains * sizeof *shadow);
    touched = reserve(grains);
    arena_state = reserve(ARENA_SIZE / GRAIN);
    site_low = (uintptr_t)&__executable_start;
    site_flags = reserve((size_t)(&etext - &__executable_start) + 1);
}

char *stack_of(int t, size_t *size)
{
    *size = STACK_SIZE;
    return area + (size_t)t * STACK_SIZE;
}

static inline uint32_t grain_of(uintptr_t a)
{
    if (a - (uintptr_t)area < (uintptr_t)(area_end - area)) {
        return static_grains + (uint32_t)((a - (uintptr_t)area) >> 3);
    }
    if (a - static_low < static_high - static_low) {
        return (uint32_t)((a - static_low) >> 3);
    }
    return NOTHING;
}

static inline bool on_stack(uintptr_t a)
{
    return a - (uintptr_t)area < STACKS_SIZE;
}

static const struct block *region_of(const char *p)
{
    for (unsigned i = 0; i < region_count; i++) {
        if (p >= regions[i].start && p < regions[i].start + regions[i].size) {
            return &regions[i];
        }
    }
    return NULL;
}

static void bad_access(uintptr_t a, const void *pc, const char *what)
{
    char where[128];
    describe_address(a, where, sizeof where);
    trace(pc, "%s %s", what, where);
    fail("use of %s: %s", what, where);
}

static inline void check_alive(uintptr_t a, const void *pc)
{
    uintptr_t off = a - (uintptr_t)arena;
    if (off < ARENA_SIZE) {
        uint8_t s = arena_state[off / GRAIN];
        if (unlikely(s != ARENA_LIVE)) {
            bad_access(a, pc, s == ARENA_FREED ? "freed memory" : "unallocated memory");
        }
    } else if (off < ARENA_SIZE + MAPS_SIZE) {
        const struct block *r = region_of((const char *)a);
        if (unlikely(r == NULL || !r->live)) {
            bad_access(a, pc, r != NULL ? "freed memory" : "unallocated memory");
        }
    } else if (unlikely(a < 65536)) {
        bad_access(a, pc, "null pointer");
    }
}

static inline struct cell *cell_at(uint32_t g, uintptr_t a)
{
    uint32_t i = shadow[g];
    if (likely(i != 0)) {
        return &cells[i];
    }
    if (unlikely(cell_count == CELL_MAX)) {
        fail("limit: more than %d words touched", CELL_MAX);
    }
    i = cell_count++;
    shadow[g] = i;
    struct cell *c = &cells[i];
    memset(c, 0, sizeof *c);
    c->word = (volatile uint64_t *)(a & ~(uintptr_t)7);
    c->old = *c->word;
    c->grain = g;
    c->loc = -1;
    return c;
}

void word_changed(void *p)
{
    uint32_t g = grain_of((uintptr_t)p);
    if (phase != IDLE && g != NOTHING) {
        (void)cell_at(g, (uintptr_t)p);
    }
}

/* ---- views ---- */

void view_join(view *to, const view *from)
{
    v8 *a = &to->clk;
    const v8 *b = &from->clk;
    for (unsigned i = 0; i < view_parts; i++) {
        v8 more = b[i] > a[i];
        a[i] = (b[i] & more) | (a[i] & ~more);
    }
}

static void view_copy(view *to, const view *from)
{
    v8 *a = &to->clk;
    const v8 *b = &from->clk;
    for (unsigned i = 0; i < view_parts; i++) {
        a[i] = b[i];
    }
}

int message_of(const view *v)
{
    if (unlikely(message_count == MESSAGE_MAX)) {
        fail("limit: more than %d releases", MESSAGE_MAX);
    }
    view_copy(&messages[message_count], v);
    return message_count++;
}

const view *message(int i)
{
    return &messages[i];
}

static inline short *ts_of(view *v)
{
    return (short *)v->ts;
}

static inline bool later(v8 epochs, v8 clk)
{
    typedef long long v2 __attribute__((vector_size(16)));
    v2 r = (v2)(epochs > clk);
    return (r[0] | r[1]) != 0;
}

static inline short own_clk(void)
{
    return mt[self].cur.clk[self];
}

static inline void tick(void)
{
    mt[self].cur.clk[self]++;
}

/* ---- races ---- */

static void race(const struct cell *c, uintptr_t a, const void *pc, const char *what, bool write)
{
    char where[128];
    int by = -1;
    describe_address(a, where, sizeof where);
    for (int t = 0; t < T_MAX && by < 0; t++) {
        short clk = mt[self].cur.clk[t];
        if ((c->plain_writer[0] == t && c->plain_clk[0] > clk) ||
            (c->plain_writer[1] == t && c->plain_clk[1] > clk) || c->atomic_write[t] > clk ||
            (write &&
             (c->plain_read[0][t] > clk || c->plain_read[1][t] > clk || c->atomic_read[t] > clk))) {
            by = t;
        }
    }
    trace(pc, "%s %s", what, where);
    fail("data race: %s of %s by thread %d is not ordered after an access by thread %d", what,
         where, self, by);
}

static inline void append(struct cell *c, uint64_t value, int msg);

static uint32_t plain_count; /* in this execution */

static inline void plain(uintptr_t a, unsigned size, bool write, const void *pc)
{
    if (unlikely(phase == IDLE)) {
        return;
    }
    if (unlikely(++plain_count > PLAIN_MAX && phase == RUN)) {
        fail("no progress: %d plain accesses", PLAIN_MAX);
    }
    uint32_t g = grain_of(a);
    if (g == NOTHING) {
        if (unlikely(a < 65536)) {
            bad_access(a, pc, "null pointer");
        }
        return;
    }
    if (on_stack(a)) {
        if (unlikely(shadow[g] != 0) && write && phase == RUN) { /* another object begins */
            struct cell *c = &cells[shadow[g]];
            c->loc = -1;
            c->dirty = false;
            c->atomic_read = c->atomic_write = (v8){0};
        }
        return;
    } else {
        check_alive(a, pc);
    }
    unsigned off = (unsigned)(a & 7);
    if (unlikely(off + size > 8)) {
        plain(a, 8 - off, write, pc);
        plain((a | 7) + 1, size - (8 - off), write, pc);
        return;
    }
    if (phase != RUN) {
        if (write) {
            (void)cell_at(g, a);
        }
        return;
    }
    struct cell *c = cell_at(g, a);
    v8 clk = mt[self].cur.clk;
    unsigned mask = ((1u << size) - 1) << off;
    short now = own_clk();
    if (write) {
        if (unlikely(later(c->atomic_read, clk) || later(c->atomic_write, clk))) {
            race(c, a, pc, "plain write", true);
        }
    } else if (unlikely(later(c->atomic_write, clk))) {
        race(c, a, pc, "plain read", false);
    }
    for (unsigned h = 0; h < 2; h++, mask >>= 4) {
        unsigned part = mask & 15;
        if (part == 0) {
            continue;
        }
        if (unlikely(c->plain_clk[h] > clk[c->plain_writer[h]] && (c->plain_mask[h] & part))) {
            race(c, a, pc, write ? "plain write" : "plain read", write);
        }
        if (write) {
            if (unlikely(later(c->plain_read[h], clk))) {
                race(c, a, pc, "plain write", true);
            }
            c->plain_writer[h] = (uint8_t)self;
            c->plain_mask[h] = (uint8_t)part;
            c->plain_clk[h] = now;
        } else {
            c->plain_read[h][self] = now;
        }
    }
    if (unlikely(write && c->loc >= 0 && !c->dirty)) {
        append(c, 0, -1);
        c->dirty = true;
    }
}

static void range(uintptr_t a, size_t size, bool write, const void *pc)
{
    while (size > 0) {
        unsigned n = 8 - (unsigned)(a & 7);
        n = size < n ? (unsigned)size : n;
        plain(a, n, write, pc);
        a += n;
        size -= n;
    }
}

/* ---- locations ---- */

static inline void append(struct cell *c, uint64_t value, int msg)
{
    int l = c->loc;
    unsigned n = store_count[l];
    if (unlikely(n == STORE_MAX)) {
        fail("limit: more than %d stores to one word", STORE_MAX);
    }
    stores[l][n] = (struct store){value, msg, self};
    store_count[l] = (uint16_t)(n + 1);
    ts_of(&mt[self].cur)[l] = (short)n;
}

static void make_location(struct cell *c)
{
    if (unlikely(locs == LOC_MAX)) {
        fail("limit: more than %d atomic words", LOC_MAX);
    }
    unsigned l = locs++;
    c->loc = (int16_t)l;
    loc_cell[l] = (uint32_t)(c - cells);
    stores[l][0] = (struct store){*c->word, -1, -1};
    store_count[l] = 1;
    if (l / 8 + 2 > view_parts) {
        view_parts = l / 8 + 2;
        for (int t = 0; t < T_MAX; t++) {
            mt[t].cur.ts[l / 8] = (v8){0};
            mt[t].acq.ts[l / 8] = (v8){0};
        }
        sc_view.ts[l / 8] = (v8){0};
        for (int i = 0; i < message_count; i++) {
            messages[i].ts[l / 8] = (v8){0};
        }
    }
    for (int t = 0; t < T_MAX; t++) {
        stale_count[t][l] = 0;
        stale_index[t][l] = 0;
    }
}

/* The running thread uses this word as an atomic one. */
static inline void touch(uint32_t g)
{
    uint8_t who = touched[g];
    if (unlikely(who != SHARED && who != self + 1)) {
        if (who == 0) {
            touched[g] = (uint8_t)(self + 1);
            if (touched_count < sizeof touched_list / sizeof touched_list[0]) {
                touched_list[touched_count++] = g;
            }
        } else {
            touched[g] = SHARED;
            end_execution(AGAIN);
        }
    }
}

/*
 * The start of every atomic operation: a switch point, then the race check. Gives the cell; NULL
 * when the operation is to be done plainly (outside of an execution, or memory nobody watches).
 */
static inline struct cell *enter(volatile uint64_t *p, bool write, const void *pc)
{
    uintptr_t a = (uintptr_t)p;
    if (unlikely(phase == IDLE)) {
        return NULL;
    }
    uint32_t g = grain_of(a);
    if (unlikely(g == NOTHING)) {
        if (a < 65536) {
            bad_access(a, pc, "null pointer");
        }
        return NULL;
    }
    if (unlikely(phase != RUN)) {
        if (!on_stack(a)) {
            check_alive(a, pc);
        }
        if (write) {
            (void)cell_at(g, a);
        }
        return NULL;
    }
    touch(g);
    if (touched[g] == SHARED) {
        point();
    }
    if (!on_stack(a)) {
        check_alive(a, pc);
    }
    struct cell *c = cell_at(g, a);
    v8 clk = mt[self].cur.clk;
    if (unlikely(c->plain_clk[0] > clk[c->plain_writer[0]] ||
                 c->plain_clk[1] > clk[c->plain_writer[1]])) {
        race(c, a, pc, write ? "atomic write" : "atomic read", write);
    }
    if (write) {
        if (unlikely(later(c->plain_read[0], clk) || later(c->plain_read[1], clk))) {
            race(c, a, pc, "atomic write", true);
        }
        c->atomic_write[self] = own_clk();
    } else {
        c->atomic_read[self] = own_clk();
    }
    if (touched[g] == SHARED) {
        if (unlikely(c->loc < 0)) {
            make_location(c);
        } else if (unlikely(c->dirty)) {
            stores[c->loc][store_count[c->loc] - 1].value = *c->word;
            c->dirty = false;
        }
    }
    return c;
}

/* The order an operation is to have: its own, unless it is the mutant's. */
static inline int order_at(int order, const void *pc)
{
    return likely(site_flags[(uintptr_t)pc - site_low] == 0) ? order : site_order(order, pc);
}

static inline bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST ||
           order == __ATOMIC_CONSUME;
}

static inline bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void fence(int order)
{
    mthread *t = &mt[self];
    if (acquires(order) && t->has_acq) {
        view_join(&t->cur, &t->acq);
        t->has_acq = false;
    }
    if (order == __ATOMIC_SEQ_CST) {
        for (unsigned i = 0; i + 1 < view_parts; i++) {
            v8 *a = &t->cur.ts[i], *b = &sc_view.ts[i];
            v8 more = *b > *a;
            *a = *b = (*b & more) | (*a & ~more);
        }
    }
    if (releases(order)) {
        t->rel = message_of(&t->cur);
        tick();
    }
}

/* membarrier(2): a full fence in the midst of every thread. The first round collects what each has
 * done and seen, the second tells all of them. One that has ended went through the kernel. */
void fence_everywhere(void)
{
    int me = self;
    for (unsigned i = 0; i < 2 * threads; i++) {
        self = (int)(i % threads);
        fence(__ATOMIC_SEQ_CST);
    }
    self = me;
    fence(__ATOMIC_SEQ_CST);
}

/* The thread has read store i of l. */
static inline void has_read(int l, unsigned i, int order)
{
    mthread *t = &mt[self];
    short *ts = &ts_of(&t->cur)[l];
    if (*ts < (short)i) {
        *ts = (short)i;
    }
    int m = stores[l][i].message;
    if (m >= 0) {
        if (acquires(order)) {
            view_join(&t->cur, &messages[m]);
        } else {
            if (!t->has_acq) {
                view_copy(&t->acq, &t->cur);
                t->has_acq = true;
            }
            view_join(&t->acq, &messages[m]);
        }
    }
}

static inline int message_to_send(int order)
{
    if (releases(order)) {
        int m = message_of(&mt[self].cur);
        tick();
        return m;
    }
    return mt[self].rel;
}

static inline void note_stale(int l, unsigned i, unsigned last)
{
    if (i == last) {
        stale_count[self][l] = 0;
    } else if (stale_index[self][l] == i) {
        stale_count[self][l]++;
    } else {
        stale_index[self][l] = (uint16_t)i;
        stale_count[self][l] = 1;
    }
}

static inline unsigned oldest(int l, unsigned last)
{
    if (mt[self].fresh) {
        return last;
    }
    unsigned low = (unsigned)ts_of(&mt[self].cur)[l];
    if (low < last && stale_count[self][l] >= STALE_MAX && low <= stale_index[self][l]) {
        low = stale_index[self][l] + 1u;
    }
    return low;
}

static const char *order_name(int order)
{
    static const char *const names[] = {"relaxed", "consume", "acquire",
                                        "release", "acq_rel", "seq_cst"};
    return order >= 0 && order < 6 ? names[order] : "nothing";
}

static void trace_op(const void *pc, volatile uint64_t *p, const char *op, uint64_t v, int order,
                     const struct cell *c, unsigned i)
{
    char where[128], stale[64] = "";
    describe_address((uintptr_t)p, where, sizeof where);
    if (c != NULL && c->loc >= 0 && i + 1u < store_count[c->loc]) {
        (void)snprintf(stale, sizeof stale, "  (stale: newest is %#llx)",
                       (unsigned long long)stores[c->loc][store_count[c->loc] - 1].value);
    }
    trace(pc, "%-8s %-32s %#llx  %s%s", op, where, (unsigned long long)v, order_name(order), stale);
}

static inline uint64_t op_load(volatile uint64_t *p, int order, const void *pc)
{
    struct cell *c = enter(p, false, pc);
    if (c == NULL || c->loc < 0) {
        uint64_t v = *p;
        if (unlikely(tracing) && phase == RUN) {
            trace_op(pc, p, "load", v, order, c, 0);
        }
        return v;
    }
    int l = c->loc;
    order = order_at(order, pc);
    if (unlikely(order == __ATOMIC_SEQ_CST)) {
        fence(order);
    }
    unsigned last = store_count[l] - 1u;
    unsigned low = oldest(l, last);
    unsigned i = last;
    if (low < last) {
        i = last - choose(last - low + 1);
    }
    note_stale(l, i, last);
    mt[self].fresh = false;
    has_read(l, i, order);
    if (unlikely(tracing)) {
        trace_op(pc, p, "load", stores[l][i].value, order, c, i);
    }
    return stores[l][i].value;
}

static inline void op_store(volatile uint64_t *p, uint64_t v, int order, const void *pc)
{
    struct cell *c = enter(p, true, pc);
    if (c != NULL && c->loc >= 0) {
        order = order_at(order, pc);
        if (unlikely(order == __ATOMIC_SEQ_CST)) {
            fence(order);
        }
        append(c, v, -1);
        stores[c->loc][store_count[c->loc] - 1].message = message_to_send(order);
    }
    *p = v;
    if (unlikely(tracing) && phase == RUN) {
        trace_op(pc, p, "store", v, order, NULL, 0);
    }
    if (unlikely(order == __ATOMIC_SEQ_CST && phase == RUN)) {
        fence(order);
    }
}

/* A read-modify-write that has read the newest store, old, takes effect. */
static inline void replace(struct cell *c, volatile uint64_t *p, uint64_t v, int order)
{
    int l = c->loc;
    unsigned last = store_count[l] - 1u;
    int before = stores[l][last].message;
    has_read(l, last, order);
    append(c, v, -1);
    int m = message_to_send(order);
    if (before >= 0) {
        if (m < 0) {
            m = before;
        } else {
            if (!releases(order)) {
                m = message_of(&messages[m]);
            }
            view_join(&messages[m], &messages[before]);
        }
    }
    stores[l][last + 1].message = m;
    note_stale(l, last, last);
    mt[self].fresh = false;
    *p = v;
}

enum rmw { ADD, SUB, AND, OR, XOR, XCHG };

static inline uint64_t op_rmw(volatile uint64_t *p, uint64_t n, int order, enum rmw what,
                              const void *pc)
{
    struct cell *c = enter(p, true, pc);
    uint64_t old = *p;
    uint64_t v = what == ADD   ? old + n
                 : what == SUB ? old - n
                 : what == AND ? (old & n)
                 : what == OR  ? (old | n)
                 : what == XOR ? (old ^ n)
                               : n;
    if (c == NULL || c->loc < 0) {
        *p = v;
    } else {
        /* libatomic_ops says seq_cst here; lib/base/atomic.h promises less, which is checked. */
        order = order_at(order == __ATOMIC_SEQ_CST ? __ATOMIC_ACQ_REL : order, pc);
        replace(c, p, v, order);
    }
    if (unlikely(tracing) && phase == RUN) {
        trace_op(pc, p, "fetch", old, order, NULL, 0);
        trace_op(pc, p, "  stores", v, order, NULL, 0);
    }
    return old;
}

static inline uint64_t op_cas(volatile uint64_t *p, uint64_t expected, uint64_t v, int order,
                              int failing, const void *pc)
{
    struct cell *c = enter(p, true, pc);
    uint64_t newest = *p;
    if (c == NULL || c->loc < 0) {
        if (newest == expected) {
            *p = v;
        }
        if (unlikely(tracing) && phase == RUN) {
            trace_op(pc, p, newest == expected ? "cas" : "cas fail", newest, order, NULL, 0);
        }
        return newest;
    }
    int l = c->loc;
    order = order_at(order, pc);
    failing = acquires(order) ? failing : __ATOMIC_RELAXED;
    if (unlikely(order == __ATOMIC_SEQ_CST)) {
        fence(order);
    }
    unsigned last = store_count[l] - 1u;
    unsigned low = oldest(l, last);
    unsigned i = last;
    if (low < last) {
        unsigned n = 1;
        for (unsigned k = low; k < last; k++) {
            n += stores[l][k].value != expected;
        }
        unsigned pick = choose(n);
        while (pick > 0) {
            i--;
            pick -= stores[l][i].value != expected;
        }
    }
    if (i == last && newest == expected) {
        replace(c, p, v, order);
        if (unlikely(tracing)) {
            trace_op(pc, p, "cas", newest, order, NULL, 0);
            trace_op(pc, p, "  stores", v, order, NULL, 0);
        }
        if (unlikely(order == __ATOMIC_SEQ_CST)) {
            fence(order);
        }
        return newest;
    }
    note_stale(l, i, last);
    mt[self].fresh = false;
    has_read(l, i, failing);
    if (unlikely(tracing)) {
        trace_op(pc, p, "cas fail", stores[l][i].value, failing, c, i);
    }
    return stores[l][i].value;
}

static void read_newest(volatile uint64_t *word, int order)
{
    uint32_t g = grain_of((uintptr_t)word);
    if (g != NOTHING) {
        touch(g);
    }
    if (g != NOTHING && shadow[g] != 0 && cells[shadow[g]].loc >= 0) {
        int l = cells[shadow[g]].loc;
        has_read(l, store_count[l] - 1u, order);
    }
}

void read_newest_acquire(volatile uint64_t *word)
{
    read_newest(word, __ATOMIC_ACQUIRE);
}

void read_newest_relaxed(volatile uint64_t *word)
{
    read_newest(word, __ATOMIC_RELAXED);
}

/* ---- entry points ---- */

#define HERE __builtin_return_address(0)
typedef volatile uint64_t *word_p;

void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
    (void)pc;
}
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}
#define PLAIN(n)                                                                                   \
    void __tsan_read##n(void *p);                                                                  \
    void __tsan_write##n(void *p);                                                                 \
    void __tsan_unaligned_read##n(void *p);                                                        \
    void __tsan_unaligned_write##n(void *p);                                                       \
    void __tsan_read_write##n(void *p);                                                            \
    void __tsan_unaligned_read_write##n(void *p);                                                  \
    void __tsan_volatile_read##n(void *p);                                                         \
    void __tsan_volatile_write##n(void *p);                                                        \
    void __tsan_read##n(void *p)                                                                   \
    {                                                                                              \
        plain((uintptr_t)p, n, false, HERE);                                                       \
    }                                                                                              \
    void __tsan_write##n(void *p)                                                                  \
    {                                                                                              \
        plain((uintptr_t)p, n, true, HERE);                                                        \
    }                                                                                              \
    void __tsan_unaligned_read##n(void *p)                                                         \
    {                                                                                              \
        plain((uintptr_t)p, n, false, HERE);                                                       \
    }                                                                                              \
    void __tsan_unaligned_write##n(void *p)                                                        \
    {                                                                                              \
        plain((uintptr_t)p, n, true, HERE);                                                        \
    }                                                                                              \
    void __tsan_read_write##n(void *p)                                                             \
    {                                                                                              \
        plain((uintptr_t)p, n, true, HERE);                                                        \
    }                                                                                              \
    void __tsan_unaligned_read_write##n(void *p)                                                   \
    {                                                                                              \
        plain((uintptr_t)p, n, true, HERE);                                                        \
    }                                                                                              \
    void __tsan_volatile_read##n(void *p)                                                          \
    {                                                                                              \
        plain((uintptr_t)p, n, false, HERE);                                                       \
    }                                                                                              \
    void __tsan_volatile_write##n(void *p)                                                         \
    {                                                                                              \
        plain((uintptr_t)p, n, true, HERE);                                                        \
    }
/* clang-format off */
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)
/* clang-format on */
#undef PLAIN

    void __tsan_read_range(void *p, size_t n);
void __tsan_read_range(void *p, size_t n)
{
    range((uintptr_t)p, n, false, HERE);
}
void __tsan_write_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n)
{
    range((uintptr_t)p, n, true, HERE);
}
void *__tsan_memset(void *p, int c, size_t n);
void *__tsan_memset(void *p, int c, size_t n)
{
    range((uintptr_t)p, n, true, HERE);
    return memset(p, c, n);
}
void *__tsan_memcpy(void *to, const void *from, size_t n);
void *__tsan_memcpy(void *to, const void *from, size_t n)
{
    range((uintptr_t)from, n, false, HERE);
    range((uintptr_t)to, n, true, HERE);
    return memmove(to, from, n);
}
void *__tsan_memmove(void *to, const void *from, size_t n);
void *__tsan_memmove(void *to, const void *from, size_t n)
{
    range((uintptr_t)from, n, false, HERE);
    range((uintptr_t)to, n, true, HERE);
    return memmove(to, from, n);
}
uint64_t __tsan_atomic64_load(const volatile uint64_t *p, int order);
uint64_t __tsan_atomic64_load(const volatile uint64_t *p, int order)
{
    return op_load((word_p)(uintptr_t)p, order, HERE);
}
void __tsan_atomic64_store(word_p p, uint64_t v, int order);
void __tsan_atomic64_store(word_p p, uint64_t v, int order)
{
    op_store(p, v, order, HERE);
}
#define RMW(name, what)                                                                            \
    uint64_t __tsan_atomic64_##name(word_p p, uint64_t n, int order);                              \
    uint64_t __tsan_atomic64_##name(word_p p, uint64_t n, int order)                               \
    {                                                                                              \
        return op_rmw(p, n, order, what, HERE);                                                    \
    }
/* clang-format off */
RMW(exchange, XCHG) RMW(fetch_add, ADD) RMW(fetch_sub, SUB) RMW(fetch_and, AND) RMW(fetch_or, OR)
RMW(fetch_xor, XOR)
/* clang-format on */
#undef RMW
#define CAS(name)                                                                                  \
    int __tsan_atomic64_compare_exchange_##name(word_p p, uint64_t *expected, uint64_t v,          \
                                                int order, int failing);                           \
    int __tsan_atomic64_compare_exchange_##name(word_p p, uint64_t *expected, uint64_t v,          \
                                                int order, int failing)                            \
    {                                                                                              \
        uint64_t want = *expected;                                                                 \
        uint64_t found = op_cas(p, want, v, order, failing, HERE);                                 \
        *expected = found;                                                                         \
        return found == want;                                                                      \
    }
    /* clang-format off */
CAS(strong) CAS(weak)
/* clang-format on */
#undef CAS
        uint64_t __tsan_atomic64_compare_exchange_val(word_p p, uint64_t expected, uint64_t v,
                                                      int order, int failing);
uint64_t __tsan_atomic64_compare_exchange_val(word_p p, uint64_t expected, uint64_t v, int order,
                                              int failing)
{
    return op_cas(p, expected, v, order, failing, HERE);
}
void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    const void *pc = HERE;
    if (phase == RUN && (order = order_at(order, pc)) >= 0) {
        fence(order);
        if (unlikely(tracing)) {
            trace(pc, "fence    %s", order_name(order));
        }
    }
}
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
void *__tsan_create_fiber(unsigned flags);
void *__tsan_create_fiber(unsigned flags)
{
    (void)flags;
    return NULL;
}
void __tsan_destroy_fiber(void *fiber);
void __tsan_destroy_fiber(void *fiber)
{
    (void)fiber;
}
void *__tsan_get_current_fiber(void);
void *__tsan_get_current_fiber(void)
{
    return NULL;
}
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_switch_to_fiber(void *fiber, unsigned flags)
{
    (void)fiber;
    (void)flags;
}

/* ---- the arena ---- */

void *arena_alloc(size_t align, size_t size)
{
    align = align < GRAIN ? GRAIN : align;
    char *p = (char *)(((uintptr_t)arena_next + align - 1) & ~(uintptr_t)(align - 1));
    size_t room = (size + GRAIN - 1) / GRAIN * GRAIN;
    if (block_count == BLOCK_MAX || p + room + GRAIN > arena + ARENA_SIZE) {
        fail("limit: the arena is full");
    }
    blocks[block_count++] = (struct block){p, size, true, false};
    memset(arena_state + (p - arena) / GRAIN, ARENA_LIVE, room / GRAIN);
    arena_next = p + room + GRAIN;
    return p;
}

bool arena_free(void *q)
{
    char *p = q;
    if (p < arena || p >= maps) {
        return false;
    }
    for (unsigned i = block_count; i-- > 0;) {
        if (blocks[i].start == p) {
            if (!blocks[i].live) {
                break;
            }
            if (phase == RUN) { /* whoever used it must have done so before */
                for (size_t at = 0; at < blocks[i].size; at += 8) {
                    uint32_t g = grain_of((uintptr_t)p + at);
                    if (shadow[g] != 0) {
                        plain((uintptr_t)p + at, 8, true, HERE);
                    }
                }
            }
            blocks[i].live = false;
            memset(arena_state + (p - arena) / GRAIN, ARENA_FREED,
                   (blocks[i].size + GRAIN - 1) / GRAIN);
            return true;
        }
    }
    fail("free of what is not allocated, or not any more: %p", q);
}

void *map_alloc(size_t size)
{
    char *p = maps_next;
    size = (size + 4095) & ~(size_t)4095;
    if (region_count == BLOCK_MAX || p + size > area_end) {
        fail("limit: too much mapped");
    }
    regions[region_count++] = (struct block){p, size, true, false};
    maps_next = p + size;
    return p;
}

bool map_free(void *p, size_t size)
{
    (void)size;
    if ((char *)p < maps || (char *)p >= area_end) {
        return false;
    }
    for (unsigned i = 0; i < region_count; i++) {
        if (regions[i].start == p) {
            regions[i].live = false;
        }
    }
    return true;
}

static void blocks_reset(void)
{
    for (unsigned i = kept_blocks; i < block_count; i++) {
        memset(arena_state + (blocks[i].start - arena) / GRAIN, ARENA_DEAD,
               (blocks[i].size + GRAIN - 1) / GRAIN);
    }
    for (unsigned i = 0; i < kept_blocks; i++) {
        if (blocks[i].live != blocks[i].kept_live) {
            blocks[i].live = blocks[i].kept_live;
            memset(arena_state + (blocks[i].start - arena) / GRAIN,
                   blocks[i].live ? ARENA_LIVE : ARENA_FREED, (blocks[i].size + GRAIN - 1) / GRAIN);
        }
    }
    for (unsigned i = 0; i < kept_regions; i++) {
        regions[i].live = regions[i].kept_live;
    }
    block_count = kept_blocks;
    region_count = kept_regions;
    arena_next = kept_arena;
    maps_next = kept_maps;
}

/* ---- between executions ---- */

static void cells_drop(bool restore)
{
    for (unsigned i = cell_count; i-- > 1;) {
        shadow[cells[i].grain] = 0;
        if (restore && !on_stack((uintptr_t)cells[i].word)) {
            *cells[i].word = cells[i].old;
        }
    }
    cell_count = 1;
    plain_count = 0;
    locs = 0;
    view_parts = 1;
    message_count = 0;
    memset(&sc_view, 0, sizeof sc_view.clk);
}

/* Memory is again as setup left it. */
void memory_reset(void)
{
    cells_drop(true);
    blocks_reset();
}

/* What setup has made is what each execution starts from. */
void memory_commit_setup(void)
{
    for (unsigned i = 1; i < cell_count; i++) {
        setup_log[setup_logged].word = cells[i].word;
        setup_log[setup_logged++].old = cells[i].old;
    }
    cells_drop(false);
    kept_blocks = block_count;
    kept_regions = region_count;
    kept_arena = arena_next;
    kept_maps = maps_next;
    for (unsigned i = 0; i < block_count; i++) {
        blocks[i].kept_live = blocks[i].live;
    }
    for (unsigned i = 0; i < region_count; i++) {
        regions[i].kept_live = regions[i].live;
    }
}

/* Memory is again as it was before the model's setup; what was learned of it is forgotten, unless
 * the same model comes next. */
void memory_forget_model(bool keep_learned)
{
    memory_reset();
    while (setup_logged > 0) {
        setup_logged--;
        *setup_log[setup_logged].word = setup_log[setup_logged].old;
    }
    kept_blocks = kept_regions = 0;
    kept_arena = arena;
    kept_maps = maps;
    for (unsigned i = 0; i < block_count; i++) {
        memset(arena_state + (blocks[i].start - arena) / GRAIN, ARENA_DEAD,
               (blocks[i].size + GRAIN - 1) / GRAIN);
    }
    block_count = region_count = 0;
    blocks_reset();
    while (touched_count > 0 && !keep_learned) {
        touched[touched_list[--touched_count]] = 0;
    }
}
