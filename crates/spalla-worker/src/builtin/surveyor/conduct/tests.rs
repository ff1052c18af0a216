//! Whole surveys of small trees: what they find, what they write, and what they keep to themselves.

use std::fs;

use super::super::survey::StopSwitch;
use super::super::{history, parse_git_log, to_markdown, to_svg, write_report};
use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("folder is made");
        fs::write(path, text).expect("file is written");
    }
    folder
}

fn options(goal: &str) -> SurveyOptions {
    let now = "2026-01-31T12:00:00Z".parse().expect("a time");
    SurveyOptions { goal: goal.to_owned(), now, limits: Limits::default(), stop: StopSwitch::default() }
}

fn surveyed(folder: &Path, history: Option<&GitHistory>, options: &SurveyOptions) -> Survey {
    survey(folder, history, options, &mut |_| {}).expect("the folder is surveyed")
}

const MIXED: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[package]\nname = \"mixed\"\ndescription = \"Shows | things\"\n[dependencies]\nserde = \"1\"\n",
    ),
    ("Cargo.lock", "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\n"),
    ("src/main.rs", "mod a;\nmod b;\nfn main() {\n    a::run();\n}\n"),
    ("src/a.rs", "use crate::b::B;\nuse serde::Serialize;\n// FIXME: wrong\npub fn run() {}\n"),
    ("src/b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn works() {}\n}\n"),
    ("tool.py", "import os\nos.system(f'rm {x}')\n"),
    ("web/app.min.js", "eval(x)\n"),
    ("README.md", "# Mixed\n"),
    ("logo.png", "\0\0"),
    (".gitignore", "secret.txt\n"),
    ("secret.txt", "x"),
];

fn mixed_history() -> GitHistory {
    parse_git_log(b"\x1e1769800000\x1fa@x\x1ffix run\0\n1\t1\tsrc/a.rs\0\x1e1700000000\x1fb@x\x1fstart\0\n9\t0\tsrc/a.rs\09\t0\tsrc/b.rs\0")
}

#[test]
fn a_survey_ends_half_way_when_somebody_wants_it_to() {
    let folder = tree(MIXED);
    for line in ["found", "read"] {
        let options = options("Analyze the codebase structure");
        let mut said = Vec::new();
        let mut progress = |text: &str| {
            said.push(text.to_owned());
            if text.starts_with(line) {
                options.stop.stop();
            }
        };
        let ended = survey(folder.path(), None, &options, &mut progress);
        assert!(matches!(ended, Err(Error::Stopped)), "{ended:?}");
        assert!(said.last().is_some_and(|last| last.starts_with(line)), "{said:?}");
    }
}

#[test]
fn survey_of_a_mixed_tree_finds_its_parts() {
    let folder = tree(MIXED);
    let history = mixed_history();
    let survey = surveyed(folder.path(), Some(&history), &options("Analyze the codebase structure"));
    assert_eq!((survey.project.name.as_str(), survey.goal_needs_model), ("mixed", None));
    assert_eq!(survey.coverage.text_files, 9);
    assert_eq!(survey.coverage.binary_files, 1);
    assert_eq!(survey.languages[0].name, "Rust");
    let names: Vec<_> =
        survey.internal_dependencies.modules.edges.iter().map(|e| (e.from.as_str(), e.to.as_str())).collect();
    assert_eq!(names, [("a", "b"), ("main", "a")]);
    assert_eq!(survey.external_dependencies[0].imported_by_files, Some(1));
    assert_eq!((survey.tests.cases, survey.tests.files), (1, 1));
    assert_eq!(survey.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["shell-command"]);
    assert_eq!(survey.marks.len(), 1);
    let history = survey.history.expect("a history was given");
    assert_eq!((history.hot_spots[0].file.as_str(), history.hot_spots[0].commits), ("src/a.rs", 2));
    assert_eq!(survey.lock_files[0].packages, Some(1));
}

#[test]
fn same_tree_gives_the_same_bytes() {
    let (one, two) = (tree(MIXED), tree(MIXED));
    let history = mixed_history();
    let written = [one, two].map(|folder| {
        let survey = surveyed(folder.path(), Some(&history), &options("list risks"));
        (serde_json::to_string(&survey).expect("is JSON"), to_markdown(&survey), to_svg(&survey))
    });
    assert_eq!(written[0], written[1]);
}

#[test]
fn report_is_written_whole_and_can_be_read_back() {
    let folder = tree(MIXED);
    let survey = surveyed(folder.path(), None, &options(""));
    let target = tempfile::tempdir().expect("a temporary folder");
    let paths = write_report(&survey, &target.path().join("deep/report")).expect("is written");
    let markdown = fs::read_to_string(&paths.markdown).expect("is there");
    assert!(markdown.starts_with("# Survey of `mixed`\n"));
    assert!(markdown.contains("“Shows | things”") && markdown.contains("## What to look at first"));
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(&paths.json).expect("is there")).expect("is JSON");
    assert_eq!(json["format"], "spalla.survey/1");
    assert!(fs::read_to_string(&paths.picture).expect("is there").starts_with("<svg "));
    let left: Vec<_> = fs::read_dir(target.path().join("deep/report")).expect("is there").collect();
    assert_eq!(left.len(), 3, "no temporary file stays");
}

#[test]
fn section_that_the_goal_names_comes_first() {
    let folder = tree(MIXED);
    let first = |goal: &str| {
        let markdown = to_markdown(&surveyed(folder.path(), None, &options(goal)));
        let headings: Vec<String> =
            markdown.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect();
        headings[1].clone()
    };
    assert_eq!(first("Analyze the codebase structure"), "## Structure");
    assert_eq!(first("find TODOs"), "## TODO and FIXME marks");
    assert_eq!(first("audit dependencies"), "## External dependencies");
    assert_eq!(first("whatever"), "## Risks");
}

#[test]
fn goal_beyond_a_survey_is_named_as_such() {
    let folder = tree(MIXED);
    let markdown = to_markdown(&surveyed(folder.path(), None, &options("Implement <b>OAuth</b>")));
    assert!(markdown.contains("**This goal is beyond a survey:**"));
    assert!(markdown.contains("Implement \\<b\\>OAuth"));
}

#[test]
fn empty_tree_gets_a_report_and_a_picture() {
    let folder = tree(&[]);
    let survey = surveyed(folder.path(), Some(&history::GitHistory::default()), &options("describe"));
    assert!(to_markdown(&survey).contains("No source code in a known programming language was found."));
    assert!(to_svg(&survey).contains("Nothing was found to draw"));
    assert_eq!((survey.history, survey.priorities.len()), (None, 0));
}

#[test]
fn limits_cut_and_the_report_says_what() {
    let folder = tree(&[
        ("a.rs", "fn a() {}\n"),
        ("b.rs", "fn b() {}\n"),
        ("c.rs", &"x".repeat(500)),
        ("package-lock.json", &" ".repeat(500)),
    ]);
    let mut options = options("list");
    options.limits = Limits { file_bytes_max: 100, total_bytes_max: 215, ..Limits::default() };
    let survey = surveyed(folder.path(), None, &options);
    assert_eq!(survey.coverage.oversize_files, ["c.rs"]);
    assert_eq!(survey.coverage.files_past_total, 1);
    options.limits = Limits { file_bytes_max: 100, ..Limits::default() };
    let survey = surveyed(folder.path(), None, &options);
    assert_eq!(survey.coverage.oversize_files, ["c.rs", "package-lock.json"]);
    assert_eq!(survey.lock_files[0].packages, None, "that it is there is known all the same");
    assert!(to_markdown(&survey).contains("too large to read"));
}

#[test]
fn folder_that_is_not_there_is_an_error_that_says_so() {
    let folder = tree(&[("a.rs", "")]);
    let of = |path: &Path| survey(path, None, &options(""), &mut |_| {}).expect_err("no folder").to_string();
    assert!(of(&folder.path().join("absent")).contains("could not open the folder"));
    assert!(of(&folder.path().join("a.rs")).contains("is not a folder"));
}

#[test]
fn no_secret_and_no_control_character_reaches_a_report() {
    let value = "hG7kd92xQwTz41";
    let files = [
        (
            "a\u{1b}[31m`|<b>.py",
            format!(
                "PASSWORD = '{value}'\n# TODO: use {value} password={value}\nos.system(f'x {{y}} --token {value}')\n"
            ),
        ),
        (
            "package.json",
            format!(
                "{{\"name\":\"x\",\"scripts\":{{\"start\":\"run --password={value}\",\"test\":\"API_KEY={value} jest\"}},\"dependencies\":{{\"y\":\"git+https://u:{value}@h.net/y\"}}}}"
            ),
        ),
        ("Dockerfile", format!("FROM x\nCMD [\"run\", \"--api-key={value}\"]\n")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let folder = tree(&files);
    let survey = surveyed(folder.path(), None, &options(&format!("audit password={value}")));
    let written = [serde_json::to_string(&survey).expect("is JSON"), to_markdown(&survey), to_svg(&survey)];
    for text in &written[..2] {
        assert!(text.contains("redacted"), "{text}");
    }
    for text in written {
        assert!(!text.contains(value), "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn progress_is_told() {
    let folder = tree(MIXED);
    let mut lines = Vec::new();
    survey(folder.path(), None, &options(""), &mut |line| lines.push(line.to_owned())).expect("is surveyed");
    assert_eq!(lines[0], "found 10 files");
    assert_eq!(lines.len(), 3);
}
