//! What can become of the texts and bytes that the store reads: statements from their files, chunks from a database.

use crate::damage::{damaged, odd_text};
use crate::log_chunk::{pack, unpack};
use crate::sql::statement::{Dialect, compile};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use spalla_domain::Timestamp;
use spalla_domain::log::{LogLine, Stream};

const STATEMENTS: &[&str] = &[
    include_str!("../sql/reply/insert.sql"),
    include_str!("../sql/event_chunk/insert.postgres.sql"),
    include_str!("../sql/approval/list_pending.sql"),
    "x::text /* :not ' */ || \"od\"\"d\" || 'it''s :nor' -- :b\n:rows(a, b text, c blob) :a :most_1",
];

proptest! {
    #[test]
    fn a_damaged_statement_is_translated_alike_for_both_databases_or_refused_in_words(text in damaged(STATEMENTS)) {
        let both = (compile(Dialect::Sqlite, &text), compile(Dialect::Postgres, &text));
        match both {
            (Ok(sqlite), Ok(postgres)) => {
                prop_assert_eq!(&sqlite.scalars, &postgres.scalars);
                prop_assert_eq!(sqlite.columns, postgres.columns);
                let mut names = postgres.scalars;
                names.sort();
                names.dedup();
                prop_assert_eq!(names.len(), sqlite.scalars.len(), "a scalar has two numbers");
            }
            (Err(sqlite), Err(postgres)) => {
                prop_assert_eq!(&sqlite, &postgres);
                prop_assert!(!sqlite.trim().is_empty());
            }
            both => prop_assert!(false, "one database alone takes it: {:?}", both),
        }
    }

    #[test]
    fn lines_that_are_packed_come_back_the_same(lines in vec(any_line(), 0..20), first_seq in 0..1_000_000_i64) {
        let back = unpack(first_seq, &pack(&lines).unwrap()).unwrap();
        let back: Vec<_> = back.into_iter().map(|r| (r.seq, r.at, r.stream, r.step, r.text)).collect();
        let lines: Vec<_> =
            lines.into_iter().zip(first_seq..).map(|(l, seq)| (seq, l.at, l.stream, l.step, l.text)).collect();
        prop_assert_eq!(back, lines);
    }

    #[test]
    fn a_damaged_chunk_is_read_or_refused_in_words(
        lines in vec(any_line(), 0..4), blows in vec((any::<Index>(), any::<u8>()), 0..6), end in of(any::<Index>()),
    ) {
        let mut chunk = pack(&lines).unwrap();
        for (at, byte) in blows {
            let at = at.index(chunk.len());
            chunk[at] = byte;
        }
        chunk.truncate(end.map_or(chunk.len(), |end| end.index(chunk.len() + 1)));
        if let Err(error) = unpack(0, &chunk) {
            prop_assert!(!error.to_string().trim().is_empty());
        }
    }
}

fn any_line() -> impl Strategy<Value = LogLine> {
    let stream = select(vec![Stream::Stdout, Stream::Stderr, Stream::System]);
    let at = -62_000_000_000_000..250_000_000_000_000_i64;
    (at, stream, of(any::<u32>()), odd_text()).prop_map(|(at, stream, step, text)| LogLine {
        at: Timestamp::from_ms(at),
        stream,
        step,
        text,
    })
}
