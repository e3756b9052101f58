/*
 * How many descriptors the process has open: what is left behind shows.
 */
#ifndef TESTS_SUPPORT_DESCRIPTORS_H
#define TESTS_SUPPORT_DESCRIPTORS_H

#include <dirent.h>

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

#endif
