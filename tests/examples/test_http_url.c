/*
 * URLs as the client of examples/http takes them: their parts, and what is none.
 */
#include "../../examples/http/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

Test(http_url, parts)
{
    static const struct {
        const char *text, *host, *port, *path;
    } cases[] = {
        {"http://a", "a", "80", ""},
        {"HTTP://a/", "a", "80", "/"},
        {"http://a.b-c:8080/d/e?f=g:h/i#j?k", "a.b-c", "8080", "/d/e?f=g:h/i"},
        {"http://a?b", "a", "80", "?b"},
        {"http://a#b", "a", "80", ""},
        {"http://127.0.0.1:1/:2", "127.0.0.1", "1", "/:2"},
        {"http://[::1]", "::1", "80", ""},
        {"http://[fe80::1]:65535/[x]", "fe80::1", "65535", "/[x]"},
        {"http://a/b@c", "a", "80", "/b@c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_url url;
        cr_assert_eq(http_parse_url(cases[i].text, &url), 0, "%s", cases[i].text);
        cr_expect_str_eq(url.host, cases[i].host);
        cr_expect_str_eq(url.port, cases[i].port);
        cr_expect_eq((size_t)url.path_size, strlen(cases[i].path), "%s", cases[i].text);
        cr_expect_eq(strncmp(url.path, cases[i].path, strlen(cases[i].path)), 0);
    }
}

Test(http_url, what_is_none)
{
    static const char *const cases[] = {
        "",
        "a",
        "/a",
        "http:",
        "http:/a",
        "http://",
        "http:///a",
        "http://:80",
        "http://a:",
        "http://a:/",
        "http://a:x",
        "http://a:1x",
        "http://a:-1",
        "http://a: 1",
        "http://[::1",
        "http://[]",
        "http://[::1]x",
        "http://[::1]x:1",
        "http://::1",
        "http://u@a",
        "http://a b/",
        "http://a\r\n/",
        "http://a/b c",
        "http://a/\r\nX:",
        "http://a/\x7f",
        "http://a/\xc3\xa4",
        "http://a]",
        "http://a[/",
        "http://a:12345678",
    };
    struct http_url url;
    char text[600];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(http_parse_url(cases[i], &url), -EINVAL, "%s", cases[i]);
    }
    cr_expect_eq(http_parse_url("https://a/", &url), -EPROTONOSUPPORT);
    (void)snprintf(text, sizeof text, "http://%0255d/", 0);
    cr_expect_eq(http_parse_url(text, &url), 0);
    (void)snprintf(text, sizeof text, "http://%0256d/", 0);
    cr_expect_eq(http_parse_url(text, &url), -EINVAL);
}
