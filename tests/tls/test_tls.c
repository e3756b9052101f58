/*
 * TLS: who is trusted and who is not, what is agreed upon, the ends of connections, waits that are
 * cut short in every place, and much data in both directions at once.
 *
 * Labels: drivers
 */
#include "pair.h"

#include "tls/tls.h"

#include <pthread.h>

static void in_all_modes(bg_fn fn)
{
    begin();
    RUN(fn, NULL, .workers = 1);
    RUN(fn, NULL, .workers = 4);
    RUN(fn, NULL, .seed = 3);
    end();
}

/* ---- contexts ---- */

Test(tls, contexts_that_cannot_be)
{
    begin();
    char text[200] = "", missing[200];
    bg_tls_context *c = NULL;
    (void)snprintf(missing, sizeof missing, "%s/none.pem", certs.folder);
    cr_assert_eq(bg_tls_context_create(NULL, .server = 0), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .server = 1, .error = text, .error_size = 10), -EINVAL);
    cr_assert_eq(strlen(text), 9); /* cut to fit */
    cr_assert_eq(bg_tls_context_create(&c, .verify = 3), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .min_version = 11), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .key_file = certs.good), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .alpn = ""), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .alpn = "h2,,x"), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .alpn = "h2,"), -EINVAL);
    cr_assert_eq(
        bg_tls_context_create(&c, .ca_file = missing, .error = text, .error_size = sizeof text),
        -ENOENT);
    cr_assert_str_eq(text, "no such file or directory");
    cr_assert_eq(bg_tls_context_create(&c, .server = 1, .cert_file = missing), -ENOENT);
    cr_assert_eq(bg_tls_context_create(&c, .cert_file = certs.good, .key_file = missing), -ENOENT);
    cr_assert_eq(bg_tls_context_create(&c, .cert_file = certs.good, .key_file = certs.ca,
                                       .error = text, .error_size = sizeof text),
                 -EINVAL);
    cr_assert_str_eq(text, "key values mismatch");
    cr_assert_eq(bg_tls_context_create(&c, .cert_file = "/dev/null"), -EINVAL);
    cr_assert_eq(bg_tls_context_create(&c, .ca_file = "/dev/null"), -EINVAL);
    cr_assert_null(c);
    cr_assert_eq(bg_tls_context_create(&c, .min_version = BG_TLS_1_3), 0);
    bg_tls_context_free(c);
    bg_tls_context_free(NULL);
    end();
}

static int main_arguments(void *arg)
{
    struct pair p;
    bg_stream *s = NULL;
    int fd[2];
    (void)arg;
    CHECK(bg_socketpair(SOCK_STREAM, fd) == 0);
    pair_contexts(&p, 0);
    CHECK(bg_tls_client(NULL, p.client, fd[0], "good.test") == -EINVAL);
    CHECK(bg_tls_client(&s, NULL, fd[0], "good.test") == -EINVAL);
    CHECK(bg_tls_client(&s, p.server, fd[0], "good.test") == -EINVAL);
    CHECK(bg_tls_client(&s, p.client, fd[0], NULL) == -EINVAL);
    CHECK(bg_tls_client(&s, p.client, fd[0], "") == -EINVAL);
    CHECK(bg_tls_server(&s, p.client, fd[0]) == -EINVAL);
    CHECK(bg_tls_client(&s, p.client, -1, "good.test") == -EBADF);
    CHECK(s == NULL);
    CHECK(bg_stream_open(&s, fd[0]) == 0); /* the descriptor is as it was */
    CHECK(bg_tls_alpn(s) == NULL);
    CHECK(bg_tls_version(s) == -EINVAL);
    CHECK(bg_tls_error_text(s, NULL, 0) == -EINVAL);
    CHECK(bg_stream_close(s) == 0);
    CHECK(bg_fd_close(fd[1]) == 0);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls, arguments_that_are_wrong)
{
    in_all_modes(main_arguments);
}

/* ---- who is trusted ---- */

static void converse(struct two *t)
{
    bg_stream *c = t->client.stream, *s = t->server.stream;
    char b;
    CHECK(says(c, "hello") && hears(s, "hello"));
    CHECK(says(s, "good day") && hears(c, "good day"));
    CHECK(bg_tls_error_text(c, NULL, 0) == 0);
    CHECK(bg_stream_close(c) == 0);
    CHECK(bg_stream_read(s, &b, 1) == 0);
    CHECK(bg_stream_close(s) == 0);
}

static int main_trust(void *arg)
{
    const struct {
        const char *certificate, *host;
        int verify;
        const char *why;
    } cases[] = {
        {certs.good, "good.test", BG_TLS_USUAL, NULL},
        {certs.good, "good.test", BG_TLS_VERIFY, NULL},
        {certs.good, "127.0.0.1", BG_TLS_USUAL, NULL},
        {certs.good, "a.wild.test", BG_TLS_USUAL, NULL},
        {certs.good, "bad.test", BG_TLS_USUAL, "hostname mismatch"},
        {certs.good, "good.test.bad.test", BG_TLS_USUAL, "hostname mismatch"},
        {certs.good, "a.b.wild.test", BG_TLS_USUAL, "hostname mismatch"},
        {certs.good, "127.0.0.2", BG_TLS_USUAL, "IP address mismatch"},
        {certs.good, "::1", BG_TLS_USUAL, "IP address mismatch"},
        {certs.expired, "good.test", BG_TLS_USUAL, "expired"},
        {certs.self, "good.test", BG_TLS_USUAL, "self-signed"},
        {certs.self, "good.test", BG_TLS_NO_VERIFY, NULL},
        {certs.expired, "bad.test", BG_TLS_NO_VERIFY, NULL},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bg_tls_context *client, *server;
        struct two t;
        CHECK(bg_tls_context_create(&client, .ca_file = certs.ca, .verify = cases[i].verify) == 0);
        CHECK(bg_tls_context_create(&server, .server = 1, .cert_file = cases[i].certificate) == 0);
        two_over_socketpair(&t, client, cases[i].host, server);
        if (cases[i].why == NULL) {
            CHECK(t.client.result == 0 && t.server.result == 0);
            CHECK(t.client.error[0] == '\0');
            converse(&t);
        } else {
            CHECK(t.client.result == -EACCES);
            CHECK(strstr(t.client.error, cases[i].why) != NULL);
            CHECK(t.server.result == -EPROTO); /* it has been told */
            CHECK(strstr(t.server.error, "alert") != NULL);
        }
        bg_tls_context_free(client);
        bg_tls_context_free(server);
    }
    return 0;
}

Test(tls, whom_a_client_trusts)
{
    in_all_modes(main_trust);
}

/* Of the system's authorities none has signed it. */
static int main_default_trust(void *arg)
{
    bg_tls_context *client, *server;
    struct two t;
    (void)arg;
    CHECK(bg_tls_context_create(&client, .alpn = NULL) == 0);
    CHECK(bg_tls_context_create(&server, .server = 1, .cert_file = certs.good) == 0);
    two_over_socketpair(&t, client, "good.test", server);
    CHECK(t.client.result == -EACCES);
    CHECK(t.server.result == -EPROTO);
    bg_tls_context_free(client);
    bg_tls_context_free(server);
    return 0;
}

Test(tls, a_client_trusts_the_systems_authorities_else)
{
    in_all_modes(main_default_trust);
}

static int main_clients(void *arg)
{
    const char *const shown[] = {certs.client, NULL, certs.self};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        bg_tls_context *client, *server;
        struct two t;
        char b;
        CHECK(bg_tls_context_create(&client, .ca_file = certs.ca, .cert_file = shown[i],
                                    .min_version = BG_TLS_1_3) == 0);
        CHECK(bg_tls_context_create(&server, .server = 1, .cert_file = certs.good,
                                    .ca_file = certs.ca, .verify = BG_TLS_VERIFY) == 0);
        two_over_socketpair(&t, client, "good.test", server);
        CHECK(t.client.result == 0);
        if (i == 0) {
            CHECK(t.server.result == 0);
            converse(&t);
        } else {
            CHECK(t.server.result == -EACCES);
            CHECK(bg_stream_read(t.client.stream, &b, 1) == -EPROTO);
            CHECK(bg_stream_read(t.client.stream, &b, 1) == -EPROTO);
            CHECK(bg_tls_error_text(t.client.stream, NULL, 0) > 0);
            CHECK(bg_stream_write(t.client.stream, "x", 1) == 0);
            CHECK(bg_stream_flush(t.client.stream) == -EPROTO);
            CHECK(bg_stream_close(t.client.stream) == -EPROTO);
        }
        bg_tls_context_free(client);
        bg_tls_context_free(server);
    }
    return 0;
}

Test(tls, servers_that_want_certificates)
{
    in_all_modes(main_clients);
}

/* ---- what is agreed upon ---- */

static int main_alpn(void *arg)
{
    const struct {
        const char *client, *server, *found;
        int result;
    } cases[] = {
        {"h2,http/1.1", "http/1.1,h2", "http/1.1", 0},
        {"h2", "http/1.1,h2", "h2", 0},
        {"h2", NULL, NULL, 0},
        {NULL, "h2", NULL, 0},
        {"h2", "http/1.1", NULL, -EPROTO},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bg_tls_context *client, *server;
        struct two t;
        CHECK(bg_tls_context_create(&client, .ca_file = certs.ca, .alpn = cases[i].client) == 0);
        CHECK(bg_tls_context_create(&server, .server = 1, .cert_file = certs.good,
                                    .alpn = cases[i].server) == 0);
        two_over_socketpair(&t, client, "good.test", server);
        CHECK(t.client.result == cases[i].result && t.server.result == cases[i].result);
        if (cases[i].result == 0) {
            const char *c = bg_tls_alpn(t.client.stream), *s = bg_tls_alpn(t.server.stream);
            CHECK((c == NULL) == (cases[i].found == NULL) && (s == NULL) == (c == NULL));
            CHECK(c == NULL || (strcmp(c, cases[i].found) == 0 && strcmp(c, s) == 0));
            converse(&t);
        } else {
            CHECK(strstr(t.client.error, "no application protocol") != NULL);
        }
        bg_tls_context_free(client);
        bg_tls_context_free(server);
    }
    return 0;
}

Test(tls, protocols_above)
{
    in_all_modes(main_alpn);
}

static int main_versions(void *arg)
{
    (void)arg;
    for (int most = BG_TLS_1_2; most <= BG_TLS_1_3; most++) {
        for (int least = 0; least <= BG_TLS_1_3; least += BG_TLS_1_3) {
            struct pair p;
            struct two t;
            pair_contexts(&p, least);
            CHECK(SSL_CTX_set_max_proto_version(
                      p.server->ssl, most == BG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1);
            two_over_socketpair(&t, p.client, "good.test", p.server);
            if (least > most) {
                CHECK(t.client.result == -EPROTO && t.server.result == -EPROTO);
            } else {
                CHECK(t.client.result == 0 && t.server.result == 0);
                CHECK(bg_tls_version(t.client.stream) == most);
                CHECK(bg_tls_version(t.server.stream) == most);
                converse(&t);
            }
            bg_tls_context_free(p.client);
            bg_tls_context_free(p.server);
        }
    }
    return 0;
}

Test(tls, versions)
{
    in_all_modes(main_versions);
}

static int main_keys(void *arg)
{
    struct pair p;
    (void)arg;
    pair_open(&p);
    bgi_tls *t = bg_stream_self(p.c, &bgi_tls_transport);
    for (int i = 0; i < 20; i++) {
        CHECK(SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        CHECK(says(p.c, "with new keys") && hears(p.s, "with new keys"));
        CHECK(says(p.s, "with mine") && hears(p.c, "with mine"));
    }
    pair_close(&p);
    return 0;
}

Test(tls, keys_that_change)
{
    in_all_modes(main_keys);
}

/* ---- over TCP ---- */

static int main_tcp(void *arg)
{
    struct pair p;
    struct side server;
    char port[16], b[64];
    int unused, listener = bg_tcp_listen("127.0.0.1", "0", 8);
    (void)arg;
    pair_contexts(&p, 0);
    bg_task *accepting;
    for (int round = 0; round < 10; round++) {
        bg_stream_options small = {.size = sizeof small, .read_buffer = 8};
        int fd[2];
        server = (struct side){.context = p.server};
        fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bg_address a = loopback(port_of(listener));
        CHECK(bg_connect(fd[0], (struct sockaddr *)&a.storage, a.size) == 0);
        server.fd = bg_accept(listener, NULL, NULL);
        accepting = bg_spawn(shake, &server);
        CHECK(bg_tls_client(&p.c, p.client, fd[0], "127.0.0.1", .stream = &small) == 0);
        CHECK(bg_await(accepting) == 0 && server.result == 0);
        /* It never reads the session tickets that the server has sent. */
        for (int i = 0; i < 100; i++) {
            CHECK(bg_stream_printf(p.c, "line %d\n", i) > 0);
        }
        CHECK(bg_stream_close(p.c) == 0);
        for (int i = 0; i < 100; i++) {
            char *line = NULL;
            (void)snprintf(b, sizeof b, "line %d", i);
            CHECK(bg_stream_read_line(server.stream, &line, NULL) == 1 && strcmp(line, b) == 0);
        }
        CHECK(bg_stream_read(server.stream, b, 1) == 0);
        CHECK(bg_stream_close(server.stream) == 0);
    }
    CHECK(bg_fd_close(listener) == 0);
    (void)snprintf(port, sizeof port, "%d", refusing(&unused));
    (void)memset(b, 0, sizeof b);
    CHECK(bg_tls_connect(&p.c, p.client, "127.0.0.1", port, .error = b, .error_size = sizeof b) ==
          -ECONNREFUSED);
    CHECK(strcmp(b, "connection refused") == 0);
    CHECK(bg_tls_connect(&p.c, p.server, "127.0.0.1", port) == -EINVAL);
    CHECK(close(unused) == 0);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls, over_tcp)
{
    in_all_modes(main_tcp);
}

struct echo {
    int listener;
    bg_tls_context *context;
};

static int accept_and_echo(void *arg)
{
    const struct echo *e = arg;
    for (int i = 0; i < 2; i++) {
        char *line = NULL;
        bg_stream *s = NULL;
        int fd = bg_accept(e->listener, NULL, NULL);
        if (bg_tls_server(&s, e->context, fd) != 0) {
            CHECK(i == 1); /* the client does not want us */
            CHECK(bg_fd_close(fd) == 0);
            continue;
        }
        CHECK(bg_stream_read_line(s, &line, NULL) == 1);
        CHECK(bg_stream_printf(s, "%s\n", line) > 0);
        CHECK(bg_stream_close(s) == 0);
    }
    return 0;
}

static int main_connect(void *arg)
{
    struct pair p;
    char port[16], text[200] = "", *line = NULL;
    struct echo e;
    (void)arg;
    pair_contexts(&p, 0);
    e = (struct echo){bg_tcp_listen("127.0.0.1", "0", 8), p.server};
    bg_task *t = bg_spawn(accept_and_echo, &e);
    (void)port_text(e.listener, port);
    CHECK(bg_tls_connect(&p.c, p.client, "127.0.0.1", port) == 0);
    CHECK(bg_stream_printf(p.c, "a line\n") > 0 && bg_stream_flush(p.c) == 0);
    CHECK(bg_stream_read_line(p.c, &line, NULL) == 1 && strcmp(line, "a line") == 0);
    CHECK(bg_stream_read_line(p.c, &line, NULL) == 0);
    CHECK(bg_stream_close(p.c) == 0);
    bg_tls_context_free(p.client);
    CHECK(bg_tls_context_create(&p.client, .ca_file = certs.self) == 0);
    CHECK(bg_tls_connect(&p.c, p.client, "127.0.0.1", port, .error = text,
                         .error_size = sizeof text) == -EACCES);
    CHECK(text[0] != '\0');
    CHECK(bg_await(t) == 0);
    CHECK(bg_fd_close(e.listener) == 0);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    return 0;
}

Test(tls, connect_and_serve)
{
    in_all_modes(main_connect);
}

static void *shake_on_thread(void *arg)
{
    (void)shake(arg);
    return NULL;
}

/* The least stack that brigade/tls.h speaks of. */
Test(tls, on_small_stacks)
{
    begin();
    RUN(main_connect, NULL, .workers = 2, .stack_size = (size_t)64 << 10);
    RUN(main_versions, NULL, .workers = 2, .stack_size = (size_t)64 << 10);
    end();
}

Test(tls, on_plain_threads)
{
    begin();
    struct pair p;
    int fd[2];
    pthread_t thread;
    pair_contexts(&p, 0);
    cr_assert_eq(bg_socketpair(SOCK_STREAM, fd), 0);
    struct two t = {.client = {.context = p.client, .fd = fd[0], .host = "good.test"},
                    .server = {.context = p.server, .fd = fd[1]}};
    cr_assert_eq(pthread_create(&thread, NULL, shake_on_thread, &t.server), 0);
    (void)shake(&t.client);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(t.client.result, 0);
    cr_assert_eq(t.server.result, 0);
    converse(&t);
    bg_tls_context_free(p.client);
    bg_tls_context_free(p.server);
    end();
}
