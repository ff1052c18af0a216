//! Makes a schedule that broke something smaller, as long as it still breaks something: fewer faults, people, wishes,
//! workers and servers.

use super::database::{Databases, Kind};
use super::dice::Fault;
use super::schedule::{self, Plan};
use super::search::Found;
use spalla_domain::event::Event;

/// The smallest schedule that still breaks something.
pub(crate) struct Shrunk {
    /// It, and what it broke.
    pub(crate) found: Found,
    /// What happened in it.
    pub(crate) events: Vec<Event>,
}

/// Tries every smaller plan that is one step away, until none breaks anything.
pub(crate) fn shrink(found: &Found, store: Kind) -> anyhow::Result<Shrunk> {
    let databases = Databases::prepare(store)?;
    let verdict = schedule::run(found.plan, databases.fresh()?);
    let mut shrunk = Shrunk { found: found.clone(), events: verdict.events };
    'smaller: loop {
        for plan in smaller(shrunk.found.plan) {
            let verdict = schedule::run(plan, databases.fresh()?);
            if !verdict.broken.is_empty() {
                shrunk = Shrunk { found: Found { plan, broken: verdict.broken }, events: verdict.events };
                continue 'smaller;
            }
        }
        return Ok(shrunk);
    }
}

fn smaller(plan: Plan) -> Vec<Plan> {
    let less = |n: usize| n.saturating_sub(1).max(1);
    let fewer_wishes = [plan.wishes / 2, plan.wishes.saturating_sub(1)];
    let mut plans = vec![
        Plan { people: less(plan.people), ..plan },
        Plan { servers: less(plan.servers), ..plan },
        Plan { workers: less(plan.workers), ..plan },
    ];
    plans.extend(fewer_wishes.map(|wishes| Plan { wishes: wishes.max(1), ..plan }));
    let calmer = Fault::ALL.iter().map(|fault| Plan { faults: plan.faults.without(*fault), ..plan });
    plans.extend(calmer);
    plans.retain(|smaller| *smaller != plan);
    plans
}

/// Returns an event as one line of a history.
pub(crate) fn line(event: &Event) -> String {
    let item = event.work_item_id.map(|id| format!(" item {id}")).unwrap_or_default();
    let run = event.run_id.map(|id| format!(" run {id}")).unwrap_or_default();
    let fact = serde_json::to_string(&event.fact).unwrap_or_default();
    format!("{:>4} +{:>6} ms{item}{run} {fact}", event.seq, schedule::since_begin_ms(event.at))
}
