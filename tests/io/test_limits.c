/*
 * What the system refuses: descriptors, above all. Each refusal is an error of the call that met
 * it; nothing leaks, and all works when there is room again.
 *
 * Labels: drivers
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "descriptors.h"
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void limit_to(rlim_t n)
{
    struct rlimit l;
    cr_expect_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
    l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
    cr_expect_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
}

/* No more than are open now. */
static void allow_no_more(void)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_expect_geq(next, 0);
    (void)close(next);
    limit_to((rlim_t)next);
}

/* ---- the port of a worker ---- */

static int no_port(void *arg)
{
    int tube[2];
    char c;
    (void)arg;
    cr_expect_eq(pipe2(tube, O_CLOEXEC), 0);
    allow_no_more();
    int r = (int)bg_read(tube[0], &c, 1);
    cr_expect_eq(r, -EMFILE);
    r = bg_poll(tube[0], POLLIN);
    cr_expect_eq(r, -EMFILE);
    limit_to(1024);
    bg_timeout (BG_MS) {
        r = (int)bg_read(tube[0], &c, 1);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    cr_expect_eq(bg_write(tube[1], "a", 1), 1);
    cr_expect_eq(bg_read(tube[0], &c, 1), 1);
    cr_expect_eq(bg_fd_close(tube[0]), 0);
    return bg_fd_close(tube[1]);
}

Test(limits, a_port_that_cannot_be_had)
{
    int before = open_descriptors();
    cr_assert_eq(bg_run(no_port, NULL, .workers = 1), 0);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- a worker that cannot have one while another has ---- */

enum { READERS = 8 };

static int pairs[READERS][2];

static int read_a_byte(void *arg)
{
    char c;
    int r = (int)bg_read(*(int *)arg, &c, 1);
    cr_expect_eq(r, 1, "%s", bg_strerror(r));
    return 0;
}

static int is_waited_for(int fd)
{
    bgi_io *io = bgi_task_runtime(bg_self())->io;
    bgi_fd *e = bgi_fd_find(&io->table, fd);
    return e != NULL && ((io->ops->perform != NULL && bgi_load_acquire(&e->port) != 0) ||
                         (bgi_load_acquire(&e->in.word) & BGI_WAITQ_QUEUED) != 0);
}

/* This worker has a port; the readers begin on the other, as this one does not go on before they
 * all wait. */
static int ports_of_others(void *arg)
{
    char c;
    int r = 0;
    (void)arg;
    for (int i = 0; i < READERS; i++) {
        cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs[i]), 0);
    }
    bg_timeout (BG_MS) {
        r = (int)bg_read(pairs[0][0], &c, 1);
    }
    cr_expect_eq(r, -ETIMEDOUT);
    allow_no_more();
    bg_group (g) {
        for (int i = 0; i < READERS; i++) {
            cr_expect_eq(bg_group_spawn(&g, read_a_byte, &pairs[i][0]), 0);
        }
        for (int i = 0; i < READERS; i++) {
            while (!is_waited_for(pairs[i][0])) {
            }
        }
        for (int i = 0; i < READERS; i++) {
            cr_expect_eq(bg_write(pairs[i][1], "w", 1), 1);
        }
    }
    limit_to(1024);
    for (int i = 0; i < READERS; i++) {
        cr_expect_eq(bg_fd_close(pairs[i][0]), 0);
        cr_expect_eq(bg_fd_close(pairs[i][1]), 0);
    }
    return 0;
}

Test(limits, a_worker_without_a_port_uses_that_of_another)
{
    int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(bg_run(ports_of_others, NULL, .workers = 2, .spares = BG_NO_SPARES), 0);
        cr_assert_eq(open_descriptors(), before);
    }
}

/* ---- accepting ---- */

static struct sockaddr_in address;

static int knock(void *arg)
{
    int fd = *(int *)arg;
    return bg_connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int no_descriptor(void *arg)
{
    socklen_t size = sizeof address;
    char c;
    (void)arg;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_expect_eq(bind(l, (struct sockaddr *)&address, size), 0);
    cr_expect_eq(listen(l, 10), 0);
    cr_expect_eq(getsockname(l, (struct sockaddr *)&address, &size), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bg_connect(fd, (struct sockaddr *)&address, size), 0);
    int first = bg_accept(l, NULL, NULL); /* what it takes is open now */
    cr_expect_geq(first, 0);
    int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_expect_eq(bg_await(bg_spawn(knock, &second)), 0);
    allow_no_more();
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(bg_accept(l, NULL, NULL), -EMFILE);
    }
    limit_to(1024);
    int third = bg_accept(l, NULL, NULL);
    cr_expect_geq(third, 0, "it has stayed in the queue");
    cr_expect_eq(bg_write(third, "k", 1), 1);
    cr_expect_eq(bg_read(second, &c, 1), 1);
    int all[] = {l, fd, first, second, third};
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(bg_fd_close(all[i]), 0);
    }
    return 0;
}

Test(limits, accept_without_a_descriptor)
{
    int before = open_descriptors();
    cr_assert_eq(bg_run(no_descriptor, NULL, .workers = 1), 0);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- nothing is left ---- */

static int come_and_go(void *arg)
{
    int pair[2], *rounds = arg;
    char c;
    for (int i = 0; i < *rounds; i++) {
        cr_expect_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        bg_timeout (i % 2 ? 50 * BG_US : BG_S) {
            if (i % 2) {
                cr_expect_eq(bg_read(pair[0], &c, 1), -ETIMEDOUT);
            } else {
                cr_expect_eq(bg_write(pair[1], "c", 1), 1);
                cr_expect_eq(bg_read(pair[0], &c, 1), 1);
            }
        }
        cr_expect_eq(bg_fd_close(pair[0]), 0);
        cr_expect_eq(bg_fd_close(pair[1]), 0);
    }
    return 0;
}

static int crowd(void *arg)
{
    bg_group (g) {
        for (int i = 0; i < 10; i++) {
            cr_expect_eq(bg_group_spawn(&g, come_and_go, arg), 0);
        }
    }
    return 0;
}

Test(limits, numbers_that_are_used_again_and_again)
{
    int before = open_descriptors(), rounds = 50;
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        cr_assert_eq(bg_run(crowd, &rounds, .workers = workers), 0);
        cr_assert_eq(open_descriptors(), before);
    }
}

/* ---- which driver ---- */

static int name_the_driver(void *arg)
{
    bg_stats stats = {.size = sizeof stats};
    cr_expect_eq(bg_runtime_stats(NULL, &stats), 0);
    cr_expect_str_eq(stats.io_driver, arg);
    return 0;
}

Test(limits, the_driver_can_be_chosen)
{
    cr_assert_eq(setenv("BRIGADE_IO", "epoll", 1), 0);
    cr_assert_eq(bg_run(name_the_driver, "epoll", .workers = 1), 0);
    cr_assert_eq(bg_run(name_the_driver, "epoll", .seed = 1), 0);
    cr_assert_eq(setenv("BRIGADE_IO", "kqueue", 1), 0);
    cr_assert_eq(bg_run(name_the_driver, "", .workers = 1), -EINVAL);
    cr_assert_eq(setenv("BRIGADE_IO", "uring", 1), 0);
    int r = bg_run(name_the_driver, "io_uring", .workers = 1);
    cr_assert(r == 0 || r == -ENOSYS);
}
