/* The macros of brigade/tls.h, which is a library of its own. */
#include <brigade/tls.h>

int use_tls(bg_tls_context **context, bg_stream **s, int fd);

int use_tls(bg_tls_context **context, bg_stream **s, int fd)
{
    char text[80];
    bg_stream_options small = {sizeof(bg_stream_options), 512, 0, 0, 0};
    int r = bg_tls_context_create(context);
    r += bg_tls_context_create(context, .server = 1, .verify = BG_TLS_VERIFY, .ca_file = "ca.pem",
                               .cert_file = "cert.pem", .key_file = "key.pem",
                               .alpn = "h2,http/1.1", .error = text, .error_size = sizeof text);
    r += bg_tls_client(s, *context, fd, "example.org");
    r += bg_tls_client(s, *context, fd, "example.org", .stream = &small, .error = text,
                       .error_size = sizeof text);
    r += bg_tls_server(s, *context, fd);
    r += bg_tls_server(s, *context, fd, .stream = &small);
    r += bg_tls_connect(s, *context, "example.org", "443");
    r += bg_tls_connect(s, *context, "example.org", "443", .error = text, .error_size = 80);
    return r;
}
