/*
 * A conversation over TLS between two tasks that goes as far as it can: a handshake, a text in
 * each direction, the end in each direction, and a close. What each side has seen is noted, so that
 * a test can make anything fail in between.
 */
#ifndef TESTS_TLS_TALK_H
#define TESTS_TLS_TALK_H

#include "calls.h"
#include "pair.h"

#include <openssl/err.h>

enum { TALK_MOST = 40000, TALK_STEPS = 7 };

/* The steps of a side, in the order in which they are made. */
enum talk_step { TALK_SHAKE, TALK_WRITE, TALK_FLUSH, TALK_READ, TALK_SHUT, TALK_END, TALK_CLOSE };

struct talk;

struct talker {
    struct talk *talk;
    bg_tls_context *context;
    int fd;
    const char *host;       /* NULL: the server */
    int result[TALK_STEPS]; /* of each step; those not reached are 0 */
    int failed;             /* the first failure; 0: none */
    enum talk_step failed_at;
    size_t said;  /* bytes that the stream has taken */
    size_t heard; /* bytes that have come, the right ones */
    int garbled;  /* others have come */
    int ended;    /* the end has been read */
    int retries;
    char error[200];
};

struct talk {
    struct talker client, server;
    size_t size; /* of the texts, at most TALK_MOST */
    int room;    /* of the sockets' buffers; 0: as usual */
    int patient; /* what may be called again after a failure is */
    /* armed once both sides have been spawned, if not 0 */
    unsigned faults; /* kinds, of support/faults.h */
    size_t fault;    /* which call */
    int cuts;        /* not 0: calls_arm */
    size_t cut;
    enum calls_cut how;
    bg_sem ended;
};

static inline unsigned char talk_byte(size_t i, int of_server)
{
    return (unsigned char)(i * 7 + (i >> 8) * 13 + (of_server ? 101 : 0));
}

static inline int talk_again(struct talker *t, int r)
{
    int again = t->talk->patient && (r == -ECANCELED || r == -ETIMEDOUT || r == -ENOMEM);
    t->retries += again;
    return again;
}

static inline int talk_did(struct talker *t, enum talk_step step, int r)
{
    CHECK(ERR_peek_error() == 0); /* nothing is left for others who use this thread */
    t->result[step] = r;
    if (r < 0 && t->failed == 0) {
        t->failed = r;
        t->failed_at = step;
    }
    return r;
}

static inline int talk_write(struct talker *t, bg_stream *s)
{
    unsigned char b[1000];
    int r = 0;
    while (t->said < t->talk->size) {
        size_t n = t->talk->size - t->said < sizeof b ? t->talk->size - t->said : sizeof b;
        for (size_t i = 0; i < n; i++) {
            b[i] = talk_byte(t->said + i, t->host == NULL);
        }
        do {
            r = bg_stream_write(s, b, n);
        } while (talk_again(t, r));
        if (r != 0) {
            break;
        }
        t->said += n;
    }
    return r;
}

/* Reads up to `most` bytes in all; -ENODATA: the end came first. */
static inline int talk_read(struct talker *t, bg_stream *s, size_t most)
{
    unsigned char b[3000];
    while (t->heard < most) {
        ssize_t n;
        size_t want = most - t->heard < sizeof b ? most - t->heard : sizeof b;
        do {
            n = bg_stream_read(s, b, want);
        } while (talk_again(t, (int)n));
        if (n <= 0) {
            t->ended = n == 0;
            return n == 0 ? -ENODATA : (int)n;
        }
        for (size_t i = 0; i < (size_t)n; i++) {
            t->garbled |= b[i] != talk_byte(t->heard + i, t->host != NULL);
        }
        t->heard += (size_t)n;
    }
    return 0;
}

#define TALK_PATIENTLY(t, r, call)                                                                 \
    do {                                                                                           \
        r = call;                                                                                  \
    } while (talk_again(t, r))

static inline int talk_send(struct talker *t, bg_stream *s)
{
    int r = talk_did(t, TALK_WRITE, talk_write(t, s));
    if (r == 0) {
        TALK_PATIENTLY(t, r, bg_stream_flush(s));
        (void)talk_did(t, TALK_FLUSH, r);
    }
    return r;
}

static inline void talk_over(struct talker *t, bg_stream *s)
{
    int r = t->host != NULL ? talk_send(t, s) : 0;
    r = r != 0 ? r : talk_did(t, TALK_READ, talk_read(t, s, t->talk->size));
    r = r != 0 || t->host != NULL ? r : talk_send(t, s);
    if (r != 0) {
        return;
    }
    TALK_PATIENTLY(t, r, bg_stream_shutdown(s));
    if (talk_did(t, TALK_SHUT, r) == 0) {
        r = talk_read(t, s, t->talk->size + 1);
        (void)talk_did(t, TALK_END, r == -ENODATA ? 0 : r);
    }
}

static inline int talk_side(void *arg)
{
    struct talker *t = arg;
    bg_stream *s = NULL;
    int r = t->host == NULL ? bg_tls_server(&s, t->context, t->fd, .error = t->error,
                                            .error_size = sizeof t->error)
                            : bg_tls_client(&s, t->context, t->fd, t->host, .error = t->error,
                                            .error_size = sizeof t->error);
    CHECK(r <= 0);
    if (talk_did(t, TALK_SHAKE, r) == 0) {
        talk_over(t, s);
        if (t->failed != 0) {
            CHECK(bg_tls_error_text(s, t->error, sizeof t->error) >= 0);
        }
        (void)talk_did(t, TALK_CLOSE, bg_stream_close(s));
    } else {
        CHECK(s == NULL);
        CHECK(t->error[0] != '\0');
        (void)bg_fd_close(t->fd);
    }
    CHECK(bg_sem_release(&t->talk->ended) == 0);
    return 0;
}

/* What holds however it has gone. */
static inline void talk_check(const struct talker *t, const struct talker *other)
{
    CHECK(!t->garbled && t->heard <= other->said);
    CHECK(!t->ended || t->heard == other->said); /* an end that is told is the end */
}

/* In a task of a runtime with one worker: whether all has gone well. */
static inline int talk(struct talk *k, bg_tls_context *client, bg_tls_context *server)
{
    int fd[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    for (int i = 0; k->room != 0 && i < 2; i++) {
        CHECK(setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &k->room, sizeof k->room) == 0);
    }
    k->client = (struct talker){.talk = k, .context = client, .fd = fd[0], .host = "good.test"};
    k->server = (struct talker){.talk = k, .context = server, .fd = fd[1]};
    bg_sem_init(&k->ended, 0);
    bg_task *s = bg_spawn(talk_side, &k->server), *c = bg_spawn(talk_side, &k->client);
    if (k->cuts) {
        calls_arm(k->cut, k->how);
    }
    if (k->faults != 0) {
        bgi_fault_arm(k->faults, k->fault);
    }
    CHECK(bg_sem_acquire(&k->ended) == 0 && bg_sem_acquire(&k->ended) == 0);
    bgi_fault_disarm();
    calls_disarm();
    CHECK(bg_await(s) == 0 && bg_await(c) == 0);
    talk_check(&k->client, &k->server);
    talk_check(&k->server, &k->client);
    return k->client.failed == 0 && k->server.failed == 0;
}

#endif
