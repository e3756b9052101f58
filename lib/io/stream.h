/*
 * A buffered stream: its record, and what its two halves share.
 */
#ifndef BGI_STREAM_H
#define BGI_STREAM_H

#include "base/atomic.h"

#include <brigade/stream.h>

/* Bytes [first, last) of a block of `room`, which is NULL when room is 0. */
typedef struct bgi_stream_buffer {
    char *bytes;
    size_t first, last, room;
} bgi_stream_buffer;

struct bg_stream {
    const bg_stream_transport *transport;
    void *self;
    /* of the reader */
    int ended;       /* the end has been seen */
    int read_failed; /* for good; 0: not */
    size_t read_room, line_limit;
    bgi_stream_buffer in;
    /* of the writer */
    int write_failed;
    int shut;
    size_t high_water, low_water;
    bgi_stream_buffer out;
    bgi_atomic reading, writing; /* BGI_DEBUG: whether somebody does */
};

BGI_INLINE size_t bgi_stream_held(const bgi_stream_buffer *b)
{
    return b->last - b->first;
}

/* Makes room for n more bytes, at least `least` in all. 0, -ENOMEM. */
int bgi_stream_reserve(bgi_stream_buffer *b, size_t n, size_t least);

/* It is empty and has no block. */
void bgi_stream_release(bgi_stream_buffer *b);

/* Whether a half may go on after it. */
int bgi_stream_passing(ssize_t failure);

/* A call begins and ends to use a half. */
#if BGI_DEBUG
void bgi_stream_enter(bgi_atomic *half, const char *function);
void bgi_stream_leave(bgi_atomic *half);
#else
#define bgi_stream_enter(half, function) ((void)(half))
#define bgi_stream_leave(half) ((void)(half))
#endif

#endif
