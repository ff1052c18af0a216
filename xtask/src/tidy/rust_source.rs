//! What the checks need to know of a Rust file, taken from its tokens rather than its text, so that a
//! word in a string is never mistaken for code, nor code for a comment.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use std::ops::Range;
use std::str::FromStr;

/// A string literal; documentation comments are not among them.
pub(crate) struct Text {
    pub(crate) line: usize,
    /// The content without quotes, the common escapes resolved.
    pub(crate) value: String,
    /// Where the literal stands in the file, quotes included.
    pub(crate) range: Range<usize>,
}

/// A path of two or more segments, in an import or an expression; `a::{b, c}` counts as two.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathUse {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// The new name given by `as`.
    pub(crate) alias: Option<String>,
    /// Whether it stands in an item under `#[cfg(test)]`.
    pub(crate) in_test: bool,
    /// The innermost crash point whose act it belongs to.
    pub(crate) point: Option<usize>,
}

impl PathUse {
    /// Tells whether the two segments stand in the path, one after the other.
    pub(crate) fn contains(&self, first: &str, second: &str) -> bool {
        self.segments.windows(2).any(|pair| pair[0] == first && pair[1] == second)
    }
}

/// An attribute with every word in it, in order.
pub(crate) struct Attribute {
    pub(crate) line: usize,
    pub(crate) words: Vec<String>,
}

/// The name before a `!`.
pub(crate) struct MacroCall {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// A call of a function or method, by the last part of its name.
pub(crate) struct Call {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) is_method: bool,
    pub(crate) has_arguments: bool,
    /// Whether it stands in an item under `#[cfg(test)]`.
    pub(crate) in_test: bool,
    /// The innermost crash point whose act it belongs to.
    pub(crate) point: Option<usize>,
}

/// A use of `crash_point!`.
pub(crate) struct CrashPoint {
    pub(crate) line: usize,
    /// Empty where it is no literal.
    pub(crate) name: String,
    /// Whether it stands around an act, and so is two points.
    pub(crate) has_act: bool,
    /// Whether it stands in an item under `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

/// What surrounds a token.
#[derive(Clone, Copy, Default)]
struct Place {
    in_test: bool,
    point: Option<usize>,
}

/// A Rust file in parts.
#[derive(Default)]
pub(crate) struct RustSource {
    pub(crate) texts: Vec<Text>,
    pub(crate) paths: Vec<PathUse>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) macros: Vec<MacroCall>,
    pub(crate) calls: Vec<Call>,
    pub(crate) crash_points: Vec<CrashPoint>,
    /// Names of the modules declared as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

impl RustSource {
    /// Takes a file apart, or says at which line it stops being Rust.
    pub(crate) fn read(text: &str) -> Result<Self, (usize, String)> {
        let tokens = TokenStream::from_str(text)
            .map_err(|error| (error.span().start().line.max(1), error.to_string()))?;
        let mut source = Self::default();
        source.walk(tokens, Place::default());
        Ok(source)
    }

    fn walk(&mut self, tokens: TokenStream, place: Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = match attribute(&tokens, at) {
                Some((group, start)) if is_cfg_test(&group) && !place.in_test => {
                    let whole_file = is_punct(&tokens[start - 2], '!');
                    let end = if whole_file { tokens.len() } else { item_end(&tokens, start) };
                    self.test_modules.extend(declared_module(&tokens[start..end]));
                    self.walk(tokens[start..end].iter().cloned().collect(), Place { in_test: true, ..place });
                    end
                }
                Some((group, end)) => {
                    self.note_attribute(&group, place);
                    end
                }
                None => self.step(&tokens, at, place),
            };
        }
    }

    /// Takes what stands at `at` and returns where to go on.
    fn step(&mut self, tokens: &[TokenTree], at: usize, place: Place) -> usize {
        match &tokens[at] {
            TokenTree::Group(group) => self.walk(group.stream(), place),
            TokenTree::Literal(literal) => {
                let written = literal.to_string();
                if let Some(value) = string_value(&written) {
                    let span = literal.span();
                    self.texts.push(Text { line: span.start().line, value, range: span.byte_range() });
                }
            }
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                if tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'))
                    && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)))
                {
                    self.macros.push(MacroCall { line, name: name.to_string() });
                }
                if let Some(end) = self.note_crash_point(tokens, at, place) {
                    return end;
                }
                if follows_path_separator(tokens, at + 1) {
                    return self.note_path(tokens, at, &[], place);
                }
                self.note_call(tokens, at, place);
            }
            TokenTree::Punct(_) => {}
        }
        at + 1
    }

    /// Notes the path that starts at `at` below `prefix`, with all its branches, and returns its end.
    fn note_path(&mut self, tokens: &[TokenTree], at: usize, prefix: &[String], place: Place) -> usize {
        let mut segments = prefix.to_vec();
        let mut line = 1;
        let mut end = at;
        while let Some(TokenTree::Ident(name)) = tokens.get(end) {
            line = name.span().start().line;
            segments.push(name.to_string());
            end += 1;
            if !follows_path_separator(tokens, end) {
                break;
            }
            if let Some(TokenTree::Group(group)) = tokens.get(end + 2)
                && group.delimiter() == Delimiter::Brace
            {
                self.note_branches(group, &segments, place);
                return end + 3;
            }
            if !matches!(tokens.get(end + 2), Some(TokenTree::Ident(_))) {
                break;
            }
            end += 2;
        }
        let alias = alias_at(tokens, end);
        if segments.len() > 1 {
            let Place { in_test, point } = place;
            self.paths.push(PathUse { line, segments, alias, in_test, point });
            self.note_call(tokens, end - 1, place);
            if let Some(end) = self.note_crash_point(tokens, end - 1, place) {
                return end;
            }
        }
        end.max(at + 1)
    }

    /// Notes the call of what is named at `at`, if it is one.
    fn note_call(&mut self, tokens: &[TokenTree], at: usize, place: Place) {
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(arguments))) =
            (tokens.get(at), tokens.get(at + 1))
        else {
            return;
        };
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let is_declared = matches!(before, Some(TokenTree::Ident(keyword)) if *keyword == "fn");
        if arguments.delimiter() == Delimiter::Parenthesis && !is_declared {
            self.calls.push(Call {
                line: name.span().start().line,
                name: name.to_string(),
                is_method: before.is_some_and(|before| is_punct(before, '.')),
                has_arguments: !arguments.stream().is_empty(),
                in_test: place.in_test,
                point: place.point,
            });
        }
    }

    /// Notes the crash point whose macro is named at `at` with the act in it, and returns its end.
    fn note_crash_point(&mut self, tokens: &[TokenTree], at: usize, place: Place) -> Option<usize> {
        let (TokenTree::Ident(name), TokenTree::Group(group)) = (tokens.get(at)?, tokens.get(at + 2)?) else {
            return None;
        };
        if *name != "crash_point" || !is_punct(&tokens[at + 1], '!') {
            return None;
        }
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        let given = match inner.first() {
            Some(TokenTree::Literal(literal)) => string_value(&literal.to_string()).unwrap_or_default(),
            _ => String::new(),
        };
        let has_act = inner.get(1).is_some_and(|next| is_punct(next, ','));
        let line = name.span().start().line;
        self.crash_points.push(CrashPoint { line, name: given, has_act, in_test: place.in_test });
        if has_act {
            let point = Some(self.crash_points.len() - 1);
            self.walk(inner.into_iter().skip(2).collect(), Place { point, ..place });
        }
        Some(at + 3)
    }

    fn note_branches(&mut self, group: &Group, prefix: &[String], place: Place) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        for branch in tokens.split(|token| is_punct(token, ',')) {
            if !branch.is_empty() {
                self.note_path(branch, 0, prefix, place);
            }
        }
    }

    fn note_attribute(&mut self, group: &Group, place: Place) {
        let mut words = Vec::new();
        collect_words(group.stream(), &mut words);
        if words.first().is_some_and(|word| word == "doc") {
            return;
        }
        self.walk(group.stream(), place);
        self.attributes.push(Attribute { line: group.span_open().start().line, words });
    }
}

/// Returns the brackets of the attribute that begins at `at`, be it `#[…]` or `#![…]`, and its end.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(Group, usize)> {
    if !is_punct(&tokens[at], '#') {
        return None;
    }
    let inner = tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'));
    let brackets = at + if inner { 2 } else { 1 };
    match tokens.get(brackets) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((group.clone(), brackets + 1))
        }
        _ => None,
    }
}

fn is_cfg_test(group: &Group) -> bool {
    let mut words = Vec::new();
    collect_words(group.stream(), &mut words);
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    words.first().is_some_and(|word| word == "cfg") && has("test") && !has("not") && !has("any")
}

/// Returns the end of the item that begins at `start`: past its braces or its semicolon.
fn item_end(tokens: &[TokenTree], start: usize) -> usize {
    let closes = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';'),
    };
    tokens[start..].iter().position(closes).map_or(tokens.len(), |length| start + length + 1)
}

fn declared_module(item: &[TokenTree]) -> Option<String> {
    match item {
        [.., TokenTree::Ident(keyword), TokenTree::Ident(name), end]
            if *keyword == "mod" && is_punct(end, ';') =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn collect_words(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => words.push(word.to_string()),
            TokenTree::Group(group) => collect_words(group.stream(), words),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn follows_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let first = matches!(tokens.get(at), Some(TokenTree::Punct(punct))
        if punct.as_char() == ':' && punct.spacing() == Spacing::Joint);
    first && tokens.get(at + 1).is_some_and(|second| is_punct(second, ':'))
}

fn alias_at(tokens: &[TokenTree], at: usize) -> Option<String> {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(TokenTree::Ident(keyword)), Some(TokenTree::Ident(name))) if *keyword == "as" => {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Returns the content of a string literal of any kind, `None` for numbers and characters.
fn string_value(written: &str) -> Option<String> {
    let body = written.trim_start_matches(['b', 'c']);
    if let Some(raw) = body.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return raw.strip_prefix('"')?.strip_suffix('"').map(str::to_owned);
    }
    let inner = body.strip_prefix('"')?.strip_suffix('"')?;
    let resolved = inner.replace("\\\n", "").replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"");
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::RustSource;

    fn read(text: &str) -> RustSource {
        RustSource::read(text).expect("valid Rust")
    }

    fn paths(text: &str) -> Vec<String> {
        read(text).paths.iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn imports_are_spread_out_and_turbofish_ends_a_path() {
        assert_eq!(
            paths("use std::{fs, process::{self, Command as C}};\nfn f() { Vec::<u8>::new(); a::b(c::d) }"),
            ["std::fs", "std::process::self", "std::process::Command", "a::b", "c::d"]
        );
        let source = read("use std::process::Command as Birth;");
        assert_eq!(source.paths[0].alias.as_deref(), Some("Birth"));
    }

    #[test]
    fn strings_are_found_in_macros_and_attributes_but_not_in_comments() {
        let source = read(
            "/// \"doc\"\n#[error(\"one\")]\nstruct A; // \"no\"\nfn f() { g!(r#\"tw\"o\"#, b\"th\\nree\", 'x') }",
        );
        let texts: Vec<(usize, &str)> =
            source.texts.iter().map(|text| (text.line, text.value.as_str())).collect();
        assert_eq!(texts, [(2, "one"), (4, "tw\"o"), (4, "th\nree")]);
    }

    #[test]
    fn a_text_knows_its_place_in_the_file() {
        let text = "fn f() { g(\"ä\", \"here\") }";
        let source = read(text);
        assert_eq!(&text[source.texts[1].range.clone()], "\"here\"");
    }

    #[test]
    fn items_under_cfg_test_are_marked_and_the_next_is_not() {
        let source =
            read("#[cfg(test)]\nmod tests { fn f() { a::b() } }\nfn g() { c::d() }\n#[cfg(test)]\nmod x;");
        let marked: Vec<(bool, &str)> =
            source.paths.iter().map(|path| (path.in_test, path.segments[0].as_str())).collect();
        assert_eq!(marked, [(true, "a"), (false, "c")]);
        assert_eq!(source.test_modules, ["x"]);
    }

    #[test]
    fn attributes_and_macros_are_named_with_their_lines() {
        let source = read("#![forbid(unsafe_code)]\nfn f() {\n    panic!(\"x\");\n    if a != (b) {}\n}");
        assert_eq!(source.attributes[0].words, ["forbid", "unsafe_code"]);
        assert_eq!((source.macros[0].line, source.macros[0].name.as_str()), (3, "panic"));
        assert_eq!(source.macros.len(), 1);
    }
}
