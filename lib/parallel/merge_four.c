/*
 * Merging four sequences at once, for elements that are pointers.
 *
 * A merge looks at what each of its elements points to, and once all that exceeds the cache, each
 * look waits for memory and for the page table. Merged two by two, n elements are looked at log2(n)
 * times; merged four by four, an element is compared as often, but the second time soon after the
 * first, when what it points to is in the cache: half as many waits.
 *
 * The first two sequences are merged into a block, the last two into another, and the blocks into
 * the output, as far as it is known that nothing that comes later is before: up to the lesser of
 * their last elements. Then the block that is used up is filled again. So an element moves once
 * more than in a merge of two, within the cache.
 *
 * Invariant: what lies in the blocks, what is still to be merged into them and what is in the
 * output are all elements together, each once, at any time; when the sort is stopped, they are
 * copied as they lie. It does not matter what the comparison says.
 *
 * Source: LaMarca and Ladner, "The influence of caches on the performance of sorting" (1997), who
 * merge many ways for the same reason; here it is two levels of merges of two, so that the merges
 * that run several chains at once (merge.c) do all the work.
 */
#include "parallel/sort.h"

#include "base/alloc.h"

#include <stdint.h>

enum {
    BLOCK = 2048, /* elements: with what they point to, they fit the second cache */
    FEW = 64      /* when there is no memory for more */
};

/* Two sequences, merged as far as a block holds. */
struct stream {
    const char *l, *l_end, *r, *r_end; /* what is still to be merged */
    char *block;
    const char *at, *end; /* what is merged, and not in the output yet */
};

struct merging {
    const struct bgi_order *order;
    const struct bgi_merger *merger;
    size_t block; /* elements */
};

static size_t elements(const struct merging *m, const char *begin, const char *end)
{
    return (size_t)(end - begin) / m->order->size;
}

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Fills the block when it is used up. Returns whether anything is in it. */
static int fill(const struct merging *m, struct stream *s)
{
    if (s->at != s->end) {
        return 1;
    }
    size_t nl = elements(m, s->l, s->l_end), nr = elements(m, s->r, s->r_end);
    if (nl + nr > m->block) {
        nl = bgi_merge_path(m->order, s->l, lesser(nl, m->block), s->r, lesser(nr, m->block),
                            m->block);
        nr = m->block - nl;
    }
    m->merger->merge(m->order, s->l, nl, s->r, nr, s->block);
    s->l += nl * m->order->size;
    s->r += nr * m->order->size;
    s->at = s->block;
    s->end = s->block + (nl + nr) * m->order->size;
    return s->at != s->end;
}

static char *append(char *out, const char *begin, const char *end)
{
    size_t bytes = (size_t)(end - begin);
    memcpy(out, begin, bytes);
    return out + bytes;
}

/* All that is left of a stream, in order unless the sort is stopped. */
static char *drain(const struct merging *m, const struct stream *s, char *out, int is_stopped)
{
    out = append(out, s->at, s->end);
    if (is_stopped) {
        out = append(out, s->l, s->l_end);
        return append(out, s->r, s->r_end);
    }
    size_t nl = elements(m, s->l, s->l_end), nr = elements(m, s->r, s->r_end);
    m->merger->merge(m->order, s->l, nl, s->r, nr, out);
    return out + (nl + nr) * m->order->size;
}

static void merge(const struct merging *m, struct stream *x, struct stream *y, char *out,
                  int (*stopped)(void *arg), void *arg)
{
    const struct bgi_order *o = m->order;
    int is_stopped = 0;
    while (fill(m, x) && fill(m, y)) {
        is_stopped = stopped(arg);
        if (is_stopped) {
            break;
        }
        size_t nx = elements(m, x->at, x->end), ny = elements(m, y->at, y->end);
        const char *last_x = x->end - o->size, *last_y = y->end - o->size;
        /* Of those that are equal, x's come first, also the ones that are not in its block yet. */
        if (o->cmp(last_x, last_y, o->ctx) <= 0) {
            ny = bgi_merge_before(o, y->at, ny, last_x, 0);
        } else {
            nx = bgi_merge_before(o, x->at, nx, last_y, 1);
        }
        m->merger->merge(o, x->at, nx, y->at, ny, out);
        x->at += nx * o->size;
        y->at += ny * o->size;
        out += (nx + ny) * o->size;
    }
    out = drain(m, x, out, is_stopped);
    (void)drain(m, y, out, is_stopped);
}

void bgi_merge_four(const struct bgi_order *o, const struct bgi_merger *merger,
                    const struct bgi_four *four, int (*stopped)(void *arg), void *arg)
{
    BGI_ALIGNED(64) char few[2 * FEW * sizeof(void *)]; /* comparisons read pointers in it */
    struct merging m = {o, merger, BLOCK};
    char *blocks = bgi_malloc(2 * BLOCK * o->size), *block = blocks;
    if (blocks == NULL) {
        m.block = sizeof few / 2 / o->size;
        block = few;
    }
    struct stream s[2];
    for (int i = 0; i < 2; i++) {
        const char *l = four->at[2 * i], *r = four->at[2 * i + 1];
        char *own = block + (size_t)i * m.block * o->size;
        s[i] = (struct stream){
            l, l + four->n[2 * i] * o->size, r, r + four->n[2 * i + 1] * o->size, own, own, own};
    }
    merge(&m, &s[0], &s[1], four->out, stopped, arg);
    bgi_free(blocks);
}

/* ---- division ---- */

/* The element before which there are k of two sequences; there are more. */
static const char *element_after(const struct bgi_order *o, const struct bgi_four *f, int pair,
                                 size_t k)
{
    size_t nl = f->n[pair], nr = f->n[pair + 1];
    size_t i = bgi_merge_path(o, f->at[pair], nl, f->at[pair + 1], nr, k), j = k - i;
    const char *l = f->at[pair] + i * o->size, *r = f->at[pair + 1] + j * o->size;
    if (i == nl) {
        return r;
    }
    return j == nr || o->cmp(l, r, o->ctx) <= 0 ? l : r;
}

void bgi_four_divide(const struct bgi_order *o, const struct bgi_four *f, size_t k,
                     struct bgi_four *first, struct bgi_four *second)
{
    size_t n_x = f->n[0] + f->n[1], n_y = f->n[2] + f->n[3];
    size_t least = k > n_y ? k - n_y : 0, most = lesser(k, n_x);
    /* How many of the first k come from the first two: as bgi_merge_path finds it. */
    while (least < most) {
        size_t i = least + (most - least) / 2;
        if (o->cmp(element_after(o, f, 0, i), element_after(o, f, 2, k - 1 - i), o->ctx) <= 0) {
            least = i + 1;
        } else {
            most = i;
        }
    }
    const size_t of_pair[2] = {least, k - least};
    first->out = f->out;
    second->out = f->out + k * o->size;
    for (int pair = 0; pair < 4; pair += 2) {
        size_t both = of_pair[pair / 2];
        size_t nl =
            bgi_merge_path(o, f->at[pair], f->n[pair], f->at[pair + 1], f->n[pair + 1], both);
        const size_t n[2] = {nl, both - nl};
        for (int i = 0; i < 2; i++) {
            first->at[pair + i] = f->at[pair + i];
            first->n[pair + i] = n[i];
            second->at[pair + i] = f->at[pair + i] + n[i] * o->size;
            second->n[pair + i] = f->n[pair + i] - n[i];
        }
    }
}
