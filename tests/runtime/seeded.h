/*
 * What the tests of the deterministic mode share: an event log, and stderr caught in a file.
 */
#ifndef TESTS_RUNTIME_SEEDED_H
#define TESTS_RUNTIME_SEEDED_H

#include "../task/check.h"

#include <errno.h>
#include <stdarg.h>

enum { LOG_BYTES = 1 << 16 };

struct log {
    size_t used;
    char text[LOG_BYTES];
};

static struct log events;

static inline void note(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(events.text + events.used, LOG_BYTES - events.used, fmt, args);
    va_end(args);
    CHECK(n >= 0 && events.used + (size_t)n < LOG_BYTES);
    events.used += n > 0 ? (size_t)n : 0;
}

static inline void log_clear(void)
{
    memset(&events, 0, sizeof events);
}

/* stderr goes to a file from catch_stderr() to caught(), which gives what was written. */
static FILE *caught_file;
static int caught_before;
static char caught_text[1 << 15];

static inline void catch_stderr(void)
{
    (void)fflush(stderr);
    caught_file = tmpfile();
    cr_assert(caught_file != NULL);
    caught_before = dup(STDERR_FILENO);
    cr_assert(caught_before >= 0);
    cr_assert(dup2(fileno(caught_file), STDERR_FILENO) >= 0);
}

static inline const char *caught(void)
{
    (void)fflush(stderr);
    (void)dup2(caught_before, STDERR_FILENO);
    (void)close(caught_before);
    rewind(caught_file);
    size_t n = fread(caught_text, 1, sizeof caught_text - 1, caught_file);
    caught_text[n] = '\0';
    (void)fclose(caught_file);
    return caught_text;
}

static inline size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++) {
        n++;
    }
    return n;
}

#endif
