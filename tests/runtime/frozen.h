/*
 * A worker that stands still in the middle of an operation: the others go on, and once it goes on
 * as well, all ends as if nothing had been.
 *
 * A task sets the processor's trap flag and does what is tested. Each instruction from then on is a
 * trap; at the nth its thread stops in the handler, wherever that is: in a queue, between a claim
 * and the wake-up, in the middle of a switch of stacks, in the search, on the way to sleep. With n
 * from all of its length, an operation is stopped everywhere. Meanwhile tasks that yield have to
 * come on, and a task submitted from outside, which sleeps, has to end.
 *
 * FROZEN_SAMPLES says how many n are tried of an operation, in each of six runtimes.
 *
 * Two things are not asked for. Who stands still with a lock in its hands holds up those who want
 * it: then only the end is looked at. The debug builds know (base/rank.h), the others never ask.
 * And with all others asleep, who stands still on its way to or from sleep (its state is not
 * ACTIVE) may be the one who was woken for what comes.
 */
#ifndef TESTS_RUNTIME_FROZEN_H
#define TESTS_RUNTIME_FROZEN_H

#include "../task/check.h"
#include "base/rank.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* What is reached by luck must not be counted. */
#if defined(__x86_64__) && defined(__LP64__) && !BGI_TSAN && !BGI_VALGRIND && !BGI_COVERAGE
#define CAN_STEP 1
#else
#define CAN_STEP 0
#endif

/* ---- what is stopped ---- */

static int child_yields(void *arg)
{
    bg_yield();
    return (int)(intptr_t)arg;
}

static int yields(void)
{
    for (int i = 0; i < 3; i++) {
        bg_yield();
    }
    return 0;
}

static int spawns_and_awaits(void)
{
    bg_task *t = bg_spawn(return_arg, INT_ARG(7));
    return bg_await(t) - 7;
}

static int spawns_and_detaches(void)
{
    bg_detach(bg_spawn(child_yields, INT_ARG(1)));
    return 0;
}

static int gathers(void)
{
    bg_task *t[3];
    int results[3];
    for (int i = 0; i < 3; i++) {
        t[i] = bg_spawn(child_yields, INT_ARG(i));
    }
    int r = bg_gather_all(t, 3, results);
    return r != 0 ? r : results[0] != 0 || results[1] != 1 || results[2] != 2;
}

static int waits_for_any(void)
{
    bg_task *t[2] = {bg_spawn(sleep_forever, NULL), bg_spawn(child_yields, INT_ARG(3))};
    size_t which = 9;
    int r = bg_wait_any(t, 2, &which);
    CHECK(r == 0 && which == 1);
    CHECK(bg_cancel(t[0]) == 0);
    return bg_await(t[0]) + ECANCELED + bg_await(t[1]) - 3;
}

static int sleeps(void)
{
    return bg_sleep(20 * BG_US);
}

static int times_out(void)
{
    int r = 0;
    bg_timeout (20 * BG_US) {
        r = bg_sleep(BG_FOREVER);
    }
    return r + ETIMEDOUT;
}

static int cancels(void)
{
    bg_task *t = bg_spawn(sleep_forever, NULL);
    bg_yield();
    CHECK(bg_cancel(t) == 0);
    return bg_await(t) + ECANCELED;
}

static int sets_a_timer(void)
{
    bg_timer timer;
    bg_timer_init(&timer);
    int r = bg_timer_start(&timer, BG_S, return_arg, NULL);
    CHECK(bg_timer_cancel(&timer) == 1);
    return r;
}

static int lock_and_unlock(void *mutex)
{
    int r = bg_mutex_lock(mutex);
    return r != 0 ? r : bg_mutex_unlock(mutex);
}

static int hands_a_mutex_over(void)
{
    bg_mutex m = BG_MUTEX_INIT;
    CHECK(bg_mutex_lock(&m) == 0);
    bg_task *t = bg_spawn(lock_and_unlock, &m);
    bg_yield();
    CHECK(bg_mutex_unlock(&m) == 0);
    return bg_await(t);
}

static int wait_for_event(void *event)
{
    return bg_event_wait(event);
}

static int sets_an_event(void)
{
    bg_event e = BG_EVENT_INIT;
    bg_task *t[2] = {bg_spawn(wait_for_event, &e), bg_spawn(wait_for_event, &e)};
    bg_yield();
    CHECK(bg_event_set(&e) == 0);
    return bg_gather_all(t, 2, NULL);
}

#if CAN_STEP

/* ---- the steps ---- */

enum { TRAP_FLAG = 0x100 };

/*
 * Partners: what the test's thread has stored is seen by the task it submits after that, and by its
 * handler; frozen and stepping are stored by the handler (release) and read by the test (acquire),
 * go and over the other way round. stepping: 0 -> 1 by the task, 1 -> 0 by the handler of its
 * thread, the last that it does; nothing is used again before that.
 */
static struct {
    bgi_atomic left;     /* instructions until it stops */
    bgi_atomic stepping; /* a thread has the trap flag set, or its handler runs */
    bgi_atomic thread;   /* its number */
    bgi_atomic frozen;   /* it stands still, and the next two say how */
    bgi_atomic holds;    /* with a lock */
    bgi_atomic asleep;   /* on the way to or from sleep */
    bgi_atomic go;       /* it may go on */
    bgi_atomic over;     /* no more steps */
} step;

static const struct timespec a_moment = {0, 20000};

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    int error = errno;
    (void)signal_number;
    (void)info;
    if (bgi_load_acquire(&step.stepping) == 0 || bgi_load(&step.thread) != (bgi_word)gettid()) {
        at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return; /* called by hand once more, when it was over */
    }
    bgi_word left = bgi_load(&step.left);
    int over = bgi_load_acquire(&step.over) != 0;
    if (!over && left > 1) {
        bgi_store(&step.left, left - 1);
        return;
    }
    at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (!over) {
        bgi_worker *w = bgi_worker_self();
        bgi_store(&step.holds, bgi_rank_held() != 0);
        bgi_store(&step.asleep, w == NULL || bgi_load(&w->state) != BGI_ACTIVE);
        bgi_store_release(&step.frozen, 1);
        while (!bgi_load_acquire(&step.go)) {
            (void)nanosleep(&a_moment, NULL);
        }
    }
    errno = error;
    bgi_store_release(&step.stepping, 0);
}

static void begin_steps(void)
{
    bgi_store(&step.thread, (bgi_word)gettid());
    bgi_store_release(&step.stepping, 1);
    __asm__ __volatile__("pushfq\n\torq %0, (%%rsp)\n\tpopfq" ::"i"(TRAP_FLAG) : "memory", "cc");
}

static int stepped(void *arg)
{
    int (*const *op)(void) = arg;
    begin_steps();
    return (*op)();
}

/* ---- who stops it, and looks on ---- */

static bgi_atomic came_on; /* tasks that yield */
static bgi_atomic yielders_end;

static int come_on(void *arg)
{
    (void)arg;
    while (!bgi_load_acquire(&yielders_end)) {
        add_one(&came_on);
        bg_yield();
    }
    return 0;
}

static int sleeps_a_little(void *arg)
{
    return bg_sleep(100 * BG_US) == 0 ? (int)(intptr_t)arg : -EIO;
}

/* While one of the workers stands still. */
static void others_go_on(bg_runtime *rt, int yielders)
{
    bgi_word was = bgi_load(&came_on);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, sleeps_a_little, INT_ARG(5))), 5);
    while (yielders != 0 && bgi_load(&came_on) < was + 10) {
        (void)nanosleep(&a_moment, NULL);
    }
}

struct tally {
    unsigned stopped, asked;
};

/* Whether the thread that is stepped waits in the kernel; one that has no CPU does not. */
static int waits_in_kernel(void)
{
    char path[64], text[256];
    (void)snprintf(path, sizeof path, "/proc/self/task/%zu/stat", bgi_load(&step.thread));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n < 0 ? 0 : n] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

/* The operation, its thread stopped at the nth instruction from the beginning: after its end the
 * thread is still stopped in whatever it does then, unless it sleeps. */
static void stop_at(bg_runtime *rt, int (*op)(void), unsigned n, int yielders, struct tally *tally)
{
    bgi_store(&step.frozen, 0);
    bgi_store(&step.go, 0);
    bgi_store(&step.over, 0);
    bgi_store(&step.left, n);
    bg_task *t = bg_runtime_spawn(rt, stepped, &op);
    cr_assert_not_null(t);
    bgi_word left = 0;
    for (int looks = 0; looks < 20 && !bgi_load_acquire(&step.frozen);) {
        (void)nanosleep(&a_moment, NULL);
        int goes_on = bgi_load_acquire(&t->done) != BGI_TASK_DONE || bgi_load(&step.left) != left;
        left = bgi_load(&step.left);
        looks = goes_on || !waits_in_kernel() ? 0 : looks + 1;
    }
    if (bgi_load_acquire(&step.frozen)) {
        tally->stopped++;
        if (BGI_DEBUG && !bgi_load(&step.holds) && (yielders != 0 || !bgi_load(&step.asleep))) {
            tally->asked++;
            others_go_on(rt, yielders);
        }
    }
    bgi_store_release(&step.over, 1);
    bgi_store_release(&step.go, 1);
    cr_assert_eq(bg_runtime_wait(rt, t), 0);
    while (bgi_load_acquire(&step.stepping)) { /* asleep, say: the handler is called by hand */
        (void)syscall(SYS_tgkill, getpid(), (long)bgi_load(&step.thread), SIGTRAP);
        (void)nanosleep(&a_moment, NULL);
    }
    NO_CHECK_FAILED();
}

enum { SAMPLES = MANY(FROZEN_SAMPLES), LENGTH = 3000, YIELDERS = 6 };

static void stop_everywhere(int (*op)(void), unsigned first)
{
    static const unsigned workers[] = {1, 2, 4};
    for (unsigned i = 0; i < BGI_ARRAY_LEN(workers); i++) {
        for (int yielders = 0; yielders <= YIELDERS; yielders += YIELDERS) {
            struct tally tally = {0, 0};
            bg_runtime *rt = NULL;
            bg_task *t[YIELDERS];
            size_t live = bgi_alloc_live();
            bgi_store(&yielders_end, 0);
            cr_assert_eq(bg_runtime_create(&rt, .workers = workers[i]), 0);
            for (int k = 0; k < yielders; k++) {
                t[k] = bg_runtime_spawn(rt, come_on, NULL);
            }
            for (unsigned k = 0; k < SAMPLES; k++) {
                /* Half of them where most operations end. */
                unsigned n = (first + k * 487) % (k % 2 != 0 ? LENGTH : LENGTH / 8) + 1;
                stop_at(rt, op, n, yielders, &tally);
            }
            bgi_store_release(&yielders_end, 1);
            for (int k = 0; k < yielders; k++) {
                cr_assert_eq(bg_runtime_wait(rt, t[k]), 0);
            }
            cr_assert_eq(bg_runtime_shutdown(rt), 0);
            cr_assert_eq(bgi_alloc_live(), live);
            cr_assert_gt(tally.stopped, SAMPLES / 4);
            cr_assert(!BGI_DEBUG || tally.asked > SAMPLES / 8);
        }
    }
}

static void setup(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    cr_assert_eq(sigaction(SIGTRAP, &action, NULL), 0);
}

TestSuite(frozen, .init = setup);

#else

/* The operations themselves. */

static int plain(void *arg)
{
    int (*const *op)(void) = arg;
    return (*op)();
}

static void stop_everywhere(int (*op)(void), unsigned first)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(plain, &op, .workers = w);
    }
    (void)first;
}

#endif

Test(frozen, in_a_yield)
{
    stop_everywhere(yields, 0);
}

Test(frozen, in_a_spawn_and_an_await)
{
    stop_everywhere(spawns_and_awaits, 1);
}

Test(frozen, in_a_spawn_and_a_detach)
{
    stop_everywhere(spawns_and_detaches, 2);
}

Test(frozen, in_a_gather)
{
    stop_everywhere(gathers, 3);
}

Test(frozen, in_a_wait_for_any)
{
    stop_everywhere(waits_for_any, 4);
}

Test(frozen, in_a_sleep)
{
    stop_everywhere(sleeps, 5);
}

Test(frozen, in_a_timeout)
{
    stop_everywhere(times_out, 6);
}

Test(frozen, in_a_cancel)
{
    stop_everywhere(cancels, 7);
}

Test(frozen, in_a_hand_over_of_a_mutex)
{
    stop_everywhere(hands_a_mutex_over, 9);
}

Test(frozen, in_an_event)
{
    stop_everywhere(sets_an_event, 10);
}

Test(frozen, in_a_timer)
{
    stop_everywhere(sets_a_timer, 8);
}

#endif
