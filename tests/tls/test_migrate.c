/*
 * TLS on several workers: many connections at once, cut into small pieces so that each waits many
 * times, most of which come to nothing, for reasons of their own. OpenSSL keeps the errors of a
 * thread together; who has waited may go on on another one, and does so each time in builds with
 * BGI_STRESS_YIELD. So an error that is looked for after a wait, or that somebody has left behind,
 * shows: a healthy connection fails with it, or a spoilt one with another's, or with none.
 *
 * Labels: drivers
 */
#include "talk.h"

static struct pair contexts;

static void healthy(void)
{
    struct talk k = {.size = 2000};
    CHECK(talk(&k, contexts.client, contexts.server));
}

/* The client does not trust the certificate, and says so. */
static void refused(const char *host, const char *why)
{
    struct two t;
    two_over_socketpair(&t, contexts.client, host, contexts.server);
    CHECK(t.client.result == -EACCES && strstr(t.client.error, why) != NULL);
    CHECK(t.server.result == -EPROTO && strstr(t.server.error, "alert bad certificate") != NULL);
}

/* Whoever is at the other end speaks another language. */
static void foreign(void)
{
    static const char words[] = "GET / HTTP/1.1\r\nHost: good.test\r\n\r\n";
    int fd[2];
    CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
    struct side s = {.context = contexts.server, .fd = fd[1]};
    bg_task *t = bg_spawn(shake, &s);
    CHECK(bg_write_all(fd[0], words, sizeof words - 1, NULL) == 0);
    CHECK(bg_await(t) == 0);
    CHECK(s.result == -EPROTO && strstr(s.error, "http request") != NULL);
    CHECK(bg_fd_close(fd[0]) == 0 && bg_fd_close(fd[1]) == 0);
}

static int says_why(bg_stream *s, const char *why)
{
    char text[200], b;
    return bg_stream_read(s, &b, 1) == -EPROTO && bg_tls_error_text(s, text, sizeof text) > 0 &&
           strstr(text, why) != NULL;
}

/* A record that nobody has the key of comes between two good ones. */
static void forged(void)
{
    static const unsigned char record[5 + 40] = {23, 3, 3, 0, 40};
    struct two t;
    two_over_socketpair(&t, contexts.client, "good.test", contexts.server);
    CHECK(t.client.result == 0 && t.server.result == 0);
    bg_stream *c = t.client.stream, *s = t.server.stream;
    CHECK(says(c, "good") && hears(s, "good"));
    CHECK(bg_write_all(bg_stream_fd(c), record, sizeof record, NULL) == 0);
    CHECK(says_why(s, "bad record mac"));
    CHECK(says_why(c, "alert bad record mac"));
    CHECK(bg_stream_close(c) == 0 && bg_stream_close(s) == 0);
}

/* The server is gone in the middle. */
static void broken(void)
{
    struct two t;
    char b, text[200];
    two_over_socketpair(&t, contexts.client, "good.test", contexts.server);
    CHECK(t.client.result == 0 && t.server.result == 0);
    bg_stream *c = t.client.stream, *s = t.server.stream;
    CHECK(says(s, "so far") && hears(c, "so far"));
    CHECK(shutdown(bg_stream_fd(s), SHUT_RDWR) == 0);
    CHECK(bg_stream_read(c, &b, 1) == -ECONNRESET);
    CHECK(bg_tls_error_text(c, text, sizeof text) > 0 && strstr(text, "close_notify") != NULL);
    CHECK(bg_stream_close(c) == 0 && bg_stream_close(s) == 0);
}

enum { AT_ONCE = 42, ROUNDS = 3 };

static int connect_some(void *arg)
{
    for (int i = (int)(intptr_t)arg, last = i + ROUNDS; i < last; i++) {
        switch (i % 7) {
        case 0:
            refused("bad.test", "hostname mismatch");
            break;
        case 1:
            refused("127.0.0.2", "IP address mismatch");
            break;
        case 2:
            foreign();
            break;
        case 3:
            forged();
            break;
        case 4:
            broken();
            break;
        default:
            healthy();
            break;
        }
    }
    return 0;
}

static int main_all(void *arg)
{
    bg_task *t[AT_ONCE];
    (void)arg;
    pair_contexts(&contexts, BG_TLS_1_3);
    for (intptr_t i = 0; i < AT_ONCE; i++) {
        t[i] = bg_spawn(connect_some, (void *)i);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        CHECK(bg_await(t[i]) == 0);
    }
    bg_tls_context_free(contexts.client);
    bg_tls_context_free(contexts.server);
    return 0;
}

Test(tls_migrate, each_fails_for_its_own_reason)
{
    begin();
    calls_pieces(150);
    RUN(main_all, NULL, .workers = 4);
    RUN(main_all, NULL, .workers = 2);
    RUN(main_all, NULL, .seed = 11);
    end();
}
