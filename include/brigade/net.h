/*
 * Networks: TCP, UDP and Unix sockets, servers.
 *
 * Sockets are plain descriptors: to read and write see brigade/io.h; they are closed by
 * bg_fd_close. All that are opened here are close-on-exec and O_NONBLOCK. Functions return a
 * descriptor, or fail with a negative errno value: beside what is said with each, what the system
 * calls socket, bind, listen and connect fail with.
 *
 * host and port are as for bg_resolve (brigade/resolve.h), whose failures they have too. All may be
 * called in tasks, where they suspend if they have to wait, can be cancelled and obey deadlines,
 * and but for bg_serve on plain threads, which they block.
 */
#ifndef BRIGADE_NET_H
#define BRIGADE_NET_H

#include <brigade/detail/options.h>
#include <brigade/resolve.h>
#include <brigade/types.h>
#include <sys/socket.h>
#include <sys/types.h>

BG_BEGIN_DECLS

/* ---- TCP ---- */

typedef struct bg_tcp_options {
    size_t size;               /* filled in by the macros: sizeof(bg_tcp_options) */
    bg_duration connect_delay; /* before the next address is tried; 0: 250 ms; at least 10 ms */
    const bg_address *local;   /* connect from there: addresses of its family alone are tried */
    int family;                /* AF_INET or AF_INET6: those alone; 0: both */
} bg_tcp_options;

/*
 * int bg_tcp_connect(const char *host, const char *port, ...options): a connection to a host.
 *
 * Where the host has several addresses they are tried as by RFC 8305 ("happy eyeballs"): IPv6 and
 * IPv4 take turns, the next is tried when the last one has failed or has not answered for
 * .connect_delay, while those before go on; the first connection that stands is taken and all
 * others are given up. On a plain thread they are tried one after another.
 *
 * TCP_NODELAY is set: what is written is sent at once (bg_stream gathers small writes).
 *
 * The descriptor, or, when none stands, the failure of the first that was refused, reset or timed
 * out by the other side; if there was no such: of the first.
 */
#define bg_tcp_connect(...) BG_DETAIL_CALL2(bg_tcp_connect_opts, bg_tcp_options, __VA_ARGS__)
BG_API int bg_tcp_connect_opts(const char *host, const char *port, const bg_tcp_options *options);

typedef struct bg_listen_options {
    size_t size;    /* filled in by the macros: sizeof(bg_listen_options) */
    int reuse_port; /* not 0: SO_REUSEPORT: several sockets share the connections of a port */
    int v6_only;    /* not 0: an IPv6 socket takes no IPv4 connections */
    int family;     /* AF_INET or AF_INET6: that alone; 0: both */
} bg_listen_options;

/*
 * int bg_tcp_listen(const char *host, const char *port, int backlog, ...options): a socket that
 * listens. host NULL: at all addresses: an IPv6 socket that takes IPv4 connections as well, or an
 * IPv4 one where there is no IPv6. A host with several addresses: at the first that can be bound.
 * port "0": one that the system chooses, see bg_local_address. backlog: connections that may wait
 * to be accepted; 0 or less: as many as the system allows.
 *
 * SO_REUSEADDR is set. Suspends for host names only. The descriptor; -EADDRINUSE, -EACCES, ...
 */
#define bg_tcp_listen(...) BG_DETAIL_CALL3(bg_tcp_listen_opts, bg_listen_options, __VA_ARGS__)
BG_API int bg_tcp_listen_opts(const char *host, const char *port, int backlog,
                              const bg_listen_options *options);

/* Where a socket is bound to, and with whom it is connected. From any thread; does not suspend.
 * 0; what getsockname(2) and getpeername(2) fail with. */
BG_API int bg_local_address(int fd, bg_address *out);
BG_API int bg_peer_address(int fd, bg_address *out);

/* ---- servers ---- */

/* What serves a connection, as a task of its own. bg_serve closes fd when it has returned. */
typedef int (*bg_handler)(int fd, void *arg);

typedef struct bg_serve_options {
    size_t size;       /* filled in by the macros: sizeof(bg_serve_options) */
    size_t limit;      /* at most so many connections at once: the others wait; 0: any number */
    bg_duration drain; /* how long handlers may go on when it ends; 0: not at all */
    void (*failed)(int result, void *arg); /* told of a handler's failure, in its task */
    size_t stack_size;                     /* of handlers; 0: the runtime's default */
} bg_serve_options;

/*
 * int bg_serve(int listen_fd, bg_handler handler, void *arg, ...options): accepts connections, of
 * TCP or Unix sockets, and has handler(fd, arg) called for each, in a task of its own. TCP_NODELAY
 * is set for those of TCP. The connection is closed when the handler has returned, unless it has
 * done that itself by bg_fd_close: it must not hand the descriptor to others that use it longer.
 *
 * Serves until listen_fd is closed by bg_fd_close, from another task or a handler, or the caller is
 * to end. Then nothing more is accepted, handlers may go on for .drain (BG_FOREVER: as long as they
 * like, or until the caller is cancelled), and those that have not returned by then are cancelled
 * and waited for. listen_fd stays the caller's: when the caller is cancelled, connections queue up
 * there until it is closed. While .limit is reached a close is noticed when a connection ends, or
 * within 100 ms.
 *
 * A handler that fails ends its own connection only. A negative result, but for -ECANCELED, is told
 * to .failed, else to the hook of bg_set_failure_hook(), under the name "bg_serve".
 *
 * When there are no descriptors or no memory for another connection, it is left where it is, and
 * tried again when a connection has ended or some time has passed, 5 ms at first and up to a
 * second.
 *
 * In a task. Suspends. 0: listen_fd was closed; -ECANCELED, -ETIMEDOUT: the caller is to end: in
 * all these cases no handler runs any more; -EINVAL: handler is NULL, options that are not valid,
 * or the socket does not listen; -ENOTSOCK, -EBADF, and what else accept(2) fails with for good;
 * -ENOMEM; -EPERM outside of tasks.
 */
#define bg_serve(...) BG_DETAIL_CALL3(bg_serve_opts, bg_serve_options, __VA_ARGS__)
BG_API int bg_serve_opts(int listen_fd, bg_handler handler, void *arg,
                         const bg_serve_options *options);

/* ---- UDP ---- */

/*
 * int bg_udp_bind(const char *host, const char *port, ...options): a UDP socket that receives what
 * is sent to an address; otherwise as bg_tcp_listen. To be used with bg_recvfrom and bg_sendto.
 * SO_REUSEADDR is not set.
 */
#define bg_udp_bind(...) BG_DETAIL_CALL2(bg_udp_bind_opts, bg_listen_options, __VA_ARGS__)
BG_API int bg_udp_bind_opts(const char *host, const char *port, const bg_listen_options *options);

/*
 * A UDP socket that sends to one address, and receives from it alone: bg_fd_send, bg_fd_recv. Of
 * several addresses the first that there is a route to. Suspends for host names only.
 */
BG_API int bg_udp_connect(const char *host, const char *port);

/* ---- Unix sockets ---- */

/*
 * A connection to a Unix stream socket. A path that begins with '@' is an abstract name: the rest
 * of it, which is no file. -ENAMETOOLONG: more than 107 bytes; -EINVAL: an empty one.
 */
BG_API int bg_unix_connect(const char *path);

/*
 * A Unix stream socket that listens. A socket's file that nobody listens at any more (connections
 * are refused) is removed first: a server that died leaves it behind. Any other file, and a socket
 * that is in use, is -EADDRINUSE. Who may connect is a matter of the file's permissions (umask(2)).
 * The file stays when the socket is closed; unlink it then. '@' and failures as bg_unix_connect;
 * backlog as bg_tcp_listen. Does not suspend.
 */
BG_API int bg_unix_listen(const char *path, int backlog);

/*
 * Sends a descriptor over a Unix socket, with one byte that carries it; the caller keeps its own.
 * In a task suspends while there is no room. 0; failures as bg_sendmsg.
 */
BG_API int bg_send_fd(int socket, int fd);

/*
 * Receives a descriptor that bg_send_fd sent: it is the caller's, and close-on-exec. Reads one
 * byte; in a task suspends. -EPIPE: the other end is closed; -EBADMSG: a byte came without one;
 * -EMFILE: there is no room for it, it is lost; otherwise as bg_recvmsg.
 */
BG_API int bg_recv_fd(int socket);

/* ---- pairs ---- */

/* A pipe: fds[0] to read, fds[1] to write, as pipe(2). Does not suspend. 0; -EMFILE, -ENFILE. A
 * write when fds[0] is closed fails with -EPIPE in a task; on a plain thread it raises SIGPIPE,
 * too, where the program has not ignored it. */
BG_API int bg_pipe(int fds[2]);

/* Two Unix sockets that are connected; type: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. Does not
 * suspend. 0; -EMFILE, -ENFILE, -EINVAL. */
BG_API int bg_socketpair(int type, int fds[2]);

BG_END_DECLS

#endif
