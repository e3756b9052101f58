/*
 * Processes: started by posix_spawn, awaited by a descriptor.
 *
 * A child that has not been reaped keeps its number, so a signal by number cannot reach another
 * process: reaping and sending signals are done under one lock. `pid` is constant; `reaped` 0 -> 1
 * under the lock, with `status`, by whoever gets the status first; read under the lock.
 *
 * A wait first asks whether the child has ended; only who has to wait opens a pidfd, once a process
 * (`pidfd`, under the lock), and waits until it can be read: it stays so. Where no pidfd can be had
 * (no descriptors, an old kernel, a sandbox) the wait asks again after a while, for which its
 * sleeps double up to 20 ms: so a wait fails only when it is to end.
 *
 * Dropped: SIGCHLD, whose handler is the program's; a thread that waits for all children, which
 * takes those of others; a table of processes for the end of a runtime: who forgets a process has
 * leaked memory as well.
 */
#include "io/process.h"

#include "base/alloc.h"

#include <brigade/io.h>
#include <brigade/scope.h>
#include <brigade/task.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define FIRST_PAUSE (200 * BG_US)
#define LONGEST_PAUSE (20 * BG_MS)

/* ---- starting ---- */

/* What a spawn needs of descriptors: the child's, and what is to be closed here. */
typedef struct stdio_plan {
    int child[3];  /* what becomes 0, 1, 2; or BG_STDIO_* */
    int opened[3]; /* here, to be closed after the spawn; -1: none */
    int ours[3];   /* ends of pipes that stay; -1: none */
} stdio_plan;

/* A descriptor above 2, so that no dup2 for the child hits it before its turn. */
static int above_standard(int fd)
{
    int r = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return r < 0 ? -errno : r;
}

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); /* nobody has used it */
        }
        fds[i] = -1;
    }
}

/* A pipe of which the child's end blocks, as programs expect. */
static int make_pipe(int *theirs, int *ours, int child_reads)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -errno;
    }
    *theirs = fds[!child_reads];
    *ours = fds[child_reads];
    int flags = fcntl(*ours, F_GETFL);
    (void)fcntl(*ours, F_SETFL, flags | O_NONBLOCK);
    if (*theirs <= 2) { /* this program has closed its own */
        int moved = above_standard(*theirs);
        (void)close(*theirs);
        *theirs = moved < 0 ? -1 : moved;
        return moved < 0 ? moved : 0;
    }
    return 0;
}

static int plan_one(stdio_plan *p, int i, int what)
{
    p->child[i] = what;
    if (what == BG_STDIO_PIPE) {
        int r = make_pipe(&p->opened[i], &p->ours[i], i == 0);
        p->child[i] = p->opened[i];
        return r;
    }
    if (what > 0) {
        int r = what <= 2 && what != i ? above_standard(what) : 0;
        if (r > 0) {
            p->child[i] = p->opened[i] = r;
        } else if (r == 0 && fcntl(what, F_GETFD) < 0) {
            r = -errno;
        }
        return r < 0 ? r : 0;
    }
    return what == BG_STDIO_INHERIT || what == BG_STDIO_NULL || (what == BG_STDIO_OUT && i == 2)
               ? 0
               : -EINVAL;
}

static int plan_stdio(stdio_plan *p, const bg_process_options *o)
{
    const int what[3] = {o->in, o->out, o->err};
    int r = 0;
    for (int i = 0; i < 3; i++) {
        p->opened[i] = p->ours[i] = -1;
    }
    for (int i = 0; i < 3 && r == 0; i++) {
        r = plan_one(p, i, what[i]);
    }
    return r;
}

static int add_stdio(posix_spawn_file_actions_t *a, const stdio_plan *p)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        int from = p->child[i];
        if (from == BG_STDIO_NULL) {
            r = posix_spawn_file_actions_addopen(a, i, "/dev/null", i == 0 ? O_RDONLY : O_WRONLY,
                                                 0);
        } else if (from == BG_STDIO_OUT) {
            r = posix_spawn_file_actions_adddup2(a, 1, 2);
        } else if (from > 0) { /* its own number: takes close-on-exec away */
            r = posix_spawn_file_actions_adddup2(a, from, i);
        }
    }
    return -r;
}

static int set_attributes(posix_spawnattr_t *a, const bg_process_options *o)
{
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int r = posix_spawnattr_setsigmask(a, &none);
    r = r == 0 ? posix_spawnattr_setsigdefault(a, &all) : r;
    if (r == 0 && o->process_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        r = posix_spawnattr_setpgroup(a, 0);
    }
    return -(r == 0 ? posix_spawnattr_setflags(a, flags) : r);
}

static int start_with(pid_t *pid, const char *const argv[], const bg_process_options *o,
                      const posix_spawn_file_actions_t *actions)
{
    posix_spawnattr_t attributes;
    int r = -posix_spawnattr_init(&attributes);
    if (r != 0) {
        return r;
    }
    r = set_attributes(&attributes, o);
    if (r == 0) {
        r = -posix_spawnp(pid, argv[0], actions, &attributes, (char *const *)(uintptr_t)argv,
                          o->env != NULL ? o->env : environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return r;
}

static int start(pid_t *pid, const char *const argv[], const bg_process_options *o,
                 const stdio_plan *plan)
{
    posix_spawn_file_actions_t actions;
    int r = -posix_spawn_file_actions_init(&actions);
    if (r != 0) {
        return r;
    }
    r = add_stdio(&actions, plan);
    if (r == 0 && o->cwd != NULL) {
        r = -posix_spawn_file_actions_addchdir_np(&actions, o->cwd);
    }
    r = r == 0 ? start_with(pid, argv, o, &actions) : r;
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

BGI_NOINLINE int bg_process_spawn_opts(bg_process **out, const char *const argv[],
                                       const bg_process_options *o)
{
    static const bg_process_options none = {.size = sizeof none};
    stdio_plan plan;

    o = o == NULL ? &none : o;
    if (out == NULL || argv == NULL || argv[0] == NULL || o->size < sizeof *o) {
        return -EINVAL;
    }
    bg_process *p = bgi_calloc(1, sizeof *p);
    if (p == NULL) {
        return -ENOMEM;
    }
    int r = plan_stdio(&plan, o);
    r = r == 0 ? start(&p->pid, argv, o, &plan) : r;
    close_all(plan.opened);
    if (r < 0) {
        close_all(plan.ours);
        bgi_free(p);
        return r;
    }
    bgi_lock_init(&p->lock, BGI_RANK_PROCESS, "process");
    p->pidfd = -1;
    p->has_group = o->process_group != 0;
    memcpy(p->pipe, plan.ours, sizeof p->pipe);
    *out = p;
    return 0;
}

pid_t bg_process_id(const bg_process *process)
{
    return process->pid;
}

int bg_process_pipe(const bg_process *process, int which)
{
    int fd = which < 0 || which > 2 ? -1 : process->pipe[which];
    return fd < 0 ? -EBADF : fd;
}

int bg_process_take_pipe(bg_process *process, int which)
{
    int fd = bg_process_pipe(process, which);
    if (fd >= 0) {
        process->pipe[which] = -1;
    }
    return fd;
}

/* ---- its end ---- */

static void note_status(bg_process *p, int status)
{
    p->status.exited = WIFEXITED(status) != 0;
    p->status.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    p->status.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Takes the status, if it has ended: 1; 0: it runs still. */
BGI_NOINLINE static int reap(bg_process *p)
{
    int status;
    bgi_lock_acquire(&p->lock);
    if (!p->reaped) {
        pid_t r;
        do {
            r = wait4(p->pid, &status, WNOHANG, &p->status.usage);
        } while (r < 0 && errno == EINTR);
        if (r == p->pid) {
            note_status(p, status);
            p->reaped = 1;
        } else if (r < 0) {
            p->failure = -errno;
            p->reaped = 1;
        }
    }
    int reaped = p->reaped;
    bgi_lock_release(&p->lock);
    return reaped;
}

/* Its pidfd, or the failure. */
BGI_NOINLINE static int watch(bg_process *p)
{
    int r = 0;
    bgi_lock_acquire(&p->lock);
    if (p->pidfd < 0 && !p->reaped) {
        long fd = syscall(SYS_pidfd_open, p->pid, 0);
        p->pidfd = fd < 0 ? -1 : (int)fd;
        r = fd < 0 ? -errno : 0;
    }
    r = r == 0 ? p->pidfd : r;
    bgi_lock_release(&p->lock);
    return r;
}

static int pause_for(bg_duration *pause)
{
    bg_duration now = *pause;
    *pause = now * 2 < LONGEST_PAUSE ? now * 2 : LONGEST_PAUSE;
    if (bg_self() != NULL) {
        return bg_sleep(now);
    }
    struct timespec t = {0, (long)now};
    (void)nanosleep(&t, NULL);
    return 0;
}

/* Waits until it may have ended. */
static int wait_for_end(bg_process *p, bg_duration *pause)
{
    int fd = watch(p);
    if (fd >= 0) {
        int r = bg_poll(fd, POLLIN);
        if (r > 0) {
            return 0;
        }
        if (r == -ECANCELED || r == -ETIMEDOUT) {
            return r;
        }
    }
    return pause_for(pause);
}

int bg_process_wait(bg_process *process, bg_process_status *status)
{
    bg_duration pause = FIRST_PAUSE;
    int r = bg_cancelled();
    while (r == 0 && !reap(process)) {
        r = wait_for_end(process, &pause);
    }
    if (r != 0) {
        return r;
    }
    if (status != NULL) {
        *status = process->status; /* constant from now on */
    }
    return process->failure;
}

BGI_NOINLINE int bg_process_kill(bg_process *process, int signal)
{
    int r = -ESRCH;
    bgi_lock_acquire(&process->lock);
    if (!process->reaped) {
        r = kill(process->has_group ? -process->pid : process->pid, signal) == 0 ? 0 : -errno;
    }
    bgi_lock_release(&process->lock);
    return r;
}

int bg_process_terminate(bg_process *process, bg_duration grace, bg_process_status *status)
{
    int r = bg_process_kill(process, SIGTERM);
    if (r < 0 && r != -ESRCH) {
        return r;
    }
    int is_over = 0;
    if (bg_self() != NULL) {
        bg_timeout (grace) {
            r = bg_process_wait(process, status);
        }
        is_over = r == -ETIMEDOUT && bg_timed_out();
    } else {
        r = bgi_process_wait_blocking(process, grace, status);
        is_over = r == -ETIMEDOUT;
    }
    if (!is_over) {
        return r;
    }
    r = bg_process_kill(process, SIGKILL);
    return r < 0 && r != -ESRCH ? r : bg_process_wait(process, status);
}

/* On a plain thread: with a limit. */
int bgi_process_wait_blocking(bg_process *p, bg_duration most, bg_process_status *status)
{
    bg_duration pause = FIRST_PAUSE, waited = 0;
    while (!reap(p)) {
        if (waited >= most) {
            return -ETIMEDOUT;
        }
        waited += pause;
        (void)pause_for(&pause);
    }
    return bg_process_wait(p, status);
}

void bg_process_free(bg_process *process)
{
    if (process == NULL) {
        return;
    }
    if (!reap(process)) {
        (void)bg_process_kill(process, SIGKILL);
        if (bg_self() != NULL) {
            bg_shield
            {
                (void)bg_process_wait(process, NULL);
            }
        } else {
            (void)bg_process_wait(process, NULL);
        }
    }
    for (int i = 0; i < 3; i++) {
        if (process->pipe[i] >= 0) {
            (void)bg_fd_close(process->pipe[i]);
        }
    }
    if (process->pidfd >= 0) {
        (void)bg_fd_close(process->pidfd);
    }
    bgi_free(process);
}
