/* The other macros that make code or initialisers in the user's own. */
#include <brigade.h>

struct order {
    int table;
    const char *dish;
};

static bg_local request = BG_LOCAL_INIT;

static int cook(void *arg)
{
    const struct order *o = (const struct order *)arg;
    return o->table + o->dish[0];
}

static int main_task(void *arg)
{
    int one = 1;
    bg_local here = BG_LOCAL_INIT;
    int rc = bg_local_set(&request, arg);
    rc += bg_local_set(&here, &one);
    rc += bg_blocking_with(cook, struct order, one, "soup");
    rc += bg_gather(bg_spawn_with(cook, struct order, one, "soup"), bg_spawn(cook, &one));
    bg_timeout (BG_S) {
        bg_shield
        {
            rc += bg_sleep(BG_MS);
        }
    }
    return bg_local_get(&request) == arg ? rc : -1;
}

static int handle(int fd, void *arg)
{
    (void)arg;
    return fd < 0;
}

static int network(void *arg)
{
    bg_addresses *list = NULL;
    bg_process *process = NULL;
    bg_stream *stream = NULL;
    const bg_stream_transport *transport = NULL;
    bg_walk *walk = NULL;
    bg_process_output output;
    const char *argv[] = {"true", NULL};
    int rc = bg_resolve("localhost", "80", &list) + bg_resolve("::1", "80", &list, .family = 0);
    int fd = bg_tcp_listen(NULL, "0", 5);
    rc += bg_tcp_listen(NULL, "0", 5, .v6_only = 1) + bg_tcp_connect("localhost", "80");
    rc += bg_tcp_connect("localhost", "80", .connect_delay = BG_S);
    rc += bg_udp_bind(NULL, "0") + bg_udp_bind(NULL, "0", .reuse_port = 1);
    rc += bg_serve(fd, handle, arg) + bg_serve(fd, handle, arg, .limit = 3, .drain = BG_S);
    rc += bg_stream_open(&stream, fd) + bg_stream_open(&stream, fd, .line_limit = 99);
    rc += bg_stream_open_over(&stream, transport, arg, .high_water = 9, .low_water = 1);
    rc += bg_file_write_whole("a", "b", 1) + bg_file_write_whole("a", "b", 1, .sync = 1);
    rc += bg_walk_open(&walk, "a") + bg_walk_open(&walk, "a", .follow = 1, .max_depth = 2);
    rc += bg_process_spawn(&process, argv) + bg_process_spawn(&process, argv, .out = BG_STDIO_PIPE);
    rc += bg_process_run(argv, &output) + bg_process_run(argv, &output, .merge = 1);
    return rc;
}

int main(void)
{
    return bg_run(main_task, NULL, .workers = 2, .blocking_threads = 3) < 0 ||
           bg_run(network, NULL) < 0;
}
