/*
 * The bell of a ring of io_uring, which the kernel stops watching when it has no room to tell of
 * it: the worker has it watched again before it sleeps, whoever learns of it, and whether there is
 * room for the entry just then or not. Else it would sleep for ever.
 *
 * Labels: drivers
 */
#include "ring_full.h"

#include <poll.h>

static bg_sem sem;

static void *release_it(void *arg)
{
    const bgi_port *p = arg;
    block_until(&p->sleeping, 1);
    CHECK(bg_sem_release(&sem) == 0);
    return NULL;
}

/* The worker sleeps, and is woken by its bell alone. */
static void sleep_till_it_rings(void)
{
    pthread_t thread;
    bgi_port *p = bgi_port_of(bgi_task_runtime(bg_self())->io, bgi_worker_self());
    CHECK(pthread_create(&thread, NULL, release_it, p) == 0);
    CHECK(bg_sem_acquire(&sem) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static int poll_it(void *arg)
{
    return bg_poll(*(int *)arg, POLLIN);
}

static int main_rings(void *arg)
{
    int fd[2];
    (void)arg;
    CHECK(pipe2(fd, O_CLOEXEC) == 0);
    bg_task *t = bg_spawn(poll_it, fd);
    until_somebody_waits(fd[0]);
    for (int i = 0; i < 3; i++) {
        sleep_till_it_rings();
    }
    CHECK(write(fd[1], "x", 1) == 1);
    CHECK(bg_await(t) == POLLIN);
    CHECK(bg_fd_close(fd[0]) == 0 && bg_fd_close(fd[1]) == 0);
    return 0;
}

Test(bell, wakes_who_sleeps)
{
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    RUN(main_rings, NULL, .workers = 1, .spares = BG_NO_SPARES);
    bg_sem_destroy(&sem);
}

#if defined(BGI_URING)

/* Inside: an entry with which the kernel ends the poll, and says so in a completion. */
static void prepare_the_end(void)
{
    struct io_uring_sqe *e = bgi_ring_entry(port->ring);
    CHECK(e != NULL);
    io_uring_prep_cancel_fd(e, port->bell, IORING_ASYNC_CANCEL_ALL);
    e->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* On another thread than the worker's. */
static void end_the_poll(void)
{
    int how = bgi_ring_enter(port->ring, 0);
    prepare_the_end();
    unsigned n = bgi_ring_flush(port->ring);
    bgi_ring_leave(port->ring, 0, how);
    bgi_ring_call(port->ring, n, 0, NULL);
}

/* ---- the worker sleeps ---- */

static bgi_atomic sleeps; /* times that it was about to */

static int count_sleeps(int fd, unsigned submit, int waits)
{
    (void)submit;
    if (bgi_load_acquire(&mode) != LET && waits && fd == port->ring->u.ring_fd) {
        add_one(&sleeps);
    }
    return 0;
}

/* It is woken by the end of the poll, and sleeps again. Then only the bell can wake it. */
static void *end_and_wake(void *arg)
{
    (void)arg;
    bgi_word seen = 0;
    for (int i = 0; i < 5; i++) {
        block_until(&sleeps, seen + 1);
        seen = bgi_load(&sleeps);
        end_the_poll();
        block_until(&sleeps, seen + 1);
        seen = bgi_load(&sleeps);
        CHECK(bg_sem_release(&sem) == 0);
        block_until(&done, (bgi_word)i + 1);
    }
    return NULL;
}

static int main_asleep(void *arg)
{
    pthread_t thread;
    struct reader r;
    (void)arg;
    reader_begin(&r);
    until_submitted();
    bgi_store(&done, 0);
    bgi_store_release(&mode, REFUSE_SOME);
    CHECK(pthread_create(&thread, NULL, end_and_wake, NULL) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK(bg_sem_acquire(&sem) == 0);
        add_one(&done);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    bgi_store(&mode, LET);
    give_byte(&r);
    reader_end(&r, 1);
    return 0;
}

Test(bell, is_watched_again)
{
    RING_OR_SKIP();
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    with_ring_hook(main_asleep, 1, count_sleeps);
    bg_sem_destroy(&sem);
}

/* ---- there is no room ---- */

/* The kernel takes the first entry, by which the poll ends, and then no more for a while. */
static int take_first(int fd, unsigned submit, int waits)
{
    int r = at_ring(fd, submit, waits);
    if (r != 0 && bgi_load(&mode) == REFUSE_SOME && bgi_load(&refused) == 1) {
        bgi_word left = bgi_load(&some);
        bgi_store(&mode, LET);
        bgi_ring_call(port->ring, 1, 0, NULL);
        while (!has_completions(port->ring)) {
            (void)sched_yield();
        }
        bgi_store(&some, left);
        bgi_store(&mode, REFUSE_SOME);
    }
    return r;
}

static int main_no_room(void *arg)
{
    (void)arg;
    reader_begin(&early);
    reader_begin(&victim);
    until_submitted();
    refuse(REFUSE_ALL);
    int how = bgi_ring_enter(port->ring, 1);
    prepare_the_end();
    bgi_ring_leave(port->ring, 1, how);
    ring_fill();
    refuse_some(10);
    CHECK(bg_write(victim.fd[1], "x", 1) == 1);
    CHECK(bgi_load(&refused) == 10);
    fillers_end();
    reader_end(&victim, 1);
    sleep_till_it_rings();
    give_byte(&early);
    reader_end(&early, 1);
    return 0;
}

Test(bell, is_watched_again_when_there_is_room)
{
    RING_OR_SKIP();
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    with_ring_hook(main_no_room, 1, take_first);
    bg_sem_destroy(&sem);
}
/* ---- another worker learns of it ---- */

/*
 * The first worker has just looked whether anything is to be submitted, and is about to sleep in
 * the kernel. The second polls in its place, as it does for one that is held up.
 */
static int hold_sleeper(int fd, unsigned submit, int waits)
{
    (void)submit;
    if (bgi_load_acquire(&mode) != LET && waits && fd == port->ring->u.ring_fd) {
        add_one(&sleeps);
        block_until(&done, 1);
    }
    return 0;
}

static bgi_worker *sleeper;
static bgi_atomic woken;

static void sleep_first(void)
{
    sleeper = bgi_worker_self();
    reader_begin(&early);
    until_submitted();
    bgi_store(&mode, REFUSE_SOME);
    bgi_store_release(&go_on, 1);
    CHECK(bg_sem_acquire(&sem) == 0);
    bgi_store_release(&woken, 1);
}

static void sleep_second(void)
{
    bgi_io *io = bgi_task_runtime(bg_self())->io;
    block_until(&sleeps, 1);
    end_the_poll();
    while (!has_completions(port->ring)) {
        (void)sched_yield();
    }
    CHECK(io->driver.ops->poll(&io->driver, bgi_worker_self(), sleeper) == 0);
    bgi_store(&mode, LET);
    bgi_store_release(&done, 1);
    CHECK(bg_sem_release(&sem) == 0);
    block_until(&woken, 1); /* nothing else wakes it */
    give_byte(&early);
    reader_end(&early, 1);
}

Test(bell, is_watched_again_by_another_worker)
{
    RING_OR_SKIP();
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    on_worker[0] = sleep_first;
    on_worker[1] = sleep_second;
    with_ring_hook(main_two, 2, hold_sleeper);
    bg_sem_destroy(&sem);
}

/* ---- as it really is ---- */

enum { MANY = BGI_RING_COMPLETIONS + 100 };

static int polled[2];

static int main_overflow(void *arg)
{
    static bg_task *task[MANY];
    (void)arg;
    reader_begin(&early);
    CHECK(pipe2(polled, O_CLOEXEC) == 0);
    bgi_word before = bgi_load(&port->watched);
    for (int i = 0; i < MANY; i++) {
        task[i] = bg_spawn(poll_it, &polled[0]);
    }
    yield_until(&port->watched, before + MANY);
    until_submitted();
    CHECK(write(polled[1], "x", 1) == 1);
    CHECK((IO_URING_READ_ONCE(*port->ring->u.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0);
    CHECK(eventfd_write(port->bell, 1) == 0);
    for (int i = 0; i < MANY; i++) {
        CHECK(bg_await(task[i]) == POLLIN);
    }
    sleep_till_it_rings();
    CHECK(bg_fd_close(polled[0]) == 0 && bg_fd_close(polled[1]) == 0);
    give_byte(&early);
    reader_end(&early, 1);
    return 0;
}

Test(bell, is_watched_again_after_too_many_completions)
{
    RING_OR_SKIP();
    cr_assert_eq(bg_sem_init(&sem, 0), 0);
    with_ring(main_overflow, 1);
    bg_sem_destroy(&sem);
}

#endif
