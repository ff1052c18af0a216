with recursive above (child, parent) as (
    select dep.child, dep.parent from dep where dep.child = :work_item_id
    union
    select dep.child, dep.parent from above join dep on dep.child = above.parent
)
select child, parent from above
