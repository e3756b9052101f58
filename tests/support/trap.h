/*
 * A meeting of two threads, made by one: something happens between two accesses of the code under
 * test to memory, always at the same place.
 *
 * The word that both want lies on a page of its own, which is protected: against writing, so that
 * the load goes through and the compare-and-swap after it faults, or against all access. The
 * handler lifts the protection, does what the other thread would have done just then, and the
 * access is made. So a failing compare-and-swap is a plain test case, without luck.
 *
 * One trap at a time. Not in builds whose tools want the fault for themselves: TRAP_OR_SKIP()
 * first.
 */
#ifndef BGT_TRAP_H
#define BGT_TRAP_H

#include "base/compiler.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef BGI_VALGRIND
#define BGI_VALGRIND 0
#endif

#if BGI_TSAN || BGI_VALGRIND
#define TRAP_OR_SKIP() cr_skip_test("a fault cannot be made good under this tool")
#else
#define TRAP_OR_SKIP() ((void)0)
#endif

enum trap_kind { TRAP_WRITE = PROT_READ, TRAP_ACCESS = PROT_NONE };

static struct {
    char *page;
    size_t size;
    void (*then)(void *arg);
    void *arg;
    unsigned sprung;
} trap;

static inline size_t trap_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void trap_handler(int signal_number, siginfo_t *info, void *context)
{
    char *at = info->si_addr;
    (void)context;
    if (trap.page == NULL || at < trap.page || at >= trap.page + trap.size) {
        (void)signal(signal_number, SIG_DFL); /* an honest fault */
        return;
    }
    (void)mprotect(trap.page, trap.size, PROT_READ | PROT_WRITE);
    trap.page = NULL;
    trap.sprung++;
    trap.then(trap.arg);
}

/* Once a test, before the first trap; in a runtime's test before the runtime is there. */
static inline void trap_setup(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = trap_handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    cr_assert_eq(sigaction(SIGSEGV, &action, NULL), 0);
}

/* Zeroed memory for an object whose byte `split` is the first of a page. Never freed. */
static inline void *trap_place(size_t size, size_t split)
{
    size_t page = trap_page_size();
    size_t before = (split + page - 1) / page * page;
    size_t after = (size - split + page - 1) / page * page;
    char *p =
        mmap(NULL, before + after, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(p, MAP_FAILED);
    return p + before - split;
}

/* The page that holds `word`: at the next such access to it, then(arg) comes first. */
static inline void trap_set(volatile void *word, enum trap_kind kind, void (*then)(void *arg),
                            void *arg)
{
    trap.size = trap_page_size();
    trap.page = (char *)((uintptr_t)word & ~(trap.size - 1));
    trap.then = then;
    trap.arg = arg;
    (void)mprotect(trap.page, trap.size, (int)kind);
}

/* Whether the trap has sprung, once, since this was last asked. */
static inline int trap_sprung(void)
{
    unsigned sprung = trap.sprung;
    trap.sprung = 0;
    return sprung == 1 && trap.page == NULL;
}

#endif
