/*
 * Streams: their life, the buffers of both halves, and writing.
 *
 * The reader's and the writer's fields are apart, and each half is used by one task at a time, so
 * nothing here is locked: a task that goes on where another has stopped has learnt of that somehow,
 * and so sees what it has done. The words `reading` and `writing` are debug builds' check of that:
 * 0 -> 1 by who begins a call (compare-and-swap; when it fails, somebody else is at it), 1 -> 0 by
 * the same call. They order nothing.
 *
 * Waits lose nothing, because they never come between taking and keeping: a write waits first and
 * takes its bytes then; a flush moves `first` on with each piece that went; a read puts what comes
 * in the buffer and takes from there when all is there (stream_read.c).
 *
 * Tried in thought and dropped: a task of the stream that sends in the background, as asyncio's
 * transport does. It would be one more stack a stream and a switch a write; failures would come up
 * at some later call; and what a failed write has taken would be anybody's guess.
 */
#include "io/stream.h"

#include "base/alloc.h"
#include "base/panic.h"
#include "task/task.h"

#include <brigade/io.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_ROOM = 4096, LEAST_OUT = 512 };
#define USUAL_LIMIT ((size_t)64 << 10)

/* ---- buffers ---- */

int bgi_stream_reserve(bgi_stream_buffer *b, size_t n, size_t least)
{
    size_t held = bgi_stream_held(b);
    if (b->room - b->last >= n) {
        return 0;
    }
    if (b->room - held >= n && held <= b->room / 2) {
        memmove(b->bytes, b->bytes + b->first, held);
    } else {
        if (n > SIZE_MAX / 4 - held) {
            return -ENOMEM;
        }
        size_t room = held + n < 2 * b->room ? 2 * b->room : held + n;
        room = room < least ? least : room;
        char *bytes = bgi_malloc(room);
        if (bytes == NULL) {
            return -ENOMEM;
        }
        if (held != 0) {
            memcpy(bytes, b->bytes + b->first, held);
        }
        bgi_free(b->bytes);
        b->bytes = bytes;
        b->room = room;
    }
    b->first = 0;
    b->last = held;
    return 0;
}

void bgi_stream_release(bgi_stream_buffer *b)
{
    bgi_free(b->bytes);
    *b = (bgi_stream_buffer){0};
}

int bgi_stream_passing(ssize_t failure)
{
    return failure == -ECANCELED || failure == -ETIMEDOUT || failure == -ENOMEM ||
           failure == -EMFILE || failure == -ENFILE || failure == -EAGAIN;
}

#if BGI_DEBUG
void bgi_stream_enter(bgi_atomic *half, const char *function)
{
    if (!bgi_cas_relaxed(half, 0, 1)) {
        bgi_misuse(function, bgi_task_self_name(), "another task is using this half of the stream");
    }
}

void bgi_stream_leave(bgi_atomic *half)
{
    bgi_store(half, 0);
}
#endif

/* ---- over a descriptor, which is the pointer's value ---- */

static int fd_of(void *self)
{
    return (int)(intptr_t)self;
}

static ssize_t fd_read(void *self, void *buffer, size_t size)
{
    return bg_read(fd_of(self), buffer, size);
}

static ssize_t fd_write(void *self, const void *buffer, size_t size)
{
    return bg_write(fd_of(self), buffer, size);
}

BGI_NOINLINE static int fd_shutdown(void *self)
{
    return shutdown(fd_of(self), SHUT_WR) == 0 ? 0 : -errno;
}

static int fd_close(void *self)
{
    return bg_fd_close(fd_of(self));
}

static const bg_stream_transport over_fd = {fd_read, fd_write, fd_shutdown, fd_close, fd_of};

/* ---- their life ---- */

int bg_stream_open_over_opts(bg_stream **out, const bg_stream_transport *transport, void *self,
                             const bg_stream_options *options)
{
    bg_stream_options o = {0};
    if (options != NULL) {
        if (options->size != sizeof o) {
            return -EINVAL;
        }
        o = *options;
    }
    size_t high = o.high_water == 0 ? USUAL_LIMIT : o.high_water;
    size_t low = o.low_water == 0 ? high / 4 : o.low_water;
    if (out == NULL || transport == NULL || low > high) {
        return -EINVAL;
    }
    bg_stream *s = bgi_calloc(1, sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->transport = transport;
    s->self = self;
    s->read_room = o.read_buffer == 0 ? READ_ROOM : o.read_buffer;
    s->line_limit = o.line_limit == 0 ? USUAL_LIMIT : o.line_limit;
    s->high_water = high;
    s->low_water = low;
    *out = s;
    return 0;
}

int bg_stream_open_opts(bg_stream **out, int fd, const bg_stream_options *options)
{
    return fd < 0 ? -EINVAL
                  : bg_stream_open_over_opts(out, &over_fd, (void *)(intptr_t)fd, options);
}

void *bg_stream_self(const bg_stream *s, const bg_stream_transport *transport)
{
    return s->transport == transport ? s->self : NULL;
}

int bg_stream_fd(const bg_stream *s)
{
    return s->transport->fd == NULL ? -EBADF : s->transport->fd(s->self);
}

/* ---- writing ---- */

/* Sends until at most `left` bytes are unsent. */
static int send_until(bg_stream *s, size_t left)
{
    bgi_stream_buffer *b = &s->out;
    while (bgi_stream_held(b) > left) {
        if (s->write_failed != 0) {
            return s->write_failed;
        }
        ssize_t n = s->transport->write(s->self, b->bytes + b->first, bgi_stream_held(b));
        if (n <= 0) {
            int r = n == 0 ? -EIO : (int)n;
            if (!bgi_stream_passing(r)) {
                s->write_failed = r;
            }
            return r;
        }
        b->first += (size_t)n;
    }
    if (bgi_stream_held(b) == 0) {
        bgi_stream_release(b);
    }
    return 0;
}

/* Room for size bytes; waits for it. */
static int make_room(bg_stream *s, size_t size)
{
    if (s->write_failed != 0 || s->shut) {
        return s->write_failed != 0 ? s->write_failed : -EPIPE;
    }
    if (bgi_stream_held(&s->out) > s->high_water) {
        int r = send_until(s, s->low_water);
        if (r != 0) {
            return r;
        }
    }
    return bgi_stream_reserve(&s->out, size, LEAST_OUT);
}

int bg_stream_write(bg_stream *s, const void *buffer, size_t size)
{
    bgi_stream_enter(&s->writing, "bg_stream_write");
    int r = make_room(s, size);
    if (r == 0 && size != 0) {
        memcpy(s->out.bytes + s->out.last, buffer, size);
        s->out.last += size;
    }
    bgi_stream_leave(&s->writing);
    return r;
}

/* In a function of its own, which does not suspend: errno. */
BGI_NOINLINE static int format_into(char *at, size_t room, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(at, room, format, again);
    int error = n < 0 ? errno : 0;
    va_end(again);
    if (n < 0) {
        return error == EOVERFLOW ? -EOVERFLOW : -EINVAL;
    }
    return n;
}

int bg_stream_vprintf(bg_stream *s, const char *format, va_list args)
{
    size_t guess = 128;
    bgi_stream_enter(&s->writing, "bg_stream_printf");
    int r = make_room(s, guess);
    while (r == 0) {
        r = format_into(s->out.bytes + s->out.last, guess, format, args);
        if (r < 0 || (size_t)r < guess) {
            break;
        }
        guess = (size_t)r + 1;
        r = bgi_stream_reserve(&s->out, guess, LEAST_OUT);
    }
    if (r > 0) {
        s->out.last += (size_t)r;
    } else if (bgi_stream_held(&s->out) == 0) {
        bgi_stream_release(&s->out);
    }
    bgi_stream_leave(&s->writing);
    return r;
}

int bg_stream_printf(bg_stream *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int r = bg_stream_vprintf(s, format, args);
    va_end(args);
    return r;
}

int bg_stream_flush(bg_stream *s)
{
    bgi_stream_enter(&s->writing, "bg_stream_flush");
    int r = send_until(s, 0);
    if (r == 0) {
        r = s->write_failed;
    }
    bgi_stream_leave(&s->writing);
    return r;
}

size_t bg_stream_unsent(const bg_stream *s)
{
    return bgi_stream_held(&s->out);
}

int bg_stream_shutdown(bg_stream *s)
{
    bgi_stream_enter(&s->writing, "bg_stream_shutdown");
    int r = s->shut ? 0 : send_until(s, 0);
    if (r == 0 && !s->shut) {
        r = s->transport->shutdown_write == NULL ? -ENOTSUP : s->transport->shutdown_write(s->self);
        s->shut = r == 0;
    }
    bgi_stream_leave(&s->writing);
    return r;
}

int bg_stream_close(bg_stream *s)
{
    if (s == NULL) {
        return 0;
    }
    bgi_stream_enter(&s->reading, "bg_stream_close");
    bgi_stream_enter(&s->writing, "bg_stream_close");
    int r = send_until(s, 0);
    int closed = s->transport->close(s->self);
    bgi_stream_release(&s->in);
    bgi_stream_release(&s->out);
    bgi_free(s);
    return r != 0 ? r : closed;
}
