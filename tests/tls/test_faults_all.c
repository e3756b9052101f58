/*
 * Each single allocation that OpenSSL makes in a conversation fails once, and every second with all
 * after it, and every fifth of a context's; test_faults.c tries some of them.
 *
 * Labels: soak
 */
#include "refusals.h"

Test(tls_faults_all, conversations)
{
    begin();
    sweep_openssl(&usual, 1);
    sweep_openssl(&mutual, 1);
    sweep_openssl(&old, 1);
    end();
}

Test(tls_faults_all, nobody_is_trusted)
{
    begin();
    sweep_openssl(&false_server, 1);
    sweep_openssl(&false_client, 1);
    end();
}

Test(tls_faults_all, contexts)
{
    begin();
    sweep_contexts(BGI_FAULT_OPENSSL, 5);
    sweep_contexts(BGI_FAULT_OPENSSL | BGI_FAULT_FOREVER, 5);
    end();
}
