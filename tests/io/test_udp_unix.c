/*
 * UDP and Unix sockets, descriptors that are passed on, pairs, and addresses as text.
 *
 * Labels: drivers
 */
#include "net.h"
#include "waits.h"

#include <sys/stat.h>
#include <sys/un.h>

/* ---- UDP ---- */

static int main_udp(void *arg)
{
    char port[16], text[16];
    bg_address from;
    (void)arg;
    int a = bg_udp_bind("127.0.0.1", "0");
    int b = bg_udp_connect("localhost", port_text(a, port));
    CHECK(a >= 0 && b >= 0);
    (void)bg_fd_close(b);
    b = bg_udp_connect("127.0.0.1", port);
    CHECK(bg_fd_send(b, "ping", 4, 0) == 4);
    from.size = sizeof from.storage;
    CHECK(bg_recvfrom(a, text, sizeof text, 0, (struct sockaddr *)&from.storage, &from.size) == 4);
    CHECK(bg_address_port(&from) == port_of(b));
    CHECK(bg_sendto(a, "pong!", 5, 0, (struct sockaddr *)&from.storage, from.size) == 5);
    CHECK(bg_fd_recv(b, text, sizeof text, 0) == 5);
    ssize_t r = 0;
    bg_timeout (2 * BG_MS) {
        r = bg_fd_recv(a, text, sizeof text, 0);
    }
    CHECK(r == -ETIMEDOUT);
    CHECK(bg_udp_bind("127.0.0.1", port) == -EADDRINUSE);
    CHECK(bg_udp_bind("127.0.0.1", NULL) == -EINVAL);
    CHECK(bg_udp_connect("127.0.0.1", NULL) == -EINVAL);
    CHECK(bg_udp_connect("127.0.0.1", "no such service") == -EINVAL);
    int c = bg_udp_bind(NULL, "0", .family = AF_INET);
    CHECK(c >= 0);
    return bg_fd_close(a) + bg_fd_close(b) + bg_fd_close(c);
}

Test(udp, packets)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_udp, NULL, .workers = w);
    }
    RUN(main_udp, NULL, .seed = 2);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- Unix sockets ---- */

static int greet(void *arg)
{
    int fd = bg_accept(*(int *)arg, NULL, NULL);
    CHECK(bg_write_all(fd, "hi", 2, NULL) == 0);
    return bg_fd_close(fd);
}

static void is_greeted(const char *path, int listener)
{
    char text[8];
    bg_task *t = bg_spawn(greet, &listener);
    int fd = bg_unix_connect(path);
    CHECK(fd >= 0);
    CHECK(bg_read_all(fd, text, sizeof text, NULL) == 2);
    CHECK(bg_fd_close(fd) == 0);
    CHECK(bg_await(t) == 0);
}

static int main_unix(void *arg)
{
    char folder[] = "/tmp/brigade-XXXXXX", path[64], text[128];
    struct stat s;
    bg_address a;
    (void)arg;
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    CHECK(bg_unix_connect(path) == -ENOENT);
    int listener = bg_unix_listen(path, 0);
    CHECK(listener >= 0);
    is_greeted(path, listener);
    CHECK(bg_local_address(listener, &a) == 0);
    CHECK(strcmp(bg_address_text(&a, text, sizeof text), path) == 0);
    CHECK(bg_address_port(&a) == -EAFNOSUPPORT);
    CHECK(bg_unix_listen(path, 0) == -EADDRINUSE); /* in use */
    CHECK(bg_fd_close(listener) == 0);
    CHECK(bg_unix_connect(path) == -ECONNREFUSED);
    listener = bg_unix_listen(path, 0); /* left behind */
    CHECK(listener >= 0);
    is_greeted(path, listener);
    CHECK(bg_fd_close(listener) == 0);
    CHECK(unlink(path) == 0);
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(bg_unix_listen(path, 0) == -EADDRINUSE); /* not a socket */
    CHECK(stat(path, &s) == 0 && close(file) == 0);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    CHECK(bg_unix_listen(path, 0) == -ENOENT);
    return 0;
}

static int main_abstract(void *arg)
{
    char path[64], text[128];
    bg_address a;
    (void)arg;
    (void)snprintf(path, sizeof path, "@brigade-test-%d", (int)getpid());
    CHECK(bg_unix_connect(path) == -ECONNREFUSED);
    int listener = bg_unix_listen(path, 5);
    CHECK(listener >= 0);
    is_greeted(path, listener);
    CHECK(bg_local_address(listener, &a) == 0);
    CHECK(strcmp(bg_address_text(&a, text, sizeof text), path) == 0);
    CHECK(bg_unix_listen(path, 5) == -EADDRINUSE);
    CHECK(bg_fd_close(listener) == 0);
    CHECK(bg_unix_connect("") == -EINVAL && bg_unix_connect("@") == -EINVAL);
    CHECK(bg_unix_listen(NULL, 0) == -EINVAL);
    char longest[110] = "/tmp/"; /* with no such file */
    memset(longest + 5, 'x', 102);
    CHECK(bg_unix_connect(longest) == -ENOENT);
    longest[107] = 'x';
    CHECK(bg_unix_connect(longest) == -ENAMETOOLONG && bg_unix_listen(longest, 0) == -ENAMETOOLONG);
    return 0;
}

Test(unix_sockets, paths_and_names)
{
    int before = open_descriptors();
    RUN(main_unix, NULL, .workers = 2);
    RUN(main_abstract, NULL, .workers = 2);
    RUN(main_unix, NULL, .seed = 2);
    RUN(main_abstract, NULL, .seed = 2);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- passing descriptors on ---- */

static int receive(void *arg)
{
    return bg_recv_fd(*(int *)arg);
}

static int main_passing(void *arg)
{
    int pair[2], pipe_ends[2];
    char c = 0;
    (void)arg;
    CHECK(bg_socketpair(SOCK_STREAM, pair) == 0 && bg_pipe(pipe_ends) == 0);
    bg_task *t = bg_spawn(receive, &pair[1]);
    until_somebody_waits(pair[1]);
    CHECK(bg_send_fd(pair[0], pipe_ends[1]) == 0);
    int got = bg_await(t);
    CHECK(got >= 0 && got != pipe_ends[1] && (fcntl(got, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(bg_write(got, "z", 1) == 1);
    CHECK(bg_read(pipe_ends[0], &c, 1) == 1 && c == 'z');
    CHECK(bg_fd_close(got) == 0);
    CHECK(bg_send_fd(pair[0], -1) == -EBADF);
    CHECK(bg_fd_send(pair[0], "x", 1, 0) == 1);
    CHECK(bg_recv_fd(pair[1]) == -EBADMSG);
    bg_timeout (2 * BG_MS) {
        got = bg_recv_fd(pair[1]);
    }
    CHECK(got == -ETIMEDOUT);
    CHECK(bg_fd_close(pair[0]) == 0);
    CHECK(bg_recv_fd(pair[1]) == -EPIPE);
    CHECK(bg_recv_fd(pipe_ends[0]) == -ENOTSOCK);
    return bg_fd_close(pair[1]) + bg_fd_close(pipe_ends[0]) + bg_fd_close(pipe_ends[1]);
}

/* Two at once: only one is taken, and none is left over. */
static int main_two(void *arg)
{
    int pair[2], both[2] = {STDIN_FILENO, STDERR_FILENO};
    char byte = 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof both)];
    } control = {.bytes = {0}};
    struct iovec data = {&byte, 1};
    (void)arg;
    CHECK(bg_socketpair(SOCK_STREAM, pair) == 0);
    struct msghdr m = {.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_SPACE(sizeof both)};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof both);
    memcpy(CMSG_DATA(&control.header), both, sizeof both);
    CHECK(bg_sendmsg(pair[0], &m, 0) == 1);
    int before = open_descriptors();
    int got = bg_recv_fd(pair[1]);
    CHECK(got >= 0 && open_descriptors() == before + 1);
    return bg_fd_close(got) + bg_fd_close(pair[0]) + bg_fd_close(pair[1]);
}

Test(unix_sockets, descriptors_are_passed_on)
{
    int before = open_descriptors();
    EACH_WORKER_COUNT(w)
    {
        RUN(main_passing, NULL, .workers = w);
    }
    RUN(main_passing, NULL, .seed = 2);
    RUN(main_two, NULL, .workers = 1);
    cr_assert_eq(open_descriptors(), before);
}

/* ---- text ---- */

Test(addresses, as_text)
{
    char text[128];
    bg_address a = loopback(80);
    cr_assert_str_eq(bg_address_text(&a, text, sizeof text), "127.0.0.1:80");
    cr_assert_str_eq(bg_address_text(&a, text, 5), "127.");
    bg_address b = {.size = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&b.storage;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(443);
    v6->sin6_addr = in6addr_loopback;
    cr_assert_str_eq(bg_address_text(&b, text, sizeof text), "[::1]:443");
    cr_assert_eq(bg_address_port(&b), 443);
    v6->sin6_scope_id = 3;
    cr_assert_str_eq(bg_address_text(&b, text, sizeof text), "[::1%3]:443");
    bg_address c = {.size = sizeof(sa_family_t)};
    c.storage.ss_family = AF_UNIX;
    cr_assert_str_eq(bg_address_text(&c, text, sizeof text), "");
    c.storage.ss_family = 7;
    cr_assert_str_eq(bg_address_text(&c, text, sizeof text), "family 7");
}
