/*
 * A walk over directories.
 *
 * A level is a directory that was read whole, by one call on a thread (io/file.c says how such a
 * call is given up): its names and types, one behind the other in a block, and which directory it
 * is. The walk is the list of levels from the innermost to the first. A directory that was given is
 * entered by the next call: so that it can be left out, and so that a call that is given up can be
 * made again.
 */
#include "base/alloc.h"
#include "io/blocking.h"

#include <brigade/file.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct level {
    struct level *outer;
    dev_t device;
    ino_t inode;
    size_t base; /* how long its path is in the walk's */
    int depth;   /* of what is in it */
    char *names; /* of each entry: its type, its name, '\0' */
    size_t size, at;
} level;

struct bg_walk {
    level *inner;
    char *path;
    size_t room;
    bg_walk_options options;
    int entering; /* the path is that of a directory that is to be entered */
    int depth;    /* of it */
};

typedef struct read_call {
    char *path; /* owned, as is names */
    char *names;
    size_t size, room;
    int follow, result;
    dev_t device;
    ino_t inode;
} read_call;

/* ---- on a thread of the pool ---- */

static void drop(void *record)
{
    read_call *c = record;
    bgi_free(c->path);
    bgi_free(c->names);
    c->path = c->names = NULL;
}

static int add(read_call *c, int type, const char *name)
{
    size_t n = strlen(name) + 1;
    if (c->room - c->size < n + 1) {
        size_t room = 2 * c->room + n + 256;
        char *names = bgi_malloc(room);
        if (names == NULL) {
            return -ENOMEM;
        }
        if (c->size != 0) {
            memcpy(names, c->names, c->size);
        }
        bgi_free(c->names);
        c->names = names;
        c->room = room;
    }
    c->names[c->size] = (char)type;
    memcpy(c->names + c->size + 1, name, n);
    c->size += n + 1;
    return 0;
}

static int type_of_mode(mode_t mode)
{
    return S_ISREG(mode)   ? BG_WALK_FILE
           : S_ISDIR(mode) ? BG_WALK_DIRECTORY
           : S_ISLNK(mode) ? BG_WALK_LINK
                           : BG_WALK_OTHER;
}

/* The file system may not say what an entry is; and a link may count as something else. */
static int type_of(int directory, const struct dirent *e, int follow)
{
    struct stat s;
    switch (e->d_type) {
    case DT_REG:
        return BG_WALK_FILE;
    case DT_DIR:
        return BG_WALK_DIRECTORY;
    case DT_LNK:
        if (!follow) {
            return BG_WALK_LINK;
        }
        break;
    case DT_UNKNOWN:
        break;
    default:
        return BG_WALK_OTHER;
    }
    if ((follow && fstatat(directory, e->d_name, &s, 0) == 0) ||
        fstatat(directory, e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0) {
        return type_of_mode(s.st_mode);
    }
    return e->d_type == DT_LNK ? BG_WALK_LINK : BG_WALK_OTHER; /* it is gone */
}

BGI_NOINLINE static int read_entries(read_call *c, DIR *d)
{
    struct stat s;
    if (fstat(dirfd(d), &s) < 0) {
        return -errno;
    }
    c->device = s.st_dev;
    c->inode = s.st_ino;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            return -errno;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        int r = add(c, type_of(dirfd(d), e, c->follow), e->d_name);
        if (r != 0) {
            return r;
        }
    }
}

BGI_NOINLINE static int run(void *record)
{
    read_call *c = record;
    int fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        c->result = -errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return 0;
    }
    c->result = read_entries(c, d);
    (void)closedir(d);
    return 0;
}

/* ---- the walk ---- */

/* Reads the directory of the walk's path, whose contents have this depth. 0, or a failure;
 * *refused: it is the directory's. */
static int enter(bg_walk *w, int depth, int *refused)
{
    read_call c = {.path = bgi_strdup(w->path), .follow = w->options.follow};
    level *l = bgi_calloc(1, sizeof *l);
    *refused = 0;
    if (c.path == NULL || l == NULL) {
        bgi_free(c.path);
        bgi_free(l);
        return -ENOMEM;
    }
    int r = bgi_blocking_record(bgi_task_self(), run, drop, &c, sizeof c);
    if (r != 0) {
        bgi_free(l);
        return r;
    }
    r = c.result;
    for (const level *o = w->inner; r == 0 && o != NULL; o = o->outer) {
        if (o->device == c.device && o->inode == c.inode) {
            r = -ELOOP;
        }
    }
    if (r != 0) {
        drop(&c);
        bgi_free(l);
        *refused = r != -ENOMEM;
        return r;
    }
    bgi_free(c.path);
    *l = (level){.outer = w->inner,
                 .device = c.device,
                 .inode = c.inode,
                 .base = strlen(w->path),
                 .depth = depth,
                 .names = c.names,
                 .size = c.size};
    w->inner = l;
    return 0;
}

static void leave(bg_walk *w)
{
    level *l = w->inner;
    w->inner = l->outer;
    bgi_free(l->names);
    bgi_free(l);
}

/* The path of an entry of the innermost level. */
static int set_path(bg_walk *w, const char *name)
{
    size_t base = w->inner->base, n = strlen(name) + 1;
    if (w->room < base + 1 + n) {
        size_t room = 2 * (base + 1 + n);
        char *path = bgi_malloc(room);
        if (path == NULL) {
            return -ENOMEM;
        }
        memcpy(path, w->path, base);
        bgi_free(w->path);
        w->path = path;
        w->room = room;
    }
    if (w->path[base - 1] != '/') {
        w->path[base++] = '/';
    }
    memcpy(w->path + base, name, n);
    return 0;
}

static void give(const bg_walk *w, bg_walk_entry *entry, int type, int depth, int error)
{
    const char *slash = strrchr(w->path, '/');
    *entry = (bg_walk_entry){.path = w->path,
                             .name = slash == NULL ? w->path : slash + 1,
                             .type = type,
                             .depth = depth,
                             .error = error};
}

/* The next of the innermost level, which has one: its type, and the walk's path and depth. */
static int step(bg_walk *w)
{
    level *l = w->inner;
    const char *name = l->names + l->at + 1;
    int type = l->names[l->at];
    int r = set_path(w, name);
    if (r != 0) {
        return r;
    }
    l->at += strlen(name) + 2;
    w->depth = l->depth;
    w->entering =
        type == BG_WALK_DIRECTORY && (w->options.max_depth == 0 || l->depth < w->options.max_depth);
    return type;
}

int bg_walk_next(bg_walk *w, bg_walk_entry *entry)
{
    for (;;) {
        if (w->entering) {
            int refused, r = enter(w, w->depth + 1, &refused);
            if (r != 0 && !refused) {
                return r;
            }
            w->entering = 0;
            if (r != 0) {
                give(w, entry, BG_WALK_DIRECTORY, w->depth, r);
                return 1;
            }
        }
        while (w->inner != NULL && w->inner->at == w->inner->size) {
            leave(w);
        }
        if (w->inner == NULL) {
            return 0;
        }
        int type = step(w);
        if (type < 0) {
            return type;
        }
        if (w->options.types == 0 || (w->options.types & type) != 0) {
            give(w, entry, type, w->depth, 0);
            return 1;
        }
    }
}

void bg_walk_skip(bg_walk *w)
{
    w->entering = 0;
}

int bg_walk_open_opts(bg_walk **out, const char *path, const bg_walk_options *options)
{
    if (out == NULL || path == NULL || (options != NULL && options->size != sizeof *options)) {
        return -EINVAL;
    }
    if (path[0] == '\0') {
        return -ENOENT;
    }
    bg_walk *w = bgi_calloc(1, sizeof *w);
    if (w == NULL) {
        return -ENOMEM;
    }
    if (options != NULL) {
        w->options = *options;
    }
    int refused, r = -ENOMEM;
    w->path = bgi_strdup(path);
    if (w->path != NULL) {
        w->room = strlen(path) + 1;
        r = w->options.max_depth < 0 ? -EINVAL : enter(w, 1, &refused);
    }
    if (r != 0) {
        bg_walk_close(w);
        return r;
    }
    *out = w;
    return 0;
}

void bg_walk_close(bg_walk *w)
{
    if (w == NULL) {
        return;
    }
    while (w->inner != NULL) {
        leave(w);
    }
    bgi_free(w->path);
    bgi_free(w);
}
