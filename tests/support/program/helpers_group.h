/*
 * Helpers (helpers_types.h): groups.
 */
#ifndef BGP_HELPERS_GROUP_H
#define BGP_HELPERS_GROUP_H

/*@ opened: outcome_of, after_wait */
/* At the beginning of the block of group i: bg_group(g, .result = &groups[i].result) */
static inline void opened(int t, int i, bg_group_t *group)
{
    groups[i].group = group;
    tasks[t].scope[tasks[t].depth++] = (struct scope){.group = &groups[i]};
}

/* After it: all members have ended, and its result is the first failure of one, or says that it was
 * cancelled, and why. */
static inline void closed(int t, int i)
{
    struct group *g = &groups[i];
    int failed = 0, is_one = 0;
    tasks[t].depth--;
    for (int c = tasks[t].kids; c < tasks[t].end; c++) {
        if (tasks[c].group == i && load(&tasks[c].spawned) != 0) {
            int own = outcome_of(c);
            failed |= own < 0 && own != -ECANCELED;
            is_one |= own == g->result;
        }
    }
    if (failed) {
        CHECK(t, g->result < 0 && g->result != -ECANCELED && is_one);
    } else if (load(&g->asked) != 0) {
        CHECK(t, g->result == -ECANCELED || g->result == -ETIMEDOUT);
    } else {
        (void)after_wait(t, 0, g->result);
    }
}

/*@ spawn_in: waited */
/* Spawns a member; may wait for a place. */
static inline int spawn_in(int t, int i, int c, bg_fn fn, void *arg)
{
    const char *name = tasks[c].name[0] == '\0' ? NULL : tasks[c].name;
    int was_cancelled = load_acquire(&groups[i].asked) == 2;
    int sure = before_wait(t);
    int r = bg_group_spawn(groups[i].group, fn, arg, .name = name);
    CHECK(t, r != 0 || !was_cancelled);
    if (r == -ECANCELED && is_cancelled(&groups[i])) {
        return r; /* no shield is against that */
    }
    if (r == 0) {
        store(&tasks[c].spawned, 1);
        (void)add(&all_spawned, 1);
    }
    return after_wait(t, sure, r);
}

/*@ cancel_group: types */
static inline void cancel_group(int t, int i)
{
    struct group *g = &groups[i];
    if (load(&g->asked) == 0) {
        store(&g->asked, 1);
    }
    CHECK(t, bg_group_cancel(g->group) == 0);
    store_release(&g->asked, 2);
}

/*@ next: waited */
/* Takes a member's result. That the group is cancelled does not end that wait. */
static inline int next(int t, int i)
{
    int result = 1;
    tasks[t].depth--;
    int sure = before_wait(t);
    int r = bg_group_next(groups[i].group, &result);
    int failed = after_wait(t, sure, r == -ENOENT ? 0 : r);
    tasks[t].depth++;
    int members = 0, found = result == -ECANCELED; /* perhaps of one that never began */
    for (int c = tasks[t].kids; c < tasks[t].end; c++) {
        if (tasks[c].group == i && load(&tasks[c].spawned) != 0) {
            members++;
            found |= load(&tasks[c].outcome) == (word_value)result + 1;
        }
    }
    if (r == -ENOENT) {
        CHECK(t, groups[i].taken == members);
    } else if (r == 0) {
        groups[i].taken++;
        CHECK(t, found && groups[i].taken <= members);
    }
    return failed;
}

/*@ finish_groups: life */
/* When all have ended: of the failures of its members a group has told one, and reported the
 * others. */
static inline void finish_groups(void)
{
    for (int i = 1; i <= GROUPS; i++) {
        word_value failed = 0, reports = 0;
        for (int c = 0; c < TASKS; c++) {
            if (tasks[c].group == i && load(&tasks[c].begun) != 0) {
                failed += tasks[c].returned < 0 && tasks[c].returned != -ECANCELED;
                reports += load(&tasks[c].reports);
            }
        }
        CHECK(-1, reports + (failed != 0) == failed);
    }
}

#endif
