/*
 * A program from its start to its end: fed, read and waited for.
 *
 * Its input, output and errors are seen to by tasks of a group, and its status by the caller, who
 * closes the group first: that ends when all three pipes have. A reader that has no memory fails,
 * which ends the group; in every case of failure the process is killed and waited for.
 *
 * The program may close its input before it has read all of it: a write then fails with EPIPE,
 * which is no failure of the run. The signal that comes with it is held back around the write, on
 * a thread that does not block it anyway, and taken away.
 */
#include "io/process.h"

#include "base/alloc.h"

#include <brigade/group.h>
#include <brigade/io.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define USUAL_LIMIT ((size_t)16 << 20)

enum { FIRST_SIZE = 4096, DROP_SIZE = 4096 };

typedef struct sink {
    int fd;
    size_t limit, size, room;
    char *bytes;
    int truncated;
} sink;

typedef struct source {
    bg_process *process;
    const char *bytes;
    size_t size;
} source;

/* write(2), without SIGPIPE. */
BGI_NOINLINE static ssize_t write_quietly(int fd, const void *bytes, size_t size)
{
    static const struct timespec now = {0, 0};
    sigset_t pipe_only, pending, before;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t r = write(fd, bytes, size);
    r = r < 0 ? -errno : r;
    if (r == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR) {
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static int feed(void *arg)
{
    source *s = arg;
    int r = 0;
    int fd = bg_process_pipe(s->process, 0);
    while (r >= 0 && s->size > 0) {
        ssize_t n = write_quietly(fd, s->bytes, s->size);
        if (n >= 0) {
            s->bytes += n;
            s->size -= (size_t)n;
        } else if (n == -EAGAIN) {
            r = bg_poll(fd, POLLOUT);
        } else if (n != -EINTR) {
            r = n == -EPIPE ? 0 : (int)n;
            break;
        }
    }
    (void)bg_fd_close(bg_process_take_pipe(s->process, 0));
    return r < 0 ? r : 0;
}

/* Room for at least one byte more and the end. */
static int grow(sink *s)
{
    if (s->room > s->size + 1) {
        return 0;
    }
    size_t room = s->room == 0 ? FIRST_SIZE : 2 * s->room;
    room = room > s->limit + 1 ? s->limit + 1 : room;
    char *bytes = bgi_malloc(room);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    if (s->size > 0) {
        memcpy(bytes, s->bytes, s->size);
    }
    bgi_free(s->bytes);
    s->bytes = bytes;
    s->room = room;
    return 0;
}

static int collect(void *arg)
{
    sink *s = arg;
    char drop[DROP_SIZE];
    for (;;) {
        int is_full = s->size == s->limit;
        int r = is_full ? 0 : grow(s);
        if (r < 0) {
            return r;
        }
        ssize_t n = is_full ? bg_read(s->fd, drop, sizeof drop)
                            : bg_read(s->fd, s->bytes + s->size, s->room - 1 - s->size);
        if (n <= 0) {
            return (int)n;
        }
        s->size += is_full ? 0 : (size_t)n;
        s->truncated |= is_full;
    }
}

/* Ends a sink's text. */
static int finish(sink *s)
{
    if (s->bytes == NULL) { /* the limit is 0, or nothing was asked for */
        s->bytes = bgi_malloc(1);
        if (s->bytes == NULL) {
            return -ENOMEM;
        }
    }
    s->bytes[s->size] = '\0';
    return 0;
}

static int attend(bg_process *p, source *in, sink *out, sink *err)
{
    bg_group_t g;
    int r = bg_group_open(&g);
    if (r < 0) {
        return r;
    }
    out->fd = bg_process_pipe(p, 1);
    err->fd = bg_process_pipe(p, 2);
    r = bg_group_spawn(&g, collect, out);
    if (r == 0 && err->fd >= 0) {
        r = bg_group_spawn(&g, collect, err);
    }
    if (r == 0 && in->bytes != NULL) {
        r = bg_group_spawn(&g, feed, in);
    }
    int end = bg_group_close(&g);
    return end < 0 ? end : r;
}

int bg_process_run_opts(const char *const argv[], bg_process_output *output,
                        const bg_process_run_options *o)
{
    static const bg_process_run_options none = {.size = sizeof none};
    bg_process *p;

    o = o == NULL ? &none : o;
    if (output == NULL || o->size < sizeof *o || (o->input == NULL && o->input_size != 0)) {
        return -EINVAL;
    }
    if (bg_self() == NULL) {
        return -EPERM;
    }
    int r = bg_cancelled();
    if (r == 0) {
        r = bg_process_spawn(&p, argv, .in = o->input == NULL ? BG_STDIO_NULL : BG_STDIO_PIPE,
                             .out = BG_STDIO_PIPE, .err = o->merge ? BG_STDIO_OUT : BG_STDIO_PIPE,
                             .env = o->env, .cwd = o->cwd, .process_group = o->process_group);
    }
    if (r < 0) {
        return r;
    }
    size_t limit = o->limit == 0 ? USUAL_LIMIT : o->limit;
    source in = {p, o->input, o->input_size};
    sink out = {.limit = limit}, err = {.limit = limit};
    memset(output, 0, sizeof *output);
    r = attend(p, &in, &out, &err);
    r = r == 0 ? bg_process_wait(p, &output->status) : r;
    bg_process_free(p);
    r = r == 0 ? finish(&out) : r;
    r = r == 0 ? finish(&err) : r;
    if (r < 0) {
        bgi_free(out.bytes);
        bgi_free(err.bytes);
        return r;
    }
    output->out = out.bytes;
    output->out_size = out.size;
    output->err = err.bytes;
    output->err_size = err.size;
    output->truncated = out.truncated || err.truncated;
    return 0;
}

void bg_process_output_free(bg_process_output *output)
{
    bgi_free(output->out);
    bgi_free(output->err);
    output->out = output->err = NULL;
    output->out_size = output->err_size = 0;
}
