//! A definition that was chosen for a piece of work, named or routed alike, with what it says of the runs; and whether what it asks
//! for can be had where the work is done.

use spalla_domain::agent_policy::{AgentPolicy, Verification};
use spalla_domain::chosen::ChosenDefinition;

/// A definition by which work is done.
#[derive(Debug, Clone)]
pub(crate) struct ByDefinition {
    /// Who it is, and how it was found.
    pub(crate) chosen: ChosenDefinition,
    /// What it says of the runs of its work.
    pub(crate) policy: Box<AgentPolicy>,
}

/// Who could review what is done by a definition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peers {
    /// So many agents work in the session, whoever does it among them.
    InSession(usize),
    /// It is done outside of any session.
    Nobody,
}

impl ByDefinition {
    /// Returns it where what it asks for can be had, or says why not. It is asked before anything is begun: a run that can't
    /// succeed in the end is not paid for.
    pub(crate) fn among(self, peers: Peers) -> Result<Self, String> {
        let lack = match peers {
            _ if self.policy.verification != Verification::Peer => return Ok(self),
            Peers::InSession(agents) if agents >= 2 => return Ok(self),
            Peers::InSession(_) => "this session has no two agents",
            Peers::Nobody => "outside a session nobody reviews",
        };
        let name = self.policy.name();
        Err(format!("{name} asks for a peer's approval (verification_policy), and {lack}"))
    }
}

#[cfg(test)]
mod tests {
    //! Which definitions work can be done by, given who is there to review it.

    use super::*;
    use spalla_domain::chosen::ChosenBy;

    fn found(verification: Verification) -> ByDefinition {
        let id = "poet".to_owned();
        let chosen = ChosenDefinition {
            id: id.clone(),
            alias: None,
            digest: String::new(),
            publication: String::new(),
            by: ChosenBy::Routed,
            ambiguous: false,
            stands_in: None,
            explanation: None,
            instructions: String::new(),
        };
        let policy = Box::new(AgentPolicy { id, verification, ..AgentPolicy::default() });
        ByDefinition { chosen, policy }
    }

    #[test]
    fn who_asks_for_a_peer_needs_a_session_of_two_agents() {
        let peer = || found(Verification::Peer);
        assert!(peer().among(Peers::InSession(2)).is_ok());
        for peers in [Peers::InSession(0), Peers::InSession(1)] {
            let why = peer().among(peers).unwrap_err();
            assert!(why.starts_with("poet asks for a peer's approval") && why.ends_with("no two agents"));
        }
        let why = peer().among(Peers::Nobody).unwrap_err();
        assert!(why.ends_with("outside a session nobody reviews"), "{why}");
    }

    #[test]
    fn what_needs_no_peer_is_done_anywhere() {
        for least in [Verification::None, Verification::Smoke, Verification::Verifier] {
            assert!(found(least).among(Peers::Nobody).is_ok());
        }
    }
}
