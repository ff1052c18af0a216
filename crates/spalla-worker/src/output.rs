//! From the bytes of a command's output to log lines: split, shown without losing a byte, and bounded in every
//! direction.

#[cfg(test)]
mod fuzz;

use crate::masks::Masks;
use crate::pace::Discarding;
use crate::run_log::RunLog;
use crate::sandbox::{CHUNK_BYTES, PipeReader};
use spalla_domain::log::{LINE_BYTES_MAX, Stream, text_of};
use spalla_sandbox::{OutputReader, OutputStream};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Room for the notice at the end of a line that was cut, in bytes.
const NOTICE_BYTES: usize = 100;

/// Reads one stream of a step to its end into the log. Goes on reading when the log takes no more, so that the command
/// does not wait for it; only one that writes without end is slowed down.
pub(crate) async fn pump(mut pipe: PipeReader, stream: Stream, step: u32, log: &RunLog) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let (mut splitter, mut discarding) =
        (Splitter::of(log.line_bytes_max(), log.masks()), Discarding::default());
    loop {
        let read = pipe.read(&mut buffer).await;
        let mut lines = Vec::new();
        let mut discarded = read;
        if read == 0 {
            lines.extend(splitter.finish());
        } else if !log.is_full() {
            discarded = splitter.push(&buffer[..read], &mut lines);
        }
        log.output(stream, step, lines).await;
        if read == 0 {
            return;
        }
        discarding.took(discarded).await;
    }
}

/// How often it is looked whether there is more in the file of a step that goes on: more often than batches are sent.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Reads both streams of a step into the log from the file in which its supervisor keeps them, until all is over and
/// nothing more is in it. The same file becomes the same lines, however often it is read.
pub(crate) async fn follow(
    path: &Path,
    over: CancellationToken,
    step: u32,
    log: &RunLog,
) -> std::io::Result<()> {
    let mut reader = OutputReader::open(path)?;
    let mut splitters = [Stream::Stdout, Stream::Stderr]
        .map(|stream| (stream, Splitter::of(log.line_bytes_max(), log.masks())));
    let mut bytes = Vec::new();
    loop {
        let is_over = over.is_cancelled();
        while let Some(stream) = reader.next(&mut bytes)? {
            let at = usize::from(stream == OutputStream::Stderr);
            let (stream, splitter) = &mut splitters[at];
            let mut lines = Vec::new();
            if !log.is_full() {
                splitter.push(&bytes, &mut lines);
            }
            log.output(*stream, step, lines).await;
        }
        if is_over {
            break;
        }
        tokio::select! {
            () = over.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    for (stream, splitter) in &mut splitters {
        log.output(*stream, step, splitter.finish().into_iter().collect()).await;
    }
    Ok(())
}

/// Cuts bytes into lines. Holds at most one line, and of that no more than is kept.
#[derive(Debug)]
struct Splitter {
    line: Vec<u8>,
    cut_bytes: usize,
    bytes_max: usize,
    masks: Masks,
}

impl Splitter {
    /// Keeps so much of a line: no more than the server takes, and no less than what says that it was cut.
    fn of(bytes_max: usize, masks: &Masks) -> Self {
        let bytes_max = bytes_max.clamp(2 * NOTICE_BYTES, LINE_BYTES_MAX);
        Self { line: Vec::new(), cut_bytes: 0, bytes_max, masks: masks.clone() }
    }

    /// Adds bytes, and the lines that they end; returns how many bytes are not kept.
    fn push(&mut self, bytes: &[u8], lines: &mut Vec<String>) -> usize {
        let mut discarded = 0;
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let room = part.len().min(self.bytes_max - self.line.len());
            self.line.extend_from_slice(&part[..room]);
            self.cut_bytes += part.len() - room;
            discarded += part.len() - room;
            if parts.peek().is_some() {
                lines.push(self.take());
            }
        }
        discarded
    }

    /// Returns the last line when nothing ended it.
    fn finish(&mut self) -> Option<String> {
        (!self.line.is_empty() || self.cut_bytes > 0).then(|| self.take())
    }

    fn take(&mut self) -> String {
        if self.cut_bytes == 0 && self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let bytes = self.line.len() + std::mem::take(&mut self.cut_bytes);
        let mut text = text_of(&self.line);
        self.line.clear();
        let most = self.bytes_max;
        if bytes > most || text.len() > most {
            text.truncate(text.floor_char_boundary(most - NOTICE_BYTES));
            // Behind the notice nobody would know any more that a secret begins here.
            text = self.masks.cut_text(text);
            // A mask may be longer than what it hides.
            text.truncate(text.floor_char_boundary(most - NOTICE_BYTES));
            text.push_str(&format!(" … [cut: the line has {bytes} bytes, at most {most} are kept]"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use spalla_domain::secret::Secret;

    #[test]
    fn a_line_is_as_long_as_whoever_limits_it_says() {
        let (mut splitter, mut lines) = (Splitter::of(256, &Masks::default()), Vec::new());
        splitter.push(&[b'x'; 1_000], &mut lines);
        splitter.push(b"\nshort\n", &mut lines);
        assert!(
            lines[0].len() <= 256 && lines[0].ends_with("has 1000 bytes, at most 256 are kept]"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "short");
    }

    #[test]
    fn a_secret_where_a_line_is_cut_is_not_shown_in_part() {
        let masks = Masks::default();
        masks.add([("KEY", &Secret::from("s3cret-0123456789"))]);
        for before in 240 - NOTICE_BYTES..=260 - NOTICE_BYTES {
            let (mut splitter, mut lines) = (Splitter::of(256, &masks), Vec::new());
            let line = format!("{}s3cret-0123456789{}\n", "x".repeat(before), "y".repeat(500));
            splitter.push(line.as_bytes(), &mut lines);
            assert!(!lines[0].contains("s3") && lines[0].len() <= 256, "{before}: {lines:?}");
        }
    }

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::of(LINE_BYTES_MAX, &Masks::default()), Vec::new());
        for chunk in chunks {
            splitter.push(chunk, &mut lines);
        }
        lines.extend(splitter.finish());
        lines
    }

    #[test]
    fn lines_end_at_a_line_feed_and_the_last_one_is_kept() {
        assert_eq!(split(&[b"a\r\nb\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(split(&[b"one\r", b"\ntwo\rhalf\n"]), ["one", "two\rhalf"]);
        assert_eq!(split(&[b""]), Vec::<String>::new());
        assert_eq!(split(&[b"\n"]), [""]);
    }

    #[test]
    fn what_is_no_text_is_shown_across_chunks() {
        assert_eq!(split(&[b"caf\xc3", b"\xa9 \xff\n"]), ["café \\xFF"]);
    }

    #[test]
    fn a_long_line_is_cut_with_a_notice_and_bounded_memory() {
        let chunk = vec![b'x'; 1 << 20];
        let (mut splitter, mut lines) = (Splitter::of(LINE_BYTES_MAX, &Masks::default()), Vec::new());
        for _ in 0..100 {
            splitter.push(&chunk, &mut lines);
            assert!(splitter.line.capacity() <= 4 * LINE_BYTES_MAX);
        }
        splitter.push(b"\nnext\n", &mut lines);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].len() <= LINE_BYTES_MAX, "{}", lines[0].len());
        assert!(lines[0].ends_with("[cut: the line has 104857600 bytes, at most 65536 are kept]"));
        assert_eq!(lines[1], "next");
    }

    #[test]
    fn a_line_that_grows_by_being_shown_is_cut_too() {
        let lines = split(&[&vec![0xff; LINE_BYTES_MAX], b"\n"]);
        assert!(lines[0].len() <= LINE_BYTES_MAX && lines[0].contains("65536 bytes"), "{}", lines[0].len());
    }

    proptest! {
        #[test]
        fn where_the_chunks_end_does_not_matter(
            bytes in prop::collection::vec(prop::sample::select(vec![b'a', b'\n', b'\r', 0xc3, 0xa9]), 0..60),
            at in 0..60_usize,
        ) {
            let at = at.min(bytes.len());
            prop_assert_eq!(split(&[&bytes[..at], &bytes[at..]]), split(&[&bytes]));
        }
    }
}
