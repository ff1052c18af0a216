//! Attacks that use up what others need.

use super::arena::{Arena, everybody, hold};
use serde_json::json;
use std::fs;

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
