/*
 * What the tests of networks share: ports, black holes.
 */
#ifndef TESTS_IO_NET_H
#define TESTS_IO_NET_H

#include "../task/check.h"
#include "descriptors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

static inline int port_of(int fd)
{
    bg_address a;
    CHECK(bg_local_address(fd, &a) == 0);
    return bg_address_port(&a);
}

static inline const char *port_text(int fd, char text[16])
{
    (void)snprintf(text, 16, "%d", port_of(fd));
    return text;
}

static inline bg_address loopback(int port)
{
    bg_address a = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.storage;
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A port at which connections are refused: nobody else gets it while fd is open. */
static inline int refusing(int *fd)
{
    bg_address a = loopback(0);
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(*fd, (struct sockaddr *)&a.storage, a.size) == 0);
    return port_of(*fd);
}

/* A port that does not answer: a socket whose queue of connections is full. */
enum { HOLE_CLIENTS = 4 };
struct hole {
    int fd, client[HOLE_CLIENTS];
};

static inline int hole_open(struct hole *h)
{
    int port = refusing(&h->fd);
    bg_address a = loopback(port);
    CHECK(listen(h->fd, 0) == 0);
    for (int i = 0; i < HOLE_CLIENTS; i++) {
        h->client[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = connect(h->client[i], (struct sockaddr *)&a.storage, a.size);
        CHECK(r == 0 || errno == EINPROGRESS);
    }
    return port;
}

static inline void hole_close(struct hole *h)
{
    for (int i = 0; i < HOLE_CLIENTS; i++) {
        (void)close(h->client[i]);
    }
    (void)close(h->fd);
}

static inline int has_ipv6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    (void)close(fd);
    return r;
}

#endif
