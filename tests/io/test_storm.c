/*
 * Tasks that read, write and poll whatever numbers they find, while these are closed and given out
 * again under them: nobody hangs, and nobody is told anything but that it is closed. (Sockets only:
 * a call on a number that stands for another pipe by now may block the thread.)
 *
 * Labels: drivers
 */
#include "../task/check.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOTS = 5, TASKS = 12, STEPS = 100 };
enum { HIGH = 600 }; /* no number from there on is a worker's */

static bgi_atomic slot[SLOTS][2]; /* the ends of a pair of sockets: 1 + the number; 0: none */
static bgi_atomic finished;

static unsigned draw(uint32_t *random, unsigned below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 16) % below;
}

/* What was there is closed. */
static void put(bgi_atomic *at, bgi_word number)
{
    bgi_word before = bgi_load(at);
    while (!bgi_cas(at, before, number)) {
        before = bgi_load(at);
    }
    if (before != 0) {
        CHECK(bg_fd_close((int)before - 1) == 0);
    }
}

static void renew(bgi_atomic *ends, int type)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) == 0);
    for (int i = 0; i < 2; i++) {
        int high = fcntl(pair[i], F_DUPFD_CLOEXEC, HIGH);
        CHECK(high >= HIGH && close(pair[i]) == 0);
        put(&ends[i], (bgi_word)high + 1);
    }
}

static int is_usual(ssize_t r)
{
    return r >= 0 || r == -EBADF || r == -EPIPE || r == -ECONNRESET || r == -ECONNREFUSED ||
           r == -ENOTCONN;
}

static void step(uint32_t *random)
{
    char data[16] = "0123456789abcde";
    bgi_atomic *ends = slot[draw(random, SLOTS)];
    int fd = (int)bgi_load(&ends[draw(random, 2)]) - 1;
    ssize_t r = 0;
    switch (draw(random, 8)) {
    case 0:
    case 1:
        r = bg_read(fd, data, sizeof data);
        break;
    case 2:
    case 3:
    case 4:
        r = bg_write(fd, data, sizeof data);
        break;
    case 5:
        r = bg_poll(fd, POLLIN);
        break;
    case 6:
        bg_timeout (100 * BG_US) {
            r = bg_read(fd, data, sizeof data);
        }
        r = r == -ETIMEDOUT && bg_timed_out() ? 0 : r;
        break;
    default:
        renew(ends, draw(random, 2) == 0 ? SOCK_STREAM : SOCK_DGRAM);
        break;
    }
    CHECK(is_usual(r));
}

static int storm(void *arg)
{
    uint32_t random = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < STEPS; i++) {
        step(&random);
    }
    add_one(&finished);
    return 0;
}

/* Renews all the time, so that every wait comes to its end. */
static int main_storm(void *arg)
{
    bg_task *t[TASKS];
    uint32_t random = (uint32_t)(uintptr_t)arg;
    bgi_store(&finished, 0);
    for (int i = 0; i < SLOTS; i++) {
        renew(slot[i], SOCK_STREAM);
    }
    for (int i = 0; i < TASKS; i++) {
        t[i] = bg_spawn(storm, INT_ARG((int)draw(&random, 1 << 15)));
    }
    while (bgi_load_acquire(&finished) < TASKS) {
        renew(slot[draw(&random, SLOTS)], SOCK_STREAM);
        CHECK(bg_sleep(20 * BG_US) == 0);
    }
    CHECK(bg_gather_all(t, TASKS, NULL) == 0);
    for (int i = 0; i < SLOTS; i++) {
        put(&slot[i][0], 0);
        put(&slot[i][1], 0);
    }
    return 0;
}

Test(storm, numbers_that_change_under_their_users)
{
    int before = open_descriptors();
#if !BGI_TSAN /* which reports the use of a number that is just being closed: what this is about   \
               */
    EACH_WORKER_COUNT(w)
    {
        for (int i = 1; i <= 5; i++) {
            RUN(main_storm, INT_ARG(i), .workers = w);
        }
    }
#endif
    for (uint64_t seed = 1; seed <= 5; seed++) {
        RUN(main_storm, INT_ARG(7), .seed = seed);
    }
    cr_assert_eq(open_descriptors(), before);
}
