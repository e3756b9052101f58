/*
 * Fault injection: makes the nth call of a kind fail that the library makes to the system.
 *
 * The library has no code for it. The tests are linked with a copy of it in which the names of
 * these calls have been changed (objcopy, by the list in faults.map) into those of faults.c, which
 * counts, refuses, or passes on. So exactly the library's own calls are counted, in every build,
 * the release build and those of the sanitizers too; the calls of the tests, of the test framework
 * and of the C library are not, nor are the inline functions of base/alloc.h called in a test.
 */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

#include <stddef.h>

/* The kinds of calls that can be made to fail, and how; they are or-ed to a mask. */
enum bgi_fault_kind {
    BGI_FAULT_MALLOC = 1,       /* malloc, calloc, posix_memalign: no memory */
    BGI_FAULT_MMAP = 2,         /* ENOMEM, as those below */
    BGI_FAULT_MADVISE = 4,      /* any advice */
    BGI_FAULT_MPROTECT = 8,     /* also what the kernel says at the mapping limit */
    BGI_FAULT_THREAD = 16,      /* pthread_create: EAGAIN */
    BGI_FAULT_ALL = 31,         /* all of the above: requests that the system may turn down */
    BGI_FAULT_MUNMAP = 32,      /* ENOMEM: the mapping limit, where a mapping would be cut in two */
    BGI_FAULT_FUTEX_WAIT = 64,  /* does not wait: EINTR; ETIMEDOUT once its time is up */
    BGI_FAULT_FUTEX_WAKE = 128, /* wakes, and then says EFAULT */
    BGI_FAULT_MEMBARRIER = 512, /* ENOSYS */
    BGI_FAULT_SIGALTSTACK = 1024,
    BGI_FAULT_SIGACTION = 2048, /* EINVAL */
    BGI_FAULT_OPEN = 4096,      /* open, fopen: EMFILE */

    BGI_FAULT_IO = 8192,       /* calls on descriptors; EIO */
    BGI_FAULT_PWAIT2 = 16384,  /* epoll_pwait2; ENOSYS */
    BGI_FAULT_OPENSSL = 32768, /* OpenSSL's memory, where a test has taken it over (tls/calls.h) */

    BGI_FAULT_FOREVER = 256, /* a flag: the nth call fails, and each one after it */
};

/* For bgi_fault_answer: the refused wait on a futex returns 0, as if woken. */
enum { BGI_FAULT_NO_CAUSE = -1 };

/*
 * Makes the nth call (from 1) of the kinds in the mask fail, seen over all threads; with n = 0
 * none fails and calls are only counted. One plan at a time: a new one replaces the old one. Not
 * to be called while another thread may be inside one of the calls.
 */
void bgi_fault_arm(unsigned kinds, size_t n);

/* Nothing fails any more. Any time. */
void bgi_fault_disarm(void);

/* The errno that the calls refused from now on give; 0: the kind's own, named above. */
void bgi_fault_answer(int error);

/* From now on fn is called before and after each close(2) of the library; NULL: no more. */
void bgi_fault_at_close(void (*fn)(int fd, int is_closed));

/* Likewise before each epoll_wait(2), with its timeout. */
void bgi_fault_at_epoll_wait(void (*fn)(int ms));

/* Likewise before each io_uring_enter(2), with the ring's descriptor, how many entries are to be
 * submitted, and whether it is to wait. It is made if fn returns 0, else it fails with that: a
 * negative errno. The caller may be inside the ring. */
void bgi_fault_at_ring(int (*fn)(int ring, unsigned submit, int waits));

/* Calls of the armed kinds since bgi_fault_arm(), the failed ones included. Stays when disarmed. */
size_t bgi_fault_count(void);

/* Blocks that the library has allocated and not freed, in the whole process. */
size_t bgi_alloc_live(void);

/* Bytes that the library has mapped and not unmapped. */
size_t bgi_mapped_live(void);

/* For the wrappers: whether this call is refused, with errno set then. */
int bgi_fault_refuses(enum bgi_fault_kind kind, int usual);

#endif
