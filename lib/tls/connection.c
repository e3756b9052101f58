/*
 * A TLS connection: OpenSSL between two buffers, and the socket outside of it.
 *
 * OpenSSL never sees the socket. It reads ciphertext from a memory BIO (`in`) and writes it to
 * another (`out`); what it lacks it says by SSL_ERROR_WANT_READ. Receiving and sending is done
 * here, by the calls of brigade/io.h, between OpenSSL's calls. So no call of OpenSSL waits, and
 * none is on the stack when the task suspends and may go on on another thread: OpenSSL's error
 * queue is a thread's own, and is emptied before, and read after, each call with no suspension
 * between.
 *
 * Who may do what:
 *
 *  - `using` is held around each use of the SSL object and its BIOs, as one of these is not made
 *    for two at a time, and never while anybody waits for the socket. A reader that waits for data
 *    therefore does not keep a writer from writing, nor the other way round.
 *
 *  - `sending` is held by who takes ciphertext out of `out` until he has sent it, waits included:
 *    bytes leave in the order in which OpenSSL made them. It is taken before `using`.
 *
 *  - `received` is the reader's alone: streams have one at a time.
 *
 * Nothing is lost by a wait that is cut short:
 *
 *  - Ciphertext that has come is in `received` until it is in `in`; ciphertext that is to go is in
 *    `out` or `wire` until it has been sent. Whoever sends next begins with what is there.
 *
 *  - A write hands plaintext to OpenSSL once (SSL_write with a memory BIO takes all). It reports
 *    that when the ciphertext has been sent; if that wait fails, `taken` remembers how much it was.
 *    The stream keeps bytes until they are reported, and offers the same ones first the next time:
 *    those are not handed over again. So "flushed" means sent, and not: lies in a buffer here.
 *
 * A reader never waits for room to send, or two sides that only read could wait for each other's
 * reading for ever. What reading makes OpenSSL say (the answer to a change of keys, an alert) is
 * sent at once if nobody else sends and the socket takes it, else goes ahead of whatever is written
 * next: TLS wants no more of an answer to a change of keys, and an alert is for information.
 *
 * failed: 0 -> a negative errno, once, under `using`, by whoever OpenSSL has told that the
 * connection is over; afterwards it is not called again, but for being freed. A failure of the
 * socket is not noted: the next call on it tells by itself.
 *
 * The end of the ciphertext without a close_notify is a failure, -ECONNRESET: anybody on the way
 * could have cut it. For the same reason a close after a write that has failed sends no
 * close_notify. A close takes what has come and nobody has read off the socket: closed with data in
 * it, it would be reset, and what was just sent be lost with it. Session tickets, which a client
 * that only writes never reads, would do that each time.
 */
#include "tls/tls.h"

#include <brigade/io.h>
#include <brigade/scope.h>
#include <brigade/task.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* ---- under `using` ---- */

/* What a call of OpenSSL that has failed means: 1: more ciphertext has to come; 0: the other side
 * has closed; or the failure, which is noted. */
static int judge(bgi_tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return 1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    long verify = SSL_is_init_finished(t->ssl) ? X509_V_OK : SSL_get_verify_result(t->ssl);
    t->failed = bgi_tls_explain(t->text, sizeof t->text, verify);
    return t->failed;
}

static int cut_off(bgi_tls *t)
{
    if (t->failed == 0) {
        t->failed = -ECONNRESET;
        bgi_tls_tell(t->text, sizeof t->text, "the connection has ended without close_notify");
    }
    return t->failed;
}

/* Puts what has been received where OpenSSL reads. */
static int feed(bgi_tls *t)
{
    size_t n = 0, size = t->received_last - t->received_first;
    if (size != 0 && BIO_write_ex(t->in, t->received + t->received_first, size, &n) != 1) {
        ERR_clear_error();
        return -ENOMEM;
    }
    t->received_first += n;
    return 0;
}

/* ---- sending ---- */

/* Holding `sending`: takes ciphertext out of `out`. 1: there is some on the wire, 0: there is
 * none. try: does not wait for `using`. */
static int draw(bgi_tls *t, int try)
{
    if (t->wire_first != t->wire_last) {
        return 1;
    }
    t->wire_first = t->wire_last = 0;
    if (t->wire == NULL && (t->wire = malloc(BGI_TLS_SEND)) == NULL) {
        return -ENOMEM;
    }
    int r = try ? bg_mutex_try_lock(&t->using) : bg_mutex_lock(&t->using);
    if (r != 0) {
        return r;
    }
    size_t n = 0;
    if (BIO_pending(t->out) != 0) {
        (void)BIO_read_ex(t->out, t->wire, BGI_TLS_SEND, &n);
        ERR_clear_error();
    }
    (void)bg_mutex_unlock(&t->using);
    t->wire_last = n;
    return n != 0;
}

/* Holding `sending`: sends all there is, 0. flags: MSG_DONTWAIT, or 0. */
static int send_all(bgi_tls *t, int flags)
{
    int r;
    while ((r = draw(t, flags != 0)) > 0) {
        ssize_t n = bg_fd_send(t->fd, t->wire + t->wire_first, t->wire_last - t->wire_first, flags);
        if (n < 0) {
            return (int)n;
        }
        t->wire_first += (size_t)n;
    }
    if (r == 0) {
        free(t->wire);
        t->wire = NULL;
    }
    return r;
}

/* Likewise without the lock. */
static int flush(bgi_tls *t)
{
    int r = bg_mutex_lock(&t->sending);
    if (r == 0) {
        r = send_all(t, 0);
        (void)bg_mutex_unlock(&t->sending);
    }
    return r;
}

/* Sends what can be sent at once, also for a task that is to end. 0: that was all. */
static int send_some(bgi_tls *t)
{
    int r = bg_mutex_try_lock(&t->sending);
    if (r == 0) {
        r = send_all(t, MSG_DONTWAIT);
        (void)bg_mutex_unlock(&t->sending);
    }
    return r;
}

/* ---- receiving ---- */

/* Waits for ciphertext, unless flags is MSG_DONTWAIT: 1; 0 at its end. There is none left in
 * `received`. */
static int receive(bgi_tls *t, int flags)
{
    ssize_t n = bg_fd_recv(t->fd, t->received, BGI_TLS_RECEIVE, flags);
    if (n > 0) {
        t->received_first = 0;
        t->received_last = (size_t)n;
        return 1;
    }
    return (int)n;
}

/* Takes what has come off the socket, up to what a socket's buffer holds by default. */
static void drop_received(bgi_tls *t)
{
    for (int i = 0; i < 16; i++) {
        if (bg_fd_recv(t->fd, t->received, BGI_TLS_RECEIVE, MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

/* Receives, and notes an end that comes where none is due. */
static int receive_more(bgi_tls *t, int flags)
{
    int r = receive(t, flags);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    r = bg_mutex_lock(&t->using);
    if (r == 0) {
        r = cut_off(t);
        (void)bg_mutex_unlock(&t->using);
    }
    return r;
}

/* ---- the transport ---- */

static ssize_t tls_read(void *self, void *buffer, size_t size)
{
    bgi_tls *t = self;
    for (;;) {
        size_t n = 0;
        int r = bg_mutex_lock(&t->using);
        if (r != 0) {
            return r;
        }
        r = t->failed != 0 ? t->failed : feed(t);
        if (r == 0) {
            ERR_clear_error();
            int done = SSL_read_ex(t->ssl, buffer, size, &n);
            r = done == 1 ? 0 : judge(t, done);
        }
        int answers = BIO_pending(t->out) != 0;
        (void)bg_mutex_unlock(&t->using);
        if (answers) {
            (void)send_some(t);
        }
        if (n != 0) {
            return (ssize_t)n;
        }
        if (r <= 0) {
            return r;
        }
        r = receive_more(t, 0);
        if (r < 0) {
            return r;
        }
    }
}

/* Holding `sending`: hands plaintext to OpenSSL. */
static int take(bgi_tls *t, const void *buffer, size_t size)
{
    int r = bg_mutex_lock(&t->using);
    if (r != 0) {
        return r;
    }
    r = t->failed;
    if (r == 0 && (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0) {
        r = -EPIPE; /* by a tls_shutdown that was cut short */
    }
    if (r == 0) {
        ERR_clear_error();
        int done =
            SSL_write_ex(t->ssl, buffer, size < BGI_TLS_TAKE ? size : BGI_TLS_TAKE, &t->taken);
        r = done == 1 ? 0 : judge(t, done);
        if (r >= 0 && done != 1) { /* there is no renegotiation to wait for */
            r = t->failed = -EPROTO;
        }
    }
    (void)bg_mutex_unlock(&t->using);
    return r;
}

static ssize_t tls_write(void *self, const void *buffer, size_t size)
{
    bgi_tls *t = self;
    int r = bg_mutex_lock(&t->sending);
    if (r != 0) {
        t->cut = 1; /* the writer's own: streams have one at a time */
        return r;
    }
    r = t->taken == 0 ? take(t, buffer, size) : 0;
    if (r == 0) {
        r = send_all(t, 0);
    }
    size_t n = t->taken;
    t->cut = r != 0 && r != -EPIPE; /* who reads no more, or has been told the end, lacks nothing */
    if (r == 0) {
        t->taken = 0;
    }
    (void)bg_mutex_unlock(&t->sending);
    return r != 0 ? r : (ssize_t)n;
}

/* Under `using`: has OpenSSL say that nothing more comes. */
static int notify(bgi_tls *t)
{
    if (t->failed != 0 || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN) != 0) {
        return t->failed;
    }
    ERR_clear_error();
    int done = SSL_shutdown(t->ssl);
    int r = done >= 0 ? 0 : judge(t, done);
    return r < 0 ? r : 0;
}

static int tls_shutdown(void *self)
{
    bgi_tls *t = self;
    int r = bg_mutex_lock(&t->using);
    if (r == 0) {
        r = notify(t);
        (void)bg_mutex_unlock(&t->using);
    }
    return r != 0 ? r : flush(t);
}

/* Says goodbye, if that is true. What can only wait waits as long as the caller may. A failure that
 * has been told before is none, nor that nobody is there to hear it. */
static int say_goodbye(bgi_tls *t)
{
    if (t->cut || bg_mutex_try_lock(&t->using) != 0) {
        return 0;
    }
    int before = t->failed, r = notify(t);
    (void)bg_mutex_unlock(&t->using);
    if (send_some(t) != 0 && r == 0) {
        r = flush(t);
    }
    return before != 0 || r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static int tls_close(void *self)
{
    bgi_tls *t = self;
    int fd = t->fd, r = say_goodbye(t);
    if (bg_self() == NULL) {
        drop_received(t);
    } else {
        bg_shield
        {
            drop_received(t);
        }
    }
    bgi_tls_free(t);
    int closed = bg_fd_close(fd);
    return closed != 0 ? closed : r;
}

static int tls_fd(void *self)
{
    return ((bgi_tls *)self)->fd;
}

const bg_stream_transport bgi_tls_transport = {tls_read, tls_write, tls_shutdown, tls_close,
                                               tls_fd};

/* ---- their life ---- */

bgi_tls *bgi_tls_new(const bg_tls_context *context, int fd)
{
    bgi_tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    ERR_clear_error();
    t->fd = fd;
    bg_mutex_init(&t->sending);
    bg_mutex_init(&t->using);
    t->ssl = SSL_new(context->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (t->ssl == NULL || t->in == NULL || t->out == NULL) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    return t;
}

void bgi_tls_free(bgi_tls *t)
{
    ERR_clear_error();
    SSL_free(t->ssl);
    ERR_clear_error();
    bg_mutex_destroy(&t->sending);
    bg_mutex_destroy(&t->using);
    free(t->wire);
    free(t);
}

static void note_terms(bgi_tls *t)
{
    t->version = SSL_version(t->ssl) == TLS1_3_VERSION ? BG_TLS_1_3 : BG_TLS_1_2;
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    if (n != 0 && n < sizeof t->alpn) {
        memcpy(t->alpn, name, n);
    }
}

/* One step: as judge; 0: done. */
static int step(bgi_tls *t)
{
    int r = bg_mutex_lock(&t->using);
    if (r != 0) {
        return r;
    }
    r = feed(t);
    if (r == 0) {
        ERR_clear_error();
        int done = SSL_do_handshake(t->ssl);
        r = done == 1 ? 0 : judge(t, done);
        if (r == 0 && done == 1) {
            note_terms(t);
        } else if (r == 0) { /* closed in the middle of it */
            r = cut_off(t);
        }
    }
    (void)bg_mutex_unlock(&t->using);
    return r;
}

/* What is left of a handshake that is done on this side. A server's tickets can wait for what is
 * written next: a client that only writes, and for whom there is no room, would never read them. */
static int finish(bgi_tls *t)
{
    if (SSL_is_server(t->ssl) && t->version == BG_TLS_1_3) {
        (void)send_some(t);
        return 0;
    }
    return flush(t);
}

int bgi_tls_handshake(bgi_tls *t)
{
    for (;;) {
        int r = step(t);
        if (r < 0) {
            (void)send_some(t); /* the alert */
            return r;
        }
        int sent = r == 0 ? finish(t) : flush(t);
        int gone = sent == -EPIPE || sent == -ECONNRESET;
        if (sent != 0 && !gone) {
            return sent;
        }
        if (r == 0) {
            return 0; /* who is gone may have said all he had to say: it can be read */
        }
        /* Who is gone has said before why. */
        r = receive_more(t, gone ? MSG_DONTWAIT : 0);
        if (r != 0) {
            return r == -EAGAIN ? sent : r;
        }
    }
}
