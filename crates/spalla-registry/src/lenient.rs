//! The second pass over a front matter that is no YAML: key by key, so that one value that YAML can't read costs only
//! itself. Nothing is thrown away; whatever was guessed is a warning with its place and a mend.

use crate::front_matter::is_key_letter;
use crate::problem::{Problem, Severity};
use crate::read::LIMITS;
use spalla_domain::yaml::{self, Fault, FaultKind, Node, Tree};

/// How a person names the speakers and notes of an example; in a description such a line begins no key.
const SPOKEN: &[&str] =
    &["user", "assistant", "context", "commentary", "example", "examples", "system", "human"];

/// What the second pass made of a front matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mended {
    /// The keys with their values, in the order of the file.
    pub members: Vec<(Node, Node)>,
    /// Keys that stand there twice: the earlier values, the later one holds.
    pub earlier: Vec<(String, Node)>,
    /// Lines that belong to no key.
    pub stray: Vec<String>,
    /// What was guessed.
    pub problems: Vec<Problem>,
}

/// One key and its lines.
struct Entry<'a> {
    key: &'a str,
    line: u64,
    text: &'a str,
    /// Where the value begins in the text.
    after: usize,
}

/// Reads a front matter that begins at that line of its file, after the first pass found a fault in it.
pub(crate) fn read(path: &str, yaml: &str, first_line: u64, fault: &Fault) -> Mended {
    let (entries, stray) = entries(yaml, first_line);
    let mut mended =
        Mended { members: Vec::new(), earlier: Vec::new(), stray: Vec::new(), problems: Vec::new() };
    for entry in &entries {
        for (key, value) in members(path, entry, &mut mended.problems) {
            mended.add(path, key, value);
        }
    }
    for (line, text) in stray {
        let message = "this line belongs to no key; it is kept as it is";
        let problem = Problem::new(path, Severity::Warning, "stray-line", message).at(line, 1);
        mended.problems.push(problem.mend("write `key: value`, or indent it below its key"));
        mended.stray.push(text.to_owned());
    }
    if mended.problems.is_empty() {
        let problem = Problem::new(path, Severity::Warning, "not-yaml", &fault.message);
        let mend = "each key by itself can be read: look at the indentation of the lines";
        mended.problems.push(problem.at(fault.line, fault.column).mend(mend));
    }
    mended
}

impl Mended {
    /// Adds a key. Of one that is there already the later value holds.
    fn add(&mut self, path: &str, key: Node, value: Node) {
        let name = key.scalar().unwrap_or_default();
        let twin = self.members.iter().position(|(key, _)| key.scalar().as_deref() == Some(&name));
        if let Some(place) = twin {
            let (_, earlier) = self.members.remove(place);
            let message = format!("the key {name:?} stands here a second time; this one holds");
            let problem = Problem::new(path, Severity::Warning, "twice", message).at(key.line, key.column);
            self.problems.push(problem.mend(format!("remove one; line {} has the other", earlier.line)));
            self.earlier.push((name, earlier));
        }
        self.members.push((key, value));
    }
}

/// Finds the keys, each with the lines that follow it, and the lines before the first one.
fn entries(yaml: &str, first_line: u64) -> (Vec<Entry<'_>>, Vec<(u64, &str)>) {
    let (mut entries, mut stray): (Vec<Entry<'_>>, _) = (Vec::new(), Vec::new());
    let (mut at, mut starts) = (0, Vec::new());
    let (mut is_in_example, mut are_large) = (false, false);
    for (line, text) in (first_line..).zip(yaml.split_inclusive('\n')) {
        let is_key = |key: &str| entries.is_empty() || begins(key, are_large);
        if let Some((key, after)) = key_of(text).filter(|(key, _)| !is_in_example && is_key(key)) {
            // Whoever writes the first key with a large letter writes the others so.
            are_large |= entries.is_empty() && key.starts_with(char::is_uppercase);
            entries.push(Entry { key, line, text: "", after });
            starts.push(at);
        } else if entries.is_empty() && !text.trim().is_empty() && !text.trim_start().starts_with('#') {
            stray.push((line, text.trim_end()));
        }
        is_in_example = match (text.rfind("<example>"), text.rfind("</example>")) {
            (Some(open), Some(close)) => open > close,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => is_in_example,
        };
        at += text.len();
    }
    starts.push(yaml.len());
    for (entry, ends) in entries.iter_mut().zip(starts.windows(2)) {
        entry.text = &yaml[ends[0]..ends[1]];
    }
    (entries, stray)
}

/// Returns the key with which a line begins, in quotes or without, and where its value begins.
fn key_of(line: &str) -> Option<(&str, usize)> {
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let (key, rest) = line.strip_prefix(*quote)?.split_once(*quote)?;
        Some((key, rest.strip_prefix(':')?))
    });
    let (key, rest) = quoted.or_else(|| line.split_once(':'))?;
    let is_key = !key.is_empty() && key.len() <= 64 && key.chars().all(is_key_letter);
    let is_end = rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']);
    (is_key && is_end).then_some((key, line.len() - rest.len()))
}

/// Keys are words in small letters, or all begin with a large one; other prose at the beginning of a line is none.
fn begins(key: &str, may_be_large: bool) -> bool {
    let is_small = !key.starts_with(char::is_uppercase);
    (is_small || may_be_large) && !is_spoken(key)
}

fn is_spoken(key: &str) -> bool {
    SPOKEN.contains(&key.to_lowercase().as_str())
}

/// Reads the lines of a key. Where YAML finds more keys in them, such as one with a blank in it, they are keys too.
fn members(path: &str, entry: &Entry<'_>, problems: &mut Vec<Problem>) -> Vec<(Node, Node)> {
    let whole = entry.text.replace('\t', "  ");
    let fault = match yaml::parse(&whole, entry.line, LIMITS) {
        Ok(Node { value: Tree::Map(members), .. }) if are_keys(&members) => return members,
        Ok(_) => None,
        Err(fault) => Some(fault),
    };
    vec![as_text(path, entry, fault, problems)]
}

/// Tells whether all of these are keys, and not what somebody says in a description.
fn are_keys(members: &[(Node, Node)]) -> bool {
    let is_key = |(key, _): &(Node, Node)| key.scalar().is_some_and(|key| !is_spoken(&key));
    members.len() == 1 || members.iter().all(is_key)
}

/// Reads what YAML can't read as the text that it is.
fn as_text(path: &str, entry: &Entry<'_>, fault: Option<Fault>, problems: &mut Vec<Problem>) -> (Node, Node) {
    let after = entry.after;
    let rest = entry.text.get(after..).unwrap_or_default();
    let column = after + rest.len() - rest.trim_start().len() + 1;
    let fault = fault.unwrap_or_else(|| Fault {
        line: entry.line,
        column: column as u64,
        message: "not a value of its own".to_owned(),
        kind: FaultKind::Syntax,
    });
    let message = format!("{}: {}; it is read as plain text", entry.key, fault.message);
    let problem = Problem::new(path, Severity::Warning, "not-yaml", message).at(fault.line, fault.column);
    problems.push(problem.mend(format!(
        "put the value in quotes, or write `{}: |` and the text indented below it",
        entry.key
    )));
    let node = Node { line: entry.line, column: column as u64, value: Tree::Text(plain(rest)) };
    (Node { line: entry.line, column: 1, value: Tree::Text(entry.key.to_owned()) }, node)
}

/// Reads a value as the words that a person meant: without a block's sign, quotes around all of it, and indentation.
fn plain(rest: &str) -> String {
    let lines: Vec<&str> = rest.lines().map(str::trim).collect();
    let is_block = |line: &&str| ["|", "|-", "|+", ">", ">-", ">+"].contains(line);
    let from = usize::from(lines.first().is_some_and(is_block));
    let text = lines[from..].join("\n");
    let text = text.trim();
    match (unquoted(text, '"'), unquoted(text, '\'')) {
        (Some(inner), _) => inner.replace("\\\"", "\"").replace("\\n", "\n").replace("\\t", "\t"),
        (_, Some(inner)) => inner.replace("''", "'"),
        (None, None) => text.to_owned(),
    }
}

fn unquoted(text: &str, quote: char) -> Option<&str> {
    let inner = text.strip_prefix(quote)?;
    Some(inner.strip_suffix(quote).unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(yaml: &str) -> Mended {
        let fault = yaml::parse(yaml, 2, LIMITS).expect_err("a front matter that is no YAML");
        read("a.md", yaml, 2, &fault)
    }

    fn text_of<'a>(mended: &'a Mended, name: &str) -> &'a Tree {
        let found = mended.members.iter().find(|(key, _)| key.scalar().as_deref() == Some(name));
        &found.expect("a key").1.value
    }

    #[test]
    fn a_colon_in_a_description_costs_only_a_warning() {
        let mended = read_all("name: a\ndescription: Use it. Triggers on: 'x', 'y'.\ntools: Read, Grep\n");
        assert_eq!(text_of(&mended, "description"), &Tree::Text("Use it. Triggers on: 'x', 'y'.".into()));
        assert_eq!(text_of(&mended, "tools"), &Tree::Text("Read, Grep".into()));
        assert_eq!(mended.problems.len(), 1);
        assert_eq!(mended.problems[0].line, 3, "{:?}", mended.problems);
        assert!(mended.problems[0].mend.contains("description: |"));
    }

    #[test]
    fn an_example_in_a_description_begins_no_key() {
        let yaml = "name: a\ndescription: Use it: like so.\n<example>\nuser: \"do: it\"\nmodel: said in talk\n</example>\nExamples: more\nuser: more\nmodel: opus\n";
        let mended = read_all(yaml);
        let names: Vec<_> = mended.members.iter().filter_map(|(key, _)| key.scalar()).collect();
        assert_eq!(names, ["name", "description", "model"]);
        assert_eq!(text_of(&mended, "model"), &Tree::Text("opus".into()));
        let Tree::Text(text) = text_of(&mended, "description") else { panic!("text") };
        assert!(text.contains("said in talk") && text.ends_with("Examples: more\nuser: more"), "{text}");
    }

    #[test]
    fn a_key_that_stands_twice_keeps_both_values() {
        let mended = read_all("name: a\nname: b\n");
        assert_eq!(text_of(&mended, "name"), &Tree::Text("b".into()));
        assert_eq!(mended.earlier[0].1.value, Tree::Text("a".into()));
        assert_eq!(mended.problems[0].line, 3);
    }

    #[test]
    fn lines_before_the_first_key_are_kept() {
        let mended = read_all("hello there\nname: a: b\n");
        assert_eq!(mended.stray, ["hello there"]);
        assert_eq!(mended.problems.len(), 2);
    }

    #[test]
    fn keys_in_quotes_and_with_large_letters_are_keys() {
        let names = |yaml: &str| {
            let mended = read_all(yaml);
            assert!(mended.stray.is_empty(), "{:?}", mended.stray);
            mended.members.iter().filter_map(|(key, _)| key.scalar()).collect::<Vec<_>>()
        };
        let quoted = "\"name\": a\n\"description\": Use it: now\n'tools': Read\n";
        assert_eq!(names(quoted), ["name", "description", "tools"]);
        let large = "Name: a\nDescription: Use it: now\nContext: said\nTools: Read\n";
        assert_eq!(names(large), ["Name", "Description", "Tools"]);
        let spaced = "name: a\nShown As: b\ndescription: Use it: now\n";
        assert_eq!(names(spaced), ["name", "Shown As", "description"]);
        assert_eq!(text_of(&read_all(quoted), "description"), &Tree::Text("Use it: now".into()));
    }

    #[test]
    fn quotes_that_do_not_close_are_taken_away() {
        let mended = read_all("name: a\ndescription: \"Use it for \"fast\" work\\nand more\"\n");
        assert_eq!(text_of(&mended, "description"), &Tree::Text("Use it for \"fast\" work\nand more".into()));
    }
}
