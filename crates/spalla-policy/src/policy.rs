//! A policy: rules as data, from a file and the preset that it extends.

use crate::marks;
use crate::reader::{Flow, Reader};
use crate::rules::{Effect, Rule, Written};
use crate::state::{FOLDER, State};
use crate::targets::{Places, normal};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use toml::Spanned;

const DEFAULT: &str = include_str!("default.toml");
const CLASSIC: &str = include_str!("classic.toml");
/// The names of the presets.
pub const PRESETS: &[&str] = &["default", "classic", "none"];
/// The largest file of a policy, in bytes.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// The most rules of a policy: each is held against every command.
pub const RULES_MAX: usize = 500;

/// The rules that scripts are held against.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    written: Effective,
    digest: String,
}

/// A script and where it runs.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The script's text.
    pub text: &'a str,
    /// The shell that runs it, by name or path: `sh`, `/bin/bash`.
    pub shell: &'a str,
    /// The folder in which it starts; absolute.
    pub folder: &'a Path,
    /// The workspace's root; absolute.
    pub workspace: &'a Path,
    /// What `~` and `$HOME` stand for; absolute.
    pub home: &'a Path,
    /// Variables that it is given besides.
    pub variables: &'a [(String, String)],
}

/// What is wrong with a policy's file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong with a policy's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where it concerns the file as a whole.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            write!(f, "{separator}line {}: {}", problem.line, problem.message)?;
        }
        Ok(())
    }
}

/// A policy's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    preset: Option<Spanned<String>>,
    #[serde(default)]
    scratch: Vec<Spanned<String>>,
    #[serde(default, rename = "program")]
    programs: Vec<Program>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<Written>>,
}

/// The options of programs that take the argument after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    names: Vec<String>,
    values: Vec<String>,
}

/// What a file and its preset come to.
#[derive(Debug, Clone, Default, Serialize)]
struct Effective {
    scratch: Vec<String>,
    programs: Vec<Program>,
    rules: Vec<Written>,
}

impl Default for Policy {
    /// Returns the one that holds where nobody says otherwise.
    fn default() -> Self {
        Self::parse("").expect("the built-in policy can be read, which tests hold")
    }
}

/// The one that holds where nobody says otherwise, read once.
static BUILT_IN: LazyLock<Arc<Policy>> = LazyLock::new(Arc::default);

impl Policy {
    /// Returns the one that holds where nobody says otherwise; it is read once in a process.
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// Reads a policy's file. What it does not name is as in its preset, which is `default` unless it says otherwise; a rule
    /// with the name of one of the preset's replaces it.
    ///
    /// # Errors
    /// Unknown keys, values and presets, bad patterns, rules without a reason: each with its line.
    pub fn parse(toml: &str) -> Result<Self, Problems> {
        if toml.len() > POLICY_BYTES_MAX {
            let message = format!("the file has {} bytes, at most {POLICY_BYTES_MAX} are read", toml.len());
            return Err(Problems(vec![Problem { line: 0, message }]));
        }
        let written = Effective::read(toml)?;
        let rules = written.rules.iter().filter_map(|rule| Rule::new(rule).ok().flatten()).collect();
        let text = toml::to_string(&written).unwrap_or_else(|_| format!("{written:?}"));
        let mut hasher = blake3::Hasher::new_derive_key("spalla 2026 command policy");
        hasher.update(text.as_bytes());
        Ok(Self { rules, written, digest: hasher.finalize().to_hex().to_string() })
    }

    /// Returns one of the [`PRESETS`], or nothing.
    pub fn preset(name: &str) -> Option<Self> {
        let file = format!("preset = \"{name}\"\n");
        if PRESETS.contains(&name) { Self::parse(&file).ok() } else { None }
    }

    /// Returns the policy's hash, in hexadecimal: it is the same as long as the rules say the same, however they are written.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Says what becomes of a script, with a finding for everything that a rule speaks of. A script that can't be read as
    /// shell needs a yes.
    pub fn judge(&self, script: &Script<'_>) -> Verdict {
        if self.rules.is_empty() {
            return Verdict::of(Vec::new());
        }
        let path = |path: &Path| normal(&marks::clean(&path.to_string_lossy()));
        let mut state = State::default();
        state.set(FOLDER, path(script.folder));
        state.set("HOME", path(script.home));
        // The folder is said by itself.
        for (name, value) in script.variables.iter().filter(|(name, _)| name != FOLDER) {
            state.set(name, marks::clean(value));
        }
        state.arguments = Some(Vec::new());
        let places = Places::new(&path(script.workspace), &self.written.scratch);
        let mut reader = Reader::new(self, places, state);
        reader.run_text(&marks::clean(script.shell), &marks::clean(script.text), &Flow::default());
        Verdict::of(reader.findings())
    }

    /// Returns the rules.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns the options of a program that are known to take the argument after them.
    pub(crate) fn values_of(&self, program: &str) -> &[String] {
        let known =
            self.written.programs.iter().rev().find(|known| known.names.iter().any(|name| name == program));
        known.map(|known| known.values.as_slice()).unwrap_or_default()
    }
}

impl Effective {
    fn read(text: &str) -> Result<Self, Problems> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(text, span.start));
            Problems(vec![Problem { line, message: error.message().to_owned() }])
        })?;
        let mut problems = Vec::new();
        let preset = file.preset.as_ref().map_or("default", |preset| preset.get_ref().as_str());
        let mut effective = match preset {
            "none" => Self::default(),
            // The files that are part of the program stand on nothing.
            "default" => Self::own(DEFAULT)?,
            "classic" => Self::own(DEFAULT)?.with(Self::own(CLASSIC)?),
            unknown => {
                let line = file.preset.as_ref().map_or(0, |preset| line_of(text, preset.span().start));
                let message = format!("there is no preset {unknown:?}; there are {}", PRESETS.join(", "));
                problems.push(Problem { line, message });
                Self::default()
            }
        };
        for scratch in &file.scratch {
            if normal(scratch.get_ref()) == "/" || !scratch.get_ref().starts_with('/') {
                let message = format!(
                    "{:?} is no scratch folder: name an absolute path below the top",
                    scratch.get_ref()
                );
                problems.push(Problem { line: line_of(text, scratch.span().start), message });
            }
        }
        let inherited: Vec<String> = effective.rules.iter().map(|rule| rule.name.clone()).collect();
        let mut names: Vec<&str> = Vec::new();
        for rule in &file.rules {
            let line = line_of(text, rule.span().start);
            let written = rule.get_ref();
            if let Err(message) = Rule::new(written) {
                problems.push(Problem { line, message });
            }
            if names.contains(&written.name.as_str()) {
                problems.push(Problem { line, message: format!("there are two rules {:?}", written.name) });
            }
            if written.level == Effect::Allow && !inherited.contains(&written.name) {
                let message =
                    format!("there is no rule {:?} in the preset {preset:?} to switch off", written.name);
                problems.push(Problem { line, message });
            }
            names.push(&written.name);
        }
        effective = effective.with(file.into());
        if effective.rules.len() > RULES_MAX {
            let message = format!("there are {} rules, at most {RULES_MAX} are kept", effective.rules.len());
            problems.push(Problem { line: 0, message });
        }
        if problems.is_empty() { Ok(effective) } else { Err(Problems(problems)) }
    }

    /// Reads one of the program's own files, which extend nothing.
    fn own(text: &str) -> Result<Self, Problems> {
        let file: File = toml::from_str(text).map_err(|error| {
            Problems(vec![Problem { line: 0, message: format!("a built-in preset: {}", error.message()) }])
        })?;
        Ok(file.into())
    }

    fn with(mut self, later: Self) -> Self {
        if !later.scratch.is_empty() {
            self.scratch = later.scratch;
        }
        self.programs.extend(later.programs);
        self.rules.retain(|rule| !later.rules.iter().any(|later| later.name == rule.name));
        self.rules.extend(later.rules);
        self
    }
}

impl From<File> for Effective {
    fn from(file: File) -> Self {
        Self {
            scratch: file.scratch.into_iter().map(Spanned::into_inner).collect(),
            programs: file.programs,
            rules: file.rules.into_iter().map(Spanned::into_inner).collect(),
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
