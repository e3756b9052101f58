/*
 * How many descriptors the process has open: what is left behind shows.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* But its own. The monitor of a runtime looks into a file now and then, to see what a
 * worker does: that is not counted, nor what has been closed meanwhile. */
static inline int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    const struct dirent *e;
    int n = 0;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char what[128] = "";
        ssize_t size = readlinkat(dirfd(d), e->d_name, what, sizeof what - 1);
        n += size > 0 && strncmp(what, "/proc/", 6) != 0;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return n;
}

/* The same of sockets alone, of the first thousand: workers of a runtime that runs have
 * descriptors of their own, which they open when they first need them. */
static inline int open_sockets(void)
{
    struct stat st;
    int n = 0;
    for (int fd = 0; fd < 1000; fd++) {
        n += fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
    }
    return n;
}

#endif
