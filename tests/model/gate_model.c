/*
 * What the mutation gate is tested with (gate.sh): a message that is passed on, a flag each of two
 * threads raises before it looks at the other's, and a release nobody needs. `--below
 * tests/model/gate_model.c` has the gate weaken the operations of this file instead of the
 * library's.
 */
#include "base/atomic.h"
#include "mc.h"

static bgi_atomic full, idle, raised[2], lowered[2];
static int letter;

static void setup(void)
{
    bgi_store(&full, 0);
    bgi_store(&idle, 0);
    letter = 0;
    for (int i = 0; i < 2; i++) {
        bgi_store(&raised[i], 0);
        bgi_store(&lowered[i], 0);
    }
}

static void writer(void)
{
    bgi_store_release(&idle, 1); /* more than is needed: nothing was written before */
    letter = 1;
    bgi_store_release(&full, 1);
}

static void reader(void)
{
    (void)bgi_load(&idle);
    if (bgi_load_acquire(&full)) {
        mc_assert(letter == 1);
    }
}

MC_MODEL(message, .name = "gate/message", .says = "what the flag says is there can be read",
         .setup = setup, .thread = {writer, reader});

static void raise_and_look(void)
{
    int me = mc_self();
    bgi_store(&raised[me], 1);
    bgi_fence_full();
    bgi_store(&lowered[me], bgi_load(&raised[1 - me]) == 0);
}

static void not_both_first(void)
{
    mc_assert(!(bgi_load(&lowered[0]) && bgi_load(&lowered[1])));
}

MC_MODEL(flags, .name = "gate/flags", .says = "of two that raise a flag one sees the other's",
         .setup = setup, .thread = {raise_and_look, raise_and_look}, .check = not_both_first);

/* Called by nobody: its operation is reached by no model. */
void mc_gate_unreached(void);
void mc_gate_unreached(void)
{
    bgi_store_release(&full, 2);
}
