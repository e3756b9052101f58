/*
 * The switch on x86-64.
 *
 * rdi and rsi carry `from` and `to` and arrive unchanged on the other side: who is resumed finds
 * itself in rsi. rbp and rbx are saved by hand: rbp cannot be declared clobbered, and rbx is the
 * base pointer of a frame that clang both realigns and grows.
 */
#ifndef BGI_CONTEXT_X86_64_H
#define BGI_CONTEXT_X86_64_H

#ifndef BGI_CONTEXT_H
#error "include arch/context.h"
#endif

#if defined(__CET__) && (__CET__ & 1)
#define BGI_ENDBR "endbr64\n\t"
#else
#define BGI_ENDBR
#endif

/*
 * For a function that returns on another stack than it was called on. Its return address is never
 * the one that the return predictor expects, which costs a misprediction (8 ns) each time; a jump
 * to the address popped is predicted like any other indirect jump, by the history that led there.
 * Not with branch tracking, where the places returned to would have to be marked.
 */
#if !defined(__CET__) &&                                                                           \
    ((defined(__GNUC__) && !defined(__clang__)) || (defined(__clang__) && __clang_major__ >= 15))
#define BGI_RETURN_BY_JUMP __attribute__((function_return("thunk-extern")))
/* How such a function returns; the compiler knows it by this name. For each file that has one, at
 * file scope; a local symbol, so it meets nobody else's. */
#define BGI_RETURN_THUNK                                                                           \
    __asm__(".pushsection .text\n\t"                                                               \
            ".p2align 4\n\t"                                                                       \
            ".type __x86_return_thunk, @function\n"                                                \
            "__x86_return_thunk:\n\t"                                                              \
            ".cfi_startproc\n\t"                                                                   \
            "popq %rcx\n\t"                                                                        \
            ".cfi_adjust_cfa_offset -8\n\t"                                                        \
            ".cfi_register %rip, %rcx\n\t"                                                         \
            "jmpq *%rcx\n\t"                                                                       \
            ".cfi_endproc\n\t"                                                                     \
            ".size __x86_return_thunk, . - __x86_return_thunk\n\t"                                 \
            ".popsection")
#endif

#ifdef __AVX512F__
#define BGI_CLOBBER_AVX512                                                                         \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5",  \
        "k6", "k7"
#else
#define BGI_CLOBBER_AVX512
#endif

#ifdef __APX_F__
#define BGI_CLOBBER_APX                                                                            \
    , "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28",   \
        "r29", "r30", "r31"
#else
#define BGI_CLOBBER_APX
#endif

/* Gives the context that was resumed: `from`, as the other side passed it. */
BGI_INLINE bgi_context *bgi_context_jump(bgi_context *from, bgi_context *to)
{
    __asm__ __volatile__("leaq 1f(%%rip), %%rax\n\t"
                         "movq %%rsp, 0(%%rdi)\n\t"
                         "movq %%rax, 8(%%rdi)\n\t"
                         "movq %%rbp, 16(%%rdi)\n\t"
                         "movq %%rbx, 24(%%rdi)\n\t"
                         "movq 24(%%rsi), %%rbx\n\t"
                         "movq 16(%%rsi), %%rbp\n\t"
                         "movq 0(%%rsi), %%rsp\n\t"
                         "jmpq *8(%%rsi)\n"
                         "1:\n\t" BGI_ENDBR
                         : "+D"(from), "+S"(to)
                         :
                         : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                           "r15", "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
                           "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                           "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                           "xmm15" BGI_CLOBBER_AVX512 BGI_CLOBBER_APX);
    return to;
}

BGI_INLINE BGI_NORETURN void bgi_context_jump_final(bgi_context *from, bgi_context *to)
{
    __asm__ __volatile__("movq 24(%%rsi), %%rbx\n\t"
                         "movq 16(%%rsi), %%rbp\n\t"
                         "movq 0(%%rsi), %%rsp\n\t"
                         "jmpq *8(%%rsi)"
                         :
                         : "D"(from), "S"(to)
                         : "memory");
    __builtin_unreachable();
}

#endif
