//! The sandbox alone, for this crate's tests; the product's own binary does the same for its hidden argument. With
//! `without LAYER` in front it becomes a supervisor on a kernel that lacks what the layer is made of.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};
use spalla_sandbox::{HIDDEN_ARG, hidden_main, self_test};
use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == HIDDEN_ARG => hidden_main(arguments),
        Some(first) if first == "without" => {
            let layer = arguments.next().and_then(|layer| layer.into_string().ok()).unwrap_or_default();
            if let Err(error) = do_without(&layer) {
                eprintln!("without {layer}: {error}");
                return ExitCode::FAILURE;
            }
            let error = Command::new("/proc/self/exe").args(arguments).exec();
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        _ => {
            for trial in self_test(Path::new("/proc/self/exe"), &[]) {
                println!("{}: {}", trial.name, trial.detail);
            }
            ExitCode::SUCCESS
        }
    }
}

/// Has the kernel answer this process and all that it starts as one without a layer would.
fn do_without(layer: &str) -> Result<(), Box<dyn Error>> {
    let always = Vec::new;
    let first_is = |number: i32| -> Result<Vec<SeccompRule>, seccompiler::Error> {
        let is_it = SeccompCondition::new(0, Length::Dword, Compare::Eq, u64::from(number.unsigned_abs()))?;
        Ok(vec![SeccompRule::new(vec![is_it])?])
    };
    let with_bit = |bit: i32| -> Result<Vec<SeccompRule>, seccompiler::Error> {
        let bit = u64::from(bit.unsigned_abs());
        let has_it = SeccompCondition::new(0, Length::Qword, Compare::MaskedEq(bit), bit)?;
        Ok(vec![SeccompRule::new(vec![has_it])?])
    };
    let (calls, error) = match layer {
        "landlock" => (vec![(libc::SYS_landlock_create_ruleset, always())], libc::EOPNOTSUPP),
        "seccomp" => {
            let calls =
                vec![(libc::SYS_seccomp, always()), (libc::SYS_prctl, first_is(libc::PR_SET_SECCOMP)?)];
            (calls, libc::EINVAL)
        }
        "namespaces" => (vec![(libc::SYS_clone, with_bit(libc::CLONE_NEWUSER)?)], libc::EPERM),
        "privileges" => (vec![(libc::SYS_prctl, first_is(libc::PR_SET_NO_NEW_PRIVS)?)], libc::EINVAL),
        other => return Err(format!("no such layer: {other}").into()),
    };
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let filter = SeccompFilter::new(calls.into_iter().collect(), SeccompAction::Allow, refuse, arch)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)?;
    Ok(())
}
