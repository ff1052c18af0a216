//! Which words are forms of one: `deploy`, `deploys`, `deployed` and `deployment`. English alone, and lightly: what is not sure
//! stays apart.

/// What has to be left of a word for an ending to be one.
const LETTERS_MIN: usize = 4;

/// Returns what the forms of a word in small letters share. It need not be a word itself.
pub(crate) fn stem(word: &str) -> &str {
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word;
    }
    let word = singular(word);
    let ending = ["ation", "ating", "ated", "ate", "ment", "ing", "ed"];
    let cut = ending.iter().find_map(|end| word.strip_suffix(end).filter(|rest| is_enough(rest)));
    let rest = cut.unwrap_or(word);
    let rest = if cut.is_some() { undoubled(rest) } else { rest };
    rest.strip_suffix(['e', 'y']).filter(|rest| is_enough(rest)).unwrap_or(rest)
}

/// Returns a word without the ending of its plural; `ies` loses its `es`, so that it meets the `y` of the singular.
fn singular(word: &str) -> &str {
    let long = |rest: &&str| rest.len() >= LETTERS_MIN - 1;
    if let Some(rest) = word.strip_suffix("ies").filter(long) {
        return rest;
    }
    let hisses = |rest: &&str| ["x", "ch", "sh", "ss", "z"].iter().any(|end| rest.ends_with(end));
    if let Some(rest) = word.strip_suffix("es").filter(hisses).filter(long) {
        return rest;
    }
    word.strip_suffix('s').filter(long).filter(|rest| !rest.ends_with(['s', 'u', 'i'])).unwrap_or(word)
}

fn is_enough(rest: &str) -> bool {
    rest.len() >= LETTERS_MIN && rest.contains(['a', 'e', 'i', 'o', 'u', 'y'])
}

/// A letter that an ending doubled is taken back: `planned` is of `plan`.
fn undoubled(rest: &str) -> &str {
    let bytes = rest.as_bytes();
    let is_double = bytes.len() > LETTERS_MIN
        && bytes[bytes.len() - 1] == bytes[bytes.len() - 2]
        && !rest.ends_with(['l', 's', 'z', 'e', 'o']);
    if is_double { &rest[..rest.len() - 1] } else { rest }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn forms_of_one_word_share_their_stem() {
        for forms in [
            &["deploy", "deploys", "deployed", "deploying", "deployment", "deployments"][..],
            &["test", "tests", "testing", "tested"],
            &["price", "prices", "pricing", "priced"],
            &["automate", "automated", "automation", "automating"],
            &["plan", "plans"],
            &["query", "queries"],
            &["branch", "branches", "branching"],
            &["license", "licenses", "licensing"],
            &["optimize", "optimizing", "optimized"],
        ] {
            let stems: std::collections::BTreeSet<_> = forms.iter().map(|form| stem(form)).collect();
            assert_eq!(stems.len(), 1, "{stems:?}");
        }
    }

    #[test]
    fn other_words_stay_apart() {
        for (one, other) in [
            ("docker", "docking"),
            ("string", "str"),
            ("status", "state"),
            ("node.js", "node"),
            ("station", "state"),
            ("class", "clas"),
            ("payment", "pay"),
            ("übersetzung", "übersetz"),
        ] {
            assert_ne!(stem(one), stem(other), "{one} {other}");
        }
    }
}
