/*
 * Invoke: some calls, the later half of which is forked, and so on with each half.
 */
#include "parallel/stop.h"

#include <brigade/fork.h>
#include <brigade/parallel.h>
#include <errno.h>

struct calls {
    const bg_call *call;
    size_t n;
    struct bgi_stop *stop;
};

static int invoke(void *arg)
{
    const struct calls *c = arg;
    if (bgi_stopped(c->stop)) {
        return 0;
    }
    if (c->n == 1) {
        int r = c->call->fn(c->call->arg);
        if (r < 0) {
            bgi_stop_with(c->stop, r);
        }
        return 0;
    }
    bg_fork_frame f;
    size_t half = c->n / 2;
    struct calls first = {c->call, c->n - half, c->stop};
    struct calls second = {c->call + first.n, half, c->stop};
    bg_fork(&f, invoke, &second);
    (void)invoke(&first);
    (void)bg_join(&f);
    return 0;
}

int bg_invoke_all(const bg_call calls[], size_t n)
{
    if (calls == NULL && n > 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (calls[i].fn == NULL) {
            return -EINVAL;
        }
    }
    if (n == 0) {
        return bg_cancelled();
    }
    struct bgi_stop stop = {0};
    struct calls all = {calls, n, &stop};
    (void)invoke(&all);
    return bgi_stop_result(&stop);
}
