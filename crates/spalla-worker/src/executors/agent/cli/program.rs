//! An agent's program on this machine: where it is, and what it can do by its own help, asked once for each file.

use super::call::said_of;
use crate::executors::agent::memory::Asked;
use crate::programs;
use crate::run::{End, Failure, Run};
use crate::sandbox::CommandSpec;
use crate::walls::Needs;
use spalla_adapter::definition::Definition;
use spalla_adapter::installed::Installed;
use spalla_domain::retry::ErrorClass;
use std::path::{Path, PathBuf};

/// How long a program may take to tell its version or its flags, in milliseconds: some are slow to start.
const TELL_MS: i64 = 60_000;
/// How much of what it tells is read, in bytes.
const TOLD_BYTES_MAX: usize = 1024 * 1024;

/// A program that was found.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// Its file.
    pub(super) file: PathBuf,
    /// What it can do.
    pub(super) installed: Installed,
}

/// Finds the program of an adapter and asks it what it can do, behind walls in a folder of the run's own.
pub(super) async fn find(run: &Run<'_>, definition: &Definition, folder: &Path) -> Result<Program, End> {
    // Somebody's own command may begin with arguments, such as `npx codex`.
    let command = said_of(run, definition).command;
    let (named, first) = match command.split_first() {
        Some((program, first)) if !program.is_empty() => (program, first),
        _ => (&definition.program, &[][..]),
    };
    if named.is_empty() {
        let message = format!("{} has no program of its own: {}", definition.title, definition.install);
        return Err(Failure::new(ErrorClass::Validation, message).into());
    }
    let file = programs::find(named, &run.options.child_env)
        .or_else(|| Some(PathBuf::from(named)).filter(|path| path.is_absolute() && path.is_file()));
    let Some(file) = file else {
        let message = format!(
            "{} is not installed on this worker: {named} is not on its PATH; install it with `{}`",
            definition.title, definition.install
        );
        return Err(Failure::new(ErrorClass::Validation, message).into());
    };
    let asked = asked(&file, [std::slice::from_ref(&definition.name), first].concat());
    let installed = match run.agents.program(&asked) {
        Some(installed) => installed,
        None => {
            let installed = ask(run, definition, (&file, first), folder).await?;
            run.agents.learn(asked, installed.clone());
            installed
        }
    };
    Ok(Program { file, installed })
}

fn asked(file: &Path, by: Vec<String>) -> Asked {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let data = real.metadata().ok();
    let (at, bytes) = data.map_or((None, 0), |data| (data.modified().ok(), data.len()));
    (real, at, bytes, by)
}

async fn ask(
    run: &Run<'_>,
    definition: &Definition,
    (file, first): (&Path, &[String]),
    folder: &Path,
) -> Result<Installed, End> {
    let mut told = Vec::new();
    for args in std::iter::once(&definition.version).chain(&definition.help) {
        let whole = [first, args].concat();
        // A program that has no way to tell is called without.
        told.push(if args.is_empty() { String::new() } else { said(run, (file, &whole), folder).await? });
    }
    let help = told.split_off(1).join("\n");
    Ok(Installed::read(definition, &told.concat(), &help))
}

async fn said(run: &Run<'_>, (file, args): (&Path, &[String]), folder: &Path) -> Result<String, End> {
    let needs = Needs { tools: vec![file.to_owned()], ..Needs::default() };
    let walls = run.walls(folder, needs);
    let mut env = run.env(&walls);
    env.insert("HOME".into(), folder.to_string_lossy().into_owned());
    let spec = CommandSpec {
        label: format!("{} version", run.label()),
        program: file.to_string_lossy().into_owned(),
        args: args.to_vec(),
        cwd: folder.to_owned(),
        env,
        stdin: Vec::new(),
        timeout_ms: Some(TELL_MS),
        grace_ms: run.options.limits.grace_ms,
        walls: walls.clone(),
    };
    let stop = async { drop(run.interrupted().await) };
    let captured = run.sandbox.capture(spec, TOLD_BYTES_MAX, stop).await;
    let captured = captured.map_err(|error| End::from(Failure::of(run.unstarted(&walls, &error))))?;
    if let Some(interruption) = run.interruption() {
        return Err(run.end_by(interruption));
    }
    let text = [captured.stdout, captured.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}
