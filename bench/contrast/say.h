/*
 * What the program says on stderr: progress, on a terminal only and always on one line that is
 * wiped away again, and messages. Names of files go through say_path, which shows control
 * characters as \xNN, so that no name can drive the terminal.
 */
#ifndef CONTRAST_SAY_H
#define CONTRAST_SAY_H

#include "base/compiler.h"

#include <stddef.h>

void say_progress(const char *fmt, ...) BGI_PRINTF(1, 2);
void say_progress_end(void);

/* "brigade-contrast: " the message and a line feed. */
void say(const char *fmt, ...) BGI_PRINTF(1, 2);

/* Fills text (cut off to fit) and returns it. */
const char *say_path(const char *path, char *text, size_t room);

#endif
