insert into reply (key, at, fingerprint, reply)
:values(key text, at, fingerprint blob, reply text)
