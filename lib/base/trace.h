/*
 * Trace points: BGI_TRACE(park, worker_index, 0). Without BGI_TRACE_ENABLED the arguments are
 * compiled but never evaluated, and nothing of a trace point is left in the program.
 *
 * With it, a point calls the sink, if one is set: (event's name, two numbers or pointers).
 */
#ifndef BGI_TRACE_H
#define BGI_TRACE_H

#include "base/compiler.h"

#include <stdint.h>

#ifdef BGI_TRACE_ENABLED

struct bgi_trace_sink {
    void (*record)(void *ctx, const char *event, uint64_t a, uint64_t b);
    void *ctx;
};

/* NULL: no sink. The sink must outlive its use and bear calls from any thread. */
void bgi_trace_set_sink(const struct bgi_trace_sink *sink);

void bgi_trace_record(const char *event, uint64_t a, uint64_t b);

#define BGI_TRACE(event, a, b)                                                                     \
    bgi_trace_record(#event, (uint64_t)(uintptr_t)(a), (uint64_t)(uintptr_t)(b))

#else

#define BGI_TRACE(event, a, b) ((void)sizeof((a) ? 1 : 0), (void)sizeof((b) ? 1 : 0))

#endif

#endif
