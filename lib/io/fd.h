/*
 * The table of descriptors: what a runtime knows of each number.
 *
 * An entry is made when a task first uses its number, and stays until the runtime ends: whoever has
 * an old pointer to it (an event just taken from the kernel, a wait that was cancelled) finds an
 * entry. What it says may be about a number that has been closed, and opened anew, meanwhile: an
 * event is never more than a hint that a call is worth trying, and who is about to wait compares
 * generations.
 *
 * The word `state` of an entry
 *   KIND     (bits 0-1)   UNKNOWN -> SOCKET, PIPE or FILE: adopt (compare-and-swap)
 *   STREAM   (bit 2)      bytes without boundaries: a short transfer says that no more can be had
 *   NONBLOCK (bit 3)      the open file is known to be O_NONBLOCK
 *   SHARED   (bit 4)      it must not be made so: asked by poll(2) before each call
 *   CLOSING  (bit 5)      0 -> 1 with the new generation, before close(2); 1 -> 0 after it, by the
 *                         last of those who are at it. Several when the number is given out again
 *                         meanwhile
 *   generation (bits 6..) of the number: +1 by each bg_fd_close, with all the rest back to 0
 *
 * It is relaxed: what it is about is a descriptor, which the program passes on from task to task. A
 * close raises the generation before it goes inside the lists; who is about to wait looks at it
 * inside. Between that and close(2) the number still is open, and nobody would tell who begins to
 * wait for it: a call that finds CLOSING, and no KIND, yields until close(2) has been made, and
 * finds out then what the number stands for. Partners: bgi_fd_close_made, release; bgi_fd_adopt,
 * acquire.
 *
 * Closes under way are in a list, one for all runtimes. An entry that is made meanwhile, be it in a
 * runtime that was started meanwhile, begins with what the list says. The list, the making of
 * entries, and both halves of a close are under one lock: so either the closer finds the entry, or
 * who makes it finds the closer. (Dropped: a count of closers in the word. It had room for seven,
 * and who had not been counted, as there was no entry, took away another's count.)
 *
 * `port` is the driver's. With io_uring it counts operations under way (io/uring.c). With epoll it
 * is 0, or 1 + the place of the worker in whose epoll the descriptor is. Written inside `in`
 * (wait/queue.h), as the registration itself is done there, and so is the end of it by close: a
 * registration either comes before the close, which ends it, or finds another generation. Read
 * without, as a hint: 0 is "try first".
 *
 * The tables of all runtimes are in one list, since a number is the process's: close goes through
 * it.
 */
#ifndef BGI_FD_H
#define BGI_FD_H

#include "base/alloc.h"
#include "wait/queue.h"

enum {
    BGI_FD_KIND = 3,
    BGI_FD_UNKNOWN = 0,
    BGI_FD_SOCKET = 1,
    BGI_FD_PIPE = 2, /* and all else that can be polled */
    BGI_FD_FILE = 3, /* what is always ready, and can take long all the same */
    BGI_FD_STREAM = 4,
    BGI_FD_NONBLOCK = 8,
    BGI_FD_SHARED = 16,
    BGI_FD_CLOSING = 32,
    BGI_FD_FLAGS = 63,
    BGI_FD_GENERATION = 64
};

typedef struct bgi_fd {
    bgi_waitq in, out; /* who waits to read, and to write (io/ready.h) */
    bgi_waitq poll;    /* who waits in bg_poll */
    bgi_atomic port;
    bgi_atomic state;
} bgi_fd;

_Static_assert(sizeof(bgi_fd) == 64, "a cache line each");

enum { BGI_FD_CHUNK = 1024, BGI_FD_CHUNKS = 65536 };

typedef struct bgi_fd_table {
    bgi_atomic *chunk; /* of entries; 0 -> made, once (release -> acquire) */
} bgi_fd_table;

struct bgi_io;

/* A close under way; on the closer's stack. */
typedef struct bgi_fd_close {
    struct bgi_list link;
    int fd;
} bgi_fd_close;

/* Of all runtimes' tables, and closes under way. */
extern bgi_lock bgi_fd_tables;

/* Under the lock. `ends`: whether nobody else is at the number still. */
void bgi_fd_close_begins(bgi_fd_close *c, int fd);
int bgi_fd_close_ends(bgi_fd_close *c);

/* 0 or -ENOMEM. */
int bgi_fd_table_init(bgi_fd_table *t);
void bgi_fd_table_free(bgi_fd_table *t);

/* The entry of a number; NULL: none has been made. */
BGI_INLINE bgi_fd *bgi_fd_find(const bgi_fd_table *t, int fd)
{
    unsigned n = (unsigned)fd;
    if (bgi_unlikely(n >= (unsigned)BGI_FD_CHUNK * BGI_FD_CHUNKS)) {
        return NULL;
    }
    bgi_fd *chunk = bgi_load_acquire_ptr(&t->chunk[n / BGI_FD_CHUNK]);
    return bgi_likely(chunk != NULL) ? &chunk[n % BGI_FD_CHUNK] : NULL;
}

/* Likewise, made if need be: -EBADF for no possible number, -ENOMEM. */
int bgi_fd_make(bgi_fd_table *t, int fd, bgi_fd **out);

/* Of that: zeroed memory becomes the ith chunk, with what is known of its numbers, unless there is
 * one; whether it has. */
int bgi_fd_put_chunk(bgi_fd_table *t, unsigned i, bgi_fd *chunk);

/* What kind of descriptor it is, found out if it is not known: the word `state`; *error is 0 or
 * what failed. With CLOSING in it, and no KIND, it is just being closed. If set_nonblock: a pipe
 * becomes O_NONBLOCK, unless it is SHARED. */
bgi_word bgi_fd_adopt(bgi_fd *e, int fd, int set_nonblock, int *error);

/* The open file is to be O_NONBLOCK, for calls that have no flag of their own: 0 or the failure. */
int bgi_fd_set_nonblock(bgi_fd *e, int fd);

/* The number is about to be closed: who waits for it gets -EBADF. Any thread. `closing`:
 * BGI_FD_CLOSING, and bgi_fd_close_made follows when nobody is at it any more; or 0: nobody will
 * use it before. */
void bgi_fd_closed(struct bgi_io *io, bgi_fd *e, int fd, bgi_word closing);
void bgi_fd_close_made(bgi_fd *e);

/* The library has opened this descriptor, with these flags: whatever the entry said is over. */
void bgi_fd_opened(struct bgi_io *io, int fd, bgi_word flags);

/* With no KIND, that is: with one the library knows what the number stands for since. */
BGI_INLINE int bgi_fd_is_closing(bgi_word state)
{
    return (state & BGI_FD_KIND) == BGI_FD_UNKNOWN && (state & BGI_FD_CLOSING) != 0;
}

BGI_INLINE bgi_word bgi_fd_generation_of(bgi_word state)
{
    return state / BGI_FD_GENERATION;
}

/* Changes with each bg_fd_close and bg_fd_forget of the number, as the running task's runtime sees
 * it; 0 for one it has never used. */
bgi_word bgi_fd_generation(int fd);

#endif
