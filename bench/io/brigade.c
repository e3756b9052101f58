/*
 * brigade's side of the I/O benchmarks: a task for each connection. The driver is chosen by the
 * variable BRIGADE_IO.
 */
#define _GNU_SOURCE
#include "serve.h"

#include <brigade.h>

enum { LARGEST = 512, COMPUTING = 4 };

/* The argument of a task that is not copied: a descriptor. */
static void *of_fd(int fd)
{
    return (void *)(intptr_t)fd;
}

static int fd_of(void *arg)
{
    return (int)(intptr_t)arg;
}

static int echo(void *arg)
{
    int fd = fd_of(arg);
    char buffer[LARGEST];
    ssize_t n;
    while ((n = bg_fd_recv(fd, buffer, sizeof buffer, 0)) > 0)
        if (bg_write_all(fd, buffer, (size_t)n, NULL) < 0)
            break;
    (void)bg_fd_close(fd);
    return 0;
}

/* Sends back how old a stamp is. */
static int tell_age(void *arg)
{
    int fd = fd_of(arg);
    int64_t stamps[32];
    ssize_t n;
    while ((n = bg_read_all(fd, stamps, sizeof *stamps, NULL)) == sizeof *stamps) {
        int64_t age = bm_now() - stamps[0];
        if (bg_write_all(fd, &age, sizeof age, NULL) < 0)
            break;
    }
    (void)bg_fd_close(fd);
    return 0;
}

static int64_t yield_ns;

/* Never waits; gives its turn away now and then, or never. */
static int compute(void *arg)
{
    (void)arg;
    while (!bg_cancelled()) {
        (void)bm_burn(yield_ns ? yield_ns : 10 * BM_MS);
        if (yield_ns)
            bg_yield();
    }
    return 0;
}

static int accept_all(int listener, bg_fn serve)
{
    for (;;) {
        int fd = bg_accept(listener, NULL, NULL);
        if (fd < 0)
            return fd;
        io_no_delay(fd);
        bg_task *t = bg_spawn(serve, of_fd(fd), .stack_size = 16384);
        if (!t)
            return -ENOMEM;
        bg_detach(t);
    }
}

static int serve_echo(void *arg)
{
    return accept_all(fd_of(arg), echo);
}

static int serve_late(void *arg)
{
    for (int i = 0; i < COMPUTING; i++) {
        bg_task *t = bg_spawn(compute, NULL);
        if (!t)
            return -ENOMEM;
        bg_detach(t);
    }
    return accept_all(fd_of(arg), tell_age);
}

static int64_t to_spawn;

/* One process after another; there are two of this. */
static int spawn_half(void *arg)
{
    const char *argv[] = {"/bin/true", NULL};
    bg_process_status status;
    (void)arg;
    for (int64_t i = 0; i < to_spawn / 2; i++) {
        bg_process *p;
        int rc = bg_process_spawn(&p, argv, .in = BG_STDIO_INHERIT);
        if (rc < 0)
            return rc;
        rc = bg_process_wait(p, &status);
        bg_process_free(p);
        if (rc < 0 || !status.exited || status.code)
            return rc < 0 ? rc : -ECHILD;
    }
    return 0;
}

static int spawn_all(void *arg)
{
    (void)arg;
    int64_t begin = bm_now();
    bg_task *a = bg_spawn(spawn_half, NULL), *b = bg_spawn(spawn_half, NULL);
    int rc = bg_gather(a, b);
    if (rc < 0)
        return rc;
    bm_metric("each", (double)(bm_now() - begin) / 1e3 / (double)(to_spawn / 2 * 2), "us");
    return 0;
}

/* The example, which lies beside this program. Returns where it is not there. */
static void become_http_server(const char *self, int64_t workers)
{
    char path[4096], number[32];
    const char *slash = strrchr(self, '/');
    snprintf(path, sizeof path, "%.*s/http_server", slash ? (int)(slash - self) : 1,
             slash ? self : ".");
    snprintf(number, sizeof number, "%" PRId64, workers);
    execl(path, path, "--port", "0", "--workers", number, (char *)NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("brigade " IO_VERSION ", " IO_COMPILER "\n");
        return BM_OK;
    }
    bg_fn fn = argc < 2                   ? NULL
               : !strcmp(argv[1], "echo") ? serve_echo
               : !strcmp(argv[1], "late") ? serve_late
                                          : NULL;
    if (argc > 1 && !strcmp(argv[1], "http"))
        become_http_server(argv[0], bm_arg(argc, argv, "workers", 1));
    if (argc > 1 && !strcmp(argv[1], "spawn")) {
        to_spawn = bm_arg(argc, argv, "count", 1000);
        return bg_run(spawn_all, NULL, .workers = (unsigned)bm_arg(argc, argv, "workers", 1)) < 0
                   ? BM_FAILED
                   : BM_OK;
    }
    if (!fn)
        return BM_CANNOT;
    yield_ns = bm_arg(argc, argv, "yield_us", 0) * BM_US;
    int listener = io_listen();
    if (listener < 0)
        return BM_FAILED;
    int rc = bg_run(fn, of_fd(listener), .workers = (unsigned)bm_arg(argc, argv, "workers", 1));
    fprintf(stderr, "%s\n", bg_strerror(rc));
    return BM_FAILED;
}
