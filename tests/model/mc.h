/*
 * Models: small concurrent programs over the project's own sources, of which the checker runs every
 * interleaving within a preemption bound, with every value each load may read.
 *
 * A model is a set of functions. For each execution: setup runs alone; then the threads run, in
 * every order; when all have returned, check runs alone and sees all they did. Everything shared
 * has to be made anew by setup. A function of a model calls brigade's internal functions as any
 * other code does; it is instrumented like them, so its own plain accesses are checked for races.
 *
 * A failure is: mc_assert, a data race, use of freed or unallocated model memory, everybody
 * blocked, a thread that makes no progress, bgi_panic, bgi_misuse. The interleaving is then
 * printed.
 */
#ifndef TESTS_MODEL_MC_H
#define TESTS_MODEL_MC_H

#include <stddef.h>
#include <stdint.h>

enum { MC_THREADS = 6 };

typedef struct mc_model {
    const char *name;    /* "deque/two_thieves": file under test, then what happens */
    const char *says;    /* one sentence: what must hold */
    unsigned bound;      /* preemptions per execution in the full run; 0: the default, 3 */
    unsigned quick;      /* bound when a mutant is looked at; 0: the default, 2 */
    void (*setup)(void); /* may be NULL */
    void (*thread[MC_THREADS])(void); /* up to the first NULL */
    void (*check)(void);              /* may be NULL */
    /* For the checker's own tests. */
    uint64_t outcomes; /* exactly these bits are to be seen by mc_outcome over all executions */
    const char *fails; /* the model must fail, with a message that has this in it */
} mc_model;

/* Defines and registers a model, at file scope: MC_MODEL(two_thieves, .name = "...", ...); */
#define MC_MODEL(id, ...)                                                                          \
    static const mc_model id = {__VA_ARGS__};                                                      \
    __attribute__((constructor)) static void id##_register(void)                                   \
    {                                                                                              \
        mc_register(&id);                                                                          \
    }                                                                                              \
    struct id##_needs_a_semicolon

void mc_register(const mc_model *model);

/* What must hold; text and place are printed with the interleaving. */
#define mc_assert(cond) ((cond) ? (void)0 : mc_fail(__FILE__, __LINE__, #cond))
__attribute__((noreturn)) void mc_fail(const char *file, int line, const char *what);

/* The running thread's number: 0.. in the order of the model's list; -1 in setup and check. */
int mc_self(void);

/* A choice 0..n-1 the checker enumerates, as it does schedules. */
unsigned mc_choose(unsigned n);

/* Gives up this execution as uninteresting: it counts as neither passed nor failed. */
__attribute__((noreturn)) void mc_ignore(void);

/* Blocks until *word (read as the newest value, with acquire) equals, or differs from, v. */
void mc_await_equal(const volatile size_t *word, size_t v);
void mc_await_differs(const volatile size_t *word, size_t v);

/* So many of the next threads that the library makes are refused, with EAGAIN. For setup. */
void mc_refuse_threads(unsigned n);

/* What the system does when the library calls these; without it they do nothing, and a write has
 * written all. For setup. */
struct sigaction;
typedef struct mc_system {
    int (*sigaction)(int signal, const struct sigaction *act, struct sigaction *old);
    intptr_t (*write)(int fd, const void *data, size_t size);
} mc_system;
void mc_play_system(const mc_system *system);

/* This execution had outcome n, 0..63. */
void mc_outcome(unsigned n);

/* Notes what happened, printed with a failing interleaving. */
void mc_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
