/*
 * Pipelines: items that go through a row of stages, several of them at a time.
 *
 *     bg_pipeline(8, sizeof(struct line), BG_SERIAL(read_line, &in), BG_PARALLEL(parse, NULL),
 *                 BG_SERIAL(print, &out));
 *
 * The first stage makes the items, one after another. A BG_SERIAL stage sees them one at a time, in
 * the order in which the first one made them; a BG_PARALLEL stage any number at once. What a serial
 * stage does for an item is seen by its call for the next one: ctx needs no lock.
 *
 * Can be called anywhere. In a task, workers with nothing to do take part, and a stage may wait as
 * a task may, on whatever task it runs: then other items go on beside it, on one worker too. As
 * long as nobody has nothing to do, and the stages do not wait, the caller takes one item after
 * another through all stages, on its own stack. In a callback and on a plain thread that is how it
 * always is, and a stage must not wait for what a later item does.
 */
#ifndef BRIGADE_PIPELINE_H
#define BRIGADE_PIPELINE_H

#include <brigade/detail/options.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/*
 * A stage's function. `item` is the item's storage; it stays the same in all stages.
 *
 * The first stage: positive: there is an item; 0: there are no more, and it is not called again.
 * Those behind it: positive: the item goes on; 0: it ends here, and the stage has taken care of
 * what it held; after the last stage an item has come out either way. Negative: an error, which
 * ends the pipeline. A first stage that fails has made no item; in others the item is dropped.
 */
typedef int (*bg_stage_fn)(void *item, void *ctx);

typedef struct bg_stage {
    bg_stage_fn fn;
    void *ctx;
    int parallel; /* not 0: any number at once, in any order */
} bg_stage;

static inline bg_stage bg_detail_stage(bg_stage_fn fn, void *ctx, int parallel)
{
    bg_stage s;
    s.fn = fn;
    s.ctx = ctx;
    s.parallel = parallel;
    return s;
}

#define BG_SERIAL(fn, ctx) bg_detail_stage((fn), (ctx), 0)
#define BG_PARALLEL(fn, ctx) bg_detail_stage((fn), (ctx), 1)

typedef struct bg_pipeline_options {
    size_t size;      /* filled in by the macros: sizeof(bg_pipeline_options) */
    size_t tokens;    /* items under way at a time, at most; not 0 */
    size_t item_size; /* bytes of an item */
    void (*drop)(void *item, void *ctx);
    void *drop_ctx;
} bg_pipeline_options;

/*
 * int bg_pipeline_run(const bg_stage stages[], size_t n, ...options): takes items through n stages,
 * the first of which is serial, until that has no more.
 *
 * .tokens: so many items are under way at most, from the call of the first stage on. .item_size:
 * bytes of an item's storage, which is the pipeline's, aligned as malloc aligns, and used for one
 * item after another: the first stage finds there what was left, or nothing defined. .drop,
 * .drop_ctx: drop(item, drop_ctx) is given each item that was made and, because the pipeline ended
 * early, neither came out of the last stage nor ended in one: so nothing it holds is lost. It may
 * be called by several workers at once, and in a task that is to end.
 *
 * When a stage fails no further calls of stages begin, those that have begun are waited for, and
 * the error (the first, in time) is returned. When the caller is cancelled, or a deadline around it
 * passes, likewise, and those that wait are told to end: -ECANCELED or -ETIMEDOUT, or what a stage
 * made of it. The same happens in a bg_shield when the runtime ends and others take part.
 *
 * Suspends when others take part or a stage does. 0: all items have gone through. -ENOMEM: no
 * memory for a single item (of over 128 bytes only); with less memory than for all tokens there are
 * fewer. -EINVAL: no tokens, no stages, a NULL function, a first stage that is parallel, more bytes
 * than a size_t can count, or options that are not valid; no stage was called.
 *
 * Source: tokens that go through filters, as in TBB's parallel_pipeline.
 */
#define bg_pipeline_run(...) BG_DETAIL_CALL2(bg_pipeline_run_opts, bg_pipeline_options, __VA_ARGS__)
BG_API int bg_pipeline_run_opts(const bg_stage stages[], size_t n,
                                const bg_pipeline_options *options);

static inline int bg_detail_pipeline(size_t tokens, size_t item_size, const bg_stage stages[],
                                     size_t n)
{
    bg_pipeline_options o;
    o.size = sizeof o;
    o.tokens = tokens;
    o.item_size = item_size;
    o.drop = 0;
    o.drop_ctx = 0;
    return bg_pipeline_run_opts(stages, n, &o);
}

BG_END_DECLS

/* int bg_pipeline(size_t tokens, size_t item_size, stages...): the same in short, for items that
 * may be forgotten. */
#ifdef __cplusplus
template <class... Stages> inline int bg_pipeline(size_t tokens, size_t item_size, Stages... stages)
{
    const bg_stage all[] = {stages...};
    return bg_detail_pipeline(tokens, item_size, all, sizeof...(stages));
}
#else
#define bg_pipeline(tokens, item_size, ...)                                                        \
    bg_detail_pipeline((tokens), (item_size), (const bg_stage[]){__VA_ARGS__},                     \
                       sizeof((const bg_stage[]){__VA_ARGS__}) / sizeof(bg_stage))
#endif

#endif
