//! The name of a scratchpad: `<task>_<unix time>`, which is the name of its folder too.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much of a task a name has, in bytes.
const TASK_BYTES_MAX: usize = 60;
/// The longest name, in bytes: with every ending of ours it is still a name that file systems take.
const ID_BYTES_MAX: usize = 100;

/// The name of a scratchpad.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// Makes the name of a task at a moment, in seconds since 1970.
    pub fn new(task: &str, seconds: i64) -> Self {
        Self(format!("{}_{}", word(task), seconds.max(0)))
    }

    /// Reads a name; what is none leads nowhere.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let end = text.rsplit_once('_');
        let ends = end.is_some_and(|(task, time)| {
            !task.is_empty() && !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit())
        });
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
        if ends && begins && text.len() <= ID_BYTES_MAX && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::NotFound(text.chars().take(ID_BYTES_MAX).collect()))
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes a part of a path of a task: what is no plain letter becomes one dash.
fn word(task: &str) -> String {
    let mut word = String::new();
    for letter in task.chars() {
        if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_') {
            word.push(letter);
        } else if !word.ends_with('-') {
            word.push('-');
        }
        if word.len() >= TASK_BYTES_MAX {
            break;
        }
    }
    let word = word.trim_start_matches(['.', '-']).trim_end_matches(['.', '-']);
    if word.is_empty() { "task".to_owned() } else { word.to_owned() }
}

impl TryFrom<String> for Id {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_every_task_and_is_read_again() {
        for (task, name) in [
            ("T-12_fix", "T-12_fix_7"),
            ("Mend the \"parser\"!", "Mend-the-parser_7"),
            ("../../etc/passwd", "etc-passwd_7"),
            ("--force", "force_7"),
            ("修复", "task_7"),
            ("", "task_7"),
            ("a\n\0b", "a-b_7"),
        ] {
            let id = Id::new(task, 7);
            assert_eq!(id.as_str(), name);
            assert_eq!(Id::parse(name).unwrap(), id);
        }
        assert!(Id::new(&"x".repeat(1_000), 7).as_str().len() <= ID_BYTES_MAX);
    }

    #[test]
    fn a_name_leads_nowhere() {
        for bad in
            ["", "a", "a_", "_7", ".a_7", "-a_7", "a/b_7", "../a_7", "a_7/", "a b_7", "ä_7", "a_7\n", "a_x"]
        {
            assert!(Id::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Id::parse(&format!("{}_7", "x".repeat(100))).is_err());
    }
}
