/*
 * Reading and writing descriptors, and closing them.
 */
#include "io/call.h"

#include <brigade/io.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

static int is_socket(const bgi_call *c)
{
    return (c->kind & BGI_FD_KIND) == BGI_FD_SOCKET;
}

BGI_NOINLINE static ssize_t attempt_read(bgi_call *c, int dontwait)
{
    ssize_t r = is_socket(c) ? bgi_call_recv(c->fd, c->data, c->size, dontwait)
                             : read(c->fd, c->data, c->size);
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_write(bgi_call *c, int dontwait)
{
    ssize_t r;
    if (is_socket(c)) {
        r = bgi_call_send(c->fd, c->data, c->size, dontwait | MSG_NOSIGNAL);
        return BGI_RESULT(r);
    }
    if (c->kind == BGI_FD_UNKNOWN) { /* a plain thread: a socket must not raise SIGPIPE */
        r = send(c->fd, c->data, c->size, MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK) {
            return BGI_RESULT(r);
        }
    }
    r = write(c->fd, c->data, c->size);
    return BGI_RESULT(r);
}

ssize_t bg_read(int fd, void *buffer, size_t size)
{
    static const bgi_wait_site site = {"bg_read", "data of a descriptor"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_read,
                  .fd = fd,
                  .code = BGI_CALL_READ,
                  .how = BGI_CALL_DRAINS,
                  .data = buffer,
                  .size = size};
    return bgi_call_make(&c);
}

ssize_t bg_write(int fd, const void *buffer, size_t size)
{
    static const bgi_wait_site site = {"bg_write", "room in a descriptor"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_write,
                  .fd = fd,
                  .code = BGI_CALL_WRITE,
                  .how = BGI_CALL_WRITES | BGI_CALL_DRAINS,
                  .data = (void *)(uintptr_t)buffer,
                  .size = size};
    return bgi_call_make(&c);
}

/* ---- several buffers ---- */

BGI_NOINLINE static ssize_t attempt_readv(bgi_call *c, int dontwait)
{
    ssize_t r;
    if (is_socket(c)) {
        struct msghdr m = {.msg_iov = c->data, .msg_iovlen = (size_t)c->flags};
        r = recvmsg(c->fd, &m, dontwait);
    } else {
        r = readv(c->fd, c->data, c->flags);
    }
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_writev(bgi_call *c, int dontwait)
{
    ssize_t r;
    if (c->kind == BGI_FD_UNKNOWN || is_socket(c)) {
        struct msghdr m = {.msg_iov = c->data, .msg_iovlen = (size_t)c->flags};
        r = sendmsg(c->fd, &m, dontwait | MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK) {
            return BGI_RESULT(r);
        }
    }
    r = writev(c->fd, c->data, c->flags);
    return BGI_RESULT(r);
}

/* How many bytes they hold, or -1: not a valid list. */
static ssize_t total(const struct iovec *buffers, int count)
{
    size_t sum = 0;
    if (count < 0 || count > IOV_MAX) {
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (buffers[i].iov_len > (size_t)SSIZE_MAX - sum) {
            return -1;
        }
        sum += buffers[i].iov_len;
    }
    return (ssize_t)sum;
}

ssize_t bg_readv(int fd, const struct iovec *buffers, int count)
{
    static const bgi_wait_site site = {"bg_readv", "data of a descriptor"};
    ssize_t size = total(buffers, count);
    if (size < 0) {
        return -EINVAL;
    }
    bgi_call c = {.site = &site,
                  .attempt = attempt_readv,
                  .fd = fd,
                  .code = BGI_CALL_READV,
                  .how = BGI_CALL_DRAINS,
                  .flags = count,
                  .data = (void *)(uintptr_t)buffers,
                  .size = (size_t)size};
    return bgi_call_make(&c);
}

ssize_t bg_writev(int fd, const struct iovec *buffers, int count)
{
    static const bgi_wait_site site = {"bg_writev", "room in a descriptor"};
    ssize_t size = total(buffers, count);
    if (size < 0) {
        return -EINVAL;
    }
    bgi_call c = {.site = &site,
                  .attempt = attempt_writev,
                  .fd = fd,
                  .code = BGI_CALL_WRITEV,
                  .how = BGI_CALL_WRITES | BGI_CALL_DRAINS,
                  .flags = count,
                  .data = (void *)(uintptr_t)buffers,
                  .size = (size_t)size};
    return bgi_call_make(&c);
}

/* ---- at an offset ---- */

BGI_NOINLINE static ssize_t attempt_pread(bgi_call *c, int dontwait)
{
    (void)dontwait;
    ssize_t r = pread(c->fd, c->data, c->size, c->offset);
    return BGI_RESULT(r);
}

BGI_NOINLINE static ssize_t attempt_pwrite(bgi_call *c, int dontwait)
{
    (void)dontwait;
    ssize_t r = pwrite(c->fd, c->data, c->size, c->offset);
    return BGI_RESULT(r);
}

ssize_t bg_pread(int fd, void *buffer, size_t size, off_t offset)
{
    static const bgi_wait_site site = {"bg_pread", "data of a file"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_pread,
                  .fd = fd,
                  .code = BGI_CALL_READ,
                  .how = BGI_CALL_OFFSET,
                  .data = buffer,
                  .size = size,
                  .offset = offset};
    return bgi_call_make(&c);
}

ssize_t bg_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    static const bgi_wait_site site = {"bg_pwrite", "room in a file"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_pwrite,
                  .fd = fd,
                  .code = BGI_CALL_WRITE,
                  .how = BGI_CALL_WRITES | BGI_CALL_OFFSET,
                  .data = (void *)(uintptr_t)buffer,
                  .size = size,
                  .offset = offset};
    return bgi_call_make(&c);
}

/* ---- all of it ---- */

int bg_write_all(int fd, const void *buffer, size_t size, size_t *done)
{
    size_t at = 0;
    ssize_t r = 0;
    do {
        r = bg_write(fd, (const char *)buffer + at, size - at);
        at += r > 0 ? (size_t)r : 0;
    } while (r >= 0 && at < size);
    if (done != NULL) {
        *done = at;
    }
    return r < 0 ? (int)r : 0;
}

ssize_t bg_read_all(int fd, void *buffer, size_t size, size_t *done)
{
    size_t at = 0;
    ssize_t r = 0;
    do {
        r = bg_read(fd, (char *)buffer + at, size - at);
        at += r > 0 ? (size_t)r : 0;
    } while (r > 0 && at < size);
    if (done != NULL) {
        *done = at;
    }
    return r < 0 ? r : (ssize_t)at;
}

/* ---- the end ---- */

int bg_fd_forget(int fd)
{
    if (fd < 0) {
        return -EBADF;
    }
    bgi_io_forget(fd);
    return 0;
}

int bg_fd_close(int fd)
{
    return fd < 0 ? -EBADF : bgi_io_close(fd);
}
