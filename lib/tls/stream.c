/*
 * Streams over TLS: clients, servers, and what can be asked of one.
 */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <brigade/error.h>
#include <brigade/io.h>
#include <brigade/net.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

static int is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Whom the certificate has to be for, and whom the server is asked for. 1: done; else there is no
 * memory. */
static int set_host(SSL *ssl, const char *host, int verify)
{
    int address = is_address(host);
    if (!address && SSL_set_tlsext_host_name(ssl, host) != 1) {
        return 0;
    }
    if (!verify) {
        return 1;
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
                   : SSL_set1_host(ssl, host);
}

static int prepare(bgi_tls *t, const bg_tls_context *c, const char *host)
{
    if (c->server) {
        SSL_set_accept_state(t->ssl);
        return 0;
    }
    SSL_set_connect_state(t->ssl);
    ERR_clear_error();
    int ok = host == NULL || set_host(t->ssl, host, c->verify) == 1;
    ERR_clear_error();
    return ok ? 0 : -ENOMEM;
}

static int begin(bg_stream **out, bg_tls_context *c, int fd, const char *host,
                 const bg_tls_options *o)
{
    bgi_tls *t = bgi_tls_new(c, fd);
    if (t == NULL) {
        bgi_tls_tell(o->error, o->error_size, bg_strerror(-ENOMEM));
        return -ENOMEM;
    }
    int r = prepare(t, c, host);
    if (r == 0) {
        r = bgi_tls_handshake(t);
    }
    if (r == 0) {
        r = bg_stream_open_over_opts(out, &bgi_tls_transport, t, o->stream);
    }
    if (r != 0) {
        bgi_tls_tell(o->error, o->error_size, t->failed != 0 ? t->text : bg_strerror(r));
        bgi_tls_free(t);
    }
    return r;
}

static int is_valid(const char *host, int verify)
{
    return host == NULL ? !verify : host[0] != '\0' && strlen(host) <= TLSEXT_MAXLEN_host_name;
}

static int open_side(int server, bg_stream **out, bg_tls_context *c, int fd, const char *host,
                     const bg_tls_options *options)
{
    bg_tls_options o = {.size = sizeof o};
    if (options != NULL) {
        if (options->size != sizeof o) {
            return -EINVAL;
        }
        o = *options;
    }
    if (out == NULL || c == NULL || c->server != server ||
        (!server && !is_valid(host, c->verify))) {
        bgi_tls_tell(o.error, o.error_size, "the arguments are not valid");
        return -EINVAL;
    }
    return begin(out, c, fd, host, &o);
}

int bg_tls_client_opts(bg_stream **out, bg_tls_context *context, int fd, const char *host,
                       const bg_tls_options *options)
{
    return open_side(0, out, context, fd, host, options);
}

int bg_tls_server_opts(bg_stream **out, bg_tls_context *context, int fd,
                       const bg_tls_options *options)
{
    return open_side(1, out, context, fd, NULL, options);
}

int bg_tls_connect_opts(bg_stream **out, bg_tls_context *context, const char *host,
                        const char *port, const bg_tls_options *options)
{
    if (out == NULL || context == NULL || context->server || host == NULL ||
        (options != NULL && options->size != sizeof *options)) {
        return -EINVAL;
    }
    int fd = bg_tcp_connect(host, port);
    if (fd < 0) {
        if (options != NULL) {
            bgi_tls_tell(options->error, options->error_size, bg_strerror(fd));
        }
        return fd;
    }
    int r = bg_tls_client_opts(out, context, fd, host, options);
    if (r != 0) {
        (void)bg_fd_close(fd);
    }
    return r;
}

/* ---- questions ---- */

const char *bg_tls_alpn(const bg_stream *stream)
{
    const bgi_tls *t = bg_stream_self(stream, &bgi_tls_transport);
    return t == NULL || t->alpn[0] == '\0' ? NULL : t->alpn;
}

int bg_tls_version(const bg_stream *stream)
{
    const bgi_tls *t = bg_stream_self(stream, &bgi_tls_transport);
    if (t == NULL) {
        return -EINVAL;
    }
    return t->version;
}

int bg_tls_error_text(const bg_stream *stream, char *buffer, size_t size)
{
    const bgi_tls *t = bg_stream_self(stream, &bgi_tls_transport);
    if (t == NULL || (buffer == NULL && size != 0)) {
        return -EINVAL;
    }
    bgi_tls_tell(buffer, size, t->text);
    return (int)strlen(t->text);
}
