//! What foreign texts can do to the readers of recipes, goals, times, work items and tokens, and what of a secret is
//! left in them.

use crate::damage::{damaged, odd_text};
use crate::fernet::{self, FernetKey, KeyRing};
use crate::plan::{self, ITEMS_MAX, TITLE_CHARS};
use crate::recipe::{
    self, ARTIFACTS_MAX, Condition, ENV_MAX, PROBLEMS_MAX, Recipe, STEP_RETRIES_MAX, STEP_TIMEOUT_MS_MAX,
    STEPS_MAX, Step, TOOLS_MAX, Tool,
};
use crate::redact::{Redactor, RedactorStream};
use crate::secret::Secret;
use crate::work_item::{Executor, Spec};
use crate::{Timestamp, project};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

const RECIPES: &[&str] = &[
    "tools:\n  - {name: kubectl, version: 2.10, checksum: \"sha256:deadbeef\", env: {A: b}, network: true}\nsteps:\n  \
     - make test\n  - {run: ./d.sh, env: {S: p}, timeout: 60, cwd: ./d, retries: 1, if: failure(), uses: [kubectl], \
     artifacts: [dist/**]}\n",
    "steps:\n  - run: |\n      set -e\n      make\n    timeout: 1.5\n  - &again\n    run: \"a\\tb\"\n    if: always()\n  - \
     *again\n",
    "steps: &s [one, 'two', \"three\"]\ntools: []\n",
    "# nothing yet\n",
];

const GOALS: &[&str] = &[
    "In the payments module:\n\n- find the risks\n- list the tests\n  - of each file\n\nLeave the rest alone.\n",
    "1. first\n   more of it\n2) second\n   ```\n3. no\n   ```\n",
    "\u{1}\n- \u{7f}\n",
    "  • a b\r\n\r\n  • c d\r\n",
    "Find the slow queries, and say \"why\".",
];

const TIMES: &[&str] = &[
    "2023-11-14T22:13:20.123Z",
    "2023-11-14T23:13:20+01:00",
    "-009999-01-02T01:59:59Z",
    "9999-12-30T22:00:00.999999999Z",
    "1970-01-01T00:00:00.0009Z",
    "2016-12-31T23:59:60Z",
    "2023-11-14 22:13:20-00:00[Europe/Berlin]",
];

proptest! {
    #[test]
    fn a_damaged_recipe_is_read_or_refused_at_places_of_its_text(yaml in damaged(RECIPES)) {
        match recipe::parse(&yaml) {
            Ok(recipe) => assert_bounded(&recipe)?,
            Err(problems) => {
                prop_assert!((1..=PROBLEMS_MAX).contains(&problems.len()));
                // YAML also ends a line at a lone carriage return.
                let lines = yaml.split(['\n', '\r', '\u{85}', '\u{2028}']).count() as u64;
                for problem in &problems {
                    prop_assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem}");
                    prop_assert!(!problem.message.trim().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_recipe_that_is_written_reads_back_the_same(recipe in any_recipe()) {
        let text = written(&recipe).to_string();
        prop_assert_eq!(recipe::parse(&text), Ok(recipe), "{}", text);
    }

    #[test]
    fn a_damaged_goal_becomes_items_that_can_be_made_or_is_refused_in_words(
        goal in prop_oneof![damaged(GOALS), odd_text()],
    ) {
        match plan::heuristic(&goal) {
            Ok(plan) => {
                prop_assert!((1..=ITEMS_MAX).contains(&plan.items.len()));
                for item in plan.items {
                    prop_assert!(item.title.chars().count() <= TITLE_CHARS && !item.title.contains(char::is_control));
                    prop_assert!(!item.prompt.trim().is_empty());
                    let spec = Spec { prompt: Some(item.prompt), ..Spec::new(item.title) };
                    prop_assert!(spec.clone().checked().is_ok(), "{:?}", spec);
                }
            }
            Err(refusal) => prop_assert!(!refusal.detail.trim().is_empty()),
        }
    }

    #[test]
    fn a_time_that_is_read_is_written_and_read_the_same(text in damaged(TIMES)) {
        let read = |text: &str| serde_json::from_value::<Timestamp>(json!(text));
        match read(&text) {
            Ok(at) => prop_assert_eq!(read(&at.to_string()).ok(), Some(at)),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn what_a_client_says_of_an_item_has_one_normal_form(spec in any_spec()) {
        match spec.checked() {
            Ok(once) => prop_assert_eq!(once.clone().checked(), Ok(once)),
            Err(refusal) => prop_assert!(!refusal.detail.trim().is_empty()),
        }
    }

    #[test]
    fn names_and_repositories_are_accepted_or_refused_in_words(
        text in prop_oneof![
            damaged(&["/srv/repo", "https://host/a.git", "git@host:a/b.git", "ssh://git@host:22/a", "--upload-pack=x"]),
            odd_text(),
        ],
    ) {
        if let Err(refusal) = project::check_repository(&text) {
            prop_assert!(!refusal.to_string().trim().is_empty());
        } else {
            prop_assert!(!text.starts_with('-') && !text.contains(char::is_control), "{:?}", text);
        }
    }
}

const SEALED: &[&str] = &[
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
    "00000000:gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==",
    "gAAAAA==",
    "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
];

/// Writes a text with a secret in it as programs do, and returns with it what must not be left of the secret.
fn written_as(how: usize, before: &str, secret: &str, after: &str) -> (String, String) {
    let text = format!("{before}{secret}{after}");
    let in_json = |text: &str| json!(text).to_string();
    let inner = |text: String| text[1..text.len() - 1].to_owned();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    match how {
        0 => (text, secret.to_owned()),
        1 => (in_json(&text), inner(in_json(secret))),
        2 => (in_json(&in_json(&text)), inner(in_json(&inner(in_json(secret))))),
        3 => (hex(&text), hex(secret)),
        4 => (hex(&text).to_uppercase(), hex(secret).to_uppercase()),
        5 => (percent(&text), percent(secret)),
        _ => {
            let engine = if how == 6 { STANDARD } else { URL_SAFE_NO_PAD };
            // Of the text around it, whole groups: what is left are the letters that are the secret's alone.
            let place = before.len() % 3;
            let alone =
                engine.encode([&before.as_bytes()[before.len() - place..], secret.as_bytes()].concat());
            let end = (place + secret.len()) * 8 / 6;
            (engine.encode(&text), alone[(place * 8).div_ceil(6)..end].to_owned())
        }
    }
}

proptest! {
    #[test]
    fn nothing_of_a_secret_is_left_in_any_form(
        secret in odd_text().prop_filter("is one", |text| text.len() >= 4 && !text.trim().is_empty()),
        (before, after) in (odd_text(), odd_text()),
        how in 0..8_usize,
        size in 1..9_usize,
    ) {
        let hidden = Secret::from(secret.as_str());
        let redactor = Arc::new(Redactor::new([("NAME", &hidden)]).unwrap());
        let (text, form) = written_as(how, &before, &secret, &after);
        let masked = redactor.redact(&text);
        let parts: Vec<&str> = masked.split("[redacted:NAME]").flat_map(|part| part.split("***")).collect();
        prop_assert!(parts.len() > 1, "{form:?} of {secret:?} is not found in {text:?}");
        prop_assert!(parts.iter().all(|part| !part.contains(&form)), "{form:?} is left in {masked:?}");
        let (mut stream, mut out) = (RedactorStream::new(Arc::clone(&redactor)), Vec::new());
        text.as_bytes().chunks(size).for_each(|piece| stream.push(piece, &mut out));
        stream.finish(&mut out);
        prop_assert_eq!(out, redactor.redact_bytes(text.as_bytes()).into_owned());
        let mut value = json!({text.clone(): [text]});
        redactor.redact_json(&mut value);
        let (key, member) = value.as_object().unwrap().iter().next().unwrap();
        prop_assert_eq!((key.as_str(), member), (&*masked, &json!([masked.clone()])));
    }

    #[test]
    fn a_damaged_token_or_key_is_refused_in_words_that_do_not_show_it(
        text in prop_oneof![damaged(SEALED), odd_text()],
        byte in any::<u8>(),
    ) {
        let key = || FernetKey::from_bytes(Zeroizing::new([byte; fernet::KEY_BYTES]));
        let ring = KeyRing::new(key(), []);
        let refused = [key().decrypt(&text), ring.open(&text)].map(|opened| opened.unwrap_err().to_string());
        let unread = KeyRing::parse(&text).err().map(|error| error.to_string());
        for said in refused.iter().chain(&unread) {
            prop_assert!(text.len() < 20 || !said.contains(&text), "{said}");
        }
    }
}

proptest! {
    #[test]
    fn no_depth_and_no_width_of_a_recipe_is_too_much(
        begin in select(vec!["", "steps: ", "steps:\n- "]),
        piece in select(vec!["[", "{a: ", "- ", "? ", "- [", "&a ", "!!str ", "\"", "|\n ", "a: ", "*a, ", "[&a x, *a]"]),
        times in prop_oneof![1..50_usize, 1..60_000_usize],
        end in select(vec!["", "]", "x", "\n"]),
    ) {
        let yaml = format!("{begin}{}{end}", piece.repeat(times));
        if let Ok(recipe) = recipe::parse(&yaml) {
            assert_bounded(&recipe)?;
        }
    }
}

fn assert_bounded(recipe: &Recipe) -> Result<(), TestCaseError> {
    prop_assert!(recipe.tools.len() <= TOOLS_MAX && recipe.steps.len() <= STEPS_MAX);
    for step in &recipe.steps {
        prop_assert!(!step.run.trim().is_empty() && !step.run.contains('\0'));
        prop_assert!(step.timeout_ms.is_none_or(|ms| (1..=STEP_TIMEOUT_MS_MAX).contains(&ms)));
        prop_assert!(step.retries <= STEP_RETRIES_MAX);
        prop_assert!(step.env.len() <= ENV_MAX && step.artifacts.len() <= ARTIFACTS_MAX);
        let known = |name: &String| recipe.tools.iter().any(|tool| tool.name == *name);
        prop_assert!(step.uses.iter().flatten().all(known));
    }
    Ok(())
}

/// Writes a recipe as JSON, which is YAML as well.
fn written(recipe: &Recipe) -> Value {
    let tool = |tool: &Tool| {
        let mut fields = json!({"name": tool.name, "env": tool.env, "network": tool.network});
        fields.as_object_mut().unwrap().extend(tool.version.iter().map(|v| ("version".into(), json!(v))));
        let checksum =
            tool.sha256.iter().map(|digits| ("checksum".into(), json!(format!("sha256:{digits}"))));
        fields.as_object_mut().unwrap().extend(checksum);
        fields
    };
    let step = |step: &Step| {
        let mut fields = json!({
            "run": step.run, "env": step.env, "retries": step.retries, "if": step.condition.as_str(),
            "artifacts": step.artifacts,
        });
        let members = fields.as_object_mut().unwrap();
        members.extend(step.timeout_ms.iter().map(|ms| ("timeout".into(), json!(*ms as f64 / 1e3))));
        members.extend(step.cwd.iter().map(|cwd| ("cwd".into(), json!(cwd))));
        members.extend(step.uses.iter().map(|uses| ("uses".into(), json!(uses))));
        fields
    };
    json!({
        "tools": recipe.tools.iter().map(tool).collect::<Vec<_>>(),
        "steps": recipe.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

/// A text that a process can be given; the control characters that YAML does not print are left out.
fn words() -> impl Strategy<Value = String> {
    let printed = |c: &char| {
        *c >= ' ' && !('\u{7f}'..'\u{a0}').contains(c) && *c != '\u{feff}' || "\n\t\r".contains(*c)
    };
    odd_text().prop_map(move |text| text.chars().filter(printed).collect())
}

fn env() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    btree_map("[A-Za-z_][A-Za-z0-9_]{0,6}", words(), 0..4)
}

fn any_tool() -> impl Strategy<Value = Tool> {
    let version = of("v?[0-9]{1,2}(\\.[0-9]{1,3}){0,3}(-rc\\.[0-9])?");
    ("[a-z0-9_][a-z0-9._+-]{0,8}", version, of("[0-9a-f]{64}"), env(), any::<bool>())
        .prop_map(|(name, version, sha256, env, network)| Tool { name, version, sha256, env, network })
}

fn any_step() -> impl Strategy<Value = (Step, Option<Vec<Index>>)> {
    let patterns = vec(select(vec!["dist/**", "a b.txt", "*.[ch]", "x{1,2}", "é/\\*"]), 0..3);
    let times = (of(1..=STEP_TIMEOUT_MS_MAX), 0..=STEP_RETRIES_MAX);
    let cwd = of(select(vec![".", "./deploy", "a/../b", "a b", "é", "true", "1e3", "~"]));
    (words(), env(), times, cwd, select(Condition::ALL.to_vec()), of(vec(any::<Index>(), 0..3)), patterns)
        .prop_map(|(run, env, (timeout_ms, retries), cwd, condition, uses, artifacts)| {
            let step = Step {
                run: format!("{run}:"),
                env,
                timeout_ms,
                cwd: cwd.map(Into::into),
                retries,
                condition,
                uses: None,
                artifacts: artifacts.into_iter().map(Into::into).collect(),
            };
            (step, uses)
        })
}

fn any_recipe() -> impl Strategy<Value = Recipe> {
    (vec(any_tool(), 0..4), vec(any_step(), 0..5)).prop_map(|(mut tools, steps)| {
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools.dedup_by(|a, b| a.name == b.name);
        let name = |at: Index| tools[at.index(tools.len())].name.clone();
        let steps = steps.into_iter().map(|(step, uses)| {
            let uses = uses.map(|uses| uses.into_iter().filter(|_| !tools.is_empty()).map(name).collect());
            Step { uses, ..step }
        });
        let steps = steps.collect();
        Recipe { tools, steps, warnings: vec![] }
    })
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let executor = select(vec![Executor::Recipe, Executor::Agent, Executor::External]);
    let word = || prop_oneof![Just(String::from("word")), odd_text()];
    (odd_text(), executor, of(word()), of(word()), 0..12_u8, of(any::<i64>()), vec(word(), 0..40)).prop_map(
        |(title, executor, agent, category, priority, timeout_ms, labels)| Spec {
            executor,
            agent,
            category,
            priority,
            timeout_ms,
            labels,
            ..Spec::new(title)
        },
    )
}
