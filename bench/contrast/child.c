/*
 * One process for one run; see child.h for what is guaranteed. The outcome is one small write to a
 * pipe, so it arrives whole or not at all; a short one means that the mode crashed.
 */
#include "child.h"
#include "meter.h"
#include "say.h"
#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS_MS 200

_Static_assert(sizeof(struct outcome) <= 512, "one write to a pipe delivers it whole");

void child_prepare(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static BGI_NORETURN void in_child(mode_fn fn, const struct run *run, int fd, pid_t parent,
                                  const sigset_t *mask)
{
    struct outcome out;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    stop_restore();
    sigprocmask(SIG_SETMASK, mask, NULL);
    memset(&out, 0, sizeof out);
    fn(run, &out);
    ssize_t n = write(fd, &out, sizeof out);
    _exit(n == (ssize_t)sizeof out ? 0 : 1);
}

/* Waits until the child has written its outcome or ended, or the program is to stop. The signals
 * are blocked but within ppoll, so that none can come between the look at stop_signal and it. */
static size_t await_outcome(int fd, const struct run *run, struct outcome *out, const char *label,
                            const sigset_t *mask)
{
    const struct timespec tick = {0, PROGRESS_MS * 1000000L};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    while (stop_signal == 0 && n < sizeof *out) {
        if (ppoll(&p, 1, &tick, mask) > 0) {
            ssize_t got = read(fd, (char *)out + n, sizeof *out - n);
            if (got == 0)
                break;
            n += got > 0 ? (size_t)got : 0;
        }
        say_progress("%s  %zu of %zu", label, (size_t)bgi_load(&run->shared->done.value),
                     run->tasks);
    }
    return n;
}

static void describe(struct outcome *out, int status)
{
    memset(out, 0, sizeof *out);
    out->error = -ECHILD;
    if (WIFSIGNALED(status))
        outcome_note(out, "crashed: %s", strsignal(WTERMSIG(status)));
    else
        outcome_note(out, "ended without a result (exit status %d)", WEXITSTATUS(status));
}

int child_run(mode_fn fn, const struct run *run, struct outcome *out, const char *label)
{
    int fds[2], status = 0;
    sigset_t stops, mask;
    memset(out, 0, sizeof *out);
    if (pipe2(fds, O_CLOEXEC) < 0) {
        out->error = -errno;
        return 0;
    }
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, &mask);

    fflush(NULL);
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        in_child(fn, run, fds[1], self, &mask);
    close(fds[1]);
    if (pid < 0) {
        out->error = -errno;
        outcome_note(out, "fork: %s", strerror(errno));
    } else {
        siginfo_t info;
        setpgid(pid, pid);
        size_t n = await_outcome(fds[0], run, out, label, &mask);
        if (stop_signal != 0)
            kill(-pid, SIGKILL);
        while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
            ;
        kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        while (waitpid(-pid, NULL, 0) > 0 || errno == EINTR) /* its group; not the server */
            ;
        if (n < sizeof *out || status != 0)
            describe(out, status);
    }
    close(fds[0]);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return stop_signal != 0 ? -EINTR : 0;
}
