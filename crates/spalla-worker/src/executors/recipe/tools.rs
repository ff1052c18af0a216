//! Checks a recipe's tools before the first step: found, version as asked, checksum of the file.

use crate::programs;
use crate::run::{End, Failure, Run};
use crate::sandbox::{CommandSpec, How, SpawnError, Walls};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use regex::Regex;
use sha2::{Digest, Sha256};
use spalla_domain::recipe::{Recipe, Tool};
use spalla_domain::retry::ErrorClass;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// How long a tool may take to say its version, in milliseconds.
const VERSION_MS: i64 = 20_000;
/// The most of its answer that is read, in bytes.
const VERSION_BYTES_MAX: usize = 64 * 1024;
/// How much of a tool's file is read at once for its checksum, in bytes.
const HASHED_BYTES: usize = 64 * 1024;
/// How tools are asked for their version, the usual way first.
const VERSION_ARGS: [&[&str]; 4] = [&["--version"], &["version", "--client"], &["version"], &["-version"]];
/// Tools whose program has another name.
const PROGRAMS: [(&str, &str); 10] = [
    ("awscli", "aws"),
    ("aws-cli", "aws"),
    ("azure-cli", "az"),
    ("golang", "go"),
    ("google-cloud-cli", "gcloud"),
    ("google-cloud-sdk", "gcloud"),
    ("maven", "mvn"),
    ("nodejs", "node"),
    ("opentofu", "tofu"),
    ("python", "python3"),
];

static DOTTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)+[0-9A-Za-z.+~_-]*").ok());
static WHOLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d+").ok());

/// Checks every tool, and returns their files; the first that will not do ends the run.
pub(super) async fn check(
    run: &Run<'_>,
    recipe: &Recipe,
    scratchpad: &Scratchpad,
) -> Result<Vec<PathBuf>, End> {
    let mut files = Vec::new();
    for tool in &recipe.tools {
        let (file, found) = check_tool(run, tool, scratchpad).await?;
        run.log.remark(format!("tool {}: {found}", tool.name)).await;
        files.push(file);
    }
    Ok(files)
}

/// Checks one tool, and returns its file and what was found.
pub(super) async fn check_tool(
    run: &Run<'_>,
    tool: &Tool,
    scratchpad: &Scratchpad,
) -> Result<(PathBuf, String), End> {
    let wrong = |reason: String| End::from(Failure::new(ErrorClass::Validation, reason));
    let file = find(run, tool).map_err(wrong)?;
    let mut found = file.display().to_string();
    if let Some(asked) = &tool.sha256 {
        let checked = file.clone();
        let sum = tokio::task::spawn_blocking(move || sha256_of(&checked));
        let sum = sum.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let sum =
            sum.map_err(|error| wrong(format!("tool {}: reading {}: {error}", tool.name, file.display())))?;
        check_sum(tool, asked, &sum, &file).map_err(wrong)?;
        found.push_str(", checksum as asked");
    }
    if let Some(asked) = &tool.version {
        let version = version_of(run, tool, &file, scratchpad).await?;
        if !meets(asked, &version) {
            let (name, file) = (&tool.name, file.display());
            return Err(wrong(format!(
                "tool {name}: version {asked} is asked for, and {file} is version {version}; install {asked} on this \
                 worker, or change the recipe"
            )));
        }
        found.push_str(&format!(", version {version}"));
    }
    Ok((file, found))
}

/// Finds a tool on the worker's own search path: what a recipe says of it must not choose which files of the machine are
/// shown to its steps.
fn find(run: &Run<'_>, tool: &Tool) -> Result<PathBuf, String> {
    let env = run.env(&Walls::None);
    let other = PROGRAMS.iter().find(|(name, _)| *name == tool.name).map(|(_, program)| *program);
    let names = [Some(tool.name.as_str()), other];
    names.iter().flatten().find_map(|name| programs::find(name, &env)).ok_or_else(|| {
        let also = other.map(|program| format!(" (nor {program})")).unwrap_or_default();
        let path = env.get("PATH").map_or("", String::as_str);
        format!(
            "tool {}{also}: not found on this worker's PATH ({path}); install it, or change the recipe",
            tool.name
        )
    })
}

fn check_sum(tool: &Tool, asked: &str, sum: &str, file: &Path) -> Result<(), String> {
    if asked == sum {
        return Ok(());
    }
    let name = &tool.name;
    let why = if asked.len() == sum.len() {
        "the file is another one than the recipe means".to_owned()
    } else {
        format!("the recipe's checksum has {} digits, and a SHA-256 has {}", asked.len(), sum.len())
    };
    Err(format!("tool {name}: sha256:{asked} is asked for, and {} has sha256:{sum}; {why}", file.display()))
}

fn sha256_of(file: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut reader = BufReader::with_capacity(HASHED_BYTES, File::open(file)?);
    loop {
        let read = match reader.fill_buf()? {
            [] => break,
            bytes => {
                hasher.update(bytes);
                bytes.len()
            }
        };
        reader.consume(read);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn version_of(run: &Run<'_>, tool: &Tool, file: &Path, scratchpad: &Scratchpad) -> Result<String, End> {
    let needs = Needs { tools: vec![file.to_owned()], ..Needs::default() };
    let walls = run.walls(&scratchpad.folder, needs);
    let mut env = run.env(&walls);
    env.extend(tool.env.clone());
    let mut answer = String::new();
    for args in VERSION_ARGS {
        let spec = CommandSpec {
            label: format!("{} version", run.label()),
            program: file.to_string_lossy().into_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            cwd: scratchpad.folder.clone(),
            env: env.clone(),
            stdin: Vec::new(),
            timeout_ms: Some(VERSION_MS),
            grace_ms: run.options.limits.grace_ms,
            walls: walls.clone(),
        };
        let stop = async { drop(run.interrupted().await) };
        let captured = match run.sandbox.capture(spec, VERSION_BYTES_MAX, stop).await {
            Ok(captured) => captured,
            Err(error @ (SpawnError::Refused { .. } | SpawnError::Impossible { .. })) => {
                if let SpawnError::Refused { layer, reason, .. } = &error {
                    run.attest_refusal(&walls, *layer, reason);
                }
                return Err(Failure::new(ErrorClass::Validation, error.to_string()).into());
            }
            Err(error) => return Err(Failure::new(ErrorClass::System, error.to_string()).into()),
        };
        if let Some(interruption) = run.interruption() {
            return Err(run.end_by(interruption));
        }
        answer = String::from_utf8_lossy(&[captured.stdout, captured.stderr].concat()).trim().to_owned();
        if let (How::Exited(0), Some(version)) = (captured.ended.how, version_in(&answer)) {
            return Ok(version);
        }
    }
    let said: String = answer.lines().take(3).collect::<Vec<_>>().join("; ");
    let message =
        format!("tool {}: {} does not tell its version (it says {said:?})", tool.name, file.display());
    Err(Failure::new(ErrorClass::Validation, message).into())
}

/// Finds the version in what a tool says: the first number with dots, else the first number.
fn version_in(answer: &str) -> Option<String> {
    let find = |pattern: &LazyLock<Option<Regex>>| Some(pattern.as_ref()?.find(answer)?.as_str().to_owned());
    let found = find(&DOTTED).or_else(|| find(&WHOLE))?;
    Some(found.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned())
}

/// Tells whether a version is the one asked for: the same, or a closer description of it; or one that compares as asked.
fn meets(asked: &str, version: &str) -> bool {
    const SIGNS: [&str; 8] = [">=", "<=", "==", ">", "<", "=", "^", "~"];
    if let Some(sign) = SIGNS.into_iter().find(|sign| asked.starts_with(sign)) {
        let asked = asked[sign.len()..].trim().trim_start_matches('v');
        let (own, least) = (numbers(version), numbers(asked));
        // Of a version only as much is compared as is asked for.
        let cut = &own[..own.len().min(least.len())];
        return match sign {
            ">=" => own >= least,
            ">" => cut > &least[..],
            "<=" => cut <= &least[..],
            "<" => own < least,
            "^" => own >= least && own.first() == least.first(),
            "~" => own >= least && own.get(..2) == least.get(..2).or(own.get(..2)),
            _ => meets(asked, version),
        };
    }
    let asked = asked.strip_prefix('v').unwrap_or(asked);
    match version.strip_prefix(asked) {
        Some(rest) => !rest.starts_with(|c: char| c.is_ascii_digit()),
        None => false,
    }
}

fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+', ' ', '~']).next().unwrap_or_default();
    core.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_tools_say() {
        let cases = [
            ("aws-cli/2.15.0 Python/3.11.6 Linux/6.1 exe/x86_64", "2.15.0"),
            ("git version 2.47.3", "2.47.3"),
            ("jq-1.7.1", "1.7.1"),
            ("v22.1.0", "22.1.0"),
            ("go version go1.23.4 linux/amd64", "1.23.4"),
            ("GNU bash, version 5.2.37(1)-release (x86_64)", "5.2.37"),
            ("Client Version: v1.31.0\nKustomize Version: v5.4.2", "1.31.0"),
            ("OpenTofu v1.8.0-rc1\non linux_amd64", "1.8.0-rc1"),
            ("less 643 (GNU regular expressions)", "643"),
            ("curl 8.14.1. Ready", "8.14.1"),
        ];
        for (answer, version) in cases {
            assert_eq!(version_in(answer).as_deref(), Some(version), "{answer}");
        }
        assert_eq!(version_in("usage: tool"), None);
    }

    #[test]
    fn a_version_is_met_by_a_closer_one() {
        for (asked, version) in
            [("2.15", "2.15.0"), ("2.15.0", "2.15.0"), ("v1", "1.2"), ("14.2.0", "14.2.0-19")]
        {
            assert!(meets(asked, version), "{asked} {version}");
        }
        for (asked, version) in [
            (">=20", "22.1.0"),
            (">= 3.11", "3.11.2"),
            (">20", "21.0"),
            ("<3", "2.9"),
            ("^1.2", "1.9"),
            ("~1.2", "1.2.7"),
            ("==3.11", "3.11.9"),
        ] {
            assert!(meets(asked, version), "{asked} {version}");
        }
        for (asked, version) in [
            (">=20", "18.9"),
            (">20", "20.4"),
            ("<3", "3.0"),
            ("^1.2", "2.0"),
            ("~1.2", "1.3"),
            (">=3.11", "3.9.9"),
        ] {
            assert!(!meets(asked, version), "{asked} {version}");
        }
        for (asked, version) in [("2.1", "2.15.0"), ("2.15.1", "2.15.0"), ("3", "2.3"), ("2.15.0", "2.15")] {
            assert!(!meets(asked, version), "{asked} {version}");
        }
    }
}
