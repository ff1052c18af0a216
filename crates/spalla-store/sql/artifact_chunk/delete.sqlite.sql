delete from artifact_chunk where artifact_id = :row(artifact_id)
