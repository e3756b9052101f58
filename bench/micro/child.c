/*
 * A child writes into one pipe; the parent reads until the pipe ends or time is up, then reaps.
 * Only the child made here is ever killed, by its process id, and before it has been reaped, so
 * that the id is still its own. The child asks to die with its parent.
 */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t bm_stop;
int bm_alone;

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void become(char *const argv[], int cpu, int out, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (cpu >= 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)cpu, &one);
        if (sched_setaffinity(0, sizeof one, &one))
            _exit(126);
    }
    if (bm_alone && sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}))
        _exit(125);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    execv(argv[0], argv);
    _exit(127);
}

/* Reads what there is; 0 at the end of the pipe. What does not fit is read and dropped. */
static int drain(int fd, bm_outcome *o)
{
    char rest[4096];
    size_t room = sizeof o->text - 1 - o->length;
    ssize_t n = room ? read(fd, o->text + o->length, room) : read(fd, rest, sizeof rest);
    if (n > 0 && room) {
        o->length += (size_t)n;
        o->text[o->length] = 0;
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

int bm_run_child(char *const argv[], int cpu, double limit_s, bm_outcome *o)
{
    int ends[2], status = 0, open_pipe = 1, killed = 0;
    memset(o, 0, sizeof *o);
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        int error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    if (pid == 0)
        become(argv, cpu, ends[1], parent);
    close(ends[1]);

    double start = seconds();
    for (;;) {
        if (open_pipe) {
            struct pollfd p = {.fd = ends[0], .events = POLLIN};
            if (poll(&p, 1, 100) > 0)
                open_pipe = drain(ends[0], o);
        } else {
            poll(NULL, 0, 2);
        }
        if (!open_pipe && waitpid(pid, &status, WNOHANG) == pid)
            break;
        o->timed_out |= !killed && !bm_stop && seconds() - start > limit_s;
        if ((o->timed_out || bm_stop) && !killed) {
            kill(pid, SIGKILL);
            killed = 1;
        }
        if (killed) { /* a grandchild may hold the pipe open: wait for our child alone */
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
            break;
        }
    }
    close(ends[0]);
    o->seconds = seconds() - start;
    o->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}
