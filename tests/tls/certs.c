#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    int ok = e != NULL && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

/* ca NULL: signed by itself. from, to: days from now. */
static X509 *make(const char *name, const char *alternatives, EVP_PKEY *key, X509 *ca,
                  EVP_PKEY *ca_key, int is_ca, int from, int to)
{
    static long serial = 1;
    X509 *x = X509_new();
    if (x == NULL) {
        return NULL;
    }
    X509_NAME *subject = X509_get_subject_name(x);
    int ok = X509_set_version(x, 2) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(x), from * 86400L) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(x), to * 86400L) != NULL &&
             X509_set_pubkey(x, key) == 1 &&
             X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                        -1, -1, 0) == 1 &&
             X509_set_issuer_name(x, ca == NULL ? subject : X509_get_subject_name(ca)) == 1 &&
             add_extension(x, ca == NULL ? x : ca, NID_basic_constraints,
                           is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
             (alternatives == NULL ||
              add_extension(x, ca == NULL ? x : ca, NID_subject_alt_name, alternatives)) &&
             X509_sign(x, ca == NULL ? key : ca_key, EVP_sha256()) != 0;
    if (!ok) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static int save(const char *path, X509 *x, EVP_PKEY *key)
{
    FILE *f = fopen(path, "we");
    int ok = f != NULL && x != NULL && PEM_write_X509(f, x) == 1 &&
             PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (f != NULL && fclose(f) != 0) {
        ok = 0;
    }
    X509_free(x);
    return ok;
}

static void place(const struct certs *c, char *path, const char *name)
{
    (void)snprintf(path, CERTS_PATH, "%s/%s.pem", c->folder, name);
}

int certs_make(struct certs *c)
{
    static const char names[] = "DNS:good.test,DNS:*.wild.test,IP:127.0.0.1";
    (void)snprintf(c->folder, sizeof c->folder, "/tmp/brigade_tls_XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        return -1;
    }
    place(c, c->ca, "ca");
    place(c, c->good, "good");
    place(c, c->expired, "expired");
    place(c, c->self, "self");
    place(c, c->client, "client");
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key == NULL ? NULL : make("an authority", NULL, ca_key, NULL, NULL, 1, -2, 2);
    int ok = key != NULL && ca != NULL &&
             save(c->good, make("good.test", names, key, ca, ca_key, 0, -1, 1), key) &&
             save(c->expired, make("good.test", names, key, ca, ca_key, 0, -2, -1), key) &&
             save(c->self, make("good.test", names, key, NULL, NULL, 0, -1, 1), key) &&
             save(c->client, make("a client", NULL, key, ca, ca_key, 0, -1, 1), key);
    ok = save(c->ca, ca, ca_key) && ok;
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return ok ? 0 : -1;
}

void certs_remove(const struct certs *c)
{
    (void)unlink(c->ca);
    (void)unlink(c->good);
    (void)unlink(c->expired);
    (void)unlink(c->self);
    (void)unlink(c->client);
    (void)rmdir(c->folder);
}
