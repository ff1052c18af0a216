//! The table of risky patterns: what is looked for, in which languages, and why it matters.

use serde::Serialize;

/// How much a finding matters, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Look at it today.
    High,
    /// Look at it soon.
    Medium,
    /// Worth knowing.
    Low,
}

impl Severity {
    /// Returns the word for a person.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Which view of a file a pattern is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Code only: neither comments nor the insides of strings.
    Code,
    /// Begins in code and may reach into a string.
    FromCode,
    /// Everything but comments.
    Uncommented,
}

/// One rule, as the report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable name.
    pub id: &'static str,
    /// How much it matters in the product itself; in tests and examples it counts as low.
    pub severity: Severity,
    /// What it is.
    pub title: &'static str,
    /// Why it matters and what to do.
    pub why: &'static str,
}

/// A rule that is a pattern over lines.
pub(crate) struct PatternRule {
    pub rule: Rule,
    /// Languages it speaks of, separated by commas.
    pub languages: &'static str,
    pub look: Look,
    pub pattern: &'static str,
    /// A line that also matches this is harmless.
    pub unless: &'static str,
}

use Look::{Code, FromCode, Uncommented};
use Severity::{High, Low, Medium};

const fn rule(id: &'static str, severity: Severity, title: &'static str, why: &'static str) -> Rule {
    Rule { id, severity, title, why }
}

pub(crate) const SECRET: Rule = rule(
    "secret",
    High,
    "Secrets in the tree",
    "A value of the shape of a live credential is readable by everyone who can read the code. Revoke it, then take it out of the history.",
);
pub(crate) const SECRET_LIKE: Rule = rule(
    "secret-like",
    Medium,
    "Values that look like secrets",
    "A name that says secret is set to a value that looks random. Check whether it is real; if so, revoke it.",
);
pub(crate) const KEY_FILE: Rule = rule(
    "key-file",
    Medium,
    "Key and credential files",
    "Files of this name usually hold private keys or passwords. Check that what they hold is meant to be public.",
);
pub(crate) const CONFLICT: Rule = rule(
    "conflict-marker",
    High,
    "Unresolved merge conflicts",
    "The marks of a merge are still in the file; it cannot be what anyone meant.",
);
pub(crate) const DECEPTIVE: Rule = rule(
    "deceptive-text",
    High,
    "Characters that hide the order of the code",
    "Controls of writing direction make code read differently from how it compiles.",
);
pub(crate) const UNSAFE: Rule = rule(
    "unsafe-without-reason",
    Low,
    "`unsafe` without a SAFETY comment",
    "Nobody can review an unsafe block whose invariant is not written down. Say above each block why it is sound.",
);
pub(crate) const UNWRAP: Rule = rule(
    "unwrap-density",
    Low,
    "Many `unwrap` and `expect` outside tests",
    "Each one is a panic when its assumption fails. Dense files deserve a look at what happens on bad input.",
);
pub(crate) const LONG_FUNCTION: Rule = rule(
    "long-function",
    Low,
    "Very long functions",
    "More than 120 lines of code in one function are hard to test and to change.",
);
pub(crate) const HUGE_FILE: Rule = rule(
    "huge-file",
    Low,
    "Very large source files",
    "More than 1,500 lines of code in one file usually hold several ideas.",
);
pub(crate) const LARGE_FILE: Rule = rule(
    "large-file",
    Low,
    "Very large files",
    "Each version of a large file stays in the history for good, and every clone carries it.",
);

/// Rules that are no pattern over lines.
pub(crate) const OTHER_RULES: &[Rule] = &[
    SECRET,
    SECRET_LIKE,
    KEY_FILE,
    CONFLICT,
    DECEPTIVE,
    UNSAFE,
    UNWRAP,
    LONG_FUNCTION,
    HUGE_FILE,
    LARGE_FILE,
];

const SHELL_INJECTION: Rule = rule(
    "shell-command",
    Medium,
    "Commands built from values and run by a shell",
    "Whoever controls a value in the command line controls the machine. Pass a program and a list of arguments.",
);
const SHELL_CALL: Rule = rule(
    "shell-call",
    Low,
    "Commands run through a shell",
    "Harmless while the command is constant; check that no value from outside reaches it.",
);
const EVAL: Rule = rule(
    "eval",
    Medium,
    "Text run as code",
    "`eval` and its kin run whatever text reaches them. Check where it comes from.",
);
const DESERIALIZE: Rule = rule(
    "unsafe-deserialization",
    Medium,
    "Deserialization that can run code",
    "These readers build any object the input names. Never feed them input from outside.",
);
const TLS: Rule = rule(
    "tls-verification-off",
    High,
    "TLS certificates not checked",
    "Without the check anyone on the path can read and change the traffic.",
);
const SQL: Rule = rule(
    "sql-built-from-values",
    Medium,
    "SQL built from values",
    "A value that reaches the statement as text can change the statement. Use parameters.",
);
const PIPE_TO_SHELL: Rule = rule(
    "download-to-shell",
    Medium,
    "Downloads piped into a shell",
    "What runs is whatever the server sends that day. Pin a version and check a digest.",
);
const WORLD_WRITABLE: Rule = rule(
    "world-writable",
    Medium,
    "Files made writable for everyone",
    "Any user of the machine can change them. Give the narrowest mode that works.",
);
const SWALLOWED: Rule = rule(
    "swallowed-error",
    Low,
    "Errors caught and dropped",
    "The failure leaves no trace. Handle it, or log it with what was being done.",
);
const HTML: Rule = rule(
    "raw-html",
    Low,
    "HTML written without escaping",
    "A value from outside becomes markup, and a script. Check that it is escaped or trusted.",
);
const CI_INJECTION: Rule = rule(
    "ci-injection",
    High,
    "CI scripts that paste foreign text",
    "A title or branch name chosen by a stranger becomes part of a shell script that holds your tokens. Pass it through `env`.",
);
const CI_TRUST: Rule = rule(
    "ci-privileges",
    Medium,
    "CI with wide privileges",
    "`write-all`, and `pull_request_target` in a workflow that checks code out, give foreign changes a way to your tokens. Narrow them.",
);
const DEBUG: Rule = rule(
    "debug-leftover",
    Low,
    "Debugging left in",
    "A breakpoint or debug switch in the product stops or exposes it.",
);
const WEAK_HASH: Rule = rule(
    "weak-hash",
    Low,
    "MD5 or SHA-1",
    "Fine for checksums; not for passwords, signatures or anything an attacker may choose.",
);

const fn pattern(
    rule: Rule,
    languages: &'static str,
    look: Look,
    pattern: &'static str,
    unless: &'static str,
) -> PatternRule {
    PatternRule { rule, languages, look, pattern, unless }
}

const SCRIPTS: &str = "JavaScript,TypeScript,Vue,Svelte";
const SHELLS: &str = "Shell,Dockerfile,Makefile,Just,YAML";

/// The patterns, in the order their findings are named within one severity.
pub(crate) static PATTERN_RULES: &[PatternRule] = &[
    pattern(
        TLS,
        "Python",
        Code,
        r"(?:\b(?:get|post|put|patch|delete|head|options|request|send|urlopen|Session|Client|AsyncClient)\s*\([^\n]*|^\s*|\.)verify\s*=\s*False\b|_create_unverified_context|\bcheck_hostname\s*=\s*False\b|\bCERT_NONE\b",
        r"[!=]=\s*(?:ssl\.)?CERT_NONE|^\s*def\s|CERT_NONE\s*:",
    ),
    pattern(
        TLS,
        SCRIPTS,
        FromCode,
        r"\brejectUnauthorized['\x22]?\s*:\s*false\b|NODE_TLS_REJECT_UNAUTHORIZED['\x22\]]*\s*=\s*['\x22]?0",
        "",
    ),
    pattern(TLS, "Go", Code, r"\bInsecureSkipVerify\s*[:=]\s*true\b", ""),
    pattern(TLS, "Rust", Code, r"\bdanger_accept_invalid_(?:certs|hostnames)\s*\(\s*true\b", ""),
    pattern(TLS, "PHP", Code, r"CURLOPT_SSL_VERIFY(?:PEER|HOST)\s*(?:,|=>)\s*(?:false|0)\b", ""),
    pattern(TLS, "C,C++", Code, r"CURLOPT_SSL_VERIFY(?:PEER|HOST)\s*,\s*0", ""),
    pattern(TLS, "Ruby", Code, r"\bVERIFY_NONE\b", ""),
    pattern(
        TLS,
        "C#",
        Code,
        r"ServerCertificate(?:Custom)?ValidationCallback\s*[+=]+[^;\n]*\btrue\b|DangerousAcceptAnyServerCertificateValidator",
        "",
    ),
    pattern(
        TLS,
        "Java,Kotlin,Scala",
        Code,
        r"\bNoopHostnameVerifier\b|\bALLOW_ALL_HOSTNAME_VERIFIER\b|\bTrustAll(?:Certs|Strategy|Manager)\b",
        r"^\s*import\b",
    ),
    pattern(
        TLS,
        SHELLS,
        Uncommented,
        r"\bcurl\s[^|;\n]*(?:\s-[a-zA-Z]*k[a-zA-Z]*\s|\s--insecure\b)|\bwget\s[^|;\n]*--no-check-certificate|http\.sslVerify[= ]false|GIT_SSL_NO_VERIFY=[1t]|strict-ssl\s+false",
        r"localhost|127\.0\.0\.1",
    ),
    pattern(
        CI_INJECTION,
        "YAML",
        Uncommented,
        r"^\s*(?:-\s*)?(?:run:|[^:\s#]*\s*(?:echo|git|curl|gh)\b)[^\n]*\$\{\{\s*github\.(?:event\.(?:issue|pull_request|comment|review|head_commit|discussion)\.[\w.]*(?:title|body|message|ref|label|email|name)|head_ref)\b",
        "",
    ),
    pattern(
        CI_TRUST,
        "YAML",
        Uncommented,
        r"^\s*(?:-\s*)?pull_request_target\b(?s:.*)\bactions/checkout@|^\s*permissions:\s*write-all\b",
        "",
    ),
    pattern(
        SHELL_INJECTION,
        "Python",
        FromCode,
        r#"\bos\.(?:system|popen)\s*\(\s*(?:f["']|[^\n"']*["'][^\n]*["']\s*(?:\+|%|\.format)|[a-zA-Z_])|\bsubprocess\.\w+\s*\(\s*(?:f["']|[^\n]*["']\s*(?:%|\.format|\+))[^\n]*shell\s*=\s*True"#,
        "",
    ),
    pattern(SHELL_CALL, "Python", Code, r"\bshell\s*=\s*True\b|\bos\.(?:system|popen)\s*\(", ""),
    pattern(
        SHELL_INJECTION,
        SCRIPTS,
        FromCode,
        r"\b(?:child_process\.|cp\.)?exec(?:Sync)?\s*\(\s*(?:`[^`\n]*\$\{|['\x22][^'\x22\n]*['\x22]\s*\+)",
        r"\.exec\s*\(\s*[^'\x22`]|/\.exec\(",
    ),
    pattern(
        SHELL_INJECTION,
        "Rust",
        FromCode,
        r#"Command::new\(\s*"(?:/bin/)?(?:sh|bash|cmd)(?:\.exe)?"\s*\)(?:[^;\n]|\n\s*\.){0,200}&?format!"#,
        "",
    ),
    pattern(
        SHELL_CALL,
        "Rust",
        FromCode,
        r#"Command::new\(\s*"(?:/bin/)?(?:sh|bash|cmd)(?:\.exe)?"\s*\)"#,
        "",
    ),
    pattern(
        SHELL_INJECTION,
        "Go",
        FromCode,
        r#"exec\.Command(?:Context)?\([^\n]*"(?:/bin/)?(?:ba)?sh"\s*,\s*"-l?c"\s*,\s*(?:[^\n"]*\+|fmt\.|"[^"\n]*"\s*\+|[a-zA-Z_])"#,
        "",
    ),
    pattern(SHELL_INJECTION, "Java,Kotlin,Scala", FromCode, r"getRuntime\(\)\s*\.exec\s*\([^\n)]*\+", ""),
    pattern(
        SHELL_INJECTION,
        "PHP",
        FromCode,
        r"\b(?:shell_exec|system|passthru|popen|proc_open|exec)\s*\([^\n;]*\$",
        r"escapeshell|->exec|curl_exec|::exec",
    ),
    pattern(
        SHELL_INJECTION,
        "Ruby,Perl",
        FromCode,
        r"\b(?:system|exec|popen)\s*\(?\s*[\x22][^\x22\n]*#\{",
        "",
    ),
    pattern(
        SHELL_CALL,
        "C,C++",
        Code,
        r"(?:^|[^\w.>:])(?:system|popen)\s*\(",
        r"^\s*(?:int|FILE|static|extern|#)",
    ),
    pattern(EVAL, SCRIPTS, Code, r"(?:^|[^.\w$])eval\s*\(|\bnew\s+Function\s*\(", ""),
    pattern(EVAL, "Python", Code, r"(?:^|[^.\w])(?:eval|exec)\s*\(", r"^\s*(?:async\s+)?def\s|literal_eval"),
    pattern(EVAL, "PHP,Perl", Code, r"(?:^|[^\w>:$])eval\s*\(", ""),
    pattern(EVAL, "Ruby", Code, r"(?:^|[^.\w])(?:instance_eval|class_eval|eval)\s*\(", ""),
    pattern(
        EVAL,
        "Shell",
        Code,
        r"(?:^|[;&|]\s*|\s)eval\s+[^\n]*",
        r"ssh-agent|brew shellenv|\bdirenv\b|completion",
    ),
    pattern(
        DESERIALIZE,
        "Python",
        Code,
        r"\b(?:pickle|cPickle|dill|marshal)\.loads?\s*\(|\byaml\.(?:unsafe_)?load\s*\(",
        r"SafeLoader|BaseLoader|CSafe",
    ),
    pattern(DESERIALIZE, "Java,Kotlin,Scala", Code, r"\bnew\s+ObjectInputStream\s*\(|\bXMLDecoder\s*\(", ""),
    pattern(
        DESERIALIZE,
        "PHP",
        Code,
        r"(?:^|[^\w>:])unserialize\s*\(",
        r"allowed_classes|function\s+unserialize",
    ),
    pattern(DESERIALIZE, "Ruby", Code, r"\bMarshal\.load\b|\bYAML\.(?:unsafe_)?load\s*\(", ""),
    pattern(DESERIALIZE, "C#", Code, r"\bBinaryFormatter\b", r"^\s*using\b"),
    pattern(
        SQL,
        "Python",
        FromCode,
        r#"(?i)\.execute(?:many)?\s*\(\s*(?:f["']{1,3}\s*(?:select|insert|update|delete|drop)\b[^\n]*\{|["'][^"'\n]*\b(?:select|insert|update|delete|drop)\b[^"'\n]*["']\s*(?:%|\+|\.format))"#,
        "",
    ),
    pattern(
        SQL,
        SCRIPTS,
        FromCode,
        r#"(?i)\.(?:query|execute|raw)\s*\(\s*(?:`\s*(?:select|insert|update|delete)\b[^`\n]*\$\{|["'](?:select|insert|update|delete)\b[^"'\n]*["']\s*\+)"#,
        "",
    ),
    pattern(
        SQL,
        "Go",
        FromCode,
        r#"(?i)\.(?:Query|QueryRow|Exec)(?:Context)?\([^\n]*(?:fmt\.Sprintf\(\s*["`]\s*(?:select|insert|update|delete)\b|"(?:select|insert|update|delete)\b[^"\n]*"\s*\+)"#,
        "",
    ),
    pattern(
        SQL,
        "Java,Kotlin,C#,PHP,Scala",
        FromCode,
        r#"(?i)(?:execute\w*|createQuery|prepareStatement|query|SqlCommand)\s*\(\s*"(?:select|insert|update|delete)\b[^"\n]*"\s*[+.]\s*\$?\w"#,
        "",
    ),
    pattern(
        SQL,
        "Rust",
        FromCode,
        r#"(?i)\b(?:query\w*|execute|prepare)\s*\(\s*&?format!\(\s*r?#?"\s*(?:select|insert|update|delete)\b[^"\n]*\{"#,
        "",
    ),
    pattern(
        PIPE_TO_SHELL,
        SHELLS,
        Uncommented,
        r"\b(?:curl|wget)\s[^|;\n]*\|\s*(?:sudo\s+(?:-\w+\s+)*)?(?:ba|z|da)?sh\b",
        "",
    ),
    pattern(
        WORLD_WRITABLE,
        SHELLS,
        Uncommented,
        r"\bchmod\s+(?:-[a-zA-Z]+\s+)*(?:0?777|0?666|a\+r?wx?|o\+r?wx?)\b",
        "",
    ),
    pattern(
        WORLD_WRITABLE,
        "Python,Ruby,JavaScript,TypeScript,Go,Rust,PHP,C,C++",
        Code,
        r"\b(?:chmod|Chmod|chmodSync|set_mode|from_mode)\s*\([^\n;]*\b0?o?(?:0?777|0?666)\b|\bumask\s*\(\s*0o?0*\s*\)",
        "",
    ),
    pattern(
        HTML,
        SCRIPTS,
        Code,
        r"\bdangerouslySetInnerHTML\b|\.(?:inner|outer)HTML\s*\+?=[^=]|\bdocument\.write\s*\(|\binsertAdjacentHTML\s*\(",
        "",
    ),
    pattern(HTML, "Vue,Svelte", Uncommented, r"\bv-html\s*=|\{@html\b", ""),
    pattern(
        SWALLOWED,
        "Python",
        Code,
        r"(?m)^\s*except(?:\s+(?:Base)?Exception(?:\s+as\s+\w+)?)?\s*:\s*(?:pass\b|\n\s*pass\s*$)",
        "",
    ),
    pattern(
        SWALLOWED,
        "Java,Kotlin,C#,JavaScript,TypeScript,Scala,PHP,Dart",
        Code,
        r"\bcatch\s*(?:\([^)\n]*\))?\s*\{\s*\}",
        r"//|/\*",
    ),
    pattern(
        DEBUG,
        "Python",
        Code,
        r"\bpdb\.set_trace\s*\(|(?:^|[^.\w])breakpoint\s*\(\s*\)|^DEBUG\s*=\s*True\b",
        "",
    ),
    pattern(DEBUG, SCRIPTS, Code, r"^\s*debugger\s*;?\s*$", ""),
    pattern(DEBUG, "Ruby", Code, r"\bbinding\.(?:pry|irb)\b|\bbyebug\b", ""),
    pattern(DEBUG, "Rust", Code, r"\bdbg!\s*\(", ""),
    pattern(DEBUG, "PHP", Code, r"\b(?:var_dump|dd)\s*\(", r"function\s+(?:dd|var_dump)"),
    pattern(WEAK_HASH, "Python", Code, r"\bhashlib\.(?:md5|sha1)\s*\(", "usedforsecurity"),
    pattern(WEAK_HASH, SCRIPTS, FromCode, r"\bcreateHash\s*\(\s*['\x22](?:md5|sha1)['\x22]", ""),
    pattern(
        WEAK_HASH,
        "Java,Kotlin,Scala",
        FromCode,
        r#"MessageDigest\.getInstance\s*\(\s*"(?:MD5|SHA-?1)""#,
        "",
    ),
    pattern(WEAK_HASH, "Go", Code, r"\b(?:md5|sha1)\.(?:New|Sum)\s*\(", ""),
    pattern(
        WEAK_HASH,
        "PHP,Ruby,C#",
        Code,
        r"(?:^|[^\w>:$.])(?:md5|sha1)\s*\(|\bDigest::(?:MD5|SHA1)\b|\b(?:MD5|SHA1)\.Create\s*\(",
        "",
    ),
];
