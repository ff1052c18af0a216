//! What an agent's program on this machine says of itself: its version, and its flags.

use crate::programs::{self, Call};
use spalla_adapter::definition::Definition;
use spalla_adapter::installed::Installed;
use std::path::{Path, PathBuf};

/// How long a program may take to tell its version or its flags, in milliseconds: some are slow to start.
const TELL_MS: i64 = 60_000;

/// A program that is called as an agent.
pub(super) struct Program {
    /// Its file.
    pub(super) file: PathBuf,
    /// The first arguments of whoever names it in the place of the adapter's.
    first: Vec<String>,
}

impl Program {
    /// Finds the program of an adapter, or of the command in its place.
    pub(super) fn find(definition: &Definition, command: &[String]) -> Option<Self> {
        let (named, first) = match command.split_first() {
            Some((program, first)) => (program, first.to_vec()),
            None => (&definition.program, Vec::new()),
        };
        programs::find(named).map(|file| Self { file, first })
    }

    /// Asks it for its version and its flags.
    pub(super) async fn installed(&self, definition: &Definition) -> Installed {
        let version = self.said(&definition.version).await;
        let mut help = String::new();
        for args in &definition.help {
            help.push_str(&self.said(args).await);
            help.push('\n');
        }
        Installed::read(definition, &version, &help)
    }

    /// Asks it for its version alone, as it writes it.
    pub(super) async fn version(&self, definition: &Definition) -> Option<String> {
        let version = self.said(&definition.version).await;
        let found = Installed::read(definition, &version, "").version?;
        Some(format!("{}.{}.{}", found.0, found.1, found.2))
    }

    /// One that does not answer says nothing, as one that has no way to.
    async fn said(&self, args: &[String]) -> String {
        if args.is_empty() {
            return String::new();
        }
        let args: Vec<&str> = self.first.iter().chain(args).map(String::as_str).collect();
        let program = self.file.to_string_lossy();
        let call =
            Call { program: &program, args: &args, folder: Path::new("/"), env: &[], timeout_ms: TELL_MS };
        match programs::call(call).await {
            Ok(answer) => format!("{}\n{}", answer.stdout, answer.stderr),
            Err(_) => String::new(),
        }
    }
}
