/*
 * Signals that tasks wait for.
 *
 * signalfd(2) would need the signals to be blocked in every thread of the process, which a library
 * cannot see to: the thread that calls bg_run is the program's. So there is a handler, which notes
 * the signal for everybody who watches it and writes to an eventfd of theirs.
 *
 * Who watches has one of 64 places, static and never freed, for the handler may run at any time on
 * any thread, also after the last one has gone. A place keeps its eventfd for good.
 *
 * The words of a place
 *   watched  the set of signals, a bit each; 0: the place is free. Written under the lock
 *   pending  those that have come and have not been taken: set by the handler, cleared by who
 *            takes them (compare-and-swap); bits that are not watched mean nothing, they are left
 *            by a handler that was late
 *   fd       1 + the eventfd; 0: none yet. Written under the lock, once
 * Partners: watched: open (release) -> the handler (acquire): it sees the eventfd. pending: the
 * handler (release) -> next (acquire). A signal is noted before the write, and who waits looks at
 * what is noted after each read, so none is missed; a read that finds nothing noted reads again.
 *
 * `before[n]` is what the program had for signal n, from the first who watches it to the last,
 * under the lock. In a place that wants one SIGINT only `once` is not 0: the handler then puts back
 * what was before by itself, so that the next ends the process even if no task of it runs any more.
 *
 *   once  0 -> T      installed, under the lock. T is even, and never comes again
 *         T -> T + 1  begun, by the task that watches; or given up, by the caller, when the runtime
 *                     ends (compare-and-swaps)
 *         any -> 0    closed, under the lock
 * T is new each time since the place may have been closed, and be somebody else's, when the caller
 * looks whether its task has begun.
 *
 * A handler may be late: it runs on another thread, on behalf of places that have been closed or
 * opened meanwhile. A signal noted for them does no harm. Putting back does: it would undo what
 * somebody who has just begun to watch has installed. So who puts back is counted, `inside`, and
 * looks at the places only then; who opens or closes changes `watched`, waits until nobody is
 * inside, and goes on then (a full fence at both sides): either the handler has finished, or it
 * sees the change. It puts back before it notes the signal: who takes it finds that done. While
 * somebody else watches SIGINT, and does not want one only, nothing is put back. `once` is written
 * after `before` (release), and read inside (acquire).
 *
 * The handler saves errno, and calls write and sigaction only.
 */
#include "arch/lock.h"
#include "base/alloc.h"
#include "base/atomic.h"
#include "task/task.h"

#include <brigade/io.h>
#include <brigade/scope.h>
#include <brigade/signal.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifndef BGI_SIGNAL_PLACES
#define BGI_SIGNAL_PLACES 64
#endif

enum { PLACES = BGI_SIGNAL_PLACES };
enum { SIGNALS = sizeof(bgi_word) == 8 ? 64 : 31 }; /* so many, from 1: a bit each */

struct bg_signals {
    bgi_atomic watched, pending, fd, once;
};

static struct bg_signals place[PLACES];
static bgi_lock lock = BGI_LOCK_INIT(BGI_RANK_SIGNALS, "signals");
static struct sigaction before[SIGNALS + 1];
static unsigned watchers[SIGNALS + 1];
static bgi_atomic inside;

static bgi_word bit_of(int signal)
{
    return (bgi_word)1 << (signal - 1);
}

/* ---- the handler ---- */

static void note(struct bg_signals *s, bgi_word bit)
{
    static const uint64_t one = 1;
    bgi_word p = bgi_load(&s->pending);
    while (!bgi_cas_release(&s->pending, p, p | bit)) {
        p = bgi_load(&s->pending);
    }
    if (write((int)bgi_load(&s->fd) - 1, &one, sizeof one) < 0) {
        return; /* it is at its most: it can be read */
    }
}

/* If all who watch it want one only. */
static void put_back(int signal)
{
    int once = 0, always = 0;
    (void)bgi_fetch_add_relaxed(&inside, 1);
    bgi_fence_full();
    for (int i = 0; i < PLACES; i++) {
        if ((bgi_load(&place[i].watched) & bit_of(signal)) != 0) {
            *(bgi_load_acquire(&place[i].once) != 0 ? &once : &always) = 1;
        }
    }
    if (once && !always) {
        (void)sigaction(signal, &before[signal], NULL);
    }
    (void)bgi_fetch_sub(&inside, 1);
}

static void handler(int signal)
{
    int keep = errno;
    bgi_word bit = bit_of(signal);
    if (signal == SIGINT) {
        put_back(signal);
    }
    for (int i = 0; i < PLACES; i++) {
        struct bg_signals *s = &place[i];
        if ((bgi_load_acquire(&s->watched) & bit) != 0) {
            note(s, bit);
        }
    }
    errno = keep;
}

/* Under the lock, after `watched` was changed. */
static void let_handlers_out(void)
{
    bgi_fence_full();
    while (bgi_load_acquire(&inside) != 0) {
        (void)sched_yield();
    }
}

/* ---- watching ---- */

static int can_be_watched(int signal)
{
    switch (signal) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGSYS:
    case SIGPROF:
        return 0;
    default:
        return signal > 0 && signal <= SIGNALS;
    }
}

/* Under the lock. */
static void unwatch(bgi_word set)
{
    for (int i = 1; i <= SIGNALS; i++) {
        if ((set & bit_of(i)) != 0 && --watchers[i] == 0) {
            (void)sigaction(i, &before[i], NULL);
        }
    }
}

/* Under the lock: all of the set or none. What was before is written before a handler may want it,
 * and ours is installed though somebody watches: it may have been put back. */
static int watch(bgi_word set)
{
    struct sigaction ours = {.sa_handler = handler, .sa_flags = SA_RESTART};
    (void)sigfillset(&ours.sa_mask);
    for (int i = 1; i <= SIGNALS; i++) {
        if ((set & bit_of(i)) == 0) {
            continue;
        }
        if ((watchers[i] == 0 && sigaction(i, NULL, &before[i]) != 0) ||
            sigaction(i, &ours, NULL) != 0) {
            int r = -errno;
            unwatch(set & (bit_of(i) - 1));
            return r;
        }
        watchers[i]++;
    }
    return 0;
}

/* Under the lock: a free place that has an eventfd. */
static int find_place(struct bg_signals **out)
{
    for (int i = 0; i < PLACES; i++) {
        struct bg_signals *s = &place[i];
        if (bgi_load(&s->watched) != 0) {
            continue;
        }
        if (bgi_load(&s->fd) == 0) {
            int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (fd < 0) {
                return -errno;
            }
            bgi_store(&s->fd, (bgi_word)fd + 1);
        }
        *out = s;
        return 0;
    }
    return -EAGAIN;
}

BGI_NOINLINE static int open_set(bg_signals **out, bgi_word set, bgi_word *once)
{
    static bgi_word last;
    struct bg_signals *s = NULL;
    bgi_lock_acquire(&lock);
    int r = find_place(&s);
    if (r == 0) {
        bgi_store(&s->pending, 0);
        bgi_store_release(&s->watched, set);
        let_handlers_out();
        r = watch(set);
        if (r < 0) {
            bgi_store(&s->watched, 0);
        } else if (once != NULL) {
            *once = last += 2;
            bgi_store_release(&s->once, last);
        }
    }
    bgi_lock_release(&lock);
    if (r == 0) {
        *out = s;
    }
    return r;
}

int bg_signals_open(bg_signals **out, const int signals[], int n)
{
    bgi_word set = 0;
    if (out == NULL || signals == NULL || n <= 0) {
        return -EINVAL;
    }
    for (int i = 0; i < n; i++) {
        if (!can_be_watched(signals[i])) {
            return -EINVAL;
        }
        set |= bit_of(signals[i]);
    }
    return open_set(out, set, NULL);
}

void bg_signals_close(bg_signals *s)
{
    if (s == NULL) {
        return;
    }
    bgi_lock_acquire(&lock);
    bgi_word set = bgi_load(&s->watched);
    bgi_store(&s->watched, 0);
    let_handlers_out();
    bgi_store(&s->once, 0);
    unwatch(set);
    bgi_lock_release(&lock);
}

/* The first of those noted, or 0. */
static int take(struct bg_signals *s)
{
    bgi_word p = bgi_load(&s->pending);
    for (;;) {
        bgi_word here = p & bgi_load(&s->watched);
        if (here == 0) {
            return 0;
        }
        bgi_word bit = here & (~here + 1);
        bgi_word found = bgi_cas_fetch_acquire(&s->pending, p, p & ~bit);
        if (found == p) {
            return __builtin_ctzl(bit) + 1;
        }
        p = found;
    }
}

/* Others may wait for what is still noted. */
static void pass_on(struct bg_signals *s)
{
    static const uint64_t one = 1;
    if ((bgi_load(&s->pending) & bgi_load(&s->watched)) != 0 &&
        write((int)bgi_load(&s->fd) - 1, &one, sizeof one) < 0) {
        return;
    }
}

int bg_signals_next(bg_signals *s)
{
    int fd = (int)bgi_load(&s->fd) - 1;
    int r = bg_cancelled();
    int signal;
    if (r != 0) {
        return r;
    }
    while ((signal = take(s)) == 0) {
        uint64_t count;
        ssize_t n = bg_read(fd, &count, sizeof count);
        if (n < 0) {
            return (int)n;
        }
    }
    pass_on(s);
    return signal;
}

int bg_signal_wait(const int signals[], int n)
{
    bg_signals *s;
    int r = bg_signals_open(&s, signals, n);
    if (r < 0) {
        return r;
    }
    r = bg_signals_next(s);
    bg_signals_close(s);
    return r;
}

/* ---- Ctrl-C ---- */

/* A task that is cancelled before it begins never closes anything, so the caller stays until it has
 * begun. */
struct interrupts {
    bg_signals *signals;
    bgi_word once;
    bg_task *main;
};

/* Whether it was this call that has made it so. */
static int begin(const struct interrupts *i)
{
    return bgi_cas_relaxed(&i->signals->once, i->once, i->once + 1);
}

static int watch_interrupts(void *arg)
{
    const struct interrupts *i = arg;
    if (!begin(i)) {
        return 0;
    }
    int signal = bg_signals_next(i->signals);
    bg_signals_close(i->signals);
    if (signal == SIGINT) {
        bgi_task_cancel(i->main); /* its record is there as long as the runtime is */
    }
    return 0;
}

int bg_signal_interrupts(void)
{
    struct interrupts i = {.main = bgi_task_required("bg_signal_interrupts")};
    if (i.main == NULL) {
        return -EPERM;
    }
    int r = open_set(&i.signals, bit_of(SIGINT), &i.once);
    if (r < 0) {
        return r;
    }
    bg_spawn_options o = {.size = sizeof o, .name = "bg_signal_interrupts"};
    bg_task *t = bg_spawn_copy(watch_interrupts, &i, sizeof i, &o);
    if (t == NULL) {
        bg_signals_close(i.signals);
        return -ENOMEM;
    }
    bg_detach(t);
    const bg_runtime *rt = bgi_task_runtime(i.main);
    while (bgi_load(&i.signals->once) == i.once && bgi_load(&rt->stopping) == 0) {
        bg_yield();
    }
    if (begin(&i)) {
        bg_signals_close(i.signals);
        return -ECANCELED;
    }
    return 0;
}
