/*
 * Closed loop: each connection has one request under way. A reply is compared with what was sent.
 * Also the connections that do nothing, and the stamps that are sent each millisecond.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

typedef struct {
    int fd;
    unsigned got;
    int64_t sent;
    uint64_t number;
    char reply[IO_MESSAGE];
} connection;

static void fill(char message[IO_MESSAGE], uint64_t number)
{
    memset(message, (int)(number & 127), IO_MESSAGE);
    memcpy(message, &number, sizeof number);
}

static int send_request(connection *c, int64_t now)
{
    char message[IO_MESSAGE];
    fill(message, ++c->number);
    c->got = 0;
    c->sent = now;
    return send(c->fd, message, sizeof message, MSG_NOSIGNAL) == IO_MESSAGE ? 0 : -1;
}

/* 1: the reply is there; 0: not all of it; -1: failed. */
static int take_reply(connection *c)
{
    char want[IO_MESSAGE];
    ssize_t n = recv(c->fd, c->reply + c->got, IO_MESSAGE - c->got, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    c->got += (unsigned)n;
    if (c->got < IO_MESSAGE)
        return 0;
    fill(want, c->number);
    return memcmp(want, c->reply, sizeof want) ? -1 : 1;
}

static int open_all(const io_server *s, connection *c, size_t n, int poller)
{
    for (size_t i = 0; i < n; i++) {
        c[i].fd = io_connect(s);
        c[i].number = i << 32;
        struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = i};
        if (c[i].fd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, c[i].fd, &e))
            return -1;
    }
    return 0;
}

/* Until the time is up; the latencies and CPU time of what comes after from. */
static int load(const io_server *s, connection *c, int poller, int64_t from, int64_t until,
                io_latencies *l, double *cpu, int64_t *took)
{
    static struct epoll_event events[1024];
    int counts = 0;
    int64_t began = 0, now = bm_now();
    while (now < until) {
        int n = epoll_wait(poller, events, 1024, 1000);
        now = bm_now();
        if (n == 0 && now < until)
            return bm_fail("no reply for a second");
        if (!counts && now >= from) {
            counts = 1;
            began = now;
            *cpu = io_server_cpu(s);
        }
        for (int i = 0; i < n; i++) {
            connection *k = &c[events[i].data.u64];
            int rc = take_reply(k);
            if (rc < 0)
                return bm_fail("a reply is wrong, or a connection broke");
            if (rc == 0)
                continue;
            now = bm_now();
            if (counts)
                io_latency_add(l, now - k->sent);
            if (send_request(k, now))
                return bm_fail("a connection broke");
        }
    }
    *cpu = io_server_cpu(s) - *cpu;
    *took = now - began;
    return 0;
}

int io_echo(const io_job *job)
{
    static io_latencies l;
    size_t n = (size_t)io_arg(job, "conns", 100);
    int64_t length = io_arg(job, "count", 1000) * BM_MS, took = 0;
    double cpu = 0;
    io_server s;
    int rc = io_serve(job, &s, "echo");
    if (rc)
        return rc == 2 ? bm_cannot("no such server") : BM_FAILED;
    io_take_cpu_of_load();
    connection *c = bm_touched(n, sizeof *c);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    rc = open_all(&s, c, n, poller) ? BM_FAILED : 0;
    int64_t start = bm_now();
    for (size_t i = 0; i < n && !rc; i++)
        rc = send_request(&c[i], bm_now()) ? bm_fail("a connection broke") : 0;
    if (!rc)
        rc = load(&s, c, poller, start + length / 5, start + length, &l, &cpu, &took);
    io_stop(&s);
    if (rc || !l.count || took <= 0)
        return rc ? rc : bm_fail("no reply in that time");
    double done = (double)l.count;
    bm_metric("request", (double)took / 1e3 / done, "us");
    bm_metric("per_s", done * 1e9 / (double)took, "/s");
    bm_metric("cpu", cpu / 1e3 / done, "us");
    io_print_latencies(&l);
    return BM_OK;
}

static int echo_once(connection *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    int rc = send_request(c, 0);
    while (!rc && poll(&p, 1, 10000) > 0)
        if ((rc = take_reply(c)))
            return rc > 0 ? 0 : -1;
    return -1;
}

int io_idle(const io_job *job)
{
    size_t n = (size_t)io_arg(job, "count", 10000), few = 16;
    io_server s;
    int rc = io_serve(job, &s, "echo");
    if (rc)
        return rc == 2 ? bm_cannot("no such server") : BM_FAILED;
    io_take_cpu_of_load();
    connection *c = bm_touched(n + few, sizeof *c);
    double before = 0;
    for (size_t i = 0; i < n + few && !rc; i++) {
        if (i == few) /* what the server needs for any connection at all is there */
            before = io_server_memory(&s);
        c[i].fd = io_connect(&s);
        rc = c[i].fd < 0 || echo_once(&c[i]) ? bm_fail("a connection failed") : 0;
    }
    double after = io_server_memory(&s);
    io_stop(&s);
    if (rc)
        return rc;
    bm_metric("each_kib", (after - before) / 1024 / (double)n, "KiB");
    bm_metric("all_mb", after / 1e6, "MB");
    return BM_OK;
}

/*
 * A stamp each millisecond, whether the last has been answered or not; the server sends back how
 * old it was (in ns, the clock is the same), so that the way back does not count.
 */
int io_late(const io_job *job)
{
    static io_latencies l;
    int64_t length = io_arg(job, "count", 2000) * BM_MS;
    io_server s;
    int rc = io_serve(job, &s, "late");
    if (rc)
        return rc == 2 ? bm_cannot("no such server") : BM_FAILED;
    int fd = io_connect(&s);
    if (fd < 0) {
        io_stop(&s);
        return BM_FAILED;
    }
    uint64_t sent = 0;
    int64_t start = bm_now(), at = start;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!rc && (at < start + length || l.count < sent)) {
        int64_t now = bm_now(), age;
        if (at < start + length && now >= at) {
            if (send(fd, &now, sizeof now, MSG_NOSIGNAL) != sizeof now)
                rc = bm_fail("a connection broke");
            sent++;
            at += BM_MS;
            if (at < now)
                at = now; /* this process was not run for a while: not all at once */
        } else if (at < start + length) {
            struct timespec rest = {0, (long)(at - now)};
            (void)ppoll(&p, 1, &rest, NULL);
        } else if (poll(&p, 1, 5000) <= 0) {
            rc = bm_fail("no answer for five seconds");
        }
        ssize_t n;
        while (!rc && (n = recv(fd, &age, sizeof age, MSG_DONTWAIT)) != 0) {
            if (n < 0 && errno == EAGAIN)
                break;
            if (n != sizeof age)
                rc = bm_fail("an answer is too short");
            else
                io_latency_add(&l, age);
        }
    }
    io_stop(&s);
    if (rc)
        return rc;
    io_print_latencies(&l);
    return BM_OK;
}
