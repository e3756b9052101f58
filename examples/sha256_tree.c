/*
 * The SHA-256 of every regular file below a directory, on all cores.
 *
 *     sha256_tree DIR       lines as of sha256sum, in byte order of the paths
 *     sha256_tree -r DIR    one line instead: a digest of the whole tree
 *
 * The digest of a directory is the SHA-256 of its entries in byte order of their names, each
 * "TYPE DIGEST NAME" and a zero byte: TYPE is f or d, DIGEST the file's or directory's in hex. What
 * is neither a regular file nor a directory, symbolic links too, is left out. What cannot be read
 * gives one line on stderr and status 1; the rest goes on, but then there is no digest of the
 * whole.
 *
 * A directory's subdirectories are a parallel loop, within which theirs are: loops nest as calls
 * do. Then the files are one loop over all of them, the largest first, so that what is left at the
 * end is small: idle workers take halves of the range that is left.
 *
 * Files are read by the workers themselves, not through bg_blocking. Most of the time of a digest
 * is computed, which is for as many threads as there are cores, not for a pool that grows; and a
 * read from the page cache costs less than to change threads for it. A disk that is slow holds up a
 * worker, no more: what is left of the loop is taken from it by the others. Where reading is slow
 * as a rule (a network) bg_blocking is better. (A debug build says when reading a file, or its
 * digest, takes long: the task stalls. BRIGADE_STALL_MS=0 turns that off.)
 */
#define _POSIX_C_SOURCE 200809L

#include <brigade.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIGEST = 32,
    BLOCK = 32 * 1024,       /* read at once */
    STACK = 16 * 1024 * 1024 /* for the deepest tree whose paths the system takes */
};

typedef struct node {
    char *path;
    const char *name; /* its end */
    int is_directory, error;
    long long bytes;
    unsigned char digest[DIGEST];
    struct node *below; /* of a directory: by name */
    size_t n;
} node;

/* ---- the tree ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const node *)a)->name, ((const node *)b)->name);
}

static char *join(const char *directory, const char *name)
{
    size_t length = strlen(directory), more = strlen(name) + 1;
    size_t slash = length > 0 && directory[length - 1] != '/';
    char *path = malloc(length + slash + more);
    if (path != NULL) {
        memcpy(path, directory, length);
        path[length] = '/';
        memcpy(path + length + slash, name, more);
    }
    return path;
}

static int add(node *d, size_t *room, const char *name, const struct stat *st)
{
    if (d->n == *room) {
        size_t most = 2 * *room + 16;
        node *more = realloc(d->below, most * sizeof *more);
        if (more == NULL) {
            return -ENOMEM;
        }
        d->below = more;
        *room = most;
    }
    char *path = join(d->path, name);
    if (path == NULL) {
        return -ENOMEM;
    }
    d->below[d->n++] = (node){.path = path,
                              .name = path + strlen(path) - strlen(name),
                              .is_directory = S_ISDIR(st->st_mode),
                              .bytes = (long long)st->st_size};
    return 0;
}

static int list(node *d)
{
    DIR *dir = opendir(d->path);
    if (dir == NULL) {
        return -errno;
    }
    int rc = 0;
    size_t room = 0;
    struct dirent *entry;
    struct stat st;
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            rc = errno == ENOENT ? 0 : -errno; /* it has just gone */
        } else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
            rc = add(d, &room, entry->d_name, &st);
        }
    }
    rc = rc == 0 && errno != 0 && errno != ENOENT ? -errno : rc;
    (void)closedir(dir);
    if (d->n != 0) {
        qsort(d->below, d->n, sizeof *d->below, by_name);
    }
    return rc;
}

static void walk(size_t begin, size_t end, void *nodes)
{
    for (size_t i = begin; i < end; i++) {
        node *d = (node *)nodes + i;
        if (d->is_directory) {
            d->error = list(d);
            (void)bg_parallel_for(0, d->n, walk, d->below); /* nobody cancels it */
        }
    }
}

static size_t count(const node *d)
{
    size_t n = d->is_directory ? 0 : 1;
    for (size_t i = 0; i < d->n; i++) {
        n += count(&d->below[i]);
    }
    return n;
}

static node **collect(node *d, node **next)
{
    if (!d->is_directory) {
        *next++ = d;
    }
    for (size_t i = 0; i < d->n; i++) {
        next = collect(&d->below[i], next);
    }
    return next;
}

static void release(node *d)
{
    for (size_t i = 0; i < d->n; i++) {
        release(&d->below[i]);
    }
    free(d->below);
    free(d->path);
}

/* ---- digests ---- */

static int digest_file(node *file)
{
    unsigned char block[BLOCK];
    int fd = open(file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int rc = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) ? 0 : -ENOMEM;
    ssize_t n = 1;
    while (rc == 0 && n != 0) {
        n = read(fd, block, sizeof block);
        if (n < 0) {
            rc = errno == EINTR ? 0 : -errno;
        } else {
            rc = EVP_DigestUpdate(context, block, (size_t)n) ? 0 : -EIO;
        }
    }
    if (rc == 0) {
        rc = EVP_DigestFinal_ex(context, file->digest, NULL) ? 0 : -EIO;
    }
    EVP_MD_CTX_free(context);
    (void)close(fd);
    return rc;
}

static void digest_files(size_t begin, size_t end, void *files)
{
    for (size_t i = begin; i < end; i++) {
        node *file = ((node **)files)[i];
        file->error = digest_file(file);
    }
}

static const char *hex_of(const node *d, char hex[2 * DIGEST + 1])
{
    for (size_t i = 0; i < DIGEST; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", d->digest[i]);
    }
    return hex;
}

/* Little work, so one after another. */
static int digest_directory(node *d)
{
    char hex[2 * DIGEST + 1];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; ok && i < d->n; i++) {
        node *e = &d->below[i];
        ok = (!e->is_directory || digest_directory(e) == 0) &&
             EVP_DigestUpdate(context, e->is_directory ? "d " : "f ", 2) &&
             EVP_DigestUpdate(context, hex_of(e, hex), 2 * DIGEST) &&
             EVP_DigestUpdate(context, " ", 1) &&
             EVP_DigestUpdate(context, e->name, strlen(e->name) + 1);
    }
    ok = ok && EVP_DigestFinal_ex(context, d->digest, NULL);
    EVP_MD_CTX_free(context);
    return ok ? 0 : -ENOMEM;
}

/* ---- the whole ---- */

static int by_size(const void *a, const void *b, void *ctx)
{
    const node *x = *(node *const *)a, *y = *(node *const *)b;
    (void)ctx;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes); /* the largest first */
}

static int by_path(const void *a, const void *b, void *ctx)
{
    (void)ctx;
    return strcmp((*(node *const *)a)->path, (*(node *const *)b)->path);
}

/* As sha256sum does: a name with a line end or a backslash is escaped, and its line marked. */
static void print(const node *d)
{
    char hex[2 * DIGEST + 1];
    printf("%s%s  ", strpbrk(d->path, "\\\n\r") != NULL ? "\\" : "", hex_of(d, hex));
    for (const char *c = d->path; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r' || *c == '\\') {
            printf("\\%c", *c == '\n' ? 'n' : *c == '\r' ? 'r' : '\\');
        } else {
            (void)putchar(*c);
        }
    }
    (void)putchar('\n');
}

static int failed(const node *d)
{
    int is = d->error != 0;
    if (is) {
        (void)fprintf(stderr, "sha256_tree: %s: %s\n", d->path, bg_strerror(d->error));
    }
    for (size_t i = 0; i < d->n; i++) {
        is |= failed(&d->below[i]);
    }
    return is;
}

struct arguments {
    node root;
    int whole;
};

static int sha256_tree(void *arg)
{
    struct arguments *a = arg;
    walk(0, 1, &a->root);
    size_t n = count(&a->root);
    node **files = malloc((n + 1) * sizeof(node *));
    if (files == NULL) {
        return -ENOMEM;
    }
    (void)collect(&a->root, files);
    (void)bg_parallel_sort(files, n, sizeof(node *), by_size, NULL);
    (void)bg_parallel_for(0, n, digest_files, files, .grain = 1);
    (void)bg_parallel_sort(files, n, sizeof(node *), by_path, NULL);
    for (size_t i = 0; i < n && !a->whole; i++) {
        if (files[i]->error == 0) {
            print(files[i]);
        }
    }
    free(files);
    if (failed(&a->root)) {
        return 1;
    }
    int rc = a->whole ? digest_directory(&a->root) : 0;
    if (rc == 0 && a->whole) {
        print(&a->root);
    }
    return rc;
}

int main(int argc, char *argv[])
{
    struct arguments a = {.whole = argc == 3 && strcmp(argv[1], "-r") == 0};
    if (argc != 2 + a.whole || argv[argc - 1][0] == '\0' || argv[argc - 1][0] == '-') {
        (void)fprintf(stderr, "usage: sha256_tree [-r] DIR\n");
        return 2;
    }
    a.root = (node){.path = strdup(argv[argc - 1]), .is_directory = 1};
    int rc = a.root.path == NULL ? -ENOMEM : bg_run(sha256_tree, &a, .stack_size = STACK);
    release(&a.root);
    if (rc < 0) {
        (void)fprintf(stderr, "sha256_tree: %s\n", bg_strerror(rc));
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "sha256_tree: what it found could not be written\n");
        rc = 1;
    }
    return rc != 0;
}
