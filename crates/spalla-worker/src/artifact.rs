//! A file on its way from a run to the server: open already, and read from its beginning however often it is sent.

use futures_util::{Stream, stream};
use spalla_domain::artifact::ArtifactPath;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How much is read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// An open file that a run leaves; cheap to clone.
#[derive(Debug, Clone)]
pub struct ArtifactFile {
    path: ArtifactPath,
    file: Arc<File>,
    bytes: u64,
}

impl ArtifactFile {
    /// Takes an open file, of which so many bytes are sent at most.
    pub fn new(path: ArtifactPath, file: File, bytes: u64) -> Self {
        Self { path, file: Arc::new(file), bytes }
    }

    /// Returns where it is kept.
    pub fn path(&self) -> &ArtifactPath {
        &self.path
    }

    /// Reads the file from its beginning.
    pub fn pieces(&self) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + use<> {
        let (file, bytes) = (Arc::clone(&self.file), self.bytes);
        stream::try_unfold(0, move |at| {
            let file = Arc::clone(&file);
            async move {
                let wanted = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
                let piece = tokio::task::spawn_blocking(move || read_at(&file, at, wanted)).await??;
                let next = at + piece.len() as u64;
                Ok((!piece.is_empty()).then_some((piece, next)))
            }
        })
    }
}

fn read_at(file: &File, at: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; wanted];
    let mut read = 0;
    while read < wanted {
        match file.read_at(&mut piece[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(read);
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    #[tokio::test]
    async fn a_file_is_read_from_its_beginning_each_time_and_not_beyond_its_bound() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..600_000_u32).map(|n| n as u8).collect();
        io::Write::write_all(&mut file, &content).unwrap();
        let path = ArtifactPath::new("a").unwrap();
        let artifact = ArtifactFile::new(path, file, 550_000);
        for _ in 0..2 {
            let pieces: Vec<Vec<u8>> = artifact.pieces().try_collect().await.unwrap();
            assert_eq!((pieces.len(), pieces.concat()), (3, content[..550_000].to_vec()));
        }
    }
}
