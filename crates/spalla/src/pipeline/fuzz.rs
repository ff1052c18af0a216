//! What a foreign task file can do: be read, or be refused at a named place.

use super::*;
use crate::damage::damaged;
use proptest::prelude::*;

const FILES: &[&str] = &[
    "tasks:\n  up: {service: true, ready: listening, timeout: 1.5, commands: [serve]}\n  test:\n    commands:\n      - |\n        two\n        three\n    env: {A: x, B: '1'}\n    cwd: below/it\npipelines:\n  both: [up, test]\n",
    "tasks: {a: &a {description: é, commands: [x, \"y\\0\"]}, b: *a}\npipelines: {p: [a, b, a]}\n",
    include_str!("../../../../codex.yaml"),
];

proptest! {
    #[test]
    fn a_damaged_task_file_is_read_or_refused_at_a_place(text in damaged(FILES)) {
        match read::task_file(&text) {
            Ok(file) => {
                for task in file.tasks.values() {
                    prop_assert!(!task.commands.is_empty() && task.timeout_ms.is_none_or(|ms| ms > 0));
                    prop_assert!(task.cwd.as_ref().is_none_or(|cwd| cwd.split('/').all(|part| part != "..")));
                }
                let names: Vec<String> = file.pipelines.keys().cloned().collect();
                prop_assert!(names.is_empty() || file.resolve(&names).is_ok());
            }
            Err(problem) => {
                let is_placed = problem.starts_with("line ") || problem.starts_with("the file has ");
                prop_assert!(is_placed && problem.len() > "line 1, column 1: ".len(), "{}", problem);
            }
        }
    }
}
