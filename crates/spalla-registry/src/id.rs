//! Names that are safe as ids and as names of files, made from whatever a person wrote.

/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Makes an id: small letters, digits, and `-`, `_` and `.` between them; none where nothing is left. What is no letter or
/// digit of ASCII divides, so that no id is a path.
pub fn id(name: &str) -> Option<String> {
    made(name, |between| if between.len() == 1 && ("._".contains(between)) { between } else { "-" })
}

/// Makes the name of a folder: as an id, without dots; a number before it that only sorts folders goes.
pub fn folder(name: &str) -> Option<String> {
    let sorted = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_sorted = sorted.len() < name.len() && sorted.starts_with(['-', '_', ' ', '.']);
    let name = if is_sorted && !sorted[1..].is_empty() { &sorted[1..] } else { name };
    made(name, |between| if between == "_" { "_" } else { "-" })
}

fn made(name: &str, divider: impl for<'a> Fn(&'a str) -> &'a str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let mut made = String::new();
    let mut between = String::new();
    for letter in name.chars() {
        if !letter.is_ascii_alphanumeric() {
            between.push(letter);
            continue;
        }
        let divided = if made.is_empty() || between.is_empty() { "" } else { divider(&between) };
        if made.len() + divided.len() >= ID_BYTES_MAX {
            break;
        }
        made.push_str(divided);
        made.push(letter);
        between.clear();
    }
    (!made.is_empty()).then_some(made)
}

/// Tells whether a text is an id as it stands.
pub fn is_id(text: &str) -> bool {
    id(text).as_deref() == Some(text)
}

/// Tells whether a text is the name of a folder as it stands.
pub fn is_folder(text: &str) -> bool {
    is_id(text) && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_path() {
        for (name, wanted) in [
            ("Backend Architect", Some("backend-architect")),
            ("powershell-5.1-expert", Some("powershell-5.1-expert")),
            ("../../etc/passwd", Some("etc-passwd")),
            ("/etc/passwd\0", Some("etc-passwd")),
            ("a..b", Some("a-b")),
            ("snake_case", Some("snake_case")),
            ("  C++ / Rust  ", Some("c-rust")),
            ("Überprüfer 2", Some("berpr-fer-2")),
            ("💥", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(id(name).as_deref(), wanted, "{name:?}");
        }
        assert!(id(&"a".repeat(1000)).is_some_and(|id| id.len() == ID_BYTES_MAX && is_id(&id)));
    }

    #[test]
    fn a_folder_loses_the_number_that_sorts_it() {
        for (name, wanted) in [
            ("01-core-development", Some("core-development")),
            ("2024", Some("2024")),
            ("3d", Some("3d")),
            ("07-", Some("07")),
            ("v1.2", Some("v1-2")),
            (".claude", Some("claude")),
        ] {
            assert_eq!(folder(name).as_deref(), wanted, "{name:?}");
        }
        assert!(is_folder("core-development") && !is_folder("v1.2") && !is_folder(".."));
    }
}
