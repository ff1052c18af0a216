//! An approval policy: which work items need whose yes, by what they are called, labelled, do and touch. It is data of
//! the server, so that nobody gets around it by leaving a request out.

#[cfg(test)]
mod tests;

use crate::approval::Kind;
use crate::approval::tally::Need;
use crate::problem::Code;
use crate::{ProjectId, Refusal};
use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

/// The largest policy, in bytes as YAML.
pub const POLICY_BYTES_MAX: usize = 256 * 1024;
/// The most rules of a policy: each is held against every work item.
pub const RULES_MAX: usize = 200;

/// Rules of what needs an approval.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The rules; each that holds asks for an approval of its own.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it; else it is known by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it holds.
    pub when: When,
    /// What it asks for.
    pub require: Require,
}

/// The conditions of a rule: all that are given have to hold, and at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The title, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Pattern>,
    /// One of the labels, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Pattern>,
    /// One of the commands: as a whole, or one of its lines or parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Pattern>,
    /// One of the paths, from the workspace's top; `*` stays within a folder, `**` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathPattern>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
}

/// A project of a condition: its id, or a pattern of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Project {
    /// Its id.
    Id(ProjectId),
    /// A pattern of its name.
    Name(Pattern),
}

/// The approval that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// What is approved.
    pub kind: Kind,
    /// The role of those who approve; none means anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How many different people.
    #[serde(default = "one")]
    pub count: u8,
}

const fn one() -> u8 {
    1
}

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $build:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name {
            text: String,
            matcher: GlobMatcher,
        }

        impl $name {
            /// Reads a pattern.
            pub fn new(text: impl Into<String>) -> Result<Self, String> {
                let text = text.into();
                let build: fn(&mut GlobBuilder<'_>) = $build;
                let mut builder = GlobBuilder::new(&text);
                build(&mut builder);
                match builder.build() {
                    Ok(_) if text.is_empty() => Err("a pattern is empty; write * for anything".to_owned()),
                    Ok(glob) => Ok(Self { matcher: glob.compile_matcher(), text }),
                    Err(error) => Err(format!("{text:?} is no pattern: {}", error.kind())),
                }
            }

            fn fits(&self, text: &str) -> bool {
                self.matcher.is_match(text)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(pattern: $name) -> Self {
                pattern.text
            }
        }
    )*};
}

patterns! {
    /// A pattern of words: `*` stands for anything, and capitals do not matter.
    Pattern = |builder| { builder.case_insensitive(true); };
    /// A pattern of paths: `*` stands for anything within one folder, `**` for any folders.
    PathPattern = |builder| { builder.literal_separator(true); };
}

/// What of a work item a policy looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The project's id.
    pub project_id: ProjectId,
    /// The project's name.
    pub project_name: &'a str,
    /// The item's title.
    pub title: &'a str,
    /// The item's labels.
    pub labels: &'a [String],
    /// The commands of its steps; those that are inferred later are looked at when they are known.
    pub commands: &'a [String],
    /// The paths it touches, relative to the workspace, as far as they are known.
    pub paths: &'a [String],
}

/// An approval that a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The rule that asks, by its name or its place from 1, such as `rule 2`.
    pub rule: String,
    /// What is approved.
    pub kind: Kind,
    /// Who has to say yes.
    pub need: Need,
}

/// Returns the approvals that an item needs, in the order of the rules.
pub fn required(policy: &Policy, subject: &Subject<'_>) -> Vec<Requirement> {
    let holding = policy.rules.iter().enumerate().filter(|(_, rule)| rule.when.holds(subject));
    holding
        .map(|(at, rule)| Requirement {
            rule: rule.shown(at),
            kind: rule.require.kind,
            need: Need { role: rule.require.role.clone(), count: rule.require.count },
        })
        .collect()
}

impl Policy {
    /// Reads a policy from YAML, of which JSON is a part.
    pub fn parse(yaml: &str) -> Result<Self, Refusal> {
        let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
        if yaml.len() > POLICY_BYTES_MAX {
            return Err(invalid(format!(
                "the policy has {} bytes; at most {POLICY_BYTES_MAX} are read",
                yaml.len()
            )));
        }
        if yaml.trim().is_empty() {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! { with_snippet: false };
        let policy: Self = serde_saphyr::from_str_with_options(yaml, options)
            .map_err(|error| invalid(format!("the approval policy can't be read: {error}")))?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks what a type can't: that there are not too many rules, each with a condition and a need that can be met.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.rules.len() > RULES_MAX {
            let detail =
                format!("the approval policy has {} rules; at most {RULES_MAX} are kept", self.rules.len());
            return Err(Refusal::new(Code::Invalid, detail));
        }
        for (at, rule) in self.rules.iter().enumerate() {
            let of_rule = |detail: &str| Refusal::new(Code::Invalid, format!("{}: {detail}", rule.shown(at)));
            if rule.when == When::default() {
                return Err(
                    of_rule("when has no condition").mend("write title: \"*\" to mean every work item")
                );
            }
            let need = Need { role: rule.require.role.clone(), count: rule.require.count };
            need.check().map_err(|refusal| of_rule(&refusal.detail))?;
        }
        Ok(())
    }
}

impl Rule {
    fn shown(&self, at: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("rule {}", at + 1))
    }
}

impl When {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        let any = |pattern: &Pattern, texts: &[String]| texts.iter().any(|text| pattern.fits(text));
        let path_fits = |pattern: &PathPattern| {
            subject.paths.iter().any(|path| pattern.fits(path.trim_start_matches("./")))
        };
        self.title.as_ref().is_none_or(|pattern| pattern.fits(subject.title))
            && self.label.as_ref().is_none_or(|pattern| any(pattern, subject.labels))
            && self
                .command
                .as_ref()
                .is_none_or(|pattern| subject.commands.iter().any(|run| does(pattern, run)))
            && self.path.as_ref().is_none_or(path_fits)
            && self.project.as_ref().is_none_or(|project| match project {
                Project::Id(id) => *id == subject.project_id,
                Project::Name(pattern) => pattern.fits(subject.project_name),
            })
    }
}

/// Tells whether a command, or a line or part of it, fits. The parts are cut without reading the shell's language:
/// what is quoted may fit too, so that more is asked for rather than less.
fn does(pattern: &Pattern, run: &str) -> bool {
    let parts = run.split(['\n', ';', '|', '&', '(', ')', '`', '{', '}']).map(str::trim);
    std::iter::once(run.trim()).chain(run.lines().map(str::trim)).chain(parts).any(|part| pattern.fits(part))
}
