//! Fleets for tests: a small one of people's words, and large ones that are made by rule.

use spalla_embedding::Embedding;
use spalla_router::{
    Agent, Answer, Details, Fleet, Index, Keyword, Micro, Options, Pattern, Question, Router, Source, Told,
    Weights,
};
use std::sync::Arc;

/// Makes an agent with keywords.
pub(crate) fn agent(id: &str, domain: &str, keywords: &[&str]) -> Agent {
    Agent {
        id: id.into(),
        name: id.into(),
        domain: domain.into(),
        tier: "specialist".into(),
        keywords: keywords.iter().map(|word| Keyword::from(*word)).collect(),
        ..Agent::default()
    }
}

pub(crate) fn pattern(pattern: &str, priority: i64) -> Pattern {
    Pattern { pattern: pattern.into(), priority }
}

/// A few agents as people have them.
pub(crate) fn small() -> Vec<Agent> {
    let mut docker = agent("docker-expert", "infrastructure", &["docker", "container", "image", "compose"]);
    docker.file_patterns = vec!["Dockerfile".into(), "*compose*.yml".into()];
    docker.regexes = vec![pattern(r"\bdocker[- ]?files?\b", 80)];
    let mut rust = agent("rust-engineer", "languages", &["rust", "cargo", "borrow checker"]);
    rust.file_patterns = vec!["*.rs".into()];
    let mut python = agent("python-pro", "languages", &["python", "pytest", "django"]);
    python.details.negative_keywords = vec!["rust".into(), "notebooks".into()];
    python.details.tools_allowed = vec!["Read".into(), "Write".into()];
    let mut reviewer = agent("code-reviewer", "quality", &["review", "code"]);
    reviewer.details.tools_restricted = vec!["Bash".into()];
    let mut generalist = agent("anybody", "general", &[]);
    generalist.tier = "generalist".into();
    vec![docker, rust, python, reviewer, generalist]
}

/// Answers with the settings of everybody.
pub(crate) fn router(agents: Vec<Agent>) -> Router {
    router_with(agents, Options::default(), Weights::default())
}

pub(crate) fn router_with(agents: Vec<Agent>, options: Options, weights: Weights) -> Router {
    Router::new(Arc::new(Index::build(Fleet::of(agents), None)), weights, options)
}

pub(crate) fn task(text: &str) -> Question {
    Question { task: text.into(), ..Question::default() }
}

/// Returns the ids of an answer, the best first.
pub(crate) fn ids(answer: &Answer) -> Vec<&str> {
    answer.candidates.iter().map(|one| one.id.as_str()).collect()
}

/// A source with the table that is shipped, and details for each agent by its id.
pub(crate) struct Shipped;

impl Source for Shipped {
    fn details(&self, agent: Told<'_>) -> Result<Details, String> {
        Err(format!("{} has no file", agent.id))
    }

    fn embedding(&self) -> Result<Arc<Embedding>, String> {
        let table = include_bytes!("../../../spalla-embedding/assets/minilm-256.bin");
        Embedding::load(table).map(Arc::new).map_err(|error| error.to_string())
    }
}

const WORDS: [&str; 24] = [
    "fix", "test", "deploy", "docker", "auth", "login", "parse", "schema", "index", "cache", "react", "rust",
    "async", "retry", "queue", "stream", "token", "image", "form", "button", "query", "order", "admin",
    "report",
];

/// Numbers that look like chance and are the same everywhere.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn folder(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len() as u64) as usize]
    }

    fn word(&mut self) -> String {
        let word = WORDS[self.below(WORDS.len() as u64) as usize];
        format!("{word}{}", self.below(97))
    }
}

/// A fleet of so many agents, each with keywords, phrases, regexes and globs.
pub(crate) fn large(count: u64) -> Vec<Agent> {
    let mut numbers = Numbers::of(7);
    let one = |number: u64| {
        let mut made = agent(&format!("agent-{number:05}"), &format!("domain-{}", number % 12), &[]);
        let mut texts: Vec<String> = (0..6).map(|_| numbers.word()).collect();
        texts.push(format!("{} {}", numbers.word(), numbers.word()));
        made.keywords = texts.into_iter().map(|text| Keyword { text, weight: Micro::ONE }).collect();
        made.regexes = vec![pattern(&format!(r"{}\s+(the\s+)?{}", numbers.word(), numbers.word()), 50)];
        made.file_patterns = vec![format!("src/{}/**/*.rs", numbers.folder())];
        made
    };
    (0..count).map(one).collect()
}

/// Tasks that hit some of the agents of such a fleet.
pub(crate) fn prompts(count: u64) -> Vec<Question> {
    let mut numbers = Numbers::of(11);
    let one = |number: u64| {
        let words: Vec<String> = (0..3 + number % 9).map(|_| numbers.word()).collect();
        let mut question = task(&words.join(" "));
        if number.is_multiple_of(3) {
            question.files = vec![format!("src/{}/a/b.rs", numbers.folder())];
        }
        question
    };
    (0..count).map(one).collect()
}
