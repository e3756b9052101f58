/*
 * sendfile, splice, poll: between all kinds of descriptors; descriptors that are not the library's
 * to change; plain threads; signals in the middle; a worker that computes while others wait for
 * descriptors.
 *
 * Labels: drivers
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SIZE = 300000 };

static char source[SIZE];

static void in_all_modes(bg_fn fn)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        cr_assert_eq(bg_run(fn, NULL, .workers = workers), 0);
    }
    for (uint64_t seed = 1; seed <= 3; seed++) {
        cr_assert_eq(bg_run(fn, NULL, .seed = seed), 0);
    }
}

/* A file without a name that holds `source`. */
static int filled_file(void)
{
    char name[] = "/tmp/brigade-transfer-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    cr_expect_geq(fd, 0);
    (void)unlink(name);
    for (int i = 0; i < SIZE; i++) {
        source[i] = (char)(i * 31 + i / 251);
    }
    size_t done = 0;
    int r = bg_write_all(fd, source, SIZE, &done);
    cr_expect_eq(r, 0, "%d after %zu", r, done);
    return fd;
}

static char received[SIZE];

/* Reads to the end, in odd pieces. */
static int drain(void *arg)
{
    int fd = *(int *)arg;
    size_t at = 0;
    ssize_t n;
    while (at < SIZE && (n = bg_read(fd, received + at, SIZE - at < 4099 ? SIZE - at : 4099)) > 0) {
        at += (size_t)n;
    }
    cr_expect_eq(at, SIZE);
    cr_expect_eq(memcmp(received, source, SIZE), 0);
    return 0;
}

static int send_a_file(void *arg)
{
    int pair[2];
    (void)arg;
    int file = filled_file();
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    memset(received, 0, SIZE);
    bg_task *t = bg_spawn(drain, &pair[1]);
    off_t at = 0;
    while (at < SIZE) {
        ssize_t n = bg_sendfile(pair[0], file, &at, (size_t)(SIZE - at));
        cr_expect_gt(n, 0, "%zd at %ld", n, (long)at);
        if (n <= 0) {
            break;
        }
    }
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    cr_expect_eq(bg_await(t), 0);
    cr_expect_eq(bg_fd_close(pair[1]), 0);
    return bg_fd_close(file);
}

Test(transfer, sendfile)
{
    in_all_modes(send_a_file);
}

struct way {
    int from, to;
};

static int splice_all(void *arg)
{
    struct way *w = arg;
    size_t at = 0;
    ssize_t n;
    while (at < SIZE && (n = bg_splice(w->from, NULL, w->to, NULL, SIZE - at, 0)) > 0) {
        at += (size_t)n;
    }
    cr_expect_eq(at, SIZE);
    return 0;
}

static int splice_through_pipes(void *arg)
{
    int in[2], out[2];
    (void)arg;
    int file = filled_file();
    cr_expect_eq(lseek(file, 0, SEEK_SET), 0);
    memset(received, 0, SIZE);
    cr_expect_eq(pipe2(in, O_CLOEXEC), 0);
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out), 0);
    struct way first = {file, in[1]}, second = {in[0], out[0]};
    bg_group (g) {
        cr_expect_eq(bg_group_spawn(&g, splice_all, &first), 0);
        cr_expect_eq(bg_group_spawn(&g, splice_all, &second), 0);
        cr_expect_eq(bg_group_spawn(&g, drain, &out[1]), 0);
    }
    int r = 1;
    bg_timeout (2 * BG_MS) {
        r = (int)bg_splice(in[0], NULL, out[0], NULL, 10, 0);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    cr_expect_eq(bg_splice(in[0], NULL, out[0], NULL, 10, SPLICE_F_NONBLOCK), -EAGAIN);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(bg_fd_close(in[i]), 0);
        cr_expect_eq(bg_fd_close(out[i]), 0);
    }
    return bg_fd_close(file);
}

Test(transfer, splice)
{
    in_all_modes(splice_through_pipes);
}

/* ---- other kinds ---- */

static int other_kinds(void *arg)
{
    uint64_t n = 0;
    char c;
    (void)arg;
    int e = eventfd(0, EFD_CLOEXEC), t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec in = {.it_value.tv_nsec = 1000000};
    cr_expect_eq(timerfd_settime(t, 0, &in, NULL), 0);
    cr_expect_eq(bg_read(t, &n, sizeof n), sizeof n);
    cr_expect_geq(n, 1);
    n = 5;
    cr_expect_eq(bg_write(e, &n, sizeof n), sizeof n);
    cr_expect_eq(bg_poll(e, POLLIN), POLLIN);
    cr_expect_eq(bg_read(e, &n, sizeof n), sizeof n);
    cr_expect_eq(n, 5);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    cr_expect_eq(bg_read(null, &c, 1), 0);
    cr_expect_eq(bg_write(null, "x", 1), 1);
    cr_expect_gt(bg_poll(null, POLLIN | POLLOUT), 0);
    cr_expect_eq(bg_pread(e, &c, 1, 0), -ESPIPE);
    cr_expect_eq(bg_fd_recv(null, &c, 1, 0), -ENOTSOCK);
    cr_expect_eq(bg_poll(null, 0), -EINVAL);
    cr_expect_eq(bg_read(-1, &c, 1), -EBADF);
    cr_expect_eq(bg_poll(-1, POLLIN), -EBADF);
    cr_expect_eq(bg_readv(null, NULL, -1), -EINVAL);
    cr_expect_eq(bg_fd_close(null), 0);
    cr_expect_eq(bg_fd_close(t), 0);
    return bg_fd_close(e);
}

Test(transfer, timers_counters_and_null)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        cr_assert_eq(bg_run(other_kinds, NULL, .workers = workers), 0);
    }
}

/* ---- what is shared with other processes ---- */

static int talk_on_standard_output(void *arg)
{
    (void)arg;
    bg_task *t = bg_spawn(drain, &(int){0});
    cr_expect_eq(bg_write_all(1, source, SIZE, NULL), 0);
    cr_expect_eq(bg_await(t), 0);
    cr_expect_eq(fcntl(0, F_GETFL) & O_NONBLOCK, 0, "as it was");
    cr_expect_eq(fcntl(1, F_GETFL) & O_NONBLOCK, 0, "as it was");
    return 0;
}

Test(transfer, standard_descriptors_stay_as_they_are)
{
    int tube[2], keep[2] = {dup(0), dup(1)};
    cr_assert_eq(bg_fd_close(filled_file()), 0);
    cr_assert_eq(pipe2(tube, O_CLOEXEC), 0);
    cr_assert_eq(dup2(tube[0], 0), 0);
    cr_assert_eq(dup2(tube[1], 1), 1);
    int r = bg_run(talk_on_standard_output, NULL, .workers = 2);
    (void)dup2(keep[0], 0);
    (void)dup2(keep[1], 1);
    cr_assert_eq(r, 0);
}

/* ---- plain threads ---- */

static void *talk_in_a_thread(void *arg)
{
    int fd = *(int *)arg;
    char c = 0;
    cr_expect_eq(bg_read(fd, &c, 1), 1);
    cr_expect_eq(c, 'p');
    cr_expect_eq(bg_poll(fd, POLLOUT), POLLOUT);
    cr_expect_eq(bg_write(fd, "q", 1), 1);
    cr_expect_eq(bg_fd_recv(fd, &c, 1, MSG_DONTWAIT), -EAGAIN);
    return NULL;
}

static int talk_with_a_thread(void *arg)
{
    int pair[2];
    char c = 0;
    pthread_t t;
    (void)arg;
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    cr_expect_eq(pthread_create(&t, NULL, talk_in_a_thread, &pair[1]), 0);
    cr_expect_eq(bg_write(pair[0], "p", 1), 1);
    cr_expect_eq(bg_read(pair[0], &c, 1), 1);
    cr_expect_eq(c, 'q');
    cr_expect_eq(pthread_join(t, NULL), 0);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    return bg_fd_close(pair[1]);
}

Test(transfer, plain_threads_make_the_same_calls)
{
    cr_assert_eq(bg_run(talk_with_a_thread, NULL, .workers = 1), 0);
    cr_assert_eq(bg_run(talk_with_a_thread, NULL, .workers = 2), 0);
}

/* ---- signals in the middle ---- */

static bgi_atomic signals; /* threads of the test get some, too */

static void count_signal(int s)
{
    (void)s;
    (void)bgi_fetch_add(&signals, 1);
}

/* A storm of signals on the one thread there is. */
static int in_a_storm(void *arg)
{
    struct itimerval each = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    cr_expect_eq(setitimer(ITIMER_REAL, &each, NULL), 0);
    while (bgi_load(&signals) < 20) {
        cr_expect_eq(((bg_fn)(uintptr_t)arg)(NULL), 0);
    }
    cr_expect_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    return 0;
}

Test(transfer, signals_interrupt_nothing)
{
    struct sigaction count = {.sa_handler = count_signal}; /* without SA_RESTART */
    cr_assert_eq(sigaction(SIGALRM, &count, NULL), 0);
    bg_fn all[] = {send_a_file, splice_through_pipes, talk_with_a_thread};
    for (int i = 0; i < 3; i++) {
        bgi_store(&signals, 0);
        cr_assert_eq(bg_run(in_a_storm, (void *)(uintptr_t)all[i], .workers = 1), 0);
    }
}

/* ---- a worker that computes ---- */

static bgi_atomic rounds_done;

/* Computes until the others have had all their rounds: they have to, while it does. */
static int hog(void *arg)
{
    (void)arg;
    while (bgi_load_acquire(&rounds_done) == 0) {
    }
    return 0;
}

static int answer(void *arg)
{
    int fd = *(int *)arg;
    char c;
    while (bg_read(fd, &c, 1) == 1) {
        cr_expect_eq(bg_write(fd, &c, 1), 1);
    }
    return 0;
}

static void *ask(void *arg)
{
    int fd = *(int *)arg;
    for (int i = 0; i < 20; i++) {
        char c = (char)i;
        cr_expect_eq(write(fd, &c, 1), 1);
        c = 99;
        cr_expect_eq(read(fd, &c, 1), 1);
        cr_expect_eq(c, i);
    }
    bgi_store_release(&rounds_done, 1);
    (void)shutdown(fd, SHUT_WR);
    return NULL;
}

static int with_hogs(void *arg)
{
    int pair[2], hogs = *(int *)arg;
    pthread_t t;
    bgi_store(&rounds_done, 0);
    cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    bg_group (g) {
        cr_expect_eq(bg_group_spawn(&g, answer, &pair[0]), 0);
        until_somebody_waits(pair[0]);
        for (int i = 0; i < hogs; i++) {
            cr_expect_eq(bg_group_spawn(&g, hog, NULL), 0);
        }
        cr_expect_eq(pthread_create(&t, NULL, ask, &pair[1]), 0);
    }
    cr_expect_eq(pthread_join(t, NULL), 0);
    cr_expect_eq(bg_fd_close(pair[0]), 0);
    return bg_fd_close(pair[1]);
}

Test(transfer, who_computes_does_not_keep_others_from_their_descriptors)
{
    for (int hogs = 1; hogs <= 4; hogs *= 2) {
        cr_assert_eq(bg_run(with_hogs, &hogs, .workers = 1), 0);
        cr_assert_eq(bg_run(with_hogs, &hogs, .workers = 2), 0);
    }
}
