#include "io/fd.h"

#include "io/io.h"
#include "io/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CHUNKS_SIZE (BGI_FD_CHUNKS * sizeof(bgi_atomic))
#define CHUNK_SIZE (BGI_FD_CHUNK * sizeof(bgi_fd))

bgi_lock bgi_fd_tables = BGI_LOCK_INIT(BGI_RANK_FD_TABLES, "descriptor tables");
static struct bgi_list closes = {&closes, &closes}; /* under the lock */

int bgi_fd_table_init(bgi_fd_table *t)
{
    t->chunk = bgi_mmap(CHUNKS_SIZE, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    return t->chunk == NULL ? -ENOMEM : 0;
}

void bgi_fd_table_free(bgi_fd_table *t)
{
    for (int i = 0; i < BGI_FD_CHUNKS; i++) {
        bgi_fd *chunk = bgi_load_ptr(&t->chunk[i]);
        if (chunk == NULL) {
            break; /* numbers are given out from the bottom: there are no more, or few */
        }
        (void)bgi_munmap(chunk, CHUNK_SIZE);
    }
    (void)bgi_munmap((void *)(uintptr_t)t->chunk, CHUNKS_SIZE);
}

void bgi_fd_close_begins(bgi_fd_close *c, int fd)
{
    c->fd = fd;
    bgi_list_push_back(&closes, &c->link);
}

int bgi_fd_close_ends(bgi_fd_close *c)
{
    const struct bgi_list *l;
    bgi_list_remove(&c->link);
    bgi_list_for_each (l, &closes) {
        if (BGI_CONTAINER_OF(l, bgi_fd_close, link)->fd == c->fd) {
            return 0;
        }
    }
    return 1;
}

int bgi_fd_put_chunk(bgi_fd_table *t, unsigned i, bgi_fd *chunk)
{
    const struct bgi_list *l;
    bgi_lock_acquire(&bgi_fd_tables);
    bgi_list_for_each (l, &closes) {
        unsigned fd = (unsigned)BGI_CONTAINER_OF(l, bgi_fd_close, link)->fd;
        if (fd / BGI_FD_CHUNK == i) {
            bgi_store(&chunk[fd % BGI_FD_CHUNK].state, BGI_FD_CLOSING);
        }
    }
    int is_put = bgi_cas_release(&t->chunk[i], 0, (bgi_word)chunk);
    bgi_lock_release(&bgi_fd_tables);
    return is_put;
}

/* All chunks below it as well: those that are there are the first ones. */
static int make_chunks(bgi_fd_table *t, unsigned last)
{
    for (unsigned i = 0; i <= last; i++) {
        if (bgi_load_ptr(&t->chunk[i]) != NULL) { /* not looked into here */
            continue;
        }
        bgi_fd *chunk = bgi_mmap(CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_NORESERVE);
        if (chunk == NULL) {
            return -ENOMEM;
        }
        if (!bgi_fd_put_chunk(t, i, chunk)) {
            (void)bgi_munmap(chunk, CHUNK_SIZE);
        }
    }
    return 0;
}

int bgi_fd_make(bgi_fd_table *t, int fd, bgi_fd **out)
{
    *out = bgi_fd_find(t, fd);
    if (bgi_likely(*out != NULL)) {
        return 0;
    }
    if (fd < 0 || fd >= BGI_FD_CHUNK * BGI_FD_CHUNKS) {
        return -EBADF;
    }
    int r = make_chunks(t, (unsigned)fd / BGI_FD_CHUNK);
    *out = r == 0 ? bgi_fd_find(t, fd) : NULL;
    return r;
}

/* ---- what it is ---- */

/* A socket: whether its bytes have no boundaries, and a short transfer means the end of what there
 * is. Those of Unix sockets end where descriptors are passed along. */
static bgi_word socket_flags(int fd)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof type;
    (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
    size = sizeof domain;
    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    return type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6)
               ? BGI_FD_SOCKET | BGI_FD_STREAM
               : BGI_FD_SOCKET;
}

static bgi_word find_out(int fd, int set_nonblock, int *error)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) != 0) {
        *error = -errno;
        return BGI_FD_UNKNOWN;
    }
    bgi_word found = (flags & O_NONBLOCK) != 0 ? BGI_FD_NONBLOCK : 0;
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)) {
        return BGI_FD_FILE | found;
    }
    if (S_ISSOCK(st.st_mode)) {
        return socket_flags(fd) | found;
    }
    found |= BGI_FD_PIPE;
    if (S_ISFIFO(st.st_mode) && (flags & O_DIRECT) == 0) {
        found |= BGI_FD_STREAM;
    }
    if ((found & BGI_FD_NONBLOCK) == 0 && set_nonblock) {
        if (fd <= 2 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            found |= BGI_FD_SHARED;
        } else {
            found |= BGI_FD_NONBLOCK;
        }
    }
    return found;
}

bgi_word bgi_fd_adopt(bgi_fd *e, int fd, int set_nonblock, int *error)
{
    *error = 0;
    for (;;) {
        bgi_word s = bgi_load_acquire(&e->state);
        if (bgi_likely((s & (BGI_FD_KIND | BGI_FD_CLOSING)) != 0)) {
            return s;
        }
        bgi_word found = find_out(fd, set_nonblock, error);
        if (found == BGI_FD_UNKNOWN || bgi_cas_relaxed(&e->state, s, s | found)) {
            return s | found;
        }
    }
}

int bgi_fd_set_nonblock(bgi_fd *e, int fd)
{
    bgi_word s = bgi_load(&e->state);
    if (bgi_likely((s & BGI_FD_NONBLOCK) != 0)) {
        return 0;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
        return -errno;
    }
    (void)bgi_cas_relaxed(&e->state, s, s | BGI_FD_NONBLOCK); /* else it was closed: no matter */
    return 0;
}

/* ---- its beginning and its end ---- */

void bgi_fd_closed(bgi_io *io, bgi_fd *e, int fd, bgi_word closing)
{
    bgi_word s, next;
    do {
        s = bgi_load(&e->state);
        next = ((s & ~(bgi_word)(BGI_FD_FLAGS & ~BGI_FD_CLOSING)) | closing) + BGI_FD_GENERATION;
    } while (!bgi_cas_relaxed(&e->state, s, next));
    bgi_word in = bgi_waitq_enter(&e->in);
    bgi_fence_full(); /* partner: of who makes an operation, in io/uring.c */
    if (bgi_load(&e->port) != 0) {
        io->ops->unwatch(io, e, fd);
    }
    bgi_waitq_leave(&e->in, in);
    bgi_ready_close(e);
}

void bgi_fd_close_made(bgi_fd *e)
{
    bgi_word s;
    do {
        s = bgi_load(&e->state);
    } while (!bgi_cas_release(&e->state, s, s & ~(bgi_word)BGI_FD_CLOSING));
}

void bgi_fd_opened(bgi_io *io, int fd, bgi_word flags)
{
    bgi_fd *e;
    if (bgi_fd_make(&io->table, fd, &e) != 0) {
        return; /* whoever uses it finds out what it is */
    }
    bgi_word s = bgi_load(&e->state);
    if (bgi_unlikely((s & BGI_FD_FLAGS) != 0 || bgi_load(&e->port) != 0)) {
        bgi_fd_closed(io, e, fd, 0); /* behind the library's back, or it is being closed */
        s = bgi_load(&e->state);
    }
    (void)bgi_cas_relaxed(&e->state, s, s | flags);
}

bgi_word bgi_fd_generation(int fd)
{
    bg_task *self = bgi_task_self();
    bgi_fd *e = self == NULL ? NULL : bgi_fd_find(&bgi_task_runtime(self)->io->table, fd);
    return e == NULL ? 0 : bgi_fd_generation_of(bgi_load(&e->state));
}
