/*
 * Select: waits for the first of several sends, receives and a time.
 *
 *     switch (bg_select(BG_RECV(jobs, &job), BG_SEND(results, &result), BG_AFTER(2 * BG_S))) {
 *     case 0: ...                  job has been received
 *     case 1: ...                  result has been sent
 *     case 2: ...                  neither was possible for two seconds
 *     default: ...                 negative: cancelled, or a channel is closed
 *     }
 *
 * The cases
 *   BG_RECV(chan, &item), BG_SEND(chan, &item)    as bg_recv and bg_send
 *   BG_RECV(chan, &item, &result), BG_SEND(...)   likewise, told how it ended: see below
 *   BG_AFTER(duration)   when so much time has passed and none of the others was possible
 *   BG_DEFAULT           at once, if none of the others is possible: the call never waits then
 *
 * Exactly one case is taken, and nothing is sent or received by the others. Of those that are
 * possible at the same time each is as likely as any other. The same channel may be in several
 * cases, for either direction; what one case sends another of the same call does not receive. A
 * case whose channel is NULL is never possible, so that one can be turned off.
 *
 * A closed channel makes its case possible (for a receive: once it is drained). When such a case is
 * drawn, bg_select returns -EPIPE; or, if the case has a pointer for its result, the index of the
 * case, with *result -EPIPE. For a case that is taken otherwise *result is 0. So a close can be a
 * message:
 *     if (bg_select(BG_RECV(jobs, &job, &rc), BG_RECV(quit, NULL, &closed)) == 1) return;
 */
#ifndef BRIGADE_SELECT_H
#define BRIGADE_SELECT_H

#include <brigade/chan.h>
#include <brigade/types.h>

BG_BEGIN_DECLS

/* What a case is. */
enum bg_case_kind { BG_CASE_SEND, BG_CASE_RECV, BG_CASE_AFTER, BG_CASE_DEFAULT };

/* A case, best made by one of the macros below. `opaque` is bg_select's while it runs. */
typedef struct bg_case {
    bg_chan *chan;
    void *item;
    int *result;
    bg_duration after;
    unsigned kind; /* enum bg_case_kind */
    uintptr_t opaque[11];
} bg_case;

/*
 * int bg_select(bg_case...): waits until one of the cases is possible, takes it, and returns its
 * index, from 0 on.
 *
 * In a task, where it suspends if it has to wait, or on a plain thread, which then blocks; not in a
 * callback, unless there is a BG_DEFAULT. Takes no allocation, for however many cases. Negative,
 * with nothing taken: -ECANCELED, -ETIMEDOUT: as for bg_recv, also if there was no need to wait;
 * not with a BG_DEFAULT, with which it is never cancelled. -EPIPE: see above. -EINVAL: no case, one
 * of no such kind, or a BG_SEND without an item where items have a size. -EPERM: in a callback
 * (misuse in debug builds).
 */
#ifndef __cplusplus
#define bg_select(...)                                                                             \
    bg_select_cases((bg_case[]){__VA_ARGS__}, sizeof((bg_case[]){__VA_ARGS__}) / sizeof(bg_case))
#endif

/* Likewise with an array of n cases. It is written to, and belongs to one call at a time. */
BG_API int bg_select_cases(bg_case *cases, size_t n);

static inline bg_case bg_case_recv(bg_chan *chan, void *item, int *result)
{
    bg_case c = {chan, item, result, 0, BG_CASE_RECV, {0}};
    return c;
}

static inline bg_case bg_case_send(bg_chan *chan, const void *item, int *result)
{
    bg_case c = {chan, (void *)(uintptr_t)item, result, 0, BG_CASE_SEND, {0}};
    return c;
}

static inline bg_case bg_case_after(bg_duration duration)
{
    bg_case c = {NULL, NULL, NULL, duration, BG_CASE_AFTER, {0}};
    return c;
}

static inline bg_case bg_case_default(void)
{
    bg_case c = {NULL, NULL, NULL, 0, BG_CASE_DEFAULT, {0}};
    return c;
}

/* BG_RECV(chan, item) or BG_RECV(chan, item, result); BG_SEND likewise. */
#define BG_RECV(...) BG_DETAIL_CASE(bg_case_recv, __VA_ARGS__, NULL, )
#define BG_SEND(...) BG_DETAIL_CASE(bg_case_send, __VA_ARGS__, NULL, )
#define BG_DETAIL_CASE(make, chan, item, result, ...) make((chan), (item), (result))

/* Not positive: at once, if none of the others is possible. BG_FOREVER: never. */
#define BG_AFTER(duration) bg_case_after(duration)
#define BG_DEFAULT bg_case_default()

BG_END_DECLS

#ifdef __cplusplus
template <class... Cases> inline int bg_select(Cases... cases)
{
    bg_case all[] = {cases...};
    return bg_select_cases(all, sizeof...(cases));
}
#endif

#endif
