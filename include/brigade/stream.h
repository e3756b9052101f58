/*
 * Streams: buffered reading and writing over a descriptor, or whatever else carries bytes.
 *
 *     bg_stream *s;
 *     char *line;
 *     if (bg_stream_open(&s, fd) == 0) {
 *         while (bg_stream_read_line(s, &line, NULL) == 1 && bg_stream_printf(s, "%s\n", line) >= 0
 * && bg_stream_flush(s) == 0) {
 *         }
 *         bg_stream_close(s);
 *     }
 *
 * A stream has two halves that do not disturb each other: one task may read while another writes.
 * Two that read, or two that write, at the same time are misuse (debug builds say so), as is a
 * close while somebody uses the stream.
 *
 * What is written stays in the stream until bg_stream_flush, bg_stream_shutdown or bg_stream_close,
 * or until more than .high_water bytes are there: then the next call that writes first sends,
 * itself, until .low_water are left; that is the only time at which writing waits. There is no task
 * behind a stream that would send.
 *
 * Every wait can be cancelled and obeys deadlines (-ECANCELED, -ETIMEDOUT), and loses nothing: a
 * call that fails has neither taken data out of the stream nor put any in, and what a flush has
 * sent until then has been sent. Any call may be made again after such a failure.
 * -ENOMEM, -EMFILE and -ENFILE are likewise. Any other failure of what carries the bytes
 * (-ECONNRESET, -EPIPE, ...) stays: that half of the stream returns it from then on; what had been
 * read before can still be had.
 *
 * In tasks these calls suspend when they have to wait, on plain threads they block. A stream uses
 * no buffer for reading until something is read, and gives back what is larger than .read_buffer
 * when it is empty; it keeps none for writing when all has been sent.
 */
#ifndef BRIGADE_STREAM_H
#define BRIGADE_STREAM_H

#include <brigade/detail/options.h>
#include <brigade/types.h>
#include <stdarg.h>
#include <sys/types.h>

BG_BEGIN_DECLS

typedef struct bg_stream bg_stream;

typedef struct bg_stream_options {
    size_t size;        /* filled in by the macros: sizeof(bg_stream_options) */
    size_t read_buffer; /* bytes read ahead; 0: 4 KiB */
    size_t line_limit;  /* the longest line, or piece up to a delimiter, with it; 0: 64 KiB */
    size_t high_water;  /* unsent bytes above which writing waits; 0: 64 KiB */
    size_t low_water;   /* until that many are left; 0: a quarter of high_water */
} bg_stream_options;

/*
 * What carries a stream's bytes. Each function gets the `self` of bg_stream_open_over and may
 * suspend; they fail with a negative errno, and with -ECANCELED or -ETIMEDOUT only if they have
 * transferred nothing. One task reads and one writes at a time.
 */
typedef struct bg_stream_transport {
    /* At least one byte, at most size, which is not 0; 0 at the end. */
    ssize_t (*read)(void *self, void *buffer, size_t size);
    /* At least one byte, at most size, which is not 0. */
    ssize_t (*write)(void *self, const void *buffer, size_t size);
    /* The other side is to see the end. NULL: -ENOTSUP. Once, unless it fails. */
    int (*shutdown_write)(void *self);
    /* Frees self, in any case; the last call. */
    int (*close)(void *self);
    /* The descriptor below. NULL: there is none. */
    int (*fd)(void *self);
} bg_stream_transport;

/*
 * int bg_stream_open(bg_stream **out, int fd, ...options): a stream over a descriptor: a socket, a
 * pipe, a terminal, a file at its own offset. The descriptor is the stream's from now on; it stays
 * the caller's when this fails. Writing to a pipe that nobody reads raises SIGPIPE where the
 * program has not ignored it.
 *
 * Does not suspend. 0, and *out, for bg_stream_close; -EINVAL: out is NULL, fd negative, or
 * low_water above high_water; -ENOMEM.
 */
#define bg_stream_open(...) BG_DETAIL_CALL2(bg_stream_open_opts, bg_stream_options, __VA_ARGS__)
BG_API int bg_stream_open_opts(bg_stream **out, int fd, const bg_stream_options *options);

/*
 * int bg_stream_open_over(bg_stream **out, const bg_stream_transport *transport, void *self,
 *                         ...options): likewise, over something else. The transport must stay.
 */
#define bg_stream_open_over(...)                                                                   \
    BG_DETAIL_CALL3(bg_stream_open_over_opts, bg_stream_options, __VA_ARGS__)
BG_API int bg_stream_open_over_opts(bg_stream **out, const bg_stream_transport *transport,
                                    void *self, const bg_stream_options *options);

/*
 * The `self` of a stream over that very transport; NULL: it is over something else. For who has
 * made the transport. Does not suspend.
 */
BG_API void *bg_stream_self(const bg_stream *stream, const bg_stream_transport *transport);

/*
 * What is there, at most size bytes; waits only when nothing is. 0 at the end, or for size 0.
 */
BG_API ssize_t bg_stream_read(bg_stream *stream, void *buffer, size_t size);

/*
 * Exactly size bytes: 0. -ENODATA: the end comes before that; what is there stays in the stream,
 * for bg_stream_read. They are gathered in the stream, so that a wait that fails loses nothing: it
 * uses as much memory meanwhile.
 */
BG_API int bg_stream_read_exactly(bg_stream *stream, void *buffer, size_t size);

/*
 * What comes up to and with the next delimiter: how many bytes, and where in *data; they belong to
 * the stream and stay until its next call that reads, and may be changed.
 *
 * -ENODATA: the end comes before a delimiter; what is there stays in the stream. -EMSGSIZE: there
 * is none within .line_limit bytes; they stay in the stream, for bg_stream_read or
 * bg_stream_skip_until. -EINVAL: the delimiter is empty, or longer than the limit.
 */
BG_API ssize_t bg_stream_read_until(bg_stream *stream, const void *delimiter, size_t delimiter_size,
                                    char **data);

/*
 * A line, without its "\n" or "\r\n" and with a '\0' instead, in *line, which belongs to the stream
 * as that of bg_stream_read_until; *size, if not NULL, is its length, for a line may hold '\0'.
 * 1: a line; what comes before the end without a "\n" is one, too. 0: the end. -EMSGSIZE: it is
 * longer than .line_limit; it stays, for bg_stream_read or bg_stream_skip_until(s, "\n", 1).
 */
BG_API int bg_stream_read_line(bg_stream *stream, char **line, size_t *size);

/*
 * Drops what comes up to and with the next delimiter, however much. 0; -ENODATA: the end came
 * first. This call alone keeps nothing when it fails: what it has dropped is gone, and calling it
 * again goes on from there.
 */
BG_API int bg_stream_skip_until(bg_stream *stream, const void *delimiter, size_t delimiter_size);

/* Bytes that have been read and not been taken: so many can be had without a wait. */
BG_API size_t bg_stream_buffered(const bg_stream *stream);

/* Whether all has been taken and the end has been seen: the next read gives 0. */
BG_API int bg_stream_at_eof(const bg_stream *stream);

/*
 * Writes all of it: 0. A write that fails has taken nothing. Waits, before it takes anything, when
 * more than .high_water bytes are unsent; uses memory for all of it, so large blocks are better
 * written in pieces. -EPIPE: after bg_stream_shutdown, or nobody reads.
 */
BG_API int bg_stream_write(bg_stream *stream, const void *buffer, size_t size);

/*
 * printf(3) into the stream: the number of bytes, or as bg_stream_write; -EINVAL: the format fails;
 * -EOVERFLOW: it gives more than INT_MAX.
 */
BG_API int bg_stream_printf(bg_stream *stream, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
BG_API int bg_stream_vprintf(bg_stream *stream, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Sends all that has been written: 0. What could not be sent stays, for the next time. */
BG_API int bg_stream_flush(bg_stream *stream);

/* Bytes that have been written and not been sent. */
BG_API size_t bg_stream_unsent(const bg_stream *stream);

/*
 * Flushes, and tells the other side that nothing more comes (half-close): 0; reading goes on. A
 * second time: 0, nothing is done. -ENOTSOCK, -ENOTSUP: it has no halves.
 */
BG_API int bg_stream_shutdown(bg_stream *stream);

/* Its descriptor; stays the stream's. -EBADF: it has none. */
BG_API int bg_stream_fd(const bg_stream *stream);

/*
 * Flushes, closes and frees it, in any case: the stream is gone. 0; or why what was written has not
 * all been sent (also -ECANCELED, -ETIMEDOUT, at once if the task has been cancelled), or what the
 * close failed with. NULL is ignored. To be done with one that another task uses, cancel that task
 * first and await it.
 */
BG_API int bg_stream_close(bg_stream *stream);

BG_END_DECLS

#endif
