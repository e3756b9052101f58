/*
 * UDP sockets.
 */
#include "io/net.h"

#include <brigade/io.h>
#include <errno.h>
#include <sys/socket.h>

int bg_udp_bind_opts(const char *host, const char *port, const bg_listen_options *o)
{
    static const bg_listen_options none = {.size = sizeof none};
    bg_addresses *list;

    o = o == NULL ? &none : o;
    if (o->size < sizeof *o || port == NULL) {
        return -EINVAL;
    }
    int r = bg_resolve(host, port, &list, .family = o->family, .type = SOCK_DGRAM, .passive = 1);
    if (r < 0) {
        return r;
    }
    r = bgi_bind_first(list, SOCK_DGRAM, o);
    bg_addresses_free(list);
    return r;
}

static int connect_first(const bg_addresses *list)
{
    int first = 0;
    for (size_t i = 0; i < list->count; i++) {
        int fd = bgi_socket(list->address[i].storage.ss_family, SOCK_DGRAM);
        int r = fd < 0 ? fd : bgi_socket_connect(fd, &list->address[i]);
        if (r == 0) {
            return fd;
        }
        if (fd >= 0) {
            (void)bg_fd_close(fd);
        }
        first = first == 0 ? r : first;
    }
    return first;
}

int bg_udp_connect(const char *host, const char *port)
{
    bg_addresses *list;

    if (port == NULL) {
        return -EINVAL;
    }
    int r = bg_resolve(host, port, &list, .type = SOCK_DGRAM);
    if (r < 0) {
        return r;
    }
    r = connect_first(list);
    bg_addresses_free(list);
    return r;
}
