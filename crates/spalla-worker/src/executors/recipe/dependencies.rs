//! Looks for what an agent's definition says has to be there, before anything is done: programs, with versions where they are
//! said, and packages. All that is missing is told at once.

use super::tools;
use crate::run::{End, Failure, Run};
use crate::sandbox::{CommandSpec, How};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use spalla_domain::agent_policy::Workflow;
use spalla_domain::recipe::Tool;
use spalla_domain::retry::ErrorClass;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How long all packages may take to be found, in milliseconds.
const PACKAGES_MS: i64 = 60_000;
/// The most of the answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Prints the packages among its arguments that are not there. Each is `kind:name`, or a name that any kind may have.
const LOOK: &str = r#"
npm() { [ -d "node_modules/$1" ] || [ -d "$(dirname "$(command -v node 2>/dev/null)")/../lib/node_modules/$1" ]; }
pip() { python3 -c 'import sys, importlib.metadata as m; m.version(sys.argv[1])' "$1" 2>/dev/null; }
apt() { command -v dpkg-query >/dev/null && dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
program() { command -v -- "$1" >/dev/null 2>&1; }
for entry in "$@"; do
    case "$entry" in
    npm:*) npm "${entry#npm:}" ;;
    pip:* | pypi:*) pip "${entry#*:}" ;;
    apt:* | deb:*) apt "${entry#*:}" ;;
    cargo:* | go:* | bin:*) program "${entry#*:}" ;;
    *) program "$entry" || npm "$entry" || pip "$entry" || apt "$entry" ;;
    esac || printf '%s\n' "$entry"
done
"#;

/// Ends the run where something is missing; returns the files of the programs.
pub(crate) async fn check(
    run: &Run<'_>,
    scratchpad: &Scratchpad,
    workflow: &Workflow,
) -> Result<Vec<PathBuf>, End> {
    let (mut missing, mut files) = (Vec::new(), Vec::new());
    for entry in &workflow.runtime {
        let Some(tool) = tool_of(entry) else {
            missing.push(format!("runtime {entry:?}: it is no name of a program with a version"));
            continue;
        };
        match tools::check_tool(run, &tool, scratchpad).await {
            Ok((file, found)) => {
                run.log.remark(format!("runtime {}: {found}", tool.name)).await;
                files.push(file);
            }
            Err(End::Failed(failure)) if failure.error.class == ErrorClass::Validation => {
                let words = failure.error.message.replacen("tool ", "runtime ", 1);
                missing.push(words.replace("the recipe", "the definition"));
            }
            Err(end) => return Err(end),
        }
    }
    if !workflow.packages.is_empty() {
        let absent = packages(run, scratchpad, &workflow.packages).await?;
        missing.extend(
            absent.iter().map(|name| format!("package {name}: not found on this worker; install it")),
        );
    }
    if missing.is_empty() {
        return Ok(files);
    }
    let message = format!("what the agent's definition needs is not there: {}", missing.join("; "));
    Err(Failure::new(ErrorClass::Validation, message).into())
}

/// Reads `node >= 20`, `python 3.11`, `go@1.22` and the like; a version alone is the least that will do.
fn tool_of(entry: &str) -> Option<Tool> {
    let entry = entry.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let end = entry.find(|c| !is_name(c)).unwrap_or(entry.len());
    let (name, rest) = entry.split_at(end);
    let rest = rest.trim().trim_start_matches('@').trim();
    if name.is_empty() || name.starts_with(['-', '.']) {
        return None;
    }
    let first = |text: &str| text.chars().next().is_some_and(|c| c.is_ascii_digit());
    let version = match rest {
        "" | "*" | "latest" => None,
        rest if first(rest) || first(rest.trim_start_matches('v')) => {
            Some(format!(">={}", rest.trim_start_matches('v')))
        }
        rest if rest.starts_with(['>', '<', '=', '^', '~']) => Some(rest.split_whitespace().collect()),
        _ => return None,
    };
    Some(Tool { name: name.to_owned(), version, sha256: None, env: BTreeMap::new(), network: false })
}

async fn packages(run: &Run<'_>, scratchpad: &Scratchpad, names: &[String]) -> Result<Vec<String>, End> {
    let walls =
        run.walls(&scratchpad.folder, Needs { read: scratchpad.borrowed.clone(), ..Needs::default() });
    let mut args = vec!["-c".to_owned(), LOOK.to_owned(), "packages".to_owned()];
    args.extend(names.iter().map(|name| name.trim().to_owned()));
    let spec = CommandSpec {
        label: format!("{} packages", run.label()),
        program: "/bin/sh".to_owned(),
        args,
        cwd: scratchpad.folder.clone(),
        env: run.env(&walls),
        stdin: Vec::new(),
        timeout_ms: Some(PACKAGES_MS),
        grace_ms: run.options.limits.grace_ms,
        walls: walls.clone(),
    };
    let stop = async { drop(run.interrupted().await) };
    let captured = run.sandbox.capture(spec, ANSWER_BYTES_MAX, stop).await;
    let captured = captured.map_err(|error| End::from(Failure::of(run.unstarted(&walls, &error))))?;
    run.attest(&captured.ended);
    if let (true, Some(interruption)) = (captured.ended.stopped, run.interruption()) {
        return Err(run.end_by(interruption));
    }
    if captured.ended.how != How::Exited(0) {
        let message = format!("looking for the packages of the agent's definition {}", captured.ended.how);
        return Err(Failure::new(ErrorClass::System, message).into());
    }
    Ok(String::from_utf8_lossy(&captured.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_a_program_and_the_least_version_that_will_do() {
        for (entry, name, version) in [
            ("node", "node", None),
            ("node >= 20", "node", Some(">=20")),
            ("python 3.11", "python", Some(">=3.11")),
            ("go@1.22", "go", Some(">=1.22")),
            ("rust v1.70", "rust", Some(">=1.70")),
            ("java latest", "java", None),
            ("deno ^2", "deno", Some("^2")),
        ] {
            let tool = tool_of(entry).unwrap();
            assert_eq!((tool.name.as_str(), tool.version.as_deref()), (name, version), "{entry}");
        }
        for odd in ["", ">= 3", "-rf x", "node $(rm x)", "../sh"] {
            assert!(tool_of(odd).is_none(), "{odd}");
        }
    }
}
