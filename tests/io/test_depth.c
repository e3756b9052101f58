/*
 * How deep a task waits: each frame between its own function and the switch of stacks is a cache
 * line or two that is missed when it goes on, and there are thousands of such tasks. In builds that
 * are meant to be fast a wait for data takes at most half a kilobyte.
 *
 * Labels: drivers
 */
#include "net.h"
#include "waits.h"

#include "task/task.h"

enum { MOST = 512 };

#if !BGI_DEBUG && !BGI_ASAN && !BGI_TSAN && !BGI_VALGRIND && !BGI_COVERAGE &&                      \
    defined(__x86_64__) && defined(__LP64__) && !defined(BGI_CONTEXT_UCONTEXT)
#define IS_FAST 1
#else
#define IS_FAST 0
#endif

static char *volatile above;

static int receives(void *arg)
{
    char c[1];
    above = __builtin_frame_address(0);
    ssize_t n = bg_fd_recv(*(int *)arg, c, sizeof c, 0);
    return n == 1 && c[0] == 'x' ? 0 : -EIO;
}

static int looks(void *arg)
{
    int fd[2];
    (void)arg;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
    for (int i = 0; i < 3; i++) {
        bg_task *t = bg_spawn(receives, &fd[0]);
        until_somebody_waits(fd[0]);
        const char *sp = bgi_context_sp(&t->fiber.stack->context);
        CHECK(above > sp);
        if (IS_FAST && i != 0) { /* the first call finds out what it is */
            CHECK(above - sp <= MOST);
        }
        CHECK(write(fd[1], "x", 1) == 1);
        CHECK(bg_await(t) == 0);
    }
    CHECK(bg_fd_close(fd[0]) == 0 && bg_fd_close(fd[1]) == 0);
    return 0;
}

Test(depth, a_wait_for_data_takes_little_of_a_stack)
{
    RUN(looks, NULL, .workers = 1, .spares = BG_NO_SPARES);
}
