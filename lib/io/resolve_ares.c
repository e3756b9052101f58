/*
 * Names of hosts by c-ares: a channel for each name, driven by the task that asks.
 *
 * c-ares opens sockets and says which it wants to read or write; they are put into an epoll of the
 * call's own, which is itself a descriptor that the task waits for. When that is ready, or the time
 * that c-ares gives has passed, c-ares is told, and calls back, on the task's stack, when it is
 * done. A call that is cut short destroys its channel, and with it all that it has opened. A
 * channel belongs to one task, so nothing is locked; the library is loaded once, under a lock, and
 * not linked: few programs need it, and those that do can go without.
 *
 * c-ares closes its sockets itself, by close(2); the table of descriptors never sees them, but for
 * the epoll, which is closed by bg_fd_close.
 */
#include "io/resolve.h"

#if defined(BGI_ARES)

#include "arch/lock.h"
#include "base/alloc.h"
#include "base/atomic.h"

#include <ares.h>
#include <brigade/io.h>
#include <brigade/scope.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct ares_calls {
    int (*library_init)(int flags);
    int (*init)(ares_channel *channel, struct ares_options *options, int mask);
    void (*destroy)(ares_channel channel);
    void (*ask)(ares_channel channel, const char *node, const char *service,
                const struct ares_addrinfo_hints *hints, ares_addrinfo_callback callback,
                void *arg);
    void (*free_list)(struct ares_addrinfo *list);
    struct timeval *(*timeout)(ares_channel channel, struct timeval *most, struct timeval *tv);
    void (*process)(ares_channel channel, ares_socket_t in, ares_socket_t out);
    int (*servers)(ares_channel channel, const char *csv);
} call;

/* 0 -> LOADED or MISSING, once, under the lock (release), with `call`. */
enum { UNKNOWN, LOADED, MISSING };
static bgi_atomic library;
static bgi_lock lock = BGI_LOCK_INIT(BGI_RANK_TOPOLOGY, "c-ares");

static const char *asked; /* see bgi_resolve_ask */

static int load(void)
{
    static const char *const names[] = {
        "ares_library_init", "ares_init_options", "ares_destroy",    "ares_getaddrinfo",
        "ares_freeaddrinfo", "ares_timeout",      "ares_process_fd", "ares_set_servers_ports_csv"};
    void **to[] = {(void **)&call.library_init, (void **)&call.init,      (void **)&call.destroy,
                   (void **)&call.ask,          (void **)&call.free_list, (void **)&call.timeout,
                   (void **)&call.process,      (void **)&call.servers};
    const char *chosen = getenv("BRIGADE_RESOLVE");
    if (chosen != NULL && strcmp(chosen, "system") == 0) {
        return MISSING;
    }
    void *so = dlopen("libcares.so.2", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; so != NULL && i < BGI_ARRAY_LEN(names); i++) {
        *to[i] = dlsym(so, names[i]);
        if (*to[i] == NULL) {
            return MISSING;
        }
    }
    return so != NULL && call.library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? LOADED : MISSING;
}

int bgi_resolve_has_ares(void)
{
    bgi_word found = bgi_load_acquire(&library);
    if (found == UNKNOWN) {
        bgi_lock_acquire(&lock);
        found = bgi_load(&library);
        if (found == UNKNOWN) {
            found = (bgi_word)load();
            bgi_store_release(&library, found);
        }
        bgi_lock_release(&lock);
    }
    return found == LOADED && (asked == NULL || *asked != '\0');
}

void bgi_resolve_ask(const char *servers)
{
    asked = servers;
}

/* ---- a name ---- */

typedef struct asking {
    bgi_query *query;
    ares_channel channel;
    int epoll;
    int error; /* a socket could not be watched */
    int is_over, status;
} asking;

/* c-ares wants to know of this socket, or not any more. */
static void watch(void *arg, ares_socket_t fd, int in, int out)
{
    asking *a = arg;
    struct epoll_event e = {.events = (in ? EPOLLIN : 0U) | (out ? EPOLLOUT : 0U)};
    e.data.fd = fd;
    if (!in && !out) {
        (void)epoll_ctl(a->epoll, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(a->epoll, EPOLL_CTL_MOD, fd, &e) != 0 &&
               (errno != ENOENT || epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &e) != 0)) {
        a->error = -errno;
    }
}

static void note_answer(void *arg, int status, int timeouts, struct ares_addrinfo *list)
{
    asking *a = arg;
    (void)timeouts;
    a->is_over = 1;
    a->status = status;
    if (list == NULL) {
        return;
    }
    for (const struct ares_addrinfo_node *n = list->nodes; n != NULL; n = n->ai_next) {
        bgi_query_add(a->query, n->ai_addr, n->ai_addrlen);
    }
    call.free_list(list);
}

static int failure_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return -ENOENT;
    case ARES_ENODATA:
        return -ENODATA;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL:
        return -EAGAIN;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ESERVICE:
    case ARES_EBADFLAGS:
    case ARES_EBADHINTS:
        return -EINVAL;
    case ARES_EBADFAMILY:
        return -EAFNOSUPPORT;
    default: /* refused, or nonsense */
        return -EIO;
    }
}

/* Tells c-ares of what is ready, and of the time. */
BGI_NOINLINE static void process(asking *a)
{
    struct epoll_event ready[16];
    int n = epoll_wait(a->epoll, ready, (int)BGI_ARRAY_LEN(ready), 0);
    for (int i = 0; i < n; i++) {
        ares_socket_t fd = ready[i].data.fd;
        int is_bad = (ready[i].events & (EPOLLERR | EPOLLHUP)) != 0;
        call.process(a->channel, (ready[i].events & EPOLLIN) != 0 || is_bad ? fd : ARES_SOCKET_BAD,
                     (ready[i].events & EPOLLOUT) != 0 || is_bad ? fd : ARES_SOCKET_BAD);
    }
    if (n <= 0) {
        call.process(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
}

static int wait_for_answer(asking *a)
{
    while (!a->is_over && a->error == 0) {
        struct timeval tv, *t = call.timeout(a->channel, NULL, &tv);
        bg_duration most = t == NULL ? BG_S : t->tv_sec * BG_S + t->tv_usec * BG_US + BG_MS;
        int r = 0;
        bg_timeout (most) {
            r = bg_poll(a->epoll, POLLIN);
        }
        if (r == -ETIMEDOUT && bg_timed_out()) {
            r = bg_cancelled();
        }
        if (r < 0) {
            return r;
        }
        process(a);
    }
    return a->error;
}

BGI_NOINLINE static int begin(asking *a)
{
    struct ares_options o = {.sock_state_cb = watch, .sock_state_cb_data = a};
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (a->epoll < 0) {
        return -errno;
    }
    int r = call.init(&a->channel, &o, ARES_OPT_SOCK_STATE_CB);
    if (r == ARES_SUCCESS && asked != NULL) {
        r = call.servers(a->channel, asked);
    }
    return failure_of(r);
}

int bgi_resolve_ares(bgi_query *q)
{
    const struct ares_addrinfo_hints hints = {
        .ai_family = q->family,
        .ai_socktype = q->type,
        .ai_flags = q->passive ? ARES_AI_PASSIVE : 0,
    };
    asking a = {.query = q, .epoll = -1};
    int r = begin(&a);
    if (r == 0) {
        call.ask(a.channel, q->has_host ? q->host : NULL, q->has_port ? q->port : NULL, &hints,
                 note_answer, &a);
        r = wait_for_answer(&a);
    }
    if (a.channel != NULL) {
        int was_over = a.is_over; /* its end would be noted as an answer */
        call.destroy(a.channel);
        a.is_over = was_over;
    }
    if (a.epoll >= 0) {
        (void)bg_fd_close(a.epoll);
    }
    if (r == 0) {
        r = failure_of(a.status);
    }
    return r == 0 && q->count == 0 ? -ENODATA : r;
}

#else

#include <errno.h>

int bgi_resolve_has_ares(void)
{
    return 0;
}

int bgi_resolve_ares(bgi_query *q)
{
    (void)q;
    return -ENOTSUP;
}

void bgi_resolve_ask(const char *servers)
{
    (void)servers;
}

#endif
