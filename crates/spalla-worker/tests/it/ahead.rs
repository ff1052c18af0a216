//! Walls that are put up before their command: used by it alone, never by one that needs others, and gone without one.

use crate::fake::recipe;
use crate::site::Site;
use crate::tools::{lives, processes_with, sandbox, until, walled};
use spalla_domain::log::Stream;
use spalla_worker::sandbox::{CommandSpec, Ended, How, Walls};
use std::path::Path;

const KEPT: usize = 1 << 20;

/// A command of a label of its own.
fn labelled(script: &str, workspace: &Path, label: &str) -> CommandSpec {
    CommandSpec { label: format!("{label}-{}", std::process::id()), ..walled(script, workspace) }
}

#[tokio::test]
async fn a_command_starts_behind_the_walls_that_were_put_up_for_it() {
    let workspace = tempfile::tempdir().unwrap();
    let mut spec = labelled("cat; echo \"$OWN\"; exit 7", workspace.path(), "ahead");
    let mut spare = sandbox().put_up_ahead(&spec).await.unwrap().unwrap();
    assert!(spare.is_ready().await);
    let waiting = processes_with(&spec.label);
    assert_eq!(waiting.len(), 3, "the supervisor, the init, and who becomes the command");
    spec.stdin = b"what is read\n".to_vec();
    spec.env.insert("OWN".into(), "its own".into());
    let cold = sandbox().capture(spec.clone(), KEPT, std::future::pending()).await.unwrap();
    let child = sandbox().spawn_behind(Some(spare), spec.clone()).await.unwrap();
    let running = processes_with(&spec.label);
    assert!(running.iter().all(|pid| waiting.contains(pid)), "{running:?} and {waiting:?}");
    let warm = child.capture(KEPT, std::future::pending()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&warm.stdout), "what is read\nits own\n");
    // What they used of the machine is measured, and never quite the same.
    let ended = |ended: &Ended| Ended { used: None, ..ended.clone() };
    assert_eq!((&warm.stdout, ended(&warm.ended)), (&cold.stdout, ended(&cold.ended)));
    assert_eq!(warm.ended.how, How::Exited(7));
    assert!(!waiting.iter().any(|pid| lives(&pid.to_string())));
}

#[tokio::test]
async fn a_command_of_another_policy_starts_behind_walls_of_its_own() {
    let (workspace, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spec = labelled("pwd", workspace.path(), "other-policy");
    let spare = sandbox().put_up_ahead(&spec).await.unwrap();
    let waiting = processes_with(&spec.label);
    let spec = CommandSpec { label: spec.label.clone(), ..walled("pwd", other.path()) };
    let child = sandbox().spawn_behind(spare, spec).await.unwrap();
    assert!(!waiting.iter().any(|pid| lives(&pid.to_string())), "they are taken down first");
    let captured = child.capture(KEPT, std::future::pending()).await.unwrap();
    let seen = String::from_utf8(captured.stdout).unwrap();
    assert_eq!(Path::new(seen.trim()), other.path().canonicalize().unwrap());
}

#[tokio::test]
async fn what_is_shown_changed_meanwhile_and_the_command_starts_cold() {
    let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = outside.path().join("file");
    std::fs::write(&file, "before").unwrap();
    let mut spec = labelled(&format!("cat {}", file.display()), workspace.path(), "changed");
    let Walls::Up(confined) = &mut spec.walls else { unreachable!() };
    confined.policy.read = vec![file.clone()];
    let mut spare = sandbox().put_up_ahead(&spec).await.unwrap().unwrap();
    assert!(spare.is_ready().await);
    std::fs::write(outside.path().join("new"), "after").unwrap();
    std::fs::rename(outside.path().join("new"), &file).unwrap();
    let child = sandbox().spawn_behind(Some(spare), spec).await.unwrap();
    let captured = child.capture(KEPT, std::future::pending()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&captured.stdout), "after");
}

#[tokio::test]
async fn walls_that_were_ended_while_they_waited_are_replaced() {
    let workspace = tempfile::tempdir().unwrap();
    let spec = labelled("echo ran", workspace.path(), "ended");
    let mut spare = sandbox().put_up_ahead(&spec).await.unwrap().unwrap();
    assert!(spare.is_ready().await);
    let waiting = processes_with(&spec.label);
    // The supervisor came first.
    let supervisor = nix::unistd::Pid::from_raw(*waiting.iter().min().unwrap());
    nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
    let gone = || waiting.iter().all(|pid| !lives(&pid.to_string()));
    until("they are gone", || gone().then_some(())).await;
    let child = sandbox().spawn_behind(Some(spare), spec).await.unwrap();
    let captured = child.capture(KEPT, std::future::pending()).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&captured.stdout), "ran\n");
}

#[tokio::test]
async fn walls_that_nobody_wants_any_more_are_gone() {
    let workspace = tempfile::tempdir().unwrap();
    let spec = labelled("echo ran", workspace.path(), "dropped");
    for waits in [true, false] {
        let mut spare = sandbox().put_up_ahead(&spec).await.unwrap().unwrap();
        assert!(spare.is_ready().await);
        if waits {
            spare.take_down().await;
            assert_eq!(processes_with(&spec.label), [0; 0]);
        } else {
            drop(spare);
            until("they are gone", || processes_with(&spec.label).is_empty().then_some(())).await;
        }
    }
}

#[tokio::test]
async fn a_command_without_walls_or_with_folders_that_others_write_has_none_put_up_ahead() {
    let (workspace, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut spec = walled("true", workspace.path());
    let Walls::Up(confined) = &mut spec.walls else { unreachable!() };
    confined.policy.write = vec![other.path().into()];
    assert!(sandbox().put_up_ahead(&spec).await.unwrap().is_none());
    spec.walls = Walls::None;
    assert!(sandbox().put_up_ahead(&spec).await.unwrap().is_none());
}

#[tokio::test]
async fn the_steps_of_a_recipe_share_nothing_but_their_workspace_and_leave_no_walls() {
    let site = Site::new();
    let step = "ls -A /tmp /run/spalla/home | grep -c left; echo x | tee /tmp/left /run/spalla/home/left > kept; \
                readlink /proc/self/ns/pid";
    // The last step waits for a failure, so that walls are put up for the third, and none are needed after it.
    let wanted = format!("steps: [{step:?}, {step:?}, {step:?}, {{run: 'exit 1', if: failure()}}]");
    let run = site.fake.add(recipe(&wanted));
    let mut worker = site.start_with(|_| {});
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?}");
    let seen = site.fake.lines(run, Stream::Stdout);
    assert_eq!([&seen[0], &seen[2], &seen[4]], ["0", "0", "0"], "{seen:?}");
    let mut namespaces = vec![&seen[1], &seen[3], &seen[5]];
    namespaces.sort();
    namespaces.dedup();
    assert_eq!(namespaces.len(), 3, "each step has walls of its own: {seen:?}");
    worker.stop().await;
}
