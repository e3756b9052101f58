/*
 * Servers: connections are accepted one after another, each is served by a task of a group.
 *
 * `live` counts the tasks. Every end sets `ended`, for which a server waits that has reached its
 * limit, or has no descriptors left, and one that drains; it clears it before it looks. The words
 * are the server's, on its stack: a task's last access to them is the set of `ended`, and the group
 * is closed after that.
 *
 * Nobody sets `ended` when the listener is closed, or the runtime ends: who waits for it looks for
 * that once in a SLICE. (A semaphore of places would be waited for in vain: a server that is full
 * of connections that stay would never learn that it is to end.)
 *
 * A task that is cancelled before it has begun never runs, and nobody would close its connection:
 * so each has a record, `begun`: 0 -> 1 by the task when it has taken the descriptor over
 * (compare-and-swap, release), its last access to the record. The records are in a list of the
 * server's own, which frees them from the front when they have begun (acquire), and at its end
 * closes the connections of the others. Only the end of the runtime cancels single tasks: who
 * drains then looks for that, since `live` will not become 0.
 *
 * Partners: live: the fetch-and-sub at a task's end (release) -> the load of who wants a place
 * (acquire): what a handler did is seen by the one that comes into its place. Who drains reads the
 * number alone, as all see by the join what was done before.
 */
#include "io/net.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "io/fd.h"
#include "task/task.h"

#include <brigade/group.h>
#include <brigade/io.h>
#include <brigade/scope.h>
#include <brigade/sync.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define FIRST_PAUSE (5 * BG_MS)
#define LONGEST_PAUSE (1 * BG_S)

typedef struct server {
    int fd;
    bgi_word generation; /* of fd: another one says that it has been closed */
    int is_tcp;
    bg_handler handler;
    void *arg;
    const bg_serve_options *options;
    bg_group_t group;
    bg_event ended;
    bgi_atomic live;
    struct connection *first, **last; /* handed over; the owner's alone */
    bg_duration pause;                /* the next one, when there are no descriptors */
} server;

typedef struct connection {
    struct connection *next;
    server *server;
    int fd;
    bgi_atomic begun;
} connection;

#define SLICE (100 * BG_MS)

static void tell_failure(const server *s, int result)
{
    if (s->options->failed != NULL) {
        s->options->failed(result, s->arg);
    } else {
        bgi_failure("bg_serve", result);
    }
}

static void one_less(server *s)
{
    (void)bgi_fetch_sub(&s->live, 1);
    (void)bg_event_set(&s->ended);
}

static int serve_one(void *arg)
{
    connection *c = arg;
    server *s = c->server;
    int fd = c->fd;
    (void)bgi_cas_release(&c->begun, 0, 1);
    bgi_word generation = bgi_fd_generation(fd);
    int r = s->handler(fd, s->arg);
    if (bgi_fd_generation(fd) == generation) {
        (void)bg_fd_close(fd);
    }
    if (r < 0 && r != -ECANCELED) {
        tell_failure(s, r);
    }
    one_less(s);
    return 0;
}

/* Waits until one has ended since `ended` was cleared, for so long at most: 0, or why not. */
static int wait_for_an_end(server *s, bg_duration most)
{
    int r = 0;
    bg_timeout (most) {
        r = bg_event_wait(&s->ended);
    }
    return r == -ETIMEDOUT && bg_timed_out() ? bg_cancelled() : r;
}

/* ---- accepting ---- */

BGI_NOINLINE static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0 ? 0 : -errno;
}

/* Waits until there may be room for another connection. */
static int wait_for_room(server *s)
{
    bg_duration pause = s->pause;
    s->pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE;
    return wait_for_an_end(s, pause);
}

/* Whether the next attempt may go better: there is no room, or it concerns one connection only:
 * accept(2) passes on what its network says. */
static int passes(int error)
{
    switch (error) {
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
    case -ECONNABORTED:
    case -EPROTO:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENONET:
    case -ENOPROTOOPT:
    case -EOPNOTSUPP:
    case -EPERM: /* by a firewall */
        return 1;
    default:
        return 0;
    }
}

/* ---- who has been handed over ---- */

static void free_begun(server *s)
{
    while (s->first != NULL && bgi_load_acquire(&s->first->begun) != 0) {
        connection *c = s->first;
        s->first = c->next;
        bgi_free(c);
    }
    s->last = s->first == NULL ? &s->first : s->last;
}

/* No task lives any more. */
static void free_all(server *s)
{
    while (s->first != NULL) {
        connection *c = s->first;
        s->first = c->next;
        if (bgi_load(&c->begun) == 0) {
            (void)bg_fd_close(c->fd);
        }
        bgi_free(c);
    }
}

/* A task for the connection: 0, or the failure, and it is closed. */
static int hand_over(server *s, int fd)
{
    bg_spawn_options o = {
        .size = sizeof o, .name = "bg_serve", .stack_size = s->options->stack_size};
    if (s->is_tcp) {
        (void)bgi_socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    connection *c = bgi_calloc(1, sizeof *c);
    int r = c == NULL ? -ENOMEM : 0;
    if (c != NULL) {
        c->server = s;
        c->fd = fd;
        (void)bgi_fetch_add_relaxed(&s->live, 1);
        r = bg_group_spawn_opts(&s->group, serve_one, c, &o);
        if (r < 0) {
            (void)bgi_fetch_add_relaxed(&s->live, (bgi_word)0 - 1);
        }
    }
    if (r < 0) {
        (void)bg_fd_close(fd);
        bgi_free(c);
        return r;
    }
    *s->last = c;
    s->last = &c->next;
    free_begun(s);
    return 0;
}

/* Waits until there may be one more: 0; why not, 1: closed. */
static int wait_for_a_place(server *s)
{
    for (;;) {
        (void)bg_event_clear(&s->ended); /* who ends from now on is not missed */
        if (bgi_fd_generation(s->fd) != s->generation) {
            return 1;
        }
        if (s->options->limit == 0 || bgi_load_acquire(&s->live) < s->options->limit) {
            return 0;
        }
        int r = wait_for_an_end(s, SLICE);
        if (r != 0) {
            return r;
        }
    }
}

/* One connection more, or a reason to go on without: 0; else why it ends, 1: closed. */
static int accept_one(server *s)
{
    int r = wait_for_a_place(s);
    if (r != 0) {
        return r;
    }
    int fd = bg_accept(s->fd, NULL, NULL);
    r = fd < 0 ? fd : hand_over(s, fd);
    if (r >= 0) {
        s->pause = FIRST_PAUSE;
        return 0;
    }
    if (r == -EBADF && bgi_fd_generation(s->fd) != s->generation) {
        return 1;
    }
    return passes(r) ? wait_for_room(s) : r;
}

static int accept_all(server *s)
{
    int r = 0;
    while (r == 0) {
        r = accept_one(s);
    }
    return r == 1 ? 0 : r;
}

/* ---- its end ---- */

/* Waits until nobody is served any more: 0, or why not. */
static int wait_until_idle(server *s, const bg_runtime *rt)
{
    int r = 0;
    while (r == 0 && bgi_load(&rt->stopping) == 0) {
        (void)bg_event_clear(&s->ended);
        if (bgi_load(&s->live) == 0) {
            break;
        }
        r = wait_for_an_end(s, SLICE);
    }
    return r;
}

/* Those that are being served may go on for a while. Who is cancelled only now does not wait. */
static int drain(server *s, int why)
{
    const bg_runtime *rt = bgi_task_runtime(bgi_task_self());
    bg_scope shield;
    int r = 0;
    if (s->options->drain <= 0) {
        return why;
    }
    if (why != 0) {
        (void)bg_shield_open(&shield);
    }
    bg_timeout (s->options->drain) {
        r = wait_until_idle(s, rt);
    }
    if (why != 0) {
        bg_scope_close(&shield);
        return why;
    }
    return r == -ETIMEDOUT && bg_timed_out() ? bg_cancelled() : r;
}

BGI_NOINLINE static int find_out(server *s)
{
    int value = 0;
    socklen_t size = sizeof value;
    int r = is_open(s->fd);
    if (r < 0) {
        return r;
    }
    if (getsockopt(s->fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0) {
        return -errno;
    }
    if (value == 0) {
        return -EINVAL;
    }
    size = sizeof value;
    s->is_tcp =
        getsockopt(s->fd, SOL_SOCKET, SO_PROTOCOL, &value, &size) == 0 && value == IPPROTO_TCP;
    s->generation = bgi_fd_generation(s->fd);
    return 0;
}

int bg_serve_opts(int listen_fd, bg_handler handler, void *arg, const bg_serve_options *o)
{
    static const bg_serve_options none = {.size = sizeof none};

    if (bgi_task_required("bg_serve") == NULL) {
        return -EPERM;
    }
    o = o == NULL ? &none : o;
    if (o->size < sizeof *o || handler == NULL || o->drain < 0) {
        return -EINVAL;
    }
    server s = {
        .fd = listen_fd, .handler = handler, .arg = arg, .options = o, .pause = FIRST_PAUSE};
    int r = find_out(&s);
    if (r < 0) {
        return r;
    }
    bg_event_init(&s.ended);
    s.last = &s.first;
    r = bg_group_open(&s.group, .keep_going = 1);
    if (r < 0) {
        return r;
    }
    r = drain(&s, accept_all(&s));
    (void)bg_group_cancel(&s.group);
    (void)bg_group_close(&s.group);
    free_all(&s);
    return r;
}
