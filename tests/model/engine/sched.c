/*
 * Who runs: model threads are coroutines on stacks of their own, switched by a dozen instructions.
 *
 * An execution is a sequence of choices (who goes on, what a load reads, mc_choose). They are
 * enumerated depth first: an execution repeats the choices of the one before up to the last that
 * has an alternative left, takes that, and from there on always the first. No state is kept.
 *
 * Before each operation on a shared location, and before each futex call, another thread may run
 * instead: that is a preemption, of which an execution has at most `bound`. Switches when a thread
 * ends, blocks or pauses cost nothing. A timed wait may end by its time as soon as it began: that
 * counts as a preemption, except when nobody else can run; the clock then stands at its deadline.
 * A thread that pauses is not run again before another has taken a step, if one can.
 *
 * Setup runs once a model, not once an execution, unless it makes choices.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "engine.h"

#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum phase phase;
mthread mt[T_MAX];
int self;
unsigned threads;
bool tracing;
int64_t virtual_now;
unsigned setup_made_choices;
uint64_t outcomes_seen;
double seconds_limit;
uint64_t steps_run, steps_limit;

static struct choice {
    uint16_t n, taken;
} choices[DEPTH_MAX];
static unsigned depth, prefix;
static unsigned bound, preemptions, steps;
static unsigned ready, timed, awaiting, yielded; /* sets of threads */
static enum verdict verdict;
static char message_text[1024];
static void *checker_sp;
static const mc_model *model;
static char *tls_block;
static size_t tls_size;
static char tls_first[2048], tls_own[2048];
static sigjmp_buf crashed;

void mc_switch(void **save, void *to);
__asm__(".text\n.globl mc_switch\n.type mc_switch,@function\nmc_switch:\n\t"
        "pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
        "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
        "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret\n\t"
        ".size mc_switch, . - mc_switch");

static void first_frame(void);

/* ---- the end of an execution ---- */

void end_execution(enum verdict v)
{
    void *dead;
    verdict = v;
    mc_switch(&dead, checker_sp);
    __builtin_trap();
}

const char *failure_text(void)
{
    return message_text;
}

void fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message_text, sizeof message_text, fmt, args);
    va_end(args);
    end_execution(FAILED);
}

/* ---- choices ---- */

/* Random executions, a number of them before the enumeration: what takes two changes far apart is
 * found sooner that way. The same ones each time. */
unsigned walks;
static bool walking;
static uint64_t random_state;
static unsigned preempt_rarely; /* a mask: once in 4, 16 or 64 times */

static uint64_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545f4914f6cdd1d >> 8;
}

static unsigned choose_rarely(unsigned n, unsigned rarely)
{
    if (n <= 1) {
        return 0;
    }
    if (depth < prefix) {
        if (unlikely(choices[depth].n != n)) {
            fail("the model is not deterministic: a choice of %u was one of %u before", n,
                 choices[depth].n);
        }
    } else {
        if (unlikely(depth == DEPTH_MAX)) {
            fail("limit: more than %d choices", DEPTH_MAX);
        }
        choices[depth].n = (uint16_t)n;
        choices[depth].taken = 0;
        if (walking) {
            uint64_t r = random_bits();
            choices[depth].taken = (uint16_t)((r & rarely) != 0 ? 0 : (r >> 8) % n);
        }
    }
    return choices[depth++].taken;
}

unsigned choose(unsigned n)
{
    return choose_rarely(n, 3);
}

static bool next_choices(void)
{
    while (depth > 0 && choices[depth - 1].taken + 1 == choices[depth - 1].n) {
        depth--;
    }
    if (depth == 0) {
        return false;
    }
    choices[depth - 1].taken++;
    prefix = depth;
    return true;
}

/* ---- switching ---- */

static void go(int t)
{
    if (t == self) {
        return;
    }
    mthread *from = &mt[self];
    memcpy(from->tls, tls_block, tls_size);
    memcpy(tls_block, mt[t].tls, tls_size);
    self = t;
    mc_switch(&from->sp, mt[t].sp);
}

static bool awaited(const mthread *t)
{
    return (*t->word != t->value) == t->differs;
}

static void look_at_awaiting(void)
{
    for (unsigned m = awaiting; m != 0; m &= m - 1) {
        int t = __builtin_ctz(m);
        if (awaited(&mt[t])) {
            ready |= 1u << t;
        } else {
            ready &= ~(1u << t);
        }
    }
}

void wake(int t)
{
    mt[t].state = T_READY;
    ready |= 1u << t;
    timed &= ~(1u << t);
}

static void time_out(int t)
{
    mt[t].timed_out = true;
    if (virtual_now < mt[t].deadline) {
        virtual_now = mt[t].deadline;
    }
    wake(t);
}

static int nth(unsigned set, unsigned n)
{
    while (n-- > 0) {
        set &= set - 1;
    }
    return __builtin_ctz(set);
}

static void count_step(void)
{
    if (unlikely(++steps > STEP_MAX)) {
        fail("no progress: %d steps", STEP_MAX);
    }
}

/* Before a visible operation of the running thread. */
void point(void)
{
    if (phase != RUN) {
        return;
    }
    count_step();
    if (unlikely(awaiting != 0)) {
        look_at_awaiting();
    }
    if (preemptions < bound) {
        unsigned others = ready & ~(1u << self) & ~yielded;
        unsigned n = (unsigned)__builtin_popcount(others);
        unsigned late = timed == 0 ? 0 : (unsigned)__builtin_popcount(timed);
        unsigned c = choose_rarely(1 + n + late, preempt_rarely);
        if (c != 0) {
            preemptions++;
            int to = c <= n ? nth(others, c - 1) : nth(timed, c - 1 - n);
            if (c > n) {
                time_out(to);
            }
            go(to);
        }
    }
    yielded &= 1u << self; /* the others may look again */
}

static void deadlock(void)
{
    char who[512];
    size_t used = 0;
    who[0] = '\0';
    for (unsigned t = 0; t < threads; t++) {
        static const char *const words[] = {
            "", "ready", "done", "waits on a futex", "joins one", "awaits a value"};
        char where[128];
        if (mt[t].state == T_DONE) {
            continue;
        }
        where[0] = '\0';
        if (mt[t].state == T_FUTEX || mt[t].state == T_AWAIT) {
            describe_address((uintptr_t)mt[t].word, where, sizeof where);
        }
        used += (size_t)snprintf(who + used, sizeof who - used, "; thread %u %s %s", t,
                                 words[mt[t].state], where);
        used = used < sizeof who ? used : sizeof who - 1;
    }
    fail("deadlock%s", who);
}

/* The running thread cannot go on: somebody else does, at no cost. */
static void run_another(void)
{
    look_at_awaiting();
    unsigned others = ready & ~(1u << self);
    if ((others & ~yielded) != 0) {
        others &= ~yielded;
    }
    bool alone = others == 0;
    unsigned late = 0;
    if (alone) { /* time passes until the first deadline */
        for (unsigned m = timed; m != 0; m &= m - 1) {
            int t = __builtin_ctz(m);
            if (late == 0 || mt[t].deadline < mt[__builtin_ctz(late)].deadline) {
                late = 1u << t;
            } else if (mt[t].deadline == mt[__builtin_ctz(late)].deadline) {
                late |= 1u << t;
            }
        }
    } else if (preemptions < bound) {
        late = timed & ~(1u << self);
    }
    unsigned n = (unsigned)__builtin_popcount(others);
    unsigned all = n + (unsigned)__builtin_popcount(late);
    if (all == 0) {
        if (ready & (1u << self)) {
            return; /* it had only paused */
        }
        unsigned live = 0;
        for (unsigned t = 0; t < threads; t++) {
            live += mt[t].state != T_DONE;
        }
        if (live == 0) {
            end_execution(PASSED);
        }
        deadlock();
    }
    unsigned c = choose(all);
    int to = c < n ? nth(others, c) : nth(late, c - n);
    if (c >= n) {
        preemptions += !alone;
        time_out(to);
    }
    yielded &= ~(1u << to);
    go(to);
}

/* state, and what belongs to it, has been set; returns when another has woken it */
void block(void)
{
    mthread *t = &mt[self];
    ready &= ~(1u << self);
    if (t->state == T_FUTEX && t->deadline >= 0) {
        timed |= 1u << self;
    }
    run_another();
}

void yield_point(void)
{
    if (phase != RUN) {
        return;
    }
    count_step();
    mt[self].fresh = true;
    yielded |= 1u << self;
    if (tracing) {
        trace(__builtin_return_address(0), "pause");
    }
    run_another();
    yielded &= ~(1u << self);
}

static void await(const volatile size_t *word, size_t v, bool differs)
{
    mthread *t = &mt[self];
    if (phase != RUN) {
        if ((*word != v) != differs) {
            fail("mc_await in setup or check would wait for ever");
        }
        return;
    }
    t->word = (volatile uint64_t *)(uintptr_t)word;
    t->value = v;
    t->differs = differs;
    count_step();
    if (!awaited(t)) {
        t->state = T_AWAIT;
        awaiting |= 1u << self;
        block();
        awaiting &= ~(1u << self);
        t->state = T_READY;
    }
    ready |= 1u << self;
    read_newest_acquire(t->word);
}

void mc_await_equal(const volatile size_t *word, size_t v)
{
    await(word, v, false);
}

void mc_await_differs(const volatile size_t *word, size_t v)
{
    await(word, v, true);
}

/* ---- threads ---- */

static void prepare(int t)
{
    mthread *m = &mt[t];
    size_t size;
    char *low = stack_of(t, &size);
    void **sp = (void **)(void *)(low + size - 64);
    *--sp = NULL;
    *--sp = (void *)(uintptr_t)first_frame;
    sp -= 6;
    memset(sp, 0, 6 * sizeof *sp);
    m->sp = sp;
    m->state = T_READY;
    m->rel = -1;
    m->has_acq = m->fresh = m->timed_out = false;
    m->deadline = -1;
    m->join = -1;
    m->start = NULL;
    memcpy(m->tls, tls_first, tls_size);
}

static void first_frame(void)
{
    mthread *t = &mt[self];
    if (t->start != NULL) {
        t->result = t->start(t->arg);
    } else {
        t->fn();
    }
    if (phase != RUN) {
        end_execution(PASSED);
    }
    if (tracing) {
        trace(NULL, "returns");
    }
    t->state = T_DONE;
    ready &= ~(1u << self);
    for (unsigned i = 0; i < threads; i++) {
        if (mt[i].state == T_JOIN && mt[i].join == self) {
            wake((int)i);
        }
    }
    run_another();
    __builtin_trap();
}

int spawn_thread(void *(*start)(void *), void *arg)
{
    if (phase != RUN || threads == T_ALONE) {
        fail("limit: a thread made outside of a model's threads, or too many");
    }
    int t = (int)threads++;
    prepare(t);
    mt[t].start = start;
    mt[t].arg = arg;
    memset(&mt[t].cur, 0, sizeof mt[t].cur);
    view_join(&mt[t].cur, &mt[self].cur);
    mt[t].cur.clk[t] = 1;
    mt[self].cur.clk[self]++;
    wake(t);
    return t;
}

static void run_alone(void (*fn)(void), enum phase p)
{
    prepare(T_ALONE);
    memset(&mt[T_ALONE].cur.clk, 0, sizeof mt[T_ALONE].cur.clk);
    mt[T_ALONE].fn = fn;
    phase = p;
    self = T_ALONE;
    verdict = GOING;
    memcpy(tls_own, tls_block, tls_size);
    memcpy(tls_block, mt[T_ALONE].tls, tls_size);
    mc_switch(&checker_sp, mt[T_ALONE].sp);
    memcpy(tls_block, tls_own, tls_size);
}

static void run_threads(void)
{
    threads = 0;
    ready = timed = awaiting = yielded = 0;
    preemptions = steps = 0;
    for (int t = 0; t < MC_THREADS && model->thread[t] != NULL; t++) {
        threads++;
        prepare(t);
        memset(&mt[t].cur, 0, sizeof mt[t].cur.clk + sizeof mt[t].cur.ts[0]);
        mt[t].cur.clk[t] = 1;
        mt[t].fn = model->thread[t];
        ready |= 1u << t;
    }
    if (threads == 0) {
        verdict = PASSED;
        return;
    }
    phase = RUN;
    verdict = GOING;
    self = nth(ready, choose((unsigned)__builtin_popcount(ready)));
    memcpy(tls_own, tls_block, tls_size);
    memcpy(tls_block, mt[self].tls, tls_size);
    mc_switch(&checker_sp, mt[self].sp);
    memcpy(tls_block, tls_own, tls_size);
}

static bool setup_done, replaying;

static void one_execution(void)
{
    depth = 0;
    if (!setup_done || setup_made_choices) {
        virtual_now = 1000000000;
        refuse_threads = 0;
        played = NULL;
        if (model->setup != NULL) {
            run_alone(model->setup, SETUP);
            if (verdict != PASSED) {
                return;
            }
        }
        if (!setup_made_choices) {
            memory_commit_setup();
        }
        setup_done = true;
    }
    int64_t start = virtual_now;
    refuse_left = refuse_threads;
    run_threads();
    if (verdict == PASSED && model->check != NULL) {
        run_alone(model->check, CHECK);
    }
    phase = IDLE;
    virtual_now = start;
}

static void on_crash(int sig)
{
    (void)sig;
    siglongjmp(crashed, 1);
}

static int find_tls(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            size_t align = info->dlpi_phdr[i].p_align;
            char *thread;
            __asm__("movq %%fs:0, %0" : "=r"(thread));
            tls_size = info->dlpi_phdr[i].p_memsz;
            tls_block = thread - ((tls_size + align - 1) & ~(align - 1));
        }
    }
    return 1; /* the program itself comes first */
}

void engine_start(void)
{
    static char crash_stack[65536];
    stack_t ss = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    struct sigaction act = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
    memory_start();
    (void)dl_iterate_phdr(find_tls, NULL);
    if (tls_size > sizeof tls_first) {
        fprintf(stderr, "models: too many thread-locals\n");
        exit(2);
    }
    memcpy(tls_first, tls_block, tls_size);
    (void)sigaltstack(&ss, NULL);
    (void)sigaction(SIGSEGV, &act, NULL);
    (void)sigaction(SIGBUS, &act, NULL);
    (void)sigaction(SIGFPE, &act, NULL);
    (void)sigaction(SIGILL, &act, NULL);
    (void)sigaction(SIGTRAP, &act, NULL);
    (void)sigaction(SIGABRT, &act, NULL);
}

static double seconds_now(void)
{
    struct timespec ts; /* of CPU time: how busy the machine is decides nothing */
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void print_choices(void)
{
    printf("replay: --bound %u --replay ", bound);
    for (unsigned i = 0; i < depth; i++) {
        printf("%s%u", i == 0 ? "" : ".", choices[i].taken);
    }
    printf("\n");
}

static void show(void)
{
    memory_reset();
    prefix = depth;
    unsigned length = depth;
    enum verdict was = verdict;
    trace_clear();
    tracing = true;
    if (sigsetjmp(crashed, 0) == 0) {
        one_execution();
    } else {
        verdict = FAILED;
        phase = IDLE;
    }
    tracing = false;
    verdict = was;
    depth = length;
    trace_print();
}

/* Runs all executions, at most `limit` of them; gives their number. */
uint64_t explore(const mc_model *m, unsigned with_bound, uint64_t limit, double *seconds,
                 enum verdict *out)
{
    volatile uint64_t count = 0;
    double begun = seconds_now();
    model = m;
    bound = with_bound;
    depth = prefix = 0;
    random_state = 0x9e3779b97f4a7c15;
    walking = walks > 0;
    setup_done = false;
    setup_made_choices = 0;
    steps_run = 0;
    outcomes_seen = 0;
    message_text[0] = '\0';
    *out = PASSED;
    if (sigsetjmp(crashed, 0) != 0) {
        memcpy(tls_block, tls_own, tls_size);
        (void)snprintf(message_text, sizeof message_text, "crash in thread %d", self);
        phase = IDLE;
        verdict = FAILED;
        *out = FAILED;
    } else {
        for (;;) {
            preempt_rarely = (4U << (2 * (count % 3))) - 1;
            one_execution();
            steps_run += steps;
            if (verdict == AGAIN) { /* another word is known to be shared: start again */
                memory_reset();
                depth = prefix = 0;
                outcomes_seen = 0;
                count = 0;
                continue;
            }
            count++;
            if (verdict == FAILED) {
                *out = FAILED;
                break;
            }
            if (count >= limit || (steps_limit != 0 && steps_run >= steps_limit) ||
                (seconds_limit > 0 && count % 64 == 0 && seconds_now() - begun > seconds_limit)) {
                *out = GOING;
                break;
            }
            memory_reset();
            if (walking) {
                walking = count < walks;
                depth = prefix = 0;
                continue;
            }
            if (!next_choices()) {
                break;
            }
        }
    }
    walking = false;
    *seconds = seconds_now() - begun;
    if (*out == FAILED && m->fails == NULL && !tracing && !quiet) {
        printf("%s\n", message_text);
        show();
        print_choices();
    }
    memory_forget_model(replaying);
    return count;
}

int replay(const mc_model *m, unsigned with_bound, const char *text)
{
    enum verdict v;
    double s;
    replaying = quiet = true;
    (void)explore(m, with_bound, 2000, &s, &v); /* learns what is shared */
    model = m;
    setup_done = false;
    depth = 0;
    while (*text != '\0' && depth < DEPTH_MAX) {
        choices[depth++].taken = (uint16_t)strtoul(text, (char **)&text, 10);
        text += *text == '.';
    }
    show();
    return verdict == FAILED;
}

/* ---- what models call ---- */

static const mc_model *models[512];
unsigned model_count;
const mc_model *model_at(unsigned i);

const mc_model *model_at(unsigned i)
{
    return models[i];
}

void mc_register(const mc_model *m)
{
    if (model_count < 512) {
        models[model_count++] = m;
    }
}

void mc_fail(const char *file, int line, const char *what)
{
    const char *base = strrchr(file, '/');
    fail("%s:%d: '%s' does not hold", base != NULL ? base + 1 : file, line, what);
}

int mc_self(void)
{
    return phase == RUN ? self : -1;
}

unsigned mc_choose(unsigned n)
{
    if (phase == SETUP) {
        setup_made_choices = 1;
    }
    unsigned c = choose(n);
    if (tracing) {
        trace(__builtin_return_address(0), "chooses %u of %u", c, n);
    }
    return c;
}

void mc_ignore(void)
{
    end_execution(IGNORED);
}

void mc_outcome(unsigned n)
{
    outcomes_seen |= (uint64_t)1 << (n & 63);
}

void mc_note(const char *fmt, ...)
{
    if (tracing) {
        char text[256];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        trace(__builtin_return_address(0), "note: %s", text);
    }
}
