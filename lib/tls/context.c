/*
 * What TLS connections have in common, and what OpenSSL's errors mean.
 *
 * A context does not change once it is made, but for OpenSSL's own counters, which are its own to
 * guard: so any number of handshakes may use it at once.
 */
#include "tls/tls.h"

#include <brigade/error.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

void bgi_tls_tell(char *to, size_t size, const char *text)
{
    if (to != NULL && size != 0) {
        (void)snprintf(to, size, "%s", text);
    }
}

static int meaning(unsigned long e)
{
    int reason = ERR_GET_REASON(e);
    if (ERR_GET_LIB(e) == ERR_LIB_SYS) {
        return reason > 0 ? -reason : -EIO;
    }
    if (ERR_FATAL_ERROR(e)) { /* no memory, or something else that has nothing to do with anybody */
        return -EIO;
    }
    if (ERR_GET_LIB(e) == ERR_LIB_SSL && (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                                          reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
        return -EACCES;
    }
    return -EPROTO;
}

int bgi_tls_explain(char *text, size_t size, long verify)
{
    unsigned long first = ERR_get_error(), e;
    int result = first == 0 ? -EIO : meaning(first);
    while ((e = ERR_get_error()) != 0) {
        /* the first that says more than that something is wrong; but a certificate that could not
         * be judged has not been found wanting */
        if (result == -EPROTO || (result == -EACCES && ERR_FATAL_ERROR(e))) {
            result = meaning(e);
        }
    }
    const char *words = ERR_GET_LIB(first) == ERR_LIB_SYS ? bg_strerror(ERR_GET_REASON(first))
                                                          : ERR_reason_error_string(first);
    words = words == NULL ? "unknown error" : words;
    if (text == NULL || size == 0) {
        return result;
    }
    if (result == -EACCES && verify != X509_V_OK) {
        (void)snprintf(text, size, "%s: %s", words, X509_verify_cert_error_string(verify));
    } else {
        (void)snprintf(text, size, "%s", words);
    }
    return result;
}

/* ---- ALPN ---- */

/* "h2,http/1.1" as it is sent. 0, -EINVAL, -ENOMEM. */
static int parse_alpn(bg_tls_context *c, const char *list)
{
    size_t size = strlen(list) + 1;
    if (size > 65535 || (c->alpn = malloc(size)) == NULL) {
        return size > 65535 ? -EINVAL : -ENOMEM;
    }
    unsigned char *at = c->alpn;
    for (const char *name = list;; name++) {
        size_t n = strcspn(name, ",");
        if (n == 0 || n > 255) {
            return -EINVAL;
        }
        *at++ = (unsigned char)n;
        memcpy(at, name, n);
        at += n;
        name += n;
        if (*name == '\0') {
            break;
        }
    }
    c->alpn_size = (unsigned)(at - c->alpn);
    return 0;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                  const unsigned char *offered, unsigned offered_size, void *arg)
{
    const bg_tls_context *c = arg;
    unsigned char *found = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&found, out_size, c->alpn, c->alpn_size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- their life ---- */

static int set_protocols(bg_tls_context *c, const bg_tls_context_options *o)
{
    int version = o->min_version == BG_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (SSL_CTX_set_min_proto_version(c->ssl, version) != 1) {
        return -EPROTO;
    }
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(c->ssl,
                                         SSL_SESS_CACHE_OFF); /* tickets keep nothing here */
    if (o->alpn == NULL) {
        return 0;
    }
    int r = parse_alpn(c, o->alpn);
    if (r != 0) {
        return r;
    }
    if (c->server) {
        SSL_CTX_set_alpn_select_cb(c->ssl, choose, c);
        return 0;
    }
    return SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_size) == 0 ? 0 : -EPROTO;
}

/* Whom to trust, and whether to ask. */
static int set_trust(bg_tls_context *c, const bg_tls_context_options *o)
{
    static const unsigned char here[] = "brigade";
    if (!c->verify) {
        SSL_CTX_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
        return 0;
    }
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    int ok = o->ca_file == NULL ? SSL_CTX_set_default_verify_paths(c->ssl)
                                : SSL_CTX_load_verify_file(c->ssl, o->ca_file);
    if (ok == 1 && c->server) {
        ok = SSL_CTX_set_session_id_context(c->ssl, here, sizeof here - 1);
    }
    return ok == 1 ? 0 : -EPROTO;
}

/* Who we are. */
static int set_certificate(bg_tls_context *c, const bg_tls_context_options *o)
{
    if (o->cert_file == NULL) {
        return 0;
    }
    const char *key = o->key_file == NULL ? o->cert_file : o->key_file;
    return SSL_CTX_use_certificate_chain_file(c->ssl, o->cert_file) == 1 &&
                   SSL_CTX_use_PrivateKey_file(c->ssl, key, SSL_FILETYPE_PEM) == 1 &&
                   SSL_CTX_check_private_key(c->ssl) == 1
               ? 0
               : -EPROTO;
}

/* No terminal is asked for the password of a key. */
static int no_password(char *buffer, int size, int writes, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writes;
    (void)arg;
    return -1;
}

static int is_valid(const bg_tls_context_options *o)
{
    return o->size == sizeof *o && o->verify >= BG_TLS_USUAL && o->verify <= BG_TLS_NO_VERIFY &&
           (o->min_version == 0 || o->min_version == BG_TLS_1_2 || o->min_version == BG_TLS_1_3) &&
           (o->key_file == NULL || o->cert_file != NULL) && (!o->server || o->cert_file != NULL);
}

int bg_tls_context_create_opts(bg_tls_context **out, const bg_tls_context_options *options)
{
    bg_tls_context_options o = {.size = sizeof o};
    if (options != NULL) {
        o = *options;
    }
    if (out == NULL || !is_valid(&o)) {
        if (o.size == sizeof o) {
            bgi_tls_tell(o.error, o.error_size, "the options are not valid");
        }
        return -EINVAL;
    }
    bg_tls_context *c = calloc(1, sizeof *c);
    if (c == NULL) {
        bgi_tls_tell(o.error, o.error_size, bg_strerror(-ENOMEM));
        return -ENOMEM;
    }
    ERR_clear_error();
    c->server = o.server != 0;
    c->verify = o.verify == BG_TLS_VERIFY || (o.verify == BG_TLS_USUAL && !c->server);
    c->ssl = SSL_CTX_new(c->server ? TLS_server_method() : TLS_client_method());
    int r = -ENOMEM;
    if (c->ssl != NULL) {
        SSL_CTX_set_default_passwd_cb(c->ssl, no_password);
        r = set_protocols(c, &o);
        r = r == 0 ? set_trust(c, &o) : r;
        r = r == 0 ? set_certificate(c, &o) : r;
    }
    if (r == -EPROTO) {
        r = bgi_tls_explain(o.error, o.error_size, X509_V_OK);
        r = r == -EPROTO ? -EINVAL : r == -EIO ? -ENOMEM : r;
    } else if (r != 0) {
        bgi_tls_tell(o.error, o.error_size, bg_strerror(r));
    }
    if (r != 0) {
        bg_tls_context_free(c);
        return r;
    }
    ERR_clear_error();
    *out = c;
    return 0;
}

void bg_tls_context_free(bg_tls_context *c)
{
    if (c != NULL) {
        ERR_clear_error();
        SSL_CTX_free(c->ssl);
        ERR_clear_error();
        free(c->alpn);
        free(c);
    }
}
