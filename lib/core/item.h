/*
 * The work item: all that the worker loop knows of what it runs.
 *
 * A fiber resumes a stack, a fork runs in place, a lean callback returns: the loop calls `run`
 * and does not ask. An item is in at most one queue at a time and belongs to whoever took it out.
 */
#ifndef BGI_ITEM_H
#define BGI_ITEM_H

#include "base/list.h"

struct bgi_worker;

typedef struct bgi_item bgi_item;
struct bgi_item {
    struct bgi_link link; /* the queues' */
    void (*run)(struct bgi_worker *w, bgi_item *self);
};

BGI_INLINE bgi_item *bgi_item_of(struct bgi_link *link)
{
    return BGI_CONTAINER_OF(link, bgi_item, link);
}

#endif
