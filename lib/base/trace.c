/*
 * Where trace points report to. The sink is published by a release store and read by an acquire
 * load, so that a point which sees it sees its fields too.
 */
#include "base/trace.h"

#ifdef BGI_TRACE_ENABLED

#include "base/atomic.h"

static bgi_atomic current_sink; /* struct bgi_trace_sink *; set_sink releases, record acquires */

void bgi_trace_set_sink(const struct bgi_trace_sink *sink)
{
    bgi_store_release_ptr(&current_sink, sink);
}

void bgi_trace_record(const char *event, uint64_t a, uint64_t b)
{
    const struct bgi_trace_sink *sink = bgi_load_acquire_ptr(&current_sink);
    if (sink != NULL) {
        sink->record(sink->ctx, event, a, b);
    }
}

#else

/* A translation unit has to declare something. */
typedef int bgi_trace_compiled_away;

#endif
