/*
 * Processes: started, fed and read, waited for, ended.
 *
 *     bg_process *p;
 *     const char *argv[] = {"sort", "-n", NULL};
 *     int rc = bg_process_spawn(&p, argv, .in = BG_STDIO_PIPE, .out = BG_STDIO_PIPE);
 *
 * A process belongs to who has started it, until bg_process_free, which sees to it that it has
 * ended: no process is left behind, and none stays a zombie. Several tasks may use one process at
 * the same time, until it is freed. They must be awaited here alone: a wait(2) for all children, or
 * an ignored SIGCHLD, in another part of the program takes the status away (-ECHILD).
 *
 * All of these may be called in tasks, where they suspend if they have to wait, and on plain
 * threads, which they block, but for bg_process_run: in a task only.
 */
#ifndef BRIGADE_PROCESS_H
#define BRIGADE_PROCESS_H

#include <brigade/detail/options.h>
#include <brigade/types.h>
#include <sys/resource.h>
#include <sys/types.h>

BG_BEGIN_DECLS

typedef struct bg_process bg_process;

/* What a standard descriptor of the child is to be, beside the number of a descriptor. */
#define BG_STDIO_INHERIT 0 /* that of this process */
#define BG_STDIO_NULL (-1) /* /dev/null */
#define BG_STDIO_PIPE (-2) /* a pipe, whose other end is had by bg_process_pipe */
#define BG_STDIO_OUT (-3)  /* of .err: the same as its standard output */

typedef struct bg_process_options {
    size_t size;       /* filled in by the macros: sizeof(bg_process_options) */
    int in, out, err;  /* BG_STDIO_*, or a descriptor above 0, which stays the caller's; one that
                          is O_NONBLOCK is so for the child too */
    char *const *env;  /* its environment; NULL: that of this process */
    const char *cwd;   /* its working directory; NULL: that of this process */
    int process_group; /* not 0: a group of its own: signals below go to all processes in it */
} bg_process_options;

/* How a process has ended, and what it used. */
typedef struct bg_process_status {
    int exited; /* 1: it returned or called exit, with `code`; 0: `signal` ended it */
    int code;
    int signal;
    struct rusage usage;
} bg_process_status;

/*
 * int bg_process_spawn(bg_process **out, const char *const argv[], ...options): starts a program.
 * argv[0] is its name, looked for in PATH unless it has a slash; the array ends with NULL. The
 * child has no signals blocked or ignored, and of the open descriptors those without close-on-exec
 * only. A relative name is that in the new working directory.
 *
 * By posix_spawn(3): does not suspend, and blocks its thread until the program is loaded, which is
 * about a millisecond. 0, and *out; -ENOENT: there is no such program, or no such directory;
 * -EACCES, -ENOEXEC, -E2BIG, ...: as execve(2); -EINVAL: argv is NULL or empty, options that are
 * not valid; -EBADF: not an open descriptor; -EMFILE, -ENFILE: no pipe could be had; -EAGAIN,
 * -ENOMEM: no process.
 */
#define bg_process_spawn(...)                                                                      \
    BG_DETAIL_CALL2(bg_process_spawn_opts, bg_process_options, __VA_ARGS__)
BG_API int bg_process_spawn_opts(bg_process **out, const char *const argv[],
                                 const bg_process_options *options);

/* The number of the process: valid as such until it has been awaited. */
BG_API pid_t bg_process_id(const bg_process *process);

/*
 * This process's end of a pipe to the child's descriptor `which`, 0, 1 or 2: close-on-exec and
 * O_NONBLOCK; it stays the process's, and is closed when that is freed. -EBADF: it has none.
 * Writing to a child that reads no more raises SIGPIPE where the program has not ignored it.
 */
BG_API int bg_process_pipe(const bg_process *process, int which);

/* Likewise, but from now on it is the caller's to close, by bg_fd_close: so a child is told that
 * its input has ended. One task at a time. */
BG_API int bg_process_take_pipe(bg_process *process, int which);

/*
 * Waits until the process has ended; *status, unless NULL, says how. May be called again, and by
 * several tasks: they are all told the same.
 *
 * Suspends. 0; -ECANCELED, -ETIMEDOUT: the process goes on, and can be waited for again; -ECHILD:
 * somebody else has taken its status, which says nothing then.
 */
BG_API int bg_process_wait(bg_process *process, bg_process_status *status);

/*
 * Sends it a signal, or to all of its group, if it has one of its own. Does not suspend. 0; -ESRCH:
 * it has been awaited already; -EINVAL: no such signal; -EPERM: it has changed its user.
 */
BG_API int bg_process_kill(bg_process *process, int signal);

/*
 * Ends it: sends SIGTERM, waits for at most `grace`, then sends SIGKILL and waits. Failures and
 * status as bg_process_wait; when the caller is to end during the grace, it has been sent only
 * SIGTERM. 0 also when it had ended before.
 */
BG_API int bg_process_terminate(bg_process *process, bg_duration grace, bg_process_status *status);

/*
 * Gives it back, and closes its pipes. A process that has not been awaited is killed (SIGKILL, with
 * its group) and waited for, which cannot be cancelled and is mostly a matter of microseconds. NULL
 * is ignored. May suspend. Nobody may use it meanwhile.
 */
BG_API void bg_process_free(bg_process *process);

/* ---- all at once ---- */

typedef struct bg_process_output {
    bg_process_status status;
    char *out, *err; /* what it wrote, with a '\0' behind; freed by bg_process_output_free */
    size_t out_size, err_size;
    int truncated; /* 1: it wrote more than .limit, the rest was dropped */
} bg_process_output;

typedef struct bg_process_run_options {
    size_t size;       /* filled in by the macros: sizeof(bg_process_run_options) */
    const void *input; /* what it gets as its standard input; NULL: /dev/null */
    size_t input_size;
    size_t limit;     /* most bytes kept of each; 0: 16 MiB */
    int merge;        /* not 0: its standard error goes to `out` */
    char *const *env; /* these as in bg_process_options */
    const char *cwd;
    int process_group;
} bg_process_run_options;

/*
 * int bg_process_run(const char *const argv[], bg_process_output *output, ...options): runs a
 * program, feeds it, and takes what it writes, until it has ended and closed its output (which
 * children of its own may hold open). For a timeout use a scope:
 *     bg_timeout (5 * BG_S) { rc = bg_process_run(argv, &output, .process_group = 1); }
 *
 * In a task. Suspends. 0, and *output, however the program ended; -ECANCELED, -ETIMEDOUT: it was
 * killed and waited for; -ENOMEM: likewise; else as bg_process_spawn. On failure there is nothing
 * to be freed.
 */
#define bg_process_run(...)                                                                        \
    BG_DETAIL_CALL2(bg_process_run_opts, bg_process_run_options, __VA_ARGS__)
BG_API int bg_process_run_opts(const char *const argv[], bg_process_output *output,
                               const bg_process_run_options *options);

/* Frees what bg_process_run has put there, not the struct. */
BG_API void bg_process_output_free(bg_process_output *output);

BG_END_DECLS

#endif
