/*
 * Waiting for a descriptor, and moving data between two of them.
 */
#include "io/call.h"

#include "io/ready.h"

#include <brigade/io.h>
#include <brigade/task.h>
#include <brigade/time.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>

#define EVENTS (POLLIN | POLLOUT | POLLPRI | POLLRDHUP)

int bg_poll(int fd, short events)
{
    static const bgi_wait_site site = {"bg_poll", "events of a descriptor"};
    bgi_waiter *waiter;
    bgi_word state;
    bgi_fd *e;
    if ((events & ~EVENTS) != 0 || events == 0) {
        return -EINVAL;
    }
    if (fd < 0) {
        return -EBADF;
    }
    int r = bgi_task_may_wait("bg_poll", &waiter);
    if (r != 0 || waiter == NULL) {
        return r != 0 ? r : bgi_ready_look(fd, events, -1);
    }
    bgi_io *io = bgi_task_runtime(BGI_CONTAINER_OF(waiter, struct bg_task, waiter))->io;
    r = bgi_call_entry(io, fd, &e, &state);
    if (r != 0) {
        return r;
    }
    if ((state & BGI_FD_KIND) == BGI_FD_FILE) {
        return events & (POLLIN | POLLOUT);
    }
    if (io->ops->perform != NULL) {
        bgi_call c = {.site = &site, .fd = fd, .code = BGI_CALL_POLL, .flags = events};
        c.kind = state;
        return (int)io->ops->perform(io, e, &c, waiter);
    }
    r = bgi_call_watch(io, e, fd, state);
    if (r != 0) {
        return r == -EPERM ? events & (POLLIN | POLLOUT) : r;
    }
    bgi_io_waits(io, 1);
    r = bgi_ready_poll(e, fd, events, state, waiter, &site);
    bgi_io_waits(io, -1);
    return r;
}

BGI_NOINLINE static ssize_t attempt_sendfile(bgi_call *c, int dontwait)
{
    (void)dontwait;
    ssize_t r = sendfile(c->fd, c->other, c->offset_at, c->size);
    return BGI_RESULT(r);
}

ssize_t bg_sendfile(int out, int in, off_t *offset, size_t size)
{
    static const bgi_wait_site site = {"bg_sendfile", "room in a descriptor"};
    bgi_call c = {.site = &site,
                  .attempt = attempt_sendfile,
                  .fd = out,
                  .code = BGI_CALL_OTHER,
                  .how = BGI_CALL_WRITES | BGI_CALL_NONBLOCK,
                  .size = size};
    c.offset_at = offset;
    c.other = in;
    return bgi_call_make(&c);
}

/* Waits for the side of a splice that is not ready. `turn`: how often both were found to be. */
static int wait_for_either(int in, int out, int turn)
{
    int found = bgi_ready_look(in, POLLIN, 0);
    if (found == 0) {
        found = bg_poll(in, POLLIN);
    } else if (found > 0) {
        found = bgi_ready_look(out, POLLOUT, 0);
        if (found == 0) {
            found = bg_poll(out, POLLOUT);
        } else if (found > 0 && turn > 2) {
            found = bg_sleep(BG_MS); /* a pipe without a whole page of room, and the like */
        }
    }
    return found < 0 ? found : 0;
}

BGI_NOINLINE static ssize_t attempt_splice(int in, off_t *in_offset, int out, off_t *out_offset,
                                           size_t size, unsigned flags)
{
    ssize_t r = splice(in, in_offset, out, out_offset, size, flags);
    return BGI_RESULT(r);
}

ssize_t bg_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size, unsigned flags)
{
    bgi_waiter *waiter;
    int r = bgi_task_may_wait("bg_splice", &waiter);
    if (r != 0) {
        return r;
    }
    for (int turn = 0;; turn++) {
        bgi_fd *e;
        bgi_word state;
        if (waiter != NULL) {
            bgi_io *io = bgi_task_runtime(BGI_CONTAINER_OF(waiter, struct bg_task, waiter))->io;
            int fds[] = {in, out};
            for (int i = 0; i < 2; i++) {
                r = bgi_call_entry(io, fds[i], &e, &state);
                if (r == 0 && (state & BGI_FD_KIND) != BGI_FD_FILE) {
                    r = bgi_fd_set_nonblock(e, fds[i]);
                }
                if (r != 0) {
                    return r;
                }
            }
        }
        unsigned how = waiter != NULL ? flags | SPLICE_F_NONBLOCK : flags;
        ssize_t n = attempt_splice(in, in_offset, out, out_offset, size, how);
        if (n != -EINTR && n != -EAGAIN) {
            return n;
        }
        if (n == -EAGAIN) {
            if ((flags & SPLICE_F_NONBLOCK) != 0) {
                return -EAGAIN;
            }
            r = waiter != NULL ? wait_for_either(in, out, turn) : bgi_ready_look(in, POLLIN, -1);
            if (r < 0) {
                return r;
            }
        }
    }
}
