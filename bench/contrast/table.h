/*
 * The table a person reads, one for each job, and the small formats it is made of.
 */
#ifndef CONTRAST_TABLE_H
#define CONTRAST_TABLE_H

#include "results.h"

#include <stdio.h>

/* 1234567 as "1,234,567". */
const char *format_count(uint64_t n, char text[32]);
/* Seconds, with three digits that count: "812 us", "12.3 ms", "1.23 s", "1,004 s". */
const char *format_seconds(double seconds, char text[32]);
/* Bytes in MiB. */
const char *format_memory(uint64_t bytes, char text[32]);
/* "1.97x"; "~97x" when it is estimated; "-" when there is nothing to compare with. */
const char *format_speedup(const struct row *row, char text[32]);

void table_print(FILE *out, const struct results *r);

#endif
