/*
 * The parser of examples/http: what it makes of messages, what it refuses, that the way in which
 * they arrive changes nothing, and that exactly one message is consumed.
 */
#include "http/drive.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct http_limits usual = {.line = 8000, .head = 16384, .headers = 100};

/* Drives it at once, in two portions with the cut at every byte, and byte by byte. */
static struct outcome parse_n(const char *data, size_t size, enum kind kind,
                              const struct http_limits *limits)
{
    struct outcome whole, other;
    drive(data, size, kind, limits, AT_ONCE, &whole);
    drive(data, size, kind, limits, (struct arrival){0, 1, 0}, &other);
    cr_expect(same_outcome(&whole, &other), "byte by byte: %s", data);
    for (size_t cut = 0; cut < size; cut++) {
        drive(data, size, kind, limits, (struct arrival){cut, SIZE_MAX - cut, 0}, &other);
        cr_expect(same_outcome(&whole, &other), "cut at %zu: %s", cut, data);
    }
    return whole;
}

static struct outcome parse(const char *text, enum kind kind)
{
    return parse_n(text, strlen(text), kind, &usual);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

Test(http_parser, requests)
{
    static const struct {
        const char *text, *method, *target, *path;
        unsigned minor;
        int keep_alive;
    } cases[] = {
        {GET "\r\n", "GET", "/", "/", 1, 1},
        {"\r\n" GET "\r\n", "GET", "/", "/", 1, 1},
        {"GET /a/b?c=d/e HTTP/1.1\r\nhOST:\t a:80 \t\r\n\r\n", "GET", "/a/b?c=d/e", "/a/b", 1, 1},
        {"GET /%41 HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/%41", "/%41", 1, 1},
        {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "/", 0, 0},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "/", 0, 1},
        {"GET / HTTP/1.0\r\nConnection: Foo, ,\tKeep-Alive\r\n\r\n", "GET", "/", "/", 0, 1},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET", "/", "/", 0, 0},
        {"GET / HTTP/1.7\r\nHost: [::1]:8\r\n\r\n", "GET", "/", "/", 1, 1},
        {GET "Connection: close\r\n\r\n", "GET", "/", "/", 1, 0},
        {GET "Connection: x\r\nConnection: CLOSE,y\r\n\r\n", "GET", "/", "/", 1, 0},
        {GET "Connection: closed\r\n\r\n", "GET", "/", "/", 1, 1},
        {GET "Empty:\r\nBlank: \t \r\nHigh: \xff\x80\r\n\r\n", "GET", "/", "/", 1, 1},
        {GET "X: a:b c\td\r\n\r\n", "GET", "/", "/", 1, 1},
        {"GET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "http://h/p?q", "/p", 1, 1},
        {"GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "HTTPS://h", "/", 1, 1},
        {"GET http://h?a/b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "http://h?a/b", "/", 1, 1},
        {"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "CONNECT", "h:1", "", 1, 1},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "*", "", 1, 1},
        {"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: h\r\n\r\n", "!#$%&'*+-.^_`|~09azAZ", "/", "/",
         1, 1},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "get", "/", "/", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = parse(cases[i].text, REQUEST);
        cr_expect_eq(o.rc, 1, "%zu: %s", i, cases[i].text);
        cr_expect_eq(o.consumed, strlen(cases[i].text), "%zu", i);
        cr_expect_eq(o.consumed, o.head);
        cr_expect_eq(o.length, HTTP_NO_BODY);
        cr_expect_str_eq(o.method, cases[i].method);
        cr_expect_str_eq(o.target, cases[i].target);
        cr_expect_str_eq(o.path, cases[i].path);
        cr_expect_eq(o.minor, cases[i].minor, "%zu", i);
        cr_expect_eq(o.keep_alive, cases[i].keep_alive, "%zu: %s", i, cases[i].text);
    }
}

Test(http_parser, bodies)
{
    static const struct {
        const char *text, *content;
        enum http_length length;
        uint64_t size;
    } cases[] = {
        {POST "\r\n", "", HTTP_NO_BODY, 0},
        {POST "Content-Length: 0\r\n\r\n", "", HTTP_SIZED, 0},
        {POST "content-length:  005 \r\n\r\nhello", "hello", HTTP_SIZED, 5},
        {POST "Content-Length: 2\r\n\r\n\r\n", "\r\n", HTTP_SIZED, 2},
        {"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", "x", HTTP_SIZED, 1},
        {CHUNKED "0\r\n\r\n", "", HTTP_CHUNKED, 0},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "hello", HTTP_CHUNKED, 0},
        {CHUNKED "1\r\na\r\n00c\r\n\r\nb\r\n6789012\r\n000\r\n\r\n", "a\r\nb\r\n6789012",
         HTTP_CHUNKED, 0},
        {CHUNKED "A;x\r\n0123456789\r\n2;a=\"b\t\x80\"\r\nab\r\n0;\r\n\r\n", "0123456789ab",
         HTTP_CHUNKED, 0},
        {CHUNKED "1\r\na\r\n0\r\nContent-Length: 7\r\nX:\r\n\r\n", "a", HTTP_CHUNKED, 0},
        {POST "TRANSFER-ENCODING:\tChunked \r\n\r\n000000000000001\r\na\r\n0\r\n\r\n", "a",
         HTTP_CHUNKED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = parse(cases[i].text, REQUEST);
        cr_expect_eq(o.rc, 1, "%zu: %d: %s", i, o.rc, cases[i].text);
        cr_expect_eq(o.consumed, strlen(cases[i].text), "%zu", i);
        cr_expect_eq(o.length, cases[i].length, "%zu", i);
        cr_expect_eq(o.size, cases[i].size, "%zu", i);
        cr_expect_str_eq(o.content, cases[i].content);
        cr_expect_eq(o.content_size, strlen(cases[i].content), "%zu", i);
        cr_expect(o.keep_alive || o.minor == 0);
    }
    cr_expect(parse(POST "Expect: 100-Continue\r\n\r\n", REQUEST).expect_continue);
    cr_expect_not(parse(POST "Expect: 100\r\n\r\n", REQUEST).expect_continue);
    cr_expect_not(
        parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", REQUEST).expect_continue);
}

Test(http_parser, bad_requests)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        /* The request line. */
        {400, "\r\n\r\n" GET "\r\n"},
        {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {400, "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET\r\n\r\n"},
        {400, "GET \r\n\r\n"},
        {400, "/ HTTP/1.1\r\n\r\n"},
        {400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/11\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/x.1\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
        /* Line ends. */
        {400, "GET / HTTP/1.1\nHost: a\n\n"},
        {400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
        {400, GET "\n"},
        {400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
        {400, GET "X: a\rb\r\n\r\n"},
        {400, GET "X: a\r\r\n\r\n"},
        {400, GET "\r\r\n"},
        /* Header lines. */
        {400, GET " X: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {400, GET "X: a\r\n b\r\n\r\n"},
        {400, GET "X: a\r\n\tb\r\n\r\n"},
        {400, GET "X: a\r\n \r\n\r\n"},
        {400, GET "X : a\r\n\r\n"},
        {400, GET "X\t: a\r\n\r\n"},
        {400, GET "X\r\n\r\n"},
        {400, GET ": a\r\n\r\n"},
        {400, GET "X y: a\r\n\r\n"},
        {400, GET "X(y): a\r\n\r\n"},
        {400, GET "X\x80: a\r\n\r\n"},
        {400, GET "X: a\x01\r\n\r\n"},
        {400, GET "X: a\x7f\r\n\r\n"},
        {400, GET "X: a\x0b\r\n\r\n"},
        /* Hosts. */
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, GET "Host: a\r\n\r\n"},
        {400, GET "host: b\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n"},
        /* What smuggles a request past somebody else. */
        {400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
        {400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
        {400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
        {400, POST "Content-Length: 5, 5\r\n\r\nhello"},
        {400, POST "Content-Length: 5 5\r\n\r\nhello"},
        {400, POST "Content-Length: +5\r\n\r\nhello"},
        {400, POST "Content-Length: -5\r\n\r\nhello"},
        {400, POST "Content-Length: 0x5\r\n\r\nhello"},
        {400, POST "Content-Length: 5.\r\n\r\nhello"},
        {400, POST "Content-Length: \"5\"\r\n\r\nhello"},
        {400, POST "Content-Length:\r\n\r\nhello"},
        {400, POST "Content-Length : 5\r\n\r\nhello"},
        {400, POST "Content-Length: 9223372036854775807\r\n\r\nhello"},
        {400, POST "Content-Length: 18446744073709551621\r\n\r\nhello"},
        {400, POST "Content-Length: 99999999999999999999999\r\n\r\nhello"},
        {400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
        {400, POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"},
        {400, POST "Transfer-Encoding:\x0b"
                   "chunked\r\n\r\n0\r\n\r\n"},
        {501, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
        {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {501, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
        {501, POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        /* Chunks. */
        {400, CHUNKED "\r\n\r\n"},
        {400, CHUNKED "x\r\n\r\n"},
        {400, CHUNKED ";x\r\n\r\n"},
        {400, CHUNKED "-1\r\n\r\n"},
        {400, CHUNKED "+1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "0x1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED " 1\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1 \r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1 ;x\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1g\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1;\n\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1;a\rb\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "1\r\nab\r\n0\r\n\r\n"},
        {400, CHUNKED "1\r\na\n0\r\n\r\n"},
        {400, CHUNKED "1\r\na\r0\r\n\r\n"},
        {400, CHUNKED "1000000000000000\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "0000000000000001\r\na\r\n0\r\n\r\n"},
        {400, CHUNKED "0\r\n\n"},
        {400, CHUNKED "0\r\nX\r\n\r\n"},
        {400, CHUNKED "0\r\n X: a\r\n\r\n"},
        {400, CHUNKED "0\r\nX: a\n\r\n"},
        {400, CHUNKED "0\r\nX: a\x01\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = parse(cases[i].text, REQUEST);
        cr_expect_eq(o.rc, -cases[i].status, "%zu: %d: %s", i, o.rc, cases[i].text);
    }
}

/* A NUL is refused wherever it stands, and so is every other control character but tabs in values
 * and what ends lines. */
Test(http_parser, control_characters)
{
    static const char good[] = "GET /a?b HTTP/1.1\r\nHost: a\r\nX: y z\r\n\r\n";
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int c = 0; c < 0x20; c++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] = (char)c;
            if (text[at] == good[at]) {
                continue;
            }
            struct outcome o;
            drive(text, sizeof good - 1, REQUEST, &usual, AT_ONCE, &o);
            bool blank = c == '\t' && strchr(" yz", good[at]) != NULL && at > 18;
            bool host = c == '\t' && at == 25;          /* an empty one */
            bool cut = o.rc == 0 && (good[at] == '\n'); /* the last line end is missing */
            cr_expect(o.rc == (blank || host ? 1 : -400) || cut, "%d at %zu: %d", c, at, o.rc);
        }
    }
}

Test(http_parser, responses)
{
    static const struct {
        const char *text, *content;
        enum http_length length;
        unsigned status;
        int keep_alive, by_close;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", HTTP_SIZED, 200, 1, 0},
        {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok", HTTP_SIZED, 200, 1, 0},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", HTTP_SIZED, 200, 1, 0},
        {"HTTP/1.1 404 Not \xff\tFound\r\nContent-Length: 0\r\n\r\n", "", HTTP_SIZED, 404, 1, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", HTTP_SIZED, 200, 0, 0},
        {"HTTP/1.1 999 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "", HTTP_SIZED, 999,
         0, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n", "ok",
         HTTP_CHUNKED, 200, 1, 0},
        {"HTTP/1.1 200 OK\r\n\r\nto the end\r\n", "to the end\r\n", HTTP_UNTIL_CLOSE, 200, 0, 1},
        {"HTTP/1.1 200 OK\r\n\r\n", "", HTTP_UNTIL_CLOSE, 200, 0, 1},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", HTTP_NO_BODY, 204, 1, 0},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", HTTP_NO_BODY, 304, 1, 0},
        {"HTTP/1.1 100 Continue\r\n\r\n", "", HTTP_NO_BODY, 100, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = parse(cases[i].text, RESPONSE);
        cr_expect_eq(o.rc, 1, "%zu: %d: %s", i, o.rc, cases[i].text);
        cr_expect_eq(o.consumed, strlen(cases[i].text), "%zu", i);
        cr_expect_eq(o.length, cases[i].length, "%zu", i);
        cr_expect_eq(o.status, cases[i].status, "%zu", i);
        cr_expect_eq(o.keep_alive, cases[i].keep_alive, "%zu", i);
        cr_expect_eq(o.by_close, cases[i].by_close, "%zu", i);
        cr_expect_str_eq(o.content, cases[i].content);
    }
    struct outcome o = parse("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", RESPONSE_TO_HEAD);
    cr_expect(o.rc == 1 && o.length == HTTP_NO_BODY && o.size == 0 && o.keep_alive);
    o = parse("HTTP/1.1 200 OK\r\n\r\n", RESPONSE_TO_HEAD);
    cr_expect(o.rc == 1 && o.length == HTTP_NO_BODY && o.keep_alive);
}

Test(http_parser, bad_responses)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "\r\nHTTP/1.1 200 OK\r\n\r\n"},
        {400, "HTTP/1.1 20 OK\r\n\r\n"},
        {400, "HTTP/1.1 2000 OK\r\n\r\n"},
        {400, "HTTP/1.1 099 OK\r\n\r\n"},
        {400, "HTTP/1.1 20x OK\r\n\r\n"},
        {400, "HTTP/1.1  200 OK\r\n\r\n"},
        {400, "HTTP/1.1\t200 OK\r\n\r\n"},
        {400, "HTTP/1.1 200\tOK\r\n\r\n"},
        {400, "HTTP/1.1 200 O\rK\r\n\r\n"},
        {400, "HTTP/1.1 200 O\x01\r\n\r\n"},
        {400, "HTTP/1.1 200 OK\n\n"},
        {400, "HTTP/1.1\r\n\r\n"},
        {400, "HTTP/1.1 \r\n\r\n"},
        {400, "http/1.1 200 OK\r\n\r\n"},
        {400, "ICY 200 OK\r\n\r\n"},
        {505, "HTTP/3.0 200 OK\r\n\r\n"},
        {400, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
        {400,
         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {501, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {400, "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome o = parse(cases[i].text, RESPONSE);
        cr_expect_eq(o.rc, -cases[i].status, "%zu: %d: %s", i, o.rc, cases[i].text);
    }
}

/* What has been cut off is neither complete nor wrong. */
Test(http_parser, every_beginning_of_a_message)
{
    static const struct {
        enum kind kind;
        const char *text;
    } cases[] = {
        {REQUEST, POST "Content-Length: 5\r\n\r\nhello"},
        {REQUEST, CHUNKED "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n"},
        {RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        {RESPONSE, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].text);
        for (size_t cut = 0; cut < size; cut++) {
            struct outcome o = parse_n(cases[i].text, cut, cases[i].kind, &usual);
            cr_expect_eq(o.rc, 0, "%zu: %d: cut at %zu", i, o.rc, cut);
        }
    }
}

/* Each in its turn, and what follows is not touched. */
Test(http_parser, pipelined)
{
    static const char *const messages[] = {
        GET "\r\n",
        POST "Content-Length: 5\r\n\r\nhello",
        "\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        CHUNKED "5\r\nworld\r\n0\r\nX: y\r\n\r\n",
        POST "Content-Length: 0\r\n\r\n",
        GET "Connection: close\r\n\r\n",
    };
    enum { N = sizeof messages / sizeof messages[0] };
    char text[1024] = "";
    size_t at = 0;
    for (size_t i = 0; i < N; i++) {
        (void)strcat(text, messages[i]);
    }
    for (size_t i = 0; i < N; i++) {
        struct outcome alone = parse(messages[i], REQUEST);
        struct outcome among = parse(text + at, REQUEST);
        cr_expect_eq(alone.rc, 1);
        cr_expect(same_outcome(&alone, &among), "message %zu", i);
        at += among.consumed;
    }
    cr_expect_eq(at, strlen(text));
}

/* Limits are met exactly, and what exceeds them is refused before all of it is there. */
Test(http_parser, limits)
{
    char text[4096];
    for (int more = 0; more <= 1; more++) {
        /* A request line of 100 bytes. */
        (void)snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", 86 + more, 0);
        struct http_limits limits = {100, 4000, 100};
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -414 : 1);
        cr_expect_eq(parse_n(text, 103, REQUEST, &limits).rc, more ? -414 : 0);

        /* A header line of 100 bytes. */
        (void)snprintf(text, sizeof text, GET "X: %0*d\r\n\r\n", 97 + more, 0);
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);

        /* A head of 100 bytes. */
        (void)snprintf(text, sizeof text, GET "A: b\r\nX: %0*d\r\n\r\n", 62 + more, 0);
        limits = (struct http_limits){90, 100, 100};
        cr_expect_eq(strlen(text), 100 + (size_t)more);
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);

        /* Three headers. */
        limits = (struct http_limits){100, 4000, 3};
        (void)snprintf(text, sizeof text, GET "A: b\r\nC: d\r\n%s\r\n", more ? "E: f\r\n" : "");
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);

        /* A chunk's line of 40 bytes, and many of them, which are not a head. */
        limits = (struct http_limits){40, 100, 3};
        (void)snprintf(text, sizeof text,
                       CHUNKED "1;%0*d\r\na\r\n1;%038d\r\na\r\n1;%038d\r\na\r\n0\r\n\r\n",
                       38 + more, 0, 0, 0);
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);

        /* Trailers: three lines, and 100 bytes in all. */
        (void)snprintf(text, sizeof text, CHUNKED "0\r\nA:b\r\nA:b\r\nA:b\r\n%s\r\n",
                       more ? "A:b\r\n" : "");
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);
        (void)snprintf(text, sizeof text, CHUNKED "0\r\nA:%030d\r\nA:%030d\r\nA:%0*d\r\n\r\n", 0, 0,
                       26 + more, 0);
        cr_expect_eq(parse_n(text, strlen(text), REQUEST, &limits).rc, more ? -431 : 1);
    }
}

Test(http_parser, headers)
{
    static const char text[] = GET "One: 1\r\nTwo:\t2 2 \r\nThree:\r\nONE: 4\r\n\r\n";
    static const char *const names[] = {"Host", "One", "Two", "Three", "ONE"};
    static const char *const values[] = {"a", "1", "2 2", "", "4"};
    struct http_parser p;
    struct http_text name, value;
    size_t walk = 0, i = 0;

    http_init_request(&p, &usual);
    cr_assert_eq(http_head(&p, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    for (; http_next_header(&p, text, &walk, &name, &value); i++) {
        cr_assert_lt(i, sizeof names / sizeof names[0]);
        cr_expect(http_is(name, names[i]), "%zu", i);
        cr_expect(http_is(value, values[i]), "%zu", i);
    }
    cr_expect_eq(i, sizeof names / sizeof names[0]);
    cr_expect(http_header(&p, text, "one", &value) && http_is(value, "1"));
    cr_expect(http_header(&p, text, "THREE", &value) && value.size == 0);
    cr_expect_not(http_header(&p, text, "Thre", &value));
    cr_expect_not(http_header(&p, text, "Threes", &value));

    cr_expect(http_is_nocase((struct http_text){"ClOsE", 5}, "close"));
    cr_expect_not(http_is_nocase((struct http_text){"clos", 4}, "close"));
    cr_expect_not(http_is_nocase((struct http_text){"closed", 6}, "close"));
    cr_expect_not(http_is((struct http_text){"GET", 3}, "GE"));
    cr_expect_not(http_is((struct http_text){"GET", 3}, "get"));
}
