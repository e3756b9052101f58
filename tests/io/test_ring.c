/*
 * A ring of io_uring that has no room, while the kernel takes nothing until completions are taken:
 * an operation, a cancel and a close have to come through all the same, on the ring's own worker,
 * on another one, and on a plain thread, even if the ring's own worker does nothing meanwhile. And
 * what the kernel has refused is not forgotten.
 */
#include "ring_full.h"

#include <poll.h>

#if defined(BGI_URING)

/* ---- on its own worker ---- */

static int main_operation(void *arg)
{
    char c = 0;
    (void)arg;
    ring_set_up(1);
    ring_refuse();
    CHECK(bg_write(victim.fd[1], "x", 1) == 1);
    ring_tidy_up(1);
    return c;
}

Test(ring, an_operation_when_it_is_full)
{
    RING_OR_SKIP();
    with_ring(main_operation, 1);
}

static int main_cancel(void *arg)
{
    (void)arg;
    ring_set_up(1);
    ring_refuse();
    CHECK(bg_cancel(victim.task) == 0);
    yield_until(&victim.ended, 1);
    ring_tidy_up(-ECANCELED);
    return 0;
}

Test(ring, a_cancel_when_it_is_full)
{
    RING_OR_SKIP();
    with_ring(main_cancel, 1);
}

static int is_full; /* when it is closed; else the closer's entry finds room, and is refused */

static bgi_atomic ends; /* 1 + the number; the monitor closes others meanwhile */

/* Before close(2) the kernel has all that there is. */
static void at_close(int fd, int is_closed)
{
    if (!is_closed && (bgi_word)fd + 1 == bgi_load_acquire(&ends)) {
        CHECK(bgi_ring_left(port->ring, bgi_ring_last(port->ring)) == 0);
        bgi_store(&ends, 0);
        CHECK(bgi_load(&mode) == LET);
    }
}

static void set_up_close(void)
{
    ring_set_up(is_full);
    ring_refuse();
    bgi_store_release(&ends, (bgi_word)victim.fd[0] + 1);
}

static int main_close(void *arg)
{
    (void)arg;
    set_up_close();
    CHECK(bg_fd_close(victim.fd[0]) == 0);
    ring_tidy_up(-EBADF);
    return 0;
}

static void with_closes(bg_fn fn, unsigned workers)
{
    bgi_fault_at_close(at_close);
    for (is_full = 0; is_full < 2; is_full++) {
        with_ring(fn, workers);
    }
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}

Test(ring, a_close_when_it_is_full)
{
    RING_OR_SKIP();
    with_closes(main_close, 1);
}

/* ---- from elsewhere ---- */

static void cancel_first(void)
{
    ring_set_up(1);
    ring_refuse();
    let_the_other();
    ring_tidy_up(-ECANCELED);
}

/* The victim goes on on this worker, which then polls for the other: that is held up. */
static void cancel_second(void)
{
    CHECK(bg_cancel(victim.task) == 0);
    while (!bgi_load_acquire(&victim.ended)) {
        CHECK(bg_sleep(100 * BG_US) == 0);
    }
    bgi_store_release(&done, 1);
}

Test(ring, a_cancel_on_another_worker_when_it_is_full)
{
    RING_OR_SKIP();
    on_worker[0] = cancel_first;
    on_worker[1] = cancel_second;
    with_ring(main_two, 2);
}

static void close_first(void)
{
    set_up_close();
    let_the_other();
    ring_tidy_up(-EBADF);
}

static void close_second(void)
{
    CHECK(bg_fd_close(victim.fd[0]) == 0);
    bgi_store_release(&done, 1);
}

Test(ring, a_close_on_another_worker_when_it_is_full)
{
    RING_OR_SKIP();
    on_worker[0] = close_first;
    on_worker[1] = close_second;
    with_closes(main_two, 2);
}

/* It ends last: what a thread that has ended had submitted the kernel completes late. */
static void *close_on_thread(void *arg)
{
    (void)arg;
    CHECK(bg_fd_close(victim.fd[0]) == 0);
    block_until(&done, 1);
    return NULL;
}

/* The worker waits for the lock that the closer holds. */
static int main_thread(void *arg)
{
    pthread_t thread;
    int more = eventfd(0, EFD_CLOEXEC);
    (void)arg;
    bgi_store(&done, 0);
    set_up_close();
    CHECK(pthread_create(&thread, NULL, close_on_thread, NULL) == 0);
    block_until(&refused, 1);
    CHECK(bg_fd_close(more) == 0);
    ring_tidy_up(-EBADF);
    bgi_store_release(&done, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

Test(ring, a_close_on_a_plain_thread_when_it_is_full)
{
    RING_OR_SKIP();
    with_closes(main_thread, 1);
}

/* ---- what was refused comes later ---- */

/* The worker never sleeps, and asks for nothing else. */
static int main_busy(void *arg)
{
    struct reader r;
    (void)arg;
    reader_begin(&victim);
    until_submitted();
    refuse_some(3);
    reader_begin(&r);
    give_byte(&r);
    yield_until(&r.ended, 1);
    CHECK(bgi_load(&refused) == 3);
    reader_end(&r, 1);
    give_byte(&victim);
    reader_end(&victim, 1);
    return 0;
}

Test(ring, what_was_refused_is_submitted_by_who_is_busy)
{
    RING_OR_SKIP();
    with_ring(main_busy, 1);
}

static bg_sem sem;
static bgi_atomic repeated;

/* The cancel is refused; then, who sleeps or polls comes too late to submit it for the other. */
static int at_cancel(int fd, unsigned submit, int waits)
{
    if (bgi_load_acquire(&mode) == LET || fd != port->ring->u.ring_fd || submit == 0) {
        return 0;
    }
    if (bg_self() != victim.task) {
        if (waits) {
            block_until(&repeated, 1);
        }
        return bgi_load(&mode) == LET ? 0 : -EBUSY;
    }
    if (bgi_load(&refused) == 0) {
        add_one(&refused);
        return -EBUSY;
    }
    bgi_store_release(&mode, LET);
    bgi_store_release(&repeated, 1);
    return 0;
}

/* This worker sleeps when the other cancels what it has asked for. */
static void sleep_first(void)
{
    reader_begin(&victim);
    until_submitted();
    bgi_store_release(&go_on, 1);
    CHECK(bg_sem_acquire(&sem) == 0);
}

static void sleep_second(void)
{
    block_until(&port->sleeping, 1);
    refuse(REFUSE_SOME);
    CHECK(bg_cancel(victim.task) == 0);
    reader_end(&victim, -ECANCELED);
    CHECK(bgi_load(&refused) == 1 && bgi_load(&repeated));
    CHECK(bg_sem_release(&sem) == 0);
}

Test(ring, a_cancel_that_was_refused_while_the_worker_sleeps)
{
    RING_OR_SKIP();
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    on_worker[0] = sleep_first;
    on_worker[1] = sleep_second;
    with_ring_hook(main_two, 2, at_cancel);
    bg_sem_destroy(&sem);
}

#endif

/* ---- more completions than there is room for, as it really is ---- */

enum { MANY_POLLS = 4096 + 1000 };

static int polled[2];
static bgi_atomic polls;

static int poll_it(void *arg)
{
    (void)arg;
    add_one(&polls);
    return bg_poll(polled[0], POLLIN);
}

static int main_many(void *arg)
{
    static bg_task *task[MANY_POLLS];
    (void)arg;
    CHECK(pipe2(polled, O_CLOEXEC) == 0);
    for (int round = 0; round < 2; round++) {
        bgi_store(&polls, 0);
        for (int i = 0; i < MANY_POLLS; i++) {
            task[i] = bg_spawn(poll_it, NULL);
        }
        yield_until(&polls, MANY_POLLS);
        CHECK(bg_sleep(BG_US) == 0);
        CHECK(write(polled[1], "x", 1) == 1);
        for (int i = 0; i < MANY_POLLS; i++) {
            CHECK(bg_await(task[i]) == POLLIN);
        }
        CHECK(bg_read(polled[0], &(char){0}, 1) == 1);
    }
    CHECK(bg_fd_close(polled[0]) == 0 && bg_fd_close(polled[1]) == 0);
    return 0;
}

Test(ring, more_completions_than_it_has_room_for)
{
    RUN(main_many, NULL, .workers = 1, .spares = BG_NO_SPARES);
    RUN(main_many, NULL, .workers = 2);
}
