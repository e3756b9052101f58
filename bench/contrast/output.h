/*
 * The results as files: JSON with everything, CSV with a row for each job and mode. Each is
 * written under a temporary name beside FILE and then renamed over it, so that FILE is whole or
 * as it was before. A link keeps pointing where it does; a device or a pipe is written to directly,
 * and so is the file that standard output goes to (/dev/stdout).
 */
#ifndef CONTRAST_OUTPUT_H
#define CONTRAST_OUTPUT_H

#include "results.h"

/* 0, or a negative errno. */
int output_json(const struct results *r, const char *path);
int output_csv(const struct results *r, const char *path);

#endif
