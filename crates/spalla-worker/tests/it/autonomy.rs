//! How much an agent may do without asking: its own commands are held against the command policy by its autonomy, and a person
//! is asked while it waits. Agents that can't be asked are watched.

use crate::agents::{agent, library, program, repository};
use crate::fake::Wanted;
use crate::site::{Site, Working};

use spalla_domain::RunId;
use spalla_domain::adapter::Adapter;
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::found_command::Level;
use spalla_domain::log::Stream;
use spalla_domain::run_event::RunEvent;
use std::sync::Arc;

/// An agent over ACP that asks whether it may run a command, and does what it is told.
const ASKS: &str = r#"
while read -r line; do
    case "$line" in
    *'"optionId":"yes"'*)
        echo '{"type":"status","payload":{"text":"it runs"}}'
        echo changed > file
        echo '{"jsonrpc":"2.0","id":'"$prompt"',"result":{"stopReason":"end_turn"}}'
        continue ;;
    *'"optionId":"no"'*)
        echo '{"type":"status","payload":{"text":"it is refused"}}'
        echo '{"jsonrpc":"2.0","id":'"$prompt"',"result":{"stopReason":"end_turn"}}'
        continue ;;
    esac
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    case "$line" in
    *'"method":"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":1}}' ;;
    *'"method":"session/new"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"sessionId":"talk"}}' ;;
    *'"method":"session/prompt"'*)
        prompt=$id
        echo '{"jsonrpc":"2.0","id":"a","method":"session/request_permission","params":{"sessionId":"talk","toolCall":{"toolCallId":"1","kind":"execute","title":"runs","rawInput":{"command":"COMMAND"}},"options":[{"optionId":"yes","kind":"allow_once"},{"optionId":"no","kind":"reject_once"}]}}'
        ;;
    esac
done
"#;

/// An agent that is not spoken with, and tells what it ran.
const TELLS: &str = r#"cat > /dev/null
echo '{"type":"progress","payload":{"text":"runs","tool":"Bash","command":"COMMAND"}}'
echo changed > file
"#;

fn start(site: &Site, (script, command): (&str, &str), way: &str) -> Working {
    let program = program(site, "mine", &script.replace("COMMAND", command));
    let file = format!("name = 'mine'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\n{way}\n");
    let adapters = library(&[file]).definitions();
    site.start_with(|options| options.adapters = Arc::new(adapters))
}

fn add(site: &Site, autonomy_permille: Option<u16>) -> RunId {
    let policy = AgentPolicy { id: "tester".into(), autonomy_permille, ..AgentPolicy::default() };
    let adapter = Some(Adapter { policy: Some(Box::new(policy)), ..Adapter::default() });
    site.fake.add(Wanted { adapter, ..agent("mine", &repository(site)) })
}

fn runs(site: &Site, run: RunId) -> bool {
    site.fake.lines(run, Stream::Stdout).iter().any(|line| line == "[status] it runs")
}

const SPOKEN_WITH: &str = "output = 'acp'\nprompt = 'dialogue'";
const WATCHED: &str = "output = 'jsonl-events'\nprompt = 'stdin'";

#[tokio::test]
async fn an_agent_of_little_autonomy_waits_in_its_work_for_a_yes_to_a_command_that_is_only_watched() {
    let site = Site::new();
    let mut worker = start(&site, (ASKS, "sudo make install"), SPOKEN_WITH);
    let run = add(&site, Some(100));
    site.fake.said(run, "the agent waits until somebody decides on approval 7").await;
    assert!(!runs(&site, run));
    site.fake.change(|state| state.said = Some(true));
    let completion = site.fake.ended(run).await;
    assert!(completion.success, "{completion:?}");
    assert!(runs(&site, run));
    {
        let state = site.fake.state();
        assert_eq!((state.found[0].level, &*state.found[0].command), (Level::Confirm, "sudo make install"));
        assert_eq!(state.runs[&run].handed_back, 0);
    }
    worker.stop().await;
}

#[tokio::test]
async fn the_autonomy_of_its_definition_decides_what_an_agent_asks_about() {
    for (autonomy, command, is_run, found) in [
        (Some(500), "git push", false, Some(Level::Confirm)),
        (Some(500), "sudo make install", true, Some(Level::Watched)),
        (Some(500), "make", true, None),
        (Some(900), "git push", true, Some(Level::Watched)),
        (Some(900), "rm -rf /", false, Some(Level::Blocked)),
        (None, "git push", true, None),
    ] {
        let site = Site::new();
        site.fake.change(|state| state.said = Some(false));
        let mut worker = start(&site, (ASKS, command), SPOKEN_WITH);
        let run = add(&site, autonomy);
        let completion = site.fake.ended(run).await;
        let case = format!("{autonomy:?} {command}: {completion:?}");
        assert_eq!((runs(&site, run), completion.success), (is_run, is_run), "{case}");
        assert_eq!(site.fake.state().found.first().map(|found| found.level), found, "{case}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn what_an_agent_ran_that_can_t_be_asked_is_told_where_it_was_to_ask() {
    for (autonomy, command, refusal) in [
        (Some(100), "sudo make install", Some("unasked")),
        (Some(500), "git push", Some("unasked")),
        (Some(500), "sudo make install", None),
        (Some(900), "git push", None),
        (Some(900), "rm -rf /", Some("blocked")),
        (None, "rm -rf /", None),
    ] {
        let site = Site::new();
        let mut worker = start(&site, (TELLS, command), WATCHED);
        let run = add(&site, autonomy);
        let completion = site.fake.ended(run).await;
        assert!(completion.success, "{completion:?}");
        let refusals = |told: &[RunEvent]| -> Vec<String> {
            let refusal = |event: &RunEvent| Some(event.payload.get("refusal")?.as_str()?.to_owned());
            told.iter().filter_map(refusal).collect()
        };
        let told = refusals(&site.fake.state().told);
        assert_eq!(told, refusal.into_iter().collect::<Vec<_>>(), "{autonomy:?} {command}");
        worker.stop().await;
    }
}
