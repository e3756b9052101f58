/*
 * See calls.h. The plan is written only while no call is under way, and seen by those who make
 * calls because they are spawned, or released, later; `seen` counts, and the number an increment
 * returns says which call one is. `live` is a statistic. So relaxed operations suffice.
 */
#include "calls.h"

#include "faults.h"

#include "base/atomic.h"
#include "base/compiler.h"

#include <brigade/io.h>
#include <brigade/scope.h>
#include <brigade/sync.h>
#include <brigade/task.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#if BGI_ASAN
#include <sanitizer/lsan_interface.h>
#endif

static bgi_atomic plan_on, plan_nth, plan_how;
static bgi_atomic seen;
static bgi_atomic pieces;

/* Of CALLS_MEANWHILE: who cancels, whom, and when to. */
static bg_task *canceller, *victim;
static bg_sem now;

static int cancel_victim(void *arg)
{
    int r = bg_sem_acquire(&now);
    (void)arg;
    return r == 0 ? bg_cancel(victim) : 0;
}

void calls_arm(size_t n, enum calls_cut how)
{
    bgi_store(&seen, 0);
    bgi_store(&plan_nth, n);
    bgi_store(&plan_how, how);
    bgi_store(&plan_on, 1);
    if (how == CALLS_MEANWHILE) {
        bg_sem_init(&now, 0);
        canceller = bg_spawn(cancel_victim, NULL);
    }
}

void calls_disarm(void)
{
    bgi_store(&plan_on, 0);
    if (canceller != NULL) {
        (void)bg_cancel(canceller);
        (void)bg_await(canceller);
        canceller = NULL;
    }
}

size_t calls_seen(void)
{
    return bgi_load(&seen);
}

void calls_pieces(size_t size)
{
    bgi_store(&pieces, size);
}

/* Whether this call is to be cut short by a deadline; one by a cancel has been seen to. */
static int is_cut(void)
{
    if (bgi_load(&plan_on) == 0 || bgi_fetch_add_relaxed(&seen, 1) + 1 != bgi_load(&plan_nth)) {
        return 0;
    }
    switch ((enum calls_cut)bgi_load(&plan_how)) {
    case CALLS_CANCEL:
        (void)bg_cancel(bg_self());
        return 0;
    case CALLS_MEANWHILE:
        victim = bg_self();
        (void)bg_sem_release(&now);
        return 0;
    case CALLS_DEADLINE:
        break;
    }
    return 1;
}

#define CUT(call)                                                                                  \
    if (is_cut()) {                                                                                \
        bg_timeout (0) {                                                                           \
            return call;                                                                           \
        }                                                                                          \
    }                                                                                              \
    return call

static size_t piece(size_t size)
{
    size_t most = bgi_load(&pieces);
    return most != 0 && most < size ? most : size;
}

ssize_t bgt_tls_recv(int fd, void *buffer, size_t size, int flags);
ssize_t bgt_tls_recv(int fd, void *buffer, size_t size, int flags)
{
    CUT(bg_fd_recv(fd, buffer, piece(size), flags));
}

ssize_t bgt_tls_send(int fd, const void *buffer, size_t size, int flags);
ssize_t bgt_tls_send(int fd, const void *buffer, size_t size, int flags)
{
    CUT(bg_fd_send(fd, buffer, piece(size), flags));
}

int bgt_tls_lock(bg_mutex *mutex);
int bgt_tls_lock(bg_mutex *mutex)
{
    CUT(bg_mutex_lock(mutex));
}

/* ---- OpenSSL's memory ---- */

static bgi_atomic live;
static char refused_at[160] = "nowhere";

static int is_refused(const char *file, int line)
{
    if (!bgi_fault_refuses(BGI_FAULT_OPENSSL, ENOMEM)) {
        return 0;
    }
    (void)snprintf(refused_at, sizeof refused_at, "%s:%d", file == NULL ? "?" : file, line);
    return 1;
}

/* A leak checker leaves it alone: OpenSSL loses some itself, and it is counted here. */
static void *take(size_t size, const char *file, int line)
{
#if BGI_ASAN
    __lsan_disable();
#endif
    void *p = is_refused(file, line) ? NULL : malloc(size);
#if BGI_ASAN
    __lsan_enable();
#endif
    (void)bgi_fetch_add_relaxed(&live, p != NULL);
    return p;
}

static void give(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    (void)bgi_fetch_add_relaxed(&live, (bgi_word)0 - (p != NULL));
    free(p);
}

static void *take_again(void *p, size_t size, const char *file, int line)
{
    if (p == NULL) {
        return take(size, file, line);
    }
    if (size == 0) {
        give(p, file, line);
        return NULL;
    }
    if (is_refused(file, line)) {
        return NULL;
    }
#if BGI_ASAN
    __lsan_disable();
#endif
    p = realloc(p, size);
#if BGI_ASAN
    __lsan_enable();
#endif
    return p;
}

int openssl_memory_take(void)
{
    return CRYPTO_set_mem_functions(take, take_again, give) == 1 ? 0 : -1;
}

size_t openssl_memory_live(void)
{
    return bgi_load(&live);
}

const char *openssl_memory_refused(void)
{
    return refused_at;
}
