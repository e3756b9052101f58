/*
 * Do all modes agree on every file?
 *
 * The first digest of a file is kept; each later one is compared with it. When two differ, or a
 * file could be read once and not another time, the file is looked at: one that is not as it was
 * listed any more is left out from then on and reported like an unreadable one; otherwise the
 * modes disagree, which is an error.
 */
#ifndef CONTRAST_DIGESTS_H
#define CONTRAST_DIGESTS_H

#include "work.h"

struct verdict {
    int32_t error; /* 0, or the negative errno of the first time it was skipped */
    bool seen;
    const char *mode; /* whose digest it is */
    unsigned char digest[HASH_SIZE];
};

struct digests {
    struct file_list *files;
    struct verdict *of; /* one a file */
    size_t skipped;     /* files with an error */
    size_t disagree;
};

/* What one run gave: how many files it hashed, and the SHA-256 over "path, zero byte, digest" of
 * those files in the order of their paths. */
struct digest_list {
    size_t files;
    size_t visited; /* hashed or skipped */
    char hex[2 * HASH_SIZE + 1];
};

int digests_open(struct digests *d, struct file_list *files);
void digests_close(struct digests *d);

/* Looks at the slots that a run of `mode` left behind; says on stderr what is new. 0 or -ENOMEM. */
int digests_check(struct digests *d, const struct shared *shared, const char *mode,
                  struct digest_list *list);

#endif
