/*
 * Lists the tree with a stack of directories still to read rather than by recursion: the depth of
 * the tree then costs no descriptors and no C stack.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pending {
    char **dir;
    size_t n, room;
};

static int grow(void **array, size_t *room, size_t need, size_t each)
{
    if (need <= *room)
        return 0;
    size_t more = *room ? *room * 2 : 64;
    void *bigger = reallocarray(*array, more, each);
    if (bigger == NULL)
        return -ENOMEM;
    *array = bigger;
    *room = more;
    return 0;
}

static char *join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    bool slash = a > 0 && dir[a - 1] != '/';
    char *path = malloc(a + slash + b + 1);
    if (path == NULL)
        return NULL;
    memcpy(path, dir, a);
    if (slash)
        path[a] = '/';
    memcpy(path + a + slash, name, b + 1);
    return path;
}

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* The three add_* take over the path; they free it when they fail. */
static int add_skip(struct file_list *list, char *path, int error)
{
    if (grow((void **)&list->skip, &list->skip_room, list->n_skip + 1, sizeof *list->skip) < 0) {
        free(path);
        return -ENOMEM;
    }
    list->skip[list->n_skip++] = (struct skip){path, error};
    return 0;
}

static int add_file(struct file_list *list, char *path, const struct stat *st)
{
    if (list->n == UINT32_MAX ||
        grow((void **)&list->file, &list->room, list->n + 1, sizeof *list->file) < 0) {
        free(path);
        return -ENOMEM;
    }
    list->file[list->n++] = (struct file){path, (uint64_t)st->st_size, st->st_ino, mtime_of(st)};
    list->bytes += (uint64_t)st->st_size;
    return 0;
}

static int add_dir(struct pending *todo, char *path)
{
    if (grow((void **)&todo->dir, &todo->room, todo->n + 1, sizeof *todo->dir) < 0) {
        free(path);
        return -ENOMEM;
    }
    todo->dir[todo->n++] = path;
    return 0;
}

static int add_entry(struct file_list *list, struct pending *todo, char *path, int type)
{
    struct stat st;
    if (type == DT_DIR)
        return add_dir(todo, path);
    if (type != DT_REG && type != DT_LNK && type != DT_UNKNOWN) {
        free(path); /* a device, a pipe, a socket: not a file to hash */
        return 0;
    }
    if (lstat(path, &st) < 0)
        return add_skip(list, path, -errno);
    if (S_ISDIR(st.st_mode))
        return add_dir(todo, path);
    if (S_ISREG(st.st_mode))
        return add_file(list, path, &st);
    if (S_ISLNK(st.st_mode))
        list->links++;
    free(path);
    return 0;
}

/* Takes over the path. */
static int read_dir(struct file_list *list, struct pending *todo, char *path)
{
    DIR *d = opendir(path);
    if (d == NULL)
        return add_skip(list, path, -errno);
    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (e == NULL) {
            int error = -errno;
            char *copy = error < 0 ? strdup(path) : NULL;
            if (error < 0)
                rc = copy ? add_skip(list, copy, error) : -ENOMEM;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *child = join(path, e->d_name);
        rc = child ? add_entry(list, todo, child, e->d_type) : -ENOMEM;
        if (rc < 0)
            break;
    }
    closedir(d);
    free(path);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static int by_size(const void *a, const void *b, void *ctx)
{
    const struct file_list *list = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    if (list->file[i].size != list->file[j].size)
        return list->file[i].size > list->file[j].size ? -1 : 1;
    return i < j ? -1 : i > j;
}

static int sort(struct file_list *list)
{
    if (list->n == 0)
        return 0;
    qsort(list->file, list->n, sizeof *list->file, by_path);
    list->by_size = calloc(list->n, sizeof *list->by_size);
    if (list->by_size == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        list->by_size[i] = (uint32_t)i;
    qsort_r(list->by_size, list->n, sizeof *list->by_size, by_size, list);
    return 0;
}

int files_list(struct file_list *list, const char *dir, const volatile int *stop)
{
    struct pending todo = {NULL, 0, 0};
    memset(list, 0, sizeof *list);

    DIR *top = opendir(dir);
    if (top == NULL)
        return -errno;
    closedir(top);

    char *first = strdup(dir);
    int rc = first ? add_dir(&todo, first) : -ENOMEM;
    while (rc == 0 && todo.n > 0) {
        rc = stop && *stop ? -EINTR : read_dir(list, &todo, todo.dir[--todo.n]);
    }
    while (todo.n > 0)
        free(todo.dir[--todo.n]);
    free(todo.dir);
    return rc < 0 ? rc : sort(list);
}

void files_free(struct file_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->file[i].path);
    for (size_t i = 0; i < list->n_skip; i++)
        free(list->skip[i].path);
    free(list->file);
    free(list->skip);
    free(list->by_size);
    memset(list, 0, sizeof *list);
}

bool file_changed(const struct file *f)
{
    struct stat st;
    return lstat(f->path, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->size ||
           st.st_ino != f->inode || mtime_of(&st) != f->mtime_ns;
}
