/*
 * The switch on aarch64.
 *
 * x0 and x1 carry `from` and `to` and arrive unchanged on the other side. x29 (frame pointer) and
 * x19 (clang's base pointer) are saved by hand. x18 is never touched, since platforms may claim it
 * (a shadow call stack, which is then the thread's); where they do not, as on Linux, compilers use
 * it like any other, so it is declared clobbered. The jump goes through x16, the register from
 * which branch-target identification lets a branch reach both the `bti j` at a label and the `bti
 * c` of the trampoline. Return addresses signed with the stack pointer stay valid, since a frame is
 * resumed at the stack pointer it had.
 */
#ifndef BGI_CONTEXT_AARCH64_H
#define BGI_CONTEXT_AARCH64_H

#ifndef BGI_CONTEXT_H
#error "include arch/context.h"
#endif

#ifdef __ARM_FEATURE_BTI_DEFAULT
#define BGI_BTI_J "hint #36\n\t"
#else
#define BGI_BTI_J
#endif

#ifdef __ARM_FEATURE_SVE
#define BGI_CLOBBER_SVE                                                                            \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",      \
        "p14", "p15"
#else
#define BGI_CLOBBER_SVE
#endif

#if defined(__ANDROID__) || defined(__APPLE__) || BGI_HAS_FEATURE(shadow_call_stack)
#define BGI_CLOBBER_X18
#else
#define BGI_CLOBBER_X18 , "x18"
#endif

/* Gives the context that was resumed: `from`, as the other side passed it. */
BGI_INLINE bgi_context *bgi_context_jump(bgi_context *from, bgi_context *to)
{
    register bgi_context *r_from __asm__("x0") = from;
    register bgi_context *r_to __asm__("x1") = to;
    __asm__ __volatile__(
        "mov x2, sp\n\t"
        "adr x3, 1f\n\t"
        "stp x2, x3, [x0]\n\t"
        "stp x29, x19, [x0, #16]\n\t"
        "ldp x2, x16, [x1]\n\t"
        "ldp x29, x19, [x1, #16]\n\t"
        "mov sp, x2\n\t"
        "br x16\n"
        "1:\n\t" BGI_BTI_J
        : "+r"(r_from), "+r"(r_to)
        :
        : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
          "x16", "x17", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30",
          "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
          "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
          "v25", "v26", "v27", "v28", "v29", "v30", "v31" BGI_CLOBBER_X18 BGI_CLOBBER_SVE);
    return r_to;
}

BGI_INLINE BGI_NORETURN void bgi_context_jump_final(bgi_context *from, bgi_context *to)
{
    register bgi_context *r_from __asm__("x0") = from;
    register bgi_context *r_to __asm__("x1") = to;
    __asm__ __volatile__("ldp x2, x16, [x1]\n\t"
                         "ldp x29, x19, [x1, #16]\n\t"
                         "mov sp, x2\n\t"
                         "br x16"
                         :
                         : "r"(r_from), "r"(r_to)
                         : "x2", "x16", "memory");
    __builtin_unreachable();
}

#endif
