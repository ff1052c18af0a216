delete from document using :rows(kind text, id) where document.kind = rows.kind and document.id = rows.id
