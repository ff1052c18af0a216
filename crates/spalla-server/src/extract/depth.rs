//! How deep JSON is nested, found without recursion before anything parses it.

/// The deepest nesting that is read: people write a handful, and every parser below stays far from its stack's end.
pub(super) const DEPTH_MAX: usize = 64;

/// Returns the place, as line and column from 1, where the nesting becomes too deep.
pub(super) fn too_deep(json: &[u8]) -> Option<(u64, u64)> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' if depth == DEPTH_MAX => return Some(place(&json[..at])),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Returns the line and the column, from 1, of what follows these bytes.
pub(super) fn place(before: &[u8]) -> (u64, u64) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line as u64, column as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_levels_are_read_and_one_more_is_not() {
        let nested = |levels| format!("\n{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(too_deep(nested(DEPTH_MAX).as_bytes()), None);
        assert_eq!(too_deep(nested(DEPTH_MAX + 1).as_bytes()), Some((2, 65)));
    }

    #[test]
    fn brackets_inside_text_do_not_count() {
        assert_eq!(too_deep(format!(r#"{{"a":"\"{}"}}"#, "[".repeat(100)).as_bytes()), None);
    }
}
