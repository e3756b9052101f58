/* How a task waits: it fetches from the server, or, where there is none, sleeps. */
#ifndef CONTRAST_FETCH_H
#define CONTRAST_FETCH_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* POSIX's calls, or those of a runtime; they fail with a negative errno. */
struct calls {
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    ssize_t (*send)(int fd, const void *buffer, size_t size, int flags);
    ssize_t (*receive)(int fd, void *buffer, size_t size, int flags);
    int (*close)(int fd);
};

extern const struct calls thread_calls; /* they block the thread */

/* One request, and its whole answer: 0, or a negative errno; -EPROTO when it is not the one that
 * the server gives. */
int fetch(int port, const struct calls *calls);

#endif
