/*
 * A TLS connection, and what the files here share. See connection.c.
 */
#ifndef BGI_TLS_H
#define BGI_TLS_H

#include <brigade/stream.h>
#include <brigade/sync.h>
#include <brigade/tls.h>
#include <openssl/ssl.h>

enum {
    BGI_TLS_RECEIVE = 16384, /* bytes of ciphertext that are received at a time */
    BGI_TLS_SEND = 17408,    /* that are sent at a time: a full record, and a small one */
    BGI_TLS_TAKE = 32768,    /* bytes of plaintext that are taken before their ciphertext is sent */
    BGI_TLS_TEXT = 160,
    BGI_TLS_ALPN = 256,
};

struct bg_tls_context {
    SSL_CTX *ssl;
    int server, verify;
    unsigned char *alpn; /* as it is sent: each with its length before it */
    unsigned alpn_size;
};

typedef struct bgi_tls {
    int fd;
    bg_mutex sending; /* around wire, taken, cut, and all that sends */
    bg_mutex using;   /* around ssl, its two BIOs, failed; taken within `sending` or alone */
    SSL *ssl;
    BIO *in, *out; /* ciphertext that has come, that is to go; ssl's */
    int failed;    /* for good; 0: not. Once. */
    char text[BGI_TLS_TEXT];
    /* of the sender: what has been taken out of `out` and not been sent */
    char *wire;
    size_t wire_first, wire_last;
    size_t taken; /* plaintext whose ciphertext has not all been sent, nor been reported */
    int cut;      /* the last write has failed: the other side lacks something */
    /* of the reader: what has been received and not been put into `in` */
    size_t received_first, received_last;
    char received[BGI_TLS_RECEIVE];
    char alpn[BGI_TLS_ALPN]; /* set by the handshake: "" is none */
    int version;             /* likewise */
} bgi_tls;

extern const bg_stream_transport bgi_tls_transport;

/*
 * Explains the errors of this thread's queue in text, empties it, and gives the errno value.
 * text may be NULL. verify: what SSL_get_verify_result says, or X509_V_OK.
 */
int bgi_tls_explain(char *text, size_t size, long verify);

/* Puts a text where a caller wants it: there may be no such place. */
void bgi_tls_tell(char *to, size_t size, const char *text);

/* Of connection.c. One that has not shaken hands; context's `ssl` lives as long as it. NULL: no
 * memory. free leaves the descriptor alone. */
bgi_tls *bgi_tls_new(const bg_tls_context *context, int fd);
void bgi_tls_free(bgi_tls *t);

/* Suspends until both sides have agreed: 0. */
int bgi_tls_handshake(bgi_tls *t);

#endif
