//! Tools, however a person lists them: a line of names, a list, or a mapping from names to yes and no.

use spalla_domain::yaml::{Node, Tree};

/// Returns the tools that may and that may not be used.
pub(super) fn read(node: &Node) -> Option<(Vec<String>, Vec<String>)> {
    match &node.value {
        Tree::Null => Some((Vec::new(), Vec::new())),
        Tree::Text(_) | Tree::Number { .. } | Tree::Bool { .. } => Some((words(node), Vec::new())),
        Tree::List(items) => {
            let names = items.iter().map(Node::scalar).collect::<Option<Vec<_>>>()?;
            Some((names.iter().flat_map(|name| divided(name)).collect(), Vec::new()))
        }
        Tree::Map(members) => {
            let (mut allowed, mut restricted) = (Vec::new(), Vec::new());
            for (key, value) in members {
                let is_no = matches!(value.value, Tree::Bool { yes: false, .. });
                let to = if is_no { &mut restricted } else { &mut allowed };
                to.push(key.scalar()?);
            }
            Some((allowed, restricted))
        }
    }
}

/// Divides a scalar into its words.
pub(super) fn words(node: &Node) -> Vec<String> {
    divided(&node.scalar().unwrap_or_default())
}

/// Divides at commas and line ends that stand in no parentheses; at blanks where there are none of those.
fn divided(text: &str) -> Vec<String> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    if ["*", "all", "all tools"].contains(&text.to_lowercase().as_str()) {
        return vec!["*".to_owned()];
    }
    let names = at(text, |letter| letter == ',' || letter == '\n');
    let has_blanks = |name: &String| name.contains(' ') && !name.contains('(');
    match names.as_slice() {
        [one] if has_blanks(one) => at(text, char::is_whitespace),
        _ => names,
    }
}

fn at(text: &str, divides: impl Fn(char) -> bool) -> Vec<String> {
    let mut depth = 0_usize;
    let pieces = text.split(|letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && divides(letter)
    });
    let bare =
        |piece: &str| piece.trim().trim_start_matches("- ").trim_matches(['"', '\'']).trim().to_owned();
    pieces.map(bare).filter(|piece| !piece.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::divided;

    #[test]
    fn tools_are_divided_as_a_person_means_it() {
        for (text, wanted) in [
            ("Read, Grep,Glob", vec!["Read", "Grep", "Glob"]),
            ("Read Grep", vec!["Read", "Grep"]),
            ("Bash(git:*, npm:*), Read", vec!["Bash(git:*, npm:*)", "Read"]),
            ("- Read\n- mcp__x__y", vec!["Read", "mcp__x__y"]),
            ("All tools", vec!["*"]),
            ("[Read, 'Grep']", vec!["Read", "Grep"]),
            ("", vec![]),
        ] {
            assert_eq!(divided(text), wanted, "{text:?}");
        }
    }
}
