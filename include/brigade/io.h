/*
 * Descriptors: POSIX's calls, which let the task wait and not the thread.
 *
 * Any descriptor will do: sockets, pipes, terminals, what epoll(7) knows (eventfd, timerfd, pidfd,
 * inotify), and regular files, which go through io_uring or the threads for blocking calls
 * (brigade/blocking.h). Nothing has to be registered first.
 *
 * What all calls here have in common:
 *  - They fail with a negative errno value and leave errno alone. Beside what is said below, that
 *    is what the system call of the same name fails with; never -EINTR, nor -EAGAIN where the call
 *    waits.
 *  - In a task they suspend it until the call can be made; every wait can be cancelled and obeys
 *    deadlines (-ECANCELED, -ETIMEDOUT). A call that fails so has transferred nothing: when data
 *    were transferred just then, their number is returned, and the next wait fails.
 *  - On a plain thread they block the thread, and are not cancelled.
 *  - Several tasks may wait for the same descriptor, reading and writing apart: they are served in
 *    the order in which they came, by io_uring in about that order. Each call is one system call:
 *    what two tasks write is not mixed within one call of at most what fits.
 *  - bg_fd_close from another task ends them with -EBADF.
 *  - -ENOMEM, -EMFILE: the descriptor could not be watched.
 *
 * A descriptor that is used here is closed by bg_fd_close, not by close(2): a number may be given
 * out again at once, and what waited for the old one would wait for the new one. Where somebody
 * else closes it (a library that owns it), call bg_fd_forget before. A descriptor may be used by
 * several runtimes at once.
 *
 * A call may set O_NONBLOCK for the open file when it first waits. It does not for descriptors 0, 1
 * and 2, which are mostly shared with other processes: writing there is done in pieces of at most
 * 4096 bytes, each when there is room.
 *
 * In the deterministic mode (brigade/explore.h) descriptors are real and time is not: before the
 * clock moves on, all tasks whose descriptors are ready are woken; when no timer is set, the
 * process waits for them. What comes from outside of the process is not part of the seed.
 */
#ifndef BRIGADE_IO_H
#define BRIGADE_IO_H

#include <brigade/types.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

BG_BEGIN_DECLS

/*
 * read(2): waits until there is something, reads at most size bytes; 0 at the end. buffer is the
 * caller's, for the time of the call.
 */
BG_API ssize_t bg_read(int fd, void *buffer, size_t size);

/*
 * write(2): waits until there is room, writes at least one byte and at most size; the number
 * written may be less than size: bg_write_all goes on. Never raises SIGPIPE for a socket: -EPIPE.
 */
BG_API ssize_t bg_write(int fd, const void *buffer, size_t size);

/* readv(2), writev(2): likewise with several buffers. -EINVAL: count < 0 or > IOV_MAX. */
BG_API ssize_t bg_readv(int fd, const struct iovec *buffers, int count);
BG_API ssize_t bg_writev(int fd, const struct iovec *buffers, int count);

/* pread(2), pwrite(2): at an offset, for files. -ESPIPE: the descriptor has none. */
BG_API ssize_t bg_pread(int fd, void *buffer, size_t size, off_t offset);
BG_API ssize_t bg_pwrite(int fd, const void *buffer, size_t size, off_t offset);

/*
 * Writes all of it, with as many bg_write as it takes. 0, or the failure; then *done, if done is
 * not NULL, says how many bytes were written before.
 */
BG_API int bg_write_all(int fd, const void *buffer, size_t size, size_t *done);

/*
 * Reads until size bytes are there, or the end. The number read, less than size only at the end;
 * or a failure: then *done, if not NULL, says how many bytes are in the buffer all the same.
 */
BG_API ssize_t bg_read_all(int fd, void *buffer, size_t size, size_t *done);

/*
 * recv(2), send(2) (bg_recv and bg_send are those of channels) and their like, with their flags,
 * for sockets (else -ENOTSOCK). With MSG_DONTWAIT they never suspend, and are not cancelled: what
 * can be done at once is done though the task is to end, else -EAGAIN. MSG_NOSIGNAL is always
 * added. MSG_WAITALL is ignored: see bg_read_all. Descriptors that are passed on arrive by
 * bg_recvmsg; give it MSG_CMSG_CLOEXEC.
 */
BG_API ssize_t bg_fd_recv(int fd, void *buffer, size_t size, int flags);
BG_API ssize_t bg_fd_send(int fd, const void *buffer, size_t size, int flags);
BG_API ssize_t bg_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from,
                           socklen_t *from_size);
BG_API ssize_t bg_sendto(int fd, const void *buffer, size_t size, int flags,
                         const struct sockaddr *to, socklen_t to_size);
BG_API ssize_t bg_recvmsg(int fd, struct msghdr *message, int flags);
BG_API ssize_t bg_sendmsg(int fd, const struct msghdr *message, int flags);

/*
 * accept(2): waits for a connection; gives its descriptor, which is the caller's to close, is
 * close-on-exec, and may or may not be O_NONBLOCK. address and size as there, or both NULL. A
 * connection that was broken off before is skipped. -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: it stays
 * in the queue of the system; try again later (bg_serve does).
 */
BG_API int bg_accept(int fd, struct sockaddr *address, socklen_t *size);

/*
 * connect(2): waits until the connection stands: 0. Whatever else comes of it leaves the socket in
 * a state in which it can only be closed. A connected UDP socket comes at once.
 */
BG_API int bg_connect(int fd, const struct sockaddr *address, socklen_t size);

/*
 * poll(2) for one descriptor: waits until one of the events (POLLIN, POLLOUT, POLLPRI, POLLRDHUP)
 * has come, or POLLERR or POLLHUP, and returns those that have. Takes nothing: another task may
 * be faster. A regular file is always ready. -EINVAL: no events. With a deadline: bg_timeout.
 */
BG_API int bg_poll(int fd, short events);

/*
 * sendfile(2): from a file to a socket or pipe, at most size bytes. From *offset, which is moved
 * on, or, if offset is NULL, from the file's own.
 */
BG_API ssize_t bg_sendfile(int out, int in, off_t *offset, size_t size);

/* splice(2): from or to a pipe; waits for whichever of the two is not ready. */
BG_API ssize_t bg_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                         unsigned flags);

/*
 * Closes it; all who wait for it get -EBADF, as does whoever is about to. From a task or a plain
 * thread; does not suspend, is not cancelled. 0, or what close(2) fails with, never -EINTR: the
 * number is free in any case but -EBADF.
 */
BG_API int bg_fd_close(int fd);

/*
 * Somebody else is about to close it: who waits for it gets -EBADF, and the library lets go of it.
 * 0, or -EBADF for a negative number. Nobody may use it until it has been opened anew.
 */
BG_API int bg_fd_forget(int fd);

BG_END_DECLS

#endif
