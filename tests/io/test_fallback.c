/*
 * Waiting as before Linux 5.11, in milliseconds: never less than there is to wait, and all that
 * ends a wait does. (Under valgrind that is so without the fault.)
 *
 * Labels: valgrind
 */
#include "faults.h"
#include "io/io.h"
#include "waits.h"

#include "../task/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONGEST = 1000000000 }; /* milliseconds that are asked for */

static bgi_port *port;          /* of the only worker */
static bgi_atomic until;        /* it sleeps at most until then: bg_time; 0: there is no end */
static bgi_atomic waits, asked; /* how often it did, and for how long last */

static void at_wait(int ms)
{
    if (port == NULL) {
        return; /* nothing is known of the end */
    }
    if (!bgi_load(&port->sleeping)) {
        CHECK(ms == 0); /* only a look */
        return;
    }
    bg_time end = (bg_time)bgi_load(&until);
    CHECK(end == 0 ? ms == -1 : ms >= 0);
    CHECK(ms == -1 || ms == LONGEST || bg_now() + ms * BG_MS >= end);
    bgi_store(&asked, (bgi_word)ms);
    bgi_store_release(&waits, bgi_load(&waits) + 1);
}

/* A call made as the main task waits: what ends the wait comes from outside. */
static int pipes[2];
static void (*comes)(void);

static void *when_it_waits(void *arg)
{
    (void)arg;
    block_until(&waits, 1);
    comes();
    return NULL;
}

static void a_byte_comes(void)
{
    CHECK(write(pipes[1], "x", 1) == 1);
}

static pthread_t expect(bg_time end, void (*fn)(void))
{
    pthread_t thread;
    port = &bgi_task_runtime(bg_self())->io->port[0];
    comes = fn;
    bgi_store(&until, (bgi_word)end);
    bgi_store(&waits, 0);
    CHECK(pthread_create(&thread, NULL, when_it_waits, NULL) == 0);
    return thread;
}

static int read_byte(void)
{
    char c;
    return (int)bg_read(pipes[0], &c, 1);
}

static int return_read_byte(void *arg)
{
    (void)arg;
    return read_byte();
}

/* Somebody waits for a descriptor, or it would not be in the epoll that the worker waits. */
static bg_task *reader(void)
{
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    bg_task *t = bg_spawn(return_read_byte, NULL);
    until_somebody_waits(pipes[0]);
    return t;
}

static void end_reader(bg_task *t)
{
    a_byte_comes();
    CHECK(bg_await(t) == 1);
    CHECK(bg_fd_close(pipes[0]) == 0 && bg_fd_close(pipes[1]) == 0);
    port = NULL;
}

static void in_milliseconds(bg_fn fn)
{
    cr_assert_eq(setenv("BRIGADE_IO", "epoll", 1), 0);
    bgi_fault_at_epoll_wait(at_wait);
    bgi_fault_arm(BGI_FAULT_PWAIT2 | BGI_FAULT_FOREVER, 1);
    RUN(fn, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_expect_eq(bgi_fault_count(), BGI_VALGRIND ? 0 : 1, "it is tried once");
    bgi_fault_disarm();
    bgi_fault_at_epoll_wait(NULL);
}

/* ---- what ends a wait ---- */

static int main_byte(void *arg)
{
    (void)arg;
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    for (int i = 0; i < 3; i++) {
        pthread_t thread = expect(0, a_byte_comes);
        CHECK(read_byte() == 1);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    port = NULL;
    CHECK(bg_fd_close(pipes[0]) == 0 && bg_fd_close(pipes[1]) == 0);
    return 0;
}

Test(fallback, an_event_ends_a_wait)
{
    in_milliseconds(main_byte);
}

Test(fallback, where_the_call_is_forbidden)
{
    bgi_fault_answer(EPERM);
    in_milliseconds(main_byte);
}

static bg_sem sem;

static void a_permit_comes(void)
{
    CHECK(bg_sem_release(&sem) == 0);
}

static int main_bell(void *arg)
{
    (void)arg;
    CHECK(bg_sem_init(&sem, 0) == 0);
    bg_task *t = reader();
    for (int i = 0; i < 3; i++) {
        pthread_t thread = expect(0, a_permit_comes);
        CHECK(bg_sem_acquire(&sem) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    end_reader(t);
    bg_sem_destroy(&sem);
    return 0;
}

Test(fallback, the_bell_ends_a_wait)
{
    in_milliseconds(main_bell);
}

static int main_sleeps(void *arg)
{
    static const bg_duration times[] = {1,         100 * BG_US,  900 * BG_US, BG_MS,
                                        BG_MS + 1, 1500 * BG_US, 2 * BG_MS,   2900 * BG_US,
                                        3 * BG_MS, 3300 * BG_US, 7 * BG_MS,   7100 * BG_US};
    (void)arg;
    bg_task *t = reader();
    for (size_t i = 0; i < BGI_ARRAY_LEN(times); i++) {
        bg_time end = bg_now() + times[i];
        bgi_store(&until, (bgi_word)end);
        port = &bgi_task_runtime(bg_self())->io->port[0];
        CHECK(bg_sleep(times[i]) == 0);
        CHECK(bg_now() >= end);
        port = NULL;
    }
    end_reader(t);
    return 0;
}

Test(fallback, no_wait_is_shorter_than_it_should_be)
{
    in_milliseconds(main_sleeps);
}

static int main_long(void *arg)
{
    static const bg_duration times[] = {3600 * BG_S,      999999 * BG_S,          1000000 * BG_S,
                                        2147484 * BG_S,   4294967 * BG_S + BG_MS, 4294968 * BG_S,
                                        100000000 * BG_S, BG_FOREVER / 2};
    (void)arg;
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    for (size_t i = 0; i < BGI_ARRAY_LEN(times); i++) {
        int r = 0;
        pthread_t thread = expect(bg_now() + times[i], a_byte_comes);
        bg_timeout (times[i]) {
            r = read_byte();
        }
        CHECK(r == 1);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK((int)bgi_load(&asked) > 1000000);
    }
    port = NULL;
    CHECK(bg_fd_close(pipes[0]) == 0 && bg_fd_close(pipes[1]) == 0);
    return 0;
}

Test(fallback, waits_of_years)
{
    in_milliseconds(main_long);
}

/* ---- the deterministic mode ---- */

static int main_played(void *arg)
{
    pthread_t thread;
    (void)arg;
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    comes = a_byte_comes;
    bgi_store(&waits, 1);
    CHECK(pthread_create(&thread, NULL, when_it_waits, NULL) == 0);
    CHECK(read_byte() == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}

Test(fallback, an_event_ends_a_wait_that_is_played)
{
    bgi_fault_arm(BGI_FAULT_PWAIT2 | BGI_FAULT_FOREVER, 1);
    RUN(main_played, NULL, .seed = 1);
    bgi_fault_disarm();
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
    NO_CHECK_FAILED();
}
