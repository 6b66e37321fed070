/* The intrusive list: order, removal inside a loop, and a link that is on no list. */
#include "cmocka_all.h"
#include "base/list.h"

struct item {
    int value;
    struct list link;
};

static void expect_order(struct list *head, const int *values, size_t n)
{
    size_t i = 0;
    list_for_each(pos, head)
    {
        assert_true(i < n);
        assert_int_equal(container_of(pos, struct item, link)->value, values[i++]);
    }
    assert_int_equal(i, n);
}

static void keeps_order(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3}, d = {.value = 4};
    list_init(&head);
    assert_true(list_empty(&head));
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    list_insert_after(&head, &a.link);
    expect_order(&head, (const int[]){1, 2, 3}, 3);
    list_insert_before(&c.link, &d.link);
    expect_order(&head, (const int[]){1, 2, 4, 3}, 4);
    assert_false(list_empty(&head));
}

static void removes_twice(void **state)
{
    (void)state;
    struct list head;
    struct item a = {.value = 1}, b = {.value = 2};
    list_init(&head);
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_remove(&a.link);
    list_remove(&a.link);
    assert_true(list_empty(&a.link));
    expect_order(&head, (const int[]){2}, 1);
    list_replace(&b.link, &a.link);
    expect_order(&head, (const int[]){1}, 1);
    assert_true(list_empty(&b.link));
}

static void moves_all(void **state)
{
    (void)state;
    struct list head, from;
    struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    list_init(&head);
    list_init(&from);
    list_append_all(&head, &from);
    assert_true(list_empty(&head) && list_empty(&from));
    list_append(&from, &a.link);
    list_append(&from, &b.link);
    list_append_all(&head, &from);
    assert_true(list_empty(&from));
    expect_order(&head, (const int[]){1, 2}, 2);
    list_append(&from, &c.link);
    list_append_all(&head, &from);
    expect_order(&head, (const int[]){1, 2, 3}, 3);
    list_remove(&c.link);
    expect_order(&head, (const int[]){1, 2}, 2);
}

static void empties_inside_the_loop(void **state)
{
    (void)state;
    struct list head;
    struct item items[5] = {0};
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        list_append(&head, &items[i].link);
    }
    list_for_each_safe(pos, next, &head)
    {
        list_remove(pos);
    }
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(removes_twice),
        cmocka_unit_test(moves_all),
        cmocka_unit_test(empties_inside_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
