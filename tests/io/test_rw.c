/*
 * Reading and writing: pipes, sockets and files; what waits, in which order it is served, what ends
 * a wait, and that nothing is lost.
 *
 * Labels: drivers valgrind
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int pair[2];

static int echo(void *arg)
{
    char text[64];
    ssize_t n;
    (void)arg;
    while ((n = bg_read(pair[1], text, sizeof text)) > 0) {
        int r = bg_write_all(pair[1], text, (size_t)n, NULL);
        if (r < 0) {
            return r;
        }
    }
    return (int)n;
}

static int talk(void *arg)
{
    int rounds = *(int *)arg;
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    bg_task *t = bg_spawn(echo, NULL);
    for (int i = 0; i < rounds; i++) {
        int got = -1;
        cr_expect_eq(bg_write(pair[0], &i, sizeof i), sizeof i);
        cr_expect_eq(bg_read_all(pair[0], &got, sizeof got, NULL), sizeof got);
        cr_expect_eq(got, i);
    }
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    cr_expect_eq(bg_await(t), 0);
    cr_expect_eq(bg_fd_close(pair[1]), 0);
    return 0;
}

Test(rw, an_echo_over_a_socket)
{
    int rounds = 1000;
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        cr_assert_eq(bg_run(talk, &rounds, .workers = workers), 0);
    }
    for (uint64_t seed = 1; seed < 20; seed++) {
        rounds = 20;
        cr_assert_eq(bg_run(talk, &rounds, .seed = seed), 0);
    }
}

static int closed_under_it(void *arg)
{
    char c;
    (void)arg;
    return (int)bg_read(pair[0], &c, 1);
}

static int close_it(void *arg)
{
    (void)arg;
    cr_expect_eq(pipe2(pair, O_CLOEXEC), 0);
    bg_task *t = bg_spawn(closed_under_it, NULL);
    until_somebody_waits(pair[0]);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    int r = bg_await(t);
    cr_expect_eq(r, -EBADF);
    cr_expect_eq(bg_fd_close(-1), -EBADF);
    cr_expect_eq(bg_write(pair[1], "", 1), -EPIPE);
    cr_expect_eq(bg_fd_close(pair[1]), 0);
    return 0;
}

Test(rw, a_close_ends_the_wait)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        for (int i = 0; i < 100; i++) {
            cr_assert_eq(bg_run(close_it, NULL, .workers = workers), 0);
        }
    }
    for (uint64_t seed = 1; seed < 50; seed++) {
        cr_assert_eq(bg_run(close_it, NULL, .seed = seed), 0);
    }
}

static int time_out(void *arg)
{
    char text[8];
    (void)arg;
    cr_expect_eq(pipe2(pair, O_CLOEXEC), 0);
    ssize_t r = 1;
    bg_timeout (2 * BG_MS) {
        r = bg_read(pair[0], text, sizeof text);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    bg_timeout (2 * BG_MS) {
        r = bg_poll(pair[0], POLLIN);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    cr_expect_eq(bg_poll(pair[1], POLLOUT | POLLIN), POLLOUT);
    cr_expect_eq(bg_write(pair[1], "abc", 3), 3);
    cr_expect_eq(bg_poll(pair[0], POLLIN), POLLIN);
    cr_expect_eq(bg_read(pair[0], text, sizeof text), 3);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    cr_expect_eq(bg_fd_close(pair[1]), 0);
    return 0;
}

Test(rw, a_deadline_ends_the_wait)
{
    cr_assert_eq(bg_run(time_out, NULL, .workers = 1), 0);
    cr_assert_eq(bg_run(time_out, NULL, .workers = 2), 0);
    cr_assert_eq(bg_run(time_out, NULL, .seed = 5), 0);
}

/* ---- what comes from outside ---- */

static int from_outside(void *arg)
{
    struct itimerspec in = {.it_value.tv_nsec = 1000000};
    uint64_t n = 0;
    (void)arg;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    cr_expect_eq(timerfd_settime(fd, 0, &in, NULL), 0);
    cr_expect_eq(bg_read(fd, &n, sizeof n), sizeof n);
    cr_expect_eq(n, 1);
    return bg_fd_close(fd);
}

/* No timer is set: the process waits, though time is virtual. */
Test(rw, the_deterministic_mode_waits_for_what_is_real)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        cr_assert_eq(bg_run(from_outside, NULL, .seed = seed), 0);
    }
}

static int wait_for_nothing(void *arg)
{
    char c;
    (void)arg;
    cr_expect_eq(pipe2(pair, O_CLOEXEC), 0);
    int r = (int)bg_read(pair[0], &c, 1);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    cr_expect_eq(bg_fd_close(pair[1]), 0);
    return r;
}

/* The one who waits is the one who would have to write, but the library cannot know that. */
static int wait_in_time(void *arg)
{
    int r = 0;
    bg_timeout (BG_MS) {
        r = wait_for_nothing(arg);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    return 0;
}

Test(rw, virtual_time_passes_when_nothing_is_ready)
{
    cr_assert_eq(bg_run(wait_in_time, NULL, .seed = 5), 0);
}

/* ---- who waits by yields ---- */

static int has_read;

static int read_one(void *arg)
{
    char c;
    (void)arg;
    has_read = (int)bg_read(pair[0], &c, 1);
    return 0;
}

static int yield_until_read(void *arg)
{
    (void)arg;
    has_read = 0;
    cr_expect_eq(pipe2(pair, O_CLOEXEC), 0);
    bg_task *t = bg_spawn(read_one, NULL);
    until_somebody_waits(pair[0]);
    cr_expect_eq(bg_write(pair[1], "a", 1), 1);
    while (!has_read) {
        bg_yield();
    }
    cr_expect_eq(bg_await(t), 0);
    cr_expect_eq(has_read, 1);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    return bg_fd_close(pair[1]);
}

Test(rw, who_yields_lets_others_read)
{
    cr_assert_eq(bg_run(yield_until_read, NULL, .workers = 1, .spares = BG_NO_SPARES), 0);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        cr_assert_eq(bg_run(yield_until_read, NULL, .seed = seed), 0);
    }
}

static int use_a_file(void *arg)
{
    char name[] = "/tmp/brigade-rw-XXXXXX", text[16] = "";
    (void)arg;
    int fd = mkstemp(name);
    cr_expect_geq(fd, 0);
    (void)unlink(name);
    cr_expect_eq(bg_write(fd, "hello", 5), 5);
    cr_expect_eq(bg_pwrite(fd, "J", 1, 0), 1);
    cr_expect_eq(bg_pread(fd, text, sizeof text, 0), 5);
    cr_expect_str_eq(text, "Jello");
    cr_expect_eq(bg_poll(fd, POLLIN), POLLIN);
    cr_expect_eq(bg_fd_close(fd), 0);
    return 0;
}

Test(rw, a_file)
{
    cr_assert_eq(bg_run(use_a_file, NULL, .workers = 2), 0);
    cr_assert_eq(bg_run(use_a_file, NULL, .seed = 7), 0);
    cr_assert_eq(use_a_file(NULL), 0);
}
