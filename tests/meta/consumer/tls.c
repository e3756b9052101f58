/* A user of the installed brigade_tls: a context, and a connection that comes to nothing. */
#include <brigade.h>
#include <brigade/tls.h>

#include <stdio.h>

static int run(void *arg)
{
    bg_stream *s = NULL;
    int fd = bg_tcp_listen("127.0.0.1", "0", 1); /* not connected */
    int rc = bg_tls_client(&s, arg, fd, "localhost");
    bg_fd_close(fd);
    return rc < 0 && s == NULL ? 42 : 1;
}

int main(void)
{
    bg_tls_context *context;
    int rc = bg_tls_context_create(&context, .alpn = "h2");
    if (rc != 0) {
        fprintf(stderr, "failed: %s\n", bg_strerror(rc));
        return 1;
    }
    printf("%d %s\n", bg_run(run, context, .workers = 2), BG_VERSION_STRING);
    bg_tls_context_free(context);
    return 0;
}
