//! What goes wrong around an agent's work, and by which words it is known.

mod signs;

use crate::pattern::{Words, compiled};
use crate::reset::resets_at;
use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Why something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Asked too often; it passes soon.
    RateLimit,
    /// What may be used is used up, until a reset or a payment.
    Quota,
    /// The service has too much to do.
    Overloaded,
    /// The service failed.
    ServerError,
    /// The service was not reached, or the connection broke.
    Network,
    /// The key or the login is missing or wrong.
    Auth,
    /// The conversation is longer than the model takes.
    ContextFull,
    /// The service calls the request wrong.
    BadRequest,
    /// The model would not do it.
    Refusal,
    /// The command line does not trust the folder.
    Untrusted,
    /// A path is outside of the folders that the command line allows.
    OutsideWorkspace,
    /// A tool or a path was not allowed.
    Denied,
    /// The command line does not know an argument.
    Usage,
    /// The agent's process broke.
    Crashed,
    /// The machine lacks what is needed: room on its disk, or a version that fits.
    Machine,
    /// Nobody knows.
    Unknown,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub cause: Cause,
    /// What was said.
    pub text: String,
    /// Whether the turn ended with it; otherwise the agent tries again by itself.
    pub is_final: bool,
    /// When it is over, where that was said.
    pub resets_at: Option<Timestamp>,
    /// How sure it is that this is why.
    pub certainty: Certainty,
}

/// How sure it is why something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// No rule fits: the kinds of its words alone say so.
    Guessed,
    /// Nothing but a status, or words that are weak, say so.
    Vague,
    /// Words or names say so that mean nothing else.
    Clear,
}

/// By which words a cause is known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// A regular expression, without regard to case.
    #[serde(rename = "match")]
    pub words: Words,
    /// What it means.
    pub cause: Cause,
    /// Whether what is known of all command lines says more.
    #[serde(default)]
    pub weak: bool,
    /// Whether it says more than what an adapter says of its own program; of use among what is known of all command lines.
    #[serde(default)]
    pub strong: bool,
    /// Whether it fits what only wraps an error, so that the kinds of the words within say more.
    #[serde(default)]
    pub wrapper: bool,
}

/// What goes wrong around any command line.
static GENERAL: LazyLock<Patterns> = LazyLock::new(general);
/// Names for programs to read, each with what it means.
static CODES: LazyLock<Vec<Codes>> = LazyLock::new(codes);
/// How a terminal is told of colours and the like.
static COLOURS: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"));

/// Names by which services, libraries and systems call a cause.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    cause: Cause,
    names: Vec<String>,
    /// Whether words say more.
    #[serde(default)]
    weak: bool,
    /// Whether they count only where a command line tells them as the kind of an error.
    #[serde(default)]
    kind: bool,
}

/// Patterns in the order in which they are tried.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Patterns(pub Vec<Pattern>);

impl Patterns {
    /// Returns what a text means, by the first that fits: by a name that was made for programs, by words that are strong,
    /// by the words of this program, by what is known of all command lines, and then by what is weak in the same order.
    pub fn cause_of(&self, text: &str) -> Option<Cause> {
        self.known(text).map(|(cause, _)| cause)
    }

    /// Returns what a text means, and how sure it is. What stands within a wrapper says more than the wrapper: anything at all
    /// where the wrapper is weak, and else what is clear.
    fn known(&self, text: &str) -> Option<(Cause, Certainty)> {
        for wrapper in self.0.iter().filter(|pattern| pattern.wrapper) {
            let Some(inner) = inner(wrapper, text) else { continue };
            let least = if wrapper.weak { Certainty::Vague } else { Certainty::Clear };
            let found = self.known(inner).filter(|found| found.1 >= least);
            let guessed = || signs::guess(inner).filter(|guess| guess.is_plain || wrapper.weak);
            if let Some(found) = found.or_else(|| guessed().map(|guess| (guess.cause, Certainty::Vague))) {
                return Some(found);
            }
        }
        self.known_whole(text)
    }

    /// Returns what a text means with all that wraps it. What is called wrong without saying what is wrong is what the kinds of
    /// its words say, where they are plain.
    fn known_whole(&self, text: &str) -> Option<(Cause, Certainty)> {
        let names = names_in(text);
        let clear =
            || cause_by_name(&names, false).or_else(|| strong(text)).or_else(|| self.first(text, is_clear));
        let weak = || cause_by_name(&names, true).or_else(|| self.first(text, is_weak));
        if let Some(found) = clear() {
            return Some(found);
        }
        let weak = weak();
        let plain = || {
            let guess = signs::guess(text).filter(|guess| guess.is_plain && guess.cause.is_of_service());
            guess.map(|guess| (guess.cause, Certainty::Vague))
        };
        match weak {
            Some((Cause::BadRequest, _)) => plain().or(weak),
            Some((Cause::Auth, _)) => plain().filter(|found| found.0 == Cause::Quota).or(weak),
            Some(_) => weak,
            None => {
                self.first(text, |pattern| pattern.wrapper).map(|wrapper| within(text).unwrap_or(wrapper))
            }
        }
    }

    /// Tells whether each can be used.
    ///
    /// # Errors
    /// Says which can't.
    pub fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(|pattern| pattern.words.check())
    }

    /// Returns the first of these patterns that fits.
    fn first(&self, text: &str, is_wanted: impl Fn(&Pattern) -> bool) -> Option<(Cause, Certainty)> {
        let mut all = self.0.iter().chain(&GENERAL.0).filter(|pattern| is_wanted(pattern));
        all.find(|pattern| pattern.words.is_match(text)).map(found)
    }

    /// Returns what a text means by these patterns alone, the words of one program.
    pub fn own_cause_of(&self, text: &str) -> Option<Cause> {
        self.0.iter().find(|pattern| pattern.words.is_match(text)).map(|pattern| pattern.cause)
    }

    /// Makes the trouble of a text, by a status of HTTP where there was one.
    pub fn trouble(&self, text: &str, status: Option<u16>, is_final: bool, now: Timestamp) -> Trouble {
        self.trouble_of_kind(text, None, status, is_final, now)
    }

    /// Makes the trouble of a text that the command line itself told with a name for its kind.
    pub fn trouble_of_kind(
        &self,
        text: &str,
        kind: Option<&str>,
        status: Option<u16>,
        is_final: bool,
        now: Timestamp,
    ) -> Trouble {
        let text = &plain(text);
        // Words say more: that a quota is used up comes with the same status as a limit that passes soon.
        let by_kind = || kind.and_then(cause_of_kind).map(|cause| (cause, Certainty::Vague));
        let by_status = || status.and_then(Cause::of_status).map(|cause| (cause, Certainty::Vague));
        let guessed = signs::guess(text);
        let plainly = || guessed.filter(|guess| guess.is_plain).map(|guess| (guess.cause, Certainty::Vague));
        let barely = || guessed.map(|guess| (guess.cause, Certainty::Guessed));
        // A name that was made for programs says more than words which are weak.
        let by_name = || kind.and_then(|kind| cause_by_name(&names_in(kind), false));
        let known = match self.known(text) {
            Some(found) if found.1 == Certainty::Clear => Some(found),
            found => by_name().or(found),
        };
        let known = known.or_else(plainly).or_else(by_kind).or_else(by_status).or_else(barely);
        let (cause, certainty) = known.unwrap_or((Cause::Unknown, Certainty::Guessed));
        let limits = matches!(cause, Cause::RateLimit | Cause::Quota | Cause::Overloaded);
        let resets_at = limits.then(|| resets_at(text, now)).flatten();
        Trouble { cause, text: text.clone().into_owned(), is_final, resets_at, certainty }
    }
}

/// Makes the trouble of words that no rule knows, if their kinds say something; of a program that prints anything at all they
/// have to say it plainly.
pub(crate) fn guessed(text: &str, is_of_any: bool, now: Timestamp) -> Option<Trouble> {
    let cause = signs::guess(text).filter(|guess| guess.is_plain || !is_of_any)?.cause;
    if !signs::is_of_failure(text) {
        return None;
    }
    let limits = matches!(cause, Cause::RateLimit | Cause::Quota | Cause::Overloaded);
    let resets_at = limits.then(|| resets_at(text, now)).flatten();
    let (text, is_final, certainty) = (text.to_owned(), false, Certainty::Guessed);
    Some(Trouble { cause, text, is_final, resets_at, certainty })
}

impl Cause {
    /// Tells whether a service says so of what it is asked.
    const fn is_of_service(self) -> bool {
        use Cause::{Crashed, Denied, OutsideWorkspace, Unknown, Untrusted, Usage};
        !matches!(self, Crashed | Denied | OutsideWorkspace | Unknown | Untrusted | Usage)
    }

    /// Returns what a status of HTTP means.
    pub const fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            // A proxy wants a login of its own.
            401 | 403 | 407 => Self::Auth,
            408 => Self::Network,
            402 => Self::Quota,
            // What is sent is the conversation: nothing else of a request grows.
            413 => Self::ContextFull,
            429 => Self::RateLimit,
            529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            503 => Self::Overloaded,
            500..=599 => Self::ServerError,
            _ => return None,
        })
    }
}

/// Returns a text without what only colours it on a terminal.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    COLOURS.replace_all(text, "")
}

/// Returns the words of a text that could be names.
fn names_in(text: &str) -> HashSet<String> {
    let is_between = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(is_between).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn is_clear(pattern: &Pattern) -> bool {
    !pattern.weak && !pattern.wrapper
}

fn is_weak(pattern: &Pattern) -> bool {
    pattern.weak && !pattern.wrapper
}

fn found(by: &Pattern) -> (Cause, Certainty) {
    (by.cause, certainty(by.weak))
}

const fn certainty(is_weak: bool) -> Certainty {
    if is_weak { Certainty::Vague } else { Certainty::Clear }
}

/// Returns what stands behind a wrapper, if that is more than a word.
fn inner<'t>(wrapper: &Pattern, text: &'t str) -> Option<&'t str> {
    let inner = &text[wrapper.words.find(text)?.end()..];
    inner.split_whitespace().nth(1).is_some().then_some(inner)
}

/// Returns what words within a wrapper mean.
fn within(text: &str) -> Option<(Cause, Certainty)> {
    signs::guess(text).map(|guess| (guess.cause, Certainty::Vague))
}

/// Returns what words mean that say more than an adapter's own.
fn strong(text: &str) -> Option<(Cause, Certainty)> {
    GENERAL.0.iter().find(|pattern| pattern.strong && pattern.words.is_match(text)).map(found)
}

fn cause_by_name(names: &HashSet<String>, is_weak: bool) -> Option<(Cause, Certainty)> {
    let mut codes = CODES.iter().filter(|codes| codes.weak == is_weak && !codes.kind);
    let found = codes.find(|codes| codes.names.iter().any(|name| names.contains(name)));
    found.map(|codes| (codes.cause, certainty(is_weak)))
}

/// Returns what the name of a kind of errors means, as a command line tells it apart from the words.
fn cause_of_kind(kind: &str) -> Option<Cause> {
    let kind = kind.to_ascii_lowercase();
    CODES.iter().find(|codes| codes.names.contains(&kind)).map(|codes| codes.cause)
}

/// Reads the names; a test keeps them readable.
fn codes() -> Vec<Codes> {
    #[derive(Deserialize)]
    struct File {
        code: Vec<Codes>,
    }
    let read: Result<File, _> = toml::from_str(include_str!("trouble/codes.toml"));
    let mut all = read.map_or_else(|_| vec![], |file| file.code);
    for codes in &mut all {
        codes.names.iter_mut().for_each(|name| name.make_ascii_lowercase());
    }
    all
}

/// Reads the patterns for all command lines; a test keeps them readable.
fn general() -> Patterns {
    #[derive(Deserialize)]
    struct File {
        trouble: Patterns,
    }
    let read: Result<File, _> = toml::from_str(include_str!("trouble/general.toml"));
    read.map_or_else(|_| Patterns::default(), |file| file.trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns() -> Patterns {
        toml::from_str::<std::collections::BTreeMap<String, Patterns>>(
            r#"
            [[trouble]]
            match = "quota exceeded|usage limit"
            cause = "quota"
            [[trouble]]
            match = "429"
            cause = "rate_limit"
            "#,
        )
        .unwrap()
        .remove("trouble")
        .unwrap()
    }

    #[test]
    fn words_say_more_than_a_status_and_a_status_more_than_nothing() {
        let trouble = |text, status| patterns().trouble(text, status, true, Timestamp::UNIX_EPOCH).cause;
        assert_eq!(trouble("Quota exceeded. Check your plan", Some(429)), Cause::Quota);
        assert_eq!(trouble("slow down", Some(429)), Cause::RateLimit);
        assert_eq!(trouble("last status: 429 Too Many Requests", None), Cause::RateLimit);
        assert_eq!(trouble("something", None), Cause::Unknown);
        assert_eq!(trouble("something", Some(200)), Cause::Unknown);
    }

    #[test]
    fn what_one_program_says_comes_first_and_what_says_little_comes_last() {
        assert!(!GENERAL.0.is_empty() && !CODES.is_empty());
        assert_eq!(GENERAL.check(), Ok(()));
        let own: Patterns = toml::from_str::<std::collections::BTreeMap<String, Patterns>>(
            r#"
            [[trouble]]
            match = "everything"
            cause = "bad_request"
            weak = true
            [[trouble]]
            match = "disk of mine"
            cause = "usage"
            "#,
        )
        .unwrap()
        .remove("trouble")
        .unwrap();
        for (text, wanted) in [
            ("everything: disk full, the disk of mine", Some(Cause::Usage)),
            ("everything: no space left on device", Some(Cause::Machine)),
            ("everything", Some(Cause::BadRequest)),
            ("nothing known", None),
        ] {
            assert_eq!(own.cause_of(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_for_programs_say_more_than_words_and_words_more_than_weak_names() {
        for (text, wanted) in [
            (r#"{"message":"Please slow down","code":"insufficient_quota"}"#, Cause::Quota),
            (r#"{"message":"The organization must be verified","code":"unsupported_value"}"#, Cause::Auth),
            (r#"{"message":"Never seen before","code":"unsupported_value"}"#, Cause::BadRequest),
            ("litellm.ContextWindowExceededError: litellm.BadRequestError", Cause::ContextFull),
            ("my_insufficient_quota_test", Cause::Unknown),
        ] {
            let trouble = Patterns::default().trouble(text, None, true, Timestamp::UNIX_EPOCH);
            assert_eq!(trouble.cause, wanted, "{text}");
        }
    }

    #[test]
    fn what_colours_a_text_hides_nothing_and_is_not_told() {
        let text = "\u{1b}[31;1mError:\u{1b}[0m EROFS: \u{1b}[1mread-only\u{1b}[0m file system";
        let trouble = Patterns::default().trouble(text, None, true, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (trouble.cause, trouble.text.as_str()),
            (Cause::Denied, "Error: EROFS: read-only file system")
        );
    }

    #[test]
    fn what_a_compiler_or_a_test_says_of_the_code_is_no_trouble_around_it() {
        for text in [
            "error[E0433]: failed to resolve: use of undeclared crate or module `serde`",
            "error[E0308]: mismatched types",
            "error: could not compile `app` (lib) due to 1 previous error",
            "error: test failed, to rerun pass `--lib`",
            "src/a.ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.",
            "FAILED tests/test_a.py::test_b - AssertionError: assert 1 == 2",
            "--- FAIL: TestX (0.00s)",
            "undefined reference to `foo'",
            "src/main.c:4:2: error: expected ';' before 'return'",
            "CONFLICT (content): Merge conflict in src/a.rs",
            "warning: unused variable: `x`",
        ] {
            assert_eq!(Patterns::default().cause_of(text), None, "{text}");
        }
    }

    #[test]
    fn what_goes_wrong_anywhere_is_known_by_its_cause() {
        for (text, wanted) in [
            ("write EDQUOT", Cause::Machine),
            ("error while loading shared libraries: libssl.so.3", Cause::Machine),
            ("This tool requires Node.js 20 or newer", Cause::Machine),
            ("503 Service Unavailable", Cause::Overloaded),
            ("HTTP 529", Cause::Overloaded),
            ("x509: certificate signed by unknown authority", Cause::Network),
            ("connect EHOSTUNREACH 10.0.0.1:443", Cause::Network),
            ("Your session has expired", Cause::Auth),
            ("Proxy authentication required", Cause::Auth),
            ("The project has been suspended", Cause::Auth),
            ("Payment required", Cause::Quota),
            ("You have exceeded your monthly quota", Cause::Quota),
            ("quota of 30 requests per minute exceeded", Cause::RateLimit),
            ("the model gpt-1 is deprecated", Cause::BadRequest),
            ("Your input is too long", Cause::ContextFull),
            ("unrecognized option '--fast'", Cause::Usage),
            ("thread 'main' panicked at src/main.rs:1:1", Cause::Crashed),
        ] {
            assert_eq!(Patterns::default().cause_of(text), Some(wanted), "{text}");
        }
    }
}
