/*
 * The input: every regular file below a directory, listed once, sorted by path.
 *
 * Symbolic links are not followed (but the directory named on the command line may be one), and
 * they are counted. What cannot be looked at (a directory without permission, a name that has
 * become too long) is kept as a `skip`, so that nothing is left out silently.
 */
#ifndef CONTRAST_FILES_H
#define CONTRAST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    char *path;
    uint64_t size;
    uint64_t inode;
    int64_t mtime_ns;
};

struct skip {
    char *path;
    int error; /* negative errno */
};

struct file_list {
    struct file *file; /* sorted by path */
    uint32_t *by_size; /* indices, largest first; equal sizes in path order */
    size_t n;
    uint64_t bytes;
    size_t links;
    struct skip *skip;
    size_t n_skip;
    size_t room, skip_room;
};

/* Fills *list. 0; -EINTR when *stop became non-zero (may be NULL); -ENOMEM; or why the directory
 * itself could not be opened. Free with files_free in every case. */
int files_list(struct file_list *list, const char *dir, const volatile int *stop);
void files_free(struct file_list *list);

/* Is the file another one now than the one that was listed (size, inode, time of change, gone)? */
bool file_changed(const struct file *f);

#endif
