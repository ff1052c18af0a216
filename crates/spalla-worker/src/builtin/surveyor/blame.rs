//! Reads `git blame --porcelain`: when each line was last written.

use std::collections::HashMap;

use jiff::Timestamp;

/// Returns the time of each line, by its number of today. What cannot be read is left out.
pub(super) fn parse(bytes: &[u8]) -> HashMap<u32, Timestamp> {
    let text = String::from_utf8_lossy(bytes);
    let mut times: HashMap<&str, Timestamp> = HashMap::new();
    let mut lines: Vec<(u32, &str)> = Vec::new();
    let mut commit = "";
    for line in text.lines() {
        if line.starts_with('\t') {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["author-time", seconds] => {
                if let Some(at) = seconds.parse().ok().and_then(|at| Timestamp::from_second(at).ok()) {
                    times.insert(commit, at);
                }
            }
            [hash, _, number, ..] if is_hash(hash) => {
                commit = hash;
                lines.extend(number.parse().ok().map(|number: u32| (number, *hash)));
            }
            _ => {}
        }
    }
    lines.into_iter().filter_map(|(number, commit)| Some((number, *times.get(commit)?))).collect()
}

fn is_hash(word: &str) -> bool {
    word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_time_of_their_commit() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "{a} 3 7 1\nauthor Ann\nauthor-mail <a@x>\nauthor-time 100\nsummary author-time 5\n\t// TODO: x\n{b} 1 9 1\nauthor-time 200\n\ty\n{a} 4 12 1\n\tz\n"
        );
        let times = parse(text.as_bytes());
        let seconds = |line: u32| times.get(&line).map(|at| at.as_second());
        assert_eq!(
            [seconds(7), seconds(9), seconds(12), seconds(8)],
            [Some(100), Some(200), Some(100), None]
        );
        assert!(parse(b"fatal: no such path").is_empty());
    }
}
