//! Agents that are spoken with while they work: asked to stop, called in another way where no conversation begins, and told of
//! the tools of the server.

use crate::agents::{agent, library, program, repository, result};
use crate::fake::Wanted;
use crate::site::Site;
use spalla_domain::log::Stream;
use std::sync::Arc;

/// An agent that says which tools it is given, waits until it is asked to stop, and says that it does.
const WAITS: &str = r#"
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
    case "$line" in
    *'"method":"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":1}}' ;;
    *'"method":"session/new"'*)
        case "$line" in *'"name":"spalla"'*) echo '{"type":"status","payload":{"text":"it has tools"}}' ;; esac
        case "$line" in *'"args":["mcp"]'*) echo '{"type":"status","payload":{"text":"it can call them"}}' ;; esac
        case "$line" in *'"value":"the-token"'*) echo '{"type":"status","payload":{"text":"it is let in"}}' ;; esac
        echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"sessionId":"talk"}}'
        ;;
    *'"method":"session/prompt"'*)
        prompt=$id
        echo '{"type":"status","payload":{"text":"it waits"}}'
        ;;
    *'"method":"session/cancel"'*)
        echo '{"type":"status","payload":{"text":"it stops"}}'
        echo '{"jsonrpc":"2.0","id":'"$prompt"',"result":{"stopReason":"cancelled","usage":{"inputTokens":7,"outputTokens":2}}}'
        ;;
    esac
done
"#;

/// The file of an agent that is spoken with, and has another way.
fn file_of(program: &str) -> String {
    format!(
        "name = 'mine'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\noutput = 'acp'\nprompt = 'dialogue'\n\
         [command]\nfirst = ['talk']\n\
         [fallback]\noutput = 'text'\nprompt = 'stdin'\n[fallback.command]\nfirst = ['work']\n"
    )
}

#[tokio::test]
async fn an_agent_that_is_spoken_with_is_asked_to_stop_and_what_it_used_until_then_is_told() {
    let site = Site::new();
    let repository = repository(&site);
    let adapters = library(&[file_of(&program(&site, "waits", WAITS))]).definitions();
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let run = site.fake.add(agent("mine", &repository));
    site.fake.said(run, "[status] it waits").await;
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().cancel = true);
    let completion = site.fake.ended(run).await;
    assert_eq!(completion.error.as_ref().unwrap().message, "the run was cancelled");
    let lines = site.fake.lines(run, Stream::Stdout);
    assert!(lines.iter().any(|line| line == "[status] it stops"), "{lines:?}");
    assert_eq!(completion.usage.as_ref().and_then(|usage| usage.input_tokens), Some(7), "{completion:?}");
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_that_does_not_hear_that_it_is_to_stop_is_ended() {
    let site = Site::new();
    let repository = repository(&site);
    let deaf = WAITS.replace("session/cancel", "nothing that anybody says");
    let adapters = library(&[file_of(&program(&site, "deaf", &deaf))]).definitions();
    let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
    let run = site.fake.add(Wanted { timeout_ms: 3_000, ..agent("mine", &repository) });
    let completion = site.fake.ended(run).await;
    let message = &completion.error.as_ref().unwrap().message;
    assert!(message.starts_with("the run took longer than its"), "{message}");
    worker.stop().await;
}

#[tokio::test]
async fn an_agent_with_which_no_conversation_begins_is_called_in_its_other_way() {
    let site = Site::new();
    let repository = repository(&site);
    for (number, way) in [
        (1, "echo no such word >&2; exit 2"),
        (
            2,
            "read -r line; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no\"}}'; exit 0",
        ),
        (3, "exit 0"),
    ] {
        let name = format!("old-{number}");
        let script = format!(
            "case \"$1\" in talk) {way};; esac\ncat >/dev/null\necho {number} > file\necho It is done.\n"
        );
        let adapters = library(&[file_of(&program(&site, &name, &script))]).definitions();
        let mut worker = site.start_with(|options| options.adapters = Arc::new(adapters));
        let run = site.fake.add(Wanted { item: number, ..agent("mine", &repository) });
        let completion = site.fake.ended(run).await;
        assert!(completion.success, "{way}: {completion:?} {:?}", site.fake.lines(run, Stream::Stdout));
        let result = result(&completion);
        assert_eq!(result["answer"], "It is done.", "{way}: {result}");
        assert_eq!(result["recoveries"][0]["action"], "another_way_of_speaking", "{way}: {result}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn an_agent_over_acp_is_told_of_the_tools_of_the_server_in_the_conversation() {
    let site = Site::new();
    let repository = repository(&site);
    site.fake.change(|state| state.grant = Some(("http://127.0.0.1:1", "the-token")));
    let adapters = library(&[file_of(&program(&site, "waits", WAITS))]).definitions();
    let tools = program(&site, "tools", "exit 0\n");
    let mut worker = site.start_with(|options| {
        options.adapters = Arc::new(adapters);
        options.tools = Some(tools.into());
    });
    let run = site.fake.add(agent("mine", &repository));
    site.fake.said(run, "[status] it waits").await;
    let lines = site.fake.lines(run, Stream::Stdout);
    for wanted in ["[status] it has tools", "[status] it can call them", "[status] it is let in"] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
    }
    worker.stop().await;
}
