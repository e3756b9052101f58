/*
 * Streams: reading. See stream.c.
 *
 * What is read goes into the buffer, and out of it by the call that finds there what it looks for:
 * a wait that fails leaves it as it was. Only bg_stream_read, with nothing in the buffer, and room
 * for as much as would be read ahead, reads into the caller's memory, by one call that takes or
 * fails.
 *
 * A search for a delimiter does not look twice at what it has looked at, but for as many bytes as a
 * delimiter may have begun in.
 */
#include "io/stream.h"

#include "base/alloc.h"
#include "base/compiler.h"

#include <errno.h>
#include <string.h>

/* The result of a read that has brought nothing. */
static int not_read(bg_stream *s, ssize_t n)
{
    if (n == 0) {
        s->ended = 1;
        return -ENODATA;
    }
    if (!bgi_stream_passing(n)) {
        s->read_failed = (int)n;
    }
    return (int)n;
}

/* The beginning of a call: what the last one has given away is taken back. */
static void begin(bg_stream *s)
{
    if (bgi_stream_held(&s->in) == 0) {
        if (s->in.room > s->read_room + 1) {
            bgi_stream_release(&s->in);
        }
        s->in.first = s->in.last = 0;
    }
}

/* Reads more, so that at least one byte is added: 0; -ENODATA: the end. One byte of room is left
 * behind what is there, for a '\0'. most: how many bytes the buffer may come to hold. */
static int fill(bg_stream *s, size_t most)
{
    bgi_stream_buffer *b = &s->in;
    size_t held = bgi_stream_held(b);
    if (s->read_failed != 0 || s->ended) {
        return s->ended ? -ENODATA : s->read_failed;
    }
    size_t want = most - held;
    if (held < s->read_room && want > s->read_room - held) {
        want = s->read_room - held; /* it will not be much more than that at a time */
    } else if (held >= s->read_room && want > held) {
        want = held;
    }
    int r = bgi_stream_reserve(b, want + 1, 0);
    if (r != 0) {
        return r;
    }
    ssize_t n = s->transport->read(s->self, b->bytes + b->last, want);
    if (n <= 0) {
        return not_read(s, n);
    }
    b->last += (size_t)n;
    return 0;
}

static void take(bg_stream *s, void *buffer, size_t n)
{
    if (n != 0) {
        memcpy(buffer, s->in.bytes + s->in.first, n);
        s->in.first += n;
    }
}

static ssize_t read_some(bg_stream *s, void *buffer, size_t size)
{
    size_t held = bgi_stream_held(&s->in);
    if (held == 0 && size >= s->read_room && s->read_failed == 0 && !s->ended) {
        ssize_t n = s->transport->read(s->self, buffer, size);
        int r = n > 0 ? 0 : not_read(s, n);
        return n > 0 ? n : r == -ENODATA ? 0 : r;
    }
    if (held == 0 && size != 0) {
        int r = fill(s, s->read_room);
        if (r != 0) {
            return r == -ENODATA ? 0 : r;
        }
        held = bgi_stream_held(&s->in);
    }
    size_t n = held < size ? held : size;
    take(s, buffer, n);
    return (ssize_t)n;
}

ssize_t bg_stream_read(bg_stream *s, void *buffer, size_t size)
{
    bgi_stream_enter(&s->reading, "bg_stream_read");
    begin(s);
    ssize_t r = read_some(s, buffer, size);
    bgi_stream_leave(&s->reading);
    return r;
}

int bg_stream_read_exactly(bg_stream *s, void *buffer, size_t size)
{
    int r = 0;
    bgi_stream_enter(&s->reading, "bg_stream_read_exactly");
    begin(s);
    while (r == 0 && bgi_stream_held(&s->in) < size) {
        r = fill(s, size < s->read_room ? s->read_room : size);
    }
    if (r == 0) {
        take(s, buffer, size);
    }
    bgi_stream_leave(&s->reading);
    return r;
}

/* ---- delimiters ---- */

/* Where the first delimiter ends, counted from the first byte that is there, looking from `from`
 * on; 0: nowhere. */
static size_t find(const bgi_stream_buffer *b, size_t from, const void *delimiter, size_t size)
{
    size_t held = bgi_stream_held(b);
    if (held - from < size) {
        return 0;
    }
    const char *start = b->bytes + b->first;
    const char *at = size == 1 ? memchr(start + from, *(const char *)delimiter, held - from)
                               : memmem(start + from, held - from, delimiter, size);
    return at == NULL ? 0 : (size_t)(at - start) + size;
}

/* Fills the buffer until a delimiter is there: where it ends, or the failure. */
static ssize_t seek(bg_stream *s, const void *delimiter, size_t size)
{
    size_t from = 0;
    for (;;) {
        size_t end = find(&s->in, from, delimiter, size);
        size_t held = bgi_stream_held(&s->in);
        if (end > s->line_limit || (end == 0 && held >= s->line_limit)) {
            return -EMSGSIZE;
        }
        if (end != 0) {
            return (ssize_t)end;
        }
        from = held < size ? 0 : held - size + 1;
        size_t most = s->line_limit < s->read_room ? s->read_room : s->line_limit;
        int r = fill(s, most);
        if (r != 0) {
            return r;
        }
    }
}

ssize_t bg_stream_read_until(bg_stream *s, const void *delimiter, size_t delimiter_size,
                             char **data)
{
    if (delimiter_size == 0 || delimiter_size > s->line_limit) {
        return -EINVAL;
    }
    bgi_stream_enter(&s->reading, "bg_stream_read_until");
    begin(s);
    ssize_t r = seek(s, delimiter, delimiter_size);
    if (r > 0) {
        *data = s->in.bytes + s->in.first;
        s->in.first += (size_t)r;
    }
    bgi_stream_leave(&s->reading);
    return r;
}

int bg_stream_read_line(bg_stream *s, char **line, size_t *size)
{
    bgi_stream_enter(&s->reading, "bg_stream_read_line");
    begin(s);
    ssize_t r = seek(s, "\n", 1);
    size_t n = r > 0 ? (size_t)r : 0;
    if (r == -ENODATA) {
        n = bgi_stream_held(&s->in);
        r = n != 0;
    }
    if (r > 0) {
        char *at = s->in.bytes + s->in.first;
        s->in.first += n;
        if (at[n - 1] == '\n') {
            n--;
            n -= n != 0 && at[n - 1] == '\r';
        }
        at[n] = '\0';
        *line = at;
        if (size != NULL) {
            *size = n;
        }
        r = 1;
    }
    bgi_stream_leave(&s->reading);
    return (int)r;
}

int bg_stream_skip_until(bg_stream *s, const void *delimiter, size_t delimiter_size)
{
    int r = delimiter_size == 0 || delimiter_size > s->line_limit ? -EINVAL : 0;
    bgi_stream_enter(&s->reading, "bg_stream_skip_until");
    begin(s);
    while (r == 0) {
        size_t end = find(&s->in, 0, delimiter, delimiter_size);
        if (end != 0) {
            s->in.first += end;
            break;
        }
        size_t held = bgi_stream_held(&s->in);
        if (held >= delimiter_size) { /* its beginning may be there */
            s->in.first += held - delimiter_size + 1;
        }
        r = fill(s, s->read_room < delimiter_size ? delimiter_size : s->read_room);
    }
    bgi_stream_leave(&s->reading);
    return r;
}

size_t bg_stream_buffered(const bg_stream *s)
{
    return bgi_stream_held(&s->in);
}

int bg_stream_at_eof(const bg_stream *s)
{
    return s->ended && bgi_stream_held(&s->in) == 0;
}
