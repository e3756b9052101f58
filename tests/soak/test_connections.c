/*
 * Connections that come and go, for minutes: neither descriptors nor memory grow.
 *
 * Labels: soak
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "descriptors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 50, WARM_UP = 10, ROUNDS = 100, EACH = 20 };

/* KiB; 0: the system does not say. */
static long resident(void)
{
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL && fscanf(f, "%ld %ld", &size, &pages) != 2) {
        pages = 0;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static char port[8];

static int echo(int fd, void *arg)
{
    char buffer[256];
    ssize_t n;
    (void)arg;
    while ((n = bg_read(fd, buffer, sizeof buffer)) > 0) {
        int r = bg_write_all(fd, buffer, (size_t)n, NULL);
        if (r != 0) {
            return 0; /* the peer has gone away, as some do */
        }
    }
    return 0;
}

static int serve(void *arg)
{
    return bg_serve(*(int *)arg, echo, NULL, .limit = CLIENTS, .drain = BG_S);
}

/* Some are polite, some go away in the middle, some are given up. */
static int come_and_go(void *arg)
{
    char text[100] = "hello", back[100];
    int *number = arg;
    for (int i = 0; i < EACH; i++) {
        int fd = bg_tcp_connect("127.0.0.1", port);
        cr_expect_geq(fd, 0, "%s", bg_strerror(fd));
        if (fd < 0) {
            return fd;
        }
        cr_expect_eq(bg_write_all(fd, text, sizeof text, NULL), 0);
        if ((*number + i) % 3 != 0) {
            cr_expect_eq(bg_read_all(fd, back, sizeof back, NULL), sizeof back);
            cr_expect_eq(memcmp(text, back, sizeof back), 0);
        }
        if ((*number + i) % 5 == 0) {
            int r = 0;
            bg_timeout (10 * BG_US) {
                r = (int)bg_read_all(fd, back, sizeof back, NULL);
            }
            cr_expect(r == -ETIMEDOUT || r > 0);
        }
        cr_expect_eq(bg_fd_close(fd), 0);
    }
    return 0;
}

static int rounds(void *arg)
{
    int listener = bg_tcp_listen("127.0.0.1", "0", 128);
    bg_address at;
    int number[CLIENTS], fds = 0;
    long kib = 0;
    (void)arg;
    cr_expect_geq(listener, 0);
    cr_expect_eq(bg_local_address(listener, &at), 0);
    (void)snprintf(port, sizeof port, "%d", bg_address_port(&at));
    bg_task *server = bg_spawn(serve, &listener);
    for (int round = 0; round < WARM_UP + ROUNDS; round++) {
        bg_group (g) {
            for (int i = 0; i < CLIENTS; i++) {
                number[i] = i;
                cr_expect_eq(bg_group_spawn(&g, come_and_go, &number[i]), 0);
            }
        }
        if (round == WARM_UP) {
            bg_sleep(100 * BG_MS); /* the server closes its ends */
            fds = open_descriptors();
            kib = resident();
        }
    }
    bg_sleep(100 * BG_MS);
    cr_expect_leq(open_descriptors(), fds + CLIENTS);
    cr_expect_leq(resident(), kib + 4096, "%ld KiB were %ld", resident(), kib);
    cr_expect_eq(bg_fd_close(listener), 0);
    return bg_await(server);
}

static void for_minutes(const char *driver)
{
    int before = open_descriptors();
    cr_assert_eq(setenv("BRIGADE_IO", driver, 1), 0);
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        int r = bg_run(rounds, NULL, .workers = workers, .spares = BG_NO_SPARES);
        cr_assert(r == 0 || (r == -ENOSYS && strcmp(driver, "uring") == 0));
        cr_assert_eq(open_descriptors(), before);
    }
}

Test(connections, come_and_go_on_epoll)
{
    for_minutes("epoll");
}

Test(connections, come_and_go_on_io_uring)
{
    for_minutes("uring");
}
