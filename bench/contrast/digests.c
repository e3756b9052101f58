/*
 * Compares the slots of each run with what earlier runs said about the same files.
 */
#include "digests.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 20 /* so many lines of a kind; then their number has to do */

int digests_open(struct digests *d, struct file_list *files)
{
    *d = (struct digests){.files = files};
    d->of = calloc(files->n ? files->n : 1, sizeof *d->of);
    return d->of ? 0 : -ENOMEM;
}

void digests_close(struct digests *d)
{
    free(d->of);
    d->of = NULL;
}

static const char *reason(int error)
{
    return error == -ESTALE ? "it changed after it was listed" : strerror(-error);
}

static void skip(struct digests *d, size_t i, int error)
{
    char name[512];
    struct verdict *v = &d->of[i];
    if (v->error != 0)
        return;
    v->error = error;
    d->skipped++;
    say("skipped %s: %s", say_path(d->files->file[i].path, name, sizeof name), reason(error));
}

static void disagree(struct digests *d, size_t i, const char *mode, const unsigned char *digest)
{
    char name[512], one[2 * HASH_SIZE + 1], two[2 * HASH_SIZE + 1];
    if (d->disagree++ >= SHOWN)
        return;
    hash_hex(d->of[i].digest, one);
    hash_hex(digest, two);
    say("digests disagree on %s: %s says %s, %s says %s",
        say_path(d->files->file[i].path, name, sizeof name), d->of[i].mode, one, mode, two);
}

static void check_one(struct digests *d, size_t i, const struct slot *slot, const char *mode)
{
    struct verdict *v = &d->of[i];
    if (slot->status < 0) {
        skip(d, i, slot->status);
    } else if (!v->seen) {
        v->seen = true;
        v->mode = mode;
        memcpy(v->digest, slot->digest, HASH_SIZE);
    } else if (v->error == 0 && memcmp(v->digest, slot->digest, HASH_SIZE) != 0) {
        if (file_changed(&d->files->file[i]))
            skip(d, i, -ESTALE);
        else
            disagree(d, i, mode, slot->digest);
    }
}

int digests_check(struct digests *d, const struct shared *shared, const char *mode,
                  struct digest_list *list)
{
    unsigned char all[HASH_SIZE];
    struct hasher *h = hasher_open();
    if (h == NULL)
        return -ENOMEM;
    list->files = list->visited = 0;
    for (size_t i = 0; i < d->files->n; i++) {
        const struct slot *slot = &shared->slots[i];
        if (slot->status == SLOT_EMPTY)
            continue;
        list->visited++;
        check_one(d, i, slot, mode);
        if (slot->status == SLOT_HASHED) {
            const char *path = d->files->file[i].path;
            hasher_add(h, path, strlen(path) + 1);
            hasher_add(h, slot->digest, HASH_SIZE);
            list->files++;
        }
    }
    int rc = hasher_close(h, all);
    if (rc == 0)
        hash_hex(all, list->hex);
    return rc;
}
