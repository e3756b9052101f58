/*
 * The list of all kinds of operations.
 */
#include "kinds.h"

/* What ends the innermost block. */
const struct bgp_kind bgp_kind_close = {.name = "close"};

const struct bgp_kind *const bgp_kinds[] = {
#define KIND(name) &bgp_kind_##name,
    BGP_KINDS(KIND)
#undef KIND
        & bgp_kind_close,
    NULL,
};
