delete from artifact_chunk where :among(artifact_id)
