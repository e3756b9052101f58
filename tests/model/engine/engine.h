/*
 * What the files of the checker share; models include only mc.h.
 *
 *   memory.c   the instrumentation's entry points: plain and atomic accesses, views, races
 *   sched.c    model threads, the choice of who runs, futexes, one execution, all executions
 *   system.c   what the library asks the system for
 *   trace.c    the failing interleaving in words
 *   symbols.c  names of code and data addresses
 *   sites.c    the library's atomic operations, and how to weaken one
 *   gate.c     all of them weakened, one at a time
 *   jobs.c     work shared out to processes
 *   main.c     command line
 *
 * Everything runs on one thread of the system; nothing here needs a lock, and nothing here may be
 * instrumented or thread-local (the program's thread-locals are swapped with the model threads).
 */
#ifndef TESTS_MODEL_ENGINE_H
#define TESTS_MODEL_ENGINE_H

#include "../mc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
    T_MAX = 8,          /* model threads, those that pthread_create makes included */
    T_ALONE = 7,        /* the slot that setup and check run in */
    LOC_MAX = 504,      /* atomic words that several threads touch, in one execution */
    STORE_MAX = 512,    /* stores to one of them */
    MESSAGE_MAX = 8192, /* views that stores carry */
    CELL_MAX = 1 << 17, /* words touched in one execution */
    DEPTH_MAX = 1 << 14,
    STEP_MAX = 20000,     /* more steps than that are no progress */
    PLAIN_MAX = 20000000, /* and so many plain accesses */
    STALE_MAX = 3,        /* how often in a row a thread reads the same overwritten value */
};

/* What a thread knows: clk orders plain accesses, ts[l] is the oldest store to l it may read. */
typedef short v8 __attribute__((vector_size(16)));
typedef struct view {
    v8 clk;
    v8 ts[LOC_MAX / 8];
} view;

enum state { T_NONE, T_READY, T_DONE, T_FUTEX, T_JOIN, T_AWAIT };

typedef struct mthread {
    void *sp;
    enum state state;
    view cur;     /* what its loads must respect */
    view acq;     /* what an acquire fence would add */
    int rel;      /* message of its last release fence, -1: none */
    bool has_acq; /* acq differs from cur */
    bool fresh;   /* has paused: its next load reads the newest */
    bool timed_out;
    uint32_t queued; /* order of futex waiters */
    volatile uint64_t *word;
    uint64_t value;
    bool differs;
    int64_t deadline; /* -1: none */
    int join;
    void (*fn)(void);
    void *(*start)(void *);
    void *arg;
    void *result;
    char tls[2048];
} mthread;

enum phase { IDLE, SETUP, RUN, CHECK };
enum verdict { GOING, PASSED, IGNORED, FAILED, AGAIN };

extern enum phase phase;
extern mthread mt[T_MAX];
extern int self; /* the running one */
extern unsigned threads;
extern bool tracing;
extern bool quiet;   /* a failure's interleaving is not printed */
extern bool verbose; /* the gate says who killed what */
extern int64_t virtual_now;

/* sched.c */
void point(void);
unsigned choose(unsigned n);
void yield_point(void);
void block(void);
void wake(int t);
int spawn_thread(void *(*start)(void *), void *arg);
__attribute__((noreturn)) void end_execution(enum verdict v);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...);
uint64_t explore(const mc_model *m, unsigned bound, uint64_t limit, double *seconds,
                 enum verdict *out);
int replay(const mc_model *m, unsigned bound, const char *choices);
const char *failure_text(void);
extern unsigned setup_made_choices;
extern uint64_t outcomes_seen;
extern unsigned walks;
extern uint64_t steps_run, steps_limit; /* of one exploration; limit 0: none */
extern double seconds_limit;            /* likewise */
void engine_start(void);

/* memory.c */
void memory_start(void);
void memory_reset(void);
void memory_commit_setup(void);
void memory_forget_model(bool keep_learned);
void view_join(view *to, const view *from);
int message_of(const view *v);
const view *message(int i);
void read_newest_acquire(volatile uint64_t *word);
void read_newest_relaxed(volatile uint64_t *word);
char *stack_of(int t, size_t *size);
void *arena_alloc(size_t align, size_t size);
bool arena_free(void *p);
void *map_alloc(size_t size);
bool map_free(void *p, size_t size);
void fence_everywhere(void);
void word_changed(void *p); /* called before a write that is not instrumented */
void describe_address(uintptr_t a, char *out, size_t size);

/* jobs.c */
void *jobs_shared(size_t size);
void jobs_run(unsigned n, unsigned jobs, void (*work)(unsigned), void (*died)(unsigned));
void jobs_hang_after(unsigned cpu_seconds);

/* system.c */
extern unsigned refuse_threads; /* by the model's setup: so many in each execution */
extern unsigned refuse_left;
extern const mc_system *played; /* by the model's setup; NULL: nobody */

/* trace.c */
__attribute__((format(printf, 2, 3))) void trace(const void *pc, const char *fmt, ...);
void trace_print(void);
void trace_clear(void);

#endif
