/*
 * What the files about networks share: sockets, and where to.
 *
 * The functions that make system calls are functions of their own, which never suspend: a thread's
 * errno has an address that the compiler may keep, and a task goes on on another thread.
 */
#ifndef BGI_NET_H
#define BGI_NET_H

#include <brigade/net.h>

/* A socket that is close-on-exec and O_NONBLOCK, or the failure. */
int bgi_socket(int family, int type);

/* setsockopt of an int; 0 or the failure. */
int bgi_socket_set(int fd, int level, int option, int value);

/* bind(2), listen(2), connect(2) without a wait. */
int bgi_socket_bind(int fd, const bg_address *address);
int bgi_socket_listen(int fd, int backlog);
int bgi_socket_connect(int fd, const bg_address *address);

/* Binds a socket of this type to the first of the addresses that can be had. */
int bgi_bind_first(const bg_addresses *list, int type, const bg_listen_options *o);

/* What bg_tcp_connect does when it knows the addresses. */
int bgi_tcp_connect_addresses(const bg_addresses *list, const bg_tcp_options *o);

#endif
