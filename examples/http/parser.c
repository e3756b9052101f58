/*
 * Line by line: a line is looked for with memchr, which is fast, and checked when it is there as a
 * whole, which is simple, and makes it plain that the result does not depend on how the bytes
 * arrive. A limit is exceeded as soon as what is there without a line end exceeds it, which is what
 * the complete line would have done. See parser.h for what is refused and why.
 */
#include "parser.h"

#include <string.h>

enum state { HEAD, SIZED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILERS, TO_THE_END, DONE };

/* -- characters -------------------------------------------------------------------------------- */

/* RFC 9110, 5.6.2: what names and methods are made of. A bit for each ASCII character. */
static bool is_token(char c)
{
    static const uint32_t set[4] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    unsigned char u = (unsigned char)c;
    return u < 128 && (set[u / 32] >> u % 32 & 1) != 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Of values and reason phrases: no control characters; more than ASCII, for what it is worth. */
static bool is_value(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= ' ' && u != 0x7f) || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool http_is(struct http_text text, const char *exactly)
{
    return text.size == strlen(exactly) && memcmp(text.at, exactly, text.size) == 0;
}

bool http_is_nocase(struct http_text text, const char *lower_case)
{
    for (size_t i = 0; i < text.size; i++) {
        if (lower_case[i] == '\0' || lower(text.at[i]) != lower_case[i]) {
            return false;
        }
    }
    return lower_case[text.size] == '\0';
}

static struct http_text trimmed(const char *at, const char *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    while (at < end && is_blank(end[-1])) {
        end--;
    }
    return (struct http_text){at, (size_t)(end - at)};
}

/* -- lines ------------------------------------------------------------------------------------- */

/*
 * Where the line that begins at p->line ends: behind its '\n'. 0: not there yet. Less than 0: too
 * long, which is the status `too_long`, or ended by '\n' alone.
 */
static ssize_t end_of_line(struct http_parser *p, const char *data, size_t size, int too_long)
{
    if (size < p->seen) {
        return 0;
    }
    const char *found = memchr(data + p->seen, '\n', size - p->seen);
    size_t end = found != NULL ? (size_t)(found - data) + 1 : size + 1; /* or later */

    if (end - p->line > p->limits->line + 2) {
        return -too_long;
    }
    if (p->trailer_bytes + end > p->limits->head) {
        return -431;
    }
    if (found == NULL) {
        p->seen = size;
        return 0;
    }
    p->seen = end;
    return end - p->line >= 2 && found[-1] == '\r' ? (ssize_t)end : -400;
}

/* "HTTP/1.1". 0, or a failure. */
static int parse_version(struct http_parser *p, const char *at, size_t size)
{
    if (size != 8 || memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' ||
        !is_digit(at[7])) {
        return -400;
    }
    if (at[5] != '1') {
        return -505;
    }
    p->minor = at[7] > '0';
    return 0;
}

/* RFC 9112, 3.2: a path; a whole URL, as a proxy is given; host and port for CONNECT; "*" for
 * OPTIONS. */
static bool is_target(struct http_text method, struct http_text target)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.at[i] <= ' ' || target.at[i] >= 0x7f || target.at[i] == '#') {
            return false;
        }
    }
    if (target.size == 0) {
        return false;
    }
    if (http_is(method, "CONNECT")) {
        return target.at[0] != '/';
    }
    return target.at[0] == '/' || (http_is(method, "OPTIONS") && http_is(target, "*")) ||
           (target.size > 7 && http_is_nocase((struct http_text){target.at, 7}, "http://")) ||
           (target.size > 8 && http_is_nocase((struct http_text){target.at, 8}, "https://"));
}

/* "GET / HTTP/1.1", with one space each. */
static int parse_request_line(struct http_parser *p, const char *data, size_t end)
{
    size_t at = p->line;
    p->method_at = at;
    while (is_token(data[at])) {
        at++;
    }
    p->method_size = at - p->method_at;
    if (p->method_size == 0 || data[at] != ' ') {
        return -400;
    }
    p->target_at = ++at;
    while (data[at] > ' ') { /* the line ends with CR and LF */
        at++;
    }
    p->target_size = at - p->target_at;
    if (data[at] != ' ' || !is_target(http_method(p, data), http_target(p, data))) {
        return -400;
    }
    at++;
    return parse_version(p, data + at, end - at);
}

/* "HTTP/1.1 200 OK". The last space may be missing with the reason: many leave it out. */
static int parse_status_line(struct http_parser *p, const char *data, size_t end)
{
    const char *at = data + p->line;
    size_t size = end - p->line;
    int rc = size < 12 ? -400 : parse_version(p, at, 8);
    if (rc < 0) {
        return rc;
    }
    if (at[8] != ' ' || at[9] < '1' || at[9] > '9' || !is_digit(at[10]) || !is_digit(at[11]) ||
        (size > 12 && at[12] != ' ')) {
        return -400;
    }
    for (size_t i = 12; i < size; i++) {
        if (!is_value(at[i])) {
            return -400;
        }
    }
    p->status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    return 0;
}

/* -- header lines ------------------------------------------------------------------------------ */

/* One number, of digits alone: a sign, a list or a space would be read differently by others. */
static int parse_length(struct http_parser *p, struct http_text value)
{
    uint64_t n = 0;
    if (p->has_length || value.size == 0) {
        return -400;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.at[i]) || n > (uint64_t)INT64_MAX / 10 - 1) {
            return -400;
        }
        n = n * 10 + (uint64_t)(value.at[i] - '0');
    }
    p->has_length = true;
    p->size = n;
    return 0;
}

static int parse_coding(struct http_parser *p, struct http_text value)
{
    if (p->has_coding || value.size == 0) {
        return -400;
    }
    p->has_coding = true;
    return http_is_nocase(value, "chunked") ? 0 : -501;
}

/* A list with commas between; who knows nothing of an option ignores it. */
static void parse_connection(struct http_parser *p, struct http_text value)
{
    const char *at = value.at, *end = value.at + value.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        struct http_text option = trimmed(at, comma != NULL ? comma : end);
        p->says_close = p->says_close || http_is_nocase(option, "close");
        p->says_keep_alive = p->says_keep_alive || http_is_nocase(option, "keep-alive");
        at = comma != NULL ? comma + 1 : end;
    }
}

/* RFC 9112, 3.2: exactly one, which may be empty; what can be no part of a name is refused. */
static int parse_host(struct http_parser *p, struct http_text value)
{
    if (p->has_host) {
        return -400;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.at[i] <= ' ' || value.at[i] >= 0x7f || strchr("/\\@,?#\"<>", value.at[i])) {
            return -400;
        }
    }
    p->has_host = true;
    return 0;
}

/* Splits a line that has been found to be good. */
static void split_field(const char *at, const char *end, struct http_text *name,
                        struct http_text *value)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    *name = (struct http_text){at, (size_t)(colon - at)};
    *value = trimmed(colon + 1, end);
}

/* "Name: value", without the line's end. A space in front of it would make it go on with the last
 * one, a space before the colon would be part of the name or not: no space is part of a token. */
static int check_field(const char *at, const char *end)
{
    const char *name = at;
    while (at < end && is_token(*at)) {
        at++;
    }
    if (at == name || at == end || *at != ':') {
        return -400;
    }
    while (++at < end) {
        if (!is_value(*at)) {
            return -400;
        }
    }
    return 0;
}

static int parse_field(struct http_parser *p, const char *at, const char *end)
{
    struct http_text name, value;
    int rc = check_field(at, end);
    if (rc < 0) {
        return rc;
    }
    split_field(at, end, &name, &value);
    switch (name.size) { /* most headers are none of these */
    case 4:
        return !p->response && http_is_nocase(name, "host") ? parse_host(p, value) : 0;
    case 6:
        p->expect_continue = p->expect_continue || (http_is_nocase(name, "expect") &&
                                                    http_is_nocase(value, "100-continue"));
        return 0;
    case 10:
        if (http_is_nocase(name, "connection")) {
            parse_connection(p, value);
        }
        return 0;
    case 14:
        return http_is_nocase(name, "content-length") ? parse_length(p, value) : 0;
    case 17:
        return http_is_nocase(name, "transfer-encoding") ? parse_coding(p, value) : 0;
    default:
        return 0;
    }
}

/* -- the head ---------------------------------------------------------------------------------- */

static void init(struct http_parser *p, const struct http_limits *limits)
{
    memset(p, 0, sizeof *p);
    p->limits = limits;
}

void http_init_request(struct http_parser *p, const struct http_limits *limits)
{
    init(p, limits);
}

void http_init_response(struct http_parser *p, const struct http_limits *limits, bool to_head)
{
    init(p, limits);
    p->response = true;
    p->to_head = to_head;
}

/* RFC 9112, 6.3. 0, or a failure. */
static int head_complete(struct http_parser *p)
{
    bool bodiless =
        p->response && (p->to_head || p->status < 200 || p->status == 204 || p->status == 304);

    /* Chunks are unknown to HTTP/1.0: what it says of them cannot be trusted. */
    if ((p->has_coding && (p->has_length || p->minor == 0)) ||
        (!p->response && p->minor > 0 && !p->has_host)) {
        return -400;
    }
    p->keep_alive = !p->says_close && (p->minor > 0 || p->says_keep_alive);
    p->expect_continue = p->expect_continue && p->minor > 0;
    p->state = DONE;
    if (bodiless) {
        p->size = 0;
    } else if (p->has_coding) {
        p->length = HTTP_CHUNKED;
        p->state = CHUNK_SIZE;
    } else if (p->has_length) {
        p->length = HTTP_SIZED;
        p->left = p->size;
        p->state = p->size > 0 ? SIZED : DONE;
    } else if (p->response) {
        p->length = HTTP_UNTIL_CLOSE;
        p->keep_alive = false;
        p->state = TO_THE_END;
    }
    p->line = p->seen = p->lines = 0; /* for the lines of the body */
    return 0;
}

/* A line of the head, without its end. */
static int head_line(struct http_parser *p, const char *data, size_t end)
{
    if (p->fields == 0) {
        /* An empty line in front of a request is left over by some clients (RFC 9112, 2.2). */
        if (end == 0 && !p->response) {
            return 0;
        }
        int rc = p->response ? parse_status_line(p, data, end) : parse_request_line(p, data, end);
        p->fields = p->seen;
        return rc;
    }
    if (end == p->line) {
        return head_complete(p);
    }
    return ++p->lines > p->limits->headers ? -431 : parse_field(p, data + p->line, data + end);
}

ssize_t http_head(struct http_parser *p, const char *data, size_t size)
{
    while (p->failed == 0) {
        bool first = p->fields == 0 && !p->response;
        ssize_t end = end_of_line(p, data, size, first ? 414 : 431);
        if (end == 0) {
            return 0;
        }
        p->failed = (int)(end < 0 ? end : head_line(p, data, (size_t)end - 2));
        if (p->failed == 0 && p->state != HEAD) {
            return end;
        }
        p->line = (size_t)end;
    }
    return p->failed;
}

/* -- the body ---------------------------------------------------------------------------------- */

/* A line of the body that begins at the data: its size, its end included. */
static ssize_t body_line(struct http_parser *p, const char *data, size_t size)
{
    ssize_t end = end_of_line(p, data, size, 431);
    if (end > 0) {
        p->seen = 0;
    }
    return end;
}

static int hex_digit(char c)
{
    c = lower(c);
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1f", or "1f;name=value". The digits decide, so there must be some and nothing beside them. */
static int parse_chunk_size(struct http_parser *p, const char *at, const char *end)
{
    const char *digit = at;
    for (p->left = 0; digit < end && hex_digit(*digit) >= 0; digit++) {
        if (digit - at >= 15) {
            return -400; /* 2^60 and more */
        }
        p->left = p->left * 16 + (uint64_t)hex_digit(*digit);
    }
    if (digit == at || (digit < end && *digit != ';')) {
        return -400;
    }
    for (; digit < end; digit++) {
        if (!is_value(*digit)) {
            return -400;
        }
    }
    p->state = p->left > 0 ? CHUNK : TRAILERS;
    return 0;
}

/* Trailers are checked and ignored: what they say comes too late to be believed. */
static int parse_trailer(struct http_parser *p, const char *at, const char *end)
{
    p->trailer_bytes += (size_t)(end - at) + 2;
    if (at == end) {
        p->state = DONE;
        return 0;
    }
    return ++p->lines > p->limits->headers ? -431 : check_field(at, end);
}

static size_t take(struct http_parser *p, const char *data, size_t size, struct http_text *piece)
{
    size_t n = p->left < size ? (size_t)p->left : size;
    *piece = (struct http_text){data, n};
    p->left -= n;
    return n;
}

ssize_t http_body(struct http_parser *p, const char *data, size_t size, struct http_text *piece)
{
    size_t at = 0;
    *piece = (struct http_text){data, 0};
    while (p->failed == 0 && at < size && piece->size == 0) {
        const char *here = data + at;
        ssize_t n = 0;
        switch (p->state) {
        case TO_THE_END:
            *piece = (struct http_text){here, size - at};
            return (ssize_t)size;
        case SIZED:
            at += take(p, here, size - at, piece);
            p->state = p->left > 0 ? SIZED : DONE;
            break;
        case CHUNK:
            at += take(p, here, size - at, piece);
            p->state = p->left > 0 ? CHUNK : CHUNK_END;
            break;
        case CHUNK_END: /* not looked for: what stands there is a line end, or wrong */
            if (here[0] != '\r' || (size - at > 1 && here[1] != '\n')) {
                p->failed = -400;
            } else if (size - at > 1) {
                n = 2;
                p->state = CHUNK_SIZE;
            }
            break;
        case CHUNK_SIZE:
        case TRAILERS:
            n = body_line(p, here, size - at);
            if (n > 0) {
                p->failed = p->state == TRAILERS ? parse_trailer(p, here, here + n - 2)
                                                 : parse_chunk_size(p, here, here + n - 2);
            } else if (n < 0) {
                p->failed = (int)n;
            }
            break;
        default:
            return (ssize_t)at;
        }
        if (n == 0 && piece->size == 0) {
            break;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return p->failed < 0 ? p->failed : (ssize_t)at;
}

bool http_done(const struct http_parser *p)
{
    return p->state == DONE;
}

int http_end_of_input(struct http_parser *p)
{
    if (p->state == TO_THE_END) {
        p->state = DONE;
    }
    return p->state == DONE ? 0 : -400;
}

/* -- what is in a head ------------------------------------------------------------------------- */

struct http_text http_method(const struct http_parser *p, const char *data)
{
    return (struct http_text){data + p->method_at, p->method_size};
}

struct http_text http_target(const struct http_parser *p, const char *data)
{
    return (struct http_text){data + p->target_at, p->target_size};
}

struct http_text http_path(const struct http_parser *p, const char *data)
{
    static const char root[] = "/";
    struct http_text t = http_target(p, data);
    const char *at = t.at, *end = t.at + t.size;

    if (http_is(http_method(p, data), "CONNECT") || http_is(t, "*")) {
        return (struct http_text){end, 0};
    }
    const char *query = memchr(at, '?', t.size);
    end = query != NULL ? query : end;
    if (*at != '/') { /* http://host/path: behind the slash that follows the two */
        at = memchr(at, '/', (size_t)(end - at));
        at = at == NULL ? NULL : memchr(at + 2, '/', (size_t)(end - at - 2));
    }
    return at == NULL ? (struct http_text){root, 1} : (struct http_text){at, (size_t)(end - at)};
}

bool http_next_header(const struct http_parser *p, const char *data, size_t *walk,
                      struct http_text *name, struct http_text *value)
{
    const char *at = data + p->fields + *walk;
    if (*at == '\r') {
        return false;
    }
    const char *end = at; /* no value has a CR in it */
    while (*end != '\r') {
        end++;
    }
    split_field(at, end, name, value);
    *walk += (size_t)(end - at) + 2;
    return true;
}

bool http_header(const struct http_parser *p, const char *data, const char *name,
                 struct http_text *value)
{
    struct http_text found;
    for (size_t walk = 0; http_next_header(p, data, &walk, &found, value);) {
        struct http_text wanted = {name, strlen(name)};
        size_t i = 0;
        while (i < found.size && i < wanted.size && lower(found.at[i]) == lower(name[i])) {
            i++;
        }
        if (i == found.size && i == wanted.size) {
            return true;
        }
    }
    return false;
}
