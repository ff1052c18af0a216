//! How texts are compared: letter by letter, without regard to large and small; and where a word ends.
//!
//! A letter is folded by itself, whatever stands beside it, so that a part of a folded text is the folded part: a regex that
//! needs a literal finds it in the folded text. Letters and accents that are written apart stay apart.

use std::borrow::Cow;

/// Returns a text as it is compared.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    Cow::Owned(text.chars().flat_map(letters).collect())
}

/// Puts a folded text into a buffer that is used again. Where it is not plain ASCII, `places` tells of each folded byte where its
/// letter begins in the text; where it is, they are the same, and `places` is empty.
pub(crate) fn fold_into(text: &str, buffer: &mut String, places: &mut Vec<u32>) {
    buffer.clear();
    places.clear();
    if text.is_ascii() {
        buffer.push_str(text);
        buffer.make_ascii_lowercase();
        return;
    }
    for (place, letter) in text.char_indices() {
        buffer.extend(letters(letter));
        // Texts are cut long before four gigabytes.
        places.resize(buffer.len(), u32::try_from(place).unwrap_or(u32::MAX));
    }
}

/// Some letters have small forms that depend on their place, or on an old way of writing; regexes take them for the usual ones.
fn letters(letter: char) -> impl Iterator<Item = char> {
    letter.to_lowercase().map(|small| match small {
        'ſ' => 's',
        'ς' => 'σ',
        other => other,
    })
}

/// The shortest word of which several are told by an `s`.
const PLURAL_BYTES_MIN: usize = 4;

/// Returns a word without the `s` of its plural. What only looks like one, such as `class` or `status`, stays.
pub(crate) fn singular(word: &str) -> &str {
    let is_one = |stem: &&str| {
        stem.len() >= PLURAL_BYTES_MIN
            && !stem.ends_with(['s', 'u', 'i'])
            && stem.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    word.strip_suffix('s').filter(is_one).unwrap_or(word)
}

/// Tells whether what was found from `start` to `end` is no part of a longer word, but for the plural's `s`.
pub(crate) fn is_whole_word(text: &str, start: usize, end: usize) -> bool {
    let (Some(before), Some(found), Some(after)) = (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return false;
    };
    let goes_on = |one: Option<char>, other: Option<char>| match (one, other) {
        (Some(one), Some(other)) => joins(one) && joins(other),
        _ => false,
    };
    let is_word = found.len() >= PLURAL_BYTES_MIN && found.bytes().all(|byte| byte.is_ascii_alphabetic());
    let after = after.strip_prefix('s').filter(|_| is_word).unwrap_or(after);
    !goes_on(before.chars().next_back(), found.chars().next())
        && !goes_on(found.chars().next_back(), after.chars().next())
}

/// Tells whether a letter makes one word with those beside it. Some scripts write no spaces: there every place ends a word.
fn joins(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_alphanumeric() || letter == '_';
    }
    let writes_no_spaces = matches!(letter,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    letter.is_alphanumeric() && !writes_no_spaces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_letters_are_alike_in_every_script() {
        for (large, small) in
            [("DOCKER", "docker"), ("ÜBER", "über"), ("ΣΟΦΌΣ", "σοφός"), ("КОД", "код"), ("\u{212a}", "k")]
        {
            assert_eq!(folded(large), folded(small));
        }
    }

    #[test]
    fn a_place_in_the_folded_text_leads_back() {
        let (mut buffer, mut places) = (String::new(), Vec::new());
        let text = "İx ÀB";
        fold_into(text, &mut buffer, &mut places);
        let at = buffer.find('b').unwrap();
        assert_eq!(places[at] as usize, text.find('B').unwrap());
        fold_into("Plain", &mut buffer, &mut places);
        assert_eq!((buffer.as_str(), places.len()), ("plain", 0));
    }

    #[test]
    fn words_end_where_their_script_ends_them() {
        let whole = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            is_whole_word(text, start, start + word.len())
        };
        assert!(
            whole("fix go now", "go") && whole("go", "go") && whole("(go)", "go") && whole("go.mod", "go")
        );
        assert!(
            !whole("django", "go") && !whole("good", "go") && !whole("go_x", "go") && !whole("gö go", "g")
        );
        assert!(whole("use c++ now", "c++") && whole("c++11", "c++"));
        assert!(whole("two tests", "test") && !whole("testsuite", "test") && !whole("gos", "go"));
        assert!(whole("请修复测试", "修复") && !whole("überall", "über"));
    }

    #[test]
    fn a_place_inside_a_letter_ends_no_word() {
        assert!(!is_whole_word("ü", 1, 2));
    }

    #[test]
    fn a_plural_loses_its_s_and_what_only_looks_like_one_keeps_it() {
        let all = ["dockerfiles", "services", "class", "status", "analysis", "bus", "c++s", "aws"];
        let wanted = ["dockerfile", "service", "class", "status", "analysis", "bus", "c++s", "aws"];
        assert_eq!(all.map(singular), wanted);
    }
}
