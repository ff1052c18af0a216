//! One agent's file, read: what it says, the words that tell it apart, and every problem with it.

use crate::body;
use crate::description::{self, Shape};
use crate::front_matter::{self, Parts};
use crate::problem::{Problem, Severity};
use crate::said::{self, Said};
use crate::terms::{self, Term};
use crate::words::{self, Counts};

/// How much a word weighs by where it stands.
const NAME_WEIGHT: u32 = 4;
const DESCRIPTION_WEIGHT: u32 = 2;
const HEADING_WEIGHT: u32 = 1;

/// Files for people that stand beside agents.
const PAPERS: &[&str] =
    &["readme.md", "license.md", "contributing.md", "changelog.md", "code_of_conduct.md", "security.md"];

/// An agent's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its path below the folder that is converted.
    pub path: String,
    /// The digest of its bytes.
    pub digest: String,
    /// Everything before the body, as it stands there.
    pub head: String,
    /// The body.
    pub body: String,
    /// What the front matter says.
    pub said: Said,
    /// Name for people, from the front matter, the first heading, or the file.
    pub(crate) name: String,
    /// Where the name came from.
    pub(crate) name_rule: &'static str,
    pub(crate) shape: Shape,
    pub(crate) description_rule: &'static str,
    /// The words that speak for a field of work.
    pub(crate) counts: Counts,
    /// The words that may be keywords.
    pub(crate) terms: Vec<Term>,
    /// What is to be said about it.
    pub problems: Vec<Problem>,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// An agent.
    Agent(Box<Source>),
    /// A document for people, with why it is held to be one.
    Document(Problem),
    /// A file that can't be used.
    Broken(Vec<Problem>),
}

/// Reads a file of that path.
pub fn read(path: &str, bytes: &[u8]) -> Reading {
    let text = match front_matter::text(path, bytes) {
        Ok(text) => text,
        Err(problem) => return Reading::Broken(vec![problem]),
    };
    let parts = front_matter::divide(text);
    if let Some(why) = document(path, &parts) {
        let problem = Problem::new(path, Severity::Note, "document", why);
        return Reading::Document(
            problem.mend("give it a front matter with name and description to make it an agent"),
        );
    }
    let mut problems = about_fences(path, &parts);
    let said = match said::read(path, &parts, &mut problems) {
        Ok(said) => said,
        Err(problem) => {
            problems.push(problem);
            return Reading::Broken(problems);
        }
    };
    if parts.body.trim().is_empty() && said.description.is_none() {
        let problem =
            Problem::new(path, Severity::Error, "empty", "it has neither a description nor a prompt");
        problems.push(problem.mend("write what the agent is to do"));
        return Reading::Broken(problems);
    }
    let digest = blake3::hash(bytes).to_hex().to_string();
    Reading::Agent(Box::new(source(path, digest, &parts, said, problems)))
}

fn document(path: &str, parts: &Parts<'_>) -> Option<&'static str> {
    if parts.yaml.is_some() {
        return None;
    }
    let file = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    if PAPERS.contains(&file.as_str()) {
        return Some("a file for people, not an agent");
    }
    (!body::is_prompt(parts.body)).then_some("it has no front matter and speaks to no agent: a document")
}

fn about_fences(path: &str, parts: &Parts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if parts.yaml.is_none() {
        let problem =
            Problem::new(path, Severity::Warning, "no-front-matter", "the file has no front matter");
        problems.push(problem.mend("begin it with ---, name, description, and ---"));
    } else if parts.is_open {
        let problem = Problem::new(
            path,
            Severity::Warning,
            "no-end",
            "the front matter has no end; an empty line is taken for it",
        );
        problems.push(problem.at(parts.yaml_line, 1).mend("write --- below its last key"));
    } else if parts.yaml_line > 2 {
        let problem = Problem::new(
            path,
            Severity::Warning,
            "late",
            "the front matter does not begin at the first line",
        );
        problems.push(problem.mend("remove the empty lines before it"));
    }
    problems
}

fn source(path: &str, digest: String, parts: &Parts<'_>, said: Said, mut problems: Vec<Problem>) -> Source {
    let stem = stem(path);
    let (name, name_rule) = match (&said.name, body::title(parts.body)) {
        (Some(name), _) => (on_one_line(name), "said"),
        (None, Some(title)) => (on_one_line(&title), "first heading"),
        (None, None) => (on_one_line(stem), "file name"),
    };
    if said.name.is_none() && parts.yaml.is_some() {
        let problem = Problem::new(
            path,
            Severity::Warning,
            "no-name",
            format!("it has no name; {name:?} is taken, the {name_rule}"),
        );
        problems.push(problem.at(parts.yaml_line, 1).mend("write `name: …`"));
    }
    let (text, description_rule) = match (&said.description, body::first_paragraph(parts.body)) {
        (Some(text), _) => (text.clone(), "said"),
        (None, Some(paragraph)) => (paragraph, "first paragraph"),
        (None, None) => (name.clone(), "name"),
    };
    if said.description.is_none() && parts.yaml.is_some() {
        let message = format!("it has no description; its {description_rule} is taken");
        let problem = Problem::new(path, Severity::Warning, "no-description", message);
        problems.push(problem.at(parts.yaml_line, 1).mend("write `description: …`: when to use it"));
    }
    let mut shape = description::shape(&text);
    if said.long_description.is_some() {
        shape.long.clone_from(&said.long_description);
    }
    let mut counts = Counts::new();
    words::add(&mut counts, &name.replace(['-', '_'], " "), NAME_WEIGHT);
    words::add(&mut counts, &shape.short, DESCRIPTION_WEIGHT);
    for heading in body::headings(parts.body) {
        words::add(&mut counts, heading, HEADING_WEIGHT);
    }
    let told = shape.long.as_deref().filter(|_| said.long_description.is_none()).unwrap_or(&shape.short);
    let terms = terms::terms(&name, told, parts.body);
    Source {
        path: path.to_owned(),
        digest,
        head: parts.head.to_owned(),
        body: parts.body.to_owned(),
        said,
        name,
        name_rule,
        shape,
        description_rule,
        counts,
        terms,
        problems,
    }
}

fn on_one_line(text: &str) -> String {
    const LETTERS_MAX: usize = 200;
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LETTERS_MAX).collect()
}

/// Returns the file's name without its end.
pub(crate) fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".md").unwrap_or(file)
}
