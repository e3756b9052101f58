/*
 * Drives the parser of examples/http as a program does, with a message that arrives in portions,
 * and says all that came of it: so that two ways of arriving can be compared.
 */
#ifndef TESTS_EXAMPLES_HTTP_DRIVE_H
#define TESTS_EXAMPLES_HTTP_DRIVE_H

#include "../../../examples/http/parser.h"

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

/* How the bytes arrive: `first` of them, then `step` at a time, or, with step 0, as many as the
 * seed says. */
struct arrival {
    size_t first, step;
    uint32_t seed;
};

#define AT_ONCE ((struct arrival){SIZE_MAX, 1, 0})

enum { DRIVE_TEXT = 512 }; /* so much of the content is kept, and of a text */

struct outcome {
    int rc;          /* 1: complete; 0: more was needed, and it may not end there; else a failure */
    int by_close;    /* complete because nothing more came */
    size_t consumed; /* bytes of the message, as far as it was understood */
    size_t head;     /* bytes of the head; 0: it was not complete */
    enum http_length length;
    uint64_t size;
    unsigned status, minor;
    int keep_alive, expect_continue;
    size_t headers;
    uint64_t headers_sum; /* of their names and values */
    char method[DRIVE_TEXT], target[DRIVE_TEXT], path[DRIVE_TEXT];
    uint64_t content_size, content_sum;
    char content[DRIVE_TEXT];
};

/* Everything the parser is given lies in memory of exactly the size that is said. Aborts when the
 * parser breaks a promise of its header: consumes too much, points outside, and the like. */
void drive(const char *data, size_t size, enum kind kind, const struct http_limits *limits,
           struct arrival arrival, struct outcome *out);

/* Whether all is the same; prints what is not. */
int same_outcome(const struct outcome *a, const struct outcome *b);

/* What the fuzzer does with an input, and the test with each file of the corpus: drives it at once,
 * a byte at a time, and in portions of its own, message by message. Aborts where these differ. */
void drive_stream(const char *data, size_t size);

#endif
