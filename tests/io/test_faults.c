/*
 * Each call that the library makes on a descriptor fails once, in each of several ways: whoever
 * made the call is told, nothing hangs, and no descriptor, block or mapping is left.
 */
#include <brigade.h>
#include <criterion/criterion.h>

#include "descriptors.h"
#include "faults.h"
#include "faulty.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_if(int fd)
{
    if (fd >= 0) {
        (void)bg_fd_close(fd);
    }
}

/* ---- what is done, as far as it gets ---- */

static const char text[] = "some words that come along";

static int echo_once(void *arg)
{
    int fd = *(int *)arg;
    char back[sizeof text];
    ssize_t n = bg_read_all(fd, back, sizeof back, NULL);
    int r = n <= 0 ? (int)n : bg_write_all(fd, back, (size_t)n, NULL);
    (void)shutdown(fd, SHUT_RDWR);
    return r;
}

static int over_sockets(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char back[sizeof text];
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer = -1;
    (void)bind(l, (struct sockaddr *)&at, size);
    (void)listen(l, 10);
    (void)getsockname(l, (struct sockaddr *)&at, &size);
    int r = bg_connect(fd, (struct sockaddr *)&at, size);
    if (r == 0) {
        /* A connect that was refused may look like one that goes on: then nobody comes. */
        bg_timeout (BG_S) {
            r = peer = bg_accept(l, NULL, NULL);
        }
        r = r == -ETIMEDOUT ? -ENOTCONN : r;
    }
    bg_task *t = r < 0 ? NULL : bg_spawn(echo_once, &peer);
    if (t != NULL) {
        r = bg_write_all(fd, text, sizeof text, NULL);
        if (r == 0) {
            (void)shutdown(fd, SHUT_WR);
            bg_poll(fd, POLLIN);
            ssize_t n = bg_read_all(fd, back, sizeof back, NULL);
            r = n < 0 ? (int)n : 0;
            cr_expect(n <= 0 || memcmp(back, text, (size_t)n) == 0, "no byte is another");
        }
        (void)shutdown(fd, SHUT_RDWR);
        int echoed = bg_await(t);
        r = r == 0 ? echoed : r;
    }
    close_if(l);
    close_if(fd);
    close_if(peer);
    return r < 0 ? r : 0;
}

static int over_messages(void)
{
    int pair[2];
    char back[sizeof text];
    struct iovec v = {(void *)(uintptr_t)text, sizeof text}, w = {back, sizeof back};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1}, n = {.msg_iov = &w, .msg_iovlen = 1};
    (void)socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    int r = (int)bg_sendmsg(pair[0], &m, 0);
    r = r < 0 ? r : (int)bg_recvmsg(pair[1], &n, 0);
    r = r < 0 ? r : (int)bg_writev(pair[0], &v, 1);
    r = r < 0 ? r : (int)bg_readv(pair[1], &w, 1);
    r = r < 0 ? r : (int)bg_sendto(pair[0], text, 1, 0, NULL, 0);
    r = r < 0 ? r : (int)bg_recvfrom(pair[1], back, 1, 0, NULL, NULL);
    close_if(pair[0]);
    close_if(pair[1]);
    return r < 0 ? r : 0;
}

static int over_files(void)
{
    char name[] = "/tmp/brigade-faults-XXXXXX", back[sizeof text];
    int tube[2];
    off_t at = 0;
    int fd = mkostemp(name, O_CLOEXEC);
    (void)unlink(name);
    (void)pipe2(tube, O_CLOEXEC);
    int r = (int)bg_pwrite(fd, text, sizeof text, 0);
    r = r < 0 ? r : (int)bg_pread(fd, back, sizeof back, 0);
    r = r < 0 ? r : (int)bg_sendfile(tube[1], fd, &at, sizeof text);
    r = r < 0 ? r : (int)bg_read(tube[0], back, 1);
    at = 0;
    r = r < 0 ? r : (int)bg_splice(fd, &at, tube[1], NULL, 4, 0);
    if (r >= 0) {
        bg_timeout (100 * BG_US) {
            while ((r = (int)bg_read(tube[0], back, sizeof back)) > 0) {
            }
        }
        r = r == -ETIMEDOUT ? 0 : r;
    }
    close_if(fd);
    close_if(tube[0]);
    close_if(tube[1]);
    return r < 0 ? r : 0;
}

/* ---- what is built on these ---- */

static int answer_lines(int fd, void *arg)
{
    bg_stream *stream;
    char *line;
    (void)arg;
    int r = bg_stream_open(&stream, fd);
    if (r != 0) {
        return 0;
    }
    while ((r = bg_stream_read_line(stream, &line, NULL)) == 1) {
        if (bg_stream_printf(stream, "%s\n", line) < 0 || bg_stream_flush(stream) < 0) {
            break;
        }
    }
    (void)bg_stream_close(stream);
    return 0;
}

static int serve(void *arg)
{
    int *listener = arg;
    int r = bg_serve(*listener, answer_lines, NULL);
    if (r < 0) { /* whoever is in the queue is told */
        close_if(*listener);
        *listener = -1;
    }
    return r;
}

static int ask(const char *port)
{
    bg_stream *stream;
    char *line;
    int r = bg_tcp_connect("127.0.0.1", port);
    int fd = r;
    if (r < 0) {
        return r;
    }
    r = bg_stream_open(&stream, fd);
    if (r < 0) {
        close_if(fd);
        return r;
    }
    r = bg_stream_write(stream, "a line\n", 7);
    r = r < 0 ? r : bg_stream_flush(stream);
    r = r < 0 ? r : bg_stream_read_line(stream, &line, NULL);
    cr_expect(r != 1 || strcmp(line, "a line") == 0);
    r = r == 0 ? -ECONNRESET : r; /* the other end met the failure */
    int closed = bg_stream_close(stream);
    return r < 0 ? r : closed;
}

static int over_a_server(void)
{
    bg_address at;
    char port[8];
    int listener = bg_tcp_listen("127.0.0.1", "0", 8);
    int r = listener < 0 ? listener : bg_local_address(listener, &at);
    if (r >= 0) {
        (void)snprintf(port, sizeof port, "%d", bg_address_port(&at));
        bg_task *server = bg_spawn(serve, &listener);
        r = ask(port);
        close_if(listener);
        int served = bg_await(server);
        r = r < 0 ? r : served;
    } else {
        close_if(listener);
    }
    return r < 0 ? r : 0;
}

static int over_processes(void)
{
    static const char *const argv[] = {"cat", NULL};
    bg_process_output output;
    int r = bg_process_run(argv, &output, .input = text, .input_size = sizeof text);
    if (r == 0) {
        bg_process_output_free(&output);
    }
    return r;
}

static int over_whole_files(void)
{
    char name[] = "/tmp/brigade-faults-XXXXXX/file", *data = NULL;
    size_t size = 0;
    name[strlen(name) - 5] = '\0';
    cr_expect_not_null(mkdtemp(name));
    name[strlen(name)] = '/';
    int r = bg_file_write_whole(name, text, sizeof text);
    r = r < 0 ? r : bg_file_read_whole(name, &data, &size, 1000);
    cr_expect(r < 0 || (size == sizeof text && memcmp(data, text, size) == 0));
    bgi_faulty_free(data);
    bgi_fault_disarm(); /* the directory has to be empty but for the file: nothing is left behind */
    (void)unlink(name);
    name[strlen(name) - 5] = '\0';
    cr_expect_eq(rmdir(name), 0, "%s", name);
    return r < 0 ? r : 0;
}

static int everything(void *arg)
{
    int (*const part[])(void) = {over_sockets,  over_messages,  over_files,
                                 over_a_server, over_processes, over_whole_files};
    int failed = 0;
    bg_timeout (10 * BG_S) { /* for one that hangs */
        for (int i = 0; i < 6; i++) {
            int r = part[i]();
            cr_expect_neq(r, -ETIMEDOUT, "part %d hangs, call %d", i, ((int *)arg)[1]);
            failed = r < 0 ? r : failed;
        }
    }
    *(int *)arg = failed;
    return 0;
}

/* ---- each call fails once ---- */

static size_t run_with(size_t nth, int error, int *failed)
{
    failed[1] = (int)nth;
    int before = open_descriptors();
    size_t blocks = bgi_alloc_live(), bytes = bgi_mapped_live();
    bgi_fault_answer(error);
    bgi_fault_arm(BGI_FAULT_IO, nth);
    int r = bg_run(everything, failed, .workers = 1, .spares = BG_NO_SPARES);
    size_t calls = bgi_fault_count();
    bgi_fault_disarm();
    bgi_fault_answer(0);
    cr_expect_eq(r, 0);
    cr_expect_eq(open_descriptors(), before, "call %zu, error %d", nth, error);
    cr_expect_eq(bgi_alloc_live(), blocks, "call %zu, error %d", nth, error);
    cr_expect_eq(bgi_mapped_live(), bytes, "call %zu, error %d", nth, error);
    return calls;
}

static void each_fails(int error)
{
    int failed[2] = {0, 0}, told = 0;
    cr_assert_eq(setenv("BRIGADE_IO", "epoll", 1), 0);
    size_t calls = run_with(0, error, failed);
    cr_assert_eq(failed[0], 0);
    cr_assert_gt(calls, 40);
    for (size_t i = 1; i <= calls; i++) {
        (void)run_with(i, error, failed);
        told += failed[0] != 0;
    }
    cr_assert_geq(told, error == EINTR ? 0 : 10);
}

Test(faults, each_call_fails_once)
{
    each_fails(EIO);
    each_fails(ENOMEM);
    each_fails(EMFILE);
}

Test(faults, each_call_is_interrupted_once)
{
    each_fails(EINTR);
}
