//! Attacks that use up what others need.

use super::arena::{Arena, everybody, hold};
use serde_json::json;
use std::fs;
use std::process::Command;

#[test]
fn a_fork_bomb_ends_at_its_limit() {
    hold("fork-bomb", 200, &json!({ "processes": 32 }), &everybody());
}

#[test]
fn memory_counts_over_all_processes() {
    hold("memory-together", 0, &json!({ "memory_mb": 128 }), &everybody());
}

#[test]
fn memory_that_nobody_maps_counts_too() {
    hold("memory-nameless", 0, &json!({ "memory_mb": 128 }), &everybody());
}

#[test]
fn data_beyond_the_limit_ends_the_run() {
    hold("fill-disk", 96, &json!({ "disk_mb": 16 }), &everybody());
}

#[test]
fn files_beyond_the_limit_end_the_run() {
    hold("fill-inodes", 8_000, &json!({ "files": 1_000 }), &everybody());
}

#[test]
fn data_without_a_name_counts_too() {
    hold("fill-unlinked", 96, &json!({ "disk_mb": 16 }), &everybody());
}

#[test]
fn no_file_grows_beyond_what_all_may_hold() {
    hold("one-large-file", 40, &json!({ "disk_mb": 16 }), &everybody());
}

#[test]
fn a_file_beyond_the_limit_ends_the_run_with_the_reason() {
    for who in everybody() {
        let arena = Arena::new(who);
        let dd = "dd if=/dev/zero of=large bs=32M count=1";
        for script in [dd.to_owned(), format!("exec {dd}"), format!("{dd}; exit $?")] {
            let words = ["/bin/sh".to_owned(), "-c".to_owned(), script];
            let output = arena.supervisor(&words, &json!({ "disk_mb": 4 })).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("limit of disk: 4 MiB"), "{words:?}: {said}");
            assert_eq!(output.status.code(), Some(137), "{words:?}: {said}");
        }
    }
}

#[test]
fn what_others_write_meanwhile_does_not_end_a_run() {
    for who in everybody() {
        let arena = Arena::new(who);
        let script = "i=0; while [ $i -lt 40 ]; do sleep 0.02; i=$((i+1)); done; echo whole";
        let mut supervisor =
            arena.supervisor(&["/bin/sh", "-c", script].map(str::to_owned), &json!({ "disk_mb": 4 }));
        let run = supervisor.spawn().unwrap();
        fs::write(arena.ground.outside.join("other"), vec![1; 32 * 1024 * 1024]).unwrap();
        let output = run.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "whole\n", "{output:?}");
    }
}

#[test]
fn not_all_watches_of_files_are_taken_that_the_user_has() {
    // One more than a run may have; the machine gives a user some more than twice as many.
    hold("inotify-instances", 49, &json!({}), &everybody());
}

#[test]
fn memory_that_others_share_is_not_attached() {
    let made = Command::new("ipcmk").args(["-M", "64", "-p", "0666"]).output().unwrap();
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    let number = said.split_whitespace().last().and_then(|word| word.parse().ok()).expect("a number");
    let _gone = Segment(number);
    hold("shared-memory", number, &json!({}), &everybody());
}

/// Memory that is shared by its number, and removed at the end.
struct Segment(u64);

impl Drop for Segment {
    fn drop(&mut self) {
        let _ = Command::new("ipcrm").args(["-m", &self.0.to_string()]).status();
    }
}
