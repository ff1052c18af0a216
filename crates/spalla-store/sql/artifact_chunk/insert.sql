insert into artifact_chunk (artifact_id, place, data)
:values(artifact_id, place, data blob)
