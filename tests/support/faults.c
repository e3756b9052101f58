/*
 * What the library's calls to the system go to in a test program (see faults.h).
 *
 * The plan (mask and number) is written only while no other thread is inside a counted call, as
 * the header demands, and the threads started later or released by a lock see it through that.
 * `seen` is counted by every matching call: the number the increment returns says which call one
 * is, so exactly one call is the nth, however many threads race. `live` and `mapped` are plain
 * statistics. No word publishes data, so relaxed operations suffice throughout.
 */
#include "faults.h"

#include "faulty.h"

#include "base/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if !defined(SYS_futex) && defined(SYS_futex_time64)
#define SYS_futex SYS_futex_time64
#endif

static bgi_atomic plan_kinds;  /* armed kinds and BGI_FAULT_FOREVER; 0 while disarmed */
static bgi_atomic plan_nth;    /* which call fails, from 1; 0: none */
static bgi_atomic plan_answer; /* see bgi_fault_answer */
static bgi_atomic seen;        /* calls of the armed kinds since the plan was made */
static bgi_atomic live;        /* blocks not freed yet */
static bgi_atomic mapped;      /* bytes not unmapped yet */

void bgi_fault_arm(unsigned kinds, size_t n)
{
    bgi_store(&plan_kinds, 0);
    bgi_store(&seen, 0);
    bgi_store(&plan_nth, n);
    bgi_store(&plan_kinds, kinds);
}

void bgi_fault_disarm(void)
{
    bgi_store(&plan_kinds, 0);
}

void bgi_fault_answer(int error)
{
    bgi_store(&plan_answer, (bgi_word)error);
}

size_t bgi_fault_count(void)
{
    return bgi_load(&seen);
}

size_t bgi_alloc_live(void)
{
    return bgi_load(&live);
}

size_t bgi_mapped_live(void)
{
    return bgi_load(&mapped);
}

static int refused(enum bgi_fault_kind kind)
{
    bgi_word kinds = bgi_load(&plan_kinds);
    if ((kinds & (bgi_word)kind) == 0) {
        return 0;
    }
    bgi_word call = bgi_fetch_add_relaxed(&seen, 1) + 1;
    bgi_word nth = bgi_load(&plan_nth);
    if (nth == 0) {
        return 0;
    }
    return (kinds & BGI_FAULT_FOREVER) != 0 ? call >= nth : call == nth;
}

/* What a refused call says, if it is not to be `usual`. */
static int answer(int usual)
{
    int other = (int)bgi_load(&plan_answer);
    return other == 0 ? usual : other;
}

static int fail(int usual)
{
    errno = answer(usual);
    return -1;
}

int bgi_fault_refuses(enum bgi_fault_kind kind, int usual)
{
    return refused(kind) && fail(usual);
}

static void *counted(void *p)
{
    if (p != NULL) {
        (void)bgi_fetch_add_relaxed(&live, 1);
    }
    return p;
}

void *bgi_faulty_malloc(size_t size)
{
    return refused(BGI_FAULT_MALLOC) ? NULL : counted(malloc(size));
}

void *bgi_faulty_calloc(size_t n, size_t size)
{
    return refused(BGI_FAULT_MALLOC) ? NULL : counted(calloc(n, size));
}

int bgi_faulty_posix_memalign(void **out, size_t alignment, size_t size)
{
    if (refused(BGI_FAULT_MALLOC)) {
        return ENOMEM;
    }
    int r = posix_memalign(out, alignment, size);
    if (r == 0) {
        (void)counted(*out);
    }
    return r;
}

void bgi_faulty_free(void *p)
{
    if (p != NULL) {
        (void)bgi_fetch_add_relaxed(&live, (bgi_word)0 - 1);
        free(p);
    }
}

void *bgi_faulty_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    if (refused(BGI_FAULT_MMAP)) {
        (void)fail(ENOMEM);
        return MAP_FAILED;
    }
    void *p = mmap(at, size, prot, flags, fd, offset);
    if (p != MAP_FAILED) {
        (void)bgi_fetch_add_relaxed(&mapped, size);
    }
    return p;
}

int bgi_faulty_munmap(void *p, size_t size)
{
    if (refused(BGI_FAULT_MUNMAP)) {
        return fail(ENOMEM);
    }
    int r = munmap(p, size);
    if (r == 0) {
        (void)bgi_fetch_add_relaxed(&mapped, (bgi_word)0 - size);
    }
    return r;
}

int bgi_faulty_madvise(void *p, size_t size, int advice)
{
    return refused(BGI_FAULT_MADVISE) ? fail(ENOMEM) : madvise(p, size, advice);
}

int bgi_faulty_mprotect(void *p, size_t size, int prot)
{
    return refused(BGI_FAULT_MPROTECT) ? fail(ENOMEM) : mprotect(p, size, prot);
}

int bgi_faulty_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *),
                              void *arg)
{
    return refused(BGI_FAULT_THREAD) ? answer(EAGAIN) : pthread_create(out, attr, fn, arg);
}

static int has_passed(const struct timespec *deadline)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return deadline != NULL &&
           (now.tv_sec > deadline->tv_sec ||
            (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec));
}

/* A wait may end without a cause at any time before its deadline; a wake-up does its work, and then
 * may say that it did not, since the kernel loses none. */
static long futex_faulty(const long *a)
{
    int wakes = (int)a[1] == FUTEX_WAKE_PRIVATE;
    if (!wakes && refused(BGI_FAULT_FUTEX_WAIT)) {
        if (has_passed((const struct timespec *)a[3])) {
            errno = ETIMEDOUT;
            return -1;
        }
        return answer(EINTR) == BGI_FAULT_NO_CAUSE ? 0 : fail(EINTR);
    }
    long r = syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
    return wakes && refused(BGI_FAULT_FUTEX_WAKE) ? fail(EFAULT) : r;
}

long bgi_faulty_syscall(long number, ...)
{
    long a[6];
    va_list arguments;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(arguments, long); /* those not given are whatever lies there: nobody looks */
    }
    va_end(arguments);
    if (number == SYS_futex) {
        return futex_faulty(a);
    }
#if defined(SYS_recvfrom)
    if ((number == SYS_recvfrom || number == SYS_sendto) && refused(BGI_FAULT_IO)) {
        return fail(EIO);
    }
#endif
    if (number == SYS_membarrier && refused(BGI_FAULT_MEMBARRIER)) {
        return fail(ENOSYS);
    }
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int bgi_faulty_sigaltstack(const stack_t *new, stack_t *old)
{
    return refused(BGI_FAULT_SIGALTSTACK) ? fail(ENOMEM) : sigaltstack(new, old);
}

int bgi_faulty_sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
    return refused(BGI_FAULT_SIGACTION) ? fail(EINVAL) : sigaction(sig, new, old);
}

int bgi_faulty_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return refused(BGI_FAULT_OPEN) ? fail(EMFILE) : open(path, flags, mode);
}

FILE *bgi_faulty_fopen(const char *path, const char *mode)
{
    if (refused(BGI_FAULT_OPEN)) {
        (void)fail(EMFILE);
        return NULL;
    }
    return fopen(path, mode);
}
