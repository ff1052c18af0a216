//! Where in the file of an adapter something stands: its line and its key, for a person who mends it.

use toml::de::{DeArray, DeTable, DeValue};

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The key, those of the tables around it in front.
    pub(crate) key: Option<String>,
}

/// Returns the place of a byte.
pub(crate) fn of_byte(text: &str, byte: usize) -> Place {
    let byte = text.floor_char_boundary(byte);
    let line = 1 + text[..byte].matches('\n').count();
    let key = match DeTable::parse(text) {
        Ok(table) => key_in_table(table.get_ref(), byte),
        Err(_) => key_in_line(text.lines().nth(line - 1).unwrap_or_default()),
    };
    Place { line, key }
}

/// Returns the place of a key; the first line where the file leaves it out.
pub(crate) fn of_key(text: &str, key: &str) -> Place {
    let parsed = DeTable::parse(text).ok();
    let byte = parsed.and_then(|table| byte_of(table.get_ref(), key)).unwrap_or_default();
    Place { line: of_byte(text, byte).line, key: Some(key.to_owned()) }
}

/// Returns the first text with a NUL, which no program can be given.
pub(crate) fn of_nul(text: &str) -> Option<Place> {
    let parsed = DeTable::parse(text).ok()?;
    let byte = nul_in_table(parsed.get_ref())?;
    Some(of_byte(text, byte))
}

/// Of a file that can't be read at all, the line says what it was about.
fn key_in_line(line: &str) -> Option<String> {
    let key = line.split_once('=')?.0.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!key.is_empty() && key.chars().all(is_key)).then(|| key.to_owned())
}

fn key_in_table(table: &DeTable<'_>, byte: usize) -> Option<String> {
    table.iter().find_map(|(name, value)| {
        let own = || name.get_ref().to_string();
        let inner = key_in_value(value.get_ref(), byte).map(|inner| match inner.starts_with('[') {
            true => format!("{}{inner}", own()),
            false => format!("{}.{inner}", own()),
        });
        let is_here = || name.span().contains(&byte) || value.span().contains(&byte);
        inner.or_else(|| is_here().then(own))
    })
}

fn key_in_value(value: &DeValue<'_>, byte: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => key_in_table(table, byte),
        DeValue::Array(array) => key_in_array(array, byte),
        _ => None,
    }
}

fn key_in_array(array: &DeArray<'_>, byte: usize) -> Option<String> {
    (1..).zip(array.iter()).find_map(|(number, value)| {
        let inner = key_in_value(value.get_ref(), byte).map(|inner| match inner.starts_with('[') {
            true => format!("[{number}]{inner}"),
            false => format!("[{number}].{inner}"),
        });
        inner.or_else(|| value.span().contains(&byte).then(|| format!("[{number}]")))
    })
}

fn byte_of(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let (found, value) = table.iter().find(|(found, _)| found.get_ref().as_ref() == name)?;
    match (rest, value.get_ref()) {
        (Some(rest), DeValue::Table(table)) => byte_of(table, rest),
        (Some(_), _) => None,
        (None, _) => Some(found.span().start),
    }
}

fn nul_in_table(table: &DeTable<'_>) -> Option<usize> {
    table.iter().find_map(|(name, value)| {
        let in_name = name.get_ref().contains('\0').then(|| name.span().start);
        in_name.or_else(|| nul_in_value(value.get_ref(), value.span().start))
    })
}

fn nul_in_value(value: &DeValue<'_>, at: usize) -> Option<usize> {
    match value {
        DeValue::String(text) => text.contains('\0').then_some(at),
        DeValue::Array(array) => {
            array.iter().find_map(|value| nul_in_value(value.get_ref(), value.span().start))
        }
        DeValue::Table(table) => nul_in_table(table),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "name = 'a'\n[command]\nfirst = ['x', \"b\\u0000\"]\n[[command.parts]]\nargs = ['y']\n";

    fn at(byte: usize) -> (usize, Option<String>) {
        let place = of_byte(TEXT, byte);
        (place.line, place.key)
    }

    #[test]
    fn a_byte_has_its_line_and_its_key() {
        assert_eq!(at(0), (1, Some("name".into())));
        assert_eq!(at(TEXT.find("'x'").unwrap()), (3, Some("command.first[1]".into())));
        assert_eq!(at(TEXT.find("'y'").unwrap()), (5, Some("command.parts[1].args[1]".into())));
        assert_eq!(at(TEXT.len() + 9).0, 6);
        assert_eq!(of_byte("a = 1\nkey-b = 'x", 12), Place { line: 2, key: Some("key-b".into()) });
        assert_eq!(of_byte("é = [", 1).key, None);
    }

    #[test]
    fn a_key_and_a_nul_have_their_lines() {
        assert_eq!(of_key(TEXT, "command.first").line, 3);
        assert_eq!(of_key(TEXT, "home.folder").line, 1);
        assert_eq!(of_nul(TEXT), Some(Place { line: 3, key: Some("command.first[2]".into()) }));
        assert_eq!(of_nul("a = 1"), None);
    }
}
