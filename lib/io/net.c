/*
 * Sockets: made, bound, asked about.
 */
#include "io/net.h"

#include "base/compiler.h"

#include <brigade/io.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int bgi_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int bgi_socket_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

int bgi_socket_bind(int fd, const bg_address *address)
{
    return bind(fd, (const struct sockaddr *)&address->storage, address->size) == 0 ? 0 : -errno;
}

int bgi_socket_listen(int fd, int backlog)
{
    return listen(fd, backlog <= 0 ? SOMAXCONN : backlog) == 0 ? 0 : -errno;
}

int bgi_socket_connect(int fd, const bg_address *address)
{
    int r;
    do {
        r = connect(fd, (const struct sockaddr *)&address->storage, address->size);
    } while (r != 0 && errno == EINTR);
    return r == 0 ? 0 : -errno;
}

static int set_up(int fd, const bg_address *address, int type, const bg_listen_options *o)
{
    int r = 0;
    if (type == SOCK_STREAM) { /* of a server that has just ended connections may linger */
        r = bgi_socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (r == 0 && o->reuse_port) {
        r = bgi_socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (r == 0 && address->storage.ss_family == AF_INET6) {
        r = bgi_socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only != 0);
    }
    return r == 0 ? bgi_socket_bind(fd, address) : r;
}

int bgi_bind_first(const bg_addresses *list, int type, const bg_listen_options *o)
{
    int first = -EADDRNOTAVAIL;
    for (size_t i = 0; i < list->count; i++) {
        int fd = bgi_socket(list->address[i].storage.ss_family, type);
        int r = fd;
        if (fd >= 0) {
            r = set_up(fd, &list->address[i], type, o);
            if (r == 0) {
                return fd;
            }
            (void)bg_fd_close(fd);
        }
        /* That there is no IPv6 says less than what comes of IPv4. */
        if (i == 0 || first == -EAFNOSUPPORT || first == -EADDRNOTAVAIL) {
            first = r;
        }
    }
    return first;
}

int bg_local_address(int fd, bg_address *out)
{
    memset(out, 0, sizeof *out);
    out->size = sizeof out->storage;
    return getsockname(fd, (struct sockaddr *)&out->storage, &out->size) == 0 ? 0 : -errno;
}

int bg_peer_address(int fd, bg_address *out)
{
    memset(out, 0, sizeof *out);
    out->size = sizeof out->storage;
    return getpeername(fd, (struct sockaddr *)&out->storage, &out->size) == 0 ? 0 : -errno;
}

int bg_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : -errno;
}

int bg_socketpair(int type, int fds[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0 ? 0 : -errno;
}
