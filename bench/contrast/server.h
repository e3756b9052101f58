/*
 * What tasks wait for: a local HTTP server that answers every request after a set time. A process
 * of its own, so that no mode has it, nor pays for it: epoll, one thread, no more than the latency
 * is measured with it. Where the machine has few CPUs it takes its share of them from every mode
 * alike.
 */
#ifndef CONTRAST_SERVER_H
#define CONTRAST_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: there is none */
    int port;
};

/* Starts it on a port of the system's choice: 0, or a negative errno. It dies with the caller. */
int server_start(struct server *s, int64_t latency_ns);
void server_stop(struct server *s);

/* So many connections can be open at once, as descriptors and ports go. Raises the limit on
 * descriptors of this process, and so of those it starts. */
size_t server_most_connections(void);

#endif
