#include "io/ring.h"

#if defined(BGI_URING)

#include "arch/lock.h"
#include "base/alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

/* What is not inline in liburing.h. */
static struct {
    int (*init)(unsigned entries, struct io_uring *, struct io_uring_params *);
    void (*exit)(struct io_uring *);
    int (*enter)(unsigned fd, unsigned submit, unsigned complete, unsigned flags, sigset_t *,
                 size_t);
} lib;

static bgi_lock probing = BGI_LOCK_INIT(BGI_RANK_TOPOLOGY, "io_uring");
static int known; /* under the lock: 0: not yet, 1: possible, -1: not */

static int load(void)
{
    static const char *const names[] = {"io_uring_queue_init_params", "io_uring_queue_exit",
                                        "io_uring_enter2"};
    void **call[] = {(void **)&lib.init, (void **)&lib.exit, (void **)&lib.enter};
    void *library = dlopen("liburing.so.2", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library != NULL && i < BGI_ARRAY_LEN(names); i++) {
        *call[i] = dlsym(library, names[i]);
        if (*call[i] == NULL) {
            return 0;
        }
    }
    return library != NULL;
}

static int init(struct io_uring *u, unsigned entries, unsigned completions)
{
    struct io_uring_params p = {0};
    unsigned need = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SINGLE_MMAP;
    /* No interrupts for completions: the worker sees them when it next enters the kernel, at the
     * latest with the clock's tick. */
    p.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN |
              IORING_SETUP_TASKRUN_FLAG;
    p.cq_entries = completions;
    int r = lib.init(entries, u, &p);
    if (r == 0 && (p.features & need) != need) {
        lib.exit(u);
        r = -ENOSYS;
    }
    return r;
}

static int probe(void)
{
    struct io_uring u;
    if (!load() || init(&u, 4, 8) != 0) {
        return -1;
    }
    lib.exit(&u);
    return 1;
}

int bgi_ring_possible(void)
{
    bgi_lock_acquire(&probing);
    if (known == 0) {
        known = probe();
    }
    int possible = known > 0;
    bgi_lock_release(&probing);
    return possible;
}

bgi_ring *bgi_ring_create(int *error)
{
    bgi_ring *r = bgi_aligned_alloc(BGI_FALSE_SHARING_RANGE, sizeof *r);
    if (r == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    memset(r, 0, sizeof *r);
    *error = init(&r->u, BGI_RING_ENTRIES, BGI_RING_COMPLETIONS);
    if (*error != 0) {
        bgi_free(r);
        return NULL;
    }
    for (unsigned i = 0; i < r->u.sq.ring_entries; i++) {
        r->u.sq.array[i] = i; /* older ones leave that to each submission */
    }
    bgi_bias_init(&r->lock, BGI_RANK_RING, "ring");
    return r;
}

void bgi_ring_destroy(bgi_ring *r)
{
    lib.exit(&r->u);
    bgi_free(r);
}

int bgi_ring_enter(bgi_ring *r, int own)
{
    if (bgi_likely(own)) {
        return bgi_bias_enter(&r->lock);
    }
    bgi_bias_enter_stranger(&r->lock);
    return 0;
}

void bgi_ring_leave(bgi_ring *r, int own, int how)
{
    if (bgi_likely(own)) {
        bgi_bias_leave(&r->lock, how);
    } else {
        bgi_bias_leave_stranger(&r->lock);
    }
}

unsigned bgi_ring_flush(bgi_ring *r)
{
    struct io_uring_sq *sq = &r->u.sq;
    unsigned n = sq->sqe_tail - sq->sqe_head;
    if (n != 0) {
        sq->sqe_head = sq->sqe_tail;
        io_uring_smp_store_release(sq->ktail, *sq->ktail + n);
    }
    bgi_store(&r->unsubmitted, 0);
    return *sq->ktail - io_uring_smp_load_acquire(sq->khead);
}

unsigned bgi_ring_last(const bgi_ring *r)
{
    return *r->u.sq.ktail;
}

unsigned bgi_ring_left(const bgi_ring *r, unsigned last)
{
    int left = (int)(last - io_uring_smp_load_acquire(r->u.sq.khead));
    return left > 0 ? (unsigned)left : 0;
}

struct io_uring_sqe *bgi_ring_entry(bgi_ring *r)
{
    struct io_uring_sqe *e = _io_uring_get_sqe(&r->u);
    if (bgi_unlikely(e == NULL)) {
        bgi_ring_call(r, bgi_ring_flush(r), 0, NULL);
        e = _io_uring_get_sqe(&r->u);
        if (e == NULL) {
            return NULL;
        }
    }
    bgi_store(&r->unsubmitted, bgi_load(&r->unsubmitted) + 1);
    return e;
}

BGI_NOINLINE void bgi_ring_call(bgi_ring *r, unsigned submit, int wait,
                                struct __kernel_timespec *timeout)
{
    struct io_uring_getevents_arg arg = {.ts = (uint64_t)(uintptr_t)timeout};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    /* What it fails with (a signal, the time, a full queue of completions, no memory) leaves the
     * rest for the next call. */
    (void)lib.enter((unsigned)r->u.ring_fd, submit, wait ? 1 : 0, flags, (sigset_t *)(void *)&arg,
                    sizeof arg);
}

int bgi_ring_has_work(const bgi_ring *r)
{
    const struct io_uring_cq *cq = &r->u.cq;
    return io_uring_smp_load_acquire(cq->khead) != io_uring_smp_load_acquire(cq->ktail) ||
           io_uring_smp_load_acquire(r->u.sq.khead) != io_uring_smp_load_acquire(r->u.sq.ktail) ||
           (IO_URING_READ_ONCE(*r->u.sq.kflags) & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

unsigned bgi_ring_take(bgi_ring *r, bgi_completion *out, unsigned most)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    io_uring_for_each_cqe(&r->u, head, cqe)
    {
        if (n == most) {
            break;
        }
        out[n].data = (void *)(uintptr_t)cqe->user_data;
        out[n].result = cqe->res;
        out[n].flags = cqe->flags;
        n++;
    }
    io_uring_cq_advance(&r->u, n);
    return n;
}

#endif
