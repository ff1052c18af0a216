select work_item_state.* from work_item_state where id = :id
