/*
 * The switch by ucontext, for other architectures and on demand (BGI_CONTEXT_UCONTEXT).
 *
 * swapcontext makes a system call to exchange the signal mask; that is accepted here.
 */
#ifndef BGI_CONTEXT_UCONTEXT_H
#define BGI_CONTEXT_UCONTEXT_H

#ifndef BGI_CONTEXT_H
#error "include arch/context.h"
#endif

BGI_INLINE bgi_context *bgi_context_jump(bgi_context *from, bgi_context *to)
{
    from->sp = __builtin_frame_address(0);
    (void)swapcontext(&from->uc, &to->uc);
    return from;
}

BGI_INLINE BGI_NORETURN void bgi_context_jump_final(bgi_context *from, bgi_context *to)
{
    (void)from;
    (void)setcontext(&to->uc);
    __builtin_trap();
}

#endif
