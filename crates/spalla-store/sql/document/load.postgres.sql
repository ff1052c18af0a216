select document.kind, document.id, document.owner, document.status, document.due_at, document.body
from :rows(id)
join document on document.kind = :kind and document.id = rows.id
order by document.id
for update of document
