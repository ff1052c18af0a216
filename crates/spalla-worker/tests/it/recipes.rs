//! Runs of recipes, from claim to end.

use crate::fake::{Wanted, recipe};
use crate::site::Site;
use serde_json::{Value, json};
use spalla_domain::claim::Completion;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_domain::trace::{Part, span_id};

fn result(completion: &Completion) -> Value {
    serde_json::from_str(completion.result.as_ref().unwrap().get()).unwrap()
}

fn failure(completion: &Completion) -> (ErrorClass, String) {
    assert!(!completion.success);
    let error = completion.error.clone().unwrap();
    (error.class, error.message)
}

/// Runs one recipe to its end.
async fn ended(wanted: Wanted) -> (Site, Completion) {
    let site = Site::new();
    let run = site.fake.add(wanted);
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    (site, completion)
}

#[tokio::test]
async fn steps_run_one_after_another_in_a_folder_of_their_own() {
    let (site, completion) =
        ended(recipe("steps: ['echo one; pwd > made', {run: 'cat ../made; echo two >&2', env: {A: b}, cwd: sub, if: always()}]")).await;
    // The folder of the second step is not there; nothing else is wrong with it.
    let (class, message) = failure(&completion);
    assert_eq!(class, ErrorClass::Failed);
    assert!(message.starts_with("cwd \"sub\": No such file or directory"), "{message}");
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["one"]);

    let (site, completion) =
        ended(recipe("steps: ['mkdir sub; echo one', {run: 'pwd; echo $A >&2', env: {A: b}, cwd: sub, artifacts: ['**']}, 'echo x > out']")).await;
    assert!(completion.success, "{completion:?}");
    let workspace = site.data().join("scratchpads/item-1/run-1-1");
    assert_eq!(
        site.fake.lines(1.into(), Stream::Stdout),
        ["one", &workspace.join("sub").display().to_string()]
    );
    assert_eq!(site.fake.lines(1.into(), Stream::Stderr), ["b"]);
    let result = result(&completion);
    assert_eq!(result["workspace"], json!(workspace));
    assert_eq!(result["steps"][1]["exit_code"], 0);
    assert_eq!(result["steps"][1]["attempts"], 1);
    assert_eq!(result["steps"].as_array().unwrap().len(), 3);
    assert_eq!(result["artifacts"], json!([]), "listed when the step ends, not later");
}

#[tokio::test]
async fn the_log_says_who_executes_and_how_each_step_ended() {
    let (site, _) = ended(recipe("steps: [\"true\", exit 4]")).await;
    let said = site.fake.lines(1.into(), Stream::System);
    assert_eq!(said[0], "worker worker-1 executes the run under token 1");
    assert!(said[1].contains("an empty folder, since the project has no repository"), "{said:#?}");
    assert_eq!(said[2], "step 1: true");
    assert!(said[3].starts_with("step 1: exit status 0 after 0."), "{said:#?}");
    assert!(said[5].starts_with("step 2: exit status 4 after 0."), "{said:#?}");
    assert_eq!(said.last().unwrap(), "the run failed: step 2 (exit 4) failed with exit status 4");
    let steps: Vec<Option<u32>> =
        site.fake.state().runs[&1.into()].log.iter().map(|line| line.step).collect();
    assert_eq!(steps[..4], [None, None, Some(1), Some(1)]);
}

#[tokio::test]
async fn a_failure_skips_what_waits_for_success_and_runs_what_waits_for_it() {
    let yaml =
        "steps: [exit 3, echo skipped, {run: echo mended, if: failure()}, {run: exit 5, if: always()}]";
    let (site, completion) = ended(recipe(yaml)).await;
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["mended"]);
    assert_eq!(
        failure(&completion),
        (ErrorClass::Failed, "step 1 (exit 3) failed with exit status 3".into())
    );
    assert_eq!(completion.exit_code, Some(3));
    let result = result(&completion);
    let of = |member: &str| {
        result["steps"].as_array().unwrap().iter().map(|s| s[member].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("skipped"), [json!(false), json!(true), json!(false), json!(false)]);
    assert_eq!(of("exit_code"), [json!(3), Value::Null, json!(0), json!(5)]);
}

#[tokio::test]
async fn a_step_is_tried_again_as_often_as_it_says() {
    let yaml = "steps: [{run: 'echo try; test -e done || { touch done; exit 1; }', retries: 3}, {run: exit 9, retries: 1}]";
    let (site, completion) = ended(recipe(yaml)).await;
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["try", "try"]);
    let result = result(&completion);
    assert_eq!((&result["steps"][0]["attempts"], &result["steps"][1]["attempts"]), (&json!(2), &json!(2)));
    assert_eq!(completion.exit_code, Some(9));
}

#[tokio::test]
async fn a_step_and_a_run_end_when_their_time_is_over() {
    let (_, completion) = ended(recipe("steps: [{run: sleep 1000, timeout: 0.1}]")).await;
    let expected = "step 1 (sleep 1000) took longer than its 0.100 s";
    assert_eq!(failure(&completion), (ErrorClass::TimedOut, expected.into()));

    let wanted =
        Wanted { timeout_ms: 300, ..recipe("steps: [echo x, sleep 1000, {run: echo never, if: always()}]") };
    let (site, completion) = ended(wanted).await;
    assert_eq!(failure(&completion), (ErrorClass::TimedOut, "the run took longer than its 0.300 s".into()));
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["x"]);
    assert_eq!(result(&completion)["steps"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn variables_reach_the_steps_they_are_for() {
    let yaml = "tools: [{name: sh, env: {TOOL: t}}]\n\
                steps: ['echo ${TOOL-none} $SPALLA_RUN_ID', {run: 'echo $TOOL $OWN', uses: [sh], env: {OWN: 1.50}}]";
    let (site, completion) = ended(recipe(yaml)).await;
    assert!(completion.success, "{completion:?}");
    assert_eq!(site.fake.lines(1.into(), Stream::Stdout), ["none 1", "t 1.50"]);
}

#[tokio::test]
async fn artifacts_are_kept_and_listed_with_size_and_digest() {
    let yaml = "steps: [{run: 'mkdir dist; printf abc > dist/a; ln -s /etc/passwd dist/b', artifacts: ['dist/**', '*.none']}]";
    let (site, completion) = ended(recipe(yaml)).await;
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let expected = json!([{"path": "dist/a", "bytes": 3, "sha256": sha256, "kept": true}]);
    assert_eq!(result(&completion)["artifacts"], expected);
    assert_eq!(site.fake.state().kept, [((1.into(), "dist/a".to_owned()), b"abc".to_vec())].into());
    let said = site.fake.lines(1.into(), Stream::System);
    assert!(said.contains(&"artifacts: \"*.none\" matches no file".to_owned()), "{said:#?}");
    assert!(site.data().join("scratchpads/item-1/run-1-1/dist/a").exists(), "files stay");
}

#[tokio::test]
async fn tools_are_checked_before_the_first_step() {
    let site = Site::new();
    let bin = site.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\necho tool 1.2.3\n";
    let file = bin.join("mytool");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let sum: String = sha256(script);
    let cases = [
        ("{name: mytool}".to_owned(), None),
        ("{name: mytool, version: 1.2}".to_owned(), None),
        (format!("{{name: mytool, version: 1.2.3, checksum: \"sha256:{sum}\"}}"), None),
        ("{name: no-such-tool}".to_owned(), Some("tool no-such-tool: not found on this worker's PATH (")),
        ("{name: mytool, version: 1.3}".to_owned(), Some("tool mytool: version 1.3 is asked for, and ")),
        ("{name: mytool, checksum: \"sha256:deadbeef\"}".to_owned(), Some("8 digits, and a SHA-256 has 64")),
        (
            format!("{{name: mytool, checksum: \"sha256:{}\"}}", "0".repeat(64)),
            Some("the file is another one"),
        ),
    ];
    let mut worker = site.start_with(|options| {
        options.concurrency = 4;
        let path = format!("{}:{}", bin.display(), options.child_env["PATH"]);
        options.child_env.insert("PATH".into(), path);
    });
    for (item, (tool, wrong)) in (1..).zip(cases) {
        let run = site.fake.add(Wanted { item, ..recipe(&format!("tools: [{tool}]\nsteps: [echo ran]")) });
        let completion = site.fake.ended(run).await;
        let ran = site.fake.lines(run, Stream::Stdout).len();
        match wrong {
            None => assert!(completion.success && ran == 1, "{completion:?}"),
            Some(words) => {
                let (class, message) = failure(&completion);
                assert_eq!((class, ran), (ErrorClass::Validation, 0), "{message}");
                assert!(message.contains(words), "{message}");
            }
        }
    }
    worker.stop().await;
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_can_not_be_executed_fails_with_the_reason() {
    let cases = [
        (recipe("steps: [{rnu: x}]"), "the recipe is not valid: line 1, column 9: a step has"),
        (
            Wanted { title: "Tidy up", ..Wanted::default() },
            "there is nothing to build or test in the workspace's top folder",
        ),
        (
            recipe("steps: [{run: x, if: failure()}]"),
            "no step was executed: every step of the recipe waits for a failure",
        ),
        (
            Wanted { repository: Some("not a url".into()), ..recipe("steps: [x]") },
            "is neither an absolute path nor a git URL",
        ),
        (
            Wanted { repository: Some("/no/such/folder".into()), ..recipe("steps: [x]") },
            "does not exist on this worker",
        ),
    ];
    for (wanted, words) in cases {
        let (_, completion) = ended(wanted).await;
        let (class, message) = failure(&completion);
        assert_eq!(class, ErrorClass::Validation, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn the_workers_own_steps_come_before_recipe_and_inference() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: [echo recipe]"));
    let mut worker = site.start_with(|options| options.steps_override = vec!["echo own".into()]);
    assert!(site.fake.ended(run).await.success);
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["own"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_shell_that_is_not_there_fails_the_run() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: [echo x]"));
    let mut worker = site.start_with(|options| options.shell = "/no/shell".into());
    let (class, message) = failure(&site.fake.ended(run).await);
    assert_eq!(class, ErrorClass::Validation);
    assert!(message.starts_with("starting \"/no/shell\" in "), "{message}");
    worker.stop().await;
}

#[tokio::test]
async fn much_output_is_cut_once_and_the_step_still_ends() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: ['head -c 200000000 /dev/zero | tr \"\\\\0\" x | fold -w 999; echo; echo end >&2', echo next]"));
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?}");
    let kept: usize = site.fake.lines(run, Stream::Stdout).iter().map(|line| line.len() + 1).sum();
    assert!((63 << 20..=64 << 20).contains(&kept), "{kept}");
    let said = site.fake.lines(run, Stream::System);
    assert_eq!(said.iter().filter(|line| line.contains("the output is cut here")).count(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn whoever_has_little_context_left_is_told_how_the_steps_ended_and_little_else() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: [echo hi, {run: echo no, if: failure()}]"));
    let mut worker = site.start_with(|options| options.is_terse = true);
    assert!(site.fake.ended(run).await.success);
    worker.stop().await;
    let said = site.fake.lines(run, Stream::System);
    let starts = ["step 1: echo hi", "step 1: exit status 0", "the run succeeded"];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    assert!(said.iter().zip(starts).all(|(said, start)| said.starts_with(start)), "{said:#?}");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["hi"]);
}

#[tokio::test]
async fn a_step_knows_the_trace_that_it_belongs_to() {
    let (site, _) = ended(recipe("steps: [echo $TRACEPARENT, echo $TRACEPARENT]")).await;
    let said = site.fake.lines(1.into(), Stream::Stdout);
    let trace = "0".repeat(32);
    let expected = [1, 2].map(|number| format!("00-{trace}-{}-01", span_id(&trace, Part::Step(number))));
    assert_eq!(said, expected);
}
