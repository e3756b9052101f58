/*
 * Names of hosts: a query, which is filled in by whoever knows.
 *
 * A query has room for all it can become, and points nowhere: one that runs on a thread is a copy,
 * which the thread may write to however long its task has not waited for it any more.
 */
#ifndef BGI_RESOLVE_H
#define BGI_RESOLVE_H

#include <brigade/resolve.h>
#include <netinet/in.h>

enum { BGI_RESOLVE_MOST = 64 };

typedef union bgi_inet {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} bgi_inet;

typedef struct bgi_query {
    int family, type, passive;
    int has_host, has_port;
    char host[256]; /* a name is at most 255 bytes */
    char port[64];
    size_t count;
    bgi_inet address[BGI_RESOLVE_MOST];
} bgi_query;

/* One more, of family AF_INET or AF_INET6; others, and what there is no room for, are dropped. */
void bgi_query_add(bgi_query *q, const struct sockaddr *address, socklen_t size);

/* By getaddrinfo: blocks. 0 or the failure. */
int bgi_resolve_system(void *query);

/* Whether c-ares is here and to be used. */
int bgi_resolve_has_ares(void);

/* By c-ares, in a task: suspends. */
int bgi_resolve_ares(bgi_query *q);

/* For tests. servers: ask these name servers, "127.0.0.1:5353", through c-ares; "": do not use
 * c-ares; NULL: as usual. Nobody may resolve meanwhile. */
void bgi_resolve_ask(const char *servers);

/* For tests: what is called in place of getaddrinfo; NULL: that. */
struct addrinfo;
void bgi_resolve_instead(int (*resolve)(const char *host, const char *port,
                                        const struct addrinfo *hints, struct addrinfo **out));

#endif
