update sequence set next = next + :count where name = :name returning next - :count
