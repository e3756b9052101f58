/*
 * Progress and messages share stderr: a message first wipes the progress line away.
 */
#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool shown;

void say_progress(const char *fmt, ...)
{
    static int terminal = -1;
    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    if (!terminal)
        return;
    va_list ap;
    va_start(ap, fmt);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, fmt, ap);
    fflush(stderr);
    va_end(ap);
    shown = true;
}

void say_progress_end(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}

void say(const char *fmt, ...)
{
    va_list ap;
    say_progress_end();
    va_start(ap, fmt);
    fputs("brigade-contrast: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

const char *say_path(const char *path, char *text, size_t room)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)path; *p && n + 5 < room; p++) {
        if (*p < 32 || *p == 127)
            n += (size_t)snprintf(text + n, room - n, "\\x%02x", *p);
        else
            text[n++] = (char)*p;
    }
    text[n] = '\0';
    return text;
}
