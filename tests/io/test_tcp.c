/*
 * TCP: connecting to one address and to several, what ends it, listening.
 *
 * Labels: drivers
 */
#include "io/net.h"

#include "net.h"
#include "waits.h"

#include <netinet/tcp.h>

static const bg_tcp_options usual = {.size = sizeof usual, .connect_delay = 10 * BG_MS};

/* ---- one ---- */

static int say_hello(void *arg)
{
    int fd = bg_accept(*(int *)arg, NULL, NULL);
    CHECK(fd >= 0);
    CHECK(bg_write_all(fd, "hello", 5, NULL) == 0);
    return bg_fd_close(fd);
}

static void is_hello(int fd)
{
    char text[8];
    CHECK(fd >= 0);
    CHECK(bg_read_all(fd, text, sizeof text, NULL) == 5);
    CHECK(memcmp(text, "hello", 5) == 0);
    CHECK(bg_fd_close(fd) == 0);
}

static int main_hello(void *arg)
{
    char port[16], text[128], want[128];
    const char *const *host = arg;
    int listener = bg_tcp_listen(host[0], "0", 10);
    CHECK(listener >= 0);
    bg_task *t = bg_spawn(say_hello, &listener);
    int fd = bg_tcp_connect(host[1], port_text(listener, port));
    int on = 0;
    socklen_t size = sizeof on;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) == 0 && on != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(listener, F_GETFD) & FD_CLOEXEC) != 0);
    bg_address a, b;
    CHECK(bg_peer_address(fd, &a) == 0 && bg_local_address(fd, &b) == 0);
    CHECK(bg_address_port(&a) == port_of(listener) && bg_address_port(&b) != 0);
    if (strchr(host[1], ':') == NULL && strcmp(host[1], "localhost") != 0) {
        (void)snprintf(want, sizeof want, "%s:%s", host[1], port);
        CHECK(strcmp(bg_address_text(&a, text, sizeof text), want) == 0);
    }
    is_hello(fd);
    CHECK(bg_await(t) == 0);
    return bg_fd_close(listener);
}

Test(tcp, a_connection)
{
    static const char *hosts[][2] = {
        {"127.0.0.1", "127.0.0.1"}, {NULL, "127.0.0.1"}, {NULL, "localhost"},
        {"localhost", "localhost"}, {"::1", "::1"},      {NULL, "::1"}};
    int before = open_descriptors();
    for (size_t i = 0; i < (has_ipv6() ? 6 : 4); i++) {
        EACH_WORKER_COUNT(w)
        {
            RUN(main_hello, hosts[i], .workers = w);
        }
        RUN(main_hello, hosts[i], .seed = 1 + i);
    }
    cr_assert_eq(open_descriptors(), before);
}

static int main_refused(void *arg)
{
    int fd;
    char port[16];
    (void)arg;
    (void)snprintf(port, sizeof port, "%d", refusing(&fd));
    CHECK(bg_tcp_connect("127.0.0.1", port) == -ECONNREFUSED);
    CHECK(bg_tcp_connect("localhost", port) == -ECONNREFUSED);
    CHECK(bg_tcp_connect("localhost", port, .family = AF_INET) == -ECONNREFUSED);
    CHECK(bg_tcp_connect("127.0.0.1", NULL) == -EINVAL);
    CHECK(bg_tcp_connect("127.0.0.1", port, .connect_delay = -1) == -EINVAL);
    CHECK(bg_tcp_connect("127.0.0.1", "no such service") == -EINVAL);
    CHECK(bg_tcp_connect("127.0.0.1", port, .family = AF_INET6) == -ENODATA);
    CHECK(bg_tcp_connect("127.0.0.1", port, .family = 77) == -EAFNOSUPPORT);
    int listener = bg_tcp_listen("127.0.0.1", "0", 0);
    CHECK(bg_tcp_listen("127.0.0.1", port_text(listener, port), 0) == -EADDRINUSE);
    CHECK(bg_tcp_listen("127.0.0.1", NULL, 0) == -EINVAL);
    CHECK(bg_tcp_listen("192.0.2.1", "0", 0) == -EADDRNOTAVAIL);
    CHECK(bg_fd_close(listener) == 0);
    return close(fd);
}

Test(tcp, what_cannot_be)
{
    int before = open_descriptors();
    RUN(main_refused, NULL, .workers = 2);
    RUN(main_refused, NULL, .seed = 3);
    cr_assert_eq(open_descriptors(), before);
    /* On a plain thread. */
    cr_assert_eq(main_refused(NULL), 0);
    NO_CHECK_FAILED();
}

static int main_shared_port(void *arg)
{
    char port[16];
    (void)arg;
    int a = bg_tcp_listen("127.0.0.1", "0", 1, .reuse_port = 1);
    int b = bg_tcp_listen("127.0.0.1", port_text(a, port), 1, .reuse_port = 1);
    CHECK(a >= 0 && b >= 0 && port_of(a) == port_of(b));
    return bg_fd_close(a) + bg_fd_close(b);
}

Test(tcp, two_listen_at_one_port)
{
    RUN(main_shared_port, NULL, .workers = 1);
}

static int main_from(void *arg)
{
    (void)arg;
    bg_address here = loopback(0);
    bg_address with;
    char port[16];
    ((struct sockaddr_in *)&here.storage)->sin_addr.s_addr = htonl(0x7f000002); /* 127.0.0.2 */
    int listener = bg_tcp_listen("127.0.0.1", "0", 1);
    int fd = bg_tcp_connect("localhost", port_text(listener, port), .local = &here);
    CHECK(fd >= 0);
    CHECK(bg_local_address(fd, &with) == 0);
    CHECK(((struct sockaddr_in *)&with.storage)->sin_addr.s_addr == htonl(0x7f000002));
    CHECK(bg_tcp_connect("::1", port, .local = &here) == -EAFNOSUPPORT);
    return bg_fd_close(fd) + bg_fd_close(listener);
}

Test(tcp, from_an_address)
{
    RUN(main_from, NULL, .workers = 2);
}

/* ---- several addresses ---- */

static int main_race(void *arg)
{
    struct hole hole;
    int refused;
    (void)arg;
    bg_address a[5];
    int listener = bg_tcp_listen("127.0.0.1", "0", 10);
    a[0] = loopback(hole_open(&hole));
    a[1] = loopback(refusing(&refused));
    a[2] = loopback(port_of(listener));
    a[3] = a[0];
    a[4] = a[1];
    for (size_t first = 0; first < 3; first++) {
        bg_addresses list = {5 - first, a + first};
        bg_task *t = bg_spawn(say_hello, &listener);
        is_hello(bgi_tcp_connect_addresses(&list, &usual));
        CHECK(bg_await(t) == 0);
    }
    bg_addresses none = {2, a + 3};
    int r = 0;
    bg_timeout (30 * BG_MS) {
        r = bgi_tcp_connect_addresses(&none, &usual);
    }
    CHECK(r == -ETIMEDOUT);
    a[3] = a[4];
    CHECK(bgi_tcp_connect_addresses(&none, &usual) == -ECONNREFUSED);
    /* Without a route, or from an address that is not here, says less than a refusal. */
    ((struct sockaddr_in *)&a[3].storage)->sin_addr.s_addr = htonl(0xffffffff);
    CHECK(bgi_tcp_connect_addresses(&none, &usual) == -ECONNREFUSED);
    a[4] = a[3];
    CHECK(bgi_tcp_connect_addresses(&none, &usual) < 0);
    CHECK(bg_fd_close(listener) == 0);
    hole_close(&hole);
    return close(refused);
}

Test(tcp, the_first_that_stands_is_taken)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_race, NULL, .workers = w);
    }
    for (uint64_t seed = 1; seed <= 10; seed++) {
        RUN(main_race, NULL, .seed = seed);
    }
    cr_assert_eq(open_descriptors(), before);
}

struct attempt {
    bg_addresses list;
    int result;
    bgi_atomic begun;
};

static int attempt(void *arg)
{
    struct attempt *a = arg;
    bgi_store_release(&a->begun, 1);
    a->result = bgi_tcp_connect_addresses(&a->list, &usual);
    return 0;
}

static int main_cancel(void *arg)
{
    struct hole hole;
    (void)arg;
    bg_address a[2];
    a[0] = a[1] = loopback(hole_open(&hole));
    for (size_t n = 1; n <= 2; n++) {
        struct attempt it = {{n, a}, 0, 0};
        bg_task *t = bg_spawn(attempt, &it);
        yield_until(&it.begun, 1);
        for (int i = 0; i < 20; i++) {
            bg_yield();
        }
        CHECK(bg_cancel(t) == 0);
        CHECK(bg_await(t) == 0);
        CHECK(it.result == -ECANCELED);
    }
    hole_close(&hole);
    return 0;
}

/* The runtime ends while a shielded task connects: its attempts may never have begun. */
static struct attempt late;
static bg_address late_address[2];

static int attempt_shielded(void *arg)
{
    bg_shield
    {
        bg_timeout (50 * BG_MS) {
            (void)attempt(arg);
        }
    }
    return 0;
}

static int main_ends(void *arg)
{
    (void)arg;
    bg_detach(bg_spawn(attempt_shielded, &late));
    bg_yield();
    return 0;
}

Test(tcp, cancelled)
{
    struct hole hole;
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_cancel, NULL, .workers = w);
    }
    late_address[0] = late_address[1] = loopback(hole_open(&hole));
    late = (struct attempt){{2, late_address}, 0, 0};
    RUN(main_ends, NULL, .workers = 2);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        RUN(main_cancel, NULL, .seed = seed);
        RUN(main_ends, NULL, .seed = seed);
    }
    hole_close(&hole);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- no memory ---- */

static int main_no_memory(void *arg)
{
    int refused;
    (void)arg;
    bg_address a[2];
    a[0] = a[1] = loopback(refusing(&refused));
    bg_addresses list = {2, a};
    size_t live = bgi_alloc_live();
    for (size_t n = 1;; n++) {
        bgi_fault_arm(BGI_FAULT_MALLOC, n);
        int r = bgi_tcp_connect_addresses(&list, &usual);
        size_t calls = bgi_fault_count();
        bgi_fault_disarm();
        CHECK(r == -ENOMEM || r == -ECONNREFUSED);
        if (calls < n) {
            break;
        }
    }
    (void)live;
    return close(refused);
}

Test(tcp, no_memory)
{
    RUN(main_no_memory, NULL, .workers = 1, .spares = BG_NO_SPARES);
}
