//! How runs begin, end, and leave nothing behind but their work.

use super::arena::{Arena, Who, command, everybody, marked, until, words};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A shell that has a mark among its arguments and does this.
fn shell(arena: &Arena, script: &str) -> Vec<String> {
    words(&["/bin/sh", "-c", script, &arena.mark()])
}

/// The same without walls.
fn bare(arena: &Arena, script: &str) -> Command {
    let words = shell(arena, script);
    let mut bare = command(arena.who, &words[0]);
    bare.args(&words[1..]).current_dir(&arena.workspace).stdin(Stdio::null());
    bare
}

/// Ends all that have a mark, those too that one of them was just starting.
fn end_all(mark: &str) {
    let is_over = until(|| {
        let left = marked(mark);
        for pid in left.iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        left.is_empty()
    });
    assert!(is_over, "they do not end: {:?}", marked(mark));
}

/// Forks twice and leaves its session, as a daemon does; then the command is over.
const ORPHAN: &str =
    "(setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 0.1; done' \"$0\" >/dev/null 2>&1 &) ; exit 0";
const ENDLESS: &str = "trap '' TERM INT HUP; while :; do :; done";

#[test]
fn an_orphan_goes_with_its_run() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        assert!(bare(&arena, ORPHAN).status().unwrap().success());
        assert!(until(|| !marked(&mark).is_empty()), "without walls an orphan stays");
        end_all(&mark);
        let said = arena.run_inside(&shell(&arena, ORPHAN), &json!({}));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(marked(&mark), [0; 0]);
    }
}

#[test]
fn a_command_that_hears_nothing_ends_with_its_time() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        let mut free = bare(&arena, ENDLESS).spawn().unwrap();
        let began = Instant::now();
        let said = arena.run_inside(&shell(&arena, ENDLESS), &json!({ "timeout_ms": 500 }));
        assert_eq!(said.code, Some(124), "{said:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let left = marked(&mark);
        assert_eq!(left, [i32::try_from(free.id()).unwrap()], "only the one without walls still runs");
        free.kill().unwrap();
        free.wait().unwrap();
    }
}

#[test]
fn a_command_that_hears_the_wish_to_end_ends_in_its_own_way() {
    for who in everybody() {
        let arena = Arena::new(who);
        let script = "trap 'echo tidy > tidied; exit 0' TERM; while :; do sleep 0.05; done";
        let said = arena.run_inside(&shell(&arena, script), &json!({ "timeout_ms": 500 }));
        assert_eq!(said.code, Some(124), "{said:?}");
        assert_eq!(fs::read_to_string(arena.workspace.join("tidied")).unwrap(), "tidy\n");
    }
}

#[test]
fn nothing_outlives_a_supervisor_that_is_killed() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        let script = format!("echo running; {ENDLESS}");
        let mut supervisor = arena.supervisor(&shell(&arena, &script), &json!({})).spawn().unwrap();
        supervisor.stdout.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
        assert!(!marked(&mark).is_empty());
        supervisor.kill().unwrap();
        supervisor.wait().unwrap();
        assert!(until(|| marked(&mark).is_empty()), "{:?}", marked(&mark));
    }
}

#[test]
fn a_supervisor_that_is_asked_to_end_ends_its_run_first() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mark = arena.mark();
        let script = "echo running; while :; do sleep 0.05; done";
        let mut supervisor = arena.supervisor(&shell(&arena, script), &json!({})).spawn().unwrap();
        supervisor.stdout.as_mut().unwrap().read_exact(&mut [0; 8]).unwrap();
        kill_process(Pid::from_child(&supervisor), Signal::TERM).unwrap();
        assert_eq!(supervisor.wait().unwrap().code(), Some(143));
        assert_eq!(marked(&mark), [0; 0]);
    }
}

#[test]
fn output_and_status_are_the_commands_own() {
    for who in everybody() {
        let arena = Arena::new(who);
        let said = arena.run_inside(&shell(&arena, "echo out; echo err >&2; exit 7"), &json!({}));
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(7), "out\n", "err\n"));
        let said = arena.run_inside(&shell(&arena, "kill -KILL $$"), &json!({}));
        assert_eq!(said.code, Some(137), "{said:?}");
        let said = arena.run_inside(&shell(&arena, "head -c 3000000 /dev/zero | tr '\\0' x"), &json!({}));
        assert_eq!(said.stdout.len(), 3_000_000);
    }
}

#[test]
fn a_command_hears_when_nobody_reads_any_more() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mut supervisor = arena.supervisor(&words(&["/usr/bin/yes"]), &json!({})).spawn().unwrap();
        supervisor.stdout.take().unwrap().read_exact(&mut [0; 2]).unwrap();
        // 128 and SIGPIPE
        assert_eq!(supervisor.wait().unwrap().code(), Some(141));
    }
}

#[test]
fn standard_output_can_be_opened_by_its_name() {
    for who in everybody() {
        let arena = Arena::new(who);
        let said =
            arena.run_inside(&shell(&arena, "echo named > /dev/stdout; echo err > /dev/stderr"), &json!({}));
        assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("named\n", "err\n"), "{said:?}");
    }
}

#[test]
fn standard_input_can_be_opened_by_its_name() {
    for who in everybody() {
        let arena = Arena::new(who);
        let supervisor = arena.supervisor(&shell(&arena, "cat /dev/stdin"), &json!({}));
        // The pipe is made by whoever attacks, as it is by their shell.
        let mut reader = command(who, "/bin/sh");
        reader.args(["-c", "echo named | \"$@\"", "sh"]).arg(supervisor.get_program());
        let output = reader.args(supervisor.get_args()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "named\n", "{who:?}: {output:?}");
    }
}

#[test]
fn a_pipe_with_a_name_stays_whose_it_is_and_is_read_all_the_same() {
    use std::os::unix::fs::MetadataExt;
    for who in everybody() {
        let arena = Arena::new(who);
        let pipe = arena.ground.outside.join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        let before = fs::metadata(&pipe).unwrap().uid();
        // Open for both, so that nobody waits for the other side.
        let both = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        (&both).write_all(b"through\n").unwrap();
        let mut reader = arena.supervisor(&shell(&arena, "read line; echo $line"), &json!({}));
        let output = reader.stdin(Stdio::from(both)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "through\n", "{who:?}: {output:?}");
        assert_eq!(fs::metadata(&pipe).unwrap().uid(), before, "{who:?}");
    }
}

#[test]
fn a_file_that_is_read_as_input_is_not_written_by_its_name() {
    for who in everybody() {
        let arena = Arena::new(who);
        let secret = arena.ground.outside.join("secret");
        let script = "cat; echo planted > /dev/stdin; echo planted > /proc/self/fd/0";
        let mut reader = arena.supervisor(&shell(&arena, script), &json!({}));
        let output = reader.stdin(Stdio::from(fs::File::open(&secret).unwrap())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "what nobody may know", "{output:?}");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "what nobody may know", "{who:?}");
    }
}

#[test]
fn a_file_that_is_read_as_input_is_changed_by_nothing_that_its_descriptor_lets_its_owner_do() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    for who in everybody() {
        let arena = Arena::new(who);
        let secret = arena.ground.outside.join("secret");
        let found = |path: &std::path::Path| fs::metadata(path).unwrap();
        let before = found(&secret);
        // Open for both, so that the descriptor itself could be written to.
        let both = || fs::OpenOptions::new().read(true).write(true).open(&secret).unwrap();
        let script = "chmod 666 /dev/fd/0; touch -d @1 /dev/fd/0; echo planted >&0; exec cat";
        let mut reader = arena.supervisor(&shell(&arena, script), &json!({}));
        let output = reader.stdin(Stdio::from(both())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "what nobody may know", "{who:?}: {output:?}");
        let after = found(&secret);
        assert_eq!(after.permissions().mode(), before.permissions().mode(), "{who:?}");
        assert_eq!((after.mtime(), after.len()), (before.mtime(), before.len()), "{who:?}");
    }
}

#[test]
fn a_file_that_is_read_as_input_goes_on_where_it_stood_and_stands_there_afterwards() {
    use std::io::{Read as _, Seek as _, SeekFrom};
    for who in everybody() {
        let arena = Arena::new(who);
        let mut secret = fs::File::open(arena.ground.outside.join("secret")).unwrap();
        secret.seek(SeekFrom::Start(5)).unwrap();
        let mut reader = arena.supervisor(&shell(&arena, "head -c 6"), &json!({}));
        let output = reader.stdin(Stdio::from(secret.try_clone().unwrap())).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "nobody", "{who:?}: {output:?}");
        let mut rest = String::new();
        secret.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "nobody may know", "{who:?}");
    }
}

#[test]
fn what_can_not_be_handed_on_is_told_and_is_no_success() {
    for who in everybody() {
        let arena = Arena::new(who);
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        for (script, status) in [("echo out", 1), ("echo out; exit 7", 7)] {
            let mut supervisor = arena.supervisor(&shell(&arena, script), &json!({}));
            let output = supervisor.stdout(full()).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{script} as {who:?}: {output:?}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("not all that it wrote could be handed on: No space left"), "{said}");
        }
    }
}

#[test]
fn no_program_of_the_machine_is_called_for_a_core() {
    for who in everybody() {
        let arena = Arena::new(who);
        let said = arena.run_inside(&shell(&arena, "grep core /proc/self/limits"), &json!({}));
        let words: Vec<_> = said.stdout.split_whitespace().collect();
        // Nothing at all is no limit where the machine hands cores to a program.
        assert_eq!(words[words.len() - 3..], ["1", "1", "bytes"], "{who:?}: {said:?}");
    }
}

#[test]
fn work_stays_in_the_workspace_and_belongs_to_its_owner() {
    use std::os::unix::fs::MetadataExt;
    for who in everybody() {
        let arena = Arena::new(who);
        arena.plant("given", "given");
        let said = arena.run_inside(&shell(&arena, "cat given > made; mkdir folder; pwd; id -u"), &json!({}));
        assert_eq!(said.code, Some(0), "{said:?}");
        let made = fs::metadata(arena.workspace.join("made")).unwrap();
        let owner = fs::metadata(&arena.workspace).unwrap().uid();
        assert_eq!((made.uid(), made.mode() & 0o777), (owner, 0o640));
        assert!(said.stdout.starts_with(arena.workspace.to_str().unwrap()), "{said:?}");
        assert_ne!(said.stdout.lines().nth(1), Some("0"), "nobody is root inside");
    }
}

#[test]
fn home_and_tmp_are_its_own_and_gone_afterwards() {
    for who in everybody() {
        let arena = Arena::new(who);
        let script = "echo x > $HOME/mine && echo x > /tmp/$0 && echo x > /dev/shm/mine && ls -A /tmp";
        let said = arena.run_inside(&shell(&arena, script), &json!({}));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(!std::env::temp_dir().join(arena.mark()).exists());
        assert!(!fs::exists("/run/spalla/home/mine").unwrap());
    }
}

#[test]
fn a_server_of_its_own_is_reached() {
    for who in everybody() {
        let arena = Arena::new(who);
        arena.plant(
            "own.py",
            "import socket\ns = socket.create_server(('127.0.0.1', 0))\n\
             c = socket.create_connection(s.getsockname())\nprint('reached')\n",
        );
        let said = arena.run_inside(&words(&["/usr/bin/env", "python3", "own.py"]), &json!({}));
        if command(who, "/usr/bin/env").args(["python3", "-c", ""]).status().unwrap().success() {
            assert_eq!(said.stdout, "reached\n", "{said:?}");
        }
    }
}

#[test]
fn what_can_not_be_walled_in_is_refused_with_the_mend() {
    for who in everybody() {
        let arena = Arena::new(who);
        let refused = |policy: serde_json::Value| {
            let output = arena.supervisor_with(&words(&["/bin/true"]), &policy).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        let none = json!({ "preset": "none", "workspace": arena.workspace, "network": { "mode": "none" } });
        assert!(refused(none).contains("only the operator's configuration"));
        let all = json!({ "preset": "strict", "workspace": "/", "network": { "mode": "none" } });
        assert!(refused(all).contains("choose a folder of its own"));
        if who == Who::Nobody {
            let percent = json!({
                "preset": "strict",
                "workspace": arena.workspace,
                "network": { "mode": "none" },
                "limits": { "cpu_percent": 50 },
            });
            let text = refused(percent);
            assert!(text.contains("the layer cgroup is missing") && text.contains("Delegate=yes"), "{text}");
        }
    }
}

#[test]
fn where_no_namespace_can_be_made_the_layer_is_named() {
    for who in everybody() {
        let arena = Arena::new(who);
        let mut inner = arena.supervisor(&words(&["/bin/true"]), &json!({}));
        // The same order once more, given inside a sandbox, in which no further namespace may be made.
        let order: Vec<String> =
            inner.get_args().skip(3).map(|word| word.to_str().unwrap().to_owned()).collect();
        assert_eq!(inner.output().unwrap().status.code(), Some(0));
        let said = arena.run_inside(&order, &json!({}));
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.stderr.contains("the layer namespaces is missing"), "{said:?}");
        assert!(said.stderr.contains("allow user namespaces"), "{said:?}");
    }
}

#[test]
fn a_workspace_named_by_a_link_is_found_by_it() {
    for who in everybody() {
        let arena = Arena::new(who);
        let link = arena.ground.outside.join("link-to-workspace");
        std::os::unix::fs::symlink(&arena.workspace, &link).unwrap();
        let policy = json!({ "preset": "strict", "workspace": link, "network": { "mode": "none" } });
        let script = format!("echo x > {}/made && pwd", link.display());
        let output = arena.supervisor_with(&shell(&arena, &script), &policy).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(arena.workspace.join("made").exists());
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    for who in everybody() {
        let arena = Arena::new(who);
        let said = arena.run_inside(&words(&["no-such-program"]), &json!({}));
        assert_eq!(said.code, Some(2));
        assert!(said.stderr.contains("no-such-program") && said.stderr.contains("not found"), "{said:?}");
    }
}
