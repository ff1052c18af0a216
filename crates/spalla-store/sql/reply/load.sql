select reply.key, reply.at, reply.fingerprint, reply.reply from :rows(key text) join reply on reply.key = rows.key
