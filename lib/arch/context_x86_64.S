/*
 * The first frame of a context on x86-64. bgi_context_init leaves the entry function at the top of
 * the fresh stack, its argument above it and two zero words above that, at an address that is a
 * multiple of 16, so that the call leaves the stack as the ABI wants it at a function's entry. The
 * return address is declared undefined, rbp is zero, and so is the word that a simple unwinder
 * takes for the return address: they all end here.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(BGI_CONTEXT_UCONTEXT)
        .text
        .p2align 4
        .globl  bgi_context_first_frame
        .hidden bgi_context_first_frame
        .type   bgi_context_first_frame, @function
bgi_context_first_frame:
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_def_cfa %rsp, 32
#if defined(__CET__) && (__CET__ & 1)
        endbr64
#endif
        xorl    %ebp, %ebp
        popq    %rax
        popq    %rdi
        .cfi_def_cfa %rsp, 16
        /* Not a call: the return predictor would keep an address that nothing returns to, and miss
         * at every return of whoever runs when this context has ended. */
        leaq    1f(%rip), %rcx
        pushq   %rcx
        jmpq    *%rax
1:      ud2
        .cfi_endproc
        .size   bgi_context_first_frame, . - bgi_context_first_frame

#if defined(__CET__) && (__CET__ & 1)
        /* Branch tracking is honoured; the shadow stack is not claimed. */
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4
        .long   16
        .long   5
        .asciz  "GNU"
        .long   0xc0000002
        .long   4
        .long   1
        .long   0
#endif
#endif
        .section .note.GNU-stack, "", %progbits
