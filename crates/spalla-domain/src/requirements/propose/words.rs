//! What single words tell of a piece of work: its kind, the clouds it touches, how urgent it is, what it is about.

use super::outline::{Kind, Node};
use crate::work_item::PRIORITY_DEFAULT;
use std::collections::BTreeSet;

/// What is done in a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Build,
    Test,
    Docs,
    Deploy,
    Infra,
    Design,
}

impl Category {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Test => "test",
            Self::Docs => "docs",
            Self::Deploy => "deploy",
            Self::Infra => "infra",
            Self::Design => "design",
        }
    }
}

/// The words of each kind, the more telling kinds first.
const CATEGORIES: [(Category, &[&str]); 5] = [
    (
        Category::Test,
        &[
            "test",
            "tests",
            "testing",
            "tested",
            "coverage",
            "e2e",
            "qa",
            "benchmark",
            "benchmarks",
            "fuzz",
            "smoke",
        ],
    ),
    (
        Category::Docs,
        &[
            "docs",
            "document",
            "documentation",
            "readme",
            "guide",
            "tutorial",
            "changelog",
            "manual",
            "runbook",
        ],
    ),
    (
        Category::Deploy,
        &[
            "deploy",
            "deploys",
            "deployed",
            "deployment",
            "release",
            "rollout",
            "ship",
            "launch",
            "publish",
            "live",
        ],
    ),
    (
        Category::Infra,
        &[
            "infrastructure",
            "infra",
            "terraform",
            "opentofu",
            "cluster",
            "vpc",
            "provision",
            "ci",
            "cd",
            "pipeline",
            "docker",
            "dockerfile",
            "container",
            "kubernetes",
            "k8s",
            "helm",
            "monitoring",
            "alerting",
            "dns",
            "backups",
            "registry",
            "network",
        ],
    ),
    (
        Category::Design,
        &[
            "design",
            "wireframe",
            "wireframes",
            "sketch",
            "research",
            "investigate",
            "evaluate",
            "spike",
            "decide",
            "rfc",
        ],
    ),
];

/// Words at the beginning that tell the kind whatever follows them.
const FIRST: [(Category, &[&str]); 6] = [
    (Category::Build, &["allow", "enable", "let"]),
    (Category::Test, &["test", "benchmark", "verify", "validate"]),
    (Category::Docs, &["document"]),
    (Category::Deploy, &["deploy", "release", "publish", "ship", "launch"]),
    (Category::Infra, &["provision"]),
    (Category::Design, &["design", "research", "investigate", "evaluate", "decide", "sketch"]),
];

/// Returns what is done, where the words tell.
pub(super) fn category(text: &str) -> Option<Category> {
    let words: Vec<String> = split(text).collect();
    let first = words.first()?;
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let by_first = FIRST.iter().find(|(_, list)| list.contains(&first.as_str()));
    by_first
        .map(|(category, _)| *category)
        .or_else(|| CATEGORIES.iter().find(|(_, list)| has(list)).map(|(category, _)| *category))
}

/// The label of each cloud and the words that mean it and nothing else.
const CLOUDS: [(&str, &[&str]); 4] = [
    (
        "aws",
        &["aws", "amazon", "s3", "ec2", "ecs", "eks", "rds", "dynamodb", "cloudfront", "fargate", "route53"],
    ),
    ("azure", &["azure", "aks", "entra"]),
    ("gcp", &["gcp", "gke", "gcs", "bigquery", "firestore"]),
    ("k8s", &["k8s", "kubernetes", "kubectl", "helm", "eks", "aks", "gke"]),
];

/// Returns the labels of the clouds that the words name, sorted.
pub(super) fn clouds(text: &str) -> Vec<&'static str> {
    let words: BTreeSet<String> = split(text).collect();
    CLOUDS
        .iter()
        .filter(|(_, list)| list.iter().any(|word| words.contains(*word)))
        .map(|(label, _)| *label)
        .collect()
}

/// Returns the priority that the words ask for.
pub(super) fn priority(text: &str) -> u8 {
    let text = text.to_lowercase();
    let words: BTreeSet<String> = split(&text).collect();
    let has = |list: &[&str]| list.iter().any(|word| words.contains(*word));
    let says = |list: &[&str]| list.iter().any(|phrase| text.contains(phrase));
    if has(&["p0", "asap", "urgent", "urgently", "immediately"]) {
        9
    } else if has(&["p1", "critical", "crucial", "essential"])
        || says(&["must have", "must-have", "high priority"])
    {
        7
    } else if has(&["p3", "optional", "optionally", "eventually", "someday", "stretch"])
        || says(&["nice to have", "nice-to-have", "low priority", "if time allows", "later on"])
    {
        3
    } else {
        PRIORITY_DEFAULT
    }
}

/// Tells whether what stands under a node only explains.
pub(super) fn is_background(node: &Node) -> bool {
    const TITLES: [&str; 18] = [
        "about",
        "assumptions",
        "background",
        "context",
        "definitions",
        "faq",
        "glossary",
        "introduction",
        "links",
        "motivation",
        "notes",
        "overview",
        "problem",
        "references",
        "risks",
        "summary",
        "terminology",
        "why",
    ];
    let words: Vec<String> = split(&node.text).collect();
    node.kind == Kind::Section && words.len() <= 4 && words.iter().any(|word| TITLES.contains(&word.as_str()))
}

/// Tells whether what stands under a node is left out on purpose.
pub(super) fn is_left_out(node: &Node) -> bool {
    let text = split(&node.text).collect::<Vec<_>>().join(" ");
    let titles = [
        "non goal",
        "non goals",
        "nongoals",
        "anti goals",
        "not in scope",
        "what we will not do",
        "won t do",
    ];
    text.contains("out of scope") || titles.iter().any(|title| text.starts_with(title))
}

/// Returns the words in small letters.
pub(super) fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Words that tell nothing of what a piece of work is about.
const EMPTY: &[&str] = &[
    "a",
    "all",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "both",
    "by",
    "can",
    "complete",
    "completed",
    "do",
    "does",
    "done",
    "each",
    "every",
    "finished",
    "for",
    "from",
    "green",
    "has",
    "have",
    "in",
    "into",
    "is",
    "it",
    "its",
    "live",
    "merged",
    "must",
    "new",
    "of",
    "on",
    "or",
    "our",
    "pass",
    "passed",
    "passes",
    "passing",
    "ready",
    "runs",
    "should",
    "some",
    "stands",
    "step",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "this",
    "to",
    "up",
    "was",
    "we",
    "were",
    "will",
    "with",
    "work",
    "working",
    "works",
    "your",
];

/// Returns what words are about: each told apart from the empty ones and brought to its stem.
pub(super) fn stems(text: &str) -> BTreeSet<String> {
    split(text).filter(|word| !EMPTY.contains(&word.as_str())).map(|word| stem(&word)).collect()
}

fn stem(word: &str) -> String {
    let chars = word.chars().count();
    let ending = match word {
        _ if !word.is_ascii() => "",
        _ if chars > 6 && word.ends_with("ments") => "ments",
        _ if chars > 6 && word.ends_with("ment") => "ment",
        _ if chars > 5 && word.ends_with("ing") => "ing",
        _ if chars > 4 && word.ends_with("ed") => "ed",
        _ if chars > 3 && word.ends_with('s') && !word.ends_with("ss") => "s",
        _ => "",
    };
    let stem = &word[..word.len() - ending.len()];
    if stem.len() > 4 { stem.strip_suffix('e').unwrap_or(stem).to_owned() } else { stem.to_owned() }
}
