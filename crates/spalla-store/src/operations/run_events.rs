//! Events that are told of a run while it goes on: each is kept once where it has a name, and so many of a run at most.

use super::claim::held;
use super::{run_documents, work_items};
use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::Tx;
use serde_json::Value;
use spalla_domain::audit::{Call, NewEntry, Outcome};
use spalla_domain::claim::Heartbeat;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::run_event::{EVENTS_AT_ONCE, REFUSED_TOOL, RunEvent, RunEvents};
use spalla_domain::{Refusal, RunId};

/// The most of a call that the audit keeps, in bytes.
const RESOURCE_BYTES_MAX: usize = 1_024;

/// Returns what the audit keeps of an event that tells of a tool that an agent may not use.
fn refusal(event: &RunEvent, agent: Option<&str>, run_id: RunId) -> Option<NewEntry> {
    let said = |name: &str| event.payload.get(name).and_then(Value::as_str);
    let tool = said(REFUSED_TOOL)?;
    let cut = |text: &str| text[..text.floor_char_boundary(RESOURCE_BYTES_MAX)].replace('\0', " ");
    let call = Call {
        principal: format!("agent {}", cut(event.agent.as_deref().or(agent).unwrap_or("unknown"))),
        client: format!("run {run_id}"),
        operation: format!("tool {}", cut(said("refusal").unwrap_or("not_listed"))),
        resource: cut(said("call").unwrap_or(tool)),
        request_id: event.id.clone().unwrap_or_else(|| format!("run {run_id}")),
    };
    Some(call.ended(Outcome::Refused, Some("tool_refused".to_owned())))
}

/// Records what was not told before. Telling the same again, under the same names, changes nothing.
pub(crate) async fn tell<T: Tx>(
    desk: &mut Desk<'_, T>,
    holder: Heartbeat,
    events: &[RunEvent],
) -> Answer<Reply> {
    if events.len() > EVENTS_AT_ONCE {
        let detail = format!("{} events; at most {EVENTS_AT_ONCE} are taken at once", events.len());
        return Err(Refusal::new(Code::Invalid, detail).into());
    }
    events.iter().try_for_each(RunEvent::check)?;
    let (item, run_id) = (held(desk, holder).await?, holder.run_id);
    let mut known: RunEvents = match desk.document(run_id.0).await? {
        Some(known) => known,
        None => {
            let spec = work_items::body(desk, item).await?.spec;
            RunEvents::new(run_id, spec.agent, &spec.labels)
        }
    };
    let (before, new) = (known.told, known.take(events));
    if !new.is_empty() {
        run_documents::keep(desk, &known)?;
        let agent = known.agent.clone();
        desk.noted.extend(new.iter().filter_map(|event| refusal(event, agent.as_deref(), run_id)));
        let facts = new.into_iter().map(|event| Fact::AgentTold(Box::new(known.entry(event))));
        desk.facts(item, Some(run_id), facts.collect());
    }
    Ok(Reply::EventsTold { kept: known.told - before })
}
