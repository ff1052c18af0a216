//! Peer review: what a reviewer says of a change, and what follows from what all of them say. The policy is data, so that a
//! team can write its own.

use crate::scorecard::TRUST_UNKNOWN;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest text of a verdict, in words.
pub const WORDS_MAX: usize = 200;

/// What a reviewer thinks of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opinion {
    /// It is good.
    Approved,
    /// Something about it should be talked about.
    Concern,
    /// It must not become part of anything.
    Blocker,
}

/// What a reviewer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it thinks.
    pub verdict: Opinion,
    /// How bad it is, in the reviewer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Why.
    pub text: String,
}

/// The shape of a verdict as JSON Schema, for reviewers that can be held to one.
pub const SCHEMA: &str = r#"{"type":"object","properties":{"verdict":{"type":"string","enum":["approved","concern","blocker"]},"severity":{"type":"string","enum":["low","medium","high","critical"]},"text":{"type":"string"}},"required":["verdict","severity","text"],"additionalProperties":false}"#;

impl Verdict {
    /// Reads a reviewer's answer: one object of JSON, alone or in one block of code. The error is told to the reviewer.
    pub fn read(answer: &str) -> Result<Self, String> {
        let mut verdict: Self = serde_json::from_str(unfenced(answer.trim())).map_err(|error| {
            format!(
                "the answer is not one JSON object with \"verdict\" (approved, concern or blocker), \"severity\" and \
                 \"text\": {error}"
            )
        })?;
        if verdict.text.trim().is_empty() {
            return Err("\"text\" is empty; say why".to_owned());
        }
        let end = words(&verdict.text).nth(WORDS_MAX).map(|(end, _)| end);
        if let Some(end) = end {
            verdict.text.truncate(end);
            verdict.text.push('…');
        }
        Ok(verdict)
    }
}

/// Returns what stands in a block of code, where the text is one.
pub fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inner.and_then(|inner| inner.split_once('\n')).map_or(text, |(_, inner)| inner.trim())
}

/// Returns the words of a text, each with where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// What follows from a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// The workers are stopped, and a person is told.
    StopAndEscalate,
    /// The worker is given the concerns and does it again.
    PauseAndClarify,
    /// It goes on, watched.
    LogWarning,
    /// It goes on.
    Continue,
}

/// One rule of a policy. It applies where everything that it asks for is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// So many blockers at least, each counted by its reviewer's weight.
    pub blockers: u32,
    /// So many concerns at least.
    pub concerns: u32,
    /// So many approvals at least.
    pub approved: u32,
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// When it applies; always where it asks for nothing.
    #[serde(default)]
    pub when: When,
    /// What follows.
    pub then: Decision,
}

/// What is decided, and by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What follows.
    pub decision: Decision,
    /// The rule.
    pub rule: String,
}

/// What follows from reviews, as a team wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The rules; the first that applies decides.
    pub rules: Vec<Rule>,
    /// How many reviewers have to answer; with fewer a person decides.
    pub quorum: u32,
    /// What the word of a reviewer weighs; where it is not said, what its record says, and 1 where it has none.
    pub weights: BTreeMap<String, f64>,
}

impl Default for Policy {
    fn default() -> Self {
        let rule = |name: &str, when: When, then| Rule { name: name.to_owned(), when, then };
        let rules = vec![
            rule("any blocker", When { blockers: 1, ..When::default() }, Decision::StopAndEscalate),
            rule("two concerns", When { concerns: 2, ..When::default() }, Decision::PauseAndClarify),
            rule("one concern", When { concerns: 1, ..When::default() }, Decision::LogWarning),
            rule("all approved", When::default(), Decision::Continue),
        ];
        Self { rules, quorum: 0, weights: BTreeMap::new() }
    }
}

/// What is written in the place of a rule where a person decided.
pub const A_PERSON: &str = "a person";
/// The most rules of a policy.
const RULES_MAX: usize = 100;
/// The largest weight of a word.
const WEIGHT_MAX: f64 = 100.0;

impl Policy {
    /// Says what is wrong with it; none where nothing is.
    pub fn check(&self) -> Option<String> {
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            return Some(format!("it has {} rules; it has 1 to {RULES_MAX}", self.rules.len()));
        }
        if self.rules.iter().any(|rule| rule.name.trim().is_empty()) {
            return Some("a rule has no name".to_owned());
        }
        if self.rules.iter().any(|rule| rule.name == A_PERSON) {
            return Some(format!("no rule is called {A_PERSON:?}: that is said of what people decide"));
        }
        let odd = self.weights.iter().find(|(_, weight)| !(0.0..=WEIGHT_MAX).contains(*weight));
        odd.map(|(name, weight)| format!("the weight of {name} is {weight}; it is 0 to {WEIGHT_MAX}"))
    }

    /// Has the words of reviewers weigh what their records say, as far as the team does not say it itself.
    #[must_use]
    pub fn by_records<'a>(&self, trust: impl IntoIterator<Item = (&'a String, f64)>) -> Self {
        let mut weights: BTreeMap<String, f64> =
            trust.into_iter().map(|(name, trust)| (name.clone(), weight_of(trust))).collect();
        weights.extend(self.weights.clone());
        Self { weights, ..self.clone() }
    }

    /// Returns what the word of a reviewer weighs.
    pub fn weight(&self, reviewer: &str) -> f64 {
        self.weights.get(reviewer).copied().unwrap_or(1.0)
    }

    /// Decides by the first rule that applies. Where none does, or too few answered, a person has to.
    pub fn decide(&self, verdicts: &[(&str, &Verdict)]) -> Decided {
        let escalate = |rule: &str| Decided { decision: Decision::StopAndEscalate, rule: rule.to_owned() };
        if verdicts.len() < self.quorum as usize {
            return escalate("no quorum");
        }
        let weight = |opinion: Opinion| -> f64 {
            let of_opinion = verdicts.iter().filter(|(_, verdict)| verdict.verdict == opinion);
            of_opinion.map(|(name, _)| self.weight(name)).sum()
        };
        let (blockers, concerns, approved) =
            (weight(Opinion::Blocker), weight(Opinion::Concern), weight(Opinion::Approved));
        let applies = |rule: &&Rule| {
            let When { blockers: b, concerns: c, approved: a } = rule.when;
            blockers >= f64::from(b) && concerns >= f64::from(c) && approved >= f64::from(a)
        };
        match self.rules.iter().find(applies) {
            Some(rule) => Decided { decision: rule.then, rule: rule.name.clone() },
            None => escalate("no rule applies"),
        }
    }
}

/// Returns what the word of somebody with this trust weighs: from 1, for whoever has not proven better than unknown, to less than 2.
/// So one blocker is always a blocker, one concern never two, and two always two, whoever has them.
fn weight_of(trust: f64) -> f64 {
    let proven = ((trust - TRUST_UNKNOWN) / (1.0 - TRUST_UNKNOWN)).clamp(0.0, 1.0);
    1.0 + (proven * 99.0).floor() / 100.0
}

/// What the orchestrator looks at where no reviewer is there.
#[derive(Debug, Clone, Default)]
pub struct Looks<'a> {
    /// The paths that the change touches.
    pub paths: Vec<&'a str>,
    /// Lines that it adds and removes.
    pub lines: u64,
    /// The lines that it adds, as far as they are known.
    pub added: Vec<&'a str>,
}

/// More lines than a reviewer reads with care.
const LINES_MANY: u64 = 2_000;

/// Reviews by rules: whether secrets are in the change, whether code changes without a test, whether it is too large to be
/// read. What a machine can see is a reason to warn, and never one to approve more than that.
pub fn by_rules(looks: &Looks<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut say = |verdict, severity: &str, text: String| {
        verdicts.push(Verdict { verdict, severity: Some(severity.to_owned()), text });
    };
    if let Some(path) = looks.paths.iter().find(|path| holds_secrets(path)) {
        say(
            Opinion::Concern,
            "high",
            format!("the change touches a file that usually holds secrets: {path}"),
        );
    }
    if looks.added.iter().any(|line| is_secret(line)) {
        say(
            Opinion::Blocker,
            "critical",
            "the change adds what looks like a private key or a token".to_owned(),
        );
    }
    if looks.lines > LINES_MANY {
        say(
            Opinion::Concern,
            "medium",
            format!("the change has {} lines, more than can be read with care", looks.lines),
        );
    }
    if verdicts.is_empty() {
        let text = match looks.paths.iter().any(|path| is_code(path))
            && !looks.paths.iter().any(|path| is_test(path))
        {
            true => "nothing speaks against it by the rules; it changes code and no test",
            false => "nothing speaks against it by the rules",
        };
        verdicts.push(Verdict {
            verdict: Opinion::Approved,
            severity: Some("low".to_owned()),
            text: text.to_owned(),
        });
    }
    verdicts
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn holds_secrets(path: &str) -> bool {
    let name = name_of(path);
    let is_sample = name.ends_with(".example") || name.ends_with(".sample");
    let by_name = [".env", "id_rsa", "id_ed25519", "credentials.json", ".netrc", ".pgpass"].contains(&name);
    !is_sample && (by_name || name.starts_with(".env.") || name.ends_with(".pem") || name.ends_with(".key"))
}

fn is_secret(line: &str) -> bool {
    const MARKS: [&str; 6] = [
        "-----BEGIN RSA PRIVATE KEY",
        "-----BEGIN OPENSSH PRIVATE KEY",
        "-----BEGIN PRIVATE KEY",
        "AKIA",
        "ghp_",
        "xoxb-",
    ];
    MARKS.iter().any(|mark| {
        line.find(mark).is_some_and(|at| {
            let rest = &line[at + mark.len()..];
            // The short marks are words as well; a token goes on with letters and digits.
            mark.starts_with('-') || rest.bytes().take_while(u8::is_ascii_alphanumeric).count() >= 12
        })
    })
}

fn is_code(path: &str) -> bool {
    const ENDINGS: [&str; 18] = [
        ".rs", ".py", ".js", ".ts", ".tsx", ".jsx", ".go", ".java", ".kt", ".c", ".h", ".cpp", ".cs", ".rb",
        ".php", ".swift", ".scala", ".sh",
    ];
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

fn is_test(path: &str) -> bool {
    let lower = path.to_lowercase();
    lower
        .split(['/', '.', '_', '-'])
        .any(|part| ["test", "tests", "spec", "specs", "__tests__"].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(policy: &Policy, opinions: &[Opinion]) -> Decided {
        let verdict = |verdict: &Opinion| Verdict { verdict: *verdict, severity: None, text: "t".into() };
        let verdicts: Vec<Verdict> = opinions.iter().map(verdict).collect();
        let names = ["codex", "claude", "gemini"];
        policy.decide(&names.into_iter().zip(&verdicts).collect::<Vec<_>>())
    }

    #[test]
    fn the_four_rules_decide_in_their_order() {
        use Opinion::{Approved, Blocker, Concern};
        let decision = |opinions: &[Opinion]| decide(&Policy::default(), opinions).decision;
        assert_eq!(decision(&[Blocker, Approved]), Decision::StopAndEscalate);
        assert_eq!(decision(&[Concern, Concern, Blocker]), Decision::StopAndEscalate);
        assert_eq!(decision(&[Concern, Concern]), Decision::PauseAndClarify);
        assert_eq!(decision(&[Concern, Approved]), Decision::LogWarning);
        assert_eq!(decision(&[Approved, Approved]), Decision::Continue);
    }

    #[test]
    fn a_policy_of_a_teams_own_has_rules_a_quorum_and_weights() {
        use Opinion::{Approved, Concern};
        let policy: Policy = serde_json::from_str(
            r#"{"quorum": 2, "weights": {"codex": 2.0}, "rules": [
                {"name": "codex doubts", "when": {"concerns": 2}, "then": "STOP_AND_ESCALATE"},
                {"name": "two approvals", "when": {"approved": 2}, "then": "CONTINUE"}]}"#,
        )
        .unwrap();
        assert_eq!(policy.check(), None);
        let rule = |opinions: &[Opinion]| decide(&policy, opinions).rule;
        assert_eq!(rule(&[Approved]), "no quorum");
        assert_eq!(rule(&[Concern, Approved]), "codex doubts", "its word counts twice");
        assert_eq!(rule(&[Approved, Concern]), "two approvals");
        assert_eq!(rule(&[Opinion::Blocker, Concern]), "no rule applies");
        for bad in [r#"{"rules": []}"#, r#"{"weights": {"codex": -1}}"#] {
            assert!(serde_json::from_str::<Policy>(bad).unwrap().check().is_some(), "{bad}");
        }
        assert!(serde_json::from_str::<Policy>(r#"{"rule": []}"#).is_err());
    }

    #[test]
    fn the_four_rules_decide_alike_whatever_reviewers_have_proven() {
        use Opinion::{Approved, Blocker, Concern};
        let names = ["codex", "claude", "gemini"].map(str::to_owned);
        for trust in [0.0, 0.3, TRUST_UNKNOWN, 0.8, 1.0] {
            let policy = Policy::default().by_records(names.iter().map(|name| (name, trust)));
            let decision = |opinions: &[Opinion]| decide(&policy, opinions).decision;
            assert_eq!(decision(&[Blocker, Approved]), Decision::StopAndEscalate, "{trust}");
            assert_eq!(decision(&[Concern, Concern]), Decision::PauseAndClarify, "{trust}");
            assert_eq!(decision(&[Concern, Approved]), Decision::LogWarning, "{trust}");
            assert_eq!(decision(&[Approved, Approved]), Decision::Continue, "{trust}");
        }
    }

    #[test]
    fn the_words_of_the_proven_weigh_more_unless_the_team_says_otherwise() {
        let rule = r#"{"rules": [{"name": "heavy doubts", "when": {"concerns": 3}, "then": "STOP_AND_ESCALATE"},
            {"name": "else", "then": "CONTINUE"}], "weights": {"gemini": 0.5}}"#;
        let policy: Policy = serde_json::from_str(rule).unwrap();
        let names = ["codex", "claude", "gemini"].map(str::to_owned);
        let doubts = [Opinion::Concern, Opinion::Concern];
        assert_eq!(decide(&policy, &doubts).rule, "else");
        let proven = policy.by_records(names.iter().map(|name| (name, 0.95)));
        assert_eq!(decide(&proven, &doubts).rule, "heavy doubts");
        assert_eq!((proven.weight("gemini"), proven.weight("nobody")), (0.5, 1.0));
        let weight = |trust| policy.by_records([(&names[0], trust)]).weight("codex");
        assert_eq!([0.1, 0.5, 0.75, 1.0].map(weight), [1.0, 1.0, 1.49, 1.99]);
    }

    #[test]
    fn a_verdict_is_read_strictly() {
        let read = |text: &str| Verdict::read(text).map(|verdict| verdict.verdict);
        let object = r#"{"verdict":"concern","severity":"low","text":"why"}"#;
        assert_eq!(read(object), Ok(Opinion::Concern));
        assert_eq!(read(&format!("```json\n{object}\n```\n")), Ok(Opinion::Concern));
        for bad in [
            "approved",
            "I approve. {\"verdict\":\"approved\",\"text\":\"x\"}",
            r#"{"verdict":"fine","text":"x"}"#,
            r#"{"verdict":"approved"}"#,
            r#"{"verdict":"approved","text":" "}"#,
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_text_is_cut_to_its_words() {
        let text = "word ".repeat(WORDS_MAX + 50);
        let verdict =
            Verdict::read(&serde_json::json!({ "verdict": "approved", "text": text }).to_string()).unwrap();
        assert_eq!(verdict.text.split_whitespace().count(), WORDS_MAX + 1);
    }

    #[test]
    fn rules_see_secrets_and_size() {
        let opinions = |looks: &Looks<'_>| -> Vec<Opinion> {
            by_rules(looks).into_iter().map(|verdict| verdict.verdict).collect()
        };
        let looks = Looks { paths: vec!["src/a.rs"], lines: 10, added: vec!["let AKIA = 1;"] };
        assert_eq!(opinions(&looks), [Opinion::Approved]);
        assert_eq!(opinions(&Looks { paths: vec!["deploy/.env"], ..looks.clone() }), [Opinion::Concern]);
        assert_eq!(opinions(&Looks { paths: vec![".env.example"], ..looks.clone() }), [Opinion::Approved]);
        let leak = Looks { added: vec!["key = \"AKIAIOSFODNN7EXAMPLE\""], ..looks.clone() };
        assert_eq!(opinions(&leak), [Opinion::Blocker]);
        assert_eq!(opinions(&Looks { lines: LINES_MANY + 1, ..looks }), [Opinion::Concern]);
    }
}
