/*
 * Intrusive lists: a circular doubly linked one, and a FIFO of single links.
 *
 * The links live in the listed objects; nothing is allocated, nothing is counted, nobody is
 * locked. The head of a bgi_list is a link like the others, which is why no operation has a
 * special case. A link that is in no list is either unlinked (points to itself: bgi_list_linked
 * is false) or its content means nothing.
 */
#ifndef BGI_LIST_H
#define BGI_LIST_H

#include "base/compiler.h"

struct bgi_list {
    struct bgi_list *next, *prev;
};

BGI_INLINE void bgi_list_init(struct bgi_list *l)
{
    l->next = l;
    l->prev = l;
}

BGI_INLINE int bgi_list_empty(const struct bgi_list *head)
{
    return head->next == head;
}

/* Whether a link that was initialised, or taken out by bgi_list_remove, is in a list. */
BGI_INLINE int bgi_list_linked(const struct bgi_list *l)
{
    return l->next != l;
}

BGI_INLINE void bgi_list_insert_between(struct bgi_list *l, struct bgi_list *prev,
                                        struct bgi_list *next)
{
    l->next = next;
    l->prev = prev;
    prev->next = l;
    next->prev = l;
}

BGI_INLINE void bgi_list_push_front(struct bgi_list *head, struct bgi_list *l)
{
    bgi_list_insert_between(l, head, head->next);
}

BGI_INLINE void bgi_list_push_back(struct bgi_list *head, struct bgi_list *l)
{
    bgi_list_insert_between(l, head->prev, head);
}

/* Takes l out and leaves its own words as they are. */
BGI_INLINE void bgi_list_unlink(struct bgi_list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
}

/* Takes l out and leaves it unlinked; on an unlinked one, nothing happens. */
BGI_INLINE void bgi_list_remove(struct bgi_list *l)
{
    bgi_list_unlink(l);
    bgi_list_init(l);
}

/* The first link, taken out and unlinked, or NULL. */
BGI_INLINE struct bgi_list *bgi_list_pop_front(struct bgi_list *head)
{
    struct bgi_list *l = head->next;
    if (l == head) {
        return NULL;
    }
    bgi_list_remove(l);
    return l;
}

/* Moves all of from to the end of to, in order; from is empty afterwards. */
BGI_INLINE void bgi_list_splice_back(struct bgi_list *to, struct bgi_list *from)
{
    if (bgi_list_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    bgi_list_init(from);
}

/* The body may not take l out. */
#define bgi_list_for_each(l, head) for ((l) = (head)->next; (l) != (head); (l) = (l)->next)

/* The body may take l out, but not after. */
#define bgi_list_for_each_safe(l, after, head)                                                     \
    for ((l) = (head)->next, (after) = (l)->next; (l) != (head); (l) = (after), (after) = (l)->next)

/* A link of a FIFO. */
struct bgi_link {
    struct bgi_link *next;
};

/* tail means nothing while head is NULL; the last link's next is NULL. All zeroes is empty. */
struct bgi_fifo {
    struct bgi_link *head, *tail;
};

BGI_INLINE void bgi_fifo_init(struct bgi_fifo *f)
{
    f->head = NULL;
    f->tail = NULL;
}

BGI_INLINE int bgi_fifo_empty(const struct bgi_fifo *f)
{
    return f->head == NULL;
}

BGI_INLINE void bgi_fifo_push(struct bgi_fifo *f, struct bgi_link *l)
{
    l->next = NULL;
    if (f->head == NULL) {
        f->head = l;
    } else {
        f->tail->next = l;
    }
    f->tail = l;
}

BGI_INLINE void bgi_fifo_push_front(struct bgi_fifo *f, struct bgi_link *l)
{
    l->next = f->head;
    if (f->head == NULL) {
        f->tail = l;
    }
    f->head = l;
}

/* The oldest link, or NULL. */
BGI_INLINE struct bgi_link *bgi_fifo_pop(struct bgi_fifo *f)
{
    struct bgi_link *l = f->head;
    if (l != NULL) {
        f->head = l->next;
    }
    return l;
}

/* Moves all of from to the end of to, in order; from is empty afterwards. */
BGI_INLINE void bgi_fifo_splice(struct bgi_fifo *to, struct bgi_fifo *from)
{
    if (from->head == NULL) {
        return;
    }
    if (to->head == NULL) {
        to->head = from->head;
    } else {
        to->tail->next = from->head;
    }
    to->tail = from->tail;
    from->head = NULL;
}

#endif
