//! Holds a script against limits before and after it is split into tokens: the parser descends once for each bracket and
//! keyword, and tries some brackets twice.

use crate::rewrite::{self, Part, Unreadable};
use brush_parser::ast::Program;
use brush_parser::{ParserOptions, SourceInfo, Token, parse_tokens, uncached_tokenize_str};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The largest script, in bytes.
pub const SCRIPT_BYTES_MAX: usize = 256 * 1024;
/// The deepest that brackets, loops and branches may nest in one text.
pub(crate) const NESTING_MAX: usize = 24;
/// The most that reading may cost, in tokens: each token counts twice for each bracket around it and four times for
/// each `case`, which the parser may have to read again.
const COST_MAX: usize = 1 << 21;
/// The most `!` in a row, each of which a test holds within the one before it.
const NEGATIONS_MAX: usize = 16;
/// The most `&&` and `||` of one test, each of which holds what stands before it.
const TEST_OPERATORS_MAX: usize = 256;
/// The longest descriptor before a redirection that fits the parser's number, in digits.
const DESCRIPTOR_DIGITS_MAX: usize = 9;

/// Reads a script; what nests without end is put at the end of `parts`.
pub(crate) fn parse(text: &str, parts: &mut Vec<Part>) -> Result<Program, Unreadable> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err("it is too large to be read");
    }
    let rewritten = rewrite::rewrite(text, parts)?;
    // What extended patterns open is a subshell unless the script switches them on.
    let options =
        ParserOptions { enable_extended_globbing: text.contains("extglob"), ..ParserOptions::default() };
    // The limits keep the parser from what it is known not to bear; a panic is its defect and must not be ours.
    catch_unwind(AssertUnwindSafe(|| {
        let tokens = uncached_tokenize_str(&rewritten, &options.tokenizer_options())
            .map_err(|_| "it can't be split into words")?;
        check(&tokens)?;
        parse_tokens(&tokens, &options, &SourceInfo::default())
            .map_err(|_| "it is not shell that can be read")
    }))
    .unwrap_or(Err("its reader failed"))
}

/// Checks that reading the tokens is bounded in depth and in time.
fn check(tokens: &[Token]) -> Result<(), Unreadable> {
    let mut open: Vec<&str> = Vec::new();
    let mut cost = 0_usize;
    let mut doubling = 0_u32;
    let mut previous: Option<&Token> = None;
    let mut before_previous: Option<&Token> = None;
    let (mut negations, mut test_operators) = (0_usize, None);
    for token in tokens {
        negations = if token.to_str() == "!" { negations + 1 } else { 0 };
        test_operators = match (token.to_str(), test_operators) {
            ("[[", count) => count.or(Some(0)),
            (";", _) => None,
            ("&&" | "||", Some(count)) => Some(count + 1),
            (_, count) => count,
        };
        if negations > NEGATIONS_MAX || test_operators.is_some_and(|count: usize| count > TEST_OPERATORS_MAX)
        {
            return Err("it nests too deeply to be read");
        }
        if let (Some(Token::Word(word, _)), Token::Operator(operator, _)) = (previous, token) {
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            let is_readable = (1..=DESCRIPTOR_DIGITS_MAX).contains(&word.len());
            if operator.starts_with(['<', '>']) && is_number && !is_readable {
                return Err("a redirection has no such descriptor");
            }
        }
        let step = match token {
            Token::Operator(operator, _) => bracket(operator),
            Token::Word(word, _) if word == "]]" => Step::Close("]]"),
            Token::Word(word, _) if begins_command(previous, before_previous) => keyword(word),
            Token::Word(..) => Step::None,
        };
        match step {
            Step::Open(closer) => {
                doubling += doublings(closer);
                open.push(closer);
            }
            Step::Close(closer) if open.last() == Some(&closer) => {
                open.pop();
                doubling -= doublings(closer);
            }
            Step::Close(_) | Step::None => {}
        }
        cost = cost.saturating_add(1_usize.checked_shl(doubling).unwrap_or(usize::MAX));
        if open.len() > NESTING_MAX || cost > COST_MAX {
            return Err("it nests too deeply to be read");
        }
        before_previous = previous.replace(token);
    }
    Ok(())
}

enum Step {
    Open(&'static str),
    Close(&'static str),
    None,
}

fn bracket(operator: &str) -> Step {
    match operator {
        "(" => Step::Open(")"),
        ")" => Step::Close(")"),
        _ => Step::None,
    }
}

fn keyword(word: &str) -> Step {
    match word {
        "{" => Step::Open("}"),
        "if" => Step::Open("fi"),
        "case" => Step::Open("esac"),
        "for" | "while" | "until" | "select" => Step::Open("done"),
        "[[" => Step::Open("]]"),
        "}" => Step::Close("}"),
        "fi" => Step::Close("fi"),
        "esac" => Step::Close("esac"),
        "done" => Step::Close("done"),
        _ => Step::None,
    }
}

/// Returns how often the time doubles that the parser takes for what stands before this closer: brackets are tried as
/// arithmetic first, and a `case` as one with more to come.
fn doublings(closer: &str) -> u32 {
    match closer {
        ")" => 1,
        "esac" => 2,
        _ => 0,
    }
}

/// Whether the parser may look for a command after these tokens.
fn begins_command(previous: Option<&Token>, before_previous: Option<&Token>) -> bool {
    match previous {
        None => true,
        Some(Token::Operator(operator, _)) => !operator.starts_with(['<', '>']) || operator == "(",
        Some(Token::Word(word, _)) => {
            matches!(
                word.as_str(),
                "if" | "then" | "elif" | "else" | "while" | "until" | "do" | "{" | "!" | "time" | "-p" | "in"
            ) || matches!(before_previous, Some(Token::Word(word, _)) if word == "function")
                || matches!(word.as_str(), "}" | "fi" | "done" | "esac")
        }
    }
}
