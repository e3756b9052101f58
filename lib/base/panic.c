/*
 * The line is built in a buffer on the stack; what does not fit is cut, the newline never.
 */
#include "base/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

struct line {
    size_t used;
    char text[LINE_MAX_BYTES];
};

static BGI_PRINTF(2, 0) void line_vadd(struct line *line, const char *fmt, va_list args)
{
    size_t room = sizeof line->text - 1 - line->used; /* one byte is kept for the newline */
    int n = vsnprintf(line->text + line->used, room, fmt, args);
    if (n > 0) {
        line->used += (size_t)n < room ? (size_t)n : room - 1;
    }
}

static BGI_PRINTF(2, 3) void line_add(struct line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    line_vadd(line, fmt, args);
    va_end(args);
}

BGI_NORETURN static void line_die(struct line *line)
{
    line->text[line->used++] = '\n';
    ssize_t written = write(STDERR_FILENO, line->text, line->used);
    (void)written; /* nobody is left to tell */
    abort();
}

void bgi_panic(const char *fmt, ...)
{
    struct line line = {0};
    line_add(&line, "brigade: ");
    va_list args;
    va_start(args, fmt);
    line_vadd(&line, fmt, args);
    va_end(args);
    line_die(&line);
}

void bgi_misuse(const char *function, const char *task, const char *fmt, ...)
{
    struct line line = {0};
    line_add(&line, "brigade: misuse: %s", function);
    if (task != NULL) {
        line_add(&line, " in task '%s'", task);
    }
    line_add(&line, ": ");
    va_list args;
    va_start(args, fmt);
    line_vadd(&line, fmt, args);
    va_end(args);
    line_die(&line);
}
