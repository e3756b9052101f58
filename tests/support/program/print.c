/*
 * Programs as C programs: the helpers that a program uses, word for word, a table of what the
 * oracle says, and a function for each task.
 *
 * The helpers are part of this program as text. A section of them goes from one line that begins
 * with its mark to the next one.
 */
#include "kinds.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Files beside this one, in the order in which they are printed. */
#define TEXT(name, file)                                                                           \
    __asm__(".pushsection .rodata\n"                                                               \
            "bgp_text_" #name ":\n"                                                                \
            ".incbin \"" BGP_FOLDER "/" file "\"\n"                                                \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char bgp_text_##name[] __attribute__((visibility("hidden")))

TEXT(standalone, "standalone.txt");
TEXT(types, "helpers_types.h");
TEXT(task, "helpers_task.h");
TEXT(time, "helpers_time.h");
TEXT(scope, "helpers_scope.h");
TEXT(group, "helpers_group.h");
TEXT(shared, "helpers_shared.h");
TEXT(lock, "helpers_lock.h");
TEXT(bell, "helpers_bell.h");
TEXT(chan, "helpers_chan.h");
TEXT(wire, "helpers_wire.h");
TEXT(select, "helpers_select.h");
TEXT(block, "helpers_block.h");
TEXT(future, "helpers_future.h");
TEXT(parallel, "helpers_parallel.h");

static const char *const helpers[] = {
    bgp_text_types,  bgp_text_task,  bgp_text_time,   bgp_text_scope,   bgp_text_group,
    bgp_text_shared, bgp_text_lock,  bgp_text_bell,   bgp_text_chan,    bgp_text_select,
    bgp_text_wire,   bgp_text_block, bgp_text_future, bgp_text_parallel};

/* What is shared: the section that says what it is, and what comes behind that; it is made and
 * looked at by begin_<name> and finish_<name>, where there are such. */
static const struct shared {
    const char *name, *types, *declaration;
} all_shared[] = {
    {"locks", "lock_types", "static struct lock locks[LOCKS];\n\n"},
    {"bells", "bell_types", "static struct bell bells[BELLS];\n\n"},
    {"signs", "sign_types", "static struct sign signs[SIGNS + 1];\n\n"},
    {"chans", "chan_types", "static struct chan chans[CHANS];\n\n"},
    {"wires", "wire_types", "static struct wire wires[WIRES];\n\n"},
    {"futures", "future_types", "static struct future futures[FUTURES];\n\n"},
    {"blocked", "blocked_types", "static struct blocked blocked;\n\n"},
};

enum { SHARED = sizeof all_shared / sizeof all_shared[0] };

enum { SECTIONS_MOST = 160, NAME_MOST = 32, FILES = sizeof helpers / sizeof helpers[0] };

struct section {
    char name[NAME_MOST];
    const char *text, *end; /* without its mark */
    const char *needs;      /* a list of names, to the end of the line */
    int wanted;
};

struct bgp_printer {
    FILE *out;
    const struct bgp_program *p;
    struct section section[SECTIONS_MOST];
    unsigned sections;
};

const struct bgp_program *bgp_printed(const struct bgp_printer *p)
{
    return p->p;
}

void bgp_out(struct bgp_printer *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(p->out, fmt, args);
    va_end(args);
}

/* ---- sections ---- */

static void find_sections(struct bgp_printer *p, const char *text)
{
    static const char mark[] = "/*@ ";
    const char *at = strstr(text, mark);
    while (at != NULL && p->sections < SECTIONS_MOST) {
        struct section *s = &p->section[p->sections++];
        const char *name = at + strlen(mark);
        size_t n = strcspn(name, ": ");
        (void)snprintf(s->name, sizeof s->name, "%.*s", (int)n, name);
        s->needs = name + n;
        s->text = strchr(name, '\n') + 1;
        at = strstr(s->text, mark);
        s->end = at != NULL ? at : strstr(s->text, "\n#endif") + 1;
    }
}

static void want(struct bgp_printer *p, const char *name, size_t length)
{
    for (unsigned i = 0; i < p->sections; i++) {
        struct section *s = &p->section[i];
        if (strlen(s->name) != length || strncmp(s->name, name, length) != 0 || s->wanted) {
            continue;
        }
        s->wanted = 1;
        for (const char *need = s->needs;;) {
            need += strspn(need, ":, ");
            size_t n = strcspn(need, ", *\n");
            if (n == 0) {
                break;
            }
            want(p, need, n);
            need += n;
        }
    }
}

static int is_wanted(const struct bgp_printer *p, const char *name)
{
    for (unsigned i = 0; i < p->sections; i++) {
        if (strcmp(p->section[i].name, name) == 0) {
            return p->section[i].wanted;
        }
    }
    return 0;
}

static void want_section(struct bgp_printer *p, const char *name)
{
    want(p, name, strlen(name));
}

/* Whether the task has operations that may jump to its end. */
static int uses_r(const struct bgp_program *p, unsigned t)
{
    const struct bgp_task *task = &p->task[t];
    unsigned depth = 0;
    for (uint32_t i = task->first; i < task->first + task->count; i++) {
        unsigned flags = p->op[i].kind->flags;
        if ((flags & BGP_WAITS) != 0 && ((task->flags & BGP_LEAVES_ALL) != 0 ||
                                         ((task->flags & BGP_LEAVES) != 0 && depth == 0))) {
            return 1;
        }
        depth += (flags & BGP_OPENS) != 0;
        depth -= p->op[i].kind == &bgp_kind_close;
    }
    return 0;
}

static void want_of_task(struct bgp_printer *p, unsigned t)
{
    const struct bgp_task *task = &p->p->task[t];
    int thread = (task->flags & BGP_THREAD) != 0;
    for (uint32_t i = task->first; i < task->first + task->count; i++) {
        const struct bgp_kind *kind = p->p->op[i].kind;
        const char *name =
            thread && kind->thread_helper != NULL ? kind->thread_helper : kind->helper;
        if (name != NULL) {
            want_section(p, name);
        }
    }
    if (thread || task->kids != task->kids_end || uses_r(p->p, t)) {
        want_section(p, thread ? "thread_join_rest" : "join_rest");
    }
    if (bgp_spawn_of(p->p, t) == BGP_SPAWN_WITH) {
        want_section(p, "begin_copy");
    }
    if (task->sign != 0) {
        want_section(p, "give_sign");
    }
}

static void want_what_is_used(struct bgp_printer *p)
{
    want_section(p, "life");
    want_section(p, "reports");
    want_section(p, "finish");
    if (p->p->ngroups > 0) {
        want_section(p, "finish_groups");
    }
    if (!p->p->leave) {
        want_section(p, p->p->mode == BGP_FOREIGN ? "thread_wait_for_rest" : "wait_for_rest");
    }
    for (unsigned t = 0; t < p->p->ntasks; t++) {
        want_of_task(p, t);
    }
    for (unsigned i = 0; i < SHARED; i++) {
        char name[NAME_MOST];
        if (is_wanted(p, all_shared[i].types)) {
            (void)snprintf(name, sizeof name, "begin_%s", all_shared[i].name);
            want_section(p, name);
            (void)snprintf(name, sizeof name, "finish_%s", all_shared[i].name);
            want_section(p, name);
        }
    }
}

/* ---- words ---- */

void bgp_out_time(struct bgp_printer *p, bg_duration d)
{
    static const struct {
        bg_duration d;
        const char *name;
    } unit[] = {{BG_MIN, "BG_MIN"}, {BG_S, "BG_S"}, {BG_MS, "BG_MS"}, {BG_US, "BG_US"}};
    if (d == BG_FOREVER) {
        bgp_out(p, "BG_FOREVER");
        return;
    }
    for (unsigned i = 0; d != 0 && i < sizeof unit / sizeof unit[0]; i++) {
        if (d % unit[i].d == 0) {
            bgp_out(p, "%lld * %s", (long long)(d / unit[i].d), unit[i].name);
            return;
        }
    }
    bgp_out(p, "%lld", (long long)d);
}

void bgp_out_list(struct bgp_printer *p, const struct bgp_op *op)
{
    bgp_out(p, "(int[]){");
    for (unsigned i = 0; i < op->n; i++) {
        bgp_out(p, "%s%d", i == 0 ? "" : ", ", op->list[i]);
    }
    bgp_out(p, "}");
}

void bgp_out_spawn(struct bgp_printer *p, unsigned c)
{
    const struct bgp_task *task = &p->p->task[c];
    switch (bgp_spawn_of(p->p, c)) {
    case BGP_RUNTIME_SPAWN:
        bgp_out(p, "bg_runtime_spawn(runtime, task_%u, NULL", c);
        break;
    case BGP_SPAWN_WITH:
        bgp_out(p, "bg_spawn_with(task_%u, struct copy, COPY_OF(%u))", c, c);
        return;
    default:
        bgp_out(p, "bg_spawn(task_%u, NULL", c);
    }
    if ((task->flags & BGP_NAMED) != 0) {
        bgp_out(p, ", .name = \"t%u\"", c);
    }
    if (task->stack != 0) {
        bgp_out(p, ", .stack_size = %u", 16384U << task->stack);
    }
    bgp_out(p, ")");
}

void bgp_print_plain(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d)", op->kind->name, t);
}

void bgp_print_who(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d)", op->kind->name, t, op->who);
}

void bgp_print_whom(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, %d, ", op->kind->name, t, op->n);
    bgp_out_list(p, op);
    bgp_out(p, ")");
}

void bgp_print_time(struct bgp_printer *p, int t, const struct bgp_op *op)
{
    bgp_out(p, "%s(%d, ", op->kind->name, t);
    bgp_out_time(p, op->d);
    bgp_out(p, ")");
}

/* ---- tasks ---- */

static void indent(struct bgp_printer *p, unsigned depth)
{
    bgp_out(p, "%*s", (int)(4 * (depth + 1)), "");
}

static void print_op(struct bgp_printer *p, int t, const struct bgp_op *op, unsigned depth)
{
    unsigned flags = p->p->task[t].flags;
    int leaves = (flags & (BGP_LEAVES | BGP_LEAVES_ALL)) != 0;
    int breaks = (flags & BGP_LEAVES) != 0 && depth > 0;
    indent(p, depth);
    if (!leaves || (op->kind->flags & BGP_WAITS) == 0) {
        if ((op->kind->flags & BGP_WAITS) != 0) {
            bgp_out(p, "(void)");
        }
        op->kind->print(p, t, op);
        bgp_out(p, ";\n");
        return;
    }
    bgp_out(p, breaks ? "if (" : "if ((r = ");
    op->kind->print(p, t, op);
    bgp_out(p, breaks ? " < 0) {\n" : ") < 0) {\n");
    indent(p, depth + 1);
    bgp_out(p, breaks ? "break;\n" : "goto out;\n");
    indent(p, depth);
    bgp_out(p, "}\n");
}

static void print_ops(struct bgp_printer *p, int t)
{
    const struct bgp_task *task = &p->p->task[t];
    const struct bgp_op *opened[BGP_BLOCKS];
    unsigned depth = 0;
    for (uint32_t i = task->first; i < task->first + task->count; i++) {
        const struct bgp_op *op = &p->p->op[i];
        if (op->kind == &bgp_kind_close) {
            indent(p, --depth);
            bgp_out(p, "}\n");
            if (opened[depth]->kind->print_end != NULL) {
                indent(p, depth);
                opened[depth]->kind->print_end(p, t, opened[depth]);
                bgp_out(p, ";\n");
            }
        } else if ((op->kind->flags & BGP_OPENS) != 0) {
            indent(p, depth);
            op->kind->print(p, t, op);
            bgp_out(p, " {\n");
            opened[depth++] = op;
            if (op->kind->print_begin != NULL) {
                indent(p, depth);
                op->kind->print_begin(p, t, op);
                bgp_out(p, ";\n");
            }
        } else if (op->kind->print != NULL) {
            print_op(p, t, op, depth);
        }
    }
}

static void print_task(struct bgp_printer *p, int t)
{
    const struct bgp_task *task = &p->p->task[t];
    int r = uses_r(p->p, (unsigned)t);
    bgp_out(p, "\nstatic int task_%d(void *arg)\n{\n", t);
    if (r) {
        bgp_out(p, "    int r = 0;\n");
    }
    if (bgp_spawn_of(p->p, (unsigned)t) == BGP_SPAWN_WITH) {
        bgp_out(p, "    begin_copy(%d, arg);\n", t);
    } else {
        bgp_out(p, "    (void)arg;\n    begin(%d);\n", t);
    }
    print_ops(p, t);
    if (r) {
        bgp_out(p, "out:\n");
    }
    if (task->kids != task->kids_end || r) {
        bgp_out(p, "    join_rest(%d);\n", t);
    }
    for (unsigned i = 0; i < task->ntimers; i++) {
        bgp_out(p, "    stop_timer(%d, %u);\n", t, task->timer + i);
    }
    if (t == 0 && p->p->mode != BGP_FOREIGN) {
        bgp_out(p, p->p->leave ? "    store(&leaving, 1);\n" : "    wait_for_rest();\n");
    }
    if (task->sign != 0) {
        bgp_out(p, "    give_sign(%d, %d);\n", t, task->ways);
    }
    if (r) {
        bgp_out(p, "    return end(%d, r < 0 ? r : %d);\n}\n", t, task->own);
    } else {
        bgp_out(p, "    return end(%d, %d);\n}\n", t, task->own);
    }
}

static void print_thread(struct bgp_printer *p, int t)
{
    bgp_out(p, "\nstatic void *thread_%d(void *arg)\n{\n", t);
    print_ops(p, t);
    bgp_out(p, "    thread_join_rest(%d);\n    return arg;\n}\n", t);
}

/* The callback that spawns it. */
static void print_loose(struct bgp_printer *p, unsigned t)
{
    bgp_out(p, "\nstatic int spawn_%u(void *arg)\n{\n    return spawned_after(arg, ", t);
    bgp_out_spawn(p, t);
    bgp_out(p, ");\n}\n");
}

/* ---- the whole ---- */

static void print_tables(struct bgp_printer *p)
{
    const struct bgp_program *q = p->p;
    bgp_out(p, "enum { TASKS = %u, CALLS = %u, GROUPS = %u, SIGNS = %u, LEAVES = %d };\n\n",
            q->ntasks, q->ncalls, q->ngroups, q->nsigns, q->leave);
    bgp_out(p, "static struct task tasks[TASKS] = {\n");
    for (unsigned t = 0; t < q->ntasks; t++) {
        const struct bgp_task *task = &q->task[t];
        bgp_out(p, "    {.parent = %d, .kids = %u, .end = %u, .result = %d, .may = %d, ",
                task->parent == BGP_NONE ? -1 : task->parent, task->kids, task->kids_end,
                task->result, task->may);
        if ((task->flags & BGP_PASSES_ON) != 0) {
            bgp_out(p, ".passes_on = 1, ");
        }
        if (task->fate == BGP_GROUPED) {
            bgp_out(p, ".group = %u, ", task->group);
        }
        if (task->sign != 0) {
            bgp_out(p, ".sign = %u, ", task->sign);
        }
        if (t == 0) {
            bgp_out(p, ".name = \"main\", .spawned = 1},\n");
        } else if ((task->flags & BGP_NAMED) != 0) {
            bgp_out(p, ".name = \"t%u\"},\n", t);
        } else {
            bgp_out(p, ".name = \"\"},\n");
        }
    }
    bgp_out(p, "};\n");
    bgp_out(p, "static struct call calls[CALLS + 1];\n"
               "static struct group groups[GROUPS + 1];\n");
    if (q->ntimers > 0) {
        bgp_out(p, "static struct timer timers[%u];\n", q->ntimers);
    }
    bgp_out(p, "static struct {\n"
               "    word leaving, all_spawned, forks_made, pending_calls, failed_calls;\n"
               "    bg_runtime *runtime;\n"
               "} all = {.all_spawned = 1};\n"
               "#define leaving all.leaving\n"
               "#define all_spawned all.all_spawned\n"
               "#define pending_calls all.pending_calls\n"
               "#define forks_made all.forks_made\n"
               "#define failed_calls all.failed_calls\n"
               "#define runtime all.runtime\n\n");
}

static void print_declaration(struct bgp_printer *p, const char *section)
{
    for (unsigned i = 0; i < SHARED; i++) {
        if (strcmp(section, all_shared[i].types) == 0) {
            bgp_out(p, "%s", all_shared[i].declaration);
        }
    }
}

static void print_sections(struct bgp_printer *p, int types)
{
    for (unsigned i = 0; i < p->sections; i++) {
        const struct section *s = &p->section[i];
        if (s->wanted && (strcmp(s->name, "types") == 0) == types) {
            bgp_out(p, "%.*s", (int)(s->end - s->text), s->text);
            print_declaration(p, s->name);
        }
    }
}

/* begin_<name>() or finish_<name>() of all that is shared. */
static void print_shared(struct bgp_printer *p, const char *what)
{
    for (unsigned i = 0; i < SHARED; i++) {
        char name[NAME_MOST];
        (void)snprintf(name, sizeof name, "%s_%s", what, all_shared[i].name);
        if (is_wanted(p, name)) {
            bgp_out(p, "    %s();\n", name);
        }
    }
}

static void print_main(struct bgp_printer *p)
{
    const struct bgp_program *q = p->p;
    bgp_out(p, "\nint main(void)\n{\n    bg_set_failure_hook(reported, NULL);\n");
    print_shared(p, "begin");
    if (q->mode != BGP_FOREIGN) {
        bgp_out(p, "    int r = bg_run(task_0, NULL, .workers = %u", q->workers);
        if (q->mode == BGP_SEEDED) {
            bgp_out(p, ", .seed = %llu", (unsigned long long)q->schedule);
        } else if (q->spares != 0) {
            bgp_out(p, ", .spares = %d", q->spares);
        }
        bgp_out(p, ");\n");
    } else {
        bgp_out(p,
                "    pthread_t thread[TASKS];\n"
                "    CHECK(-1, bg_runtime_create(&runtime, .workers = %u, .spares = %d) == 0);\n"
                "    bg_task *main_task = "
                "bg_runtime_spawn(runtime, task_0, NULL, .name = \"main\");\n",
                q->workers, q->spares);
        for (unsigned t = 1; t < q->ntasks && (q->task[t].flags & BGP_THREAD) != 0; t++) {
            bgp_out(p, "    (void)pthread_create(&thread[%u], NULL, thread_%u, NULL);\n", t, t);
        }
        for (unsigned t = 1; t < q->ntasks && (q->task[t].flags & BGP_THREAD) != 0; t++) {
            bgp_out(p, "    (void)pthread_join(thread[%u], NULL);\n", t);
        }
        bgp_out(p,
                "    int r = bg_runtime_wait(runtime, main_task);\n    %s;\n"
                "    CHECK(-1, bg_runtime_shutdown(runtime) == 0);\n",
                q->leave ? "store(&leaving, 1)" : "thread_wait_for_rest()");
    }
    if (q->mode == BGP_SEEDED) {
        bgp_out(p, "    if (r == -EDEADLK) {\n        return 1;\n    }\n");
    }
    bgp_out(p,
            "    CHECK(0, tasks[0].ended && r == tasks[0].returned);\n"
            "    finish();\n%s",
            q->ngroups > 0 ? "    finish_groups();\n" : "");
    print_shared(p, "finish");
    bgp_out(p, "    return failures != 0;\n}\n");
}

int bgp_print(FILE *out, const struct bgp_program *q)
{
    struct bgp_printer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return -ENOMEM;
    }
    p->out = out;
    p->p = q;
    for (unsigned i = 0; i < FILES; i++) {
        find_sections(p, helpers[i]);
    }
    want_what_is_used(p);
    bgp_out(p,
            "/*\n"
            " * cc -pthread -I include this.c libbrigade.a && ./a.out\n"
            " *\n"
            " * Made of the random program %llu. It ends with 0 when all holds that has to.\n"
            " */\n",
            (unsigned long long)q->seed);
    bgp_out(p, "%s%s", q->mode == BGP_FOREIGN ? "#include <pthread.h>\n" : "", bgp_text_standalone);
    print_sections(p, 1);
    print_tables(p);
    print_sections(p, 0);
    for (unsigned t = 0; t < q->ntasks; t++) {
        if ((q->task[t].flags & BGP_THREAD) == 0) {
            bgp_out(p, "static int task_%u(void *arg);\n", t);
        }
    }
    for (unsigned t = 0; t < q->ntasks; t++) {
        if (q->task[t].fate == BGP_LOOSE) {
            print_loose(p, t);
        }
    }
    for (unsigned t = 0; t < q->ntasks; t++) {
        if ((q->task[t].flags & BGP_THREAD) != 0) {
            print_thread(p, (int)t);
        } else {
            print_task(p, (int)t);
        }
    }
    print_main(p);
    free(p);
    return ferror(out) != 0 ? -EIO : 0;
}
