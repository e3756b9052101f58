/*
 * TLS when waits end early: each wait of a conversation, from the handshake to the close, is cut
 * short by a cancel or a deadline, whatever the sizes of the pieces in which bytes come and go. Who
 * was told to end says so, the other side is told of an end or of a failure, nothing is left; and
 * with another try all goes well but for a handshake, after which the connection is of no use.
 *
 * Labels: drivers long
 */
#include "talk.h"

/* ---- each wait ---- */

static const struct shape {
    size_t size, pieces;
    int room;
    size_t stride; /* every stride-th wait is tried */
} shapes[] = {
    {20000, 0, 4608, 1}, /* more than there is room for */
    {3000, 500, 0, 1},
    {20, 1, 0, 499},
};

struct cuts {
    const struct shape *shape;
    enum calls_cut how;
    int patient;
    size_t first; /* where the strides of a build leave some out: which */
    size_t tried, told, retries;
};

static int may_fail_so(const struct talker *t, int code)
{
    return t->failed == 0 || t->failed == code || t->failed == -ECONNRESET || t->failed == -EPIPE ||
           (t->failed == -ENODATA && t->ended);
}

static void cut_one(struct cuts *c, struct pair *p, size_t n)
{
    struct talk k = {.size = c->shape->size,
                     .room = c->shape->room,
                     .patient = c->patient,
                     .cuts = 1,
                     .cut = n,
                     .how = c->how};
    int code = c->how == CALLS_DEADLINE ? -ETIMEDOUT : -ECANCELED;
    int good = talk(&k, p->client, p->server);
    c->tried++;
    c->told += !good;
    c->retries += k.client.retries + k.server.retries;
    CHECK(may_fail_so(&k.client, code) && may_fail_so(&k.server, code));
    CHECK(good || k.client.failed == code || k.server.failed == code);
    CHECK(good || k.client.failed != k.server.failed);
    /* only a handshake is spoilt by a wait that is cut short */
    CHECK(good || !c->patient || k.client.result[TALK_SHAKE] == code ||
          k.server.result[TALK_SHAKE] == code);
}

static int main_cuts(void *arg)
{
    struct cuts *c = arg;
    struct pair p;
    pair_contexts(&p, 0);
    calls_pieces(c->shape->pieces);
    struct talk k = {.size = c->shape->size, .room = c->shape->room, .cuts = 1};
    CHECK(talk(&k, p.client, p.server));
    size_t calls = calls_seen();
    CHECK(calls > 30);
    int open = open_sockets();
    size_t blocks = bgi_alloc_live();
    for (size_t n = 1 + c->first % EVERY_NTH; n <= calls; n += c->shape->stride * EVERY_NTH) {
        cut_one(c, &p, n);
        CHECK(open_sockets() == open);
    }
    CHECK(c->shape->stride != 1 || bgi_alloc_live() <= blocks + 2);
    calls_pieces(0);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

static void cut_each(enum calls_cut how, int patient)
{
    begin();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int threads = 0; threads < 2; threads++) {
            struct cuts c = {
                .shape = &shapes[i], .how = how, .patient = patient, .first = i + threads};
            size_t blocks = bgi_alloc_live();
            if (threads) {
                RUN(main_cuts, &c, .workers = 1, .spares = BG_NO_SPARES);
            } else {
                RUN(main_cuts, &c, .seed = 5);
            }
            cr_assert_gt(patient && shapes[i].stride == 1 ? c.retries : c.told, c.tried / 8);
            cr_assert_eq(bgi_alloc_live(), blocks);
        }
    }
    end();
}

Test(tls_waits, each_is_cancelled)
{
    cut_each(CALLS_CANCEL, 0);
}

Test(tls_waits, each_is_cancelled_meanwhile)
{
    cut_each(CALLS_MEANWHILE, 0);
}

Test(tls_waits, each_is_cut_by_a_deadline)
{
    cut_each(CALLS_DEADLINE, 0);
}

Test(tls_waits, each_is_cut_by_a_deadline_and_tried_again)
{
    cut_each(CALLS_DEADLINE, 1);
}

/* ---- what is left of a connection ---- */

static int shake_or_leave(void *arg)
{
    struct side *s = arg;
    (void)shake(s);
    if (s->result != 0) {
        CHECK(bg_fd_close(s->fd) == 0);
    }
    return 0;
}

/* A handshake that was cut short cannot be made again, unless nothing had been said: both sides are
 * told. Whether the nth wait was cut short. */
static int shake_twice(struct pair *p, size_t n, size_t *refused)
{
    int fd[2];
    char b;
    CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
    struct side c = {.context = p->client, .fd = fd[0], .host = "good.test"};
    struct side s = {.context = p->server, .fd = fd[1]};
    bg_task *t = bg_spawn(shake_or_leave, &s);
    calls_arm(n, CALLS_DEADLINE);
    (void)shake(&c);
    calls_disarm();
    int was_cut = c.result == -ETIMEDOUT;
    if (was_cut) {
        (void)shake(&c);
        *refused += c.result != 0;
    }
    if (c.result != 0) {
        CHECK(c.result == -EPROTO || c.result == -ECONNRESET || c.result == -EPIPE);
        CHECK(bg_fd_close(fd[0]) == 0);
    }
    CHECK(bg_await(t) == 0);
    if (!was_cut) { /* else it was the server, if any */
        CHECK(s.result == 0 || s.result == -ETIMEDOUT);
    } else if (c.result == 0) {
        CHECK(s.result == 0);
    } else if (s.result == 0) { /* it was done already */
        CHECK(bg_stream_read(s.stream, &b, 1) == -EPROTO);
    } else {
        CHECK(s.result == -EPROTO);
    }
    CHECK(bg_stream_close(c.stream) == 0 && bg_stream_close(s.stream) == 0);
    return calls_seen() >= n;
}

static int main_again(void *arg)
{
    struct pair p;
    size_t refused = 0;
    (void)arg;
    pair_contexts(&p, 0);
    for (size_t n = 1; shake_twice(&p, n, &refused); n++) {
    }
    CHECK(refused >= 4);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls_waits, a_handshake_that_was_cut_is_refused)
{
    begin();
    RUN(main_again, NULL, .seed = 5);
    end();
}

/* A shutdown that was cut short can be made again, but nothing can be written in between; what the
 * other side says can be read all the same. */
static int main_shutdown(void *arg)
{
    size_t n = 0, cut = 0;
    (void)arg;
    for (int r = -ETIMEDOUT; r != 0;) {
        struct pair p;
        char b;
        pair_open(&p);
        CHECK(says(p.c, "all of it"));
        calls_arm(++n, CALLS_DEADLINE);
        r = bg_stream_shutdown(p.c);
        calls_disarm();
        CHECK(r == 0 || r == -ETIMEDOUT);
        int announced = r == 0;
        if (r != 0) {
            CHECK(bg_stream_write(p.c, "x", 1) == 0);
            int w = bg_stream_flush(p.c);
            CHECK(w == 0 || w == -EPIPE);
            cut += w == -EPIPE;
            announced = w == -EPIPE;
            CHECK(bg_stream_shutdown(p.c) == w);
        }
        CHECK(says(p.s, "an answer") && hears(p.c, "an answer"));
        CHECK(bg_stream_close(p.c) == (announced && r != 0 ? -EPIPE : 0));
        CHECK(hears(p.s, "all of it") && (announced || hears(p.s, "x")));
        CHECK(bg_stream_read(p.s, &b, 1) == 0);
        CHECK(bg_stream_close(p.s) == 0);
    }
    CHECK(cut > 0);
    return 0;
}

Test(tls_waits, a_shutdown_that_was_cut)
{
    begin();
    RUN(main_shutdown, NULL, .workers = 1);
    RUN(main_shutdown, NULL, .seed = 5);
    end();
}

/* ---- ends ---- */

static int say_and_go(void *arg)
{
    struct side *c = arg;
    (void)shake(c);
    CHECK(c->result == 0);
    CHECK(bg_stream_write(c->stream, "that is all", 11) == 0);
    return bg_stream_close(c->stream);
}

/* Who leaves before the other side is done with the handshake has said what he has said. */
static int main_go(void *arg)
{
    struct pair p;
    int fd[2];
    char b;
    (void)arg;
    pair_contexts(&p, BG_TLS_1_3);
    for (int i = 0; i < 10; i++) {
        CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
        struct side c = {.context = p.client, .fd = fd[0], .host = "good.test"};
        struct side s = {.context = p.server, .fd = fd[1]};
        bg_task *t = bg_spawn(say_and_go, &c);
        (void)shake(&s);
        CHECK(bg_await(t) == 0);
        CHECK(s.result == 0);
        if (s.result != 0) {
            return bg_fd_close(fd[1]);
        }
        CHECK(hears(s.stream, "that is all"));
        CHECK(bg_stream_read(s.stream, &b, 1) == 0);
        CHECK(bg_stream_write(s.stream, "an answer", 9) == 0);
        int r = bg_stream_flush(s.stream);
        CHECK(r == -EPIPE || r == -ECONNRESET);
        CHECK(bg_stream_close(s.stream) == r);
    }
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls_waits, who_says_all_and_goes_is_heard)
{
    begin();
    RUN(main_go, NULL, .workers = 1);
    RUN(main_go, NULL, .workers = 4);
    RUN(main_go, NULL, .seed = 5);
    end();
}

/* There is hardly any room, and the client writes before it reads: the server's session tickets do
 * not keep it from reading. */
static int main_tickets(void *arg)
{
    struct pair p;
    struct talk k = {.size = 2000};
    (void)arg;
    pair_contexts(&p, BG_TLS_1_3);
    calls_pieces(1); /* each takes as much room as hundreds of bytes would */
    CHECK(talk(&k, p.client, p.server));
    calls_pieces(0);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls_waits, tickets_can_wait)
{
    begin();
    RUN(main_tickets, NULL, .workers = 1);
    RUN(main_tickets, NULL, .seed = 5);
    end();
}

static int close_it(void *arg)
{
    return bg_stream_close(arg);
}

/* There is no room for the goodbye: the close says that it has not been said. */
static int main_no_room(void *arg)
{
    static const char junk[4096];
    (void)arg;
    for (int cancel = 0; cancel < 2; cancel++) {
        struct pair p;
        char b;
        int r = 0;
        pair_open(&p);
        while (send(bg_stream_fd(p.c), junk, sizeof junk, MSG_DONTWAIT) > 0) {
        }
        if (cancel) {
            bg_task *t = bg_spawn(close_it, p.c);
            until_somebody_waits(bg_stream_fd(p.c));
            CHECK(bg_cancel(t) == 0);
            r = bg_await(t);
        } else {
            bg_timeout (BG_MS) {
                r = bg_stream_close(p.c);
            }
        }
        CHECK(r == (cancel ? -ECANCELED : -ETIMEDOUT));
        CHECK(bg_stream_read(p.s, &b, 1) == -EPROTO);
        CHECK(bg_stream_close(p.s) == 0);
    }
    return 0;
}

Test(tls_waits, a_goodbye_that_could_not_be_said)
{
    begin();
    RUN(main_no_room, NULL, .workers = 1);
    RUN(main_no_room, NULL, .seed = 5);
    end();
}
