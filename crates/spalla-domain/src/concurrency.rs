//! How many runs may start at once: globally, in one project, and under one alias of an agent.

use serde::{Deserialize, Serialize};

/// How many runs may be going on; what is none is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// In all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<u32>,
    /// In one project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<u32>,
    /// Under one alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<u32>,
}

/// How many runs are going on, counted for the project and the alias in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Active {
    /// In all.
    pub global: u32,
    /// In the project.
    pub project: u32,
    /// Under the alias.
    pub alias: u32,
}

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All runs.
    Global,
    /// Those of one project.
    Project,
    /// Those under one alias.
    Alias,
}

/// How many more runs may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// How many; the largest number where nothing limits them.
    pub runs: u32,
    /// The limit that says so.
    pub by: Option<Scope>,
}

/// Returns how many runs of one project and alias may start, and which limit says so.
pub fn room(limits: Limits, active: Active) -> Room {
    let scopes = [
        (Scope::Global, limits.global, active.global),
        (Scope::Project, limits.project, active.project),
        (Scope::Alias, limits.alias, active.alias),
    ];
    scopes
        .into_iter()
        .filter_map(|(scope, limit, active)| Some((limit?.saturating_sub(active), scope)))
        .min()
        .map_or(Room { runs: u32::MAX, by: None }, |(runs, scope)| Room { runs, by: Some(scope) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tightest_limit_decides_and_is_named() {
        let limits = Limits { global: Some(10), project: Some(3), alias: None };
        let room_at = |global, project| room(limits, Active { global, project, alias: 99 });
        assert_eq!(room_at(0, 1), Room { runs: 2, by: Some(Scope::Project) });
        assert_eq!(room_at(9, 1), Room { runs: 1, by: Some(Scope::Global) });
        assert_eq!(room_at(4, 7), Room { runs: 0, by: Some(Scope::Project) });
        assert_eq!(room(Limits::default(), Active::default()), Room { runs: u32::MAX, by: None });
    }

    proptest! {
        #[test]
        fn what_starts_within_the_room_passes_no_limit(
            limits in proptest::array::uniform3(proptest::option::of(0..20_u32)),
            active in proptest::array::uniform3(0..20_u32),
        ) {
            let named = Limits { global: limits[0], project: limits[1], alias: limits[2] };
            let room = room(named, Active { global: active[0], project: active[1], alias: active[2] });
            for (limit, active) in limits.into_iter().zip(active) {
                let Some(limit) = limit else { continue };
                prop_assert!(room.runs == 0 || active + room.runs <= limit);
            }
        }
    }
}
