insert into reply (key, at, fingerprint, reply)
select rows.key, rows.at, rows.fingerprint, rows.reply from :rows(key text, at, fingerprint blob, reply text)
