/*
 * Names of hosts: those that are known at once, the system's, slow ones, and a name server of the
 * test's own.
 */
#include "io/resolve.h"

#include "latch.h"
#include "net.h"

#include <netdb.h>

/* ---- known at once ---- */

/* Nobody may be asked. */
static int never(const char *host, const char *port, const struct addrinfo *hints,
                 struct addrinfo **out)
{
    CHECK(host == NULL && port == NULL && hints == NULL && out == NULL);
    return EAI_FAIL;
}

static void is_resolved(const char *host, const char *port, int family, int passive,
                        const char *first, const char *second)
{
    bg_addresses *list = NULL;
    char text[128];
    int r = bg_resolve(host, port, &list, .family = family, .passive = passive);
    CHECK(r == 0 && list != NULL);
    if (list == NULL) {
        return;
    }
    CHECK(list->count == (second == NULL ? 1U : 2U));
    CHECK(strcmp(bg_address_text(&list->address[0], text, sizeof text), first) == 0);
    if (second != NULL && list->count == 2) {
        CHECK(strcmp(bg_address_text(&list->address[1], text, sizeof text), second) == 0);
    }
    bg_addresses_free(list);
}

static int main_known(void *arg)
{
    bg_addresses *list;
    char longest[300];
    (void)arg;
    bgi_resolve_instead(never);
    bgi_resolve_ask("");
    is_resolved("127.0.0.1", "80", 0, 0, "127.0.0.1:80", NULL);
    is_resolved("::1", "65535", 0, 0, "[::1]:65535", NULL);
    is_resolved("fe80::1%7", NULL, 0, 0, "[fe80::1%7]:0", NULL);
    is_resolved("localhost", "1", 0, 0, "[::1]:1", "127.0.0.1:1");
    is_resolved("LocalHost.", "1", AF_INET, 0, "127.0.0.1:1", NULL);
    is_resolved("a.b.localhost", "1", AF_INET6, 0, "[::1]:1", NULL);
    is_resolved(NULL, "2", 0, 0, "[::1]:2", "127.0.0.1:2");
    is_resolved(NULL, "2", 0, 1, "[::]:2", "0.0.0.0:2");
    CHECK(bg_resolve("127.0.0.1", "1", &list, .family = AF_INET6) == -ENODATA);
    CHECK(bg_resolve("::1", "1", &list, .family = AF_INET) == -ENODATA);
    CHECK(bg_resolve("::1", "1", &list, .family = AF_UNIX) == -EAFNOSUPPORT);
    CHECK(bg_resolve("::1", "1", &list, .type = SOCK_RAW) == -EINVAL);
    CHECK(bg_resolve("", "1", &list) == -EINVAL);
    CHECK(bg_resolve("::1", "", &list) == -EINVAL);
    CHECK(bg_resolve("::1", "1", NULL) == -EINVAL);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK(bg_resolve(longest, "1", &list) == -ENAMETOOLONG);
    CHECK(bg_resolve("::1", longest, &list) == -ENAMETOOLONG);
    bgi_resolve_instead(NULL);
    bgi_resolve_ask(NULL);
    bg_addresses_free(NULL);
    return 0;
}

Test(resolve, known_at_once)
{
    RUN(main_known, NULL, .workers = 2);
    RUN(main_known, NULL, .seed = 1);
    cr_assert_eq(main_known(NULL), 0);
    NO_CHECK_FAILED();
}

/* ---- the system's resolver ---- */

static int failing_with;

static int fail(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)host, (void)port, (void)hints, (void)out;
    errno = ENETDOWN;
    return failing_with;
}

static int main_failures(void *arg)
{
    static const int all[][2] = {
        {EAI_NONAME, -ENOENT},  {EAI_NODATA, -ENODATA},  {EAI_AGAIN, -EAGAIN},
        {EAI_FAIL, -EIO},       {EAI_MEMORY, -ENOMEM},   {EAI_FAMILY, -EAFNOSUPPORT},
        {EAI_SERVICE, -EINVAL}, {EAI_SYSTEM, -ENETDOWN}, {EAI_OVERFLOW, -ENAMETOOLONG}};
    bg_addresses *list;
    (void)arg;
    bgi_resolve_ask("");
    bgi_resolve_instead(fail);
    for (size_t i = 0; i < BGI_ARRAY_LEN(all); i++) {
        failing_with = all[i][0];
        CHECK(bg_resolve("some.example", "1", &list) == all[i][1]);
    }
    bgi_resolve_instead(NULL);
    CHECK(bg_resolve("127.0.0.1", "no such service", &list) == -EINVAL);
    is_resolved("127.0.0.1", "http", 0, 0, "127.0.0.1:80", NULL);
    is_resolved("127.1", "5", 0, 0, "127.0.0.1:5", NULL); /* as the C library reads it */
    bgi_resolve_ask(NULL);
    return 0;
}

Test(resolve, by_the_system)
{
    RUN(main_failures, NULL, .workers = 2);
    RUN(main_failures, NULL, .seed = 1);
}

/* ---- slow names ---- */

enum { SLOW = 40 };

static latch slow;
static gauge asking_now;
static bgi_atomic asked_for;

static int ask_slowly(const char *host, const char *port, const struct addrinfo *hints,
                      struct addrinfo **out)
{
    gauge_enter(&asking_now);
    add_one(&asked_for);
    latch_wait(&slow);
    gauge_leave(&asking_now);
    CHECK(strcmp(host, "slow.example") == 0);
    return getaddrinfo("127.0.0.1", port, hints, out);
}

static int resolve_slow(void *arg)
{
    bg_addresses *list;
    int r = bg_resolve("slow.example", "9", &list);
    (void)arg;
    if (r == 0) {
        CHECK(list->count == 1 && bg_address_port(&list->address[0]) == 9);
        bg_addresses_free(list);
    }
    return r;
}

static int main_slow(void *arg)
{
    bg_task *t[SLOW];
    int r = 0;
    (void)arg;
    slow = (latch){0};
    asking_now = (gauge){0, 0};
    bgi_store(&asked_for, 0);
    bgi_resolve_ask("");
    bgi_resolve_instead(ask_slowly);
    for (int i = 0; i < SLOW; i++) {
        t[i] = bg_spawn(resolve_slow, NULL);
    }
    yield_until(&asked_for, 16);
    CHECK(bg_blocking(return_arg, INT_ARG(7)) == 7); /* files are not held up */
    bg_timeout (2 * BG_MS) {
        r = resolve_slow(NULL);
    }
    CHECK(r == -ETIMEDOUT);
    CHECK(bg_cancel(t[0]) == 0); /* its call is abandoned */
    CHECK(bg_await(t[0]) == -ECANCELED);
    latch_open(&slow);
    CHECK(bg_gather_all(t + 1, SLOW - 1, NULL) == 0);
    CHECK(bgi_load(&asking_now.most) == 16);
    return 0;
}

Test(resolve, slow_names_hold_up_nobody_else)
{
    EACH_WORKER_COUNT(w)
    {
        size_t live = bgi_alloc_live();
        RUN(main_slow, NULL, .workers = w, .blocking_threads = 1);
        cr_assert_eq(bgi_alloc_live(), live);
    }
    bgi_resolve_instead(NULL);
    bgi_resolve_ask(NULL);
}

/* ---- a name server ---- */

/* Answers A questions for "two.example" with two addresses, AAAA ones with none; "silent.example"
 * not at all; others do not exist. */
static size_t answer(unsigned char *m, size_t n)
{
    static const unsigned char records[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2,
                                            0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 3};
    size_t end = 12;
    while (end < n && m[end] != 0) {
        end += 1U + m[end];
    }
    end += 5; /* the end of the name, type and class */
    if (end > n || memmem(m, n, "silent", 6) != NULL) {
        return 0;
    }
    int is_a = m[end - 3] == 1;
    int is_known = memmem(m, n, "\3two\7example", 12) != NULL;
    m[2] = 0x81; /* an answer, recursion wanted */
    m[3] = (unsigned char)(0x80 | (is_known ? 0 : 3));
    memset(m + 6, 0, 6);
    if (is_a && is_known) {
        m[7] = 2;
        memcpy(m + end, records, sizeof records);
        end += sizeof records;
    }
    return end;
}

static int serve_names(void *arg)
{
    int fd = *(int *)arg;
    unsigned char m[600];
    for (;;) {
        bg_address from = {.size = sizeof from.storage};
        struct sockaddr *a = (struct sockaddr *)&from.storage;
        ssize_t n = bg_recvfrom(fd, m, 512, 0, a, &from.size);
        if (n < 0) {
            return n == -EBADF ? 0 : (int)n;
        }
        size_t size = answer(m, (size_t)n);
        CHECK(size == 0 || bg_sendto(fd, m, size, 0, a, from.size) == (ssize_t)size);
    }
}

static int resolve_silent(void *arg)
{
    (void)arg;
    bg_addresses *list;
    return bg_resolve("silent.example", "1", &list);
}

static int main_server(void *arg)
{
    static char servers[64];
    bg_addresses *list;
    int r = 0;
    (void)arg;
    int fd = bg_udp_bind("127.0.0.1", "0");
    (void)snprintf(servers, sizeof servers, "127.0.0.1:%d", port_of(fd));
    bgi_resolve_instead(never);
    bgi_resolve_ask(servers);
    bg_task *server = bg_spawn(serve_names, &fd);
    CHECK(bgi_resolve_has_ares());
    for (int i = 0; i < 3; i++) {
        CHECK(bg_resolve("two.example.", "http", &list) == 0 && list->count == 2);
        CHECK(bg_address_port(&list->address[0]) == 80);
        bg_addresses_free(list);
    }
    CHECK(bg_resolve("none.example.", "1", &list) == -ENOENT);
    CHECK(bg_resolve("two.example.", "1", &list, .family = AF_INET6) == -ENODATA);
    bg_timeout (20 * BG_MS) {
        r = resolve_silent(NULL);
    }
    CHECK(r == -ETIMEDOUT);
    bg_task *t = bg_spawn(resolve_silent, NULL);
    for (int i = 0; i < 10; i++) {
        bg_yield();
    }
    CHECK(bg_cancel(t) == 0);
    CHECK(bg_await(t) == -ECANCELED);
    bgi_resolve_ask(NULL);
    bgi_resolve_instead(NULL);
    CHECK(bg_fd_close(fd) == 0);
    return bg_await(server);
}

Test(resolve, by_a_name_server)
{
    if (!bgi_resolve_has_ares()) {
        return; /* the library is not here */
    }
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_server, NULL, .workers = w);
    }
    cr_assert_eq(open_descriptors(), before);
}
