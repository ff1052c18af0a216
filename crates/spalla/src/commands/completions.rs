//! `spalla completions`: what a shell needs to complete the words of the command line, from the same definitions.

use crate::cli::definition;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::Args;
use clap_complete::Shell;

/// Prints what a shell needs to complete the command line, such as `source <(spalla completions bash)`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<Exit> {
        output::bytes(&script(self.shell)).map(|()| Exit::Done)
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let mut command = definition();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_knows_every_command() {
        let command = definition();
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for name in command.get_subcommands().map(clap::Command::get_name) {
                assert!(script.contains(name), "{shell}: {name}");
            }
        }
    }

    #[test]
    fn bash_can_read_its_script() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spalla.bash");
        std::fs::write(&path, script(Shell::Bash)).unwrap();
        let read = std::process::Command::new("bash").arg("-n").arg(&path).output().unwrap();
        assert!(read.status.success(), "{read:?}");
    }
}
