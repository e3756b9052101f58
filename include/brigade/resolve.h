/*
 * Names of hosts: what addresses they have.
 *
 * Numeric addresses, "localhost" and names that end in ".localhost" are known without asking
 * anybody (RFC 6761) and never wait. Others are asked for through c-ares, when brigade was built
 * with it and its library is there: the task waits for the answers of the name servers of
 * /etc/resolv.conf, /etc/hosts is read before. Else, and with BRIGADE_RESOLVE=system in the
 * environment, getaddrinfo(3) is called on threads of their own, of which a runtime has at most
 * sixteen: names that take long never hold up other blocking calls (brigade/blocking.h), nor the
 * other way round. What only the C library knows of (NSS modules as those for mDNS or LDAP) is
 * found only there.
 */
#ifndef BRIGADE_RESOLVE_H
#define BRIGADE_RESOLVE_H

#include <brigade/detail/options.h>
#include <brigade/types.h>
#include <sys/socket.h>

BG_BEGIN_DECLS

/* An address of a socket of any family. */
typedef struct bg_address {
    socklen_t size; /* of what is used of `storage` */
    struct sockaddr_storage storage;
} bg_address;

/* The addresses of a name, the best one first (RFC 6724): at most 64. */
typedef struct bg_addresses {
    size_t count;
    bg_address *address;
} bg_addresses;

typedef struct bg_resolve_options {
    size_t size; /* filled in by the macros: sizeof(bg_resolve_options) */
    int family;  /* AF_INET or AF_INET6: those alone; 0: both */
    int type;    /* SOCK_DGRAM: the port's name is that of a UDP service; 0: of a TCP one */
    int passive; /* not 0: host NULL is any address, to listen at; 0: it is the loopback */
} bg_resolve_options;

/*
 * int bg_resolve(const char *host, const char *port, bg_addresses **out, ...options): the addresses
 * of a host. host: a name, or an IPv4 or IPv6 address, that with a "%eth0" behind it if need be;
 * NULL: see .passive. port: a number or the name of a service; NULL: 0.
 *
 * *out is the caller's, to be given to bg_addresses_free; it is written only on success, and has
 * at least one address.
 *
 * In a task, where it may suspend, and which has to have a stack of 32 KiB at least, or on a plain
 * thread, which it then blocks. 0; -ECANCELED, -ETIMEDOUT: the caller was to end, what was asked is
 * dropped. -ENOENT: there is no such host; -ENODATA: there is, but it has no address of the kind;
 * -EAGAIN: no answer, for the time being; -EIO: the name servers refuse or answer nonsense;
 * -EINVAL: there is no such service, or options that are not valid; -EAFNOSUPPORT; -ENAMETOOLONG:
 * of host or port; -ENOMEM, -EMFILE, and what else the system fails with.
 */
#define bg_resolve(...) BG_DETAIL_CALL3(bg_resolve_opts, bg_resolve_options, __VA_ARGS__)
BG_API int bg_resolve_opts(const char *host, const char *port, bg_addresses **out,
                           const bg_resolve_options *options);

/* Gives the list back; NULL is ignored. From any thread. */
BG_API void bg_addresses_free(bg_addresses *addresses);

/*
 * An address as text: "127.0.0.1:80", "[::1]:80", "/run/socket", "@abstract", "" for a Unix socket
 * without a name. At most size bytes with the end are written, cut if need be; 128 are always
 * enough. Returns buffer. From any thread; never fails: a family that is not known gives "family
 * 7".
 */
BG_API char *bg_address_text(const bg_address *address, char *buffer, size_t size);

/* The port, in the host's byte order; -EAFNOSUPPORT: it has none. */
BG_API int bg_address_port(const bg_address *address);

BG_END_DECLS

#endif
