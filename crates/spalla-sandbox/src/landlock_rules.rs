//! Landlock: says about files once more what the view says, and keeps signals and abstract sockets in.

use crate::environment::HOME;
use crate::kernel;
use crate::view::{Access, View};
use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::path::Path;

/// What to do where the kernel has no Landlock.
pub(crate) const MEND: &str = "use a kernel from 5.13 on with landlock among its security modules (lsm=landlock,… when it boots; \
     /sys/kernel/security/lsm shows them)";
/// The newest version of which something is used: signals and abstract sockets.
const WANTED: ABI = ABI::V6;

/// Makes the rules of a view, from behind it; nobody is restricted yet.
pub(crate) fn make(view: &View) -> Result<RulesetCreated, String> {
    let version = kernel::landlock_version();
    if version == 0 {
        return Err("the kernel does not have it, or it is switched off".into());
    }
    let parts = view.parts();
    let paths = |access: &[Access]| {
        let chosen = parts.iter().filter(|part| access.contains(&part.access));
        chosen.map(|part| part.path.clone()).collect::<Vec<_>>()
    };
    let read = paths(&[Access::System, Access::Read]);
    let written = paths(&[Access::Write]);
    let own = [HOME, "/run/spalla", "/tmp", "/var/tmp", "/dev/shm", "/dev/pts"].map(Path::new);
    let devices: BitFlags<AccessFs> =
        AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::ReadDir;
    let all = AccessFs::from_all(WANTED);
    let rules = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .scope(Scope::from_all(WANTED))?
            .create()?
            .add_rules(path_beneath_rules(read, AccessFs::from_read(WANTED)))?
            .add_rules(path_beneath_rules(["/proc", "/"], AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(["/proc"], AccessFs::ReadFile))?
            .add_rules(path_beneath_rules(["/dev"], devices))?
            .add_rules(path_beneath_rules(own, all))?
            .add_rules(path_beneath_rules(written, all))
    };
    rules().map_err(|error: RulesetError| error.to_string())
}

/// Restricts this process and all that it starts.
pub(crate) fn restrict(rules: RulesetCreated) -> Result<(), String> {
    let status = rules.restrict_self().map_err(|error| error.to_string())?;
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err("the kernel took the rules and does not hold them".into());
    }
    Ok(())
}
