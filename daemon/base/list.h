/* Intrusive doubly linked list, circular through its head. A link that is on no list points at
 * itself, so that list_remove() may be called twice. */
#ifndef ACKD_BASE_LIST_H
#define ACKD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The object of `type` whose member `member` is the link `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define list_for_each(pos, head)                                                                   \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* The current entry may be removed inside the loop. */
#define list_for_each_safe(pos, tmp, head)                                                         \
    for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head);                         \
         pos = tmp, tmp = pos->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Insert `n` after `at`; with the head as `at`: at the front. */
static inline void list_insert_after(struct list *at, struct list *n)
{
    n->next = at->next;
    n->prev = at;
    at->next->prev = n;
    at->next = n;
}

/* Insert `n` before `at`; with the head as `at`: at the end. */
static inline void list_insert_before(struct list *at, struct list *n)
{
    list_insert_after(at->prev, n);
}

static inline void list_append(struct list *head, struct list *n)
{
    list_insert_before(head, n);
}

static inline void list_remove(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = n;
}

/* Move all of `from` to the end of `head`; `from` is empty afterwards. */
static inline void list_append_all(struct list *head, struct list *from)
{
    if (!list_empty(from)) {
        from->next->prev = head->prev;
        from->prev->next = head;
        head->prev->next = from->next;
        head->prev = from->prev;
        list_init(from);
    }
}

/* Put `n` where `old` was; `old` is on no list afterwards. */
static inline void list_replace(struct list *old, struct list *n)
{
    list_insert_after(old, n);
    list_remove(old);
}

#endif
