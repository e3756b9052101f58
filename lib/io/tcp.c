/*
 * TCP: connections by happy eyeballs (RFC 8305), and sockets that listen.
 *
 * Attempts are tasks of a group, which the caller starts one after another: the next when one has
 * failed, or the delay has passed. The caller waits for their results in the group, so it is told
 * also of one that was cancelled before it began (the runtime ends).
 *
 * The word `winner`: 0 -> 1 + descriptor, by the first attempt whose connection stands (compare-
 * and-swap, release) -> read by the caller (acquire). Who comes later closes its own. `error[i]` is
 * written by attempt i alone, and read after the group has ended.
 *
 * The group is closed in every case, so no attempt outlives the call; when the caller is cancelled
 * just as a connection stands, it gets that.
 */
#include "io/net.h"

#include "base/alloc.h"
#include "base/atomic.h"
#include "io/resolve.h"

#include <brigade/group.h>
#include <brigade/io.h>
#include <brigade/scope.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

enum { MOST = BGI_RESOLVE_MOST };

#define USUAL_DELAY (250 * BG_MS)
#define LEAST_DELAY (10 * BG_MS) /* RFC 8305, section 5 */

/* A connection to one address: the descriptor or the failure. */
static int connect_to(const bg_address *a, const bg_address *local)
{
    int fd = bgi_socket(a->storage.ss_family, SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    int r = bgi_socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (r == 0 && local != NULL) {
        r = bgi_socket_bind(fd, local);
    }
    if (r == 0) {
        r = bg_connect(fd, (const struct sockaddr *)&a->storage, a->size);
    }
    if (r < 0) {
        (void)bg_fd_close(fd);
        return r;
    }
    return fd;
}

/* ---- several addresses ---- */

typedef struct race {
    const bg_address *order[MOST];
    int error[MOST]; /* of the attempt; 0: it has not failed */
    size_t count;
    const bg_address *local;
    bgi_atomic winner;
} race;

typedef struct attempt {
    race *race;
    size_t index;
} attempt;

static int try_one(void *arg)
{
    const attempt *a = arg;
    race *r = a->race;
    int fd = connect_to(r->order[a->index], r->local);
    if (fd < 0) {
        r->error[a->index] = fd;
    } else if (!bgi_cas_release(&r->winner, 0, (bgi_word)fd + 1)) {
        (void)bg_fd_close(fd);
    }
    return 0;
}

/* The families take turns, that of the first address first. */
static void put_in_order(race *r, const bg_addresses *list)
{
    int family = list->address[0].storage.ss_family;
    size_t next[2] = {0, 0};
    for (int turn = 0; r->count < MOST; turn = !turn) {
        size_t *at = &next[turn], *other = &next[!turn];
        while (*at < list->count && (list->address[*at].storage.ss_family == family) == turn) {
            ++*at;
        }
        if (*at < list->count) {
            r->order[r->count++] = &list->address[(*at)++];
        } else if (*other >= list->count) {
            return;
        }
    }
}

/* What says most about why there is no connection: see the header. */
static int failure_of(const race *r)
{
    int first = 0;
    for (size_t i = 0; i < r->count; i++) {
        int e = r->error[i];
        if (e == -ECONNREFUSED || e == -ECONNRESET || e == -ETIMEDOUT) {
            return e;
        }
        first = first == 0 ? e : first;
    }
    return first == 0 ? -ECANCELED : first; /* 0: none has begun */
}

/* Waits until one more has ended, at most so long: 0, 1: the time is up, or the failure. */
static int wait_ended(bg_group_t *g, bg_duration most)
{
    int e = 0;
    if (most == BG_FOREVER) {
        return bg_group_next(g, NULL);
    }
    bg_timeout (most) {
        e = bg_group_next(g, NULL);
    }
    return e == -ETIMEDOUT && bg_timed_out() ? 1 : e;
}

/* Starts one after another, until a connection stands or all have failed. */
static int run_race(race *r, bg_group_t *g, bg_duration delay)
{
    size_t started = 0, ended = 0;
    while (bgi_load_acquire(&r->winner) == 0 && ended < r->count) {
        if (started < r->count) {
            attempt a = {r, started};
            int e = bg_group_spawn_copy(g, try_one, &a, sizeof a, NULL);
            if (e < 0) {
                return e;
            }
            started++;
        }
        int e = wait_ended(g, started < r->count ? delay : BG_FOREVER);
        if (e < 0) {
            return e;
        }
        ended += e == 0;
    }
    return 0;
}

static int connect_any(race *r, bg_duration delay)
{
    bg_group_t g;
    int e = bg_group_open(&g, .keep_going = 1, .results = 1);
    if (e < 0) {
        return e;
    }
    e = run_race(r, &g, delay);
    (void)bg_group_cancel(&g);
    (void)bg_group_close(&g);
    bgi_word winner = bgi_load_acquire(&r->winner);
    if (winner != 0) {
        return (int)(winner - 1);
    }
    return e != 0 ? e : failure_of(r);
}

static int connect_in_turn(race *r)
{
    for (size_t i = 0; i < r->count; i++) {
        int fd = connect_to(r->order[i], r->local);
        if (fd >= 0) {
            return fd;
        }
        r->error[i] = fd;
    }
    return failure_of(r);
}

/* Those that can be reached from the given one. */
static size_t drop_others(race *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->order[i]->storage.ss_family == r->local->storage.ss_family) {
            r->order[kept++] = r->order[i];
        }
    }
    return kept;
}

int bgi_tcp_connect_addresses(const bg_addresses *list, const bg_tcp_options *o)
{
    bg_duration delay = o->connect_delay == 0 ? USUAL_DELAY : o->connect_delay;
    if (list->count == 1 && o->local == NULL) {
        return connect_to(&list->address[0], NULL);
    }
    race *r = bgi_calloc(1, sizeof *r);
    if (r == NULL) {
        return -ENOMEM;
    }
    r->local = o->local;
    put_in_order(r, list);
    if (r->local != NULL) {
        r->count = drop_others(r);
    }
    int fd = r->count == 0         ? -EAFNOSUPPORT
             : r->count == 1       ? connect_to(r->order[0], r->local)
             : bg_self() == NULL   ? connect_in_turn(r)
             : delay < LEAST_DELAY ? connect_any(r, LEAST_DELAY)
                                   : connect_any(r, delay);
    bgi_free(r);
    return fd;
}

int bg_tcp_connect_opts(const char *host, const char *port, const bg_tcp_options *o)
{
    static const bg_tcp_options none = {.size = sizeof none};
    bg_addresses *list;

    o = o == NULL ? &none : o;
    if (o->size < sizeof *o || o->connect_delay < 0 || port == NULL) {
        return -EINVAL;
    }
    int r = bg_resolve(host, port, &list, .family = o->family);
    if (r < 0) {
        return r;
    }
    r = bgi_tcp_connect_addresses(list, o);
    bg_addresses_free(list);
    return r;
}

/* ---- listening ---- */

int bg_tcp_listen_opts(const char *host, const char *port, int backlog, const bg_listen_options *o)
{
    static const bg_listen_options none = {.size = sizeof none};
    bg_addresses *list;

    o = o == NULL ? &none : o;
    if (o->size < sizeof *o || port == NULL) {
        return -EINVAL;
    }
    int r = bg_resolve(host, port, &list, .family = o->family, .passive = 1);
    if (r < 0) {
        return r;
    }
    int fd = bgi_bind_first(list, SOCK_STREAM, o);
    bg_addresses_free(list);
    r = fd < 0 ? fd : bgi_socket_listen(fd, backlog);
    if (r < 0 && fd >= 0) {
        (void)bg_fd_close(fd);
    }
    return r < 0 ? r : fd;
}
