/*
 * Opening a file may wait for a disk, and does so in the thread: local files are nearly always
 * there, and when one is not, a spare worker takes over what else there is to do.
 */
#define _POSIX_C_SOURCE 200809L

#include "files.h"

#include <brigade.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 1024 }; /* path */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "%41%2f" is "A/": decoded before it is looked at, and only once. 0, or -400. */
static int decode(char decoded[LONGEST], struct http_text path)
{
    size_t n = 0;
    for (size_t i = 0; i < path.size; i++) {
        char c = path.at[i];
        if (c == '%') {
            int high = path.size - i > 2 ? hex(path.at[i + 1]) : -1;
            int low = high >= 0 ? hex(path.at[i + 2]) : -1;
            if (low < 0) {
                return -400;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || n == LONGEST - 1) {
            return -400;
        }
        decoded[n++] = c;
    }
    decoded[n] = '\0';
    return 0;
}

/* O_NONBLOCK: who opens a FIFO would wait for a writer, and it is not a file to be served. */
static int open_below(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Replaces the directory by what has this name in it. */
static int step(int dir, const char *name)
{
    int fd = strcmp(name, "..") == 0 ? -ENOENT : open_below(dir, name);
    (void)close(dir);
    return fd;
}

static int walk(int root, char *path)
{
    char *rest = NULL;
    int fd = open_below(root, ".");
    for (char *name = strtok_r(path, "/", &rest); name != NULL && fd >= 0;
         name = strtok_r(NULL, "/", &rest)) {
        fd = step(fd, name);
    }
    return fd;
}

static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".svg", "image/svg+xml"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(dot, types[i].ending) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

int http_open_file(int root_fd, struct http_text path, uint64_t *size, const char **type)
{
    char decoded[LONGEST];
    struct stat st = {0};
    int fd = decode(decoded, path);
    if (fd < 0) {
        return fd;
    }
    size_t length = strlen(decoded); /* the walk takes it apart */
    bool folder = length > 0 && decoded[length - 1] == '/';
    *type = type_of(decoded);
    fd = walk(root_fd, decoded);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        *type = type_of("index.html");
        folder = false;
        fd = step(fd, "index.html");
    }
    if (fd >= 0 && (folder || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        (void)close(fd);
        fd = -ENOENT;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}
