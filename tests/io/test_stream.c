/*
 * Streams: pieces of every kind, limits, back-pressure, half-close, transfers of single bytes, and
 * that no wait that is cut short, no failure and no lack of memory loses anything.
 *
 * Labels: valgrind drivers
 */
#include "../task/child.h"
#include "net.h"
#include "waits.h"

#include <poll.h>

static void pair(int fd[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
}

/* A stream, and the bare other end. */
static bg_stream *stream_to(int *other)
{
    int fd[2];
    bg_stream *s = NULL;
    pair(fd);
    CHECK(bg_stream_open(&s, fd[0], .read_buffer = 16, .line_limit = 32) == 0);
    CHECK(bg_stream_fd(s) == fd[0]);
    *other = fd[1];
    return s;
}

static void put(int fd, const char *text)
{
    CHECK(bg_write_all(fd, text, strlen(text), NULL) == 0);
}

static int got(int fd, const char *text)
{
    char b[256];
    size_t n = strlen(text);
    return bg_read_all(fd, b, n, NULL) == (ssize_t)n && memcmp(b, text, n) == 0;
}

/* ---- reading ---- */

static int main_pieces(void *arg)
{
    char b[64], *at = NULL;
    size_t n = 0;
    int other;
    bg_stream *s = stream_to(&other);
    (void)arg;
    put(other, "abcdefone\ntwo\r\n\n::x::rest");
    CHECK(bg_stream_read(s, b, 2) == 2 && memcmp(b, "ab", 2) == 0);
    CHECK(bg_stream_buffered(s) == 14);
    CHECK(bg_stream_read(s, b, 0) == 0);
    CHECK(bg_stream_read_exactly(s, b, 0) == 0);
    CHECK(bg_stream_read_exactly(s, b, 4) == 0 && memcmp(b, "cdef", 4) == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 3 && strcmp(at, "one") == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 3 && strcmp(at, "two") == 0);
    CHECK(bg_stream_read_line(s, &at, NULL) == 1 && strcmp(at, "") == 0);
    CHECK(bg_stream_read_until(s, "::", 2, &at) == 2 && memcmp(at, "::", 2) == 0);
    CHECK(bg_stream_read_until(s, "::", 2, &at) == 3 && memcmp(at, "x::", 3) == 0);
    CHECK(bg_stream_read_until(s, "", 0, &at) == -EINVAL);
    CHECK(bg_stream_read_until(s, b, 33, &at) == -EINVAL);
    CHECK(bg_fd_close(other) == 0);
    CHECK(!bg_stream_at_eof(s));
    CHECK(bg_stream_read_exactly(s, b, 5) == -ENODATA);
    CHECK(bg_stream_read_until(s, "::", 2, &at) == -ENODATA);
    CHECK(!bg_stream_at_eof(s));
    CHECK(bg_stream_read(s, b, sizeof b) == 4 && memcmp(b, "rest", 4) == 0);
    CHECK(bg_stream_at_eof(s));
    CHECK(bg_stream_read(s, b, sizeof b) == 0);
    CHECK(bg_stream_read(s, b, 1) == 0);
    CHECK(bg_stream_read_exactly(s, b, 1) == -ENODATA);
    CHECK(bg_stream_read_line(s, &at, &n) == 0);
    CHECK(bg_stream_close(s) == 0);
    return 0;
}

Test(stream, pieces_of_every_kind)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_pieces, NULL, .workers = w);
    }
    RUN(main_pieces, NULL, .seed = 2);
    cr_assert_eq(main_pieces(NULL), 0); /* on a plain thread */
    NO_CHECK_FAILED();
    cr_assert_eq(open_descriptors(), before);
}

static int main_last_line(void *arg)
{
    char *at = NULL;
    size_t n = 0;
    int other;
    bg_stream *s = stream_to(&other);
    (void)arg;
    put(other, "0123456789abcdef"); /* as much as is read ahead */
    CHECK(bg_fd_close(other) == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 16 && strcmp(at, "0123456789abcdef") == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 0);
    CHECK(bg_stream_close(s) == 0);
    s = stream_to(&other);
    put(other, "\r");
    CHECK(bg_fd_close(other) == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 1 && at[0] == '\r');
    CHECK(bg_stream_close(s) == 0);
    return 0;
}

Test(stream, a_last_line_without_an_end)
{
    RUN(main_last_line, NULL, .workers = 1);
}

static int main_limit(void *arg)
{
    char b[64], *at = NULL;
    size_t n = 0;
    int other;
    bg_stream *s = stream_to(&other);
    (void)arg;
    put(other, "0123456789012345678901234567890\n"); /* 32 with its end: just within it */
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 31);
    put(other, "01234567890123456789012345678901\nnext\n");
    CHECK(bg_stream_read_line(s, &at, &n) == -EMSGSIZE);
    CHECK(bg_stream_read_line(s, &at, &n) == -EMSGSIZE);
    CHECK(bg_stream_read_until(s, "\n", 1, &at) == -EMSGSIZE);
    CHECK(bg_stream_read(s, b, 2) == 2 && memcmp(b, "01", 2) == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && n == 30 && at[0] == '2');
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && strcmp(at, "next") == 0);
    /* Longer than all of the buffer, with the delimiter cut by it. */
    put(other, "0123456789012345678901234567890123456789abcd--E");
    CHECK(bg_stream_read_until(s, "--E", 3, &at) == -EMSGSIZE);
    put(other, "ND-ok\n");
    CHECK(bg_stream_skip_until(s, "-END-", 5) == 0);
    CHECK(bg_stream_read_line(s, &at, &n) == 1 && strcmp(at, "ok") == 0);
    put(other, "nothing of the kind");
    CHECK(shutdown(other, SHUT_WR) == 0);
    CHECK(bg_stream_skip_until(s, "-END-", 5) == -ENODATA);
    CHECK(bg_stream_skip_until(s, "", 0) == -EINVAL);
    CHECK(bg_fd_close(other) == 0);
    CHECK(bg_stream_close(s) == 0);
    return 0;
}

Test(stream, too_long_a_line_and_what_comes_after_it)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_limit, NULL, .workers = w);
    }
}

/* ---- cut short ---- */

struct cut {
    bg_stream *s;
    int how;
};

static int read_somehow(void *arg)
{
    struct cut *c = arg;
    char b[64], *at;
    switch (c->how) {
    case 0:
        return bg_stream_read_exactly(c->s, b, 40);
    case 1:
        return (int)bg_stream_read_until(c->s, "zz", 2, &at);
    case 2:
        return bg_stream_read_line(c->s, &at, NULL);
    default:
        return (int)bg_stream_read(c->s, b, sizeof b);
    }
}

static int main_cut(void *arg)
{
    int cancelled = arg == NULL;
    for (int how = 0; how < 4; how++) {
        char b[64];
        int other, r = 0;
        struct cut c = {stream_to(&other), how};
        if (how < 3) {
            put(other, "a part");
        }
        if (cancelled) {
            bg_task *t = bg_spawn(read_somehow, &c);
            if (how < 3) { /* it has read the part, and waits for more */
                while (bg_poll(bg_stream_fd(c.s), POLLOUT) > 0 &&
                       recv(bg_stream_fd(c.s), b, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
                    bg_yield();
                }
            }
            until_somebody_waits(bg_stream_fd(c.s));
            CHECK(bg_cancel(t) == 0);
            r = bg_await(t);
            CHECK(r == -ECANCELED);
        } else {
            bg_timeout (2 * BG_MS) {
                r = read_somehow(&c);
            }
            CHECK(r == -ETIMEDOUT);
        }
        put(other, how < 3 ? " and more" : "a part and more");
        CHECK(bg_stream_read_exactly(c.s, b, 15) == 0 && memcmp(b, "a part and more", 15) == 0);
        CHECK(bg_stream_close(c.s) == 0);
        CHECK(bg_fd_close(other) == 0);
    }
    return 0;
}

Test(stream, a_read_that_is_cut_short_loses_nothing)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cut, NULL, .workers = w);
        RUN(main_cut, INT_ARG(1), .workers = w);
    }
}

/* What a task writes until it is stopped. */
enum { BLOCK = 1000 };
struct writer {
    bg_stream *s;
    int blocks; /* that were taken */
    bg_duration limit;
    int result;
    size_t filler; /* bytes that went ahead */
};

static void block_of(char b[BLOCK], int i)
{
    for (int k = 0; k < BLOCK; k++) {
        b[k] = (char)(i * 7 + k);
    }
}

static int write_until_stopped(void *arg)
{
    struct writer *w = arg;
    char b[BLOCK];
    int r = 0;
    while (r == 0) {
        block_of(b, w->blocks);
        r = bg_stream_write(w->s, b, BLOCK);
        w->blocks += r == 0;
    }
    return r;
}

static int read_blocks(void *arg)
{
    struct writer *w = arg;
    int fd = w->result;
    char b[BLOCK], want[BLOCK];
    for (size_t i = 0; i < w->filler; i++) {
        CHECK(bg_read(fd, b, 1) == 1 && b[0] == 'f');
    }
    for (int i = 0; i < w->blocks; i++) {
        block_of(want, i);
        CHECK(bg_read_all(fd, b, BLOCK, NULL) == BLOCK && memcmp(b, want, BLOCK) == 0);
    }
    CHECK(bg_read(fd, b, 1) == 0);
    return 0;
}

static int main_back_pressure(void *arg)
{
    int fd[2];
    struct writer w = {0};
    (void)arg;
    pair(fd);
    CHECK(bg_stream_open(&w.s, fd[0], .high_water = 5000, .low_water = 2000) == 0);
    int r = 0;
    while (send(fd[0], "f", 1, MSG_DONTWAIT) == 1) { /* nothing goes through from the start */
        w.filler++;
    }
    bg_task *t = bg_spawn(write_until_stopped, &w);
    until_somebody_waits(fd[0]);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    CHECK(bg_stream_unsent(w.s) > 2000 && bg_stream_unsent(w.s) <= 6000);
    bg_timeout (2 * BG_MS) {
        r = write_until_stopped(&w);
    }
    CHECK(r == -ETIMEDOUT);
    bg_timeout (2 * BG_MS) {
        r = bg_stream_flush(w.s);
    }
    CHECK(r == -ETIMEDOUT);
    bg_timeout (2 * BG_MS) {
        r = bg_stream_shutdown(w.s);
    }
    CHECK(r == -ETIMEDOUT);
    CHECK(w.blocks > 0);
    w.result = fd[1];
    t = bg_spawn(read_blocks, &w);
    CHECK(bg_stream_flush(w.s) == 0 && bg_stream_unsent(w.s) == 0);
    CHECK(bg_stream_shutdown(w.s) == 0);
    CHECK(bg_await(t) == 0);
    CHECK(bg_stream_close(w.s) == 0);
    CHECK(bg_fd_close(fd[1]) == 0);
    return 0;
}

Test(stream, back_pressure_and_writes_that_are_cut_short)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_back_pressure, NULL, .workers = w);
    }
}

static int main_close_cut(void *arg)
{
    int fd[2];
    static char big[1 << 20];
    bg_stream *s;
    int r = 0;
    (void)arg;
    pair(fd);
    CHECK(bg_stream_open(&s, fd[0]) == 0);
    CHECK(bg_stream_write(s, big, sizeof big) == 0);
    bg_timeout (2 * BG_MS) {
        r = bg_stream_close(s);
    }
    CHECK(r == -ETIMEDOUT);
    CHECK(fcntl(fd[0], F_GETFD) < 0);
    CHECK(bg_fd_close(fd[1]) == 0);
    return 0;
}

Test(stream, a_close_that_is_cut_short_closes)
{
    int before = open_descriptors();
    RUN(main_close_cut, NULL, .workers = 2);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- writing ---- */

static int main_printf(void *arg)
{
    char want[512], *at = NULL;
    int fd[2];
    bg_stream *a = NULL, *b = NULL;
    (void)arg;
    pair(fd);
    CHECK(bg_stream_open(&a, fd[0]) == 0 && bg_stream_open(&b, fd[1]) == 0);
    CHECK(bg_stream_printf(a, "%s", "") == 0);
    CHECK(bg_stream_unsent(a) == 0);
    for (int n = 100; n < 300; n += 3) { /* around the size that is guessed */
        CHECK(bg_stream_printf(a, "%*d\n", n, n) == n + 1);
        CHECK(bg_stream_flush(a) == 0);
        (void)snprintf(want, sizeof want, "%*d", n, n);
        CHECK(bg_stream_read_line(b, &at, NULL) == 1 && strcmp(at, want) == 0);
    }
    CHECK(bg_stream_close(a) == 0 && bg_stream_close(b) == 0);
    return 0;
}

Test(stream, formats)
{
    RUN(main_printf, NULL, .workers = 1);
}

static int main_half_close(void *arg)
{
    int fd[2];
    char *at = NULL, b[8];
    bg_stream *a = NULL, *c = NULL;
    (void)arg;
    pair(fd);
    CHECK(bg_stream_open(&a, fd[0]) == 0 && bg_stream_open(&c, fd[1]) == 0);
    CHECK(bg_stream_write(a, "ask\n", 4) == 0);
    CHECK(bg_stream_shutdown(a) == 0 && bg_stream_shutdown(a) == 0);
    CHECK(bg_stream_write(a, "x", 1) == -EPIPE);
    CHECK(bg_stream_read_line(c, &at, NULL) == 1 && strcmp(at, "ask") == 0);
    CHECK(bg_stream_read(c, b, 1) == 0 && bg_stream_at_eof(c));
    CHECK(bg_stream_write(c, "answer", 6) == 0);
    CHECK(bg_stream_close(c) == 0); /* which sends it */
    CHECK(bg_stream_read_exactly(a, b, 6) == 0 && memcmp(b, "answer", 6) == 0);
    CHECK(bg_stream_close(a) == 0);
    /* A pipe has no halves. */
    CHECK(pipe2(fd, O_CLOEXEC) == 0);
    CHECK(bg_stream_open(&a, fd[1]) == 0);
    CHECK(bg_stream_shutdown(a) == -ENOTSOCK);
    CHECK(bg_stream_write(a, "y", 1) == 0);
    CHECK(bg_stream_close(a) == 0);
    CHECK(got(fd[0], "y"));
    CHECK(bg_fd_close(fd[0]) == 0);
    return 0;
}

Test(stream, one_half_is_closed)
{
    RUN(main_half_close, NULL, .workers = 2);
}

static int main_failures(void *arg)
{
    static const struct linger reset = {1, 0};
    char b[64], *at = NULL;
    int other, client;
    bg_stream *s = NULL;
    bg_address a = loopback(0);
    (void)arg;
    CHECK(bg_stream_open(NULL, 0) == -EINVAL);
    CHECK(bg_stream_open(&s, -1) == -EINVAL);
    CHECK(bg_stream_open(&s, 0, .high_water = 1, .low_water = 2) == -EINVAL);
    CHECK(s == NULL && bg_stream_close(s) == 0);
    /* A connection that is reset: what came before it, and then the failure, each time. */
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(listener, (struct sockaddr *)&a.storage, a.size) == 0 && listen(listener, 1) == 0);
    a = loopback(port_of(listener));
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bg_connect(client, (struct sockaddr *)&a.storage, a.size) == 0);
    other = bg_accept(listener, NULL, NULL);
    CHECK(bg_stream_open(&s, client) == 0);
    put(other, "one\ntwo");
    CHECK(bg_stream_read_line(s, &at, NULL) == 1 && bg_stream_buffered(s) == 3);
    CHECK(setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    CHECK(bg_fd_close(other) == 0);
    CHECK(bg_stream_read_line(s, &at, NULL) == -ECONNRESET);
    CHECK(bg_stream_read_line(s, &at, NULL) == -ECONNRESET);
    CHECK(!bg_stream_at_eof(s));
    CHECK(bg_stream_read(s, b, sizeof b) == 3 && memcmp(b, "two", 3) == 0);
    CHECK(bg_stream_read(s, b, 1) == -ECONNRESET);
    CHECK(bg_stream_read(s, b, sizeof b) == -ECONNRESET || bg_stream_at_eof(s));
    CHECK(bg_stream_write(s, "x", 1) == 0);
    CHECK(bg_stream_flush(s) == -EPIPE);
    CHECK(bg_stream_flush(s) == -EPIPE);
    CHECK(bg_stream_write(s, "x", 1) == -EPIPE);
    CHECK(bg_stream_shutdown(s) == -EPIPE);
    CHECK(bg_stream_close(s) == -EPIPE);
    CHECK(bg_fd_close(listener) == 0);
    return 0;
}

Test(stream, failures_stay)
{
    int before = open_descriptors();
    RUN(main_failures, NULL, .workers = 2);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- something else below ---- */

/* Bytes one at a time. */
struct crumbs {
    int fd;
    int closed;
};

static ssize_t crumbs_read(void *self, void *buffer, size_t size)
{
    CHECK(size != 0);
    return bg_read(((struct crumbs *)self)->fd, buffer, 1);
}

static ssize_t crumbs_write(void *self, const void *buffer, size_t size)
{
    CHECK(size != 0);
    return bg_write(((struct crumbs *)self)->fd, buffer, 1);
}

static int crumbs_close(void *self)
{
    struct crumbs *c = self;
    c->closed++;
    return bg_fd_close(c->fd);
}

static const bg_stream_transport crumbs_transport = {
    .read = crumbs_read, .write = crumbs_write, .close = crumbs_close};

static int answer_lines(void *arg)
{
    bg_stream *s = arg;
    char *at = NULL;
    size_t n = 0;
    int r;
    while ((r = bg_stream_read_line(s, &at, &n)) == 1) {
        CHECK(bg_stream_printf(s, "<%s>--", at) == (int)n + 4);
        CHECK(bg_stream_flush(s) == 0);
    }
    return r;
}

static int send_lines(void *arg)
{
    for (int i = 0; i < 100; i++) {
        CHECK(bg_stream_printf(arg, "%0*d\r\n", i + 1, i) == i + 3 || i == 0);
        if (i % 7 == 0) {
            CHECK(bg_stream_flush(arg) == 0);
        }
    }
    return bg_stream_flush(arg);
}

static int main_crumbs(void *arg)
{
    int fd[2];
    char want[128], *at = NULL;
    struct crumbs c[2] = {{0, 0}, {0, 0}};
    bg_stream *s[2];
    (void)arg;
    pair(fd);
    for (int i = 0; i < 2; i++) {
        c[i].fd = fd[i];
        CHECK(bg_stream_open_over(&s[i], &crumbs_transport, &c[i], .read_buffer = 8,
                                  .high_water = 50) == 0);
        CHECK(bg_stream_fd(s[i]) == -EBADF);
    }
    /* One task writes while another reads. */
    bg_task *server = bg_spawn(answer_lines, s[1]);
    bg_task *sender = bg_spawn(send_lines, s[0]);
    for (int i = 0; i < 100; i++) {
        int n = snprintf(want, sizeof want, "<%0*d>--", i + 1, i);
        CHECK(bg_stream_read_until(s[0], ">--", 3, &at) == n);
        CHECK(memcmp(at, want, (size_t)n) == 0);
    }
    CHECK(bg_await(sender) == 0);
    CHECK(bg_stream_shutdown(s[0]) == -ENOTSUP);
    CHECK(bg_stream_close(s[0]) == 0 && c[0].closed == 1);
    CHECK(bg_await(server) == 0);
    CHECK(bg_stream_close(s[1]) == 0 && c[1].closed == 1);
    return 0;
}

Test(stream, single_bytes_in_both_directions_at_once)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_crumbs, NULL, .workers = w);
    }
    RUN(main_crumbs, NULL, .seed = 4);
}

static int main_file(void *arg)
{
    char name[] = "/tmp/brigade-stream-XXXXXX", *at = NULL, want[16];
    bg_stream *s;
    (void)arg;
    int fd = mkostemp(name, O_CLOEXEC);
    int again = open(name, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && again >= 0 && unlink(name) == 0);
    CHECK(bg_stream_open(&s, fd) == 0);
    for (int i = 0; i < 20000; i++) { /* more than the high water */
        CHECK(bg_stream_printf(s, "%d\n", i) > 0);
    }
    CHECK(bg_stream_close(s) == 0);
    CHECK(bg_stream_open(&s, again) == 0);
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(want, sizeof want, "%d", i);
        CHECK(bg_stream_read_line(s, &at, NULL) == 1 && strcmp(at, want) == 0);
    }
    CHECK(bg_stream_read_line(s, &at, NULL) == 0);
    CHECK(bg_stream_close(s) == 0);
    return 0;
}

Test(stream, files)
{
    RUN(main_file, NULL, .workers = 2);
}

/* ---- memory ---- */

static int flush_it(void *arg)
{
    return bg_stream_flush(arg);
}

static int main_large(void *arg)
{
    enum { SIZE = 1 << 20 };
    int fd[2];
    bg_stream *a = NULL, *b = NULL;
    char *out = malloc(SIZE), *in = malloc(SIZE);
    (void)arg;
    for (int i = 0; i < SIZE; i++) {
        out[i] = (char)(i * 31 + i / 999);
    }
    pair(fd);
    CHECK(bg_stream_open(&a, fd[0]) == 0 && bg_stream_open(&b, fd[1]) == 0);
    CHECK(bg_stream_write(a, out, SIZE) == 0);
    bg_task *t = bg_spawn(flush_it, a);
    CHECK(bg_stream_read_exactly(b, in, SIZE) == 0 && memcmp(in, out, SIZE) == 0);
    CHECK(bg_await(t) == 0);
    CHECK(bg_stream_close(a) == 0 && bg_stream_close(b) == 0);
    free(out);
    free(in);
    return 0;
}

Test(stream, a_large_block)
{
    RUN(main_large, NULL, .workers = 2);
}

/* Each call until there is memory: nothing is lost and nothing is there twice. */
#define INSIST(call, want)                                                                         \
    do {                                                                                           \
        int got_;                                                                                  \
        while ((got_ = (int)(call)) == -ENOMEM) {                                                  \
            refused++;                                                                             \
        }                                                                                          \
        CHECK(got_ == (want));                                                                     \
    } while (0)

Test(stream, without_memory)
{
    size_t refused = 0, at_least = 0, live = bgi_alloc_live();
    for (size_t nth = 1; nth <= at_least + 1; nth++) {
        int fd[2];
        char *at = NULL, b[100];
        bg_stream *s = NULL, *o = NULL;
        pair(fd);
        bgi_fault_arm(BGI_FAULT_MALLOC, nth);
        INSIST(bg_stream_open(&s, fd[0], .read_buffer = 8), 0);
        INSIST(bg_stream_open(&o, fd[1], .read_buffer = 8), 0);
        INSIST(bg_stream_printf(s, "%300d\n", 5), 301);
        INSIST(bg_stream_write(s, "a line that is longer than the buffer\n", 38), 0);
        INSIST(bg_stream_printf(s, "%900d", 6), 900);
        INSIST(bg_stream_flush(s), 0);
        INSIST(bg_stream_read_line(o, &at, NULL), 1);
        CHECK(strlen(at) == 300 && at[299] == '5');
        INSIST(bg_stream_read_until(o, "line", 4, &at), 6);
        INSIST(bg_stream_skip_until(o, "\n", 1), 0);
        for (int i = 0; i < 9; i++) {
            INSIST(bg_stream_read_exactly(o, b, 100), 0);
        }
        CHECK(b[99] == '6' && b[98] == ' ');
        INSIST(bg_stream_close(s), 0);
        INSIST(bg_stream_read(o, b, 1), 0);
        INSIST(bg_stream_close(o), 0);
        bgi_fault_disarm();
        at_least = nth == 1 ? bgi_fault_count() : at_least;
    }
    NO_CHECK_FAILED();
    cr_assert_geq(refused, 8);
    cr_assert_eq(bgi_alloc_live(), live);
}

#if BGI_DEBUG
static int main_two_readers(void *arg)
{
    int other;
    struct cut c = {stream_to(&other), 3};
    (void)arg;
    bg_task *t = bg_spawn(read_somehow, &c);
    until_somebody_waits(bg_stream_fd(c.s));
    (void)read_somehow(&c);
    return bg_await(t);
}

static void run_two_readers(void *arg)
{
    (void)bg_run(main_two_readers, arg, .workers = 1);
}

Test(stream, two_readers_are_misuse)
{
    struct child_end end = child_run(run_two_readers, NULL);
    cr_assert_eq(end.signal, SIGABRT);
    cr_assert(strstr(end.words, "bg_stream_read") != NULL, "%s", end.words);
    cr_assert(strstr(end.words, "this half of the stream") != NULL, "%s", end.words);
}
#endif
