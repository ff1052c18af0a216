//! The supervisor alone, for this crate's tests; the product's own binary does the same for its hidden argument.
//! With `hold` in front it is a worker that starts one shell command and never asks for its end, to be killed; with `knock`
//! it prints what the supervisor of a command that survives says to it first.

use spalla_sandbox::{HIDDEN_ARG, HostCredentials, Policy, Preset, SecretFiles, Survival, hidden_main};
use spalla_worker::sandbox::{CommandSpec, Confined, Sandbox, Supervisor, Walls, child_env};
use spalla_worker::{LOOK_ARG, Refusals, look_main};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next();
    if first.as_ref().is_some_and(|first| first == HIDDEN_ARG) {
        return hidden_main(args);
    }
    if first.as_ref().is_some_and(|first| first == LOOK_ARG) {
        return look_main(args);
    }
    let words: Vec<String> = args.filter_map(|word| word.into_string().ok()).collect();
    match (first.as_ref().and_then(|word| word.to_str()), words.as_slice()) {
        (Some("hold"), [script]) => hold(script, None),
        (Some("hold"), [script, workspace]) => hold(script, Some(workspace.into())),
        (Some("knock"), [survival]) => knock(survival),
        _ => ExitCode::FAILURE,
    }
}

fn knock(survival: &str) -> ExitCode {
    let said = serde_json::from_str::<Survival>(survival).map_err(io::Error::other).and_then(|survival| {
        let mut said = vec![0; 64 * 1024];
        let length = survival.connect()?.read(&mut said)?;
        Ok(String::from_utf8_lossy(&said[..length]).into_owned())
    });
    match said {
        Ok(said) => {
            print!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn hold(script: &str, workspace: Option<PathBuf>) -> ExitCode {
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    let sandbox = Sandbox::new(Supervisor::of(program));
    let cwd = workspace.clone().unwrap_or_else(|| "/".into());
    let env = child_env(std::env::vars());
    let walls = workspace.map_or(Walls::None, |workspace| {
        let journal = Some(workspace.with_extension("journal"));
        let policy = Policy::new(Preset::Strict, workspace);
        let (outside, credentials, refusals) = (env.clone(), HostCredentials::default(), Refusals::default());
        let secret_files = SecretFiles::default();
        Walls::Up(Box::new(Confined { policy, outside, credentials, secret_files, journal, refusals }))
    });
    let spec = CommandSpec {
        label: "held".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        cwd,
        env,
        stdin: Vec::new(),
        timeout_ms: None,
        grace_ms: 3_000,
        walls,
    };
    match sandbox.capture(spec, 0, std::future::pending()).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
