//! Aliases of agents: said, said otherwise, and removed; and what became of publications.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::document::Kind;
use crate::tx::{Sequence, Tx};
use spalla_domain::alias::{ALIASES_MAX, Alias, NewAlias};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::registry_news::RegistryNews;
use spalla_domain::{AliasId, ProjectId, Refusal};

/// Makes an alias, or says what the one of its name is from now on.
pub(crate) async fn set<T: Tx>(desk: &mut Desk<'_, T>, new: &NewAlias) -> Answer<Reply> {
    let now = desk.context.now;
    new.make(AliasId(0), now, now)?;
    // Nobody else makes one of the same name meanwhile.
    desk.document_count(Kind::Alias).await?;
    let known: Vec<Alias> = desk.documents_of(0).await?;
    let before = known.iter().find(|alias| alias.name == new.name);
    if before.is_none() && known.len() >= ALIASES_MAX {
        let detail = format!("there are {} aliases; at most {ALIASES_MAX} are kept", known.len());
        return Err(Refusal::new(Code::TooManyAliases, detail).mend("remove one").into());
    }
    let (id, created_at) = match before {
        Some(before) => (before.id, before.created_at),
        None => (AliasId(desk.next_id(Sequence::Alias).await?), now),
    };
    let alias = new.make(id, created_at, now)?;
    desk.keep(&alias)?;
    let Alias { name, agent, .. } = alias;
    desk.fact(ProjectId::NONE, None, None, Fact::AliasSet { name, agent });
    Ok(Reply::Alias { id, is_new: before.is_none() })
}

/// Removes an alias. Work items that were made for it keep what they began with.
pub(crate) async fn remove<T: Tx>(desk: &mut Desk<'_, T>, name: &str) -> Answer<Reply> {
    let known: Vec<Alias> = desk.documents_of(0).await?;
    let found = known.into_iter().find(|alias| alias.name == name);
    let Alias { id, name, .. } = found.ok_or_else(|| Refusal::not_found("alias", name))?;
    desk.remove(Kind::Alias, id.0);
    desk.fact(ProjectId::NONE, None, None, Fact::AliasRemoved { name });
    Ok(Reply::Alias { id, is_new: false })
}

/// Tells what became of a publication of agents.
pub(crate) fn tell<T: Tx>(desk: &mut Desk<'_, T>, news: &RegistryNews) -> Reply {
    let fact = match news.clone() {
        RegistryNews::Reloaded(reloaded) => Fact::RegistryReloaded(Box::new(reloaded)),
        RegistryNews::Refused(refused) => Fact::RegistryRefused(Box::new(refused)),
        RegistryNews::Unreached(names) => Fact::ReceiverUnknown { names },
    };
    desk.fact(ProjectId::NONE, None, None, fact);
    Reply::Done
}
