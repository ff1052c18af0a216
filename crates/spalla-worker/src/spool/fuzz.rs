//! What a disk that lies can do to the batches that wait for the server.

use super::{Batch, Spool};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use spalla_domain::Timestamp;
use spalla_domain::log::{LogLine, Stream};
use std::os::unix::fs::FileExt;

fn batch(first_seq: i64, text: &str) -> Batch {
    let line = LogLine { at: Timestamp::from_ms(5), stream: Stream::Stdout, step: None, text: text.into() };
    Batch { first_seq, lines: vec![line] }
}

/// What happens to the file.
#[derive(Debug, Clone)]
enum Harm {
    Cut(Index),
    Overwrite(Index, Vec<u8>),
}

proptest! {
    #[test]
    fn a_damaged_file_loses_batches_and_nothing_else(
        texts in vec("\\PC{0,60}", 1..12),
        harms in vec(prop_oneof![
            any::<Index>().prop_map(Harm::Cut),
            (any::<Index>(), vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Harm::Overwrite(at, bytes)),
        ], 0..3),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path().into(), 100);
        for (text, seq) in texts.iter().zip(0..) {
            spool.push(batch(seq, text));
        }
        if let Some(overflow) = &spool.file {
            for harm in &harms {
                let length = usize::try_from(overflow.file.metadata().unwrap().len()).unwrap();
                match harm {
                    Harm::Cut(at) => overflow.file.set_len(at.index(length + 1) as u64).unwrap(),
                    Harm::Overwrite(at, bytes) => {
                        overflow.file.write_all_at(bytes, at.index(length + 1) as u64).unwrap();
                    }
                }
            }
        }
        let mut seen = Vec::new();
        while let Some(front) = spool.front() {
            seen.push(front.clone());
            spool.pop();
            prop_assert!(seen.len() <= texts.len());
        }
        if harms.is_empty() {
            let said: Vec<_> = texts.iter().zip(0..).map(|(text, seq)| batch(seq, text)).collect();
            prop_assert_eq!(seen, said);
        }
        prop_assert!(spool.has_room() && spool.memory_bytes == 0);
        spool.push(batch(99, "after"));
        prop_assert_eq!(spool.front(), Some(&batch(99, "after")));
    }
}
