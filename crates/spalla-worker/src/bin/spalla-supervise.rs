//! The supervisor alone, for this crate's tests; the product's own binary does the same for its hidden argument.
//! With `hold` in front it is a worker that starts one shell command and never asks for its end, to be killed.

use spalla_worker::sandbox::{CommandSpec, SUPERVISE_ARG, Sandbox, Supervisor, child_env, supervise_main};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("hold"), Some(script)) => hold(&script),
        _ => supervise_main(std::env::args_os().skip(1)),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn hold(script: &str) -> ExitCode {
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    let sandbox = Sandbox::new(Supervisor { program, args: vec![SUPERVISE_ARG.into()] });
    let spec = CommandSpec {
        label: "held".into(),
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        cwd: "/".into(),
        env: child_env(std::env::vars()),
        stdin: Vec::new(),
        timeout_ms: None,
        grace_ms: 3_000,
    };
    match sandbox.capture(spec, 0, std::future::pending()).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
