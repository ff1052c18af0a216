select document.kind, document.id, document.owner, document.status, document.due_at, document.body
from :rows(owner)
join document on document.kind = :kind and document.owner = rows.owner
order by document.id
for update of document
