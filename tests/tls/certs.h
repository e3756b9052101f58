/*
 * Certificates for the tests of TLS, made anew for each program in a folder of its own.
 */
#ifndef TESTS_TLS_CERTS_H
#define TESTS_TLS_CERTS_H

enum { CERTS_PATH = 128 };

/* Paths of PEM files; each certificate's key is in the same file. */
struct certs {
    char folder[64];
    char ca[CERTS_PATH];      /* an authority */
    char good[CERTS_PATH];    /* signed by it, for good.test and 127.0.0.1 */
    char expired[CERTS_PATH]; /* likewise, of the past */
    char self[CERTS_PATH];    /* signed by itself, for good.test */
    char client[CERTS_PATH];  /* of a client, signed by the authority */
};

/* 0: made; else something has failed. */
int certs_make(struct certs *c);

void certs_remove(const struct certs *c);

#endif
