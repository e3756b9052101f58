/*
 * How many descriptors the process has open: what is left behind shows.
 *
 * By their names in /proc: to ask for each number is a race with who opens and closes others, as
 * the thread sanitizer sees it.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <dirent.h>
#include <string.h>
#include <unistd.h>

static inline int descriptors_named(const char *prefix, int otherwise)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    int n = 0;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char what[128] = "";
        ssize_t size = readlinkat(dirfd(d), e->d_name, what, sizeof what - 1);
        n += size > 0 && (strncmp(what, prefix, strlen(prefix)) == 0) != otherwise;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return n;
}

/* All but its own, and the file into which the monitor of a runtime looks now and then, to see what
 * a worker does. */
static inline int open_descriptors(void)
{
    return descriptors_named("/proc/", 1);
}

/* Of sockets alone: workers of a runtime that runs have descriptors of their own, which they open
 * when they first need them. */
static inline int open_sockets(void)
{
    return descriptors_named("socket:", 0);
}

#endif
