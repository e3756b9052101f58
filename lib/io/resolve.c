/*
 * Addresses of names: those that are known at once, and whom to ask for the others.
 *
 * getaddrinfo runs on a pool of its own (io/blocking.h), whose size is the cap: with a limit within
 * the common pool, names would be held up by sixteen files just as well.
 */
#include "io/resolve.h"

#include "base/alloc.h"
#include "io/blocking.h"

#include <arpa/inet.h>
#include <brigade/scope.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

void bgi_query_add(bgi_query *q, const struct sockaddr *address, socklen_t size)
{
    int fits = (address->sa_family == AF_INET && size == sizeof(struct sockaddr_in)) ||
               (address->sa_family == AF_INET6 && size == sizeof(struct sockaddr_in6));
    if (fits && q->count < BGI_RESOLVE_MOST) {
        memcpy(&q->address[q->count++], address, size);
    }
}

static void add_v4(bgi_query *q, struct in_addr address, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr = address;
    bgi_query_add(q, (struct sockaddr *)&a, sizeof a);
}

static void add_v6(bgi_query *q, struct in6_addr address, unsigned port, unsigned scope)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    a.sin6_addr = address;
    a.sin6_scope_id = scope;
    bgi_query_add(q, (struct sockaddr *)&a, sizeof a);
}

/* ---- what is known at once ---- */

/* A decimal number up to most: 1, and *out. */
static int number(const char *s, unsigned long most, unsigned *out)
{
    unsigned long n = 0;
    if (*s == '\0') {
        return 0;
    }
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9' || (n = 10 * n + (unsigned long)(*s - '0')) > most) {
            return 0;
        }
    }
    *out = (unsigned)n;
    return 1;
}

static int is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t n = strlen(host);
    size_t most = sizeof name - 1;
    if (n > 0 && host[n - 1] == '.') {
        n--;
    }
    return n >= most && strncasecmp(host + n - most, name, most) == 0 &&
           (n == most || host[n - most - 1] == '.');
}

/* Both kinds, as the family allows. */
static void add_both(bgi_query *q, struct in6_addr v6, in_addr_t v4, unsigned port)
{
    struct in_addr a = {htonl(v4)};
    if (q->family != AF_INET) {
        add_v6(q, v6, port, 0);
    }
    if (q->family != AF_INET6) {
        add_v4(q, a, port);
    }
}

/* 1: it is an IPv6 address, *out. */
static int parse_v6(const char *host, struct in6_addr *out, unsigned *scope)
{
    char text[INET6_ADDRSTRLEN];
    const char *percent = strchr(host, '%');
    size_t n = percent == NULL ? strlen(host) : (size_t)(percent - host);
    if (n >= sizeof text) {
        return 0;
    }
    memcpy(text, host, n);
    text[n] = '\0';
    *scope = 0;
    if (inet_pton(AF_INET6, text, out) != 1) {
        return 0;
    }
    if (percent != NULL && !number(percent + 1, UINT32_MAX, scope)) {
        *scope = if_nametoindex(percent + 1);
        return *scope != 0;
    }
    return 1;
}

/* 1: it is answered; 0: somebody has to be asked; or a failure. */
static int known(bgi_query *q)
{
    struct in_addr v4;
    struct in6_addr v6;
    unsigned port = 0, scope;
    if (q->has_port && !number(q->port, 65535, &port)) {
        return 0;
    }
    if (!q->has_host) {
        add_both(q, q->passive ? in6addr_any : in6addr_loopback,
                 q->passive ? INADDR_ANY : INADDR_LOOPBACK, port);
        return 1;
    }
    if (inet_pton(AF_INET, q->host, &v4) == 1) {
        if (q->family == AF_INET6) {
            return -ENODATA;
        }
        add_v4(q, v4, port);
        return 1;
    }
    if (parse_v6(q->host, &v6, &scope)) {
        if (q->family == AF_INET) {
            return -ENODATA;
        }
        add_v6(q, v6, port, scope);
        return 1;
    }
    if (is_localhost(q->host)) {
        add_both(q, in6addr_loopback, INADDR_LOOPBACK, port);
        return 1;
    }
    return 0;
}

/* ---- the system's resolver ---- */

static int (*instead)(const char *host, const char *port, const struct addrinfo *hints,
                      struct addrinfo **out);

void bgi_resolve_instead(int (*resolve)(const char *host, const char *port,
                                        const struct addrinfo *hints, struct addrinfo **out))
{
    instead = resolve;
}

static int failure_of(int error, int system)
{
    switch (error) {
    case EAI_NONAME:
        return -ENOENT;
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return -ENODATA;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_FAIL:
        return -EIO;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_FAMILY:
        return -EAFNOSUPPORT;
    case EAI_OVERFLOW:
        return -ENAMETOOLONG;
    case EAI_SYSTEM:
        return system == 0 ? -EIO : -system;
    default: /* EAI_SERVICE, EAI_SOCKTYPE, EAI_BADFLAGS */
        return -EINVAL;
    }
}

int bgi_resolve_system(void *query)
{
    bgi_query *q = query;
    struct addrinfo hints = {
        .ai_family = q->family, .ai_socktype = q->type, .ai_flags = q->passive ? AI_PASSIVE : 0};
    struct addrinfo *list = NULL;
    int r = (instead != NULL ? instead : getaddrinfo)(q->has_host ? q->host : NULL,
                                                      q->has_port ? q->port : NULL, &hints, &list);
    if (r != 0) {
        return failure_of(r, errno);
    }
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        bgi_query_add(q, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(list);
    return q->count == 0 ? -ENODATA : 0;
}

static int ask(bgi_query *q)
{
    bg_task *self = bgi_task_self();
    if (self == NULL) {
        return bgi_resolve_system(q);
    }
    if (bgi_resolve_has_ares()) {
        return bgi_resolve_ares(q);
    }
    return bgi_blocking_resolve(self, bgi_resolve_system, q, sizeof *q);
}

/* ---- the call ---- */

static bg_addresses *list_of(const bgi_query *q)
{
    bg_addresses *list = bgi_malloc(sizeof *list + q->count * sizeof *list->address);
    if (list == NULL) {
        return NULL;
    }
    list->count = q->count;
    list->address = (bg_address *)(void *)(list + 1);
    for (size_t i = 0; i < q->count; i++) {
        const bgi_inet *from = &q->address[i];
        bg_address *a = &list->address[i];
        memset(a, 0, sizeof *a);
        a->size = from->any.sa_family == AF_INET ? sizeof from->v4 : sizeof from->v6;
        memcpy(&a->storage, from, a->size);
    }
    return list;
}

static int begin(bgi_query *q, const char *host, const char *port, const bg_resolve_options *o)
{
    static const bg_resolve_options none = {.size = sizeof none};
    size_t host_size = host == NULL ? 0 : strlen(host);
    size_t port_size = port == NULL ? 0 : strlen(port);
    o = o == NULL ? &none : o;
    if (o->size < sizeof *o || (o->type != 0 && o->type != SOCK_DGRAM && o->type != SOCK_STREAM) ||
        (host != NULL && host_size == 0) || (port != NULL && port_size == 0)) {
        return -EINVAL;
    }
    if (o->family != AF_UNSPEC && o->family != AF_INET && o->family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    if (host_size >= sizeof q->host || port_size >= sizeof q->port) {
        return -ENAMETOOLONG;
    }
    q->family = o->family;
    q->type = o->type == 0 ? SOCK_STREAM : o->type;
    q->passive = o->passive != 0;
    q->has_host = host != NULL;
    q->has_port = port != NULL;
    q->count = 0;
    memcpy(q->host, host == NULL ? "" : host, host_size + 1);
    memcpy(q->port, port == NULL ? "" : port, port_size + 1);
    return 0;
}

int bg_resolve_opts(const char *host, const char *port, bg_addresses **out,
                    const bg_resolve_options *options)
{
    if (out == NULL) {
        return -EINVAL;
    }
    int r = bg_cancelled();
    bgi_query *q = r != 0 ? NULL : bgi_malloc(sizeof *q);
    if (q == NULL) {
        return r != 0 ? r : -ENOMEM;
    }
    r = begin(q, host, port, options);
    if (r == 0) {
        r = known(q);
        r = r == 0 ? ask(q) : r;
    }
    if (r >= 0) {
        bg_addresses *list = list_of(q);
        r = list == NULL ? -ENOMEM : 0;
        *out = list == NULL ? *out : list;
    }
    bgi_free(q);
    return r;
}

void bg_addresses_free(bg_addresses *addresses)
{
    bgi_free(addresses);
}

/* ---- text ---- */

static void unix_text(const bg_address *address, char *buffer, size_t size)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t n = address->size <= head ? 0 : address->size - head;
    n = n > sizeof un->sun_path ? sizeof un->sun_path : n;
    if (n > 0 && un->sun_path[0] == '\0') {
        (void)snprintf(buffer, size, "@%.*s", (int)n - 1, un->sun_path + 1);
    } else {
        (void)snprintf(buffer, size, "%.*s", (int)n, un->sun_path);
    }
}

char *bg_address_text(const bg_address *address, char *buffer, size_t size)
{
    char text[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    switch (address->storage.ss_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        (void)snprintf(buffer, size, "%s:%u", text, ntohs(v4->sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        if (v6->sin6_scope_id != 0) {
            (void)snprintf(buffer, size, "[%s%%%u]:%u", text, (unsigned)v6->sin6_scope_id,
                           ntohs(v6->sin6_port));
        } else {
            (void)snprintf(buffer, size, "[%s]:%u", text, ntohs(v6->sin6_port));
        }
        break;
    case AF_UNIX:
        unix_text(address, buffer, size);
        break;
    default:
        (void)snprintf(buffer, size, "family %d", address->storage.ss_family);
    }
    return buffer;
}

int bg_address_port(const bg_address *address)
{
    switch (address->storage.ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    default:
        return -EAFNOSUPPORT;
    }
}
