/*
 * What the memory tools have to be told about stacks: AddressSanitizer, ThreadSanitizer, valgrind.
 *
 * A context carries a bgi_tools record (empty in a plain build). The rules each tool imposes:
 *
 *   ASan      start_switch before a switch names the stack being entered, finish_switch after it
 *             hands back the fake stack of the context that goes on. A context that never goes on
 *             passes no place for its fake stack, so that the tool frees it. Frames left without
 *             a return keep their red zones poisoned: bgi_tools_abandon clears them, or the next
 *             user of the stack would be accused.
 *   TSan      each stack has one TSan fiber: clock and shadow call stack. Creating one is dear and
 *             the tool dies when some thousands exist, so it belongs to the stack's context record
 *             and outlives the tasks that run there one after another. Functions that are left by
 *             a final switch never pop their shadow frame; they carry BGI_CONTEXT_ENTRY, or the
 *             shadow call stack of a reused fiber would grow without end.
 *   valgrind  every stack is registered once, with BGI_VALGRIND=1 from the build.
 */
#ifndef BGI_SANITIZER_H
#define BGI_SANITIZER_H

#include "base/compiler.h"

#include <stddef.h>

#ifndef BGI_VALGRIND
#define BGI_VALGRIND 0
#endif

#if BGI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if BGI_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if BGI_VALGRIND
#include <valgrind/valgrind.h>
#endif

/* For a function on a context's stack that leaves by bgi_context_switch_final: no shadow frame. */
#if BGI_TSAN && defined(__clang__)
#define BGI_CONTEXT_ENTRY __attribute__((disable_sanitizer_instrumentation, noinline))
#elif BGI_TSAN
#define BGI_CONTEXT_ENTRY __attribute__((no_sanitize_thread, noinline))
#else
#define BGI_CONTEXT_ENTRY __attribute__((noinline))
#endif

/* Code that reads or writes stack memory as bytes, whatever red zones lie there. */
#if BGI_ASAN || BGI_TSAN
#define BGI_NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread))
#else
#define BGI_NO_SANITIZE
#endif

typedef struct bgi_tools {
#if BGI_ASAN
    void *fake; /* the fake stack while switched out */
    const char *low;
    size_t size;
    int adopted;              /* a thread's own stack */
    void (*entry)(void *arg); /* of a context that has not run yet */
    void *arg;
#endif
#if BGI_TSAN
    void *fiber;
    int owned; /* made by bgi_tools_init, not the thread's own */
#endif
#if BGI_VALGRIND
    unsigned stack_id;
    int registered;
#endif
#if !BGI_ASAN && !BGI_TSAN && !BGI_VALGRIND
    char none; /* an empty struct would not have the same size in C and C++ */
#endif
} bgi_tools;

/* A stack becomes ready for a new context. Keeps what an earlier one on the same record left. */
void bgi_tools_init(bgi_tools *t, char *low, size_t size);
/* The calling thread and its own stack. */
void bgi_tools_adopt(bgi_tools *t);
/* The frames from `sp` up to the top are given up; NULL means the caller's own and all above. */
void bgi_tools_abandon(bgi_tools *t, const char *sp);
/* The record's stack goes away. */
void bgi_tools_fini(bgi_tools *t);

/* The last word before the stack pointer changes. */
BGI_INLINE void bgi_tools_start(bgi_tools *from, const bgi_tools *to)
{
#if BGI_ASAN
    __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
#endif
#if BGI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)from;
    (void)to;
}

/* The same when `from` will never run again. */
BGI_INLINE void bgi_tools_start_final(bgi_tools *from, const bgi_tools *to)
{
#if BGI_ASAN
    bgi_tools_abandon(from, NULL);
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
#endif
#if BGI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)from;
    (void)to;
}

/* The first word after it; `self` is the context that runs now. */
BGI_INLINE void bgi_tools_finish(const bgi_tools *self)
{
#if BGI_ASAN
    __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
#endif
    (void)self;
}

#endif
