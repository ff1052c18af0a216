//! The rules for single values of a recipe: each takes the text and answers what is wrong with it.

use globset::{Glob, GlobBuilder};

/// How many hexadecimal digits a SHA-256 has.
const SHA256_DIGITS: usize = 64;
/// The longest tool name, in characters.
const TOOL_NAME_CHARS_MAX: usize = 100;
/// The longest version, in characters.
const VERSION_CHARS_MAX: usize = 100;

/// A checksum that may be stored, and what is wrong with it all the same.
pub(super) struct Checksum {
    pub(super) sha256: String,
    pub(super) warning: Option<String>,
}

/// Accepts the name of a program, which is no path.
pub(super) fn tool_name(name: &str) -> Result<(), String> {
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
    if starts && plain && name.len() <= TOOL_NAME_CHARS_MAX {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no tool name: it is the program's name, of letters, digits and . _ + -, not a path or a command line"
    ))
}

/// Accepts digits in parts, such as `2.15.0`, `v1.22` or `1.0.0-rc.1`.
pub(super) fn version(version: &str) -> Result<(), String> {
    let malformed = || {
        format!(
            "{version:?} is no version: it is numbers separated by dots, such as 2.15.0, 2.15 (met by every 2.15.x) \
             or 1.0.0-rc.1"
        )
    };
    let bare = version.strip_prefix('v').unwrap_or(version);
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    let (numbers, rest) = bare.split_at(end);
    let parts_fit = numbers.split('.').all(|part| !part.is_empty());
    let rest_fits = rest.is_empty()
        || (rest.chars().all(|c| c.is_ascii_alphanumeric() || ".+-_~".contains(c))
            && rest.ends_with(|c: char| c.is_ascii_alphanumeric()));
    if parts_fit && rest_fits && version.len() <= VERSION_CHARS_MAX { Ok(()) } else { Err(malformed()) }
}

/// Accepts `sha256:` and hexadecimal digits; a wrong count of digits is only a warning.
pub(super) fn checksum(text: &str) -> Result<Checksum, String> {
    let digits = text.strip_prefix("sha256:").filter(|digits| !digits.is_empty());
    let Some(digits) = digits.filter(|digits| digits.chars().all(|c| c.is_ascii_hexdigit())) else {
        return Err(format!("{text:?} is no checksum: it is sha256: and {SHA256_DIGITS} hexadecimal digits"));
    };
    let warning = (digits.len() != SHA256_DIGITS).then(|| {
        format!(
            "the checksum has {} hexadecimal digits, a SHA-256 has {SHA256_DIGITS}: it is stored, and no program \
             will match it",
            digits.len()
        )
    });
    Ok(Checksum { sha256: digits.to_ascii_lowercase(), warning })
}

/// Accepts the name of an environment variable.
pub(super) fn env_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(())
    } else {
        Err(format!(
            "{name:?} is no variable name: it has letters, digits and _, and does not begin with a digit"
        ))
    }
}

/// Refuses what no process can be given.
pub(super) fn no_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("a NUL character can't be handed to a process".into()) } else { Ok(()) }
}

/// Accepts a relative path that does not lead out of the workspace by its words; links are the worker's to check.
pub(super) fn inside(path: &str) -> Result<(), String> {
    no_nul(path)?;
    if path.trim().is_empty() {
        return Err("the path is empty; write . for the workspace itself".into());
    }
    if path.starts_with('/') {
        return Err(format!("{path:?} is absolute; write it relative to the workspace, such as ./deploy"));
    }
    let mut depth = 0_usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => {
                return Err(format!(
                    "{path:?} is outside the workspace; it has to stay inside, such as ./deploy"
                ));
            }
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Accepts a pattern of files inside the workspace.
pub(super) fn pattern(pattern: &str) -> Result<(), String> {
    inside(pattern)?;
    if pattern.split('/').any(|part| part == "..") {
        return Err(format!(
            "{pattern:?} has a .. in it; write the pattern from the workspace's top, such as dist/**"
        ));
    }
    match glob(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{pattern:?} is no pattern: {}", error.kind())),
    }
}

/// Makes of a pattern what tells whether a path, relative to the workspace, is of its files.
pub fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build()
}

/// Returns the word of a closed list that was probably meant.
pub(super) fn meant<'a>(word: &str, allowed: &[&'a str]) -> Option<&'a str> {
    const SYNONYMS: [(&str, &str); 14] = [
        ("cmd", "run"),
        ("command", "run"),
        ("script", "run"),
        ("environment", "env"),
        ("directory", "cwd"),
        ("workdir", "cwd"),
        ("working_directory", "cwd"),
        ("working-directory", "cwd"),
        ("timeout_seconds", "timeout"),
        ("retry", "retries"),
        ("when", "if"),
        ("condition", "if"),
        ("sha256", "checksum"),
        ("outputs", "artifacts"),
    ];
    let word = word.to_lowercase();
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, meant)| *meant);
    allowed.iter().copied().find(|a| Some(*a) == synonym).or_else(|| {
        let near = allowed.iter().map(|a| (distance(&word, a), *a)).min()?;
        (near.0 <= 2 && near.0 < near.1.chars().count()).then_some(near.1)
    })
}

/// Counts the letters to insert, drop, change or swap with their neighbour until one word is the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(COMPARED_CHARS_MAX).collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                rows[i][j] = i + j;
                continue;
            }
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

/// No allowed word is near this length, so the rest of a longer one changes nothing.
const COMPARED_CHARS_MAX: usize = 40;
