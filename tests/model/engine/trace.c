/*
 * The failing interleaving, one line a step. Return addresses are collected and looked up at the
 * end, all at once, by llvm-symbolizer or addr2line; of the inlined functions at an address the
 * first is named that is not in atomic.h or libatomic_ops.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "engine.h"
#include "symbols.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_COUNT = 4000 };
static struct {
    int thread;
    const void *pc;
    char text[200];
} lines[LINE_MAX_COUNT];
static unsigned line_count;
static char addresses[LINE_MAX_COUNT][160];

void trace_clear(void)
{
    line_count = 0;
}

void trace(const void *pc, const char *fmt, ...)
{
    if (!tracing || line_count == LINE_MAX_COUNT) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(lines[line_count].text, sizeof lines[0].text, fmt, args);
    va_end(args);
    lines[line_count].thread = phase == RUN ? self : -1;
    lines[line_count++].pc = pc;
}

void trace_print(void)
{
    static const void *pcs[LINE_MAX_COUNT];
    for (unsigned i = 0; i < line_count; i++) {
        pcs[i] = lines[i].pc;
    }
    symbols_of(pcs, line_count, addresses);
    for (unsigned i = 0; i < line_count; i++) {
        if (lines[i].thread < 0) {
            printf("      %-64s %s\n", lines[i].text, addresses[i]);
        } else {
            printf("  T%d  %-64s %s\n", lines[i].thread, lines[i].text, addresses[i]);
        }
    }
    if (line_count == LINE_MAX_COUNT) {
        printf("  (cut off after %d steps)\n", LINE_MAX_COUNT);
    }
}
