/*
 * The end of a descriptor against calls that begin just then: between the moment in which the
 * library lets go of the number and close(2), and between close(2) and the moment in which the
 * library knows that it has been made. And against a call on a file that no thread has begun yet.
 *
 * Labels: drivers
 */
#include "faults.h"
#include "io/blocking.h"
#include "io/io.h"
#include "latch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HIGH = 500 };
enum { A_WHILE = 25 }; /* times that others may go first: a call that was to begin has begun */

static int pair[2], other[2];
static bgi_atomic ends; /* the number; the monitor closes others meanwhile */
static bgi_atomic may_begin, begins;
static int used_before; /* the number, by the runtime */
static int after;       /* the call begins when the number stands for another */

static void let_it_begin(void)
{
    bgi_store_release(&may_begin, 1);
    while (!bgi_load_acquire(&begins)) {
        (void)sched_yield();
    }
    for (int i = 0; i < A_WHILE; i++) {
        (void)sched_yield();
    }
}

static void at_close(int fd, int is_closed)
{
    if ((bgi_word)fd != bgi_load(&ends) || is_closed != after || bgi_load(&may_begin)) {
        return;
    }
    if (after) {
        CHECK(dup2(other[0], fd) == fd);
    }
    let_it_begin();
}

static int read_it(void *arg)
{
    char c = 0;
    (void)arg;
    yield_until(&may_begin, 1);
    bgi_store_release(&begins, 1);
    ssize_t r = bg_read(pair[0], &c, 1);
    return r == 1 ? c : (int)r;
}

static int poll_it(void *arg)
{
    (void)arg;
    yield_until(&may_begin, 1);
    bgi_store_release(&begins, 1);
    return bg_poll(pair[0], POLLIN);
}

static int return_fd_close(void *fd)
{
    return bg_fd_close(*(int *)fd);
}

static int main_close(void *arg)
{
    bg_fn call = *(bg_fn *)arg;
    char c = 'x';
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other) == 0);
    int low = pair[0];
    pair[0] = fcntl(low, F_DUPFD_CLOEXEC, HIGH); /* not given out again to a worker */
    CHECK(pair[0] >= HIGH && close(low) == 0);
    bgi_store(&ends, (bgi_word)pair[0]);
    bgi_store(&may_begin, 0);
    bgi_store(&begins, 0);
    if (used_before) {
        CHECK(bg_write(pair[1], &c, 1) == 1);
        CHECK(bg_read(pair[0], &c, 1) == 1);
    }
    CHECK(write(other[1], "y", 1) == 1);
    bg_task *t = bg_spawn(call, NULL);
    bg_task *closer = bg_spawn(return_fd_close, &pair[0]);
    CHECK(bg_await(closer) == 0);
    int r = bg_await(t);
    CHECK(r == (!after ? -EBADF : call == poll_it ? POLLIN : 'y'));
    if (after) {
        CHECK(bg_fd_close(pair[0]) == 0);
    }
    CHECK(bg_fd_close(pair[1]) == 0 && bg_fd_close(other[0]) == 0 && bg_fd_close(other[1]) == 0);
    return 0;
}

static void in_the_window(bg_fn call)
{
    bgi_fault_at_close(at_close);
    for (unsigned workers = 2; workers <= 4; workers++) {
        for (int i = 0; i < 8; i++) {
            used_before = i % 2;
            RUN(main_close, &call, .workers = workers);
        }
    }
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}

Test(fd, a_call_that_begins_while_it_is_closed)
{
    after = 0;
    in_the_window(read_it);
    in_the_window(poll_it);
}

Test(fd, a_call_on_the_number_as_soon_as_it_stands_for_another)
{
    after = 1;
    in_the_window(read_it);
    in_the_window(poll_it);
}

/* ---- a close that takes its time ---- */

static bgi_atomic ended;

/* Until the reader has given up. */
static void at_long_close(int fd, int is_closed)
{
    if ((bgi_word)fd == bgi_load(&ends) && !is_closed) {
        bgi_store_release(&may_begin, 1);
        while (!bgi_load_acquire(&ended)) {
            (void)sched_yield();
        }
    }
}

static int read_for_a_while(void *arg)
{
    int r = 0;
    yield_until(&may_begin, 1);
    bg_timeout (BG_MS) {
        r = read_it(arg);
    }
    bgi_store_release(&ended, 1);
    return r;
}

static int main_long_close(void *arg)
{
    (void)arg;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    bgi_store(&ends, (bgi_word)pair[0]);
    bgi_store(&may_begin, 0);
    bgi_store(&ended, 0);
    bg_task *t = bg_spawn(read_for_a_while, NULL);
    bg_task *closer = bg_spawn(return_fd_close, &pair[0]);
    CHECK(bg_await(t) == -ETIMEDOUT);
    CHECK(bg_await(closer) == 0);
    return bg_fd_close(pair[1]);
}

Test(fd, a_deadline_ends_the_wait_for_a_close)
{
    bgi_fault_at_close(at_long_close);
    RUN(main_long_close, NULL, .workers = 2);
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}

/* ---- a file ---- */

static latch busy;

static int keep_busy(void *arg)
{
    (void)arg;
    latch_wait(&busy);
    return 0;
}

static int block_it(void *arg)
{
    return bg_blocking(keep_busy, arg);
}

static int read_file(void *arg)
{
    char c;
    return (int)bg_read(*(int *)arg, &c, 1);
}

static void until_queued(size_t n)
{
    bgi_pool_counts now;
    do {
        bg_yield();
        bgi_blocking_count(bgi_task_runtime(bg_self()), &now);
    } while (now.queued != n || now.threads != 1);
}

static int main_file(void *arg)
{
    (void)arg;
    if (bgi_task_runtime(bg_self())->io->ops->perform != NULL) {
        return 0; /* the ring has it before the number is closed */
    }
    int low = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH);
    CHECK(low >= 0 && fd >= HIGH);
    busy = (latch){0};
    bg_task *blocker = bg_spawn(block_it, NULL);
    until_queued(0);
    bg_task *t = bg_spawn(read_file, &fd);
    until_queued(1);
    CHECK(bg_fd_close(fd) == 0);
    CHECK(dup2(low, fd) == fd);
    latch_open(&busy);
    CHECK(bg_await(t) == -EBADF);
    CHECK(bg_await(blocker) == 0);
    CHECK(bg_read(fd, &(char){0}, 1) == 1);
    CHECK(bg_fd_close(fd) == 0 && bg_fd_close(low) == 0);
    return 0;
}

Test(fd, a_file_that_is_closed_before_its_call_begins)
{
    RUN(main_file, NULL, .workers = 2, .blocking_threads = 1);
    NO_CHECK_FAILED();
}
