//! Splits a program's arguments into options and words, as far as that can be done without knowing the program.

use crate::marks::UNKNOWN;

/// How much of a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holds {
    /// It does not.
    No,
    /// That depends on what can't be told before the script runs.
    Perhaps,
    /// It does.
    Yes,
}

/// The arguments of one command.
#[derive(Debug, Default)]
pub(crate) struct Arguments<'a> {
    options: Vec<&'a str>,
    /// What is no option, and whether it may be the value of the option before it.
    words: Vec<(&'a str, bool)>,
    all: &'a [String],
}

impl<'a> Arguments<'a> {
    /// Splits arguments; `values` are the options that are known to take the next argument.
    pub(crate) fn split(all: &'a [String], values: &[String]) -> Self {
        let mut arguments = Self { all, ..Self::default() };
        let mut rest = all.iter().map(String::as_str);
        let mut may_be_value = false;
        while let Some(argument) = rest.next() {
            if argument == "--" {
                arguments.words.extend(rest.by_ref().map(|word| (word, false)));
            } else if argument.starts_with('-') && argument.len() > 1 {
                arguments.options.push(argument);
                let takes_value = values.iter().any(|value| value == argument);
                if takes_value {
                    rest.next();
                }
                may_be_value = !takes_value && !argument.contains('=');
                continue;
            } else if argument.starts_with('+') && arguments.words.is_empty() {
                // A toolchain or a mode, as in `cargo +nightly`.
                arguments.options.push(argument);
            } else {
                arguments.words.push((argument, may_be_value));
            }
            may_be_value = false;
        }
        arguments
    }

    /// Whether one of the names of a flag is there.
    pub(crate) fn flag(&self, names: &[String]) -> Holds {
        let options = self.options.iter();
        if options.clone().any(|option| names.iter().any(|name| is_flag(option, name))) {
            return Holds::Yes;
        }
        let is_unknown = |option: &&str| option.contains(UNKNOWN) && !option.starts_with("--");
        let words = self.words.iter().map(|(word, _)| word).filter(|word| word.starts_with(UNKNOWN));
        if options.clone().any(is_unknown) || words.count() > 0 { Holds::Perhaps } else { Holds::No }
    }

    /// Whether the first words are of these patterns, one after the other.
    pub(crate) fn begins(&self, patterns: &[impl Fn(&str) -> bool]) -> Holds {
        begins(&self.words, patterns)
    }

    /// Returns the words.
    pub(crate) fn words(&self) -> Vec<&'a str> {
        self.words.iter().map(|(word, _)| *word).collect()
    }

    /// Returns the words before the first option, as `find` takes its folders.
    pub(crate) fn leading(&self) -> Vec<&'a str> {
        let arguments = self.all.iter().map(String::as_str);
        let arguments = arguments.skip_while(|argument| matches!(*argument, "-H" | "-L" | "-P"));
        let leading: Vec<&str> =
            arguments.take_while(|argument| !argument.starts_with(['-', '(', '!'])).collect();
        if leading.is_empty() { vec!["."] } else { leading }
    }

    /// Returns the values that are given as `key=value`.
    pub(crate) fn keyed(&self, key: &str) -> Vec<&'a str> {
        self.all.iter().filter_map(|argument| argument.strip_prefix(key)?.strip_prefix('=')).collect()
    }
}

fn begins<P: Fn(&str) -> bool>(words: &[(&str, bool)], patterns: &[P]) -> Holds {
    let Some((pattern, later_patterns)) = patterns.split_first() else { return Holds::Yes };
    let Some(((word, may_be_value), later_words)) = words.split_first() else { return Holds::No };
    let here = if pattern(word) {
        begins(later_words, later_patterns)
    } else if word.starts_with(UNKNOWN) {
        begins(later_words, later_patterns).min(Holds::Perhaps)
    } else {
        Holds::No
    };
    // The word may belong to the option before it, and the next one be the first.
    if here != Holds::Yes && *may_be_value { here.max(begins(later_words, patterns)) } else { here }
}

/// Whether an option is a flag: a letter within a cluster (`-rf`), a long name or its beginning (`--recursive`, `--rec`), or,
/// where the name begins with a dash, exactly that (`-delete`).
fn is_flag(option: &str, name: &str) -> bool {
    if name.starts_with('-') {
        return option == name;
    }
    let given = option.trim_start_matches('-');
    let given = given.split_once('=').map_or(given, |(given, _)| given);
    if name.chars().count() == 1 {
        !option.starts_with("--") && given.contains(name)
    } else {
        option.starts_with("--") && !given.is_empty() && name.starts_with(given)
    }
}
