//! Artifacts: files that a run leaves to be kept, by their paths; and how many and how large they may be.

use crate::problem::Code;
use crate::{ArtifactId, Refusal, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most bytes of one artifact: a build's package, and no image of a disk.
pub const ARTIFACT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most artifacts of a run.
pub const ARTIFACTS_MAX: u64 = 1_000;
/// The most bytes of all artifacts of a run.
pub const RUN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The longest path, in bytes: long enough for every tree, and short enough for an index.
pub const PATH_BYTES_MAX: usize = 1_024;
/// The longest part of a path, in bytes: what file systems allow.
pub const PART_BYTES_MAX: usize = 255;
/// The longest media type, in bytes.
pub const MEDIA_TYPE_BYTES_MAX: usize = 255;

/// The path of an artifact: relative, with one spelling, and leading nowhere but down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Accepts a path of parts that are joined by `/`.
    pub fn new(text: impl Into<String>) -> Result<Self, Refusal> {
        let text = text.into();
        match fault(&text) {
            None => Ok(Self(text)),
            Some(why) => Err(Refusal::new(Code::Invalid, format!("path: {why}"))
                .mend("send a relative path such as dist/app.tar.gz")),
        }
    }

    /// Returns the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part, which a person sees as the file's name.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.len() > PATH_BYTES_MAX {
        return Some(format!("it has {} bytes; at most {PATH_BYTES_MAX} are kept", text.len()));
    }
    if text.starts_with('/') {
        return Some("it begins at the root, and an artifact lies beneath its run".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Some("it has a control character in it".to_owned());
    }
    // What saves it elsewhere may take it for a separator.
    if text.contains('\\') {
        return Some("it has a backslash in it; parts are joined by /".to_owned());
    }
    text.split('/').find_map(|part| match part {
        "" => Some("it has an empty part".to_owned()),
        "." | ".." => Some(format!("it has the part {part:?}, which leads elsewhere")),
        part if part.len() > PART_BYTES_MAX => {
            Some(format!("a part has {} bytes; at most {PART_BYTES_MAX} are kept", part.len()))
        }
        _ => None,
    })
}

impl TryFrom<String> for ArtifactPath {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        Self::new(text)
    }
}

impl From<ArtifactPath> for String {
    fn from(path: ArtifactPath) -> Self {
        path.0
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An artifact, without what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its id: another one each time that its path is written.
    pub id: ArtifactId,
    /// Who left it.
    pub run_id: RunId,
    /// Where, among what the run left.
    pub path: ArtifactPath,
    /// What its sender called it.
    pub media_type: String,
    /// How large it is.
    pub bytes: u64,
    /// The SHA-256 of what is in it, as hexadecimal digits.
    pub sha256: String,
    /// When it was kept.
    pub stored_at: Timestamp,
}

/// How much a run has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How many artifacts.
    pub count: u64,
    /// How many bytes in them.
    pub bytes: u64,
}

/// Refuses an artifact with which its run would have left too much. One that stands at its path already goes.
pub fn check_room(run: RunId, known: Totals, replaced: Option<u64>, bytes: u64) -> Result<(), Refusal> {
    let count = known.count + u64::from(replaced.is_none());
    let total = known.bytes.saturating_sub(replaced.unwrap_or(0)).saturating_add(bytes);
    let too_much = |what: String| {
        Err(Refusal::new(Code::ArtifactsFull, format!("run {run} would leave {what}"))
            .mend("keep fewer or smaller files, or put them into one archive"))
    };
    if count > ARTIFACTS_MAX {
        return too_much(format!("{count} artifacts; at most {ARTIFACTS_MAX} are kept"));
    }
    if total > RUN_BYTES_MAX {
        return too_much(format!("artifacts of {total} bytes; at most {RUN_BYTES_MAX} are kept"));
    }
    Ok(())
}

/// Refuses an artifact that is too large by itself.
pub fn too_large(bytes: u64) -> Refusal {
    let detail =
        format!("an artifact of {bytes} bytes or more is too large; at most {ARTIFACT_BYTES_MAX} are kept");
    Refusal::new(Code::ArtifactTooLarge, detail).mend("compress it, or keep it elsewhere and say where")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_down_and_has_one_spelling() {
        for good in ["a", "dist/app.tar.gz", "..a/b..", ".hidden", "ä b/ç", &"x".repeat(255)] {
            assert_eq!(ArtifactPath::new(good).unwrap().as_str(), good);
        }
        let deep = "abc/".repeat(256) + "d";
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "./a",
            "a/.",
            "..",
            "a/../b",
            "a/..",
            "a\\b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}b",
            "a\0",
            &"x".repeat(256),
            &deep,
        ] {
            assert_eq!(ArtifactPath::new(bad).unwrap_err().code, Code::Invalid, "{bad:?}");
        }
        assert_eq!(ArtifactPath::new("dist/app.js").unwrap().file_name(), "app.js");
    }

    #[test]
    fn a_run_leaves_no_more_than_it_may_and_what_is_replaced_does_not_count() {
        let check = |count, bytes, replaced, new| {
            check_room(RunId(1), Totals { count, bytes }, replaced, new).map_err(|refusal| refusal.code)
        };
        assert_eq!(check(0, 0, None, RUN_BYTES_MAX), Ok(()));
        assert_eq!(check(1, 1, None, RUN_BYTES_MAX), Err(Code::ArtifactsFull));
        assert_eq!(check(1, 1, Some(1), RUN_BYTES_MAX), Ok(()));
        assert_eq!(check(ARTIFACTS_MAX, 0, None, 0), Err(Code::ArtifactsFull));
        assert_eq!(check(ARTIFACTS_MAX, 0, Some(0), 0), Ok(()));
        assert_eq!(check(0, 0, None, u64::MAX), Err(Code::ArtifactsFull));
    }
}
