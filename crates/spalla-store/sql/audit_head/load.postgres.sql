-- From here to the end of the transaction nobody else adds to the chain. Every row is written by then, so that nobody waits
-- for a row while somebody waits for the chain.
select id, hash from audit_head for update
