/*
 * Signals: seen by who watches them, taken once, put back at the end; Ctrl-C.
 *
 * Labels: drivers
 */
#include "../task/child.h"
#include "net.h"
#include "waits.h"

/* The thread sanitizer runs a handler only when its thread next calls the C library, which one that
 * sleeps does not: there the thread that sends is the one that gets it. */
enum { MOST_WORKERS = BGI_TSAN ? 1 : 16 };

static int main_some(void *arg)
{
    static const int both[] = {SIGUSR1, SIGUSR2};
    bg_signals *s, *t;
    int r = 0;
    (void)arg;
    CHECK(bg_signals_open(&s, both, 2) == 0);
    CHECK(bg_signals_open(&t, both, 1) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR2) == 0);
    int first = bg_signals_next(s); /* whichever came first */
    CHECK(first + bg_signals_next(s) == SIGUSR1 + SIGUSR2);
    CHECK(bg_signals_next(t) == SIGUSR1);
    if (bg_self() != NULL) {
        bg_timeout (2 * BG_MS) {
            r = bg_signals_next(s);
        }
        CHECK(r == -ETIMEDOUT);
    }
    for (int i = 0; i < 3; i++) { /* one at least is seen */
        CHECK(kill(getpid(), SIGUSR1) == 0);
    }
    CHECK(bg_signals_next(s) == SIGUSR1);
    bg_signals_close(t);
    bg_signals_close(s);
    bg_signals_close(NULL);
    if (sizeof(bgi_word) == 8) {
        const int real_time[] = {SIGRTMIN + 1, SIGUSR2};
        CHECK(bg_signals_open(&s, real_time, 2) == 0);
        CHECK(kill(getpid(), SIGRTMIN + 1) == 0);
        CHECK(bg_signals_next(s) == SIGRTMIN + 1);
        bg_signals_close(s);
    }
    return 0;
}

static void nothing(int signal)
{
    (void)signal;
}

Test(signals, seen_and_put_back)
{
    struct sigaction had, now;
    (void)signal(SIGUSR1, nothing);
    cr_assert_eq(sigaction(SIGUSR1, NULL, &had), 0);
    EACH_WORKER_COUNT(w)
    {
        RUN(main_some, NULL, .workers = w < MOST_WORKERS ? w : MOST_WORKERS);
    }
    RUN(main_some, NULL, .seed = 1);
    cr_assert_eq(main_some(NULL), 0);
    NO_CHECK_FAILED();
    cr_assert_eq(sigaction(SIGUSR1, NULL, &now), 0);
    cr_assert_eq(now.sa_handler, had.sa_handler);
    cr_assert_eq(sigaction(SIGUSR2, NULL, &now), 0);
    cr_assert_eq(now.sa_handler, SIG_DFL);
}

static int next_of(void *arg)
{
    return bg_signals_next(arg);
}

static int wait_once(void *arg)
{
    return bg_signal_wait(arg, 1);
}

static int main_waits(void *arg)
{
    static const int both[] = {SIGUSR1, SIGUSR2};
    bg_signals *s;
    (void)arg;
    CHECK(bg_signals_open(&s, both, 2) == 0);
    bg_task *t = bg_spawn(next_of, s);
    for (int i = 0; i < 10; i++) {
        bg_yield();
    }
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    bg_task *u = bg_spawn(next_of, s);
    t = bg_spawn(next_of, s);
    CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR2) == 0);
    CHECK(bg_await(t) + bg_await(u) == SIGUSR1 + SIGUSR2); /* each got one */
    t = bg_spawn(wait_once, (void *)(uintptr_t)&both[1]);
    for (int i = 0; i < 10; i++) {
        bg_yield();
    }
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    bg_signals_close(s);
    return 0;
}

Test(signals, waits)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_waits, NULL, .workers = w < MOST_WORKERS ? w : MOST_WORKERS);
    }
}

Test(signals, what_cannot_be)
{
    static const int bad[] = {0, -1, 32, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGPROF, SIGABRT};
    static const int usr = SIGUSR1;
    bg_signals *s, *all[64];
    for (size_t i = 0; i < BGI_ARRAY_LEN(bad); i++) {
        cr_assert_eq(bg_signals_open(&s, &bad[i], 1), -EINVAL);
    }
    cr_assert_eq(bg_signals_open(&s, &usr, 0), -EINVAL);
    cr_assert_eq(bg_signals_open(&s, NULL, 1), -EINVAL);
    cr_assert_eq(bg_signals_open(NULL, &usr, 1), -EINVAL);
    for (int i = 0; i < 64; i++) {
        cr_assert_eq(bg_signals_open(&all[i], &usr, 1), 0);
    }
    cr_assert_eq(bg_signals_open(&s, &usr, 1), -EAGAIN);
    cr_assert_eq(kill(getpid(), SIGUSR1), 0);
    for (int i = 0; i < 64; i++) {
        cr_assert_eq(bg_signals_next(all[i]), SIGUSR1);
        bg_signals_close(all[i]);
    }
}

/* ---- Ctrl-C ---- */

static int main_interrupted(void *arg)
{
    (void)arg;
    CHECK(bg_signal_interrupts() == 0);
    CHECK(kill(getpid(), SIGINT) == 0);
    return bg_sleep(BG_FOREVER);
}

static int main_stubborn(void *arg)
{
    (void)arg;
    CHECK(bg_signal_interrupts() == 0);
    CHECK(kill(getpid(), SIGINT) == 0);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    CHECK(kill(getpid(), SIGINT) == 0);
    while (pause() < 0) { /* until the signal ends the process */
    }
    return 0;
}

/* Who watches SIGINT beside it gets the second as well, and it can be called again. */
static int main_beside(void *arg)
{
    static const int interrupt = SIGINT;
    bg_signals *s;
    (void)arg;
    CHECK(bg_signals_open(&s, &interrupt, 1) == 0);
    CHECK(bg_signal_interrupts() == 0);
    CHECK(kill(getpid(), SIGINT) == 0);
    CHECK(bg_sleep(BG_FOREVER) == -ECANCELED);
    bg_shield
    {
        CHECK(bg_signals_next(s) == SIGINT);
        CHECK(kill(getpid(), SIGINT) == 0);
        CHECK(bg_signals_next(s) == SIGINT);
        CHECK(bg_signal_interrupts() == 0);
        CHECK(kill(getpid(), SIGINT) == 0);
        CHECK(bg_signals_next(s) == SIGINT);
    }
    bg_signals_close(s);
    return 0;
}

static int main_not_interrupted(void *arg)
{
    (void)arg;
    return bg_signal_interrupts();
}

static void interrupted(void *arg)
{
    (void)signal(SIGINT, SIG_DFL);
    for (unsigned w = 1; w <= 4 && w <= MOST_WORKERS; w *= 2) {
        struct sigaction now;
        CHECK(bg_run(main_interrupted, NULL, .workers = w) == -ECANCELED);
        CHECK(bg_run(main_not_interrupted, NULL, .workers = w) == 0);
        CHECK(bg_run(main_beside, NULL, .workers = w) == 0);
        CHECK(sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    }
    if (arg != NULL) {
        (void)bg_run(main_stubborn, NULL, .workers = BGI_TSAN ? 1 : 2);
    }
}

Test(signals, ctrl_c)
{
    struct child_end end = child_run(interrupted, NULL);
    cr_assert_eq(end.signal, 0);
    cr_assert_eq(end.status, 0, "%s", end.words);
    end = child_run(interrupted, &end);
    cr_assert_eq(end.signal, SIGINT, "%s", end.words);
    cr_assert_str_eq(end.words, "");
}
