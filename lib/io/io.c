#include "io/io.h"

#include "arch/sanitizer.h"

#include "io/ring.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* All runtimes, under bgi_fd_tables. */
static bgi_io *first;

/* Which driver: BRIGADE_IO says, or what there is; in the deterministic mode always epoll, whose
 * calls are made at once. */
static int choose(int played, const struct bgi_io_ops **out)
{
    const char *name = getenv("BRIGADE_IO");
    int any = name == NULL || *name == '\0';
    int uring = !any && strcmp(name, "uring") == 0;
    *out = &bgi_epoll_ops;
    if (!any && !uring && strcmp(name, "epoll") != 0) {
        return -EINVAL;
    }
    if (played || (!any && !uring)) {
        return 0;
    }
#if BGI_VALGRIND
    if (any) {
        return 0; /* valgrind does not see what the kernel writes to buffers later */
    }
#endif
#if defined(BGI_URING)
    if (bgi_ring_possible()) {
        *out = &bgi_uring_ops;
        return 0;
    }
#endif
    return uring ? -ENOSYS : 0;
}

int bgi_io_create(bgi_io **out, unsigned places, int played)
{
    const struct bgi_io_ops *ops;
    int r = choose(played, &ops);
    if (r != 0) {
        return r;
    }
    bgi_io *io = bgi_calloc(1, sizeof *io);
    if (io == NULL) {
        return -ENOMEM;
    }
    io->driver.ops = &ops->driver;
    io->ops = ops;
    io->places = places;
    io->played = played;
    /* Mapped: the ports of those who never wait for a descriptor stay untouched. */
    io->port = bgi_mmap(places * sizeof *io->port, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    r = io->port == NULL ? -ENOMEM : bgi_fd_table_init(&io->table);
    if (r != 0) {
        if (io->port != NULL) {
            (void)bgi_munmap(io->port, places * sizeof *io->port);
        }
        bgi_free(io);
        return r;
    }
    bgi_lock_acquire(&bgi_fd_tables);
    io->next = first;
    if (first != NULL) {
        first->prev = io;
    }
    first = io;
    bgi_lock_release(&bgi_fd_tables);
    *out = io;
    return 0;
}

void bgi_io_destroy(bgi_io *io)
{
    bgi_lock_acquire(&bgi_fd_tables);
    if (io->next != NULL) {
        io->next->prev = io->prev;
    }
    *(io->prev != NULL ? &io->prev->next : &first) = io->next;
    bgi_lock_release(&bgi_fd_tables);
    for (unsigned i = 0; i < io->places; i++) {
        if (bgi_load(&io->port[i].open)) {
            io->ops->close_port(&io->port[i]);
        }
    }
    bgi_fd_table_free(&io->table);
    (void)bgi_munmap(io->port, io->places * sizeof *io->port);
    bgi_free(io);
}

bgi_port *bgi_io_port(bgi_io *io, const bgi_worker *w, int (*open)(bgi_port *p), unsigned *index,
                      int *error)
{
    bgi_port *own = bgi_port_of(io, w);
    *index = (unsigned)(own - io->port);
    *error = 0;
    if (bgi_likely(bgi_load(&own->open)) || (*error = open(own)) == 0) {
        return own;
    }
    for (unsigned i = 0; i < io->places; i++) {
        if (bgi_load_acquire(&io->port[i].open)) {
            *index = i;
            return &io->port[i];
        }
    }
    return NULL;
}

/* Who waits for the number is told, in all runtimes. */
static void let_go(int fd, bgi_word closing)
{
    for (bgi_io *io = first; io != NULL; io = io->next) {
        bgi_fd *e = bgi_fd_find(&io->table, fd);
        if (e != NULL) {
            bgi_fd_closed(io, e, fd, closing);
        }
    }
}

void bgi_io_forget(int fd)
{
    bgi_lock_acquire(&bgi_fd_tables);
    let_go(fd, 0);
    bgi_lock_release(&bgi_fd_tables);
}

int bgi_io_close(int fd)
{
    bgi_fd_close c;
    bgi_lock_acquire(&bgi_fd_tables);
    bgi_fd_close_begins(&c, fd);
    let_go(fd, BGI_FD_CLOSING);
    bgi_lock_release(&bgi_fd_tables);
    int r = close(fd) == 0 || errno == EINTR ? 0 : -errno;
    bgi_lock_acquire(&bgi_fd_tables);
    if (bgi_fd_close_ends(&c)) {
        for (bgi_io *io = first; io != NULL; io = io->next) {
            bgi_fd *e = bgi_fd_find(&io->table, fd);
            if (e != NULL) {
                bgi_fd_close_made(e);
            }
        }
    }
    bgi_lock_release(&bgi_fd_tables);
    return r;
}
