/*
 * Files: each call is a record that owns all it needs, and what comes of it.
 *
 * The record goes to a thread and comes back; when its task does not wait any longer, it is dropped
 * there, with whatever it owns by then: a descriptor that was opened, a file that was read. So the
 * caller's memory is used before and after, never meanwhile.
 */
#include "base/alloc.h"
#include "base/atomic.h"
#include "io/blocking.h"

#include <brigade/file.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

typedef struct file_call {
    int (*make)(struct file_call *c); /* what it returns is `result` */
    int result;
    int fd; /* -1, or owned */
    int flags;
    mode_t mode;
    char *path, *other; /* owned, as is data */
    char *data;
    size_t size, limit;
    struct stat stat;
} file_call;

static void drop(void *record)
{
    file_call *c = record;
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    bgi_free(c->path);
    bgi_free(c->other);
    bgi_free(c->data);
    c->fd = -1;
    c->path = c->other = c->data = NULL;
}

static int run(void *record)
{
    file_call *c = record;
    c->result = c->make(c);
    return 0;
}

/* Makes the call, which keeps what it owns: take it, and drop the rest. */
static int perform(file_call *c, const char *path)
{
    if (path == NULL) {
        drop(c);
        return -EINVAL;
    }
    c->path = bgi_strdup(path);
    if (c->path == NULL) {
        drop(c);
        return -ENOMEM;
    }
    int r = bgi_blocking_record(bgi_task_self(), run, drop, c, sizeof *c);
    if (r != 0) { /* it is dropped there */
        *c = (file_call){.fd = -1};
        return r;
    }
    return c->result;
}

static int perform_all(file_call *c, const char *path)
{
    int r = perform(c, path);
    drop(c);
    return r;
}

/* These run on a thread of the pool, and may use errno. */
static int failed(int r)
{
    return r < 0 ? -errno : 0;
}

BGI_NOINLINE static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* ---- single calls ---- */

static int make_open(file_call *c)
{
    int r = open_again(c->path, c->flags, c->mode);
    c->fd = r;
    return r;
}

int bg_file_open(const char *path, int flags, mode_t mode)
{
    file_call c = {.make = make_open, .fd = -1, .flags = flags, .mode = mode};
    int r = perform(&c, path);
    if (r >= 0) {
        c.fd = -1; /* the caller's */
    }
    drop(&c);
    return r;
}

BGI_NOINLINE static int make_stat(file_call *c)
{
    return failed(c->flags ? lstat(c->path, &c->stat) : stat(c->path, &c->stat));
}

static int stat_of(const char *path, struct stat *out, int link)
{
    file_call c = {.make = make_stat, .fd = -1, .flags = link};
    int r = perform_all(&c, out == NULL ? NULL : path);
    if (r == 0) {
        *out = c.stat;
    }
    return r;
}

int bg_file_stat(const char *path, struct stat *out)
{
    return stat_of(path, out, 0);
}

int bg_file_lstat(const char *path, struct stat *out)
{
    return stat_of(path, out, 1);
}

BGI_NOINLINE static int make_unlink(file_call *c)
{
    return failed(unlink(c->path));
}

int bg_file_unlink(const char *path)
{
    return perform_all(&(file_call){.make = make_unlink, .fd = -1}, path);
}

BGI_NOINLINE static int make_rmdir(file_call *c)
{
    return failed(rmdir(c->path));
}

int bg_file_rmdir(const char *path)
{
    return perform_all(&(file_call){.make = make_rmdir, .fd = -1}, path);
}

BGI_NOINLINE static int make_mkdir(file_call *c)
{
    return failed(mkdir(c->path, c->mode));
}

int bg_file_mkdir(const char *path, mode_t mode)
{
    return perform_all(&(file_call){.make = make_mkdir, .fd = -1, .mode = mode}, path);
}

BGI_NOINLINE static int make_rename(file_call *c)
{
    return failed(rename(c->path, c->other));
}

int bg_file_rename(const char *from, const char *to)
{
    file_call c = {.make = make_rename, .fd = -1, .other = bgi_strdup(to)};
    if (c.other == NULL) {
        return to == NULL ? -EINVAL : -ENOMEM;
    }
    return perform_all(&c, from);
}

BGI_NOINLINE static int make_sync(file_call *c)
{
    int r;
    do {
        r = fsync(c->fd);
    } while (r < 0 && errno == EINTR);
    return failed(r);
}

/* A descriptor of its own: the caller may have closed fd, and the number be another file's, by
 * then. */
BGI_NOINLINE static int own(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

int bg_file_sync(int fd)
{
    int copy = own(fd);
    return copy < 0 ? copy : perform_all(&(file_call){.make = make_sync, .fd = copy}, "");
}

/* ---- whole files ---- */

/* Reads into c->data what is there, and one byte more than the limit if it is more. */
BGI_NOINLINE static int read_rest(file_call *c, size_t room)
{
    for (;;) {
        if (c->data == NULL || c->size + 1 >= room) {
            room = c->data == NULL ? room : 2 * room;
            char *more = bgi_malloc(room);
            if (more == NULL) {
                return -ENOMEM;
            }
            if (c->data != NULL) {
                memcpy(more, c->data, c->size);
            }
            bgi_free(c->data);
            c->data = more;
        }
        ssize_t n = read(c->fd, c->data + c->size, room - 1 - c->size);
        if (n == 0) {
            c->data[c->size] = '\0';
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        c->size += n < 0 ? 0 : (size_t)n;
        if (c->limit != 0 && c->size > c->limit) {
            return -EFBIG;
        }
    }
}

BGI_NOINLINE static int make_read(file_call *c)
{
    int r = open_again(c->path, O_RDONLY, 0);
    if (r < 0) {
        return r;
    }
    c->fd = r;
    if (fstat(c->fd, &c->stat) < 0) {
        return -errno;
    }
    size_t size = S_ISREG(c->stat.st_mode) ? (size_t)c->stat.st_size : 0;
    if (c->limit != 0 && size > c->limit) {
        return -EFBIG;
    }
    return read_rest(c, size + 2 < 512 ? 512 : size + 2);
}

int bg_file_read_whole(const char *path, char **data, size_t *size, size_t limit)
{
    file_call c = {.make = make_read, .fd = -1, .limit = limit};
    int r = perform(&c, data == NULL ? NULL : path);
    if (r == 0) {
        *data = c.data;
        c.data = NULL;
        if (size != NULL) {
            *size = c.size;
        }
    }
    drop(&c);
    return r;
}

BGI_NOINLINE static int write_out(int fd, const char *data, size_t size)
{
    while (size != 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        size_t done = n < 0 ? 0 : (size_t)n;
        data += done;
        size -= done;
    }
    return 0;
}

/* A new file beside c->path: c->fd, and its name in c->other. */
BGI_NOINLINE static int make_beside(file_call *c)
{
    static bgi_atomic count; /* names differ; they carry nothing: relaxed */
    size_t room = strlen(c->path) + 64;
    c->other = bgi_malloc(room);
    if (c->other == NULL) {
        return -ENOMEM;
    }
    for (;;) {
        (void)snprintf(c->other, room, "%s.%ld.%zu.tmp", c->path, (long)getpid(),
                       (size_t)bgi_fetch_add_relaxed(&count, 1));
        c->fd = open_again(c->other, O_WRONLY | O_CREAT | O_EXCL, c->mode == 0 ? 0666 : c->mode);
        if (c->fd != -EEXIST) {
            return c->fd < 0 ? c->fd : 0;
        }
    }
}

BGI_NOINLINE static int sync_directory(file_call *c)
{
    int r = open_again(dirname(c->path), O_RDONLY | O_DIRECTORY, 0);
    if (r < 0) {
        return r;
    }
    c->fd = r;
    return make_sync(c);
}

BGI_NOINLINE static int make_write(file_call *c)
{
    int r = make_beside(c);
    if (r != 0) {
        return r;
    }
    if (c->mode != 0) {
        r = failed(fchmod(c->fd, c->mode));
    } else if (lstat(c->path, &c->stat) == 0 && S_ISREG(c->stat.st_mode)) {
        r = failed(fchmod(c->fd, c->stat.st_mode & 07777));
    }
    r = r != 0 ? r : write_out(c->fd, c->data, c->size);
    r = r != 0 || !c->flags ? r : make_sync(c);
    if (r == 0) {
        r = failed(close(c->fd)); /* some file systems tell only here */
        c->fd = -1;
    }
    r = r != 0 ? r : failed(rename(c->other, c->path));
    if (r != 0) {
        (void)unlink(c->other);
        return r;
    }
    return c->flags ? sync_directory(c) : 0;
}

int bg_file_write_whole_opts(const char *path, const void *data, size_t size,
                             const bg_file_write_options *options)
{
    bg_file_write_options o = {0};
    if (options != NULL) {
        if (options->size != sizeof o) {
            return -EINVAL;
        }
        o = *options;
    }
    file_call c = {.make = make_write, .fd = -1, .flags = o.sync != 0, .mode = o.mode};
    if (path == NULL || (data == NULL && size != 0)) {
        return -EINVAL;
    }
    c.data = bgi_malloc(size == 0 ? 1 : size);
    if (c.data == NULL) {
        return -ENOMEM;
    }
    if (size != 0) {
        memcpy(c.data, data, size);
    }
    c.size = size;
    return perform_all(&c, path);
}
