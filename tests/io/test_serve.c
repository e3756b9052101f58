/*
 * Servers: limits, how they end, what handlers do to their descriptors, what is scarce.
 *
 * Labels: drivers
 */
#include "../task/child.h"
#include "net.h"

#include <sys/resource.h>

/* ---- serving ---- */

static bgi_atomic served, at_once, most_at_once;

static int echo(int fd, void *arg)
{
    char text[64];
    ssize_t n;
    (void)arg;
    bgi_word now = bgi_fetch_add(&at_once, 1) + 1;
    bgi_word most = bgi_load(&most_at_once);
    while (now > most && !bgi_cas(&most_at_once, most, now)) {
        most = bgi_load(&most_at_once);
    }
    while ((n = bg_read(fd, text, sizeof text)) > 0) {
        CHECK(bg_write_all(fd, text, (size_t)n, NULL) == 0);
    }
    (void)bgi_fetch_sub(&at_once, 1);
    add_one(&served);
    return (int)n;
}

struct setting {
    int listener;
    bg_handler handler;
    void *arg;
    bg_serve_options options;
    int result;
};

static int serve(void *arg)
{
    struct setting *s = arg;
    s->options.size = sizeof s->options;
    s->result = bg_serve_opts(s->listener, s->handler, s->arg, &s->options);
    return s->result;
}

static int client(void *arg)
{
    char port[16];
    int fd = bg_tcp_connect("127.0.0.1", port_text(*(int *)arg, port));
    CHECK(fd >= 0);
    for (int i = 0; i < 5; i++) {
        int got = -1;
        CHECK(bg_write_all(fd, &i, sizeof i, NULL) == 0);
        CHECK(bg_read_all(fd, &got, sizeof got, NULL) == sizeof got);
        CHECK(got == i);
    }
    return bg_fd_close(fd);
}

enum { CLIENTS = 40 };

static int main_serve(void *arg)
{
    size_t limit = (size_t)(uintptr_t)arg;
    bg_task *t[CLIENTS];
    struct setting s = {.handler = echo, .options = {.limit = limit, .drain = BG_FOREVER}};
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bgi_store(&served, 0);
    bgi_store(&most_at_once, 0);
    bg_task *server = bg_spawn(serve, &s);
    for (int i = 0; i < CLIENTS; i++) {
        t[i] = bg_spawn(client, &s.listener);
    }
    CHECK(bg_gather_all(t, CLIENTS, NULL) == 0);
    CHECK(bg_fd_close(s.listener) == 0);
    CHECK(bg_await(server) == 0);
    CHECK(bgi_load(&served) == CLIENTS);
    CHECK(limit == 0 || bgi_load(&most_at_once) <= limit);
    return 0;
}

Test(serve, many_clients_within_the_limit)
{
    int before = open_descriptors();
    for (size_t limit = 0; limit < 4; limit++) {
        EACH_WORKER_COUNT(w)
        {
            RUN(main_serve, (void *)limit, .workers = w);
        }
        RUN(main_serve, (void *)limit, .seed = 1 + limit);
    }
    cr_assert_eq(open_descriptors(), before);
}

static int main_not_served(void *arg)
{
    int pair[2], udp = bg_udp_bind("127.0.0.1", "0");
    int listener = bg_tcp_listen("127.0.0.1", "0", 0);
    (void)arg;
    CHECK(bg_socketpair(SOCK_STREAM, pair) == 0);
    CHECK(bg_serve(-1, echo, NULL) == -EBADF);
    CHECK(bg_serve(pair[0], echo, NULL) == -EINVAL);
    CHECK(bg_serve(udp, echo, NULL) == -EINVAL);
    CHECK(bg_serve(listener, NULL, NULL) == -EINVAL);
    CHECK(bg_serve(listener, echo, NULL, .drain = -1) == -EINVAL);
    CHECK(bg_fd_close(pair[0]) == 0 && bg_fd_close(pair[1]) == 0);
    CHECK(bg_pipe(pair) == 0);
    CHECK(bg_serve(pair[0], echo, NULL) == -ENOTSOCK);
    CHECK(bg_fd_close(pair[0]) == 0 && bg_fd_close(pair[1]) == 0);
    return bg_fd_close(udp) + bg_fd_close(listener);
}

Test(serve, what_cannot_be_served)
{
    RUN(main_not_served, NULL, .workers = 1);
}

/* ---- handlers that fail, and that close ---- */

static int failing(int fd, void *arg)
{
    char c = 0;
    (void)arg;
    CHECK(bg_read(fd, &c, 1) == 1);
    return c == 'f' ? -EIO : 0;
}

static bgi_atomic failures;

static void note_failure(int result, void *arg)
{
    CHECK(result == -EIO);
    CHECK(arg == &failures);
    add_one(&failures);
}

static void note_hook(const char *name, int result, void *arg)
{
    CHECK(strcmp(name, "bg_serve") == 0 && result == -EIO);
    add_one((bgi_atomic *)arg);
}

static void send_one(int listener, char c)
{
    char port[16];
    int fd = bg_tcp_connect("127.0.0.1", port_text(listener, port));
    CHECK(bg_write(fd, &c, 1) == 1);
    CHECK(bg_read(fd, &c, 1) == 0); /* closed by bg_serve */
    CHECK(bg_fd_close(fd) == 0);
}

static int main_failing(void *arg)
{
    struct setting s = {.handler = failing,
                        .arg = (void *)&failures,
                        .options = {.failed = arg != NULL ? note_failure : NULL}};
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bgi_store(&failures, 0);
    bg_task *server = bg_spawn(serve, &s);
    send_one(s.listener, 'f');
    send_one(s.listener, 'g');
    send_one(s.listener, 'f');
    yield_until(&failures, 2);
    CHECK(bg_fd_close(s.listener) == 0);
    CHECK(bg_await(server) == 0);
    CHECK(bgi_load(&failures) == 2);
    return 0;
}

Test(serve, a_failure_ends_its_connection_only)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_failing, (void *)&failures, .workers = w);
    }
    bg_set_failure_hook(note_hook, (void *)&failures);
    RUN(main_failing, NULL, .workers = 2);
    bg_set_failure_hook(NULL, NULL);
}

/* Closes its descriptor, and opens another one of the same number. */
static int reopening(int fd, void *arg)
{
    CHECK(bg_fd_close(fd) == 0);
    CHECK(dup3(STDERR_FILENO, fd, O_CLOEXEC) == fd);
    bgi_store_release((bgi_atomic *)arg, (bgi_word)fd);
    return 0;
}

static int main_reopening(void *arg)
{
    bgi_atomic number = 0;
    char port[16], c;
    (void)arg;
    struct setting s = {
        .handler = reopening, .arg = (void *)&number, .options = {.drain = BG_FOREVER}};
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_task *server = bg_spawn(serve, &s);
    int fd = bg_tcp_connect("127.0.0.1", port_text(s.listener, port));
    CHECK(bg_read(fd, &c, 1) == 0);
    CHECK(bg_fd_close(fd) == 0);
    CHECK(bg_fd_close(s.listener) == 0);
    CHECK(bg_await(server) == 0);
    CHECK(number != 0 && fcntl((int)number, F_GETFD) >= 0);
    return close((int)number);
}

Test(serve, a_handler_may_close_it)
{
    RUN(main_reopening, NULL, .workers = 1, .spares = BG_NO_SPARES);
}

/* ---- its end ---- */

static bg_event within;
static bgi_atomic ended_by; /* -1 - result of the handler's wait */
static bg_event go_on;

static int waiting(int fd, void *arg)
{
    (void)fd;
    (void)arg;
    (void)bg_event_set(&within);
    int r = bg_event_wait(&go_on);
    bgi_store(&ended_by, (bgi_word)(1 - r));
    return r;
}

enum { BY_CANCEL = 1, BY_CLOSE = 2, LET_GO = 4 };

struct ending {
    int how;
    bg_duration drain;
    size_t limit;
};

static int main_ending(void *arg)
{
    const struct ending *e = arg;
    char port[16], c;
    struct setting s = {.handler = waiting, .options = {.drain = e->drain, .limit = e->limit}};
    bg_event_init(&go_on);
    bg_event_init(&within);
    bgi_store(&ended_by, 0);
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_task *server = bg_spawn(serve, &s);
    int fd = bg_tcp_connect("127.0.0.1", port_text(s.listener, port));
    CHECK(bg_event_wait(&within) == 0);
    if ((e->how & BY_CANCEL) != 0) {
        CHECK(bg_cancel(server) == 0);
    } else {
        CHECK(bg_fd_close(s.listener) == 0);
    }
    if ((e->how & LET_GO) != 0) {
        for (int i = 0; i < 10; i++) {
            bg_yield();
        }
        CHECK(bg_event_set(&go_on) == 0);
    }
    CHECK(bg_await(server) == ((e->how & BY_CANCEL) != 0 ? -ECANCELED : 0));
    CHECK(bgi_load(&ended_by) == (bgi_word)(1 + ((e->how & LET_GO) != 0 ? 0 : ECANCELED)));
    CHECK(bg_read(fd, &c, 1) == 0);
    CHECK(bg_fd_close(fd) == 0);
    if ((e->how & BY_CANCEL) != 0) {
        CHECK(bg_fd_close(s.listener) == 0);
    }
    return 0;
}

Test(serve, it_ends)
{
    static const struct ending all[] = {{BY_CANCEL, 0, 0},
                                        {BY_CLOSE, 0, 0},
                                        {BY_CANCEL, 5 * BG_MS, 0},
                                        {BY_CLOSE, 5 * BG_MS, 0},
                                        {BY_CANCEL | LET_GO, BG_FOREVER, 0},
                                        {BY_CLOSE | LET_GO, BG_FOREVER, 0},
                                        /* full: */
                                        {BY_CANCEL, 0, 1},
                                        {BY_CLOSE, 0, 1},
                                        {BY_CLOSE, 5 * BG_MS, 1},
                                        {BY_CLOSE | LET_GO, BG_FOREVER, 1}};
    int before = open_descriptors();
    for (size_t i = 0; i < BGI_ARRAY_LEN(all); i++) {
        EACH_WORKER_COUNT(w)
        {
            RUN(main_ending, (void *)(uintptr_t)&all[i], .workers = w);
        }
        RUN(main_ending, (void *)(uintptr_t)&all[i], .seed = 4);
    }
    cr_assert_eq(open_descriptors(), before);
}

static int main_deadline(void *arg)
{
    int r = 0, listener = bg_tcp_listen("127.0.0.1", "0", 0);
    (void)arg;
    bg_timeout (2 * BG_MS) {
        r = bg_serve(listener, waiting, NULL, .limit = 2);
    }
    CHECK(r == -ETIMEDOUT);
    return bg_fd_close(listener);
}

/* A cancel while it drains, which a close began: or that comes before it has noticed that; then it
 * waits for the handler. */
static int main_cancel_drain(void *arg)
{
    char port[16];
    (void)arg;
    struct setting s = {.handler = waiting, .options = {.drain = BG_FOREVER}};
    bg_event_init(&go_on);
    bg_event_init(&within);
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_task *server = bg_spawn(serve, &s);
    int fd = bg_tcp_connect("127.0.0.1", port_text(s.listener, port));
    CHECK(bg_event_wait(&within) == 0);
    CHECK(bg_fd_close(s.listener) == 0);
    for (int i = 0; i < 10; i++) {
        bg_yield();
    }
    CHECK(bg_cancel(server) == 0);
    for (int i = 0; i < 10; i++) {
        bg_yield();
    }
    CHECK(bg_event_set(&go_on) == 0);
    int r = bg_await(server);
    CHECK(r == -ECANCELED || (r == 0 && bgi_load(&ended_by) == 1));
    return bg_fd_close(fd);
}

Test(serve, a_deadline_and_a_late_cancel)
{
    EACH_WORKER_COUNT(w)
    {
        RUN(main_deadline, NULL, .workers = w);
        RUN(main_cancel_drain, NULL, .workers = w);
    }
    RUN(main_deadline, NULL, .seed = 5);
    RUN(main_cancel_drain, NULL, .seed = 5);
}

/* The runtime ends: handlers that have not begun never do, and nothing is left open. */
static struct setting abandoned;

static int main_abandons(void *arg)
{
    char port[16];
    int fd[5];
    abandoned = (struct setting){.handler = waiting, .options = {.drain = *(bg_duration *)arg}};
    abandoned.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_event_init(&go_on);
    bg_detach(bg_spawn(serve, &abandoned));
    for (int i = 0; i < 5; i++) {
        fd[i] = bg_tcp_connect("127.0.0.1", port_text(abandoned.listener, port));
        CHECK(fd[i] >= 0);
    }
    bg_yield();
    for (int i = 0; i < 5; i++) {
        CHECK(bg_fd_close(fd[i]) == 0);
    }
    return 0;
}

Test(serve, the_runtime_ends)
{
    int before = open_descriptors();
    bg_duration drain[] = {0, BG_FOREVER};
    for (int i = 0; i < 2; i++) {
        for (uint64_t seed = 1; seed <= 50; seed++) {
            RUN(main_abandons, &drain[i], .seed = seed);
            (void)close(abandoned.listener);
        }
        EACH_WORKER_COUNT(w)
        {
            RUN(main_abandons, &drain[i], .workers = w);
            (void)close(abandoned.listener);
        }
    }
    cr_assert_eq(open_descriptors(), before);
}

/* ---- in any order ---- */

/* Every third connection stays until it is cancelled. */
static int some_stay(int fd, void *arg)
{
    bg_event never = BG_EVENT_INIT;
    size_t limit = *(size_t *)arg;
    (void)fd;
    bgi_word now = bgi_fetch_add(&at_once, 1) + 1;
    CHECK(limit == 0 || now <= limit);
    int r = 0;
    if (bgi_fetch_add(&served, 1) % 3 == 2) {
        r = bg_event_wait(&never);
    } else {
        bg_yield();
    }
    (void)bgi_fetch_sub(&at_once, 1);
    return r;
}

static int comes_and_leaves(void *arg)
{
    char c;
    int fd = bg_tcp_connect("127.0.0.1", arg);
    if (fd < 0) {
        CHECK(fd == -ECONNREFUSED || fd == -ECONNRESET);
        return 0;
    }
    ssize_t r = bg_read(fd, &c, 1);
    CHECK(r == 0 || r == -ECONNRESET);
    return bg_fd_close(fd);
}

static int begin_to_serve(void *arg)
{
    (void)bg_event_set(&within);
    return serve(arg);
}

/* By the seed: the limit, how long it drains, when it ends, and by what. */
static int main_any_order(void *arg)
{
    static const bg_duration drains[] = {0, BG_MS, BG_S};
    uint64_t seed = bg_seed();
    size_t limit = (size_t)(seed % 3);
    char port[16];
    bg_task *t[5];
    (void)arg;
    struct setting s = {
        .handler = some_stay,
        .arg = &limit,
        .options = {.limit = limit, .drain = drains[seed / 3 % BGI_ARRAY_LEN(drains)]}};
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    (void)port_text(s.listener, port);
    bgi_store(&at_once, 0);
    bgi_store(&served, 0);
    bg_event_init(&within);
    bg_task *server = bg_spawn(begin_to_serve, &s);
    for (size_t i = 0; i < BGI_ARRAY_LEN(t); i++) {
        t[i] = bg_spawn(comes_and_leaves, port);
    }
    CHECK(bg_event_wait(&within) == 0); /* or the number would be somebody else's */
    for (uint64_t i = seed / 9 % 40; i > 0; i--) {
        bg_yield();
    }
    int cancelled = seed % 2 == 0;
    if (cancelled) {
        CHECK(bg_cancel(server) == 0);
    } else {
        CHECK(bg_fd_close(s.listener) == 0);
    }
    int r = bg_await(server);
    CHECK(r == (cancelled ? -ECANCELED : 0));
    CHECK(bgi_load(&at_once) == 0);
    if (cancelled) {
        CHECK(bg_fd_close(s.listener) == 0); /* those that were not accepted are reset */
    }
    return bg_gather_all(t, BGI_ARRAY_LEN(t), NULL);
}

Test(serve, in_any_order)
{
    int before = open_descriptors();
    cr_assert_eq(bg_explore(main_any_order, NULL, .seeds = MANY(720)), 0);
    NO_CHECK_FAILED();
    cr_assert_eq(open_descriptors(), before);
}

/* ---- what is scarce ---- */

enum { CROWD = 8, ROOM = 2 };

static int main_crowded(void *arg)
{
    struct rlimit limit;
    char port[16];
    int fd[CROWD];
    (void)arg;
    struct setting s = {.handler = echo, .options = {.drain = BG_FOREVER}};
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_task *server = bg_spawn(serve, &s);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    /* A first one has what a runtime opens on the way open. */
    fd[0] = bg_tcp_connect("127.0.0.1", port_text(s.listener, port));
    CHECK(bg_write(fd[0], "x", 1) == 1 && bg_read(fd[0], port, 1) == 1);
    (void)port_text(s.listener, port);
    int top = dup(STDERR_FILENO);
    CHECK(close(top) == 0);
    for (int i = 1; i < CROWD; i++) {
        bg_address a = loopback(port_of(s.listener));
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        limit.rlim_cur = (rlim_t)(fd[i] > top ? fd[i] : top) + 1 + ROOM;
        if (i == CROWD - 1) {
            CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        }
        CHECK(connect(fd[i], (struct sockaddr *)&a.storage, a.size) == 0);
    }
    for (int i = 0; i < CROWD; i++) { /* each that ends makes room for another */
        char c;
        CHECK(bg_write(fd[i], "x", 1) == 1);
        CHECK(bg_read(fd[i], &c, 1) == 1);
        CHECK(bg_fd_close(fd[i]) == 0);
    }
    CHECK(bg_fd_close(s.listener) == 0);
    CHECK(bg_await(server) == 0);
    return 0;
}

static void crowded(void *arg)
{
    CHECK(bg_run(main_crowded, NULL, .workers = (unsigned)(uintptr_t)arg) == 0);
}

Test(serve, without_descriptors_it_waits_for_some)
{
    for (uintptr_t w = 1; w <= 2; w++) {
        struct child_end end = child_run(crowded, (void *)w);
        cr_assert_eq(end.signal, 0);
        cr_assert_eq(end.status, 0, "%s", end.words);
    }
}

static int main_no_memory(void *arg)
{
    struct setting s = {.handler = echo, .options = {.drain = BG_FOREVER}};
    (void)arg;
    s.listener = bg_tcp_listen("127.0.0.1", "0", 0);
    bg_task *server = bg_spawn(serve, &s);
    bg_yield();
    for (size_t n = 1; n <= 6; n++) {
        char port[16], c;
        bg_address a = loopback(port_of(s.listener));
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)port;
        bgi_fault_arm(BGI_FAULT_MALLOC, n);
        CHECK(connect(fd, (struct sockaddr *)&a.storage, a.size) == 0);
        for (int i = 0; i < 20; i++) {
            bg_yield();
        }
        bgi_fault_disarm();
        (void)!write(fd, "x", 1);
        ssize_t r = bg_read(fd, &c, 1); /* served, or closed */
        CHECK(r == 1 || r == 0 || r == -ECONNRESET);
        CHECK(bg_fd_close(fd) == 0);
    }
    CHECK(bg_fd_close(s.listener) == 0);
    return bg_await(server);
}

Test(serve, without_memory_it_goes_on)
{
    int before = open_descriptors();
    RUN(main_no_memory, NULL, .workers = 1, .spares = BG_NO_SPARES);
    cr_assert_eq(open_descriptors(), before);
}
