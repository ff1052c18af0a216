//! Recipes, right and wrong.

use super::*;
use proptest::prelude::*;

fn problem(yaml: &str) -> (u64, u64, String) {
    let problems = parse(yaml).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    (problems[0].line, problems[0].column, problems[0].to_string())
}

#[test]
fn a_full_recipe_is_read() {
    let recipe = parse(
        r#"
tools:
  - {name: awscli, version: 2.15.0, checksum: "sha256:deadbeef", env: {AWS_DEFAULT_REGION: us-east-1}, network: true}
steps:
  - echo "build"
  - {run: ./deploy.sh, env: {STAGE: prod}, timeout: 60, cwd: ./deploy, retries: 1, if: success(), uses: [awscli], artifacts: [dist/**]}
"#,
    )
    .unwrap();
    assert_eq!(
        recipe.tools,
        [Tool {
            name: "awscli".into(),
            version: Some("2.15.0".into()),
            sha256: Some("deadbeef".into()),
            env: [("AWS_DEFAULT_REGION".into(), "us-east-1".into())].into(),
            network: true,
        }]
    );
    let deploy = Step {
        run: "./deploy.sh".into(),
        env: [("STAGE".into(), "prod".into())].into(),
        timeout_ms: Some(60_000),
        cwd: Some("./deploy".into()),
        retries: 1,
        condition: Condition::Success,
        uses: Some(vec!["awscli".into()]),
        artifacts: vec!["dist/**".into()],
    };
    assert_eq!(recipe.steps, [Step::shell("echo \"build\""), deploy]);
    assert_eq!((recipe.warnings[0].line, recipe.warnings[0].column), (3, 47));
    assert!(recipe.warnings[0].message.contains("8 hexadecimal digits"), "{}", recipe.warnings[0]);
}

#[test]
fn a_tool_named_in_uses_reaches_only_the_steps_that_name_it() {
    let recipe = parse(
        "tools: [{name: a, env: {A: 1}, network: true}, {name: b, env: {B: 1}}]\n\
         steps: [plain, {run: with a, uses: [a], env: {X: 1}}, {run: none, uses: []}]",
    )
    .unwrap();
    let reached: Vec<Vec<String>> =
        recipe.steps.iter().map(|step| recipe.env_of(step).into_keys().collect()).collect();
    assert_eq!(reached, [vec!["B"], vec!["A", "X"], vec![]]);
    assert_eq!(recipe.steps.iter().map(|s| recipe.network_of(s)).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn a_step_has_the_last_word_about_its_variables() {
    let recipe =
        parse("tools: [{name: a, env: {A: tool, B: tool}}]\nsteps: [{run: x, env: {A: step}}]").unwrap();
    let env: Vec<(String, String)> = recipe.env_of(&recipe.steps[0]).into_iter().collect();
    assert_eq!(env, [("A".into(), "step".into()), ("B".into(), "tool".into())]);
}

#[test]
fn nothing_is_a_recipe_without_steps() {
    for yaml in ["", "  \n", "# only a comment\n", "{}", "null", "tools: []", "steps: []", "---\n"] {
        assert_eq!(parse(yaml), Ok(Recipe::default()), "{yaml:?}");
    }
}

#[test]
fn scalars_keep_the_text_that_was_written() {
    let recipe = parse(
        "tools: [{name: a, version: 2.10}, {name: b, version: 3}, {name: c, version: \"1.0\"}]\n\
         steps: [{run: x, env: {A: 1, B: 1.50, C: yes, D: True, E: 0x1F, F: 007, G: \"\", H: 1e3, I: 12345678901234567890123}}]",
    )
    .unwrap();
    let versions: Vec<&str> = recipe.tools.iter().filter_map(|t| t.version.as_deref()).collect();
    assert_eq!(versions, ["2.10", "3", "1.0"]);
    let values: Vec<&str> = recipe.steps[0].env.values().map(String::as_str).collect();
    assert_eq!(values, ["1", "1.50", "yes", "True", "0x1F", "007", "", "1e3", "12345678901234567890123"]);
}

#[test]
fn anchors_and_block_text_are_read() {
    let recipe =
        parse("steps:\n- run: |\n    one\n    two\n  env: &e {V: 1.20}\n- {run: x, env: *e}\n").unwrap();
    assert_eq!(recipe.steps[0].run, "one\ntwo\n");
    assert_eq!(recipe.steps[1].env["V"], "1.20");
}

#[test]
fn every_mistake_is_named_with_its_place_and_what_is_allowed() {
    let cases: &[(&str, (u64, u64), &str)] = &[
        ("stepz: [a]", (1, 1), "did you mean \"steps\"? (allowed: tools, steps)"),
        ("- a", (1, 1), "a recipe is a list; it has to be a mapping with the keys tools, steps"),
        ("just text", (1, 1), "a recipe is text"),
        ("steps: echo", (1, 8), "steps is text; it has to be a list"),
        ("steps:", (1, 6), "steps says nothing; write a list, or leave the key out"),
        ("steps: [[a]]", (1, 9), "a step is a list; it has to be a command, or a mapping with the key run"),
        ("steps: [~]", (1, 9), "a step is nothing"),
        ("steps: [\"\"]", (1, 9), "run is empty"),
        ("steps: [{env: {A: b}}]", (1, 9), "a step has to say what to run"),
        ("steps:\n  - rnu: x\n    run: y", (2, 5), "did you mean \"run\"?"),
        ("steps: [{run: x, command: y}]", (1, 18), "did you mean \"run\"? (allowed: run, env, timeout,"),
        ("steps: [{run: [x]}]", (1, 15), "run is a list; it has to be text"),
        ("steps: [{run: x, env: [A]}]", (1, 23), "env is a list; it has to be a mapping of variable names"),
        ("steps: [{run: x, env: {1A: b}}]", (1, 24), "\"1A\" is no variable name"),
        ("steps: [{run: x, env: {A-B: b}}]", (1, 24), "\"A-B\" is no variable name"),
        ("steps: [{run: x, env: {A: [b]}}]", (1, 27), "env A is a list; it has to be text"),
        ("steps: [{run: x, env: {A: ~}}]", (1, 27), "env A says nothing; write \"\""),
        (
            "steps: [{run: x, timeout: 0}]",
            (1, 27),
            "timeout is 0; it is in seconds, above 0 and at most 2592000",
        ),
        ("steps: [{run: x, timeout: -1}]", (1, 27), "timeout is -1"),
        ("steps: [{run: x, timeout: 1e12}]", (1, 27), "at most 2592000"),
        ("steps: [{run: x, timeout: soon}]", (1, 27), "timeout is text; it has to be a number of seconds"),
        ("steps: [{run: x, retries: -1}]", (1, 27), "a whole number from 0 to 100"),
        ("steps: [{run: x, retries: 1.5}]", (1, 27), "retries is 1.5; it is a whole number"),
        ("steps: [{run: x, retries: 101}]", (1, 27), "from 0 to 100"),
        ("steps: [{run: x, cwd: /tmp}]", (1, 23), "\"/tmp\" is absolute"),
        ("steps: [{run: x, cwd: ../x}]", (1, 23), "\"../x\" is outside the workspace"),
        ("steps: [{run: x, cwd: a/../../x}]", (1, 23), "outside the workspace"),
        (
            "steps: [{run: x, if: sucess()}]",
            (1, 22),
            "did you mean success()? (allowed: success(), failure(), always())",
        ),
        ("steps: [{run: x, if: true}]", (1, 22), "if: \"true\" is no condition"),
        (
            "steps: [{run: x, uses: [a]}]",
            (1, 25),
            "the tool \"a\", which is not declared; declare it under tools",
        ),
        ("tools: [{name: kubectl}]\nsteps: [{run: x, uses: [kubctl]}]", (2, 25), "did you mean \"kubectl\"?"),
        ("steps: [{run: x, uses: a}]", (1, 24), "uses is text; it has to be a list"),
        ("steps: [{run: x, artifacts: [../a]}]", (1, 30), "outside the workspace"),
        ("steps: [{run: x, artifacts: [a/../b]}]", (1, 30), "has a .. in it"),
        ("steps: [{run: x, artifacts: ['a[b']}]", (1, 30), "is no pattern: unclosed character class"),
        ("steps: [{run: x, artifacts: ['[z-a]']}]", (1, 30), "is no pattern: invalid range"),
        ("steps: [{run: x, artifacts: ['[]']}]", (1, 30), "is no pattern: unclosed character class"),
        ("tools: [{version: 1}]", (1, 9), "a tool has to have a name"),
        ("tools: [awscli]", (1, 9), "a tool is text; it has to be a mapping with the keys name, version"),
        ("tools: [{name: a/b}]", (1, 16), "\"a/b\" is no tool name"),
        (
            "tools: [{name: a, version: latest}]",
            (1, 28),
            "\"latest\" is no version: it is numbers separated by dots",
        ),
        ("tools: [{name: a, version: 1..2}]", (1, 28), "\"1..2\" is no version"),
        ("tools: [{name: a, version: 1.}]", (1, 28), "is no version"),
        ("tools: [{name: a, version: \">=1 2\"}]", (1, 28), "is no version"),
        ("tools: [{name: a, checksum: deadbeef}]", (1, 29), "sha256: and 64 hexadecimal digits"),
        ("tools: [{name: a, checksum: \"md5:00\"}]", (1, 29), "is no checksum"),
        ("tools: [{name: a, checksum: \"sha256:xyz\"}]", (1, 29), "is no checksum"),
        ("tools: [{name: a, checksum: \"sha256:\"}]", (1, 29), "is no checksum"),
        ("tools: [{name: a, network: maybe}]", (1, 28), "it has to be true or false (allowed: true, false)"),
        (
            "tools:\n- name: a\n- name: a",
            (3, 3),
            "the tool \"a\" is declared twice; it stands in line 2 already",
        ),
        ("steps: [a", (1, 8), "not valid YAML: unclosed bracket"),
        ("steps: [a]\nsteps: [b]", (2, 1), "the key \"steps\" stands here a second time"),
        ("steps: [a]\n---\nb", (2, 1), "a recipe is one document"),
        ("steps: [!include x]", (1, 18), "not valid YAML: unsupported tag"),
    ];
    let mut wrong = Vec::new();
    for (yaml, place, words) in cases {
        let (line, column, message) = problem(yaml);
        if (line, column) != *place || !message.contains(words) {
            wrong.push(format!("{yaml:?}: {message}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_text() {
    let problems = parse("steps:\n- {run: x, timeout: 0}\n- {run: \"\"}\ntools:\n- {nam: a}\n").unwrap_err();
    assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), [2, 3, 5, 5]);
}

#[test]
fn too_much_of_anything_is_refused() {
    let many = |n: usize, one: &str| vec![one; n].join(", ");
    let tools: Vec<String> = (0..=TOOLS_MAX).map(|i| format!("{{name: t{i}}}")).collect();
    for yaml in [
        format!("steps: [{}]", many(STEPS_MAX + 1, "a")),
        format!("tools: [{}]", tools.join(", ")),
        format!("steps: [{{run: a, artifacts: [{}]}}]", many(ARTIFACTS_MAX + 1, "a")),
        format!("steps: [\"{}\"]", "x".repeat(RECIPE_BYTES_MAX)),
        format!("{}{}", "[".repeat(100), "]".repeat(100)),
    ] {
        assert!(parse(&yaml).is_err(), "{}", &yaml[..40]);
    }
    assert!(parse(&format!("steps: [{}]", many(STEPS_MAX, "a"))).is_ok());
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let references = vec![format!("*a{}", i - 1); 10].join(", ");
        yaml.push_str(&format!("a{i}: &a{i} [{references}]\n"));
    }
    let problems = parse(&yaml).unwrap_err();
    assert!(problems[0].message.contains("too large"), "{}", problems[0]);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(yaml in "\\PC{0,200}") {
        let _ = parse(&yaml);
    }

    #[test]
    fn no_near_recipe_makes_the_reader_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "tools", "steps", ": ", "\n", "- ", "  ", "run", "env", "{", "}", "[", "]", "A", "1.5", "&a", "*a",
                "\"", "'", "|", "~", "!!int ", "<<", "?", ",", "é", "timeout", "-1", ".inf", ".nan",
            ]),
            0..40,
        ),
    ) {
        for problem in parse(&parts.concat()).err().unwrap_or_default() {
            prop_assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
        }
    }

    #[test]
    fn a_path_that_is_accepted_stays_inside(parts in prop::collection::vec("\\.\\.|\\.|a|", 0..8)) {
        let path = parts.join("/");
        if check::inside(&path).is_ok() {
            let mut depth = 0_i32;
            for part in path.split('/') {
                depth += match part { ".." => -1, "" | "." => 0, _ => 1 };
                prop_assert!(depth >= 0);
            }
            prop_assert!(!path.starts_with('/'));
        }
    }
}
