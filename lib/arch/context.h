/*
 * Contexts: a stack and the place where it goes on.
 *
 * bgi_context_switch is inlined and jumps. An out-of-line switch must return through an address
 * that the return predictor does not expect; that one misprediction costs more than all the rest.
 * Inlined, the compiler also spills only what is live: the asm statement declares every register
 * clobbered, except those that compilers reserve for the frame (stack, frame and base pointer),
 * which it saves by hand. Nothing is written below the stack pointer, since the function that
 * switches may keep data in its red zone.
 *
 * State of a context, and who may move it:
 *
 *   zeroed      -> fresh        bgi_context_init
 *   fresh       -> running      a switch to it: entry(arg) is called at the top of the stack
 *   running     -> suspended    it switches away
 *   suspended   -> running      a switch to it, on any thread
 *   running     -> ended        bgi_context_switch_final
 *   fresh, suspended, ended -> fresh   bgi_context_init again, on the same stack
 *   fresh, suspended, ended -> zeroed  bgi_context_fini
 *
 * Exactly one thread may run a context at a time. The record is written by the context that leaves
 * before the next one runs; whoever resumes it on another thread must have learned that it is
 * suspended through an acquire that pairs with a release made after the switch.
 *
 * Not part of a context: the floating-point control words (mxcsr and the x87 control word on
 * x86-64, FPCR on aarch64), the signal mask and everything thread-local, C++'s table of caught
 * exceptions included (no switch inside a catch block). They belong to the thread. The ucontext
 * form does carry control words and signal mask along, at the price of a system call.
 *
 * With the x86 shadow stack on, a switch would need a second stack that the kernel makes; the
 * trampolines' property notes claim branch tracking only, so the linker and the loader leave the
 * shadow stack off for programs that use brigade.
 */
#ifndef BGI_CONTEXT_H
#define BGI_CONTEXT_H

#include "arch/sanitizer.h"
#include "base/compiler.h"

#include <stddef.h>

#if !defined(BGI_CONTEXT_UCONTEXT) && !(defined(__x86_64__) && defined(__LP64__)) &&               \
    !(defined(__aarch64__) && defined(__LP64__))
#define BGI_CONTEXT_UCONTEXT 1
#endif

#ifdef BGI_CONTEXT_UCONTEXT
#include <ucontext.h>
#endif

/* sp, ip, bp stay first, in this order: the debugger script reads them. */
typedef struct bgi_context {
    void *sp;
    void *ip;
    void *bp;
    void *base; /* rbx or x19: clang addresses a realigned frame through it */
#ifdef BGI_CONTEXT_UCONTEXT
    void (*entry)(void *arg);
    void *arg;
    ucontext_t uc;
#endif
    bgi_tools tools;
} bgi_context;

/*
 * Makes `c` ready to call entry(arg) when it is first switched to. The stack is
 * [stack_low, stack_low + stack_size); its top need not be aligned. entry must not return: it
 * leaves by bgi_context_switch_final and carries BGI_CONTEXT_ENTRY. A record is zeroed before its
 * first init; later inits are for the same stack (one TSan fiber serves them all).
 */
void bgi_context_init(bgi_context *c, void *stack_low, size_t stack_size, void (*entry)(void *arg),
                      void *arg);

/* Makes `c` stand for the calling thread's own stack, which is running. */
void bgi_context_adopt(bgi_context *c);

/*
 * Takes leave of a context which does not run, from another context; or of an adopted one, from
 * itself. The record is zeroed.
 */
void bgi_context_fini(bgi_context *c);

#ifdef BGI_CONTEXT_UCONTEXT
#include "arch/context_ucontext.h"
#elif defined(__x86_64__)
#include "arch/context_x86_64.h"
#else
#include "arch/context_aarch64.h"
#endif

#ifndef BGI_RETURN_BY_JUMP
#define BGI_RETURN_BY_JUMP
#define BGI_RETURN_THUNK struct bgi_no_return_thunk
#endif

/* Runs `to`; returns when somebody switches to `from`. `from` is the context that runs. */
BGI_INLINE void bgi_context_switch(bgi_context *from, bgi_context *to)
{
    bgi_tools_start(&from->tools, &to->tools);
    bgi_context *self = bgi_context_jump(from, to);
    bgi_tools_finish(&self->tools);
}

/* Whether it has to be initialised before anybody switches to it. */
BGI_INLINE int bgi_context_zeroed(const bgi_context *c)
{
    return c->sp == NULL;
}

/* Where the frames of a suspended one begin, as far as is known: no more than a hint. */
BGI_INLINE const void *bgi_context_sp(const bgi_context *c)
{
    return c->sp;
}

/* Runs `to`, and never comes back: nobody may switch to `from` again before it is initialised. */
BGI_INLINE BGI_NORETURN void bgi_context_switch_final(bgi_context *from, bgi_context *to)
{
    bgi_tools_start_final(&from->tools, &to->tools);
    bgi_context_jump_final(from, to);
}

#endif
