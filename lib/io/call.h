/*
 * A call on a descriptor: how a system call is made so that the task waits and not the thread.
 *
 * A task tries the call and, when it would block, waits for the descriptor and tries again; unless
 * the driver makes calls itself (io/uring.c). Calls on files go to the threads for blocking calls:
 * such a call is not given up once it runs, as it moves data in the caller's memory. A plain thread
 * just makes the call.
 */
#ifndef BGI_CALL_H
#define BGI_CALL_H

#include "io/io.h"

#include "arch/sanitizer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sys/types.h>

/* Which call, for drivers that make it themselves. */
enum bgi_call_code {
    BGI_CALL_OTHER, /* none of these: tried, and again when the descriptor is ready */
    BGI_CALL_POLL,
    BGI_CALL_READ,
    BGI_CALL_WRITE,
    BGI_CALL_READV,
    BGI_CALL_WRITEV,
    BGI_CALL_RECV,
    BGI_CALL_SEND,
    BGI_CALL_RECVMSG,
    BGI_CALL_SENDMSG,
    BGI_CALL_ACCEPT,
    BGI_CALL_CONNECT
};

/*
 * recv(2) and send(2) as the kernel has them. The C library's are points of cancellation of
 * threads: two locked instructions each, once there is a second thread. The sanitizers look at
 * theirs.
 */
#if defined(SYS_recvfrom) && !BGI_ASAN && !BGI_TSAN
BGI_INLINE ssize_t bgi_call_recv(int fd, void *p, size_t size, int flags)
{
    return syscall(SYS_recvfrom, (long)fd, p, size, (long)flags, NULL, NULL);
}

BGI_INLINE ssize_t bgi_call_send(int fd, const void *p, size_t size, int flags)
{
    return syscall(SYS_sendto, (long)fd, p, size, (long)flags, NULL, 0L);
}
#else
BGI_INLINE ssize_t bgi_call_recv(int fd, void *p, size_t size, int flags)
{
    return recv(fd, p, size, flags);
}

BGI_INLINE ssize_t bgi_call_send(int fd, const void *p, size_t size, int flags)
{
    return send(fd, p, size, flags);
}
#endif

/* What a call on this kind of descriptor needs. */
enum {
    BGI_CALL_WRITES = 1,   /* it waits for room, else for data */
    BGI_CALL_DRAINS = 2,   /* of a stream: less than `size` says that nothing is left */
    BGI_CALL_NONBLOCK = 4, /* it has no flag of its own: the file has to be O_NONBLOCK */
    BGI_CALL_OFFSET = 8,   /* it has an offset */
    BGI_CALL_ONCE = 16     /* -EAGAIN is the result */
};

typedef struct bgi_call {
    const bgi_wait_site *site;
    /* The system call: its result or -errno. dontwait: MSG_DONTWAIT, or 0. */
    ssize_t (*attempt)(struct bgi_call *c, int dontwait);
    int fd;
    uint8_t code, how;
    int flags;
    bgi_word kind; /* the entry's word `state` */
    void *data;    /* a buffer, buffers, a message, an address; what is read only, too */
    size_t size;
    union {
        off_t offset;
        off_t *offset_at;
        socklen_t *address_size;
    };
    union {
        void *address;
        off_t *other_at;
        int other;
    };
} bgi_call;

/* Makes it. The caller may be a task or a plain thread. */
ssize_t bgi_call_make(bgi_call *c);

/* The result of a system call as it is returned. In a function of its own that is not inlined, and
 * does not suspend: the compiler may keep the address of errno, which is the thread's. */
#define BGI_RESULT(r) ((r) < 0 ? -errno : (r))

/* Makes the system call. */
ssize_t bgi_call_attempt(bgi_call *c, int dontwait);

/* poll(2)'s event for which it waits. */
BGI_INLINE short bgi_call_events(const bgi_call *c)
{
    return (c->how & BGI_CALL_WRITES) != 0 ? POLLOUT : POLLIN;
}

/* Whether this error of accept is that of a connection that was there and is gone. */
int bgi_call_gone(int error);

/* The entry of a descriptor that a task has not used before, or that is being closed. */
int bgi_call_first(bgi_io *io, int fd, bgi_fd **e, bgi_word *state);

/* The entry and its word `state` for a task's call: 0 or the failure. */
BGI_INLINE int bgi_call_entry(bgi_io *io, int fd, bgi_fd **e, bgi_word *state)
{
    *e = bgi_fd_find(&io->table, fd);
    if (bgi_likely(*e != NULL)) {
        *state = bgi_load(&(*e)->state);
        if (bgi_likely((*state & BGI_FD_KIND) != BGI_FD_UNKNOWN)) {
            return 0;
        }
    }
    return bgi_call_first(io, fd, e, state);
}

/* Sees to it that events of the descriptor come to some worker, by preference this one. 0, -EBADF:
 * closed meanwhile; -EPERM: it is always ready; or what failed. */
int bgi_call_watch(bgi_io *io, bgi_fd *e, int fd, bgi_word state);

#endif
