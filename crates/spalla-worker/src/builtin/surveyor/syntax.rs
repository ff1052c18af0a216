//! How comments and strings look in a family of languages: only what is needed to tell them from code.

/// A string literal of a language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote {
    /// What opens and closes it.
    pub delimiter: &'static str,
    /// Whether a backslash protects the next character.
    pub escapes: bool,
    /// Whether it may run over line ends. Where it may not, a stray quote spoils one line at most.
    pub multiline: bool,
}

/// Forms of a language that no table of delimiters describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    /// Raw strings with hashes, lifetimes that look like open quotes.
    Rust,
    /// Regular expression literals may hold quotes.
    JavaScript,
    /// A string that stands alone as a statement is documentation.
    Python,
    /// `#` opens a comment only after a blank.
    HashAfterBlank,
}

/// The comment and string forms of a family of languages.
#[derive(Debug)]
pub(crate) struct Syntax {
    pub line_comments: &'static [&'static str],
    pub block_comments: &'static [(&'static str, &'static str)],
    pub nested_comments: bool,
    /// Longer delimiters come first.
    pub quotes: &'static [Quote],
    pub quirk: Quirk,
}

const fn quote(delimiter: &'static str, escapes: bool, multiline: bool) -> Quote {
    Quote { delimiter, escapes, multiline }
}

const DOUBLE: Quote = quote("\"", true, false);
const SINGLE: Quote = quote("'", true, false);
const TRIPLE: Quote = quote("\"\"\"", true, true);
const BLOCK_C: &[(&str, &str)] = &[("/*", "*/")];

const PLAIN_FORM: Syntax = Syntax {
    line_comments: &[],
    block_comments: &[],
    nested_comments: false,
    quotes: &[],
    quirk: Quirk::None,
};
const C_FORM: Syntax =
    Syntax { line_comments: &["//"], block_comments: BLOCK_C, quotes: &[DOUBLE, SINGLE], ..PLAIN_FORM };
const HASH_FORM: Syntax =
    Syntax { line_comments: &["#"], quotes: &[DOUBLE, SINGLE], quirk: Quirk::HashAfterBlank, ..PLAIN_FORM };

/// Text without comments.
pub(crate) static PLAIN: Syntax = PLAIN_FORM;
/// C, C++, C#, Dart and others of that look.
pub(crate) static C: Syntax = C_FORM;
/// Java, Kotlin, Swift, Scala, Groovy: as C, with triple quotes.
pub(crate) static JVM: Syntax = Syntax { quotes: &[TRIPLE, DOUBLE, SINGLE], ..C_FORM };
/// Rust.
pub(crate) static RUST: Syntax =
    Syntax { nested_comments: true, quotes: &[quote("\"", true, true)], quirk: Quirk::Rust, ..C_FORM };
/// Go.
pub(crate) static GO: Syntax = Syntax { quotes: &[DOUBLE, SINGLE, quote("`", false, true)], ..C_FORM };
/// JavaScript and TypeScript.
pub(crate) static JAVASCRIPT: Syntax =
    Syntax { quotes: &[DOUBLE, SINGLE, quote("`", true, true)], quirk: Quirk::JavaScript, ..C_FORM };
/// PHP.
pub(crate) static PHP: Syntax = Syntax { line_comments: &["//", "#"], ..C_FORM };
/// Python.
pub(crate) static PYTHON: Syntax = Syntax {
    line_comments: &["#"],
    quotes: &[TRIPLE, quote("'''", true, true), DOUBLE, SINGLE],
    quirk: Quirk::Python,
    ..PLAIN_FORM
};
/// Shell, YAML, Dockerfile, Makefile: `#` needs a blank before it.
pub(crate) static HASH: Syntax = HASH_FORM;
/// Ruby, Perl, R, Elixir, Julia, TOML.
pub(crate) static RUBY: Syntax = Syntax { block_comments: &[("\n=begin", "\n=end")], ..HASH_FORM };
/// PowerShell.
pub(crate) static POWERSHELL: Syntax = Syntax { block_comments: &[("<#", "#>")], ..HASH_FORM };
/// Terraform, Nix and other configuration languages with both marks.
pub(crate) static HCL: Syntax =
    Syntax { line_comments: &["#", "//"], block_comments: BLOCK_C, quotes: &[DOUBLE], ..HASH_FORM };
/// SQL.
pub(crate) static SQL: Syntax = Syntax {
    line_comments: &["--"],
    block_comments: BLOCK_C,
    quotes: &[DOUBLE, quote("'", false, false)],
    ..PLAIN_FORM
};
/// Haskell and Elm.
pub(crate) static HASKELL: Syntax = Syntax {
    line_comments: &["--"],
    block_comments: &[("{-", "-}")],
    nested_comments: true,
    quotes: &[DOUBLE],
    ..PLAIN_FORM
};
/// Lua.
pub(crate) static LUA: Syntax = Syntax {
    line_comments: &["--"],
    block_comments: &[("--[[", "]]")],
    quotes: &[DOUBLE, SINGLE],
    ..PLAIN_FORM
};
/// OCaml and F#.
pub(crate) static OCAML: Syntax = Syntax {
    line_comments: &["//"],
    block_comments: &[("(*", "*)")],
    nested_comments: true,
    quotes: &[DOUBLE],
    ..PLAIN_FORM
};
/// Lisp and Clojure.
pub(crate) static LISP: Syntax =
    Syntax { line_comments: &[";"], quotes: &[quote("\"", true, true)], ..PLAIN_FORM };
/// Erlang and LaTeX.
pub(crate) static PERCENT: Syntax = Syntax { line_comments: &["%"], quotes: &[DOUBLE], ..PLAIN_FORM };
/// HTML, XML, Vue, Svelte.
pub(crate) static MARKUP: Syntax = Syntax { block_comments: &[("<!--", "-->")], ..PLAIN_FORM };
/// CSS.
pub(crate) static CSS: Syntax = Syntax { block_comments: BLOCK_C, quotes: &[DOUBLE, SINGLE], ..PLAIN_FORM };
/// Batch files.
pub(crate) static BATCH: Syntax = Syntax { line_comments: &["REM ", "rem ", "::"], ..PLAIN_FORM };
/// INI files.
pub(crate) static INI: Syntax =
    Syntax { line_comments: &["#", ";"], quirk: Quirk::HashAfterBlank, ..PLAIN_FORM };
/// Visual Basic.
pub(crate) static BASIC: Syntax =
    Syntax { line_comments: &["'"], quotes: &[quote("\"", false, false)], ..PLAIN_FORM };
