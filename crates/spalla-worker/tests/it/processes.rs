//! No process outlives its command, whatever it tries.

use crate::tools::{lines_of, lives, processes_with, sandbox, shell, until, walled};
use spalla_domain::log::Stream;
use spalla_sandbox::read_journal;
use spalla_worker::sandbox::{How, SpawnError};
use std::cell::RefCell;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KEPT: usize = 1 << 20;

#[tokio::test]
async fn status_output_and_input_are_those_of_the_command() {
    let mut spec = shell("cat; echo wrong >&2; exit 7");
    spec.stdin = b"what is read".to_vec();
    let captured = sandbox().capture(spec, KEPT, std::future::pending()).await.unwrap();
    assert_eq!(captured.ended.how, How::Exited(7), "{captured:?}");
    assert_eq!(
        (captured.stdout.as_slice(), captured.stderr.as_slice()),
        (&b"what is read"[..], &b"wrong\n"[..])
    );
    assert_eq!((captured.ended.leftovers, captured.ended.survivors), (0, 0));
}

#[tokio::test]
async fn output_is_handed_on_while_the_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    let spec = shell(&format!(
        "echo asks; until test -e {}; do sleep 0.01; done; echo was answered >&2",
        answer.display()
    ));
    let heard = RefCell::new(Vec::new());
    let hear = |stream, bytes: &[u8]| {
        heard.borrow_mut().push((stream, String::from_utf8_lossy(bytes).into_owned()));
        std::fs::write(&answer, "").unwrap();
    };
    let ended = sandbox().relay(spec, hear, std::future::pending()).await.unwrap();
    assert_eq!(ended.how, How::Exited(0));
    let expected = [(Stream::Stdout, "asks\n".to_owned()), (Stream::Stderr, "was answered\n".to_owned())];
    assert_eq!(heard.into_inner(), expected);
}

#[tokio::test]
async fn a_signal_is_not_taken_for_a_status() {
    let captured = sandbox().capture(shell("kill -SEGV $$"), KEPT, std::future::pending()).await.unwrap();
    assert_eq!((captured.ended.how.clone(), captured.ended.how.code()), (How::Signalled(11), Some(139)));
    assert_eq!(captured.ended.how.to_string(), "ended by SIGSEGV");
}

#[tokio::test]
async fn nothing_is_inherited_but_what_was_given() {
    let mut spec = shell("env; ls /proc/self/fd | wc -l");
    spec.env.retain(|name, _| name == "PATH");
    spec.env.insert("OWN".into(), "1".into());
    let captured = sandbox().capture(spec, KEPT, std::future::pending()).await.unwrap();
    let text = String::from_utf8(captured.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|l| l.split_once('=')).map(|(name, _)| name).collect();
    assert!(
        names.iter().all(|n| ["PATH", "OWN", "PWD", "SHLVL", "_", "OLDPWD", "SPALLA_TREE"].contains(n)),
        "{names:?}"
    );
    assert_eq!(text.lines().last().unwrap().trim(), "4", "the three streams, and the folder that ls reads");
}

#[tokio::test]
async fn what_can_not_start_says_why() {
    let mut spec = shell("");
    spec.program = "/no/such/program".into();
    let missing = sandbox().spawn(spec).await.unwrap_err();
    assert!(matches!(&missing, SpawnError::Command { missing: true, .. }), "{missing}");
    let mut spec = shell("");
    spec.cwd = "/no/such/folder".into();
    let missing = sandbox().spawn(spec).await.unwrap_err();
    assert!(
        missing.to_string().starts_with("starting \"/bin/sh\" in /no/such/folder: No such file"),
        "{missing}"
    );
}

#[tokio::test]
async fn a_daemon_that_left_its_session_ends_with_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("pids");
    let script = format!(
        "(setsid sh -c 'echo $$ >> {0}; exec sleep 1000' &); (setsid sh -c 'setsid sleep 1000 & echo $! >> {0}' &); \
         while [ ! -e {0} ] || [ $(wc -l < {0}) -lt 2 ]; do sleep 0.01; done",
        seen.display()
    );
    let captured = sandbox().capture(shell(&script), KEPT, std::future::pending()).await.unwrap();
    let pids = lines_of(&seen, 2).await;
    assert_eq!(captured.ended.how, How::Exited(0));
    assert!(captured.ended.leftovers >= 2, "{:?}", captured.ended);
    assert!(!pids.iter().any(|pid| lives(pid)), "{pids:?}");
}

#[tokio::test]
async fn a_tree_that_ignores_the_polite_signal_is_ended_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("pids");
    let mut spec = shell(&format!(
        "trap '' TERM; (trap '' TERM; setsid sh -c 'echo $$ >> {0}; while :; do sleep 1; done' &); echo $$ >> {0}; \
         while :; do sleep 1; done",
        seen.display()
    ));
    spec.grace_ms = 100;
    let pids = lines_of(&seen, 2);
    let captured = sandbox().capture(spec, KEPT, async { drop(pids.await) }).await.unwrap();
    assert_eq!(captured.ended.how, How::Signalled(9));
    assert!(captured.ended.stopped && !captured.ended.timed_out);
    for pid in lines_of(&seen, 2).await {
        assert!(!lives(&pid), "{pid}");
    }
}

#[tokio::test]
async fn a_command_may_tidy_up_when_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let spec = shell(&format!(
        "trap 'echo tidied; exit 5' TERM; echo y > {}; while :; do sleep 0.01; done",
        ready.display()
    ));
    let stop = lines_of(&ready, 1);
    let captured = sandbox().capture(spec, KEPT, async { drop(stop.await) }).await.unwrap();
    assert_eq!((captured.ended.how, captured.stdout.as_slice()), (How::Exited(5), &b"tidied\n"[..]));
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended() {
    let mut spec = shell("sleep 1000");
    spec.timeout_ms = Some(50);
    let captured = sandbox().capture(spec, KEPT, std::future::pending()).await.unwrap();
    assert!(captured.ended.timed_out, "{:?}", captured.ended);
    assert_eq!(captured.ended.how, How::Signalled(15));
}

#[tokio::test]
async fn a_killed_worker_takes_its_commands_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("pids");
    let script = format!(
        "(setsid sh -c 'echo $$ >> {0}; exec sleep 1000' &); echo $$ >> {0}; exec sleep 1000",
        seen.display()
    );
    let mut worker = Command::new(env!("CARGO_BIN_EXE_spalla-supervise"))
        .args(["hold", &script])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let pids = lines_of(&seen, 2).await;
    assert!(pids.iter().all(|pid| lives(pid)), "{pids:?}");
    worker.kill().unwrap();
    worker.wait().unwrap();
    until("the tree is gone", || pids.iter().all(|pid| !lives(pid)).then_some(())).await;
}

#[tokio::test]
async fn a_command_that_kills_its_supervisor_is_ended_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("pids");
    let go = folder.path().join("go");
    let script = format!(
        "(setsid sh -c 'echo $$ >> {0}; exec sleep 1000' &); echo $$ >> {0}; \
         while [ ! -e {1} ]; do sleep 0.01; done; kill -9 $PPID; exec sleep 1000",
        seen.display(),
        go.display()
    );
    let started = async {
        lines_of(&seen, 2).await;
        std::fs::write(&go, "").unwrap();
        std::future::pending().await
    };
    let captured = sandbox().capture(shell(&script), KEPT, started).await.unwrap();
    assert_eq!((captured.ended.how, captured.ended.survivors), (How::Unsupervised, 0));
    for pid in lines_of(&seen, 2).await {
        assert!(!lives(&pid), "{pid}");
    }
}

#[tokio::test]
async fn a_command_that_stops_its_supervisor_is_ended_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("pids");
    let go = folder.path().join("go");
    // Without the mark of its tree, so that it is found only by its descent.
    let script = format!(
        "(setsid env -i sh -c 'echo $$ >> {0}; exec /bin/sleep 1000' &); echo $$ >> {0}; \
         while [ ! -e {1} ]; do sleep 0.01; done; kill -STOP $PPID; echo $$ >> {0}; exec sleep 1000",
        seen.display(),
        go.display()
    );
    let mut spec = shell(&script);
    spec.grace_ms = 10;
    let stop = async {
        lines_of(&seen, 2).await;
        std::fs::write(&go, "").unwrap();
        lines_of(&seen, 3).await;
    };
    let captured = sandbox().capture(spec, KEPT, stop).await.unwrap();
    assert_eq!((captured.ended.how, captured.ended.stopped), (How::Unsupervised, true));
    for pid in lines_of(&seen, 3).await {
        assert!(!lives(&pid), "{pid}");
    }
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_pipe_that_somebody_else_holds() {
    // The command hands its output to a process that is not its child, by way of /proc.
    let folder = tempfile::tempdir().unwrap();
    let (link, held) = (folder.path().join("link"), folder.path().join("held"));
    let script = format!(
        "echo said; echo /proc/$$/fd/1 > {}; while [ ! -e {} ]; do sleep 0.01; done",
        link.display(),
        held.display()
    );
    let running = sandbox();
    let capture = running.capture(shell(&script), KEPT, std::future::pending());
    let holder = async {
        let path = lines_of(&link, 1).await.remove(0);
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        std::fs::write(&held, "y").unwrap();
        file
    };
    let (captured, _still_open) = tokio::join!(capture, holder);
    let captured = captured.unwrap();
    assert_eq!((captured.ended.how, captured.stdout.as_slice()), (How::Exited(0), &b"said\n"[..]));
}

#[tokio::test]
async fn endless_output_is_read_and_only_its_beginning_kept() {
    let started = Instant::now();
    let script = "head -c 200000000 /dev/zero";
    let captured = sandbox().capture(shell(script), 1000, std::future::pending()).await.unwrap();
    assert_eq!((captured.ended.how, captured.stdout.len(), captured.cut), (How::Exited(0), 1000, true));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test]
async fn behind_walls_status_output_and_input_are_those_of_the_command_too() {
    let workspace = tempfile::tempdir().unwrap();
    let mut spec = walled("cat; echo wrong >&2; echo made > file; exit 7", workspace.path());
    spec.stdin = b"what is read".to_vec();
    let captured = sandbox().capture(spec, KEPT, std::future::pending()).await.unwrap();
    assert_eq!(captured.ended.how, How::Exited(7), "{captured:?}");
    assert_eq!(
        (captured.stdout.as_slice(), captured.stderr.as_slice()),
        (&b"what is read"[..], &b"wrong\n"[..])
    );
    assert_eq!(std::fs::read_to_string(workspace.path().join("file")).unwrap(), "made\n");
    let layers = &captured.ended.attestation.layers;
    assert_eq!(layers.len(), 6, "{layers:?}");
}

#[tokio::test]
async fn behind_walls_what_is_left_behind_may_tidy_up_and_is_counted() {
    let workspace = tempfile::tempdir().unwrap();
    let script = "setsid sh -c 'trap \"echo tidied > tidied; exit\" TERM; echo > ready; while :; do sleep 0.01; done' & \
                  until test -e ready; do sleep 0.01; done";
    let captured =
        sandbox().capture(walled(script, workspace.path()), KEPT, std::future::pending()).await.unwrap();
    assert_eq!(captured.ended.how, How::Exited(0), "{captured:?}");
    assert!(captured.ended.leftovers >= 1, "{captured:?}");
    assert_eq!(std::fs::read_to_string(workspace.path().join("tidied")).unwrap(), "tidied\n");
}

#[tokio::test]
async fn behind_walls_a_tree_that_ignores_the_polite_signal_is_ended_by_force() {
    let workspace = tempfile::tempdir().unwrap();
    let ready = workspace.path().join("ready");
    let mut spec = walled(
        "trap '' TERM; (trap '' TERM; setsid sh -c 'while :; do sleep 1; done' &); echo > ready; while :; do sleep 1; done",
        workspace.path(),
    );
    spec.grace_ms = 100;
    let stop = lines_of(&ready, 1);
    let captured = sandbox().capture(spec, KEPT, async { drop(stop.await) }).await.unwrap();
    assert_eq!((captured.ended.how, captured.ended.survivors), (How::Signalled(9), 0));
    assert!(captured.ended.stopped && !captured.ended.timed_out);
}

#[tokio::test]
async fn behind_walls_a_killed_worker_takes_its_commands_with_it() {
    let workspace = tempfile::tempdir().unwrap();
    let mark = format!("{}", std::process::id() as u64 + 86_400_000);
    let script = format!("setsid sleep {mark} & sleep {mark} & echo > ready; wait");
    let mut worker = Command::new(env!("CARGO_BIN_EXE_spalla-supervise"))
        .args(["hold", &script])
        .arg(workspace.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    lines_of(&workspace.path().join("ready"), 1).await;
    let sleepers = || processes_with(&format!("sleep\0{mark}\0")).len();
    until("both sleep", || (sleepers() == 2).then_some(())).await;
    worker.kill().unwrap();
    worker.wait().unwrap();
    until("both are gone", || (sleepers() == 0).then_some(())).await;
    let journal = workspace.path().with_extension("journal");
    let entry = until("it is written down", || read_journal(&journal).pop()).await;
    assert_eq!((entry.label.as_str(), entry.told), ("held", false), "{entry:?}");
    std::fs::remove_file(journal).unwrap();
}

#[tokio::test]
async fn behind_walls_a_supervisor_that_is_killed_takes_its_command_with_it() {
    let workspace = tempfile::tempdir().unwrap();
    let label = format!("killed-{}", std::process::id());
    let mut spec = walled("echo > ready; while :; do sleep 1; done", workspace.path());
    spec.label.clone_from(&label);
    let killed = async {
        lines_of(&workspace.path().join("ready"), 1).await;
        // The init has the same words as its supervisor, whose copy it is; the parent came first.
        let first = processes_with(&label).into_iter().min().unwrap();
        let supervisor = nix::unistd::Pid::from_raw(first);
        nix::sys::signal::kill(supervisor, nix::sys::signal::Signal::SIGKILL).unwrap();
        std::future::pending().await
    };
    let captured = sandbox().capture(spec, KEPT, killed).await.unwrap();
    assert_eq!((captured.ended.how, captured.ended.survivors), (How::Unsupervised, 0));
}
