//! Which regular expressions may lead work to an agent: those that take linear time here, no exponential time in a reader
//! that backtracks, and that mean the same to both.

use regex_syntax::ast::{self, Ast, GroupKind, RepetitionKind, RepetitionRange, Visitor};

/// The longest expression, in bytes.
const BYTES_MAX: usize = 1_000;
/// The deepest nesting.
const DEPTH_MAX: u32 = 32;
/// How much memory a compiled one may take, in bytes.
const SIZE_MAX: usize = 1024 * 1024;
/// The largest number of repetitions that is written out.
const REPEAT_MAX: u32 = 1_000;

/// Says why an expression is not used.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() || pattern.len() > BYTES_MAX {
        return Err(format!("it has {} bytes, and 1 to {BYTES_MAX} are read", pattern.len()));
    }
    let parsed = ast::parse::ParserBuilder::new().nest_limit(DEPTH_MAX).build().parse(pattern);
    let parsed = parsed
        .map_err(|error| format!("{} (look-around and back references are not known)", error.kind()))?;
    ast::visit(&parsed, Walk::default())?;
    let compiled = regex::RegexBuilder::new(pattern).size_limit(SIZE_MAX).build();
    compiled.map(drop).map_err(|_| "it grows too large".to_owned())
}

/// Looks at each part once; the depth of endless repetitions around it is kept.
#[derive(Default)]
struct Walk {
    endless: usize,
}

impl Visitor for Walk {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, part: &Ast) -> Result<(), String> {
        match part {
            Ast::Flags(_) => Err("flags are not read alike everywhere".into()),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) if !flags.items.is_empty() => {
                    Err("flags are not read alike everywhere".into())
                }
                GroupKind::CaptureName { starts_with_p: true, .. } => Err("(?P<…>) is written (?<…>)".into()),
                _ => Ok(()),
            },
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::StartLine
                | ast::AssertionKind::EndLine
                | ast::AssertionKind::WordBoundary
                | ast::AssertionKind::NotWordBoundary => Ok(()),
                _ => Err("of assertions only ^, $, \\b and \\B are read alike everywhere".into()),
            },
            Ast::ClassUnicode(_) => Err("\\p is not read alike everywhere".into()),
            Ast::Literal(literal) => self.literal(literal),
            Ast::Repetition(repetition) => self.repetition(repetition),
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, part: &Ast) -> Result<(), String> {
        if let Ast::Repetition(repetition) = part {
            self.endless -= usize::from(is_endless(&repetition.op.kind));
        }
        Ok(())
    }
}

impl Walk {
    fn literal(&self, literal: &ast::Literal) -> Result<(), String> {
        match literal.kind {
            ast::LiteralKind::HexBrace(_) => Err("\\x{…} is not read alike everywhere".into()),
            ast::LiteralKind::Special(ast::SpecialLiteralKind::Bell) => {
                Err("\\a is not read alike everywhere".into())
            }
            _ => Ok(()),
        }
    }

    fn repetition(&mut self, repetition: &ast::Repetition) -> Result<(), String> {
        if is_endless(&repetition.op.kind) {
            self.endless += 1;
            if self.endless > 1 {
                return Err(
                    "a repetition without end inside of another takes exponential time elsewhere".into()
                );
            }
        }
        match &repetition.op.kind {
            RepetitionKind::Range(RepetitionRange::Exactly(count) | RepetitionRange::Bounded(_, count))
                if *count > REPEAT_MAX =>
            {
                Err(format!("it repeats something more than {REPEAT_MAX} times"))
            }
            _ => Ok(()),
        }
    }
}

fn is_endless(kind: &RepetitionKind) -> bool {
    matches!(
        kind,
        RepetitionKind::ZeroOrMore
            | RepetitionKind::OneOrMore
            | RepetitionKind::Range(RepetitionRange::AtLeast(_))
    )
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn plain_expressions_are_used() {
        for pattern in
            [r"\bapi\b", "(?:rest|graphql) (?<verb>get|post)", "a{2,5}b+[^c-f]*", r"^\w+\.rs$", "é.*ü"]
        {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_would_take_forever_or_mean_two_things_is_not() {
        for (pattern, part) in [
            ("(a+)+$", "exponential"),
            ("((a|b)*c)*", "exponential"),
            ("(?i)api", "flags"),
            ("(?i:api)", "flags"),
            ("a(?=b)", "look-around"),
            (r"(a)\1", "back references"),
            (r"\p{L}", "alike"),
            (r"\Aa", "assertions"),
            ("a{100000}", "1000"),
            ("((a{1000}){1000}){1000}", "large"),
            ("(", "look-around"),
            ("", "bytes"),
        ] {
            let why = check(pattern).expect_err(pattern);
            assert!(why.contains(part), "{pattern}: {why}");
        }
        assert!(check(&"a".repeat(2_000)).is_err());
        assert!(check(&"(".repeat(500)).is_err());
    }
}
