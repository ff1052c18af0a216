//! Finds functions and their length in languages with braces, with indentation, and with `end`.

use std::sync::LazyLock;

use regex::Regex;

use super::blocks::Blocks;
use super::views::{LineSort, Views};

/// One function of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub name: String,
    /// Where it begins, as an offset and as a line.
    pub offset: usize,
    pub line: u32,
    /// Lines from its head to its end that hold code.
    pub code_lines: u32,
}

/// How functions are told in a language.
enum Form {
    /// A keyword, a name, and a body in braces.
    Keyword(&'static LazyLock<Regex>),
    /// A name, parentheses, and a body in braces.
    Head,
    /// `def` and what is indented below it.
    Indented,
    /// `def` up to an `end` of the same indentation.
    Ended,
}

static RUST: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bfn\s+([A-Za-z_]\w*)"));
static GO: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^func\s*(?:\([^)]*\)\s*)?([A-Za-z_]\w*)"));
static FUN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\bfun\s+(?:<[^>]*>\s*)?(?:[\w.<>?]+\.)?([A-Za-z_]\w*)\s*\("));
static FUNC: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bfunc\s+([A-Za-z_]\w*)"));
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bfunction\s+&?([A-Za-z_]\w*)"));
static DEF: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^([ \t]*)(?:async[ \t]+)?def[ \t]+(?:self\.)?([A-Za-z_][\w?!]*)"));
static ARROW_NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"([A-Za-z_$][\w$]*)\s*(?::[^=]*)?[=:]\s*(?:async\b)?[^=]*=>\s*$"));
static ANNOTATIONS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:(?:@[\w.]+(?:\s*\([^()]*\))?|\[[^\]]*\]|#[^\n]*\n)\s*)+"));
static LAST_WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"([~A-Za-z_$][\w$]*)\s*(?:<[^<>()]*>)?\s*$"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

fn form_of(language: &str) -> Option<Form> {
    Some(match language {
        "Rust" | "Zig" => Form::Keyword(&RUST),
        "Go" => Form::Keyword(&GO),
        "Kotlin" => Form::Keyword(&FUN),
        "Swift" => Form::Keyword(&FUNC),
        "PHP" => Form::Keyword(&FUNCTION),
        "C" | "C++" | "C#" | "Java" | "JavaScript" | "TypeScript" | "Objective-C" | "Dart" | "D"
        | "Solidity" => Form::Head,
        "Python" | "Starlark" => Form::Indented,
        "Ruby" => Form::Ended,
        _ => return None,
    })
}

/// Says whether functions can be found in a language.
pub(crate) fn knows(language: &str) -> bool {
    form_of(language).is_some()
}

/// Finds the functions of a file.
pub(crate) fn find(language: &str, views: &Views<'_>, blocks: &Blocks) -> Vec<Function> {
    let Some(form) = form_of(language) else { return Vec::new() };
    let measure = CodeLines::new(views);
    let mut functions = Vec::new();
    let mut add = |name: &str, start: usize, end: usize| {
        let (line, last) = (views.line_of(start), views.line_of(end.saturating_sub(1).max(start)));
        let code_lines = measure.between(line, last);
        functions.push(Function { name: name.to_owned(), offset: start, line, code_lines });
    };
    match form {
        Form::Keyword(pattern) => by_keyword(pattern, &views.code, blocks, &mut add),
        Form::Head => by_head(&views.code, blocks, &mut add),
        Form::Indented => by_indentation(views, &mut add),
        Form::Ended => by_end(&views.code, &mut add),
    }
    functions
}

/// Counts the lines of code between two lines without walking them again.
struct CodeLines {
    before: Vec<u32>,
}

impl CodeLines {
    fn new(views: &Views<'_>) -> Self {
        let mut before = vec![0];
        let mut count = 0;
        for sort in views.line_sorts() {
            count += u32::from(sort == LineSort::Code);
            before.push(count);
        }
        Self { before }
    }

    fn between(&self, first: u32, last: u32) -> u32 {
        let at = |line: u32| self.before[(line as usize).min(self.before.len() - 1)];
        at(last) - at(first.saturating_sub(1))
    }
}

type Add<'a> = &'a mut dyn FnMut(&str, usize, usize);

fn by_keyword(pattern: &Regex, code: &str, blocks: &Blocks, add: Add<'_>) {
    for found in pattern.captures_iter(code).take(FUNCTIONS_MAX) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
        let body = body_start(code, name.end()).and_then(|open| blocks.close_of(open));
        if let Some(close) = body {
            add(name.as_str(), whole.start(), close + 1);
        }
    }
}

/// Returns where the body opens: the first brace outside parentheses, unless the declaration ends before.
fn body_start(code: &str, from: usize) -> Option<usize> {
    // No head of a function is longer; without a bound, many heads without a body would cost quadratic time.
    const HEAD_BYTES_MAX: usize = 4_000;
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(from).take(HEAD_BYTES_MAX) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth <= 0 => return Some(at),
            b';' | b'}' if depth <= 0 => return None,
            _ => {}
        }
    }
    None
}

/// Functions looked at in one file; with the bounds on heads it keeps a hostile file cheap.
const FUNCTIONS_MAX: usize = 20_000;

/// How far the `end` of a method is looked for.
const METHOD_BYTES_MAX: usize = 64 << 10;

/// Words that open a block with parentheses and are no function.
const CONTROL: &[&str] = &[
    "if",
    "for",
    "while",
    "switch",
    "catch",
    "else",
    "do",
    "try",
    "return",
    "new",
    "synchronized",
    "using",
    "lock",
    "with",
    "fixed",
    "foreach",
    "when",
    "namespace",
    "class",
    "struct",
    "enum",
    "interface",
    "union",
    "typedef",
    "case",
    "throw",
    "await",
    "super",
    "extern",
    "typeof",
    "sizeof",
    "unchecked",
    "checked",
    "record",
];

fn by_head(code: &str, blocks: &Blocks, add: Add<'_>) {
    // The longest head that is looked back over.
    const HEAD_BYTES_MAX: usize = 1_000;
    let mut after_previous = 0;
    for (open, close) in blocks.pairs() {
        let floor =
            code.ceil_char_boundary(open.saturating_sub(HEAD_BYTES_MAX)).max(after_previous.min(*open));
        let before = &code[floor..*open];
        let start = floor + before.rfind([';', '{', '}']).map_or(0, |at| at + 1);
        after_previous = open + 1;
        let head = &code[start..*open];
        if let Some(name) = name_in_head(head) {
            let lead = head.len() - head.trim_start().len();
            add(name, start + lead, close + 1);
        }
    }
}

fn name_in_head(head: &str) -> Option<&str> {
    let trimmed = head.trim();
    let lead = ANNOTATIONS.find(trimmed).map_or(0, |found| found.end());
    let trimmed = &trimmed[lead..];
    if trimmed.matches('(').count() != trimmed.matches(')').count() {
        return None;
    }
    if trimmed.ends_with("=>") {
        return ARROW_NAME.captures(trimmed)?.get(1).map(|name| name.as_str());
    }
    let parameters = trimmed.find('(')?;
    let name = LAST_WORD.captures(&trimmed[..parameters])?.get(1)?.as_str();
    let mut words = trimmed[..parameters]
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let declares = !trimmed[..parameters].contains('=') && name != "function";
    (declares && words.all(|word| !CONTROL.contains(&word))).then_some(name)
}

fn by_indentation(views: &Views<'_>, add: Add<'_>) {
    let code = &views.code;
    for found in DEF.captures_iter(code).take(FUNCTIONS_MAX) {
        let (Some(whole), Some(indent), Some(name)) = (found.get(0), found.get(1), found.get(2)) else {
            continue;
        };
        let Some(colon) = head_end(code, name.end()) else { continue };
        let mut end = colon;
        let mut offset = code[colon..].find('\n').map_or(code.len(), |at| colon + at + 1);
        for line in code[offset..].split_inclusive('\n') {
            let content = line.trim();
            let depth = line.len() - line.trim_start().len();
            if !content.is_empty() {
                // A closing bracket may stand at the margin of the statement it belongs to.
                if depth <= indent.len() && !content.starts_with([')', ']', '}']) {
                    break;
                }
                end = offset + line.trim_end().len();
            }
            offset += line.len();
        }
        add(name.as_str(), whole.start() + indent.len(), end + 1);
    }
}

/// Returns where the head of a `def` ends: the first colon outside brackets.
fn head_end(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(from).take(8_000) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b':' if depth <= 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn by_end(code: &str, add: Add<'_>) {
    for found in DEF.captures_iter(code).take(FUNCTIONS_MAX) {
        let (Some(whole), Some(indent), Some(name)) = (found.get(0), found.get(1), found.get(2)) else {
            continue;
        };
        let close = format!("\n{}end", indent.as_str());
        let window = code.floor_char_boundary(name.end() + METHOD_BYTES_MAX);
        if let Some(length) = code[name.end()..window].find(&close) {
            add(name.as_str(), whole.start() + indent.len(), name.end() + length + close.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::language;
    use super::*;

    fn found(language: &str, text: &str) -> Vec<(String, u32, u32)> {
        let syntax = language::named(language).expect("in the table").syntax;
        let views = Views::new(text, syntax);
        let blocks = Blocks::new(&views.code);
        let functions = find(language, &views, &blocks);
        functions.into_iter().map(|f| (f.name, f.line, f.code_lines)).collect()
    }

    fn one(name: &str, line: u32, code_lines: u32) -> (String, u32, u32) {
        (name.to_owned(), line, code_lines)
    }

    #[test]
    fn rust_functions_are_measured_without_comments() {
        let text = "trait T { fn head(&self); }\n\nfn f<const N: usize>(a: [u8; 4]) -> X\nwhere X: Y\n{\n    // why\n    g();\n}\n";
        assert_eq!(found("Rust", text), [one("f", 3, 5)]);
    }

    #[test]
    fn heads_with_parentheses_are_told_from_control_and_calls() {
        let text = "static int add(int a,\n  int b) {\n  if (a) { return b; }\n  for (int i = 0; i < a; i++) { b += i; }\n  return a;\n}\nstruct s { int x; };\nint t[] = { 1 };\n";
        assert_eq!(found("C", text), [one("add", 1, 6)]);
    }

    #[test]
    fn script_functions_methods_and_arrows_are_found() {
        let text = "class A {\n  @Get('/x') async run(x: number): Promise<void> {\n    x();\n  }\n}\nexport const go = async (a) => {\n  a();\n};\nfunction f() {\n}\ndescribe('x', () => {\n});\nif (x) {\n}\n";
        let names: Vec<String> = found("TypeScript", text).into_iter().map(|f| f.0).collect();
        assert_eq!(names, ["run", "go", "f"]);
    }

    #[test]
    fn python_function_ends_with_its_indentation() {
        let text = "def f(\n    a: int = 1,\n) -> dict[str, int]:\n    \"\"\"Say.\"\"\"\n    x = {\n        1: 2,\n    }\n\n    return x\n\n\nclass A:\n    async def g(self):\n        pass\ny = 1\n";
        assert_eq!(found("Python", text), [one("f", 1, 7), one("g", 13, 2)]);
    }

    #[test]
    fn go_methods_and_ruby_methods_are_found() {
        assert_eq!(found("Go", "func (s *S) Run(a int) error {\n\treturn nil\n}\n"), [one("Run", 1, 3)]);
        assert_eq!(found("Ruby", "class A\n  def ok?\n    1\n  end\nend\n"), [one("ok?", 2, 3)]);
    }
}
