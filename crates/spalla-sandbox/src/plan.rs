//! What the walls of one run are made of, decided before the first process is made, and with it how its command starts.

use crate::credential;
use crate::environment;
use crate::identity::Identity;
use crate::injection;
use crate::policy::{Network, Policy, Preset};
use crate::program;
use crate::refusal::Error;
use crate::start::Start;
use crate::supervise::Command;
use crate::toolchains;
use crate::view::View;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The file mode bits that new files do not get.
const UMASK: u32 = 0o027;

/// What was decided.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) policy: Policy,
    pub(crate) identity: Identity,
    pub(crate) view: View,
}

impl Plan {
    /// Decides, from the policy, the command, and the environment of whoever starts it.
    pub(crate) fn new(
        policy: &Policy,
        command: &Command,
        outside: &BTreeMap<String, String>,
    ) -> Result<(Self, Start), Error> {
        check(policy)?;
        let home = outside.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let workspace = real_folder(&policy.workspace)?;
        refuse_wide(&workspace, home.as_deref())?;
        let mut view = View::of_system();
        view.write(workspace.clone());
        let is_plain = policy.workspace.components().all(|part| part != Component::ParentDir);
        if policy.workspace.is_absolute() && is_plain && !view.shows(&policy.workspace) {
            // Named by a path with links in it, which is to lead to the same place inside.
            view.links.push((policy.workspace.clone(), workspace.clone()));
        }
        for path in &policy.write {
            let path = real(path)?;
            refuse_wide(&path, home.as_deref())?;
            view.write(path);
        }
        for path in &policy.read {
            view.read(real(path)?);
        }
        if policy.network == Network::Open
            && let Ok(servers) = fs::canonicalize("/etc/resolv.conf")
        {
            view.read(servers);
        }
        let variables = toolchains::show(&mut view, outside);
        let outside_path = outside.get("PATH").map_or("", String::as_str);
        for tool in &policy.tools {
            program::show(&mut view, tool, outside_path, home.as_deref())?;
        }
        let environment = environment::build(policy, outside, variables, &command.environment, &view);
        credential::refuse_leaks(policy, outside, &environment, &command.arguments)?;
        let folder = match &command.folder {
            Some(folder) => real_folder(&workspace.join(folder))?,
            None => workspace,
        };
        if !view.shows(&folder) {
            let reason = format!("the folder {} is not seen in the sandbox", folder.display());
            return Err(Error::policy(reason, "start in the workspace, or list the folder"));
        }
        let search_path = environment.get("PATH").map_or("", String::as_str);
        let found = program::find(&command.program, search_path, &folder)?;
        let is_chosen_here = command.program.contains('/')
            || program::find(&command.program, outside_path, Path::new("/")).is_ok_and(|own| own == found);
        let program = match is_chosen_here {
            true => program::show(&mut view, &found, outside_path, home.as_deref())?,
            // A command's own search path finds only what is seen anyway.
            false => found,
        };
        if !command.secret_files.are_plain() {
            return Err(Error::policy(
                "a file of a secret has a name that leads elsewhere",
                "name it plainly",
            ));
        }
        let mut arguments = vec![text(command.program.as_bytes())?];
        for argument in &command.arguments {
            arguments.push(text(argument.as_bytes())?);
        }
        let variables = environment.iter().map(|(name, value)| text(format!("{name}={value}").as_bytes()));
        let start = Start {
            program: text(program.as_os_str().as_bytes())?,
            arguments,
            environment: variables.collect::<Result<_, _>>()?,
            folder,
            umask: command.umask.unwrap_or(UMASK) & 0o777,
            secret_files: command.secret_files.clone(),
        };
        let policy = Policy { workspace: real_folder(&policy.workspace)?, ..policy.clone() };
        Ok((Self { policy, identity: Identity::of_this_process(), view }, start))
    }

    /// Tells whether the command has a network of its own, connected to nothing.
    pub(crate) fn has_own_network(&self) -> bool {
        self.policy.network != Network::Open
    }
}

fn check(policy: &Policy) -> Result<(), Error> {
    if policy.preset == Preset::None {
        let mend = "choose another preset; only the operator's configuration can switch the sandbox off";
        return Err(Error::policy("the preset none has no walls", mend));
    }
    injection::check(&policy.network)?;
    let limits = &policy.limits;
    let amounts = [limits.memory_mb, limits.processes, limits.timeout_ms, limits.disk_mb, limits.files];
    if amounts.contains(&0) || !(1..=100).contains(&limits.cpu_weight) || limits.cpu_percent == Some(0) {
        return Err(Error::policy(
            "a limit is out of its range",
            "give every limit at least 1, the weight at most 100",
        ));
    }
    Ok(())
}

/// A folder that holds a home, or a part of the system, is none that a command may have to itself.
fn refuse_wide(folder: &Path, home: Option<&Path>) -> Result<(), Error> {
    let is_system = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc", "/sys", "/boot"]
        .iter()
        .any(|system| {
            folder.starts_with(system)
                && !folder.starts_with("/usr/src")
                && !folder.starts_with("/usr/local/src")
        });
    if is_system || toolchains::is_wide(folder, home) {
        let reason =
            format!("{} holds more than a workspace: a home or a part of the system", folder.display());
        return Err(Error::policy(reason, "choose a folder of its own for the workspace"));
    }
    Ok(())
}

fn real(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|source| Error::Path { path: path.to_owned(), source })
}

fn real_folder(path: &Path) -> Result<PathBuf, Error> {
    let real = real(path)?;
    if !real.is_dir() {
        return Err(Error::Path { path: real, source: std::io::ErrorKind::NotADirectory.into() });
    }
    Ok(real)
}

fn text(bytes: &[u8]) -> Result<CString, Error> {
    CString::new(bytes)
        .map_err(|_| Error::policy("an argument or variable holds a zero byte", "leave it out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(policy: &Policy) -> Result<(Plan, Start), Error> {
        let command = Command { program: "/bin/sh".into(), ..Command::default() };
        Plan::new(policy, &command, &BTreeMap::from([("HOME".into(), "/home/nobody-at-all".into())]))
    }

    #[test]
    fn a_workspace_that_holds_the_system_or_a_home_is_refused() {
        for path in ["/", "/usr", "/etc", "/tmp", "/var", "/home", "/usr/bin"] {
            if Path::new(path).is_dir() {
                let error = plan(&Policy::new(Preset::Strict, path.into())).unwrap_err().to_string();
                assert!(error.contains("choose a folder of its own"), "{path}: {error}");
            }
        }
    }

    #[test]
    fn no_walls_and_limits_of_nothing_are_refused_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        let none = plan(&Policy::new(Preset::None, folder.path().into())).unwrap_err();
        assert!(none.to_string().contains("only the operator's configuration"), "{none}");
        let mut policy = Policy::new(Preset::Strict, folder.path().into());
        policy.limits.memory_mb = 0;
        assert!(plan(&policy).unwrap_err().to_string().contains("at least 1"));
    }

    #[test]
    fn a_command_starts_in_its_workspace_with_a_home_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (plan, start) = plan(&Policy::new(Preset::Strict, folder.path().into())).unwrap();
        assert_eq!(start.folder, folder.path().canonicalize().unwrap());
        assert!(start.environment.contains(&c"HOME=/run/spalla/home".to_owned()));
        assert!(plan.has_own_network());
    }
}
