//! Tokens: made, and revoked for ever.

use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::{Sequence, Tx};
use spalla_domain::access::token::{NewToken, Token};
use spalla_domain::{ProjectId, Refusal, TokenId};

/// Makes a token.
pub(crate) async fn create<T: Tx>(desk: &mut Desk<'_, T>, new: &NewToken) -> Answer<Reply> {
    let now = desk.context.now;
    // What does not fit is refused before a number is taken.
    new.make(TokenId(0), now)?;
    let named = named(new);
    desk.load_projects(named.clone()).await?;
    for id in named {
        desk.project(id).await?;
    }
    let id = TokenId(desk.next_id(Sequence::Token).await?);
    desk.keep(&new.make(id, now)?)?;
    Ok(Reply::Token(id))
}

fn named(new: &NewToken) -> Vec<ProjectId> {
    let of_policies = new.policies.iter().map(|policy| policy.conditions.project_ids.as_ref());
    of_policies.chain([new.project_ids.as_ref()]).flatten().flatten().copied().collect()
}

/// Revokes a token. One that was revoked before stays as it is.
pub(crate) async fn revoke<T: Tx>(desk: &mut Desk<'_, T>, id: TokenId) -> Answer<Reply> {
    let now = desk.context.now;
    let token: Token = desk.document(id.0).await?.ok_or_else(|| Refusal::not_found("token", id))?;
    if token.revoked_at.is_none() {
        desk.keep(&Token { revoked_at: Some(now), ..token })?;
    }
    Ok(Reply::Token(id))
}
