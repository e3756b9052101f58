/*
 * See drive.h. The portion that is shown to the parser is copied each time, to memory that ends
 * where it ends, so that the address sanitizer sees what is read beyond.
 */
#include "drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROMISE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t sum(uint64_t before, const char *at, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        before = (before ^ (unsigned char)at[i]) * 0x100000001b3u + 1;
    }
    return before;
}

static char *copy_of(const char *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    PROMISE(copy != NULL);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

static int within(struct http_text t, const char *data, size_t size)
{
    return t.at >= data && t.at <= data + size && t.size <= (size_t)(data + size - t.at);
}

static void keep(char *to, struct http_text t)
{
    size_t n = t.size < DRIVE_TEXT - 1 ? t.size : DRIVE_TEXT - 1;
    memcpy(to, t.at, n);
    to[n] = '\0';
}

static size_t next(size_t have, size_t size, struct arrival *a)
{
    size_t more = a->step;
    if (more == 0) {
        a->seed = a->seed * 1664525u + 1013904223u;
        more = (a->seed >> 16) % 7 + 1;
    }
    return size - have < more ? size : have + more;
}

static void look_at_head(const struct http_parser *p, const char *data, enum kind kind,
                         struct outcome *out)
{
    struct http_text name, value, found;
    out->length = p->length;
    out->size = p->size;
    out->status = p->status;
    out->minor = p->minor;
    out->keep_alive = p->keep_alive;
    out->expect_continue = p->expect_continue;
    if (kind == REQUEST) {
        struct http_text method = http_method(p, data), target = http_target(p, data);
        struct http_text path = http_path(p, data);
        PROMISE(within(method, data, out->head) && within(target, data, out->head));
        PROMISE(method.size > 0 && target.size > 0);
        PROMISE(path.size == 0 || path.at[0] == '/');
        keep(out->method, method);
        keep(out->target, target);
        keep(out->path, path);
    }
    for (size_t walk = 0; http_next_header(p, data, &walk, &name, &value); out->headers++) {
        char *copy = copy_of(name.at, name.size + 1);
        PROMISE(within(name, data, out->head) && within(value, data, out->head));
        PROMISE(name.size > 0 && name.at[name.size] == ':');
        out->headers_sum = sum(out->headers_sum, name.at, name.size);
        out->headers_sum = sum(out->headers_sum, value.at, value.size);
        copy[name.size] = '\0';
        PROMISE(http_header(p, data, copy, &found) && found.at <= value.at);
        free(copy);
    }
    PROMISE(out->headers <= p->limits->headers);
    PROMISE((p->length == HTTP_SIZED) || p->size == 0);
}

static void drive_body(struct http_parser *p, const char *data, size_t size, size_t have,
                       struct arrival arrival, struct outcome *out)
{
    while (!http_done(p)) {
        struct http_text piece;
        char *copy = copy_of(data + out->consumed, have - out->consumed);
        ssize_t n = http_body(p, copy, have - out->consumed, &piece);
        PROMISE(n <= (ssize_t)(have - out->consumed));
        PROMISE(n < 0 || within(piece, copy, (size_t)n));
        if (n < 0) {
            struct http_text again;
            out->rc = (int)n;
            out->consumed = out->head; /* how much else was good depends on the portions */
            PROMISE(http_body(p, copy, have - out->consumed, &again) == n);
            PROMISE(!http_done(p));
            free(copy);
            return;
        }
        if (out->content_size < DRIVE_TEXT - 1) {
            size_t room = DRIVE_TEXT - 1 - (size_t)out->content_size;
            memcpy(out->content + out->content_size, piece.at,
                   piece.size < room ? piece.size : room);
        }
        out->content_sum = sum(out->content_sum, piece.at, piece.size);
        out->content_size += piece.size;
        free(copy);
        out->consumed += (size_t)n;
        if (n == 0) {
            PROMISE(have - out->consumed < p->limits->line + 2);
            if (have == size) {
                out->by_close = http_end_of_input(p) == 0;
                PROMISE(out->by_close == http_done(p));
                break;
            }
            have = next(have, size, &arrival);
        }
    }
    out->rc = http_done(p);
    PROMISE(out->length != HTTP_SIZED || !out->rc || out->content_size == out->size);
    PROMISE(out->content_size == 0 || out->length != HTTP_NO_BODY);
}

void drive(const char *data, size_t size, enum kind kind, const struct http_limits *limits,
           struct arrival arrival, struct outcome *out)
{
    struct http_parser p;
    size_t have = arrival.first < size ? arrival.first : size;

    memset(out, 0, sizeof *out);
    if (kind == REQUEST) {
        http_init_request(&p, limits);
    } else {
        http_init_response(&p, limits, kind == RESPONSE_TO_HEAD);
    }
    for (;;) {
        char *copy = copy_of(data, have);
        ssize_t n = http_head(&p, copy, have);
        PROMISE(n <= (ssize_t)have);
        if (n < 0) {
            PROMISE(http_head(&p, copy, have) == n);
            out->rc = (int)n;
        } else if (n > 0) {
            PROMISE((size_t)n <= limits->head);
            out->head = out->consumed = (size_t)n;
            look_at_head(&p, copy, kind, out);
        } else if (have == size) {
            PROMISE(http_end_of_input(&p) < 0);
        }
        PROMISE(n > 0 || !http_done(&p));
        free(copy);
        if (n > 0) {
            drive_body(&p, data, size, have, arrival, out);
            return;
        }
        if (n < 0 || have == size) {
            return;
        }
        have = next(have, size, &arrival);
    }
}

#define SAME(member, format)                                                                       \
    if (a->member != b->member) {                                                                  \
        (void)fprintf(stderr, #member ": " format " and " format "\n", a->member, b->member);      \
        return 0;                                                                                  \
    }
#define SAME_TEXT(member)                                                                          \
    if (strcmp(a->member, b->member) != 0) {                                                       \
        (void)fprintf(stderr, #member ": '%s' and '%s'\n", a->member, b->member);                  \
        return 0;                                                                                  \
    }

int same_outcome(const struct outcome *a, const struct outcome *b)
{
    SAME(rc, "%d")
    SAME(by_close, "%d")
    SAME(consumed, "%zu")
    SAME(head, "%zu")
    SAME(length, "%u")
    SAME(size, "%ju")
    SAME(status, "%u")
    SAME(minor, "%u")
    SAME(keep_alive, "%d")
    SAME(expect_continue, "%d")
    SAME(headers, "%zu")
    SAME(headers_sum, "%ju")
    SAME_TEXT(method)
    SAME_TEXT(target)
    SAME_TEXT(path)
    SAME(content_size, "%ju")
    SAME(content_sum, "%ju")
    SAME_TEXT(content)
    return 1;
}

void drive_stream(const char *data, size_t size)
{
    static const struct http_limits all_limits[] = {{8000, 16384, 100}, {40, 120, 4}};
    for (int kind = REQUEST; kind <= RESPONSE_TO_HEAD; kind++) {
        for (size_t i = 0; i < 2; i++) {
            struct outcome whole, other;
            size_t at = 0;
            do {
                const char *here = data + at;
                size_t left = size - at;
                struct arrival portions = {1 + left / 3, 0, (uint32_t)(left * 31 + i)};
                drive(here, left, (enum kind)kind, &all_limits[i], AT_ONCE, &whole);
                drive(here, left, (enum kind)kind, &all_limits[i], portions, &other);
                PROMISE(same_outcome(&whole, &other));
                if (left <= 600) { /* it takes the square of that */
                    drive(here, left, (enum kind)kind, &all_limits[i], (struct arrival){1, 1, 0},
                          &other);
                    PROMISE(same_outcome(&whole, &other));
                }
                at += whole.consumed;
            } while (whole.rc == 1 && at < size);
        }
    }
}
