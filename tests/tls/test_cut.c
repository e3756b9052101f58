/*
 * TLS: the ends of connections, waits that are cut short in every place, transfers of single bytes,
 * and much data in both directions at once.
 *
 * Labels: drivers
 */
#include "pair.h"

#include "tls/tls.h"

#include <poll.h>

static void in_all_modes(bg_fn fn)
{
    begin();
    RUN(fn, NULL, .workers = 1);
    RUN(fn, NULL, .workers = 4);
    RUN(fn, NULL, .seed = 3);
    end();
}

/* ---- ends ---- */

static int main_half_close(void *arg)
{
    struct pair p;
    char b[16];
    (void)arg;
    pair_open(&p);
    CHECK(bg_stream_write(p.c, "all of it", 9) == 0);
    CHECK(bg_stream_shutdown(p.c) == 0); /* flushes */
    CHECK(bg_stream_shutdown(p.c) == 0);
    CHECK(bg_stream_write(p.c, "x", 1) == -EPIPE);
    CHECK(hears(p.s, "all of it"));
    CHECK(bg_stream_read(p.s, b, sizeof b) == 0);
    CHECK(bg_stream_read_exactly(p.s, b, 1) == -ENODATA);
    CHECK(says(p.s, "an answer") && hears(p.c, "an answer")); /* the other half goes on */
    CHECK(says(p.s, "and another") && hears(p.c, "and another"));
    CHECK(bg_stream_shutdown(p.s) == 0);
    CHECK(bg_stream_read(p.c, b, sizeof b) == 0);
    pair_close(&p);
    return 0;
}

Test(tls_cut, one_half_is_closed_and_the_other_goes_on)
{
    in_all_modes(main_half_close);
}

/* The connection ends without a word. */
static int main_truncated(void *arg)
{
    (void)arg;
    for (int partly = 0; partly < 2; partly++) {
        struct pair p;
        char b[100];
        pair_open(&p);
        CHECK(says(p.s, "a beginning"));
        if (partly) { /* with half a record on the way */
            static const char half[] = {23, 3, 3, 0, 100, 1, 2, 3};
            CHECK(bg_write_all(bg_stream_fd(p.s), half, sizeof half, NULL) == 0);
        }
        CHECK(shutdown(bg_stream_fd(p.s), SHUT_RDWR) == 0);
        CHECK(hears(p.c, "a beginning"));
        CHECK(bg_stream_read(p.c, b, sizeof b) == -ECONNRESET);
        CHECK(bg_stream_read(p.c, b, sizeof b) == -ECONNRESET); /* stays */
        CHECK(bg_stream_at_eof(p.c) == 0);
        CHECK(bg_tls_error_text(p.c, b, sizeof b) > 0 && strstr(b, "close_notify") != NULL);
        CHECK(bg_tls_error_text(p.c, b, 4) > 3 && strlen(b) == 3);
        pair_close(&p);
    }
    return 0;
}

Test(tls_cut, an_end_that_nobody_announced_is_none)
{
    in_all_modes(main_truncated);
}

/* What is not TLS, in the middle of it. */
static int main_garbage(void *arg)
{
    struct pair p;
    char b[100];
    (void)arg;
    pair_open(&p);
    CHECK(bg_write_all(bg_stream_fd(p.s), "this is no TLS at all", 21, NULL) == 0);
    CHECK(bg_stream_read(p.c, b, sizeof b) == -EPROTO);
    CHECK(bg_stream_read(p.c, b, sizeof b) == -EPROTO);
    CHECK(bg_tls_error_text(p.c, b, sizeof b) > 0);
    CHECK(bg_stream_write(p.c, "x", 1) == 0);
    CHECK(bg_stream_flush(p.c) == -EPROTO);
    CHECK(bg_stream_read(p.s, b, sizeof b) == -EPROTO); /* the alert */
    CHECK(bg_stream_close(p.c) == -EPROTO);             /* the x */
    CHECK(bg_stream_close(p.s) == 0);
    return 0;
}

Test(tls_cut, what_is_not_tls)
{
    in_all_modes(main_garbage);
}

/* ---- handshakes that come to nothing ---- */

static int main_handshake(void *arg)
{
    (void)arg;
    for (int server = 0; server < 2; server++) {
        struct pair p;
        struct side side;
        char b[4096];
        int fd[2];
        pair_contexts(&p, 0);
        side = (struct side){.context = server ? p.server : p.client,
                             .host = server ? NULL : "good.test"};
        CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
        side.fd = fd[0];
        bg_task *t = bg_spawn(shake, &side);
        until_somebody_waits(fd[0]);
        CHECK(bg_cancel(t) == 0);
        CHECK(bg_await(t) == 0 && side.result == -ECANCELED);
        CHECK(strcmp(side.error, "cancelled") == 0);
        bg_timeout (BG_MS) {
            (void)shake(&side);
        }
        CHECK(side.result == -ETIMEDOUT);
        CHECK(write(fd[1], "no TLS, but long enough to tell", 31) == 31);
        (void)shake(&side);
        CHECK(side.result == -EPROTO);
        CHECK(bg_fd_close(fd[0]) == 0 && bg_fd_close(fd[1]) == 0); /* they were the caller's */

        CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
        side.fd = fd[0];
        t = bg_spawn(shake, &side);
        until_somebody_waits(fd[0]);
        CHECK(server || bg_read(fd[1], b, sizeof b) > 0);
        CHECK(bg_fd_close(fd[1]) == 0);
        CHECK(bg_await(t) == 0 && side.result == -ECONNRESET);
        CHECK(bg_fd_close(fd[0]) == 0);
        side.fd = -1;
        (void)shake(&side);
        CHECK(side.result == -EBADF);
        CHECK(side.stream == NULL);
        bg_tls_context_free(p.client);
        bg_tls_context_free(p.server);
    }
    return 0;
}

Test(tls_cut, handshakes_that_come_to_nothing)
{
    in_all_modes(main_handshake);
}

/* ---- waits ---- */

static int read_one(void *arg)
{
    char b;
    return (int)bg_stream_read(arg, &b, 1);
}

static int main_read(void *arg)
{
    struct pair p;
    char b[8];
    (void)arg;
    pair_open(&p);
    for (int i = 0; i < 3; i++) {
        ssize_t r = 0;
        bg_timeout (BG_MS) {
            r = bg_stream_read(p.s, b, sizeof b);
        }
        CHECK(r == -ETIMEDOUT);
        bg_task *t = bg_spawn(read_one, p.s);
        until_somebody_waits(bg_stream_fd(p.s));
        CHECK(says(p.s, "meanwhile") && hears(p.c, "meanwhile"));
        until_somebody_waits(bg_stream_fd(p.s));
        CHECK(bg_cancel(t) == 0);
        CHECK(bg_await(t) == -ECANCELED);
        CHECK(says(p.c, "and on") && hears(p.s, "and on"));
    }
    pair_close(&p);
    return 0;
}

Test(tls_cut, a_read_is_cut_short_and_goes_on)
{
    in_all_modes(main_read);
}

static int flush(void *arg)
{
    return bg_stream_flush(arg);
}

enum { MUCH = 1 << 20 };

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static int read_much(bg_stream *s, size_t size)
{
    static const size_t pieces[] = {1, 4096, 16384, 100, 20000};
    unsigned char b[20000];
    for (size_t at = 0, k = 0; at < size; k++) {
        size_t want = pieces[k % 5] < size - at ? pieces[k % 5] : size - at;
        ssize_t n = bg_stream_read(s, b, want);
        if (n <= 0) {
            return n == 0 ? -ENODATA : (int)n;
        }
        for (size_t i = 0; i < (size_t)n; i++) {
            if (b[i] != byte_at(at + i)) {
                return -EBADMSG;
            }
        }
        at += (size_t)n;
    }
    return 0;
}

static int read_all_much(void *arg)
{
    char b;
    int r = read_much(arg, MUCH);
    return r != 0 ? r : (int)bg_stream_read(arg, &b, 1);
}

static int put_much(bg_stream *s)
{
    unsigned char *b = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++) {
        b[i] = byte_at(i);
    }
    int r = bg_stream_write(s, b, MUCH);
    free(b);
    return r;
}

/* More than fits on the way: the flush is cut short again and again, and nothing is sent twice. */
static int main_write(void *arg)
{
    struct pair p;
    (void)arg;
    pair_open(&p);
    CHECK(put_much(p.c) == 0);
    for (int i = 0; i < 3; i++) {
        int r = 0;
        bg_timeout (BG_MS) {
            r = bg_stream_flush(p.c);
        }
        CHECK(r == -ETIMEDOUT);
        bg_task *t = bg_spawn(flush, p.c);
        until_somebody_waits(bg_stream_fd(p.c));
        CHECK(bg_cancel(t) == 0);
        CHECK(bg_await(t) == -ECANCELED);
    }
    CHECK(bg_stream_unsent(p.c) > 0);
    bg_task *t = bg_spawn(read_all_much, p.s);
    int r;
    do { /* with a reader that is slower */
        r = -ETIMEDOUT;
        bg_timeout (100 * BG_US) {
            r = bg_stream_flush(p.c);
        }
    } while (r == -ETIMEDOUT);
    CHECK(r == 0 && bg_stream_unsent(p.c) == 0);
    CHECK(bg_stream_shutdown(p.c) == 0);
    CHECK(bg_await(t) == 0);
    pair_close(&p);
    return 0;
}

Test(tls_cut, a_write_is_cut_short_and_goes_on)
{
    in_all_modes(main_write);
}

static int close_it(void *arg)
{
    return bg_stream_close(arg);
}

/* A close that could not send all does not say that this was all. */
static int main_unsent(void *arg)
{
    struct pair p;
    unsigned char b[4096];
    ssize_t n;
    (void)arg;
    pair_open(&p);
    CHECK(put_much(p.c) == 0);
    bg_task *t = bg_spawn(close_it, p.c);
    until_somebody_waits(bg_stream_fd(p.c));
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    do {
        n = bg_stream_read(p.s, b, sizeof b);
    } while (n > 0);
    CHECK(n == -ECONNRESET);
    CHECK(bg_stream_close(p.s) == 0);
    return 0;
}

Test(tls_cut, a_close_that_could_not_send_all_announces_no_end)
{
    in_all_modes(main_unsent);
}

struct leaver {
    bg_stream *s;
    bg_sem *begun;
};

static int close_when_cancelled(void *arg)
{
    struct leaver *l = arg;
    CHECK(bg_sem_release(l->begun) == 0);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    return bg_stream_close(l->s);
}

/* A task that has been cancelled says goodbye all the same, where that takes no wait. */
static int main_goodbye(void *arg)
{
    struct pair p;
    char b;
    bg_sem begun = BG_SEM_INIT(0);
    (void)arg;
    pair_open(&p);
    CHECK(says(p.c, "so long"));
    struct leaver l = {p.c, &begun};
    bg_task *t = bg_spawn(close_when_cancelled, &l);
    CHECK(bg_sem_acquire(&begun) == 0);
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == 0);
    CHECK(hears(p.s, "so long"));
    CHECK(bg_stream_read(p.s, &b, 1) == 0);
    CHECK(bg_stream_close(p.s) == 0);
    return 0;
}

Test(tls_cut, who_is_cancelled_says_goodbye)
{
    in_all_modes(main_goodbye);
}

/* ---- single bytes ---- */

struct relay {
    int from, to;
};

/* One byte at a time; the end as well. */
static int relay(void *arg)
{
    struct relay *r = arg;
    char b;
    ssize_t n;
    while ((n = bg_fd_recv(r->from, &b, 1, 0)) == 1) {
        if (bg_fd_send(r->to, &b, 1, 0) != 1) {
            return 0;
        }
    }
    (void)shutdown(r->to, SHUT_WR);
    return 0;
}

static int main_single(void *arg)
{
    struct pair p;
    int a[2], b[2];
    char byte;
    (void)arg;
    CHECK(bg_socketpair(SOCK_STREAM, a) == 0 && bg_socketpair(SOCK_STREAM, b) == 0);
    struct relay there = {a[1], b[0]}, back = {b[0], a[1]};
    bg_task *one = bg_spawn(relay, &there), *other = bg_spawn(relay, &back);
    pair_over(&p, a[0], b[1]);
    for (int i = 0; i < 5; i++) {
        CHECK(says(p.c, "piece by piece") && hears(p.s, "piece by piece"));
        CHECK(bg_stream_write(p.s, "byte by byte", 12) == 0);
        bg_task *t = bg_spawn(flush, p.s);
        for (int tries = 0; tries < 10; tries++) { /* cut in the middle of a record */
            int r = 0;
            char text[12];
            bg_timeout (tries * 10 * BG_US) {
                r = bg_stream_read_exactly(p.c, text, 12);
            }
            if (r == 0) {
                CHECK(memcmp(text, "byte by byte", 12) == 0);
                break;
            }
            CHECK(r == -ETIMEDOUT);
            CHECK(tries < 9 || hears(p.c, "byte by byte"));
        }
        CHECK(bg_await(t) == 0);
    }
    CHECK(bg_stream_shutdown(p.c) == 0);
    CHECK(bg_stream_read(p.s, &byte, 1) == 0);
    CHECK(bg_stream_shutdown(p.s) == 0);
    CHECK(bg_stream_read(p.c, &byte, 1) == 0);
    pair_close(&p);
    CHECK(bg_gather(one, other) == 0);
    CHECK(bg_fd_close(a[1]) == 0 && bg_fd_close(b[0]) == 0);
    return 0;
}

Test(tls_cut, one_byte_at_a_time)
{
    in_all_modes(main_single);
}

/* ---- both directions at once ---- */

static int write_much(void *arg)
{
    unsigned char b[3000];
    for (size_t at = 0; at < MUCH;) {
        size_t n = MUCH - at < sizeof b ? MUCH - at : 1 + at * 31 % sizeof b;
        for (size_t i = 0; i < n; i++) {
            b[i] = byte_at(at + i);
        }
        int r = bg_stream_write(arg, b, n);
        if (r != 0) {
            return r;
        }
        at += n;
    }
    return bg_stream_shutdown(arg);
}

static int main_both(void *arg)
{
    (void)arg;
    for (int tcp = 0; tcp < 2; tcp++) {
        struct pair p;
        if (tcp) {
            int listener = bg_tcp_listen("127.0.0.1", "0", 8);
            char port[16];
            int fd = bg_tcp_connect("127.0.0.1", port_text(listener, port));
            pair_over(&p, fd, bg_accept(listener, NULL, NULL));
            CHECK(bg_fd_close(listener) == 0);
        } else {
            pair_open(&p);
        }
        bg_task *w1 = bg_spawn(write_much, p.c), *w2 = bg_spawn(write_much, p.s);
        bg_task *r1 = bg_spawn(read_all_much, p.c), *r2 = bg_spawn(read_all_much, p.s);
        CHECK(bg_gather(w1, w2, r1, r2) == 0);
        pair_close(&p);
    }
    return 0;
}

Test(tls_cut, much_in_both_directions_at_once)
{
    in_all_modes(main_both);
}

/* Keys change all the time: the readers answer while the writers write. */
static int write_with_keys(void *arg)
{
    bgi_tls *t = bg_stream_self(arg, &bgi_tls_transport);
    for (int i = 0; i < 100; i++) {
        CHECK(bg_mutex_lock(&t->using) == 0);
        CHECK(SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        CHECK(bg_mutex_unlock(&t->using) == 0);
        CHECK(says(arg, "0123456789abcdef"));
    }
    return bg_stream_shutdown(arg);
}

static int read_with_keys(void *arg)
{
    char b;
    for (int i = 0; i < 100; i++) {
        CHECK(hears(arg, "0123456789abcdef"));
    }
    return (int)bg_stream_read(arg, &b, 1);
}

static int main_keys(void *arg)
{
    struct pair p;
    (void)arg;
    pair_open(&p);
    bg_task *w1 = bg_spawn(write_with_keys, p.c), *w2 = bg_spawn(write_with_keys, p.s);
    bg_task *r1 = bg_spawn(read_with_keys, p.c), *r2 = bg_spawn(read_with_keys, p.s);
    CHECK(bg_gather(w1, w2, r1, r2) == 0);
    pair_close(&p);
    return 0;
}

Test(tls_cut, readers_answer_while_writers_write)
{
    in_all_modes(main_keys);
}

/* One that is used by a task that is told to end, at any moment: it may go on. */
static int main_storm(void *arg)
{
    struct pair p;
    (void)arg;
    pair_open(&p);
    bg_task *w = bg_spawn(write_much, p.s), *r = bg_spawn(write_much, p.c);
    bg_task *back = bg_spawn(read_all_much, p.s);
    unsigned char b[1000];
    size_t at = 0;
    for (int i = 0;; i++) {
        ssize_t n = 0;
        bg_timeout (i % 50 * BG_US) {
            n = bg_stream_read(p.c, b, sizeof b);
        }
        if (n == 0) {
            break;
        }
        if (n < 0) {
            CHECK(n == -ETIMEDOUT);
            if (n != -ETIMEDOUT) {
                break;
            }
            continue;
        }
        for (size_t k = 0; k < (size_t)n; k++) {
            CHECK(b[k] == byte_at(at + k));
        }
        at += (size_t)n;
    }
    CHECK(at == MUCH);
    CHECK(bg_gather(w, r, back) == 0);
    pair_close(&p);
    return 0;
}

Test(tls_cut, deadlines_all_the_time)
{
    in_all_modes(main_storm);
}
