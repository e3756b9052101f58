/*
 * What test_faults.c and test_faults_all.c share: conversations in which the nth call fails.
 */
#ifndef TESTS_TLS_REFUSALS_H
#define TESTS_TLS_REFUSALS_H

#include "talk.h"

#include "tls/tls.h"

/* Before anything can have called OpenSSL. */
__attribute__((constructor)) static void take_memory(void)
{
    static int taken;
    if (!taken && openssl_memory_take() != 0) {
        abort();
    }
    taken = 1;
}

/* What two sides can have in common. */
struct manner {
    int version; /* 0: the newest */
    int mutual;  /* the client has a certificate, too */
    const char *alpn;
    int impostor; /* which side shows a certificate of nobody's: 1: the server, 2: the client */
};

static const struct manner usual = {0}, mutual = {.mutual = 1, .alpn = "h2,http/1.1"},
                           old = {.version = BG_TLS_1_2, .mutual = 1, .alpn = "h2"},
                           false_server = {.impostor = 1},
                           false_client = {.mutual = 1, .impostor = 2};

static inline int client_create(bg_tls_context **out, const struct manner *m)
{
    const char *shown = m->impostor == 2 ? certs.self : certs.client;
    return bg_tls_context_create(out, .ca_file = certs.ca, .alpn = m->alpn,
                                 .cert_file = m->mutual ? shown : NULL);
}

static inline int server_create(bg_tls_context **out, const struct manner *m)
{
    return bg_tls_context_create(
        out, .server = 1, .alpn = m->alpn, .cert_file = m->impostor == 1 ? certs.self : certs.good,
        .ca_file = m->mutual ? certs.ca : NULL, .verify = m->mutual ? BG_TLS_VERIFY : BG_TLS_USUAL);
}

static inline void contexts_open(struct pair *p, const struct manner *m)
{
    CHECK(client_create(&p->client, m) == 0);
    CHECK(server_create(&p->server, m) == 0);
    if (m->version == BG_TLS_1_2) {
        CHECK(SSL_CTX_set_max_proto_version(p->server->ssl, TLS1_2_VERSION) == 1);
    }
}

static inline void contexts_close(struct pair *p)
{
    bg_tls_context_free(p->client);
    bg_tls_context_free(p->server);
}

/* Whether a side has failed as the header says, where a call on it, or on the other, was refused.
 * -EACCES is there because OpenSSL does not always say that it has no memory. */
static inline int as_promised(const struct talker *t, int answer)
{
    static const int codes[] = {0, -ENOMEM, -EIO, -EPROTO, -EACCES, -ECONNRESET, -EPIPE};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (t->failed == codes[i]) {
            return 1;
        }
    }
    return t->failed == -answer || (t->failed == -ENODATA && t->ended);
}

/* ---- two sides that talk ---- */

struct sweep {
    const struct manner *manner;
    unsigned faults; /* kinds; with BGI_FAULT_FOREVER: from the nth call on */
    int answer;      /* the errno of what is refused */
    int patient;     /* whoever is told so tries again */
    size_t stride;   /* every stride-th call is tried */
    size_t size, pieces;
    /* what has come of it */
    size_t tried, told;
};

/* OpenSSL itself loses a few blocks where it reads certificates; a BIO has more, and a connection
 * hundreds. */
enum { LOSES = 3, LOSES_IN_ALL = 20 };

/* Whether whoever has met an impostor has seen that. */
static inline int is_safe(const struct talk *k, int impostor)
{
    const struct talker *judge = impostor == 1 ? &k->client : &k->server;
    return impostor == 0 || judge->result[TALK_SHAKE] != 0;
}

static inline int sweep_one(struct sweep *w, struct pair *p, size_t n)
{
    struct talk k = {.size = w->size, .faults = w->faults, .fault = n, .patient = w->patient};
    size_t of_openssl = openssl_memory_live(), of_brigade = bgi_alloc_live();
    int open = open_sockets(), good = talk(&k, p->client, p->server);
    int failures = (int)bgi_load(&check_failures);
    w->tried++;
    w->told += !good;
    CHECK(as_promised(&k.client, w->answer) && as_promised(&k.server, w->answer));
    CHECK(is_safe(&k, w->manner->impostor));
    CHECK(!w->patient || good || k.client.result[TALK_SHAKE] != 0 ||
          k.server.result[TALK_SHAKE] != 0);
    CHECK(openssl_memory_live() <= of_openssl + LOSES);
    CHECK(bgi_alloc_live() == of_brigade);
    CHECK(open_sockets() == open);
    return (int)bgi_load(&check_failures) - failures;
}

static inline int main_sweep(void *arg)
{
    struct sweep *w = arg;
    struct pair p;
    contexts_open(&p, w->manner);
    calls_pieces(w->pieces);
    struct talk k = {.size = w->size};
    for (int i = 0; i < 2; i++) { /* what OpenSSL makes once, and brigade keeps */
        CHECK(talk(&k, p.client, p.server) == (w->manner->impostor == 0));
    }
    k.faults = w->faults & ~(unsigned)BGI_FAULT_FOREVER;
    (void)talk(&k, p.client, p.server);
    size_t calls = bgi_fault_count(), before = openssl_memory_live();
    CHECK(calls > 10);
    for (size_t n = 1; n <= calls; n += w->stride) {
        if (sweep_one(w, &p, n) != 0) {
            (void)fprintf(stderr, "call %zu of %zu; OpenSSL's was %s\n", n, calls,
                          openssl_memory_refused());
        }
    }
    CHECK(talk(&k, p.client, p.server) == (w->manner->impostor == 0));
    CHECK(openssl_memory_live() <= before + LOSES_IN_ALL);
    calls_pieces(0);
    contexts_close(&p);
    return 0;
}

#define SWEEP(w, ...)                                                                              \
    do {                                                                                           \
        size_t sweep_blocks = bgi_alloc_live(), sweep_bytes = bgi_mapped_live();                   \
        bgi_fault_answer((w)->answer);                                                             \
        RUN(main_sweep, w, __VA_ARGS__);                                                           \
        bgi_fault_answer(0);                                                                       \
        cr_assert_eq(bgi_alloc_live(), sweep_blocks);                                              \
        cr_assert_eq(bgi_mapped_live(), sweep_bytes);                                              \
    } while (0)

static inline void sweep_openssl(const struct manner *m, size_t stride)
{
    struct sweep w = {
        .manner = m, .faults = BGI_FAULT_OPENSSL, .answer = ENOMEM, .stride = stride, .size = 3000};
    SWEEP(&w, .seed = 3);
    cr_assert_gt(w.told, w.tried / 8);
    w.faults |= BGI_FAULT_FOREVER;
    w.stride *= 2;
    w.tried = w.told = 0;
    SWEEP(&w, .seed = 3);
    cr_assert_eq(w.told, w.tried);
}

/* ---- contexts ---- */

struct making {
    unsigned faults;
    size_t stride;
    size_t tried, told;
};

static inline void make_one(struct making *m, const struct manner *manner, int server, size_t n)
{
    struct pair p;
    bg_tls_context *c = NULL;
    size_t live = openssl_memory_live();
    bgi_fault_arm(m->faults, n);
    int r = server ? server_create(&c, manner) : client_create(&c, manner);
    bgi_fault_disarm();
    m->tried++;
    m->told += r != 0;
    CHECK(ERR_peek_error() == 0);
    CHECK((c == NULL) == (r != 0));
    CHECK(r == 0 || r == -ENOMEM || r == -EINVAL);
    CHECK(r == 0 || (m->faults & BGI_FAULT_MALLOC) == 0 || r == -ENOMEM);
    CHECK(r == 0 || openssl_memory_live() <= live + LOSES);
    if (r != 0) {
        return;
    }
    /* one that has been made may lack somebody to trust, but trusts nobody else */
    struct talk k = {.size = 10};
    contexts_open(&p, manner);
    (void)talk(&k, server ? p.client : c, server ? c : p.server);
    CHECK(is_safe(&k, manner->impostor));
    CHECK(as_promised(&k.client, 0) && as_promised(&k.server, 0));
    contexts_close(&p);
    bg_tls_context_free(c);
}

static inline int main_make(void *arg)
{
    struct making *m = arg;
    for (int server = 0; server < 2; server++) {
        const struct manner *manner = server ? &false_client : &false_server;
        bg_tls_context *c = NULL;
        size_t live = 0;
        struct talk k = {.size = 10};
        struct pair p;
        contexts_open(&p, manner); /* what OpenSSL makes once */
        CHECK(talk(&k, p.client, p.server) == 0);
        contexts_close(&p);
        for (int i = 0; i < 3; i++) {
            live = openssl_memory_live();
            bgi_fault_arm(m->faults & ~(unsigned)BGI_FAULT_FOREVER, 0);
            CHECK((server ? server_create(&c, manner) : client_create(&c, manner)) == 0);
            bgi_fault_disarm();
            bg_tls_context_free(c);
        }
        for (size_t n = 1, calls = bgi_fault_count(); n <= calls; n += m->stride) {
            make_one(m, manner, server, n);
        }
        CHECK(openssl_memory_live() <= live + LOSES_IN_ALL);
    }
    return 0;
}

/* Every stride-th allocation of a kind fails while a context is made. */
static inline void sweep_contexts(unsigned faults, size_t stride)
{
    struct making m = {.faults = faults, .stride = stride};
    size_t blocks = bgi_alloc_live();
    RUN(main_make, &m, .seed = 3);
    cr_assert_gt(m.told, 0);
    cr_assert((faults & BGI_FAULT_FOREVER) == 0 || m.told == m.tried);
    cr_assert_eq(bgi_alloc_live(), blocks);
}

#endif
