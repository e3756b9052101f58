/*
 * The handler, and what it needs.
 *
 * State: `users` counts installs, and with `previous` and `installed` changes under one lock.
 * `previous` is written before our handler is put in its place by sigaction, and never while it
 * may run without being meant to pass on, so the handler reads it without a lock. `lookup` is
 * written by bgi_overflow_set_lookup (release) and read by the handler (acquire).
 *
 * Passing on: a handler found before us is called as the kernel would have called it, except that
 * it runs with our signal mask and on our stack. For the default action the default is restored and
 * we return, so that the instruction faults again and the process dies at the right place; a signal
 * sent by somebody will not repeat itself, and is raised again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "stack/overflow.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/panic.h"
#include "base/rank.h"

#include "arch/lock.h"

#include "stack/stack.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum { SIGNALS = 2, ALT_STACK = 64 * 1024 };

static const int signals[SIGNALS] = {SIGSEGV, SIGBUS};

static bgi_lock lock = BGI_LOCK_INIT(BGI_RANK_OVERFLOW, "overflow handler");
static unsigned users;
static struct sigaction previous[SIGNALS];
static bgi_atomic lookup;

/* initial-exec: reading it in a handler must not allocate. */
static _Thread_local struct {
    const bgi_stack *stack;
    const char *task;
    void *alt; /* our alternate stack, if it is ours */
    size_t alt_size;
    unsigned depth;
} here __attribute__((tls_model("initial-exec")));

static int default_lookup(const void *addr, struct bgi_overflow_info *out)
{
    if (!here.stack || !bgi_stack_guard_hit(here.stack, addr)) {
        return 0;
    }
    out->task = here.task;
    out->low = here.stack->low;
    out->size = here.stack->nominal;
    return 1;
}

static int ask(const void *addr, struct bgi_overflow_info *out)
{
    bgi_overflow_lookup f = (bgi_overflow_lookup)bgi_load_acquire(&lookup);
    return (f ? f : default_lookup)(addr, out);
}

void bgi_overflow_set_lookup(bgi_overflow_lookup f)
{
    bgi_store_release(&lookup, (bgi_word)f);
}

void bgi_overflow_set_current(const bgi_stack *stack, const char *task)
{
    here.stack = stack;
    here.task = task;
}

static BGI_NORETURN void report(const struct bgi_overflow_info *info)
{
    bgi_panic("stack overflow in task '%s' (stack of %zu KiB at %p): raise .stack_size, or move "
              "large arrays to the heap",
              info->task ? info->task : "unnamed", info->size >> 10, info->low);
}

void bgi_overflow_report(const void *addr, const void *low, size_t size)
{
    struct bgi_overflow_info info = {NULL, low, size};
    struct bgi_overflow_info found;
    if (ask(addr, &found)) {
        info.task = found.task;
    }
    report(&info);
}

static void pass_on(int sig, siginfo_t *si, void *uc, const struct sigaction *to)
{
    if (to->sa_flags & SA_SIGINFO) {
        to->sa_sigaction(sig, si, uc);
        return;
    }
    if (to->sa_handler == SIG_IGN && si->si_code <= 0) {
        return;
    }
    if (to->sa_handler != SIG_DFL && to->sa_handler != SIG_IGN) {
        to->sa_handler(sig);
        return;
    }
    struct sigaction dfl;
    memset(&dfl, 0, sizeof dfl);
    dfl.sa_handler = SIG_DFL;
    (void)sigaction(sig, &dfl, NULL);
    if (si->si_code <= 0) {
        (void)raise(sig);
    }
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    int saved = errno;
    struct bgi_overflow_info info;
    /* si_code > 0: the kernel's own, with an address. */
    if (si->si_code > 0 && ask(si->si_addr, &info)) {
        report(&info);
    }
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i] == sig) {
            pass_on(sig, si, uc, &previous[i]);
        }
    }
    errno = saved;
}

static int is_ours(const struct sigaction *a)
{
    return (a->sa_flags & SA_SIGINFO) && a->sa_sigaction == on_fault;
}

/* Under the lock. Puts back what was found, where ours still is. */
static void restore(int n)
{
    for (int i = 0; i < n; i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && is_ours(&now)) {
            (void)sigaction(signals[i], &previous[i], NULL);
        }
    }
}

int bgi_overflow_install(void)
{
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigemptyset(&ours.sa_mask);
    int rc = 0;
    bgi_lock_acquire(&lock);
    for (int i = 0; users == 0 && i < SIGNALS; i++) {
        struct sigaction now;
        rc = sigaction(signals[i], NULL, &now) == 0 ? 0 : -errno;
        if (rc == 0 && !is_ours(&now)) {
            previous[i] = now;
            rc = sigaction(signals[i], &ours, NULL) == 0 ? 0 : -errno;
        }
        if (rc != 0) {
            restore(i);
            break;
        }
    }
    if (rc == 0) {
        users++;
    }
    bgi_lock_release(&lock);
    return rc;
}

void bgi_overflow_uninstall(void)
{
    bgi_lock_acquire(&lock);
    if (--users == 0) {
        restore(SIGNALS);
    }
    bgi_lock_release(&lock);
}

int bgi_overflow_thread_init(void)
{
    stack_t now;
    if (here.depth++ > 0 || (sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE))) {
        return 0;
    }
    size_t size = ALT_STACK + getauxval(AT_MINSIGSTKSZ); /* wide vector registers are saved here */
    size = (size + 4095) & ~(size_t)4095;
    void *alt = bgi_mmap(size, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    stack_t ours = {.ss_sp = alt, .ss_size = size, .ss_flags = 0};
    if (!alt) {
        return -ENOMEM;
    }
    if (sigaltstack(&ours, NULL) != 0) {
        int rc = -errno;
        (void)bgi_munmap(alt, size);
        return rc;
    }
    here.alt = alt;
    here.alt_size = size;
    return 0;
}

void bgi_overflow_thread_fini(void)
{
    if (here.depth == 0 || --here.depth > 0 || !here.alt) {
        return;
    }
    stack_t now;
    stack_t off = {.ss_sp = NULL, .ss_size = 0, .ss_flags = SS_DISABLE};
    /* If somebody has put another one there since, ours is just freed. */
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == here.alt) {
        (void)sigaltstack(&off, NULL);
    }
    (void)bgi_munmap(here.alt, here.alt_size);
    here.alt = NULL;
}
