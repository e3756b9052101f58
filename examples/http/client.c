#define _POSIX_C_SOURCE 200809L

#include "client.h"
#include "parser.h"

#include <brigade.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ROOM = 16384 };

static const struct http_limits limits = {.line = 8000, .head = ROOM, .headers = 200};

int http_parse_url(const char *text, struct http_url *url)
{
    static const char scheme[] = "http://";
    const char *host = text + sizeof scheme - 1;
    if (strncasecmp(text, scheme, sizeof scheme - 1) != 0) {
        return strstr(text, "://") != NULL ? -EPROTONOSUPPORT : -EINVAL;
    }
    size_t authority = strcspn(host, "/?#");
    const char *end = host + authority;
    /* [::1]:80 has colons before the last one, and brackets that are no part of the address. */
    const char *close = *host == '[' ? memchr(host, ']', authority) : NULL;
    const char *from = close != NULL ? close : host;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    const char *host_end = close != NULL ? close : colon != NULL ? colon : end;
    host += close != NULL;
    size_t size = (size_t)(host_end - host);
    size_t port_size = colon != NULL ? (size_t)(end - colon) - 1 : 0;

    if (size == 0 || size >= sizeof url->host || port_size >= sizeof url->port ||
        (close != NULL && close + 1 != (colon != NULL ? colon : end)) ||
        (colon != NULL && (port_size == 0 || strspn(colon + 1, "0123456789") < port_size))) {
        return -EINVAL;
    }
    memcpy(url->host, host, size);
    url->host[size] = '\0';
    if (strpbrk(url->host, " \t\r\n@[]") != NULL) {
        return -EINVAL;
    }
    memcpy(url->port, colon != NULL ? colon + 1 : "80", colon != NULL ? port_size : 2);
    url->port[colon != NULL ? port_size : 2] = '\0';
    url->path = end;
    url->path_size = (int)strcspn(end, "#");
    for (int i = 0; i < url->path_size; i++) {
        if (end[i] <= ' ' || end[i] > '~') { /* it would be more than a path, or nothing of ASCII */
            return -EINVAL;
        }
    }
    return 0;
}

static int send_request(int fd, const struct http_url *url, char *buffer)
{
    const char *slash = url->path_size > 0 && url->path[0] == '/' ? "" : "/";
    const char *open = strchr(url->host, ':') != NULL ? "[" : "";
    int n = snprintf(buffer, ROOM,
                     "GET %s%.*s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: brigade\r\n"
                     "Accept: */*\r\nConnection: close\r\n\r\n",
                     slash, url->path_size, url->path, open, url->host, *open != '\0' ? "]" : "",
                     url->port);
    return n < 0 || n >= ROOM ? -EMSGSIZE : bg_write_all(fd, buffer, (size_t)n, NULL);
}

/* Reads on, behind what is there: 1; or a failure, also at the end. */
static int more(int fd, char *buffer, size_t *have)
{
    ssize_t n = bg_read(fd, buffer + *have, ROOM - *have);
    *have += n > 0 ? (size_t)n : 0;
    return n > 0 ? 1 : n < 0 ? (int)n : -ECONNRESET;
}

/* The head of the answer, past those that only say that it will come. */
static int receive_head(int fd, struct http_parser *p, char *buffer, size_t *have)
{
    for (;;) {
        int rc;
        ssize_t n;
        http_init_response(p, &limits, false);
        while ((n = http_head(p, buffer, *have)) == 0) {
            if ((rc = more(fd, buffer, have)) < 0) {
                return rc;
            }
        }
        if (n < 0) {
            return -EBADMSG;
        }
        *have -= (size_t)n;
        memmove(buffer, buffer + n, *have);
        if (p->status >= 200) {
            return 0;
        }
    }
}

static int receive_body(int fd, struct http_parser *p, char *buffer, size_t have, uint64_t *size)
{
    size_t at = 0;
    while (!http_done(p)) {
        struct http_text piece;
        ssize_t n = http_body(p, buffer + at, have - at, &piece);
        if (n < 0) {
            return -EBADMSG;
        }
        at += (size_t)n;
        *size += piece.size;
        if (n == 0) {
            have -= at;
            memmove(buffer, buffer + at, have);
            at = 0;
            int rc = more(fd, buffer, &have);
            if (rc < 0 && (rc != -ECONNRESET || http_end_of_input(p) < 0)) {
                return rc;
            }
        }
    }
    return 0;
}

int http_get(const struct http_url *url, struct http_answer *answer)
{
    char buffer[ROOM];
    struct http_parser p;
    size_t have = 0;
    int fd = bg_tcp_connect(url->host, url->port);
    if (fd < 0) {
        return fd;
    }
    *answer = (struct http_answer){0};
    int rc = send_request(fd, url, buffer);
    if (rc == 0) {
        rc = receive_head(fd, &p, buffer, &have);
    }
    if (rc == 0) {
        answer->status = p.status;
        rc = receive_body(fd, &p, buffer, have, &answer->size);
    }
    (void)bg_fd_close(fd);
    return rc;
}
