/*
 * Making and ending contexts: everything about them that is not the switch itself.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "arch/context.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if BGI_ASAN
#include <pthread.h>
#endif

_Static_assert(offsetof(bgi_context, sp) == 0, "the assembly and the debugger script know these");
_Static_assert(offsetof(bgi_context, ip) == sizeof(void *), "likewise");
_Static_assert(offsetof(bgi_context, bp) == 2 * sizeof(void *), "likewise");
_Static_assert(offsetof(bgi_context, base) == 3 * sizeof(void *), "likewise");

#if BGI_ASAN
/* The true first function of a context: completes the switch for the tool, then calls entry. */
BGI_CONTEXT_ENTRY __attribute__((no_sanitize_address)) static void bgi_context_first(void *arg)
{
    bgi_context *c = arg;
    bgi_tools_finish(&c->tools);
    c->tools.entry(c->tools.arg);
    __builtin_trap();
}
#endif

#ifdef BGI_CONTEXT_UCONTEXT
/* makecontext passes ints: the record's address travels in two halves. */
BGI_CONTEXT_ENTRY static void bgi_context_first_frame(unsigned low, unsigned high)
{
    uintptr_t bits = ((((uintptr_t)high << 16) << 16) | (uintptr_t)low);
    bgi_context *c = (void *)bits;
    c->entry(c->arg);
    __builtin_trap();
}

static void bgi_context_prepare(bgi_context *c, char *low, size_t size, void (*entry)(void *),
                                void *arg)
{
    uintptr_t bits = (uintptr_t)c;
    c->entry = entry;
    c->arg = arg;
    c->sp = low + size;
    (void)getcontext(&c->uc);
    c->uc.uc_link = NULL;
    c->uc.uc_stack.ss_sp = low;
    c->uc.uc_stack.ss_size = size;
    makecontext(&c->uc, (void (*)(void))bgi_context_first_frame, 2, (unsigned)bits,
                (unsigned)((bits >> 16) >> 16));
}
#else
/* In context_<architecture>.S; entered by a jump, with the stack as prepared below. */
void bgi_context_first_frame(void);

static void bgi_context_prepare(bgi_context *c, char *low, size_t size, void (*entry)(void *),
                                void *arg)
{
    uintptr_t top = ((uintptr_t)low + size) & ~(uintptr_t)15;
    uintptr_t *frame = (void *)(top - 4 * sizeof(void *));
    frame[0] = (uintptr_t)entry;
    frame[1] = (uintptr_t)arg;
    frame[2] = 0;
    frame[3] = 0;
    c->sp = frame;
    c->ip = (void *)(uintptr_t)bgi_context_first_frame;
    c->bp = NULL;
    c->base = NULL;
}
#endif

void bgi_context_init(bgi_context *c, void *stack_low, size_t stack_size, void (*entry)(void *arg),
                      void *arg)
{
    bgi_tools_init(&c->tools, stack_low, stack_size);
#if BGI_ASAN
    c->tools.entry = entry;
    c->tools.arg = arg;
    bgi_context_prepare(c, stack_low, stack_size, bgi_context_first, c);
#else
    bgi_context_prepare(c, stack_low, stack_size, entry, arg);
#endif
}

void bgi_context_adopt(bgi_context *c)
{
    memset(c, 0, sizeof *c);
    bgi_tools_adopt(&c->tools);
}

void bgi_context_fini(bgi_context *c)
{
    if (c->sp)
        bgi_tools_abandon(&c->tools, c->sp);
    bgi_tools_fini(&c->tools);
    memset(c, 0, sizeof *c);
}

void bgi_tools_init(bgi_tools *t, char *low, size_t size)
{
#if BGI_ASAN
    t->fake = NULL;
    t->low = low;
    t->size = size;
    t->adopted = 0;
#endif
#if BGI_TSAN
    if (!t->fiber) {
        t->fiber = __tsan_create_fiber(0);
        t->owned = 1;
    }
#endif
#if BGI_VALGRIND
    if (!t->registered) {
        t->stack_id = VALGRIND_STACK_REGISTER(low, low + size);
        t->registered = 1;
    }
#endif
    (void)t;
    (void)low;
    (void)size;
}

void bgi_tools_adopt(bgi_tools *t)
{
#if BGI_ASAN
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        (void)pthread_attr_getstack(&attr, &low, &size);
        (void)pthread_attr_destroy(&attr);
    }
    t->low = low;
    t->size = size;
    t->adopted = 1;
#endif
#if BGI_TSAN
    t->fiber = __tsan_get_current_fiber();
    t->owned = 0;
#endif
    (void)t;
}

/* Out of line: its own frame then lies below all that the caller has on the stack. */
BGI_NOINLINE void bgi_tools_abandon(bgi_tools *t, const char *sp)
{
#if BGI_ASAN
    if (!sp)
        sp = __builtin_frame_address(0);
    if (!t->adopted && sp >= t->low && sp < t->low + t->size)
        __asan_unpoison_memory_region(sp, (size_t)(t->low + t->size - sp));
#endif
    (void)t;
    (void)sp;
}

void bgi_tools_fini(bgi_tools *t)
{
#if BGI_TSAN
    if (t->owned)
        __tsan_destroy_fiber(t->fiber);
#endif
#if BGI_VALGRIND
    if (t->registered)
        VALGRIND_STACK_DEREGISTER(t->stack_id);
#endif
    (void)t;
}
