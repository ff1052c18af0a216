//! The shapes of secrets: finds them, and takes them out of every excerpt the report quotes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A shape that a secret was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    /// What it looks like, in words.
    pub shape: &'static str,
    /// Where the value lies in the text.
    pub value: Range<usize>,
    /// Whether the shape alone is proof enough; otherwise a name and a value merely look alike.
    pub certain: bool,
}

/// Shapes whose prefix and length leave little doubt. Group 1 is the value.
const SHAPES: &[(&str, &str)] = &[
    ("AWS access key", r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b"),
    ("GitHub token", r"\b(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b"),
    ("GitLab token", r"\b(glpat-[A-Za-z0-9_-]{20,})"),
    ("Slack token", r"\b(xox[abprs]-[0-9A-Za-z-]{20,})"),
    ("Stripe key", r"\b([sr]k_live_[0-9A-Za-z]{20,})\b"),
    ("Google API key", r"\b(AIza[0-9A-Za-z_-]{35})"),
    ("Anthropic key", r"\b(sk-ant-[A-Za-z0-9_-]{20,})"),
    ("OpenAI key", r"\b(sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{0,80}[A-Za-z0-9]{32,})\b"),
    ("npm token", r"\b(npm_[A-Za-z0-9]{36})\b"),
    ("PyPI token", r"\b(pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,})"),
    ("Hugging Face token", r"\b(hf_[A-Za-z0-9]{34,})\b"),
    ("SendGrid key", r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    ("private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----((?:[A-Za-z0-9+/=]|\\n|\s){40,})"),
    ("JSON web token", r"\b(eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,})"),
];

/// A password inside a URL. Group 1 is the password, group 2 the host.
const URL_PASSWORD: &str =
    r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'"`<>{}$]{1,80}:([^\s:/@'"`<>{}$%\[\]*]{3,120})@([\w.-]+)"#;

/// A name that says secret, set to a quoted value. Group 1 is the name, group 2 the value.
const ASSIGNMENT: &str = r#"(?i)\b([a-z0-9_.-]{0,40}(?:password|passwd|secret|api_?-?key|access_?key|auth_?token|access_?token|private_?key|client_?secret|credential)[a-z0-9_]{0,20})["']?\s{0,4}(?::=|=>|[:=])\s{0,4}["'`]([^"'`\s]{8,200})["'`]"#;

/// The same in files that set names to values without quotes.
const BARE_ASSIGNMENT: &str = r#"(?im)^\s{0,20}(?:export\s+)?([a-z0-9_.-]{0,40}(?:password|passwd|secret|api_?-?key|access_?key|token|private_?key|client_?secret|credential)[a-z0-9_]{0,20})\s{0,4}[:=]\s{0,4}([^"'`\s#$]{8,200})\s*$"#;

static CERTAIN: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    SHAPES.iter().map(|(shape, text)| (*shape, Regex::new(text).expect("constant pattern"))).collect()
});
static IN_URL: LazyLock<Regex> = LazyLock::new(|| Regex::new(URL_PASSWORD).expect("constant pattern"));
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| Regex::new(ASSIGNMENT).expect("constant pattern"));
static BARE: LazyLock<Regex> = LazyLock::new(|| Regex::new(BARE_ASSIGNMENT).expect("constant pattern"));

/// Finds what looks like a secret; `bare` also takes values without quotes, as in `.env` files.
pub(crate) fn find(text: &str, bare: bool) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (shape, pattern) in CERTAIN.iter() {
        let found = pattern.captures_iter(text).filter_map(|captures| captures.get(1));
        let real = found.filter(|value| !is_placeholder(value.as_str()));
        secrets.extend(real.map(|value| Secret { shape, value: value.range(), certain: true }));
    }
    for captures in IN_URL.captures_iter(text) {
        secrets.extend(password_in_url(&captures));
    }
    for captures in ASSIGNED.captures_iter(text) {
        secrets.extend(assigned_value(text, &captures));
    }
    if bare {
        for captures in BARE.captures_iter(text) {
            secrets.extend(assigned_value(text, &captures));
        }
    }
    secrets.sort_by(|a, b| (a.value.start, !a.certain, a.shape).cmp(&(b.value.start, !b.certain, b.shape)));
    secrets.dedup_by(|later, kept| later.value.start < kept.value.end);
    secrets
}

fn password_in_url(captures: &Captures<'_>) -> Option<Secret> {
    let (value, host) = (captures.get(1)?, captures.get(2)?);
    let local = ["localhost", "127.0.0.1", "0.0.0.0", "example.com", "example.org", "host", "db", "hostname"];
    let shown_only = local.contains(&host.as_str()) || host.as_str().starts_with("example.");
    let well_known = ["password", "pass", "secret", "postgres", "root", "guest", "user", "pwd", "passwd"];
    let placeholder = is_placeholder(value.as_str()) || well_known.contains(&value.as_str());
    (!shown_only && !placeholder).then(|| Secret {
        shape: "password in a URL",
        value: value.range(),
        certain: false,
    })
}

fn assigned_value(text: &str, captures: &Captures<'_>) -> Option<Secret> {
    let (name, value) = (captures.get(1)?, captures.get(2)?);
    if is_path_of_names(text, name.start()) || is_identifier(value.as_str()) {
        return None;
    }
    looks_random(value.as_str(), name.as_str()).then(|| Secret {
        shape: "value under a secret's name",
        value: value.range(),
        certain: false,
    })
}

/// A name after `::` is part of the name of a type.
fn is_path_of_names(text: &str, start: usize) -> bool {
    text[..start].ends_with("::")
}

static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| {
    let text = r"^(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d.*|arn:.*|urn:.*)$";
    Regex::new(text).expect("constant pattern")
});

/// Identifiers and times look random and open nothing.
fn is_identifier(value: &str) -> bool {
    IDENTIFIER.is_match(value)
}

const PLACEHOLDERS: &[&str] = &[
    "example",
    "changeme",
    "change_me",
    "change-me",
    "placeholder",
    "your",
    "dummy",
    "sample",
    "fake",
    "xxxx",
    "redacted",
    "insert",
    "replace",
    "todo",
    "secret_here",
    "abcdef",
    "123456",
    "000000",
    "test",
    "mock",
    "foobar",
    "<",
    "${",
    "{{",
    "***",
    "...",
    "%s",
    "env(",
    "env.",
    "process.",
    "getenv",
];

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word)) || distinct(value) < 5
}

fn distinct(value: &str) -> usize {
    let mut bytes: Vec<u8> = value.bytes().collect();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len()
}

/// Tells a made-up value from a word, a path, a name or an expression.
fn looks_random(value: &str, name: &str) -> bool {
    let has = |test: fn(&char) -> bool| value.chars().any(|c| test(&c));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    let expression = value.contains(['(', ')', '{', '}', '<', '>', '[', ']', ';', ','])
        || value.contains("::")
        || value.contains("//");
    let path = value.starts_with(['/', '.', '#', '@', '$', '%'])
        || value.matches('/').count() > 2
        || value.contains('\\');
    let says_where = [
        "path", "file", "url", "uri", "name", "id", "header", "field", "regex", "pattern", "hash", "type",
        "public", "prefix", "alias", "arn", "date", "used", "at",
    ];
    let lower = name.to_ascii_lowercase();
    let names_a_place = says_where.iter().any(|word| lower.ends_with(word));
    mixed && !expression && !path && !names_a_place && !is_placeholder(value) && entropy(value) >= 3.0
}

/// Bits per character, by the frequency of characters in the value itself.
fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX).max(1));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|p| -p * p.log2())
        .sum()
}

/// Replaces the value of every shape, placeholders included, so that no excerpt can leak one.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut result = Cow::Borrowed(text);
    let certain = CERTAIN.iter().map(|(_, pattern)| pattern);
    for pattern in certain.chain([&*IN_URL, &*QUOTED, &*LOOSE]) {
        if pattern.is_match(&result) {
            result = Cow::Owned(blank_first_group(pattern, &result));
        }
    }
    result
}

/// Any quoted value under a secret's name, random or not.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    let text = r#"(?i)(?:password|passwd|pwd|secret|api_?-?key|access_?-?key|token|private_?key|credential)[a-z0-9_]{0,20}["']?\s{0,4}(?::=|=>|[:=])\s{0,4}["'`]([^"'`\n]+)["'`]"#;
    Regex::new(text).expect("constant pattern")
});

/// Any value with a digit after a secret's name.
static LOOSE: LazyLock<Regex> = LazyLock::new(|| {
    let text = r#"(?i)(?:password|passwd|pwd|secret|api_?-?key|access_?-?key|token|private_?key|credential|authorization|bearer)[a-z0-9_]{0,20}["']?\s{0,4}(?:=>|[:=]|\s)\s{0,4}(?:basic\s+|bearer\s+)?["'`]?([^\s"'`,;(){}\[\]]*[0-9][^\s"'`,;(){}\[\]]*)"#;
    Regex::new(text).expect("constant pattern")
});

fn blank_first_group(pattern: &Regex, text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for captures in pattern.captures_iter(text) {
        let Some(value) = captures.get(1).filter(|value| value.as_str().len() >= 6) else { continue };
        result.push_str(&text[from..value.start()]);
        result.push_str("[redacted]");
        from = value.end();
    }
    result.push_str(&text[from..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Joined at run time, so that no scanner takes the test itself for a leak.
    fn github_token() -> String {
        format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
    }

    fn shapes(text: &str) -> Vec<&'static str> {
        find(text, false).into_iter().map(|secret| secret.shape).collect()
    }

    #[test]
    fn known_shapes_are_found_once() {
        assert_eq!(shapes(&format!("token = \"{}\"", github_token())), ["GitHub token"]);
        assert_eq!(shapes(&format!("AKIA{}", "Q3EGRIW4TBZ7PLXD")), ["AWS access key"]);
        let key = format!(
            "-----BEGIN RSA {} KEY-----\n{}\n",
            "PRIVATE", "MIIEpAIBAAKCAQEAr2kq1J9Vx0Zt5cW8dLmYbQpNvHsUeGfRaXiTzKo"
        );
        assert_eq!(shapes(&key), ["private key"]);
        assert_eq!(shapes("postgres://app:hG7kd92x@db.internal.net/x"), ["password in a URL"]);
        assert_eq!(shapes("api_key: 'Zx8Kq02LmvP71ty'"), ["value under a secret's name"]);
    }

    #[test]
    fn placeholders_names_and_expressions_are_no_secrets() {
        let table = [
            "AWS_KEY=AKIAIOSFODNN7EXAMPLE",
            "password = \"changeme123\"",
            "password: \"${DB_PASSWORD1}\"",
            "secret_name = \"projects-1-secret\"",
            "api_key = os.environ['X1']",
            "postgres://user:password@localhost/db",
            "postgres://postgres:secret99@localhost/db",
            "token = \"authorization-code\"",
            "const PASSWORD_FIELD: &str = \"user_password_2\";",
            "-----BEGIN PRIVATE KEY-----",
            "https://example.com:8080/@scope",
            "\"AWS::ApiGateway::ApiKey\": \"9f86d081884c7d65\"",
            "secret: '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
            "\"SecretArn\": \"arn:aws:secretsmanager:x9:1\"",
        ];
        for text in table {
            assert_eq!(find(text, true), [], "{text}");
        }
    }

    #[test]
    fn values_without_quotes_are_taken_where_files_have_none() {
        let text = "DB_PASSWORD=hG7kd92xQw\nPORT=8080\n";
        assert_eq!(find(text, false), []);
        assert_eq!(find(text, true).len(), 1);
    }

    #[test]
    fn no_value_survives_in_an_excerpt() {
        let token = github_token();
        let texts = [
            format!("curl -H 'Authorization: Bearer {token}' https://u:pa55word@h.net | sh"),
            format!("x({token}); password = 'hunter2000'"),
            String::from("{\"password\": \"correct horse\"}"),
            String::from("API_KEY=Zx8Kq02LmvP71ty other"),
        ];
        for text in texts {
            let redacted = redact(&text);
            for value in [token.as_str(), "pa55word", "hunter2000", "Zx8Kq02LmvP71ty", "correct horse"] {
                assert!(!redacted.contains(value), "{redacted}");
            }
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(
            redact("let tokens = parse(input)?; // 12 tokens"),
            "let tokens = parse(input)?; // 12 tokens"
        );
    }
}
