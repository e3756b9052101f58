/*
 * A parser for the messages of HTTP/1.0 and 1.1 (RFC 9112), requests and responses.
 *
 *     http_init_request(&p, &limits);
 *     while ((n = http_head(&p, buffer, have)) == 0)      read more, behind what is there
 *     if (n < 0)                                          answer with the status -n, and close
 *     at = n;                                             the head; what follows is the body
 *     while (!http_done(&p)) {
 *         n = http_body(&p, buffer + at, have - at, &piece);
 *         if (n == 0)                                     read more, behind what is there
 *         at += n;                                        consumed; piece.size bytes are content
 *     }
 *     whatever is left in the buffer belongs to the next message
 *
 * It reads nothing, allocates nothing and copies nothing. The caller has a buffer in which a head
 * stands as a whole; the parser is shown the same bytes again, and some more, until the head is
 * complete, and goes on where it stopped, so that no byte is looked at twice. Names and values are
 * pieces of the caller's buffer. The parser itself has no table of them: a head that has been found
 * to be good is so easily walked again that keeping it is not worth the memory.
 *
 * It is strict. Whoever reads a message differently from the proxy in front of it can be made to
 * take one request for two, so everything that different readers are known to read differently is
 * refused: line ends without CR, lines that go on in the next line, space before a colon or in
 * front of a name, a length and chunks at once, more than one length, codings other than chunked,
 * control characters anywhere, a request without a host or with two.
 */
#ifndef EXAMPLES_HTTP_PARSER_H
#define EXAMPLES_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Some bytes, of the caller's buffer or a literal. Not terminated. */
struct http_text {
    const char *at;
    size_t size;
};

/* How much a message may ask for. Trailers behind a chunked body count like a head of their own. */
struct http_limits {
    size_t line;    /* bytes of a line, its end not included */
    size_t head;    /* bytes of the head, its last empty line included */
    size_t headers; /* lines of it */
};

/* What usual servers take. */
#define HTTP_LIMITS ((struct http_limits){.line = 8000, .head = 16384, .headers = 100})

/* How the length of the body is known. */
enum http_length { HTTP_NO_BODY, HTTP_SIZED, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_parser {
    /* What the head says, once http_head has returned its size. */
    enum http_length length;
    uint64_t size;        /* HTTP_SIZED: bytes of the body; 0 else */
    unsigned status;      /* of a response: 100 to 999 */
    unsigned minor;       /* HTTP/1.0 or 1.1: a later 1.x is spoken to as 1.1 */
    bool keep_alive;      /* the connection may be used for another message after this one */
    bool expect_continue; /* the client waits for "100 Continue" before it sends the body */

    /* Its own. Offsets are those of the buffer that the head is in, or of what http_body is given.
     */
    const struct http_limits *limits;
    uint64_t left;     /* of the body, or of the chunk */
    size_t line, seen; /* begin of the line; no '\n' before seen */
    size_t fields;     /* where the header lines begin */
    size_t method_at, method_size, target_at, target_size;
    size_t trailer_bytes, lines;
    int failed; /* the failure, once there was one */
    unsigned char state;
    bool response, to_head, has_host, has_length, has_coding, says_close, says_keep_alive;
};

/* Begins with a request. *limits is the caller's and stays in place while the parser is used. */
void http_init_request(struct http_parser *p, const struct http_limits *limits);

/* Begins with a response; to_head: to a request for the head alone, which has no body whatever the
 * head says. A response with a status of 1xx is followed by another one. */
void http_init_response(struct http_parser *p, const struct http_limits *limits, bool to_head);

/*
 * Looks for the head, at the beginning of the buffer, of which `size` bytes are there. 0: more is
 * needed. Greater than 0: this many bytes are the head, and the parser has what it says. Less than
 * 0: not a message; its negative is the status that says why, for a server to answer with: 400, 414
 * (target too long), 431 (head too large), 501 (unknown transfer coding), 505 (not HTTP/1.x).
 */
ssize_t http_head(struct http_parser *p, const char *data, size_t size);

/*
 * Takes what follows the head, in whatever portions. Returns how many bytes at the beginning of the
 * data have been consumed; *piece is the content among them, and may be empty. 0: more is needed
 * than `size` bytes, never more than limits->line + 2. Less than 0: as http_head.
 */
ssize_t http_body(struct http_parser *p, const char *data, size_t size, struct http_text *piece);

/* Whether the message is complete. */
bool http_done(const struct http_parser *p);

/* The connection has ended: 0 if the message may end so, -400 if it has been cut off. */
int http_end_of_input(struct http_parser *p);

/* Of a request's head, in the buffer at `data`. */
struct http_text http_method(const struct http_parser *p, const char *data);
struct http_text http_target(const struct http_parser *p, const char *data);

/* The path of the target, without a query, nothing decoded; begins with '/'. Empty for "*" and for
 * the target of CONNECT. */
struct http_text http_path(const struct http_parser *p, const char *data);

/* Walks through the header lines: *walk is 0 at first. False: no more. */
bool http_next_header(const struct http_parser *p, const char *data, size_t *walk,
                      struct http_text *name, struct http_text *value);

/* The first header of a name, whatever its case. False: there is none. */
bool http_header(const struct http_parser *p, const char *data, const char *name,
                 struct http_text *value);

/* Whether the text is this; methods as they are, names and codings whatever their case. */
bool http_is(struct http_text text, const char *exactly);
bool http_is_nocase(struct http_text text, const char *lower_case);

#endif
