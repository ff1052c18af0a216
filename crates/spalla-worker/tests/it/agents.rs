//! Agents of a person's own: a script that a file describes, called behind the walls and judged by what it changed.

use crate::fake::Wanted;
use crate::site::Site;
use serde_json::Value;
use spalla_adapter::library::Library;
use spalla_domain::adapter::Adapter;
use spalla_domain::claim::Completion;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::Executor;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Makes a repository with one commit.
pub(crate) fn repository(site: &Site) -> PathBuf {
    let path = site.path("repo");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("file"), "committed\n").unwrap();
    for args in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=P", "-c", "user.email=p@example.org", "commit", "--quiet", "-m", "first"],
    ] {
        let mut git = Command::new("git");
        git.args(args).current_dir(&path).env("GIT_CONFIG_GLOBAL", "/dev/null");
        assert!(git.env("GIT_CONFIG_NOSYSTEM", "1").status().unwrap().success());
    }
    path
}

/// Makes a program of a shell script.
pub(crate) fn program(site: &Site, name: &str, script: &str) -> String {
    let folder = site.path("programs");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// The file of an adapter, as a person writes it.
fn file_of(name: &str, program: &str, output: &str) -> String {
    format!(
        "name = '{name}'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\noutput = '{output}'\nprompt = 'stdin'\n\
         [command]\nfirst = ['work']\nlast = ['--']\nparts = [\n\
         {{ when = 'model', args = ['--model', '{{model}}'] }},\n{{ when = 'profile', args = ['-p', '{{profile}}'] }},\n\
         {{ when = 'web_search', args = ['--web'] }},\n{{ when = 'no_web_search', args = ['--no-web'] }},\n]\n"
    )
}

pub(crate) fn agent(name: &'static str, repository: &Path) -> Wanted {
    Wanted {
        title: "Change the file",
        executor: Executor::Agent,
        agent: Some(name),
        repository: Some(repository.display().to_string()),
        ..Wanted::default()
    }
}

pub(crate) fn result(completion: &Completion) -> Value {
    serde_json::from_str(completion.result.as_ref().unwrap().get()).unwrap()
}

pub(crate) fn library(files: &[String]) -> Library {
    let mut library = Library::built_in().unwrap();
    for text in files {
        library.add("mine.toml", Ok(text.clone()));
    }
    assert_eq!(library.broken(), []);
    library
}

#[tokio::test]
async fn an_agent_that_a_file_describes_changes_a_file_and_tells_events() {
    let site = Site::new();
    let repository = repository(&site);
    let script = r#"
prompt=$(cat)
echo '{"type":"progress","payload":{"text":"half","progress":50,"own":[7]}}'
echo "I was asked: $prompt"
echo '{"type":"finding","payload":'
echo changed > file
echo "I was called with $*"
"#;
    let program = program(&site, "mine", script);
    let adapters = library(&[file_of("mine", &program, "jsonl-events")]).definitions();
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let run = site.fake.add(agent("mine", &repository));
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?} {:?}", site.fake.lines(run, Stream::Stdout));
    let result = result(&completion);
    assert_eq!(result["change"]["files"][0]["path"], "file", "{result}");
    let answer = result["answer"].as_str().unwrap();
    assert!(answer.contains("I was asked: ") && answer.contains("Change the file"), "{answer}");
    assert!(answer.ends_with("\nI was called with work --"), "{answer}");
    let events = fs::read_to_string(result["events"].as_str().unwrap()).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| events.iter().find(|event| event["type"] == kind && event["agent"] == "mine").unwrap();
    assert_eq!(of("progress")["payload"]["own"][0], 7);
    assert_eq!(of("error")["payload"]["excerpt"], r#"{"type":"finding","payload":"#);
    assert_eq!(fs::read_to_string(repository.join("file")).unwrap(), "committed\n");
    worker.stop().await;
}

#[tokio::test]
async fn what_opens_an_agents_model_is_found_in_nothing_that_is_kept_of_what_it_says() {
    const KEY: &str = "sk-own-0123456789abcdef";
    const LOGIN: &str = "login-0123456789abcdef";
    let site = Site::new();
    let repository = repository(&site);
    let theirs = site.path("person/.mine");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("auth.json"), format!("{{\"tokens\": {{\"access_token\": \"{LOGIN}\"}}}}"))
        .unwrap();
    // The key stands where a long text is cut, in the middle of a line that can't be read, and in the answer.
    let script = r#"
cat > /dev/null; env; env >&2; cat "$HOME/.mine/auth.json" >&2
long=$(head -c 8180 /dev/zero | tr '\0' x)
rest=$(head -c 70000 /dev/zero | tr '\0' y)
echo '{"type":"finding","payload":{"text":"'$long$MINE_API_KEY$rest'"}}'
echo '{"type":"finding","payload":{"'$MINE_API_KEY'":["'$MINE_API_KEY'"]}}'
echo '{"type":"finding","payload":'$(head -c 160 /dev/zero | tr '\0' z)$MINE_API_KEY
echo changed > file
echo "I have $MINE_API_KEY and $(printf %s "$MINE_API_KEY" | base64)"
"#;
    let program = program(&site, "mine", script);
    let more = "[environment]\nprefixes = ['MINE_']\n[home]\nfolder = '.mine'\nfiles = ['auth.json']\n";
    let file = format!("{}{more}", file_of("mine", &program, "jsonl-events"));
    let adapters = library(&[file]).definitions();
    let mut worker = site.start_with(|options| {
        options.adapters = Arc::new(adapters);
        options.environment.insert("MINE_API_KEY".into(), KEY.into());
        options.environment.insert("HOME".into(), site.path("person").display().to_string());
    });
    let run = site.fake.add(agent("mine", &repository));
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    let said: Vec<String> = [Stream::Stdout, Stream::Stderr, Stream::System]
        .into_iter()
        .flat_map(|stream| site.fake.lines(run, stream))
        .collect();
    let told = format!("{:?}", site.fake.state().told);
    let events = fs::read_to_string(result(&completion)["events"].as_str().unwrap()).unwrap();
    let all = format!("{said:?}\n{told}\n{events}\n{completion:?}");
    assert!(told.contains("finding") || told.contains("Finding"), "{told}");
    assert!(all.contains("[redacted:MINE_API_KEY]") && all.contains("[redacted:access_token]"), "{all}");
    for hidden in [KEY, LOGIN, &KEY[..12]] {
        assert!(!all.contains(hidden), "{hidden}: {all}");
    }
    let left = crate::site::bytes_beneath(&site.data());
    let holds = |bytes: &[u8]| bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
    let files: Vec<_> = left.iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect();
    assert!(files.is_empty(), "{files:?}");
}

#[tokio::test]
async fn what_an_item_says_comes_before_the_settings_and_both_before_the_adapter() {
    let site = Site::new();
    let repository = repository(&site);
    let script = "cat > /dev/null; echo $* >> file; echo \"args: $*\"\n";
    let program = program(&site, "mine", script);
    let adapters = library(&[file_of("mine", &program, "text")]).definitions();
    let theirs = Adapter {
        model: Some("theirs".into()),
        profile: Some("work".into()),
        web_search: Some(false),
        ..Adapter::default()
    };
    let mut worker = site.start_with(|options| {
        options.adapters = Arc::new(adapters);
        options.wishes = Arc::new([("mine".to_owned(), theirs)].into());
    });
    let own = Adapter { model: Some("own".into()), web_search: Some(true), ..Adapter::default() };
    for (number, adapter, wanted) in [
        (1, None, "args: work --model theirs -p work --no-web --"),
        (2, Some(own), "args: work --model own -p work --web --"),
    ] {
        let run = site.fake.add(Wanted { adapter, item: number, ..agent("mine", &repository) });
        let completion = site.fake.ended(run).await;
        assert_eq!(result(&completion)["answer"], wanted, "{:?}", site.fake.lines(run, Stream::Stdout));
    }
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_without_a_program_of_its_own_is_called_by_the_items_command() {
    let site = Site::new();
    let repository = repository(&site);
    let program =
        program(&site, "any", "cat > /dev/null\necho changed > file\necho done by $1\necho really\n");
    let mut worker = site.start_with(|options| options.adapters = Arc::new(library(&[]).definitions()));
    let command = vec![program, "anybody".to_owned()];
    let adapter = Some(Adapter { command, ..Adapter::default() });
    let run = site.fake.add(Wanted { adapter, ..agent("text", &repository) });
    let completion = site.fake.ended(run).await;
    assert_eq!(result(&completion)["answer"], "done by anybody\nreally", "{completion:?}");
    assert!(completion.success);
    let run = site.fake.add(Wanted { item: 2, ..agent("jsonl", &repository) });
    let completion = site.fake.ended(run).await;
    let error = completion.error.unwrap();
    assert_eq!(error.class, ErrorClass::Validation);
    assert!(
        error.message.contains("no program of its own") && error.message.contains("adapter.command"),
        "{error:?}"
    );
    worker.stop().await;
}

/// An agent that is spoken with, and writes once it may.
pub(crate) const TALKER: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    case "$line" in
    *'"method":"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":1}}' ;;
    *'"method":"session/new"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"sessionId":"talk"}}' ;;
    *'"method":"session/prompt"'*)
        echo '{"jsonrpc":"2.0","id":"may","method":"session/request_permission","params":{"sessionId":"talk","options":[{"kind":"allow_once","optionId":"yes"},{"kind":"reject_once","optionId":"no"}],"toolCall":{"title":"Write","kind":"edit"}}}'
        read -r answer
        case "$answer" in *'"optionId":"yes"'*) echo changed >file ;; esac
        echo '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"talk","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"Written."}}}}'
        echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":2}}}'
        ;;
    esac
done
"#;

#[tokio::test]
async fn an_agent_is_spoken_with_over_acp_and_goes_when_nothing_more_is_said() {
    for rest in ["", "sleep 600\n"] {
        let site = Site::new();
        let repository = repository(&site);
        let program = program(&site, "talker", &format!("{TALKER}{rest}"));
        let mut worker = site.start_with(|options| options.adapters = Arc::new(library(&[]).definitions()));
        let adapter = Some(Adapter { command: vec![program], ..Adapter::default() });
        let run = site.fake.add(Wanted { adapter, ..agent("acp", &repository) });
        let completion = site.fake.ended(run).await;
        assert!(completion.success, "{completion:?} {:?}", site.fake.lines(run, Stream::Stdout));
        let result = result(&completion);
        assert_eq!(
            (&result["answer"], &result["change"]["files"][0]["path"]),
            (&"Written.".into(), &"file".into())
        );
        assert_eq!(completion.usage.as_ref().and_then(|usage| usage.input_tokens), Some(9));
        worker.stop().await;
    }
}

/// An agent that is denied a tool until a person says something, and prints what Claude Code prints then.
const DENIED: &str = r#"
prompt=$(cat)
end='"session_id":"t","usage":{"input_tokens":1,"output_tokens":1},"result":"Done.","is_error":false'
echo '{"type":"system","subtype":"init","session_id":"t"}'
case $prompt in
*'A person looked'*) echo "$prompt" > file; echo "{\"type\":\"result\",\"subtype\":\"success\",\"permission_denials\":[],$end}" ;;
*) echo "{\"type\":\"result\",\"subtype\":\"success\",\"permission_denials\":[{\"tool_name\":\"Write\",\"tool_use_id\":\"u\",\
\"tool_input\":{\"file_path\":\"/etc/x\"}}],$end}" ;;
esac
"#;

async fn denied_until(decision: &str) -> (Site, Completion) {
    let site = Site::new();
    let repository = repository(&site);
    let program = program(&site, "mine", DENIED);
    let adapters = library(&[file_of("mine", &program, "claude-stream-json")]).definitions();
    site.fake.change(|state| state.answers = [("decision".to_owned(), decision.to_owned())].into());
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let run = site.fake.add(agent("mine", &repository));
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    (site, completion)
}

#[tokio::test]
async fn an_agent_that_was_denied_something_waits_for_a_person_and_tries_again_with_their_words() {
    let (site, completion) = denied_until("Use the file instead").await;
    assert!(completion.success, "{completion:?}");
    let result = result(&completion);
    assert_eq!(result["recoveries"][0]["action"], "ask_a_person", "{result}");
    assert_eq!(result["turns"], 2);
    let patch = fs::read_to_string(result["change"]["patch"].as_str().unwrap()).unwrap();
    assert!(patch.contains("Use the file instead"), "{patch}");
    let asked = site.fake.state().asked.clone();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].0.contains("can't go on") && asked[0].0.contains("What helps: "), "{}", asked[0].0);
}

#[tokio::test]
async fn an_agent_that_was_denied_something_fails_where_a_person_ends_it() {
    let (site, completion) = denied_until("stop").await;
    let error = completion.error.unwrap();
    assert_eq!(error.class, ErrorClass::Denied, "{error:?}");
    assert!(error.message.contains("can't go on without a person"), "{}", error.message);
    assert_eq!(site.fake.state().asked.len(), 1);
}

/// A shell function that prints what Claude Code prints of a call and what came of it.
const CALL: &str = r#"
call() { # id, tool, input, result
  printf '{"type":"assistant","message":{"content":[{"type":"tool_use","id":"%s","name":"%s","input":%s}]}}\n' "$1" "$2" "$3"
  printf '{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"%s","content":"%s"}]}}\n' "$1" "$4"
}
cat > /dev/null
"#;

#[tokio::test]
async fn an_agent_that_calls_the_same_again_and_again_with_nothing_new_is_stopped_and_that_is_told() {
    let site = Site::new();
    let repository = repository(&site);
    let endless = r#"n=0; while :; do n=$((n+1)); call $n Read '{"file_path":"a.rs"}' "took 0.0$n""s"; done"#;
    let program = program(&site, "mine", &format!("{CALL}{endless}\n"));
    let adapters = library(&[file_of("mine", &program, "claude-stream-json")]).definitions();
    let mut worker = site.start_with(|options| {
        options.adapters = Arc::new(adapters);
        options.limits.repeats_max = 5;
    });
    let run = site.fake.add(agent("mine", &repository));
    let completion = site.fake.ended(run).await;
    let error = completion.error.clone().unwrap();
    assert_eq!(error.class, ErrorClass::Failed);
    assert_eq!(
        error.message,
        "Mine was stopped: it did the same again and again, with nothing new (Read a.rs)"
    );
    let events = fs::read_to_string(result(&completion)["events"].as_str().unwrap()).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = events.map(|event| event["payload"].clone()).find(|payload| payload["cause"] == "loop");
    let told = told.expect("a loop is an event");
    assert_eq!((&told["act"], &told["rounds"]), (&"Read a.rs".into(), &5.into()));
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_that_changes_one_file_again_and_again_is_let_go_on() {
    let site = Site::new();
    let repository = repository(&site);
    let work = r#"
for n in $(seq 40); do
  echo "$n" > file
  call $n Edit "{\"file_path\":\"file\",\"new_string\":\"$n\"}" updated
  call c$n Bash '{"command":"cat file"}' "$n"
done
echo '{"type":"result","subtype":"success","is_error":false,"result":"Done."}'
"#;
    let program = program(&site, "mine", &format!("{CALL}{work}"));
    let adapters = library(&[file_of("mine", &program, "claude-stream-json")]).definitions();
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let run = site.fake.add(agent("mine", &repository));
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?}");
    worker.stop().await;
}
