/*
 * Rings that take no more: what the tests of the driver on io_uring share.
 *
 * The kernel's refusals are played by a hook before each io_uring_enter(2) (support/faults.h).
 */
#ifndef TESTS_IO_RING_FULL_H
#define TESTS_IO_RING_FULL_H

#include "faults.h"
#include "io/io.h"
#include "io/ring.h"
#include "latch.h"
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(BGI_URING)

/* Refused is: nothing; everything; everything as long as completions lie there, which is what a
 * kernel does whose queue of them is full; so many calls that submit something. */
enum ring_mode { LET, REFUSE_ALL, REFUSE_UNTIL_TAKEN, REFUSE_SOME };

static bgi_port *port; /* whose ring it is about */
static bgi_atomic mode, some, refused;

static inline int has_completions(const bgi_ring *r)
{
    return io_uring_smp_load_acquire(r->u.cq.khead) != io_uring_smp_load_acquire(r->u.cq.ktail);
}

/* By its worker, or inside the ring. */
static inline unsigned queued_in(const bgi_ring *r)
{
    return r->u.sq.sqe_tail - io_uring_smp_load_acquire(r->u.sq.khead);
}

static inline int at_ring(int fd, unsigned submit, int waits)
{
    (void)waits;
    if (bgi_load_acquire(&mode) == LET || fd != port->ring->u.ring_fd) {
        return 0;
    }
    switch ((enum ring_mode)bgi_load(&mode)) {
    case REFUSE_ALL:
        break;
    case REFUSE_UNTIL_TAKEN:
        if (!has_completions(port->ring)) {
            bgi_store(&mode, LET);
            return 0;
        }
        break;
    case REFUSE_SOME:
        if (submit == 0 || bgi_load(&some) == 0) {
            return 0;
        }
        (void)bgi_fetch_sub(&some, 1);
        break;
    default:
        return 0;
    }
    add_one(&refused);
    return -EBUSY;
}

static inline void refuse(enum ring_mode how)
{
    bgi_store(&refused, 0);
    bgi_store_release(&mode, how);
}

static inline void refuse_some(unsigned n)
{
    bgi_store(&some, n);
    refuse(REFUSE_SOME);
}

/* ---- readers ---- */

struct reader {
    int fd[2];
    bg_task *task;
    bgi_atomic ended;
};

static inline int read_from(void *arg)
{
    struct reader *self = arg;
    char c;
    int r = (int)bg_read(self->fd[0], &c, 1);
    bgi_store_release(&self->ended, 1);
    return r;
}

/* One whose operation is in the ring of this worker, which has not to have been submitted. */
static inline void reader_begin(struct reader *r)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, r->fd) == 0);
    bgi_store(&r->ended, 0);
    r->task = bg_spawn(read_from, r);
    until_somebody_waits(r->fd[0]);
    bgi_port *own = bgi_port_of(bgi_task_runtime(bg_self())->io, bgi_worker_self());
    if (port != own) {
        port = own; /* others may look at it by now */
    }
}

static inline void give_byte(const struct reader *r)
{
    CHECK(write(r->fd[1], "x", 1) == 1);
}

static inline void reader_end(struct reader *r, int result)
{
    CHECK(bg_await(r->task) == result);
    CHECK(result == -EBADF || bg_fd_close(r->fd[0]) == 0);
    CHECK(bg_fd_close(r->fd[1]) == 0);
}

/* Until the kernel has all that this worker's ring has. */
static inline void until_submitted(void)
{
    while (queued_in(port->ring) != 0) {
        CHECK(bg_sleep(BG_US) == 0);
    }
}

/* ---- a full ring ---- */

static struct reader early, victim;            /* whose operations the kernel has */
static struct reader filler[BGI_RING_ENTRIES]; /* whose it does not have */
static unsigned fillers;

/* By a task while nobody else runs, and the kernel refuses: until there is no more room. */
static inline void ring_fill(void)
{
    for (fillers = 0; queued_in(port->ring) < port->ring->u.sq.ring_entries; fillers++) {
        reader_begin(&filler[fillers]);
    }
}

static inline void fillers_end(void)
{
    for (; fillers > 0; fillers--) {
        give_byte(&filler[fillers - 1]);
        reader_end(&filler[fillers - 1], 1);
    }
}

/* Likewise: two readers wait, the kernel refuses what comes, and if `full` there is no more room.
 */
static inline void ring_set_up(int full)
{
    reader_begin(&early);
    reader_begin(&victim);
    until_submitted();
    refuse(REFUSE_ALL);
    if (full) {
        ring_fill();
    }
}

/* From now on the kernel refuses until what is there is taken. */
static inline void ring_refuse(void)
{
    give_byte(&early);
    while (!has_completions(port->ring)) {
        (void)sched_yield();
    }
    refuse(REFUSE_UNTIL_TAKEN);
}

static inline void ring_tidy_up(int result_of_victim)
{
    CHECK(bgi_load(&mode) == LET && bgi_load(&refused) > 0);
    fillers_end();
    reader_end(&early, 1);
    reader_end(&victim, result_of_victim);
}

/* ---- two workers ---- */

/*
 * One function on each of two workers, which have nobody else. The first may wait; the second must
 * not before that has set `go_on`, and from then on the first must not.
 */
static void (*on_worker[2])(void);
static bgi_atomic arrived, go_on, done;

static inline int on_one_worker(void *arg)
{
    (void)arg;
    bgi_word i = bgi_fetch_add(&arrived, 1);
    while (bgi_load_acquire(&arrived) < 2) {
        (void)sched_yield();
    }
    if (i == 1) {
        block_until(&go_on, 1);
    }
    on_worker[i]();
    return 0;
}

static inline int main_two(void *arg)
{
    (void)arg;
    bgi_store(&arrived, 0);
    bgi_store(&go_on, 0);
    bgi_store(&done, 0);
    bg_task *a = bg_spawn(on_one_worker, NULL);
    bg_task *b = bg_spawn(on_one_worker, NULL);
    CHECK(bg_await(a) == 0);
    CHECK(bg_await(b) == 0);
    return 0;
}

/* Of the first: the second goes on, and this thread does nothing until it is done. */
static inline void let_the_other(void)
{
    bgi_store_release(&go_on, 1);
    block_until(&done, 1);
}

/* ---- runs ---- */

static inline void with_ring_hook(bg_fn fn, unsigned workers,
                                  int (*hook)(int fd, unsigned submit, int waits))
{
    cr_assert_eq(setenv("BRIGADE_IO", "uring", 1), 0);
    bgi_fault_at_ring(hook);
    RUN(fn, NULL, .workers = workers, .spares = BG_NO_SPARES);
    bgi_fault_at_ring(NULL);
}

static inline void with_ring(bg_fn fn, unsigned workers)
{
    with_ring_hook(fn, workers, at_ring);
}

#define RING_OR_SKIP()                                                                             \
    do {                                                                                           \
        if (!bgi_ring_possible()) {                                                                \
            cr_skip_test("no io_uring here");                                                      \
        }                                                                                          \
    } while (0)

#endif

#endif
