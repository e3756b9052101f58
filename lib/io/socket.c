/*
 * Calls on sockets.
 */
#include "io/call.h"

#include "io/ready.h"

#include <brigade/io.h>
#include <brigade/task.h>
#include <brigade/time.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* ---- receiving and sending ---- */

BGI_NOINLINE static ssize_t attempt_recv(bgi_call *c, int dontwait)
{
    int flags = c->flags | dontwait;
    ssize_t r = bgi_likely(c->address == NULL)
                    ? bgi_call_recv(c->fd, c->data, c->size, flags)
                    : recvfrom(c->fd, c->data, c->size, flags, c->address, c->address_size);
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_send(bgi_call *c, int dontwait)
{
    int flags = c->flags | dontwait;
    ssize_t r = bgi_likely(c->address == NULL)
                    ? bgi_call_send(c->fd, c->data, c->size, flags)
                    : sendto(c->fd, c->data, c->size, flags, c->address, (socklen_t)c->offset);
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_recvmsg(bgi_call *c, int dontwait)
{
    ssize_t r = recvmsg(c->fd, c->data, c->flags | dontwait);
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_sendmsg(bgi_call *c, int dontwait)
{
    ssize_t r = sendmsg(c->fd, c->data, c->flags | dontwait);
    return BGI_RESULT(r);
}

/* What flags of the caller mean for how the call is made. */
static uint8_t how(int flags, int base)
{
    return (uint8_t)(((flags & ~MSG_NOSIGNAL) != 0 ? base & ~BGI_CALL_DRAINS : base) |
                     ((flags & MSG_DONTWAIT) != 0 ? BGI_CALL_ONCE : 0));
}

static ssize_t receive(const bgi_wait_site *site, int fd, void *buffer, size_t size, int flags,
                       struct sockaddr *from, socklen_t *from_size)
{
    flags &= ~MSG_WAITALL;
    bgi_call c = {.site = site,
                  .attempt = attempt_recv,
                  .fd = fd,
                  .code = from == NULL ? BGI_CALL_RECV : BGI_CALL_OTHER,
                  .how = how(flags, BGI_CALL_DRAINS),
                  .flags = flags,
                  .data = buffer,
                  .size = size};
    c.address = from;
    c.address_size = from == NULL ? NULL : from_size;
    return bgi_call_make(&c);
}

static ssize_t transmit(const bgi_wait_site *site, int fd, const void *buffer, size_t size,
                        int flags, const struct sockaddr *to, socklen_t to_size)
{
    flags |= MSG_NOSIGNAL;
    bgi_call c = {.site = site,
                  .attempt = attempt_send,
                  .fd = fd,
                  .code = to == NULL ? BGI_CALL_SEND : BGI_CALL_OTHER,
                  .how = how(flags, BGI_CALL_WRITES | BGI_CALL_DRAINS),
                  .flags = flags,
                  .data = (void *)(uintptr_t)buffer,
                  .size = size};
    c.address = (void *)(uintptr_t)to;
    c.offset = (off_t)to_size;
    return bgi_call_make(&c);
}

ssize_t bg_fd_recv(int fd, void *buffer, size_t size, int flags)
{
    static const bgi_wait_site site = {"bg_fd_recv", "data of a socket"};
    return receive(&site, fd, buffer, size, flags, NULL, NULL);
}

ssize_t bg_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                    socklen_t *from_size)
{
    static const bgi_wait_site site = {"bg_recvfrom", "data of a socket"};
    return receive(&site, fd, buffer, size, flags, from, from_size);
}

ssize_t bg_fd_send(int fd, const void *buffer, size_t size, int flags)
{
    static const bgi_wait_site site = {"bg_fd_send", "room in a socket"};
    return transmit(&site, fd, buffer, size, flags, NULL, 0);
}

ssize_t bg_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to,
                  socklen_t to_size)
{
    static const bgi_wait_site site = {"bg_sendto", "room in a socket"};
    return transmit(&site, fd, buffer, size, flags, to, to_size);
}

ssize_t bg_recvmsg(int fd, struct msghdr *message, int flags)
{
    static const bgi_wait_site site = {"bg_recvmsg", "a message of a socket"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_recvmsg,
                  .fd = fd,
                  .code = BGI_CALL_RECVMSG,
                  .how = how(flags, 0),
                  .flags = flags & ~MSG_WAITALL,
                  .data = message};
    return bgi_call_make(&c);
}

ssize_t bg_sendmsg(int fd, const struct msghdr *message, int flags)
{
    static const bgi_wait_site site = {"bg_sendmsg", "room in a socket"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_sendmsg,
                  .fd = fd,
                  .code = BGI_CALL_SENDMSG,
                  .how = how(flags, BGI_CALL_WRITES),
                  .flags = flags | MSG_NOSIGNAL,
                  .data = (void *)(uintptr_t)message};
    return bgi_call_make(&c);
}

/* ---- connections ---- */

/* Errors of a connection that was there and is gone (accept(2)): not the caller's business. */
int bgi_call_gone(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT ||
           error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH || error == ENETUNREACH;
}

BGI_NOINLINE static ssize_t attempt_accept(bgi_call *c, int dontwait)
{
    int flags = SOCK_CLOEXEC | (dontwait != 0 ? SOCK_NONBLOCK : 0);
    int r = accept4(c->fd, c->address, c->address_size, flags);
    return r < 0 && bgi_call_gone(errno) ? -EINTR : BGI_RESULT(r);
}

int bg_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    static const bgi_wait_site site = {"bg_accept", "a connection"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_accept,
                  .fd = fd,
                  .code = BGI_CALL_ACCEPT,
                  .how = BGI_CALL_NONBLOCK};
    c.address = address;
    c.address_size = address == NULL ? NULL : size;
    int r = (int)bgi_call_make(&c);
    bg_task *self = r < 0 ? NULL : bgi_task_self();
    if (self != NULL) {
        bgi_io *io = bgi_task_runtime(self)->io;
        bgi_word flags = c.kind & (BGI_FD_KIND | BGI_FD_STREAM);
        bgi_fd_opened(io, r, flags | (io->ops->nonblocking ? BGI_FD_NONBLOCK : 0));
    }
    return r;
}

BGI_NOINLINE static int connect_result(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? -errno : -error;
}

/* The queue of a Unix socket is full: no errno value of its own. */
enum { QUEUE_FULL = -100000 };

BGI_NOINLINE static ssize_t attempt_connect(bgi_call *c, int dontwait)
{
    (void)dontwait;
    int r = connect(c->fd, c->data, (socklen_t)c->size) == 0 ? 0 : -errno;
    /* It goes on by itself, also after a signal. -EAGAIN, of Unix sockets, says something else. */
    return r == -EINTR || r == -EALREADY ? -EINPROGRESS : r == -EAGAIN ? QUEUE_FULL : r;
}

int bg_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    static const bgi_wait_site site = {"bg_connect", "a connection"};
    bg_duration pause = BG_MS;
    for (;;) {
        bgi_call c = {.site = &site,
                      .attempt = attempt_connect,
                      .fd = fd,
                      .code = BGI_CALL_CONNECT,
                      .how = BGI_CALL_WRITES | BGI_CALL_NONBLOCK,
                      .data = (void *)(uintptr_t)address,
                      .size = size};
        int r = (int)bgi_call_make(&c);
        if (r == -EINPROGRESS) {
            r = bg_poll(fd, POLLOUT);
            return r < 0 ? r : connect_result(fd);
        }
        if (r != QUEUE_FULL && r != -EAGAIN) { /* -EAGAIN: the same, by io_uring */
            return r;
        }
        /* The queue of a Unix socket is full, and there is nothing to wait for it by. */
        if (bgi_task_self() == NULL) {
            return -EAGAIN;
        }
        r = bg_sleep(pause);
        if (r != 0) {
            return r;
        }
        pause = pause < 16 * BG_MS ? 2 * pause : pause;
    }
}
