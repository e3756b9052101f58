/*
 * Loops: a range is halved, and halved again, until a half is small enough to be one part; each
 * second half is forked.
 *
 * Invariants
 *   L1  Each item is in one part: who goes through a range passes on two halves of it, and nothing
 *       of it is touched by both.
 *   L2  The recursion is as deep as the range has bits: so many forks wait to be joined, the oldest
 *       of which is half of the range. Whoever asks for work gets that (parallel/fork.c); and when
 *       a part waits all of them can be had.
 *   L3  A fork that nobody wanted is gone on with in place, from left to right.
 *
 * How large a part is: as many items as take some microseconds, measured as parts are done. The
 * first one has a single item, its neighbour too, and then each half is twice the one before: so
 * parts grow by themselves until one takes long enough, and a short loop has a handful of them.
 * `chunk`, what is small enough, is learnt anew by whoever goes through a range: items may take
 * longer in one part of the loop than in another, and who is in the midst of a large part forks
 * nothing that others could have.
 */
#include "parallel/fork.h"
#include "parallel/stop.h"

#include "base/clock.h"

#include <brigade/fork.h>
#include <brigade/parallel.h>
#include <errno.h>

enum {
    PART_NS = 5 * 1000, /* that a part should take */
    TILE_ROWS = 16,
    TILE_COLUMNS = 256
};

struct loop {
    bg_range_fn body; /* or: */
    bg_try_range_fn try_body;
    void *ctx;
    size_t grain; /* 0: automatic */
    struct bgi_stop stop;
};

struct range {
    struct loop *loop;
    size_t lo, hi;
};

static void call(struct loop *l, size_t lo, size_t hi)
{
    if (l->body != NULL) {
        l->body(lo, hi, l->ctx);
    } else {
        int r = l->try_body(lo, hi, l->ctx);
        if (r < 0) {
            bgi_stop_with(&l->stop, r);
        }
    }
}

/* Of who goes through a range. */
struct pace {
    bg_time last;
    size_t items; /* done since then */
    size_t chunk; /* so many are small enough to be a part */
    int not_now;  /* the next part need not be measured */
};

static void pace_begin(struct pace *p, const struct loop *l, size_t chunk)
{
    *p = (struct pace){.chunk = chunk, .last = l->grain == 0 ? bgi_clock_rough() : 0};
}

/*
 * A part of so many items has been done: what is small enough from now on. What comes next is twice
 * as long, or has one item more, since halves are rounded down. To look at the clock costs 10 to 20
 * ns: when parts take far less time than they may, the next is not measured, and the one after it,
 * four times as long, may be one part.
 */
static void learn(size_t items, struct pace *p)
{
    p->items += items;
    if (p->not_now) {
        p->not_now = 0;
        return;
    }
    bg_time now = bgi_clock_rough();
    bg_duration took = now - p->last;
    if (took < PART_NS / 2) {
        p->not_now = took < PART_NS / 16;
        if (items > p->chunk / 2) {
            p->chunk = p->not_now ? 4 * items + 3 : 2 * items + 1;
        }
    } else if (took > 2 * PART_NS && p->chunk > 1) {
        size_t fits = (size_t)((double)p->items * (double)PART_NS / (double)took);
        p->chunk = fits != 0 ? fits : 1;
    }
    p->last = now;
    p->items = 0;
}

/* The end of a range's first half; grains stay whole. */
static size_t middle_of(const struct loop *l, size_t lo, size_t hi)
{
    size_t half = (hi - lo) / 2;
    if (l->grain != 0) {
        half -= half % l->grain;
        half = half != 0 ? half : l->grain;
    }
    return lo + half;
}

static int go_through(void *arg);

static void halve(struct loop *l, size_t lo, size_t hi, struct pace *p)
{
    if (bgi_stop_error(&l->stop) != 0) {
        return;
    }
    if (hi - lo <= (l->grain != 0 ? l->grain : p->chunk)) {
        if (bgi_stopped(&l->stop)) { /* cancelled, too */
            return;
        }
        call(l, lo, hi);
        if (l->grain == 0) {
            learn(hi - lo, p);
        }
        return;
    }
    bg_fork_frame f;
    struct range second = {l, middle_of(l, lo, hi), hi};
    bgi_fork_at(&f, go_through, &second, p->last);
    halve(l, lo, second.lo, p);
    if (bg_detail_fork_end(&f.detail)) {
        pace_begin(p, l, p->chunk); /* it has waited */
    } else {
        halve(l, second.lo, hi, p);
    }
}

static int go_through(void *arg)
{
    const struct range *r = arg;
    struct pace p;
    pace_begin(&p, r->loop, 1);
    halve(r->loop, r->lo, r->hi, &p);
    return 0;
}

static int run(struct loop *l, size_t begin, size_t end, const bg_parallel_options *options)
{
    if (end < begin || options == NULL || options->size < sizeof *options) {
        return -EINVAL;
    }
    l->grain = options->grain;
    struct range all = {l, begin, end};
    if (!bgi_stopped(&l->stop) && begin != end) {
        (void)go_through(&all);
    }
    return bgi_stop_result(&l->stop);
}

int bg_parallel_for_opts(size_t begin, size_t end, bg_range_fn body, void *ctx,
                         const bg_parallel_options *options)
{
    struct loop l = {.body = body, .ctx = ctx};
    return body == NULL ? -EINVAL : run(&l, begin, end, options);
}

int bg_parallel_try_for_opts(size_t begin, size_t end, bg_try_range_fn body, void *ctx,
                             const bg_parallel_options *options)
{
    struct loop l = {.try_body = body, .ctx = ctx};
    return body == NULL ? -EINVAL : run(&l, begin, end, options);
}

/* ---- two dimensions: a loop over tiles ---- */

struct tiles {
    const bg_range_2d *range;
    bg_range_2d_fn body;
    void *ctx;
    size_t rows, columns; /* of a tile */
    size_t across;        /* tiles beside each other */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void tile(size_t begin, size_t end, void *arg)
{
    const struct tiles *t = arg;
    const bg_range_2d *r = t->range;
    for (size_t i = begin; i < end; i++) {
        bg_range_2d part;
        part.row_begin = r->row_begin + i / t->across * t->rows;
        part.row_end = part.row_begin + least(t->rows, r->row_end - part.row_begin);
        part.column_begin = r->column_begin + i % t->across * t->columns;
        part.column_end = part.column_begin + least(t->columns, r->column_end - part.column_begin);
        t->body(&part, t->ctx);
    }
}

int bg_parallel_for_2d_opts(const bg_range_2d *range, bg_range_2d_fn body, void *ctx,
                            const bg_parallel_2d_options *options)
{
    size_t n;
    if (range == NULL || body == NULL || options == NULL || options->size < sizeof *options ||
        range->row_end < range->row_begin || range->column_end < range->column_begin) {
        return -EINVAL;
    }
    struct tiles t = {.range = range, .body = body, .ctx = ctx};
    t.rows = options->rows != 0 ? options->rows : TILE_ROWS;
    t.columns = options->columns != 0 ? options->columns : TILE_COLUMNS;
    size_t rows = range->row_end - range->row_begin;
    size_t columns = range->column_end - range->column_begin;
    size_t down = rows / t.rows + (rows % t.rows != 0);
    t.across = columns / t.columns + (columns % t.columns != 0);
    if (__builtin_mul_overflow(down, t.across, &n)) {
        return -EINVAL;
    }
    return bg_parallel_for(0, n, tile, &t);
}
