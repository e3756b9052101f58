/*
 * io/signal.c: a signal against those who begin and end to watch, and against those who wait; and
 * Ctrl-C: the handler puts back what was before while places are opened, closed and used again.
 *
 * The kernel is words: what each signal does, and how often each eventfd was written to. A thread
 * that sends a signal runs what it does at that moment, so a handler may be as late as it likes.
 * The tasks that watch for Ctrl-C are threads of the model, which wait until they are spawned.
 */
#include "waiting.h"

#include <brigade/io.h>
#include <brigade/signal.h>
#include <brigade/task.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

enum { DESCRIPTORS = BGI_SIGNAL_PLACES, FIRST = 1000 };

/* ---- the kernel ---- */

static bgi_atomic does[2];            /* SIGUSR1 and SIGINT: a handler */
static bgi_atomic count[DESCRIPTORS]; /* writes to each eventfd that nobody has read */
static bgi_atomic opened;             /* eventfds */
static int own[MC_THREADS];           /* what the program had before was called by this thread */

static bgi_atomic *what(int signal)
{
    mc_assert(signal == SIGUSR1 || signal == SIGINT);
    return &does[signal == SIGINT];
}

static void programs_own(int signal)
{
    (void)signal;
    own[mc_self()]++;
}

static void raise_it(int signal)
{
    void (*handler)(int) = (void (*)(int))bgi_load_acquire(what(signal));
    handler(signal);
}

static int play_sigaction(int signal, const struct sigaction *act, struct sigaction *old)
{
    bgi_atomic *w = what(signal);
    bgi_word was = bgi_load_acquire(w);
    while (act != NULL) {
        bgi_word found = bgi_cas_fetch(w, was, (bgi_word)act->sa_handler);
        if (found == was) {
            break;
        }
        was = found;
    }
    if (old != NULL) { /* when it has been changed already */
        old->sa_handler = (void (*)(int))was;
    }
    return 0;
}

static bgi_atomic *count_of(int fd)
{
    mc_assert(fd >= FIRST && fd < FIRST + DESCRIPTORS);
    return &count[fd - FIRST];
}

static ssize_t play_write(int fd, const void *data, size_t size)
{
    mc_assert(size == sizeof(uint64_t) && *(const uint64_t *)data == 1);
    (void)bgi_fetch_add(count_of(fd), 1);
    return sizeof(uint64_t);
}

int __wrap_eventfd(unsigned n, int flags);
int __wrap_eventfd(unsigned n, int flags)
{
    mc_assert(n == 0 && flags == (EFD_CLOEXEC | EFD_NONBLOCK));
    return FIRST + (int)bgi_fetch_add(&opened, 1);
}

ssize_t __wrap_bg_read(int fd, void *buffer, size_t size);
ssize_t __wrap_bg_read(int fd, void *buffer, size_t size)
{
    bgi_atomic *c = count_of(fd);
    mc_assert(size == sizeof(uint64_t));
    for (;;) {
        bgi_word n = bgi_load_acquire(c);
        if (n == 0) {
            mc_await_differs(c, 0);
        } else if (bgi_cas(c, n, 0)) {
            *(uint64_t *)buffer = n;
            return sizeof(uint64_t);
        }
    }
}

static const mc_system kernel = {play_sigaction, play_write};

/* ---- tasks that are spawned ---- */

struct call {
    bg_fn fn;
    char arg[64];
};

static struct call spawned[MC_THREADS]; /* by each thread the last */
static bgi_atomic spawns[MC_THREADS];
static bgi_atomic ended; /* of them */

bg_task *__wrap_bg_spawn_copy(bg_fn fn, const void *arg, size_t size, const bg_spawn_options *o);
bg_task *__wrap_bg_spawn_copy(bg_fn fn, const void *arg, size_t size, const bg_spawn_options *o)
{
    int i = mc_self();
    bgi_word n = bgi_load(&spawns[i]);
    (void)o;
    mc_assert(size <= sizeof spawned[i].arg);
    spawned[i].fn = fn;
    memcpy(spawned[i].arg, arg, size);
    bgi_store_release(&spawns[i], n + 1);
    return rt_task((unsigned)i * 2 + 4 + (unsigned)n);
}

/* What thread i spawns as its nth. The next one is not spawned before this one has begun. */
static void run_spawned(int i, bgi_word n)
{
    struct call c;
    if (mc_self() < RIG_PLACES) {
        (void)wt_begin();
    } else {
        wt_begin_thread(); /* there are no more workers; it need not suspend */
    }
    mc_await_equal(&spawns[i], n);
    c = spawned[i];
    mc_assert(c.fn(c.arg) == 0);
    (void)bgi_fetch_add(&ended, 1);
}

/* ---- */

static bg_signals *both_wait_for;
static bgi_atomic ready, done;
static int data; /* plain: written before the signal */

static void set_up(void)
{
    wt_setup(12);
    mc_play_system(&kernel);
    for (int i = 0; i < 2; i++) {
        bgi_store(&does[i], (bgi_word)programs_own);
    }
    for (int i = 0; i < DESCRIPTORS; i++) {
        bgi_store(&count[i], 0);
    }
    for (int i = 0; i < MC_THREADS; i++) {
        bgi_store(&spawns[i], 0);
        own[i] = 0;
    }
    bgi_store(&opened, 0);
    bgi_store(&ended, 0);
    bgi_store(&ready, 0);
    bgi_store(&done, 0);
    data = 0;
}

static bg_signals *watch(int signal)
{
    bg_signals *s = NULL;
    mc_assert(bg_signals_open(&s, &signal, 1) == 0);
    return s;
}

static int own_calls(void)
{
    int n = 0;
    for (int i = 0; i < MC_THREADS; i++) {
        n += own[i];
    }
    return n;
}

static void all_is_as_before(void)
{
    for (int i = 0; i < 2; i++) {
        mc_assert(bgi_load(&does[i]) == (bgi_word)programs_own);
    }
    mc_assert(bgi_load(&opened) <= DESCRIPTORS);
}

static void all_was_watched(void)
{
    mc_assert(own_calls() == 0);
    all_is_as_before();
}

/* ---- those who watch ---- */

static void watches_one(void)
{
    wt_begin_thread();
    bg_signals *s = watch(SIGUSR1);
    (void)bgi_fetch_add(&ready, 1);
    mc_assert(bg_signals_next(s) == SIGUSR1);
    mc_assert(data == 1);
    bg_signals_close(s);
}

static void sends_when(bgi_word n)
{
    wt_begin_thread();
    mc_await_equal(&ready, n);
    data = 1;
    raise_it(SIGUSR1);
}

static void sends_to_one(void)
{
    sends_when(1);
}

static void sends_to_two(void)
{
    sends_when(2);
}

static void comes_and_goes(void)
{
    wt_begin_thread();
    bg_signals_close(watch(SIGUSR1));
}

static void comes_twice(void)
{
    comes_and_goes();
    comes_and_goes();
}

MC_MODEL(two_watch, .name = "signal/two_who_watch", .says = "each that watches gets the signal",
         .setup = set_up, .thread = {watches_one, watches_one, sends_to_two}, .bound = 2,
         .check = all_was_watched);

MC_MODEL(stays, .name = "signal/another_comes_and_goes",
         .says = "who watches gets the signal, whoever begins and ends to watch meanwhile",
         .setup = set_up, .thread = {watches_one, comes_and_goes, sends_to_one}, .bound = 2,
         .check = all_was_watched);

static void sends_whenever(void)
{
    wt_begin_thread();
    raise_it(SIGUSR1);
}

MC_MODEL(late, .name = "signal/while_places_come_and_go",
         .says = "a handler finds a place that can be written to, and what was before is put back",
         .setup = set_up, .thread = {comes_twice, comes_and_goes, sends_whenever}, .bound = 2,
         .check = all_is_as_before);

/* ---- those who wait ---- */

static int got[2];

static void takes_one_of_two(void)
{
    int i = mc_self();
    wt_begin_thread();
    if (i == 0) {
        static const int both[] = {SIGUSR1, SIGINT};
        mc_assert(bg_signals_open(&both_wait_for, both, 2) == 0);
        bgi_store_release(&ready, 1);
    } else {
        mc_await_equal(&ready, 1);
    }
    got[i] = bg_signals_next(both_wait_for);
    mc_assert(data == 1);
    (void)bgi_fetch_add(&done, 1);
    if (i == 0) {
        mc_await_equal(&done, 2);
        mc_assert(got[0] + got[1] == SIGUSR1 + SIGINT);
        bg_signals_close(both_wait_for);
    }
}

static void sends_both(void)
{
    wt_begin_thread();
    mc_await_equal(&ready, 1);
    data = 1;
    raise_it(SIGUSR1);
    raise_it(SIGINT);
}

MC_MODEL(two_wait, .name = "signal/two_who_wait",
         .says = "of two signals each who waits gets one, however they come", .setup = set_up,
         .thread = {takes_one_of_two, takes_one_of_two, sends_both}, .check = all_was_watched,
         .bound = 2);

static void takes_both(void)
{
    static const int both[] = {SIGUSR1, SIGINT};
    bg_signals *s = NULL;
    wt_begin_thread();
    mc_assert(bg_signals_open(&s, both, 2) == 0);
    bgi_store_release(&ready, 1);
    mc_assert(bg_signals_next(s) + bg_signals_next(s) == SIGUSR1 + SIGINT);
    bg_signals_close(s);
}

static void sends_one(void)
{
    wt_begin_thread();
    mc_await_equal(&ready, 1);
    raise_it(mc_self() == 1 ? SIGUSR1 : SIGINT);
}

MC_MODEL(at_once, .name = "signal/two_at_once", .says = "two handlers at once note both signals",
         .setup = set_up, .thread = {takes_both, sends_one, sends_one}, .check = all_was_watched,
         .bound = 2);

/* ---- Ctrl-C ---- */

static int commit_wait(bgi_worker *w, bgi_fiber *self, void *arg)
{
    (void)w;
    return !bgi_wait_arm(arg, self);
}

/* Suspends until the task is cancelled. */
static void is_cancelled(bg_task *self)
{
    bgi_suspend(commit_wait, &self->waiter);
    mc_assert(bgi_wait_failure(&self->waiter) == -ECANCELED);
}

static void watches_for_0(void)
{
    run_spawned(0, 1);
}

static void watches_for_0_again(void)
{
    run_spawned(0, 2);
}

static void watches_for_2(void)
{
    run_spawned(2, 1);
}

static void is_interrupted(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    raise_it(SIGINT);
    is_cancelled(self);
}

static void is_stubborn(void)
{
    (void)wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    raise_it(SIGINT);
    mc_assert(own[0] == 0);
    raise_it(SIGINT);
    mc_assert(own[0] == 1);
}

MC_MODEL(second, .name = "interrupts/second",
         .says = "the second does what it did before, whether the first has been taken or not",
         .setup = set_up, .thread = {is_stubborn, watches_for_0}, .check = all_is_as_before);

static void is_interrupted_again(void)
{
    is_interrupted();
    mc_assert(bg_signal_interrupts() == 0);
    raise_it(SIGINT);
}

MC_MODEL(again, .name = "interrupts/again",
         .says = "who was cancelled by Ctrl-C may watch for the next at once", .setup = set_up,
         .thread = {is_interrupted_again, watches_for_0, watches_for_0_again},
         .check = all_was_watched, .bound = 2);

static void sends_interrupt(void)
{
    wt_begin_thread();
    raise_it(SIGINT);
}

static void interrupts_itself(void)
{
    (void)wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    raise_it(SIGINT);
}

static void once_at_most(void)
{
    mc_assert(own_calls() <= 1);
    all_is_as_before();
}

MC_MODEL(early, .name = "interrupts/while_it_is_installed",
         .says = "one that comes while it is installed does what it did before, or cancels",
         .setup = set_up, .thread = {interrupts_itself, watches_for_0, sends_interrupt},
         .check = once_at_most, .bound = 2);

static void watches_before_that(void)
{
    wt_begin_thread();
    bg_signals_close(watch(SIGINT));
    interrupts_itself();
}

MC_MODEL(of_before, .name = "interrupts/handler_of_before",
         .says = "likewise of a handler that was called for somebody before", .setup = set_up,
         .thread = {watches_before_that, watches_for_0, sends_interrupt}, .check = once_at_most,
         .bound = 2);

/* The task that watches ends at once, as the runtime's end does it. */
static void cancelled_watcher(void)
{
    set_up();
    bgi_task_cancel(rt_task(1));
}

static void watches_after_that(void)
{
    (void)wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    mc_await_equal(&ended, 1);
    wt_begin_thread();
    bg_signals *s = watch(SIGINT);
    raise_it(SIGINT);
    mc_assert(own[0] == 0);
    mc_assert(bg_signals_next(s) == SIGINT);
    bg_signals_close(s);
}

MC_MODEL(undone, .name = "interrupts/late_handler",
         .says = "a handler that is late doesn't undo what somebody has installed since",
         .setup = cancelled_watcher, .thread = {watches_after_that, watches_for_0, sends_interrupt},
         .check = all_is_as_before, .bound = 2);

static void watches_beside(void)
{
    wt_begin_thread();
    bg_signals *s = watch(SIGINT);
    raise_it(SIGINT);
    mc_assert(own[2] == 0);
    mc_assert(bg_signals_next(s) == SIGINT);
    bg_signals_close(s);
}

MC_MODEL(beside, .name = "interrupts/beside_another",
         .says = "who watches SIGINT gets it, though somebody wants it once only", .setup = set_up,
         .thread = {is_interrupted, watches_for_0, watches_beside}, .check = once_at_most,
         .bound = 2);

/* ---- Ctrl-C in two runtimes ---- */

static void sends_twice(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    mc_await_equal(&ready, 1);
    raise_it(SIGINT);
    mc_assert(own[2] == 0);
    raise_it(SIGINT);
    mc_assert(own[2] == 1);
    is_cancelled(self);
}

static void is_interrupted_too(void)
{
    bg_task *self = wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    bgi_store_release(&ready, 1);
    is_cancelled(self);
}

MC_MODEL(both, .name = "interrupts/two_who_want_it",
         .says = "two tasks are cancelled by the first, and the second does what it did before",
         .setup = set_up, .thread = {is_interrupted_too, watches_for_0, sends_twice, watches_for_2},
         .check = all_is_as_before, .bound = 1);

static void interrupts_only(void)
{
    (void)wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
}

static void interrupts_itself_2(void)
{
    (void)wt_begin();
    mc_assert(bg_signal_interrupts() == 0);
    raise_it(SIGINT);
    mc_assert(own[2] == 0);
}

MC_MODEL(used_again, .name = "interrupts/place_used_again",
         .says = "who looks late whether its task has begun takes nobody else's place away",
         .setup = cancelled_watcher,
         .thread = {interrupts_only, watches_for_0, interrupts_itself_2, watches_for_2},
         .check = all_is_as_before, .bound = 2);

/* ---- the runtime ends ---- */

static int result;

static void ending(void)
{
    cancelled_watcher();
    bgi_store(&R.stopping, 1);
}

static void gives_up(void)
{
    (void)wt_begin();
    result = bg_signal_interrupts();
    mc_assert(result == 0 || result == -ECANCELED);
}

static void watches_or_does_not(void)
{
    if (mc_choose(2) == 0) {
        watches_for_0();
    }
}

static void closed_by_one(void)
{
    mc_assert(result == -ECANCELED || bgi_load(&ended) == 1);
    mc_outcome(result == 0 ? 0 : 1 + (unsigned)bgi_load(&ended));
    all_is_as_before();
}

MC_MODEL(given_up, .name = "interrupts/given_up",
         .says = "when the runtime ends the place is closed by the task, or by who waits for it",
         .setup = ending, .thread = {gives_up, watches_or_does_not}, .check = closed_by_one,
         .outcomes = 7);
