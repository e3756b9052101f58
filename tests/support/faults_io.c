/*
 * Calls on descriptors, refused (see faults.h). A close that is refused closes all the
 * same, as the system does.
 */
#include "faults.h"

#include "faulty.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int refuse(void)
{
    return bgi_fault_refuses(BGI_FAULT_IO, EIO);
}

#define CALL(type, name, parameters, arguments)                                                    \
    type bgi_faulty_##name parameters;                                                             \
    type bgi_faulty_##name parameters                                                              \
    {                                                                                              \
        return refuse() ? -1 : name arguments;                                                     \
    }

CALL(int, epoll_create1, (int flags), (flags))
CALL(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *ev), (ep, op, fd, ev))
CALL(int, eventfd, (unsigned value, int flags), (value, flags))
CALL(int, accept4, (int fd, struct sockaddr *at, socklen_t *size, int flags), (fd, at, size, flags))
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size))
CALL(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
CALL(int, fstat, (int fd, struct stat *st), (fd, st))
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size))
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(int, bind, (int fd, const struct sockaddr *at, socklen_t size), (fd, at, size))
CALL(int, listen, (int fd, int backlog), (fd, backlog))
CALL(int, pipe2, (int *fds, int flags), (fds, flags))
CALL(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
CALL(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
CALL(ssize_t, recv, (int fd, void *p, size_t size, int flags), (fd, p, size, flags))
CALL(ssize_t, send, (int fd, const void *p, size_t size, int flags), (fd, p, size, flags))
CALL(ssize_t, recvfrom,
     (int fd, void *p, size_t size, int flags, struct sockaddr *from, socklen_t *len),
     (fd, p, size, flags, from, len))
CALL(ssize_t, sendto,
     (int fd, const void *p, size_t size, int flags, const struct sockaddr *to, socklen_t len),
     (fd, p, size, flags, to, len))
CALL(ssize_t, read, (int fd, void *p, size_t size), (fd, p, size))
CALL(ssize_t, write, (int fd, const void *p, size_t size), (fd, p, size))
CALL(ssize_t, pread, (int fd, void *p, size_t size, off_t at), (fd, p, size, at))
CALL(ssize_t, pwrite, (int fd, const void *p, size_t size, off_t at), (fd, p, size, at))
CALL(ssize_t, sendfile, (int out, int in, off_t *at, size_t size), (out, in, at, size))
CALL(ssize_t, splice, (int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags),
     (in, in_at, out, out_at, size, flags))

int bgi_faulty_fcntl(int fd, int command, ...);
int bgi_faulty_fcntl(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    int value = va_arg(more, int);
    va_end(more);
    return refuse() ? -1 : fcntl(fd, command, value);
}

/* ---- waiting ---- */

int bgi_faulty_epoll_pwait2(int ep, struct epoll_event *ev, int most,
                            const struct timespec *timeout, const sigset_t *mask);
int bgi_faulty_epoll_pwait2(int ep, struct epoll_event *ev, int most,
                            const struct timespec *timeout, const sigset_t *mask)
{
    return refuse() || bgi_fault_refuses(BGI_FAULT_PWAIT2, ENOSYS)
               ? -1
               : epoll_pwait2(ep, ev, most, timeout, mask);
}

static void (*at_epoll_wait)(int ms);

void bgi_fault_at_epoll_wait(void (*fn)(int ms))
{
    at_epoll_wait = fn;
}

int bgi_faulty_epoll_wait(int ep, struct epoll_event *ev, int most, int ms);
int bgi_faulty_epoll_wait(int ep, struct epoll_event *ev, int most, int ms)
{
    if (at_epoll_wait != NULL) {
        at_epoll_wait(ms);
    }
    return refuse() ? -1 : epoll_wait(ep, ev, most, ms);
}

/* ---- io_uring, of which the library looks up the functions ---- */

typedef int enter_fn(unsigned ring, unsigned submit, unsigned complete, unsigned flags,
                     sigset_t *arg, size_t size);

static enter_fn *enter;
static int (*at_ring)(int ring, unsigned submit, int waits);

void bgi_fault_at_ring(int (*fn)(int ring, unsigned submit, int waits))
{
    at_ring = fn;
}

static int faulty_enter(unsigned ring, unsigned submit, unsigned complete, unsigned flags,
                        sigset_t *arg, size_t size)
{
    int r = at_ring == NULL ? 0 : at_ring((int)ring, submit, complete != 0);
    return r != 0 ? r : enter(ring, submit, complete, flags, arg, size);
}

void *bgi_faulty_dlsym(void *library, const char *name);
void *bgi_faulty_dlsym(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL || strcmp(name, "io_uring_enter2") != 0) {
        return found;
    }
    *(void **)&enter = found;
    *(enter_fn **)&found = faulty_enter;
    return found;
}

/* ---- closing ---- */

static void (*at_close)(int fd, int is_closed);

void bgi_fault_at_close(void (*fn)(int fd, int is_closed))
{
    at_close = fn;
}

int bgi_faulty_close(int fd);
int bgi_faulty_close(int fd)
{
    if (at_close != NULL) {
        at_close(fd, 0);
    }
    int r = close(fd);
    if (at_close != NULL) {
        at_close(fd, 1);
    }
    return r == 0 && refuse() ? -1 : r;
}
