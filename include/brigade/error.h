/*
 * Error codes. A function of brigade that can fail returns a negative errno value (-EINVAL) and
 * leaves errno itself alone: errno belongs to a thread, and a task may wake up on another one.
 *
 * BG_ERROR_LIST is the only list of the codes: X(name, number, text).
 */
#ifndef BRIGADE_ERROR_H
#define BRIGADE_ERROR_H

#include <brigade/types.h>
#include <errno.h>

#define BG_ERROR_LIST(X)                                                                           \
    X("ECANCELED", ECANCELED, "cancelled")                                                         \
    X("ETIMEDOUT", ETIMEDOUT, "timed out")                                                         \
    X("ENOMEM", ENOMEM, "out of memory")                                                           \
    X("EINVAL", EINVAL, "invalid argument")                                                        \
    X("EPERM", EPERM, "not allowed here")                                                          \
    X("EBUSY", EBUSY, "in use")                                                                    \
    X("EAGAIN", EAGAIN, "would have to wait, or a limit was reached")                              \
    X("EDEADLK", EDEADLK, "would wait for itself")                                                 \
    X("EPIPE", EPIPE, "closed at the other end")                                                   \
    X("ENOTSUP", ENOTSUP, "not supported")                                                         \
    X("ENOSYS", ENOSYS, "not offered by this system")                                              \
    X("EOVERFLOW", EOVERFLOW, "value too large")                                                   \
    X("EALREADY", EALREADY, "already under way")                                                   \
    X("EINPROGRESS", EINPROGRESS, "in progress")                                                   \
    X("EINTR", EINTR, "interrupted by a signal")                                                   \
    X("ESHUTDOWN", ESHUTDOWN, "shut down")                                                         \
    X("ESRCH", ESRCH, "no such task, thread or process")                                           \
    X("ECHILD", ECHILD, "no such child process")                                                   \
    X("EBADF", EBADF, "not an open file descriptor")                                               \
    X("EIO", EIO, "input or output failed")                                                        \
    X("EFAULT", EFAULT, "bad address")                                                             \
    X("ENOENT", ENOENT, "no such file or directory")                                               \
    X("EEXIST", EEXIST, "exists already")                                                          \
    X("EACCES", EACCES, "permission denied")                                                       \
    X("ENOTDIR", ENOTDIR, "not a directory")                                                       \
    X("EISDIR", EISDIR, "is a directory")                                                          \
    X("ENOTEMPTY", ENOTEMPTY, "directory not empty")                                               \
    X("ENAMETOOLONG", ENAMETOOLONG, "name too long")                                               \
    X("ELOOP", ELOOP, "too many symbolic links")                                                   \
    X("EMFILE", EMFILE, "too many files open in this process")                                     \
    X("ENFILE", ENFILE, "too many files open in the system")                                       \
    X("EFBIG", EFBIG, "file too large")                                                            \
    X("ENOSPC", ENOSPC, "no space left")                                                           \
    X("EDQUOT", EDQUOT, "disk quota exceeded")                                                     \
    X("EROFS", EROFS, "file system is read-only")                                                  \
    X("ESPIPE", ESPIPE, "cannot seek")                                                             \
    X("EXDEV", EXDEV, "across file systems")                                                       \
    X("ETXTBSY", ETXTBSY, "program file in use")                                                   \
    X("ENODEV", ENODEV, "no such device")                                                          \
    X("ENXIO", ENXIO, "no such device or address")                                                 \
    X("ENOTTY", ENOTTY, "request does not fit this descriptor")                                    \
    X("ENOEXEC", ENOEXEC, "not an executable file")                                                \
    X("E2BIG", E2BIG, "argument list too long")                                                    \
    X("EDOM", EDOM, "argument outside the domain")                                                 \
    X("ERANGE", ERANGE, "result out of range")                                                     \
    X("EILSEQ", EILSEQ, "invalid byte sequence")                                                   \
    X("ENODATA", ENODATA, "no data")                                                               \
    X("EPROTO", EPROTO, "protocol error")                                                          \
    X("EBADMSG", EBADMSG, "damaged message")                                                       \
    X("EMSGSIZE", EMSGSIZE, "message too long")                                                    \
    X("ENOBUFS", ENOBUFS, "no buffer space")                                                       \
    X("ENOTSOCK", ENOTSOCK, "not a socket")                                                        \
    X("ENOTCONN", ENOTCONN, "not connected")                                                       \
    X("EISCONN", EISCONN, "connected already")                                                     \
    X("EDESTADDRREQ", EDESTADDRREQ, "destination address required")                                \
    X("EADDRINUSE", EADDRINUSE, "address in use")                                                  \
    X("EADDRNOTAVAIL", EADDRNOTAVAIL, "address not available")                                     \
    X("EAFNOSUPPORT", EAFNOSUPPORT, "address family not supported")                                \
    X("EPROTONOSUPPORT", EPROTONOSUPPORT, "protocol not supported")                                \
    X("EPROTOTYPE", EPROTOTYPE, "protocol does not fit the socket")                                \
    X("ENOPROTOOPT", ENOPROTOOPT, "no such protocol option")                                       \
    X("ECONNREFUSED", ECONNREFUSED, "connection refused")                                          \
    X("ECONNRESET", ECONNRESET, "connection reset")                                                \
    X("ECONNABORTED", ECONNABORTED, "connection aborted")                                          \
    X("ENETDOWN", ENETDOWN, "network down")                                                        \
    X("ENETUNREACH", ENETUNREACH, "network unreachable")                                           \
    X("EHOSTDOWN", EHOSTDOWN, "host down")                                                         \
    X("EHOSTUNREACH", EHOSTUNREACH, "host unreachable")

BG_BEGIN_DECLS

/*
 * What a code means, in a few English words. Takes the code with either sign, so that both
 * bg_strerror(-ENOMEM) and bg_strerror(ENOMEM) give "out of memory"; 0 gives "success", a number
 * that is no code "unknown error". The text is a constant: never NULL, never to be freed, the
 * same in every locale. From any thread; never suspends, never fails.
 */
BG_API const char *bg_strerror(int code);

/*
 * The name of a code, with either sign: bg_err_name(-ENOMEM) gives "ENOMEM"; 0 gives "OK", a
 * number that is no code "UNKNOWN". Otherwise as bg_strerror().
 */
BG_API const char *bg_err_name(int code);

BG_END_DECLS

#endif
