/*
 * An HTTP client that does one thing: it gets a URL.
 */
#ifndef EXAMPLES_HTTP_CLIENT_H
#define EXAMPLES_HTTP_CLIENT_H

#include <stdint.h>

/* "http://host:port/path": the parts of it, terminated, where they have to be. */
struct http_url {
    char host[256], port[8];
    const char *path; /* in the URL itself, query included; "" is "/" */
    int path_size;    /* a fragment is not sent */
};

/* 0, or -EINVAL: not such a URL; -EPROTONOSUPPORT: another scheme, as https. */
int http_parse_url(const char *text, struct http_url *url);

struct http_answer {
    unsigned status;
    uint64_t size; /* of the content */
};

/*
 * Gets it, over a connection of its own, and counts what comes. In a task; suspends; ends with the
 * scopes around it, as every wait. 0; or what bg_tcp_connect, reading and writing fail with;
 * -EBADMSG: the answer is not HTTP; -ECONNRESET: it has been cut off; -EMSGSIZE: the URL is too
 * long.
 */
int http_get(const struct http_url *url, struct http_answer *answer);

#endif
