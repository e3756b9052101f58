/*
 * TLS: streams (brigade/stream.h) over connections that are encrypted, by OpenSSL.
 *
 *     bg_tls_context *tls;
 *     bg_stream *s;
 *     if (bg_tls_context_create(&tls, .alpn = "http/1.1") == 0 &&
 *         bg_tls_connect(&s, tls, "example.org", "443") == 0) {
 *         bg_stream_printf(s, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
 *         bg_stream_flush(s);
 *         ...
 *         bg_stream_close(s);
 *     }
 *     bg_tls_context_free(tls);
 *
 * This header belongs to a library of its own, brigade_tls (CMake: brigade::tls; pkg-config:
 * brigade-tls), which is there where brigade was built with OpenSSL 3.0 or later. So <brigade.h>
 * does not include it, and the rest of brigade does not need OpenSSL.
 *
 * TLS 1.2 and 1.3. There are no renegotiation and no compression; a client asks for no session
 * that it has had. What a client is told by a server is checked unless the context says
 * otherwise: the certificate, and that it is one for the host.
 *
 * What is said in brigade/stream.h about waits holds here too: each can be cancelled and obeys
 * deadlines, in the handshake as well, and one that fails loses nothing. One task may read while
 * another writes. On plain threads calls block.
 *
 * The end: bg_stream_shutdown says that nothing more comes (close_notify), and so does
 * bg_stream_close, unless not all that was written could be sent. A reader sees the end (0,
 * -ENODATA) only if it has been told so; a connection that merely breaks off is -ECONNRESET.
 * Neither waits for the other side's close_notify. Reading goes on after bg_stream_shutdown, and
 * writing after the end has been read. A bg_stream_shutdown that has failed can be made again; but
 * it may have begun, and then nothing can be written any more (-EPIPE). A bg_stream_close fails
 * also if it could send all but the close_notify.
 *
 * Beside what sockets fail with, a stream fails with
 *   -EACCES       the other side's certificate was refused;
 *   -EPROTO       the other side has broken the protocol, or has refused us, or the two have
 *                 nothing in common (versions, ciphers, ALPN);
 *   -ECONNRESET   the connection has ended without a close_notify;
 *   -EIO          OpenSSL has failed, for lack of memory for one.
 * All these stay. bg_tls_error_text, and the option .error, say more. OpenSSL does not always know
 * that memory is all it lacks: it may then fail with any of these.
 *
 * OpenSSL runs on the task's stack: give such tasks at least 64 KiB (the default is more). A
 * handshake computes for a good part of a millisecond; a connection takes about 70 KiB.
 */
#ifndef BRIGADE_TLS_H
#define BRIGADE_TLS_H

#include <brigade/detail/options.h>
#include <brigade/stream.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/* What many connections have in common: certificates, key, protocols. */
typedef struct bg_tls_context bg_tls_context;

/* .verify: whether the other side has to show a certificate that .ca_file vouches for. */
enum {
    BG_TLS_USUAL = 0,     /* clients ask for it, servers do not */
    BG_TLS_VERIFY = 1,    /* both do: a server's clients need certificates of their own */
    BG_TLS_NO_VERIFY = 2, /* neither does: anybody may be the other side */
};

/* Versions of the protocol. */
enum {
    BG_TLS_1_2 = 12,
    BG_TLS_1_3 = 13,
};

typedef struct bg_tls_context_options {
    size_t size;           /* filled in by the macros: sizeof(bg_tls_context_options) */
    int server;            /* not 0: of a server, for bg_tls_server */
    int verify;            /* BG_TLS_USUAL, ... */
    int min_version;       /* BG_TLS_1_2 or BG_TLS_1_3; 0: BG_TLS_1_2 */
    const char *ca_file;   /* PEM: whom to trust; NULL: those the system does */
    const char *cert_file; /* PEM: our certificate, then those that lead to the root */
    const char *key_file;  /* PEM, not encrypted: its key; NULL: it is in cert_file */
    const char *alpn;      /* protocols, the preferred first: "h2,http/1.1"; NULL: none */
    char *error;           /* where a failure is explained; NULL: nowhere */
    size_t error_size;
} bg_tls_context_options;

/*
 * int bg_tls_context_create(bg_tls_context **out, ...options): a context for clients, or with
 * .server for servers. The options, and what they point to, are used during the call only.
 *
 * A server chooses the first of its .alpn that the client offers; one that has none in common with
 * a client that offers some refuses it. It must have a certificate.
 *
 * From any thread; reads files, on the calling thread; does not suspend. 0, and *out, for
 * bg_tls_context_free, to be used by any number of tasks at once. -EINVAL: options that are not
 * valid, a file that holds nothing of the kind, or a key that is another's; -ENOENT, -EACCES, ...:
 * a file cannot be opened; -ENOMEM (or -EINVAL, where OpenSSL does not say that it lacks memory).
 */
#define bg_tls_context_create(...)                                                                 \
    BG_DETAIL_CALL1(bg_tls_context_create_opts, bg_tls_context_options, __VA_ARGS__)
BG_API int bg_tls_context_create_opts(bg_tls_context **out, const bg_tls_context_options *options);

/*
 * Frees a context in which no handshake is under way; streams that have been made with it live on.
 * NULL is ignored. From any thread; does not suspend.
 */
BG_API void bg_tls_context_free(bg_tls_context *context);

typedef struct bg_tls_options {
    size_t size;                     /* filled in by the macros: sizeof(bg_tls_options) */
    const bg_stream_options *stream; /* of the stream that is made; NULL: the usual ones */
    char *error;                     /* where a failure is explained; NULL: nowhere */
    size_t error_size;
} bg_tls_options;

/*
 * int bg_tls_client(bg_stream **out, bg_tls_context *context, int fd, const char *host,
 *                   ...options): the client's side of a handshake over a connected stream socket,
 * and the stream over what comes of it. host is the name, or the address, that the certificate has
 * to be for; a name is told to the server, too (SNI). It may be NULL when the context does not
 * verify.
 *
 * Suspends while it waits for the other side; can be cancelled. 0, and *out, for bg_stream_close:
 * the descriptor is the stream's from now on. It stays the caller's when this fails, to be closed,
 * for the connection is of no use any more: -EACCES, -EPROTO, -ECONNRESET, -EIO: see above;
 * -EINVAL: out or context is NULL, the context is a server's, host is missing, empty or longer than
 * 255 bytes, or options that are not valid; -ENOTSOCK; -ENOMEM; -ECANCELED, -ETIMEDOUT. A side that
 * is done does not fail because the other one has gone meanwhile: what that has said can be read.
 */
#define bg_tls_client(...) BG_DETAIL_CALL4(bg_tls_client_opts, bg_tls_options, __VA_ARGS__)
BG_API int bg_tls_client_opts(bg_stream **out, bg_tls_context *context, int fd, const char *host,
                              const bg_tls_options *options);

/*
 * int bg_tls_server(bg_stream **out, bg_tls_context *context, int fd, ...options): likewise the
 * server's side, with a context made with .server (else -EINVAL). With TLS 1.3 the client is done
 * before the server has judged the client's certificate: a refusal shows at the client's first
 * read.
 */
#define bg_tls_server(...) BG_DETAIL_CALL3(bg_tls_server_opts, bg_tls_options, __VA_ARGS__)
BG_API int bg_tls_server_opts(bg_stream **out, bg_tls_context *context, int fd,
                              const bg_tls_options *options);

/*
 * int bg_tls_connect(bg_stream **out, bg_tls_context *context, const char *host, const char *port,
 *                    ...options): bg_tcp_connect, then bg_tls_client. Fails as these do; nothing
 * is left open then.
 */
#define bg_tls_connect(...) BG_DETAIL_CALL4(bg_tls_connect_opts, bg_tls_options, __VA_ARGS__)
BG_API int bg_tls_connect_opts(bg_stream **out, bg_tls_context *context, const char *host,
                               const char *port, const bg_tls_options *options);

/*
 * Of a stream that was made here. None suspends.
 *
 * The protocol that ALPN has found, which belongs to the stream; NULL: none, or another stream.
 */
BG_API const char *bg_tls_alpn(const bg_stream *stream);

/* The version that is spoken: BG_TLS_1_2 or BG_TLS_1_3. -EINVAL: another stream. */
BG_API int bg_tls_version(const bg_stream *stream);

/*
 * Why a stream has failed, in OpenSSL's words, for who has had -EACCES, -EPROTO, -ECONNRESET or
 * -EIO from it; "" when TLS has not failed. Always ends with '\0'; cut to fit. The length it has
 * uncut, or -EINVAL: another stream.
 */
BG_API int bg_tls_error_text(const bg_stream *stream, char *buffer, size_t size);

BG_END_DECLS

#endif
