/*
 * Unix sockets, and descriptors that are passed over them.
 */
#include "io/net.h"

#include <brigade/io.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The address of a path, or of an abstract name. */
static int address_of(const char *path, bg_address *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
    size_t n = path == NULL ? 0 : strlen(path);
    if (n == 0 || (path[0] == '@' && n == 1)) {
        return -EINVAL;
    }
    if (n >= sizeof un->sun_path) {
        return -ENAMETOOLONG;
    }
    memset(out, 0, sizeof *out);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n);
    out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (path[0] == '@') {
        un->sun_path[0] = '\0';
    } else {
        out->size++; /* with its end */
    }
    return 0;
}

int bg_unix_connect(const char *path)
{
    bg_address a;
    int r = address_of(path, &a);
    if (r < 0) {
        return r;
    }
    int fd = bgi_socket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    r = bg_connect(fd, (const struct sockaddr *)&a.storage, a.size);
    if (r < 0) {
        (void)bg_fd_close(fd);
        return r;
    }
    return fd;
}

/* Whether it is a socket's file at which nobody listens. Between this and its removal somebody may
 * begin to: two servers that are started at once for one path need a lock of their own. */
static int is_stale(const char *path, const bg_address *a)
{
    struct stat s;
    if (path[0] == '@' || lstat(path, &s) != 0 || !S_ISSOCK(s.st_mode)) {
        return 0;
    }
    int fd = bgi_socket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return 0;
    }
    int r = bgi_socket_connect(fd, a);
    (void)bg_fd_close(fd);
    return r == -ECONNREFUSED;
}

static int bind_to(int fd, const char *path, const bg_address *a)
{
    int r = bgi_socket_bind(fd, a);
    if (r == -EADDRINUSE && is_stale(path, a)) {
        (void)unlink(path);
        r = bgi_socket_bind(fd, a);
    }
    return r;
}

int bg_unix_listen(const char *path, int backlog)
{
    bg_address a;
    int r = address_of(path, &a);
    if (r < 0) {
        return r;
    }
    int fd = bgi_socket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    r = bind_to(fd, path, &a);
    r = r == 0 ? bgi_socket_listen(fd, backlog) : r;
    if (r < 0) {
        (void)bg_fd_close(fd);
        return r;
    }
    return fd;
}

/* ---- descriptors ---- */

/* Room for one descriptor; where the header's alignment leaves room for two, msg_controllen says
 * that there is none. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int bg_send_fd(int socket, int fd)
{
    char byte = 0;
    struct iovec data = {&byte, 1};
    union control control;
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_LEN(sizeof fd)};
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    ssize_t r = bg_sendmsg(socket, &m, 0);
    return r < 0 ? (int)r : 0;
}

int bg_recv_fd(int socket)
{
    char byte;
    int fd;
    struct iovec data = {&byte, 1};
    union control control;
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_LEN(sizeof fd)};
    memset(&control, 0, sizeof control);
    ssize_t r = bg_recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    if (r <= 0) {
        return r == 0 ? -EPIPE : (int)r;
    }
    if (m.msg_controllen < CMSG_LEN(sizeof fd) || control.header.cmsg_level != SOL_SOCKET ||
        control.header.cmsg_type != SCM_RIGHTS || control.header.cmsg_len != CMSG_LEN(sizeof fd)) {
        return (m.msg_flags & MSG_CTRUNC) != 0 ? -EMFILE : -EBADMSG;
    }
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}
