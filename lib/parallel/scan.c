/*
 * Scan: the range in blocks; what each comes to, in parallel; what is before each, one after
 * another; and each once more, with that, in parallel.
 *
 * Invariants
 *   C1  A block's value is written by the loop over blocks, and read when that has returned.
 *   C2  Each block is gone through with final = 1 once, with what all blocks before it come to.
 *
 * Alone it is gone through once, from the beginning to the end.
 */
#include "parallel/fork.h"
#include "parallel/stop.h"

#include "base/alloc.h"

#include <brigade/parallel.h>
#include <errno.h>
#include <string.h>

enum {
    BLOCKS_MOST = 256,
    ITEMS_LEAST = 256 /* of a range that is divided, when no grain is given */
};

struct scan {
    bg_scan_fn body;
    void *ctx;
    const void *identity;
    size_t size;
    size_t begin, end, grain;
    unsigned char *values; /* of the blocks: first what they come to, then what is before them */
};

static size_t begin_of(const struct scan *s, size_t block)
{
    return s->begin + block * s->grain;
}

static size_t end_of(const struct scan *s, size_t block)
{
    size_t b = begin_of(s, block);
    return s->end - b > s->grain ? b + s->grain : s->end;
}

static void add_up(size_t begin, size_t end, void *arg)
{
    const struct scan *s = arg;
    for (size_t i = begin; i < end; i++) {
        void *acc = s->values + i * s->size;
        memcpy(acc, s->identity, s->size);
        s->body(begin_of(s, i), end_of(s, i), acc, 0, s->ctx);
    }
}

static void finish(size_t begin, size_t end, void *arg)
{
    const struct scan *s = arg;
    for (size_t i = begin; i < end; i++) {
        s->body(begin_of(s, i), end_of(s, i), s->values + i * s->size, 1, s->ctx);
    }
}

/* One after another, with the result as what comes before. */
static int alone(const struct scan *s, size_t blocks, void *acc)
{
    for (size_t i = 0; i < blocks; i++) {
        int r = bg_cancelled();
        if (r != 0) {
            return r;
        }
        s->body(begin_of(s, i), end_of(s, i), acc, 1, s->ctx);
    }
    return 0;
}

static int together(struct scan *s, size_t blocks, void *result, bg_combine_fn combine)
{
    unsigned char *before = s->values + blocks * s->size, *value = s->values;
    unsigned char *own = before + s->size;
    int r = bg_parallel_for(0, blocks - 1, add_up, s, .grain = 1);
    if (r != 0) {
        return r;
    }
    memcpy(before, s->identity, s->size);
    for (size_t i = 0; i + 1 < blocks; i++, value += s->size) {
        memcpy(own, value, s->size);
        memcpy(value, before, s->size);
        combine(before, own, s->ctx);
    }
    memcpy(value, before, s->size);
    r = bg_parallel_for(0, blocks, finish, s, .grain = 1);
    if (r == 0) {
        memcpy(result, s->values + (blocks - 1) * s->size, s->size);
    }
    return r;
}

int bg_parallel_scan_opts(size_t begin, size_t end, void *result, size_t size, bg_scan_fn body,
                          bg_combine_fn combine, void *ctx, const bg_parallel_options *options)
{
    size_t bytes;
    if (end < begin || result == NULL || size == 0 || body == NULL || combine == NULL ||
        options == NULL || options->size < sizeof *options) {
        return -EINVAL;
    }
    if (begin == end) {
        return bg_cancelled();
    }
    size_t n = end - begin;
    struct scan s = {.body = body,
                     .ctx = ctx,
                     .identity = result,
                     .size = size,
                     .begin = begin,
                     .end = end,
                     .grain = options->grain};
    if (s.grain == 0) {
        s.grain = n <= ITEMS_LEAST ? n : n / BLOCKS_MOST + 1;
    }
    size_t blocks = n / s.grain + (n % s.grain != 0);
    /* Each block's, and two to work with. */
    if (blocks > 2 && bgi_forks_possible() && !__builtin_mul_overflow(blocks + 2, size, &bytes)) {
        s.values = bgi_malloc(bytes);
    }
    if (s.values == NULL) {
        return alone(&s, blocks, result);
    }
    int r = together(&s, blocks, result, combine);
    bgi_free(s.values);
    return r;
}
