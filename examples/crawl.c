/*
 * A crawler: goes through a directory tree with at most so many directories open at once, and sums
 * up what it finds.
 *
 *     crawl DIRECTORY [AT-ONCE]
 *
 * Each directory is a member of one group, so the program is through when the group is left. A
 * semaphore bounds how many are read at once; reading blocks, so it is done by the blocking pool.
 * What is found goes through a channel to the one task that adds up: no lock, and a crawler that is
 * faster than it waits.
 */
#define _POSIX_C_SOURCE 200809L

#include <brigade.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LONGEST = 4096 }; /* a path */

struct found {
    int is_directory;
    long long bytes;
};

struct crawl {
    bg_group_t *group;
    bg_chan *found;
    bg_sem at_once;
};

/* A directory to be read. What follows the path is filled in by the read. */
struct directory {
    struct crawl *crawl;
    char path[LONGEST];
};

/* What a read gives: names of directories, one after another, and what there is besides. */
struct listing {
    char *directories; /* each ends with '\0' */
    size_t used, room;
    struct found *files;
    size_t n, most;
};

struct reading {
    const char *path;
    struct listing *listing;
};

static int add_directory(struct listing *l, const char *name)
{
    size_t size = strlen(name) + 1;
    if (l->used + size > l->room) {
        size_t room = 2 * (l->used + size);
        char *more = realloc(l->directories, room);
        if (more == NULL) {
            return -ENOMEM;
        }
        l->directories = more;
        l->room = room;
    }
    memcpy(l->directories + l->used, name, size);
    l->used += size;
    return 0;
}

static int add_file(struct listing *l, long long bytes)
{
    if (l->n == l->most) {
        size_t most = 2 * l->most + 16;
        struct found *more = realloc(l->files, most * sizeof *more);
        if (more == NULL) {
            return -ENOMEM;
        }
        l->files = more;
        l->most = most;
    }
    l->files[l->n++] = (struct found){0, bytes};
    return 0;
}

/* Blocks: runs on a thread of the pool. */
static int list_directory(void *arg)
{
    const struct reading *r = arg;
    DIR *dir = opendir(r->path);
    if (dir == NULL) {
        return -errno;
    }
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        rc = S_ISDIR(st.st_mode) ? add_directory(r->listing, entry->d_name)
                                 : add_file(r->listing, (long long)st.st_size);
    }
    (void)closedir(dir);
    return rc;
}

static int read_directory(struct crawl *c, const char *path, struct listing *listing)
{
    int rc = bg_sem_acquire(&c->at_once);
    if (rc < 0) {
        return rc;
    }
    bg_shield
    { /* the listing is on this stack: the call must not outlive it */
        rc = bg_blocking(list_directory, &(struct reading){path, listing});
    }
    (void)bg_sem_release(&c->at_once);
    return rc;
}

static int visit(void *arg)
{
    const struct directory *d = arg;
    struct crawl *c = d->crawl;
    struct listing listing = {0};

    int rc = read_directory(c, d->path, &listing);
    if (rc == -EACCES || rc == -ENOENT) {
        (void)fprintf(stderr, "crawl: %s: %s\n", d->path, bg_strerror(rc));
        rc = 0;
    }
    for (size_t at = 0; rc == 0 && at < listing.used; at += strlen(listing.directories + at) + 1) {
        struct directory below = {.crawl = c};
        int n = snprintf(below.path, sizeof below.path, "%s/%s", d->path, listing.directories + at);
        rc = n < 0 || (size_t)n >= sizeof below.path ? -ENAMETOOLONG : 0;
        if (rc == 0) {
            rc = bg_group_spawn_copy(c->group, visit, &below, sizeof below, NULL);
        }
    }
    for (size_t i = 0; rc == 0 && i < listing.n; i++) {
        rc = bg_send(c->found, &listing.files[i]);
    }
    if (rc == 0) {
        rc = bg_send(c->found, &(struct found){.is_directory = 1});
    }
    free(listing.directories);
    free(listing.files);
    return rc;
}

static int add_up(void *arg)
{
    struct found found;
    unsigned long long files = 0, directories = 0, bytes = 0;

    while (bg_recv(arg, &found) == 0) {
        if (found.is_directory) {
            directories++;
        } else {
            files++;
            bytes += (unsigned long long)found.bytes;
        }
    }
    printf("%llu files, %llu directories, %llu bytes\n", files, directories, bytes);
    return 0;
}

struct arguments {
    const char *path;
    int at_once;
};

static int crawl(void *arg)
{
    const struct arguments *a = arg;
    struct directory root = {0};
    int rc = 0;

    if (strlen(a->path) >= sizeof root.path) {
        return -ENAMETOOLONG;
    }
    (void)strcpy(root.path, a->path);
    struct crawl c = {.found = bg_chan_create(sizeof(struct found), 64)};
    if (c.found == NULL) {
        return -ENOMEM;
    }
    rc = bg_sem_init(&c.at_once, a->at_once);
    if (rc == 0) {
        bg_task *sum = bg_spawn(add_up, c.found, .name = "sum");
        bg_group (g, .result = &rc) {
            c.group = &g;
            root.crawl = &c;
            (void)bg_group_spawn(&g, visit, &root, .name = "root"); /* a failure is the group's */
        }
        (void)bg_close(c.found);
        int summed = bg_await(sum);
        rc = rc < 0 ? rc : summed;
    }
    bg_chan_destroy(c.found);
    return rc;
}

int main(int argc, char *argv[])
{
    struct arguments a = {argc > 1 ? argv[1] : NULL, 8};
    char *end = "";

    if (argc == 3) {
        a.at_once = (int)strtol(argv[2], &end, 10);
    }
    if (argc < 2 || argc > 3 || *end != '\0' || a.at_once < 1 || a.at_once > 1000) {
        (void)fprintf(stderr, "usage: crawl DIRECTORY [AT-ONCE, 1 to 1000]\n");
        return 2;
    }
    int rc = bg_run(crawl, &a);
    if (rc < 0) {
        (void)fprintf(stderr, "crawl: %s: %s\n", a.path, bg_strerror(rc));
    }
    return rc < 0;
}
