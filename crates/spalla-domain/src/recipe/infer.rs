//! Steps for a work item without a recipe: what its title and labels ask for, done the way the files in the top
//! folder of its workspace say. What can't be told for certain is an error, never an empty success.

mod ecosystems;
#[cfg(test)]
mod tests;

use super::Step;
use ecosystems::{ECOSYSTEMS, Ecosystem, Level};
use std::collections::BTreeSet;

/// The names of the files whose texts are read; of all others the names are enough.
pub const TEXTS: [&str; 12] = ecosystems::TEXTS;

/// What steps are inferred from.
pub struct Surroundings<'a> {
    /// The work item's title.
    pub title: &'a str,
    /// The work item's labels.
    pub labels: &'a [String],
    /// The names of the files and folders at the top of the workspace.
    pub names: &'a [String],
    /// Returns the text of a file at the top of the workspace; asked of [`TEXTS`] alone.
    pub text: &'a dyn Fn(&str) -> Option<String>,
    /// Tells whether a program is on the PATH of the steps.
    pub installed: &'a dyn Fn(&str) -> bool,
}

/// Steps that were inferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The steps, at least one.
    pub steps: Vec<Step>,
    /// Why these, for the log.
    pub why: String,
}

/// Why no steps could be inferred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInferred {
    /// A verb that nothing in the workspace knows.
    #[error(
        "there is no recipe, and steps can't be inferred: the title or a label says {verb:?}, and the workspace's \
         top folder does not say how ({found}); write a recipe with the steps"
    )]
    UnknownVerb {
        /// The verb.
        verb: &'static str,
        /// What the workspace holds.
        found: String,
    },
    /// A verb that could be carried out in different ways.
    #[error(
        "there is no recipe, and steps can't be inferred: the title or a label says {verb:?}, and both {ways} could \
         do it; name one in the title, or write a recipe with the steps"
    )]
    Ambiguous {
        /// The verb.
        verb: &'static str,
        /// The ways.
        ways: String,
    },
    /// No verb, and nothing to build or test.
    #[error(
        "there is no recipe, and steps can't be inferred: the title and labels say none of {verbs}, and there is \
         nothing to build or test in the workspace's top folder ({found}); write a recipe with the steps"
    )]
    Nothing {
        /// The verbs that are known.
        verbs: String,
        /// What the workspace holds.
        found: String,
    },
}

impl NotInferred {
    /// Returns what the workspace holds instead, in words.
    pub fn found(&self) -> &str {
        match self {
            Self::UnknownVerb { found, .. } | Self::Nothing { found, .. } => found,
            Self::Ambiguous { ways, .. } => ways,
        }
    }
}

/// What a title can ask for, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Lint,
    Build,
    Test,
    Plan,
    Apply,
    Deploy,
}

impl Verb {
    const ALL: [Self; 6] = [Self::Lint, Self::Build, Self::Test, Self::Plan, Self::Apply, Self::Deploy];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Build => "build",
            Self::Test => "test",
            Self::Plan => "plan",
            Self::Apply => "apply",
            Self::Deploy => "deploy",
        }
    }

    /// The words of a title that mean it.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Lint => &["lint", "lints", "linter", "linting", "clippy", "ruff", "eslint"],
            Self::Build => &["build", "builds", "building", "rebuild", "compile", "bundle", "package"],
            Self::Test => &["test", "tests", "testing", "retest", "pytest", "unittest"],
            Self::Plan => &["plan"],
            Self::Apply => &["apply", "provision"],
            Self::Deploy => &["deploy", "deploys", "deploying", "deployment", "redeploy", "rollout"],
        }
    }
}

/// Finds steps, or says why there are none.
pub fn infer(from: &Surroundings<'_>) -> Result<Inferred, NotInferred> {
    let words = words_of(from);
    let asked: Vec<Verb> =
        Verb::ALL.into_iter().filter(|verb| verb.words().iter().any(|word| words.contains(*word))).collect();
    let mut commands: Vec<String> = Vec::new();
    let mut reasons = Vec::new();
    for &verb in if asked.is_empty() { &[Verb::Build, Verb::Test][..] } else { &asked } {
        let ways = ways(from, &words, verb)?;
        if ways.is_empty() && !asked.is_empty() {
            return Err(NotInferred::UnknownVerb { verb: verb.as_str(), found: found(from) });
        }
        for way in ways {
            reasons.push(format!("{} by {} ({})", verb.as_str(), way.commands.join(" && "), way.marker));
            commands.extend(way.commands);
        }
    }
    if commands.is_empty() {
        let verbs = Verb::ALL.map(Verb::as_str).join(", ");
        return Err(NotInferred::Nothing { verbs, found: found(from) });
    }
    Ok(Inferred { steps: steps_of(commands), why: why(&asked, &reasons) })
}

/// How one ecosystem does what a verb says.
struct Way {
    ecosystem: &'static Ecosystem,
    marker: String,
    commands: Vec<String>,
}

/// Chooses who carries out a verb: whom the title names; else the project's own Makefile; else its languages, all
/// of them; else what packs or hosts it, if that is one.
fn ways(from: &Surroundings<'_>, words: &BTreeSet<String>, verb: Verb) -> Result<Vec<Way>, NotInferred> {
    let mut ways: Vec<Way> = ECOSYSTEMS
        .iter()
        .filter_map(|ecosystem| {
            let marker = (ecosystem.marker)(from)?;
            let commands = (ecosystem.commands)(from, verb);
            (!commands.is_empty()).then_some(Way { ecosystem, marker, commands })
        })
        .collect();
    let named = |way: &Way| way.ecosystem.words.iter().any(|word| words.contains(*word));
    if ways.iter().any(named) {
        ways.retain(named);
    }
    if let Some(level) = ways.iter().map(|way| way.ecosystem.level).min() {
        ways.retain(|way| way.ecosystem.level == level);
        if level == Level::Infrastructure && verb == Verb::Deploy && ways.len() > 1 {
            let ways = ways.iter().map(|way| way.ecosystem.name).collect::<Vec<_>>().join(" and ");
            return Err(NotInferred::Ambiguous { verb: verb.as_str(), ways });
        }
    }
    Ok(ways)
}

fn words_of(from: &Surroundings<'_>) -> BTreeSet<String> {
    std::iter::once(from.title)
        .chain(from.labels.iter().map(String::as_str))
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Makes steps, a command that several verbs need only once.
fn steps_of(commands: Vec<String>) -> Vec<Step> {
    let mut seen = BTreeSet::new();
    commands.into_iter().filter(|command| seen.insert(command.clone())).map(Step::shell).collect()
}

fn why(asked: &[Verb], reasons: &[String]) -> String {
    let asked: Vec<&str> = asked.iter().map(|verb| verb.as_str()).collect();
    let what = match asked.as_slice() {
        [] => "the title and labels name no verb, so what is known of build and test is done".to_owned(),
        verbs => format!("the title and labels say {}", verbs.join(", ")),
    };
    format!("{what}: {}", reasons.join("; "))
}

fn found(from: &Surroundings<'_>) -> String {
    let markers: Vec<String> = ECOSYSTEMS.iter().filter_map(|ecosystem| (ecosystem.marker)(from)).collect();
    if markers.is_empty() { "it holds no project file that is known".into() } else { markers.join(", ") }
}

impl Surroundings<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find(|name| self.has(name)).map(|&name| name.to_owned())
    }

    fn first_ending(&self, ending: &str) -> Option<String> {
        self.names.iter().find(|name| name.ends_with(ending)).cloned()
    }

    fn mentions(&self, files: &[&str], word: &str) -> bool {
        files.iter().any(|file| self.has(file) && (self.text)(file).is_some_and(|text| text.contains(word)))
    }
}
