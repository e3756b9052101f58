/*
 * How many descriptors the process has open: what is left behind shows.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <dirent.h>
#include <sys/stat.h>

static inline int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = -1; /* its own */
    while (d != NULL && readdir(d) != NULL) {
        n++;
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    return n;
}

/* The same of sockets, of the first thousand, while a runtime runs: that has descriptors of its
 * own, and its monitor now and then opens a file. */
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
