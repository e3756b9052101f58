/*
 * Closes that meet: of one number by several at once, and of one that a runtime has no entry for
 * when the library lets go of it, be it that the runtime has never used one like it, or that it is
 * started only then. A call that begins between that moment and close(2) is told, in all cases.
 *
 * Labels: drivers
 */
#include "faults.h"
#include "io/io.h"
#include "latch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { HIGH = 500 };
enum { FAR = 2 * BGI_FD_CHUNK + HIGH }; /* no runtime has entries there before it is used */

static int pair[2], other[2];
static bgi_atomic ends; /* 1 + the number; what else is closed meanwhile is let through */
static bgi_atomic may_begin, begins;

static int tell(void *arg)
{
    (void)arg;
    bgi_store_release(&begins, 1);
    return 0;
}

/* In a runtime of one worker, so that the other task runs when this one waits or yields. */
static int read_it(void)
{
    char c = 0;
    yield_until(&may_begin, 1);
    bg_task *teller = bg_spawn(tell, NULL);
    ssize_t r = bg_read(pair[0], &c, 1);
    CHECK(bg_await(teller) == 0);
    return r == 1 ? c : (int)r;
}

static void let_it_begin(void)
{
    bgi_store_release(&may_begin, 1);
    block_until(&begins, 1);
}

static void set_up(int number)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other) == 0);
    int low = pair[0];
    pair[0] = fcntl(low, F_DUPFD_CLOEXEC, number); /* not given out again to a worker */
    CHECK(pair[0] >= number && close(low) == 0);
    CHECK(write(other[1], "y", 1) == 1);
    bgi_store(&may_begin, 0);
    bgi_store(&begins, 0);
    bgi_store(&ends, (bgi_word)pair[0] + 1);
}

static void tidy_up(void)
{
    CHECK(close(pair[1]) == 0 && close(other[0]) == 0 && close(other[1]) == 0);
}

static int is_it(int fd)
{
    return (bgi_word)fd + 1 == bgi_load(&ends);
}

/* ---- several closers ---- */

/*
 * Each has made close(2), and the number is given out again at once, and closed by the next. None
 * but the last gets further than that. The last is before close(2) when all others end their part,
 * and then a call begins: it waits for the last.
 */
enum { MOST = 20 };

static unsigned closers;
static _Thread_local unsigned turn; /* of a closer */
static bgi_atomic given, may_end, ended;

static void at_close_of_many(int fd, int is_closed)
{
    if (!is_it(fd)) {
        return;
    }
    if (turn + 1 < closers) {
        if (is_closed) {
            CHECK(dup2(other[0], fd) == fd);
            add_one(&given);
            block_until(&may_end, 1);
        }
    } else if (!is_closed) {
        bgi_store_release(&may_end, 1);
        block_until(&ended, closers - 1);
        let_it_begin();
    }
}

static void *close_in_turn(void *arg)
{
    turn = (unsigned)(intptr_t)arg;
    block_until(&given, turn);
    CHECK(bg_fd_close(pair[0]) == 0);
    add_one(&ended);
    return NULL;
}

static int main_many(void *arg)
{
    pthread_t thread[MOST];
    char c = 'x';
    set_up(HIGH);
    if (*(int *)arg) {
        CHECK(bg_write(pair[1], &c, 1) == 1);
        CHECK(bg_read(pair[0], &c, 1) == 1);
    }
    bgi_store(&given, 0);
    bgi_store(&may_end, 0);
    bgi_store(&ended, 0);
    for (unsigned i = 0; i < closers; i++) {
        CHECK(pthread_create(&thread[i], NULL, close_in_turn, INT_ARG(i)) == 0);
    }
    CHECK(read_it() == -EBADF);
    for (unsigned i = 0; i < closers; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
    }
    tidy_up();
    return 0;
}

Test(close, by_many_at_once)
{
    static const unsigned counts[] = {2, 8, 9, MOST};
    bgi_fault_at_close(at_close_of_many);
    for (unsigned i = 0; i < BGI_ARRAY_LEN(counts); i++) {
        for (int used_before = 0; used_before < 2; used_before++) {
            closers = counts[i];
            RUN(main_many, &used_before, .workers = 1, .spares = BG_NO_SPARES);
        }
    }
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}

/* ---- a number that was never used ---- */

static void *close_it(void *arg)
{
    (void)arg;
    CHECK(bg_fd_close(pair[0]) == 0);
    return NULL;
}

static int after; /* the call begins when the number stands for another */

static void at_far_close(int fd, int is_closed)
{
    if (!is_it(fd) || is_closed != after || bgi_load(&may_begin)) {
        return;
    }
    if (after) {
        CHECK(dup2(other[0], fd) == fd);
    }
    let_it_begin();
}

static int main_far(void *arg)
{
    pthread_t closer;
    (void)arg;
    set_up(FAR);
    CHECK(bgi_fd_find(&bgi_task_runtime(bg_self())->io->table, FAR) == NULL);
    CHECK(pthread_create(&closer, NULL, close_it, NULL) == 0);
    CHECK(read_it() == (after ? 'y' : -EBADF));
    CHECK(pthread_join(closer, NULL) == 0);
    CHECK(!after || bg_fd_close(pair[0]) == 0);
    tidy_up();
    return 0;
}

static void allow(int number)
{
    struct rlimit most;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &most), 0);
    if (most.rlim_cur <= (rlim_t)number + 100 && most.rlim_cur < most.rlim_max) {
        most.rlim_cur = most.rlim_max;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &most), 0);
    }
    if (most.rlim_cur <= (rlim_t)number + 100) {
        cr_skip_test("too few descriptors are allowed");
    }
}

Test(close, of_a_number_the_runtime_has_no_entry_for)
{
    allow(FAR);
    bgi_fault_at_close(at_far_close);
    for (int i = 0; i < 8; i++) {
        after = i % 2;
        RUN(main_far, NULL, .workers = 1, .spares = BG_NO_SPARES);
    }
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}

/* ---- a runtime that is started meanwhile ---- */

static int main_late(void *arg)
{
    *(int *)arg = read_it();
    return 0;
}

static void *run_late(void *result)
{
    CHECK(bg_run(main_late, result, .workers = 1, .spares = BG_NO_SPARES) == 0);
    return NULL;
}

static pthread_t late;
static int late_result;

static void at_close_and_start(int fd, int is_closed)
{
    if (is_it(fd) && is_closed == after) {
        if (after) {
            CHECK(dup2(other[0], fd) == fd);
        }
        CHECK(pthread_create(&late, NULL, run_late, &late_result) == 0);
        let_it_begin();
    }
}

/* With an entry in the runtime that there is, or without any runtime. */
static int main_start(void *arg)
{
    char c = 'x';
    (void)arg;
    set_up(HIGH);
    CHECK(bg_write(pair[1], &c, 1) == 1);
    CHECK(bg_read(pair[0], &c, 1) == 1);
    CHECK(bg_fd_close(pair[0]) == 0);
    return 0;
}

Test(close, while_a_runtime_is_started)
{
    bgi_fault_at_close(at_close_and_start);
    for (int i = 0; i < 8; i++) {
        after = i % 2;
        if (i % 4 < 2) {
            RUN(main_start, NULL, .workers = 1, .spares = BG_NO_SPARES);
        } else {
            set_up(HIGH);
            CHECK(bg_fd_close(pair[0]) == 0);
        }
        CHECK(pthread_join(late, NULL) == 0);
        CHECK(late_result == (after ? 'y' : -EBADF));
        CHECK(!after || close(pair[0]) == 0);
        tidy_up();
    }
    bgi_fault_at_close(NULL);
    NO_CHECK_FAILED();
}
