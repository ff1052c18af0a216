//! Hosts that a run's proxy refused: each is an event, once in a run, and so many at most.

use super::claim::held;
use super::run_documents;
use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::document::RunRefusals;
use crate::tx::Tx;
use spalla_domain::Refusal;
use spalla_domain::claim::Heartbeat;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::refused_host::{REFUSED_HOSTS_MAX, RefusedHost};
use std::collections::BTreeSet;

/// Records what was not known of the run. Telling the same again changes nothing.
pub(crate) async fn report<T: Tx>(
    desk: &mut Desk<'_, T>,
    holder: Heartbeat,
    hosts: &[RefusedHost],
) -> Answer<Reply> {
    if hosts.len() > REFUSED_HOSTS_MAX {
        let detail = format!("{} hosts; at most {REFUSED_HOSTS_MAX} are taken at once", hosts.len());
        return Err(Refusal::new(Code::Invalid, detail).into());
    }
    hosts.iter().try_for_each(RefusedHost::check)?;
    let (item, run_id) = (held(desk, holder).await?, holder.run_id);
    let kept: Option<RunRefusals> = desk.document(run_id.0).await?;
    let mut kept = kept.unwrap_or(RunRefusals { run_id, hosts: BTreeSet::new() });
    let is_new =
        |refused: &&RefusedHost| kept.hosts.len() < REFUSED_HOSTS_MAX && kept.hosts.insert(refused.name());
    let facts: Vec<Fact> = hosts.iter().filter(is_new).map(fact).collect();
    if !facts.is_empty() {
        run_documents::keep(desk, &kept)?;
        desk.facts(item, Some(run_id), facts);
    }
    Ok(Reply::Done)
}

fn fact(refused: &RefusedHost) -> Fact {
    let RefusedHost { host, port, reason } = refused.clone();
    Fact::HostRefused { host, port, reason }
}
