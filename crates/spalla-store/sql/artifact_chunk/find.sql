select data from artifact_chunk where artifact_id = :artifact_id and place = :place
