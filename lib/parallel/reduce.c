/*
 * Reduce: a balanced binary tree over the parts of a range, whose right branches are forked.
 *
 * Invariants
 *   R1  The tree depends on the number of parts alone: a node over parts [lo, hi) has its right
 *       branch from the middle on. So what is combined with what does not depend on who takes part.
 *   R2  A value is written by the node that has it, and read by the one above once it has joined
 *       that: fork and join order them.
 *   R3  The recursion is as deep as the number of parts has bits.
 */
#include "parallel/stop.h"

#include "base/alloc.h"

#include <brigade/fork.h>
#include <brigade/parallel.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum {
    SMALL = 128, /* bytes of a value that lies in a frame */
    PARTS_EACH = 64,
    PARTS_MOST = 512
};

struct reduction {
    bg_reduce_fn body;
    bg_combine_fn combine;
    void *ctx;
    const void *identity;
    size_t size;
    size_t begin, end, grain;
    struct bgi_stop stop;
};

struct node {
    struct reduction *r;
    size_t lo, hi; /* parts */
    void *acc;
};

static void leaf(struct reduction *r, size_t part, void *acc)
{
    size_t b = r->begin + part * r->grain;
    size_t e = r->end - b > r->grain ? b + r->grain : r->end;
    memcpy(acc, r->identity, r->size);
    r->body(b, e, acc, r->ctx);
}

static int reduce(void *arg);

static void branches(const struct node *n, void *right)
{
    struct reduction *r = n->r;
    size_t middle = n->lo + (n->hi - n->lo) / 2;
    bg_fork_frame f;
    struct node first = {r, n->lo, middle, n->acc}, second = {r, middle, n->hi, right};
    bg_fork(&f, reduce, &second);
    (void)reduce(&first);
    (void)bg_join(&f);
    if (bgi_stop_error(&r->stop) == 0) {
        r->combine(n->acc, right, r->ctx);
    }
}

static int reduce(void *arg)
{
    const struct node *n = arg;
    struct reduction *r = n->r;
    if (bgi_stopped(&r->stop)) {
        return 0;
    }
    if (n->hi - n->lo == 1) {
        leaf(r, n->lo, n->acc);
    } else if (r->size <= SMALL) {
        _Alignas(max_align_t) unsigned char right[SMALL];
        branches(n, right);
    } else {
        void *right = bgi_malloc(r->size);
        if (right == NULL) {
            bgi_stop_with(&r->stop, -ENOMEM);
            return 0;
        }
        branches(n, right);
        bgi_free(right);
    }
    return 0;
}

/* Few enough that they cost little, enough for many workers; one item each where there are few. */
static size_t automatic_grain(size_t n)
{
    size_t parts = PARTS_EACH + n / PARTS_EACH;
    parts = parts < PARTS_MOST ? parts : PARTS_MOST;
    return n / parts + (n % parts != 0);
}

int bg_parallel_reduce_opts(size_t begin, size_t end, void *result, size_t size, bg_reduce_fn body,
                            bg_combine_fn combine, void *ctx, const bg_parallel_options *options)
{
    _Alignas(max_align_t) unsigned char small[SMALL];
    if (end < begin || result == NULL || size == 0 || body == NULL || combine == NULL ||
        options == NULL || options->size < sizeof *options) {
        return -EINVAL;
    }
    if (begin == end) {
        return bg_cancelled();
    }
    size_t n = end - begin;
    struct reduction r = {.body = body,
                          .combine = combine,
                          .ctx = ctx,
                          .identity = result,
                          .size = size,
                          .begin = begin,
                          .end = end};
    r.grain = options->grain != 0 ? options->grain : automatic_grain(n);
    void *acc = size <= SMALL ? small : bgi_malloc(size);
    if (acc == NULL) {
        return -ENOMEM;
    }
    struct node all = {&r, 0, n / r.grain + (n % r.grain != 0), acc};
    (void)reduce(&all);
    int error = bgi_stop_result(&r.stop);
    if (error == 0) {
        memcpy(result, acc, size);
    }
    if (acc != small) {
        bgi_free(acc);
    }
    return error;
}
