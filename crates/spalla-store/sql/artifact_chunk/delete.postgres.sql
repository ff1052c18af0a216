delete from artifact_chunk using :rows(artifact_id) where artifact_chunk.artifact_id = rows.artifact_id
