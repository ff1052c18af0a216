//! A supervisor whose command survives, with and without walls: it goes on when nobody is there, lets in who shows the
//! claim and nobody else, and ends everything when the grace is over.

use crate::tools::{lives, until};
use spalla_sandbox::{
    Claim, HIDDEN_ARG, Order, OutputReader, OutputStream, Policy, Preset, SUPERVISE, SecretFiles,
    SupervisedOrder, Survival, Word, read_journal,
};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Longer than any test may take, in milliseconds.
const LONG_MS: u64 = 600_000;
/// How much is kept of the output, in bytes.
const KEPT: u64 = 1_000_000;

/// A supervised command in a place of its own.
struct Supervised {
    place: TempDir,
    survival: Survival,
    supervisor: Child,
    near: Option<UnixStream>,
}

impl Supervised {
    /// Starts a shell's script in the workspace, and waits until it runs.
    fn start(preset: Preset, grace_ms: u64, script: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::DirBuilder::new().mode(0o700).create(place.path().join("private")).unwrap();
        let workspace = place.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        let claim = Claim { run_id: 7, fencing_token: 2 };
        let name = format!("{:x}", std::process::id());
        let folder = place.path().join("private");
        let survival = Survival { folder, name, claim, grace_ms, output_bytes_max: KEPT };
        let (near, far) = UnixStream::pair().unwrap();
        let mut supervisor = Command::new(env!("CARGO_BIN_EXE_spalla-supervise"));
        supervisor.args([HIDDEN_ARG, SUPERVISE, "run-7-2"]).current_dir("/");
        supervisor.stdin(OwnedFd::from(far)).stdout(Stdio::null()).stderr(Stdio::null());
        let supervisor = supervisor.spawn().unwrap();
        let command = spalla_sandbox::Command {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: [("PATH".to_owned(), std::env::var("PATH").unwrap())].into(),
            folder: Some(workspace.clone()),
            umask: None,
            secret_files: SecretFiles::default(),
        };
        let mut policy = Policy::new(preset, workspace);
        policy.limits.grace_ms = 200;
        let order = SupervisedOrder {
            order: Order { policy, command },
            outside: [].into(),
            journal: Some(place.path().join("journal")),
            label: None,
            ahead: false,
            survival: Some(survival.clone()),
        };
        (&near).write_all(&order.to_bytes(b"").unwrap()).unwrap();
        let supervised = Self { place, survival, supervisor, near: Some(near) };
        match supervised.words(supervised.near.as_ref().unwrap()).next() {
            Some(Word::Started { .. }) => supervised,
            other => panic!("{other:?}"),
        }
    }

    fn words(&self, near: &UnixStream) -> impl Iterator<Item = Word> + use<> {
        let lines = BufReader::new(near.try_clone().unwrap()).lines();
        lines.map_while(|line| serde_json::from_str(&line.ok()?).ok())
    }

    fn workspace(&self, name: &str) -> PathBuf {
        self.place.path().join("workspace").join(name)
    }

    /// Whoever wanted the command is gone, as when it is killed.
    fn leave(&mut self) {
        self.near = None;
    }

    fn output(&self) -> Vec<(OutputStream, String)> {
        let mut reader = OutputReader::open(&self.survival.output()).unwrap();
        let (mut seen, mut bytes) = (Vec::new(), Vec::new());
        while let Some(stream) = reader.next(&mut bytes).unwrap() {
            seen.push((stream, String::from_utf8_lossy(&bytes).into_owned()));
        }
        seen
    }

    fn text(&self) -> String {
        self.output().into_iter().map(|(_, text)| text).collect()
    }

    /// Returns the processes of the command, but for those that only let time pass.
    fn tree(&self) -> Vec<String> {
        let children = |pid: u32| {
            let path = format!("/proc/{pid}/task/{pid}/children");
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let passes_time = |pid: &String| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
        };
        let mut found: Vec<String> = Vec::new();
        let mut next = vec![self.supervisor.id()];
        while let Some(pid) = next.pop() {
            for child in children(pid).split_whitespace() {
                found.push(child.to_owned());
                next.push(child.parse().unwrap());
            }
        }
        found.retain(|pid| lives(pid) && !passes_time(pid));
        found
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Killed at once it would leave a tree that has no walls.
        if let Ok(mut near) = self.survival.connect() {
            let _ = near.write_all(b"!");
            let _ = near.read_to_end(&mut Vec::new());
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

fn open(gate: &Path) {
    std::fs::write(gate, "").unwrap();
}

const WAITS: &str = "echo begun; echo wrong >&2; until [ -e gate ]; do sleep 0.02; done; echo done; exit 3";
const PRESETS: [Preset; 2] = [Preset::Strict, Preset::None];

#[tokio::test]
async fn a_command_goes_on_alone_and_is_taken_up_with_all_that_it_wrote() {
    for preset in PRESETS {
        let mut supervised = Supervised::start(preset, LONG_MS, WAITS);
        until("it has begun", || supervised.text().contains("wrong").then_some(())).await;
        let before = supervised.tree();
        supervised.leave();
        let near = supervised.survival.connect().unwrap();
        let mut words = supervised.words(&near);
        assert!(matches!(words.next(), Some(Word::Started { .. })), "what was said is said again");
        assert!(before.iter().all(|pid| lives(pid)), "it is the same command");
        open(&supervised.workspace("gate"));
        let ended = words.next();
        assert!(
            matches!(ended, Some(Word::Ended { code: 3, signal: None, dropped: 0, lost: false, .. })),
            "{ended:?}"
        );
        let all: Vec<_> = supervised.output();
        let of =
            |wanted| all.iter().filter(|(s, _)| *s == wanted).map(|(_, text)| &**text).collect::<String>();
        assert_eq!(of(OutputStream::Stdout), "begun\ndone\n");
        assert_eq!(of(OutputStream::Stderr), "wrong\n");
        assert!(supervised.supervisor.wait().unwrap().success());
        assert!(!supervised.survival.socket().exists());
        let entry = read_journal(&supervised.place.path().join("journal")).pop().unwrap();
        assert_eq!((entry.code, entry.told, entry.lost), (3, true, false));
    }
}

#[tokio::test]
async fn a_command_that_nobody_takes_up_in_time_is_ended_whole_and_written_down_as_lost() {
    for preset in PRESETS {
        let script = "trap '' TERM; (trap '' TERM; setsid sh -c 'while :; do sleep 1; done' &); echo begun; \
                      while :; do sleep 1; done";
        let mut supervised = Supervised::start(preset, 100, script);
        until("it has begun", || supervised.text().contains("begun").then_some(())).await;
        let tree = supervised.tree();
        assert!(tree.len() >= 2, "{tree:?}");
        supervised.leave();
        assert!(supervised.supervisor.wait().unwrap().success());
        assert!(!tree.iter().any(|pid| lives(pid)), "{tree:?}");
        assert!(supervised.survival.connect().is_err() && !supervised.survival.socket().exists());
        let entry = read_journal(&supervised.place.path().join("journal")).pop().unwrap();
        assert_eq!((entry.label.as_str(), entry.told, entry.lost), ("run-7-2", false, true));
        let said = String::from_utf8(supervised.survival.said().unwrap()).unwrap();
        assert!(said.contains("\"lost\":true"), "{said}");
    }
}

#[tokio::test]
async fn a_command_that_ended_alone_tells_its_end_to_who_comes() {
    for preset in PRESETS {
        let mut supervised = Supervised::start(preset, LONG_MS, WAITS);
        until("it has begun", || supervised.text().contains("begun").then_some(())).await;
        let tree = supervised.tree();
        supervised.leave();
        open(&supervised.workspace("gate"));
        until("it is gone", || (!tree.iter().any(|pid| lives(pid))).then_some(())).await;
        let near = supervised.survival.connect().unwrap();
        let words: Vec<_> = supervised.words(&near).collect();
        assert!(
            matches!(words[..], [Word::Started { .. }, Word::Ended { code: 3, lost: false, .. }]),
            "{words:?}"
        );
        assert!(supervised.text().ends_with("done\n"));
        assert!(supervised.supervisor.wait().unwrap().success());
    }
}

#[tokio::test]
async fn a_command_that_ended_alone_is_not_lost_when_nobody_came() {
    let mut supervised = Supervised::start(Preset::None, 100, WAITS);
    open(&supervised.workspace("gate"));
    supervised.leave();
    assert!(supervised.supervisor.wait().unwrap().success());
    let entry = read_journal(&supervised.place.path().join("journal")).pop().unwrap();
    // It may have been ended by the grace on a machine that is slow.
    assert!(!entry.told && (entry.lost || entry.code == 3), "{entry:?}");
}

#[tokio::test]
async fn whoever_shows_another_claim_is_sent_away_and_ends_nothing() {
    for preset in PRESETS {
        let mut supervised = Supervised::start(preset, LONG_MS, WAITS);
        let tree = supervised.tree();
        supervised.leave();
        for (run_id, fencing_token) in [(7, 1), (7, 3), (8, 2)] {
            let claim = Claim { run_id, fencing_token };
            let wrong = Survival { claim, ..supervised.survival.clone() };
            let mut near = wrong.connect().unwrap();
            let mut said = Vec::new();
            // The wish to end comes from nobody.
            let _ = near.write_all(b"!");
            let _ = near.read_to_end(&mut said);
            assert!(said.is_empty(), "{said:?}");
        }
        for foreign in
            [&b"!\n"[..], b"{}\n", b"{\"run_id\":7,\"fencing_token\":2,\"more\":1}\n", &[b'x'; 4096]]
        {
            let near = std::fs::canonicalize(&supervised.survival.folder).unwrap();
            let mut near = UnixStream::connect(near.join(supervised.survival.socket())).unwrap();
            let _ = near.write_all(foreign);
            let mut said = Vec::new();
            let _ = near.read_to_end(&mut said);
            assert!(said.is_empty(), "{said:?}");
        }
        assert!(tree.iter().all(|pid| lives(pid)));
        let near = supervised.survival.connect().unwrap();
        assert!(matches!(supervised.words(&near).next(), Some(Word::Started { .. })));
    }
}

#[tokio::test]
async fn another_user_is_sent_away_even_with_the_claim() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let mut supervised = Supervised::start(Preset::None, LONG_MS, WAITS);
    supervised.leave();
    // The modes keep everybody else away already; without them there is still the kernel's word on who it is.
    for (path, mode) in [
        (supervised.place.path().to_owned(), 0o755),
        (supervised.survival.folder.clone(), 0o755),
        (supervised.survival.socket(), 0o666),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let program = supervised.place.path().join("knock");
    std::fs::copy(env!("CARGO_BIN_EXE_spalla-supervise"), &program).unwrap();
    let knock = |user: u32| {
        let mut command = Command::new(&program);
        std::os::unix::process::CommandExt::uid(&mut command, user);
        let order = serde_json::to_string(&supervised.survival).unwrap();
        command.args(["knock", &order]).output().unwrap()
    };
    let stranger = knock(65_534);
    assert_eq!(String::from_utf8_lossy(&stranger.stdout), "", "{stranger:?}");
    let own = knock(0);
    assert!(String::from_utf8_lossy(&own.stdout).contains("started"), "{own:?}");
}

#[tokio::test]
async fn a_word_of_whoever_took_it_up_is_the_wish_to_end() {
    for preset in PRESETS {
        let mut supervised = Supervised::start(preset, LONG_MS, WAITS);
        let tree = supervised.tree();
        supervised.leave();
        let mut near = supervised.survival.connect().unwrap();
        let mut words = supervised.words(&near);
        assert!(matches!(words.next(), Some(Word::Started { .. })));
        near.write_all(b"!").unwrap();
        let ended = words.next();
        assert!(matches!(ended, Some(Word::Ended { lost: false, .. })), "{ended:?}");
        assert!(!tree.iter().any(|pid| lives(pid)));
    }
}

#[tokio::test]
async fn a_flood_that_nobody_reads_is_bounded_and_its_beginning_kept() {
    for preset in PRESETS {
        let script = "echo begun; head -c 50000000 /dev/zero; echo done";
        let mut supervised = Supervised::start(preset, LONG_MS, script);
        let tree = supervised.tree();
        supervised.leave();
        until("it is gone", || (!tree.iter().any(|pid| lives(pid))).then_some(())).await;
        assert!(std::fs::metadata(supervised.survival.output()).unwrap().len() <= KEPT);
        let near = supervised.survival.connect().unwrap();
        let words: Vec<_> = supervised.words(&near).collect();
        let kept = supervised.text().len() as u64;
        let Some(Word::Ended { dropped, .. }) = words.last() else { panic!("{words:?}") };
        assert_eq!(kept + dropped, 50_000_000 + "begun\ndone\n".len() as u64);
        assert!(kept > KEPT / 2 && supervised.text().starts_with("begun\n"));
    }
}

#[tokio::test]
async fn what_runs_behind_the_walls_reaches_neither_socket_nor_output() {
    let script = |folder: &str| format!("ls -A {folder} 2>/dev/null | grep -c . && echo escaped; echo over");
    for (preset, is_held) in [(Preset::Strict, true), (Preset::None, false)] {
        let folder = "$PWD/../private";
        let mut supervised = Supervised::start(preset, LONG_MS, &script(folder));
        assert!(supervised.supervisor.wait().unwrap().success());
        let text = supervised.text();
        assert!(text.ends_with("over\n"), "{text}");
        assert_eq!(text.contains("escaped"), !is_held, "{preset}: {text}");
    }
}
