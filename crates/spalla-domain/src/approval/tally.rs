//! Approvals that need several people, or people of one role: what is asked of them, what they said, and what that
//! makes of the approval. An approval that asks for nothing special is decided by one person, as ever.

use super::{Approval, Decision, Status, transition};
use crate::problem::Code;
use crate::work_item::WORD_CHARS_MAX;
use crate::{Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most people that an approval may ask for.
pub const DECIDERS_MAX: u8 = 16;

/// Who has to say yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The role that each of them has; none means anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How many different people.
    #[serde(default = "one")]
    pub count: u8,
}

const fn one() -> u8 {
    1
}

impl Default for Need {
    fn default() -> Self {
        Self { role: None, count: 1 }
    }
}

impl Need {
    /// Checks what a client asked for.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |detail| Err(Refusal::new(Code::Invalid, detail));
        if !(1..=DECIDERS_MAX).contains(&self.count) {
            return invalid(format!("count is {}; it goes from 1 to {DECIDERS_MAX}", self.count));
        }
        let is_word = |role: &String| {
            (1..=WORD_CHARS_MAX).contains(&role.trim().chars().count()) && !role.chars().any(char::is_control)
        };
        match &self.role {
            Some(role) if !is_word(role) => {
                invalid(format!("role {role:?}: it has 1 to {WORD_CHARS_MAX} characters, none of control"))
            }
            _ => Ok(()),
        }
    }
}

/// What one person said to an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Yes or no.
    pub decision: Decision,
    /// Who they are. All who give no name count as one person, since nobody can tell them apart.
    pub by: Option<String>,
    /// The roles they have, as whoever let them in knows them.
    #[serde(default)]
    pub roles: Vec<String>,
    /// When they said it.
    pub at: Timestamp,
    /// What else they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Vote {
    fn who(&self) -> &str {
        self.by.as_deref().map(str::trim).unwrap_or_default()
    }

    fn is_fit(&self, need: &Need) -> bool {
        need.role.as_ref().is_none_or(|role| self.roles.contains(role))
    }
}

/// What an approval has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Where it stands.
    pub status: Status,
    /// How many different people said yes.
    pub given: u8,
    /// How many more have to.
    pub missing: u8,
}

/// Returns what an approval comes to by a further vote. One no is enough to reject it; each person's yes counts once,
/// however often it is said; and a vote after the decision is refused. Only the role that is asked for may vote, either
/// way.
pub fn tally(approval: &Approval, need: &Need, earlier: &[Vote], vote: &Vote) -> Result<Tally, Refusal> {
    // Whether it may be decided at all is the approval's to say.
    let decided = transition(approval, vote.decision)?;
    if let Some(role) = need.role.as_ref().filter(|_| !vote.is_fit(need)) {
        let detail = format!("approval {} is decided by somebody with the role {role:?}", approval.id);
        return Err(Refusal::new(Code::RoleRequired, detail).mend("ask one of them"));
    }
    let given = given(need, earlier.iter().chain([vote]));
    let missing = need.count.saturating_sub(given);
    let status = match decided {
        Status::Approved if missing > 0 => Status::Pending,
        decided => decided,
    };
    Ok(Tally { status, given, missing })
}

/// Counts the people who said yes, each once.
pub fn given<'v>(need: &Need, votes: impl IntoIterator<Item = &'v Vote>) -> u8 {
    let counts = |vote: &&Vote| vote.decision == Decision::Approve && vote.is_fit(need);
    let said_yes: BTreeSet<&str> = votes.into_iter().filter(counts).map(Vote::who).collect();
    u8::try_from(said_yes.len()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Kind;
    use crate::{ApprovalId, WorkItemId};
    use proptest::prelude::*;

    fn approval(status: Status) -> Approval {
        Approval {
            id: ApprovalId(1),
            work_item_id: WorkItemId(2),
            kind: Kind::Deploy,
            status,
            requested_at: Timestamp::from_ms(0),
            decided_at: None,
            decided_by: None,
            note: None,
            subject: None,
        }
    }

    fn vote(decision: Decision, by: &str) -> Vote {
        let by = (!by.is_empty()).then(|| by.to_owned());
        Vote { decision, by, roles: vec!["lead".into()], at: Timestamp::from_ms(0), note: None }
    }

    fn yes(by: &str) -> Vote {
        vote(Decision::Approve, by)
    }

    /// Says yes one after another; answers where the approval stands after each.
    fn after(need: &Need, names: &[&str]) -> Vec<(Status, u8)> {
        let votes: Vec<Vote> = names.iter().map(|name| yes(name)).collect();
        (0..votes.len())
            .map(|at| tally(&approval(Status::Pending), need, &votes[..at], &votes[at]).unwrap())
            .map(|tally| (tally.status, tally.missing))
            .collect()
    }

    #[test]
    fn one_yes_is_enough_where_nothing_else_is_asked_for() {
        assert_eq!(after(&Need::default(), &[""]), [(Status::Approved, 0)]);
    }

    #[test]
    fn several_different_people_have_to_say_yes_and_nobody_counts_twice() {
        let need = Need { count: 3, ..Need::default() };
        assert_eq!(
            after(&need, &["ann", " ann ", "bob", "bob", "eve"]),
            [
                (Status::Pending, 2),
                (Status::Pending, 2),
                (Status::Pending, 1),
                (Status::Pending, 1),
                (Status::Approved, 0)
            ]
        );
    }

    #[test]
    fn all_who_give_no_name_are_one_person() {
        let need = Need { count: 2, ..Need::default() };
        assert_eq!(after(&need, &["", " ", "ann"]).last(), Some(&(Status::Approved, 0)));
        assert_eq!(after(&need, &["", " ", ""]).last(), Some(&(Status::Pending, 1)));
    }

    #[test]
    fn one_no_rejects_even_by_somebody_who_said_yes() {
        let need = Need { count: 3, ..Need::default() };
        for by in ["ann", "bob"] {
            let no = vote(Decision::Reject, by);
            let tally = tally(&approval(Status::Pending), &need, &[yes("ann")], &no).unwrap();
            assert_eq!((tally.status, tally.given), (Status::Rejected, 1));
        }
    }

    #[test]
    fn only_the_role_that_is_asked_for_may_vote() {
        let need = Need { role: Some("owner".into()), count: 1 };
        for decision in [Decision::Approve, Decision::Reject] {
            let refusal = tally(&approval(Status::Pending), &need, &[], &vote(decision, "ann")).unwrap_err();
            assert_eq!(refusal.code, Code::RoleRequired);
        }
        let owner = Vote { roles: vec!["owner".into()], ..yes("ann") };
        assert_eq!(tally(&approval(Status::Pending), &need, &[], &owner).unwrap().status, Status::Approved);
    }

    #[test]
    fn a_decided_approval_takes_no_vote() {
        for status in [Status::Approved, Status::Rejected] {
            let refusal = tally(&approval(status), &Need::default(), &[], &yes("ann")).unwrap_err();
            assert_eq!(refusal.code, Code::AlreadyDecided);
        }
    }

    #[test]
    fn what_is_asked_for_is_bounded() {
        let asked = |role: Option<&str>, count| Need { role: role.map(str::to_owned), count }.check().is_ok();
        assert_eq!(
            [0, 1, DECIDERS_MAX, DECIDERS_MAX + 1].map(|count| asked(None, count)),
            [false, true, true, false]
        );
        assert!(asked(Some("lead"), 1) && !asked(Some(" "), 1) && !asked(Some("a\nb"), 1));
        assert_eq!(serde_json::from_str::<Need>("{}").unwrap(), Need::default());
    }

    proptest! {
        #[test]
        fn an_approval_is_given_exactly_when_enough_different_people_said_yes(
            names in proptest::collection::vec("[a-d]?", 1..12), count in 1..=6_u8,
        ) {
            let need = Need { count, ..Need::default() };
            let votes: Vec<Vote> = names.iter().map(|name| yes(name)).collect();
            let people: BTreeSet<&String> = names.iter().collect();
            let (last, earlier) = votes.split_last().unwrap();
            let tally = tally(&approval(Status::Pending), &need, earlier, last).unwrap();
            prop_assert_eq!(usize::from(tally.given), people.len());
            prop_assert_eq!(tally.status == Status::Approved, people.len() >= usize::from(count));
        }
    }
}
