/*
 * Files and directories: calls that may take as long as a disk does.
 *
 * They are made on the threads for blocking calls (brigade/blocking.h); the task waits and no
 * worker does. What is read from and written to an open file goes through brigade/io.h or a stream.
 *
 * All of them suspend, can be cancelled, and obey deadlines; on a plain thread they block. One that
 * fails with -ECANCELED or -ETIMEDOUT has not been made, or is being made still: it may yet create,
 * replace or remove what it was asked to, but uses none of the caller's memory, and leaves no
 * descriptor and no memory behind. They also fail with -EAGAIN and -ENOMEM as bg_blocking does, and
 * with what the system calls they are named after fail with. -EINVAL: a path, or a pointer for a
 * result, is NULL.
 *
 * A relative path starts at the working directory of the process.
 */
#ifndef BRIGADE_FILE_H
#define BRIGADE_FILE_H

#include <brigade/detail/options.h>
#include <brigade/types.h>
#include <sys/stat.h>
#include <sys/types.h>

BG_BEGIN_DECLS

/* open(2), with O_CLOEXEC: a descriptor, which is the caller's, for bg_fd_close. mode: that of a
 * file that is created. */
BG_API int bg_file_open(const char *path, int flags, mode_t mode);

/* stat(2), lstat(2): 0 and *out. */
BG_API int bg_file_stat(const char *path, struct stat *out);
BG_API int bg_file_lstat(const char *path, struct stat *out);

/*
 * All that is in a file, in *data, with a '\0' behind it, for free(3); *size, if not NULL, is how
 * many bytes. limit: the most it may be, 0: no limit. 0; -EFBIG: it is more.
 */
BG_API int bg_file_read_whole(const char *path, char **data, size_t *size, size_t limit);

typedef struct bg_file_write_options {
    size_t size; /* filled in by the macros: sizeof(bg_file_write_options) */
    mode_t
        mode; /* of the file; 0: that of the file that is replaced, else 0666 without the umask */
    int sync; /* not 0: it is on the disk when this returns, as fsync(2) says */
} bg_file_write_options;

/*
 * int bg_file_write_whole(const char *path, const void *data, size_t size, ...options): makes this
 * the contents of the file, at once: who opens the path finds what was there or all that is new.
 * It is written to a new file beside it ("<path>.<numbers>.tmp"), which then takes its name; a
 * symbolic link is replaced, and not what it points to. The data are copied. 0; after a failure the
 * path is as it was, unless only the sync of its directory has failed.
 */
#define bg_file_write_whole(...)                                                                   \
    BG_DETAIL_CALL3(bg_file_write_whole_opts, bg_file_write_options, __VA_ARGS__)
BG_API int bg_file_write_whole_opts(const char *path, const void *data, size_t size,
                                    const bg_file_write_options *options);

/* unlink(2), rmdir(2), mkdir(2), rename(2): 0. */
BG_API int bg_file_unlink(const char *path);
BG_API int bg_file_rmdir(const char *path);
BG_API int bg_file_mkdir(const char *path, mode_t mode);
BG_API int bg_file_rename(const char *from, const char *to);

/* fsync(2): 0. */
BG_API int bg_file_sync(int fd);

/* ---- directories ---- */

typedef struct bg_walk bg_walk;

/* What an entry is, and which are wanted. */
#define BG_WALK_FILE 1
#define BG_WALK_DIRECTORY 2
#define BG_WALK_LINK 4
#define BG_WALK_OTHER 8

typedef struct bg_walk_options {
    size_t size;   /* filled in by the macros: sizeof(bg_walk_options) */
    int follow;    /* not 0: a link counts as what it points to, unless it points to nothing */
    int max_depth; /* what is in the directory itself has depth 1; 0: no limit */
    int types; /* BG_WALK_*, or-ed: which entries to give; 0: all. All directories are entered */
} bg_walk_options;

typedef struct bg_walk_entry {
    const char *path; /* the one the walk began with, and the way from there; until the next call */
    const char *name; /* its last part */
    int type;         /* BG_WALK_* */
    int depth;
    int error; /* 0; or why this directory could not be read: it has been given before, without */
} bg_walk_entry;

/*
 * int bg_walk_open(bg_walk **out, const char *path, ...options): begins to walk over all that is
 * below a directory. Reads that: fails as opendir(3). 0, and *out, for bg_walk_close. One task at a
 * time may use it.
 */
#define bg_walk_open(...) BG_DETAIL_CALL2(bg_walk_open_opts, bg_walk_options, __VA_ARGS__)
BG_API int bg_walk_open_opts(bg_walk **out, const char *path, const bg_walk_options *options);

/*
 * The next entry, in *entry: 1; 0: there are no more. A directory comes before what is in it; in
 * which order those of one directory come is up to the system. A directory that cannot be read is
 * given once more, with an error, and left out: also one that, by links, is within itself (-ELOOP).
 * Each directory is read whole, by one call, when the walk gets there; none stays open.
 *
 * A failure (-ECANCELED, -ETIMEDOUT, -ENOMEM, -EAGAIN) leaves the walk where it is: call again.
 */
BG_API int bg_walk_next(bg_walk *walk, bg_walk_entry *entry);

/* What is in the directory that was given last is left out. */
BG_API void bg_walk_skip(bg_walk *walk);

/* Frees it; NULL is ignored. Does not suspend. */
BG_API void bg_walk_close(bg_walk *walk);

BG_END_DECLS

#endif
