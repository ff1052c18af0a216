//! Settles by which agent's definition new work is carried out: the one that its maker names, or the one that the task is for.

use crate::problem::Problem;
use crate::routing::{Routing, Unchosen, Work};
use axum::http::StatusCode;
use spalla_domain::alias::label_of;
use spalla_domain::work_item::{Executor, Spec};

/// Settles it for one work item. It blocks, on files.
pub(crate) fn settle(routing: &dyn Routing, spec: &mut Spec) -> Result<(), Problem> {
    if spec.executor != Executor::Agent || spec.definition.is_some() {
        return Ok(());
    }
    let said = spec.prompt.as_ref().or(spec.description.as_ref());
    let task = said.map_or_else(|| spec.title.clone(), |said| format!("{}\n\n{said}", spec.title));
    let Some(choice) = routing.choose(&Work { named: spec.agent.clone(), task })? else { return Ok(()) };
    // Whatever waits for an alias waits in a queue of its own, by which it is counted.
    spec.labels.extend(choice.definition.alias.as_deref().map(label_of));
    spec.agent = Some(choice.agent);
    spec.definition = Some(Box::new(choice.definition));
    if let Some(policy) = choice.policy {
        spec.adapter.get_or_insert_default().policy.get_or_insert(policy);
    }
    Ok(())
}

impl From<Unchosen> for Problem {
    fn from(unchosen: Unchosen) -> Self {
        let detail = unchosen.to_string();
        match unchosen {
            Unchosen::Named(_) => Self::invalid("agent", detail)
                .mend("GET /api/agents lists the agents, GET /api/aliases their other names"),
            Unchosen::Nobody(_) => Self::new(StatusCode::CONFLICT, "no_agents", detail)
                .mend("install an agent's command line beside the server, or name one in agent"),
        }
    }
}
