/*
 * TLS when the system fails: each allocation, brigade's own and OpenSSL's, and each call on a
 * descriptor is refused once, or from some moment on, while contexts are made and while two sides
 * talk. Somebody is told, nobody hangs or is told of an end that is none, and nothing is left.
 *
 * OpenSSL makes some thousand allocations a conversation: of these some are tried here, and each
 * one by test_faults_all.c.
 *
 * Labels: long
 */
#include "refusals.h"

#include <sys/wait.h>

/* ---- memory ---- */

Test(tls_faults, openssl_has_no_memory)
{
    begin();
    sweep_openssl(&usual, 127);
    sweep_openssl(&mutual, 229);
    sweep_openssl(&old, 211);
    end();
}

Test(tls_faults, nobody_is_trusted_for_lack_of_memory)
{
    begin();
    sweep_openssl(&false_server, 53);
    sweep_openssl(&false_client, 149);
    end();
}

Test(tls_faults, contexts_for_which_openssl_has_no_memory)
{
    begin();
    sweep_contexts(BGI_FAULT_OPENSSL, 401);
    sweep_contexts(BGI_FAULT_OPENSSL | BGI_FAULT_FOREVER, 301);
    end();
}

Test(tls_faults, contexts_for_which_brigade_has_no_memory)
{
    begin();
    sweep_contexts(BGI_FAULT_MALLOC, 1);
    end();
}

Test(tls_faults, brigade_has_no_memory)
{
    begin();
    for (int how = 0; how < 3; how++) {
        struct sweep w = {.manner = &mutual,
                          .faults = BGI_FAULT_MALLOC | (how == 2 ? BGI_FAULT_FOREVER : 0),
                          .answer = ENOMEM,
                          .patient = how == 1,
                          .stride = EVERY_NTH,
                          .size = 30000};
        SWEEP(&w, .seed = 3);
        SWEEP(&w, .workers = 1, .spares = BG_NO_SPARES);
        cr_assert_gt(w.told, how == 1 ? 2 : w.tried / 2);
    }
    end();
}

/* ---- OpenSSL is not there yet ---- */

/* What comes of the very first context of a process, where the nth allocation fails: 0: what may.
 */
static int first_context(unsigned faults, size_t n)
{
    bg_tls_context *c = NULL;
    bgi_fault_arm(faults, n);
    int r = server_create(&c, &mutual);
    bgi_fault_disarm();
    int ok = (c == NULL) == (r != 0) && (r == 0 || r == -ENOMEM || r == -EINVAL);
    bg_tls_context_free(c);
    c = NULL; /* with memory again; OpenSSL may have given up for good */
    int again = server_create(&c, &mutual);
    ok = ok && (c == NULL) == (again != 0) && again <= 0 && (n != 0 || (r == 0 && again == 0));
    bg_tls_context_free(c);
    return ok ? 0 : 1;
}

/* Before the test framework, which uses OpenSSL as well. */
__attribute__((constructor(1000))) static void be_first(void)
{
    const char *faults = getenv("TESTS_TLS_FAULTS"), *n = getenv("TESTS_TLS_NTH");
    if (faults != NULL && n != NULL) {
        take_memory();
        (void)snprintf(certs.good, sizeof certs.good, "%s", getenv("TESTS_TLS_GOOD"));
        (void)snprintf(certs.ca, sizeof certs.ca, "%s", getenv("TESTS_TLS_CA"));
        _exit(first_context((unsigned)atoi(faults), (size_t)atoi(n)));
    }
}

/* In a process of its own. */
static int begin_elsewhere(unsigned faults, size_t n)
{
    pid_t child = fork();
    if (child == 0) {
        char text[2][32];
        (void)snprintf(text[0], sizeof text[0], "%u", faults);
        (void)snprintf(text[1], sizeof text[1], "%zu", n);
        (void)setenv("TESTS_TLS_FAULTS", text[0], 1);
        (void)setenv("TESTS_TLS_NTH", text[1], 1);
        (void)setenv("TESTS_TLS_GOOD", certs.good, 1);
        (void)setenv("TESTS_TLS_CA", certs.ca, 1);
        (void)execl("/proc/self/exe", "test_faults", (char *)NULL);
        _exit(99);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

Test(tls_faults, memory_fails_where_openssl_begins)
{
    begin();
    cr_assert_eq(begin_elsewhere(BGI_FAULT_OPENSSL, 0), 0);
    for (size_t n = 1; n < 20000; n += 1 + n / 2) {
        cr_assert_eq(begin_elsewhere(BGI_FAULT_OPENSSL, n), 0, "call %zu", n);
        cr_assert_eq(begin_elsewhere(BGI_FAULT_OPENSSL | BGI_FAULT_FOREVER, n), 0,
                     "call %zu and all after it", n);
    }
    end();
}

/* ---- descriptors ---- */

static void each_call_fails(int answer, size_t stride)
{
    struct sweep w = {.manner = &usual,
                      .faults = BGI_FAULT_IO,
                      .answer = answer,
                      .stride = stride * EVERY_NTH,
                      .size = 8000,
                      .pieces = 1000};
    cr_assert_eq(setenv("BRIGADE_IO", "epoll", 1), 0); /* whose calls are these */
    SWEEP(&w, .seed = 3);
    SWEEP(&w, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert(answer == EINTR || w.told > w.tried / 4);
}

Test(tls_faults, each_call_on_the_descriptor_fails)
{
    begin();
    each_call_fails(EIO, 2);
    each_call_fails(ENOMEM, 5);
    each_call_fails(ECONNRESET, 3);
    each_call_fails(EPIPE, 3);
    end();
}

Test(tls_faults, each_call_on_the_descriptor_is_interrupted)
{
    begin();
    each_call_fails(EINTR, 2);
    end();
}
