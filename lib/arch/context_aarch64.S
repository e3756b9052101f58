/*
 * The first frame of a context on aarch64. bgi_context_init leaves the entry function at the top of
 * the fresh stack, its argument above it and two zero words above that, at an address that is a
 * multiple of 16. The return address is declared undefined, and the frame pointer and link register
 * are zero: unwinders and frame-pointer walkers end here.
 */
#if defined(__aarch64__) && defined(__LP64__) && !defined(BGI_CONTEXT_UCONTEXT)
        .text
        .p2align 4
        .globl  bgi_context_first_frame
        .hidden bgi_context_first_frame
        .type   bgi_context_first_frame, %function
bgi_context_first_frame:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_def_cfa sp, 32
#ifdef __ARM_FEATURE_BTI_DEFAULT
        hint    #34
#endif
        mov     x29, #0
        mov     x30, #0
        ldp     x8, x0, [sp], #16
        .cfi_def_cfa sp, 16
        blr     x8
        brk     #1
        .cfi_endproc
        .size   bgi_context_first_frame, . - bgi_context_first_frame

#ifdef __ARM_FEATURE_BTI_DEFAULT
        /* Branch targets are marked. Nothing here returns, so signed returns hold as well. */
        .section .note.gnu.property, "a"
        .p2align 3
        .word   4
        .word   16
        .word   5
        .asciz  "GNU"
        .word   0xc0000000
        .word   4
#ifdef __ARM_FEATURE_PAC_DEFAULT
        .word   3
#else
        .word   1
#endif
        .word   0
#endif
#endif
        .section .note.GNU-stack, "", %progbits
