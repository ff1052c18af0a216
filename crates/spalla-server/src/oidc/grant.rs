//! What somebody is given who signed in: what the values of their claim give, together, and nothing where none gives any.

use super::{Grant, Oidc};
use serde_json::{Map, Value};
use spalla_domain::ProjectId;
use spalla_domain::access::Policy;
use spalla_domain::access::role::Role;
use std::collections::BTreeSet;

/// The roles, those that allow the most first.
const ROLES: [Role; 4] = [Role::Admin, Role::Operator, Role::Approver, Role::Viewer];

/// What somebody is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) role: Role,
    pub(crate) project_ids: Option<BTreeSet<ProjectId>>,
    /// What further roles allow.
    pub(crate) policies: Vec<Policy>,
    pub(crate) approval_roles: BTreeSet<String>,
}

impl Granted {
    /// Puts together what the values of somebody's claim give; none where that is nothing.
    pub(super) fn to(oidc: &Oidc, claims: &Map<String, Value>) -> Option<Self> {
        let values = values(claims, &oidc.role_claim);
        let grants: Vec<&Grant> = values.iter().filter_map(|value| oidc.roles.get(*value)).collect();
        let mut of_roles = ROLES.iter().filter_map(|role| Some((*role, of_role(&grants, *role)?)));
        let (role, project_ids) = of_roles.next()?;
        let policies = of_roles.flat_map(|(role, ids)| role.policies(ids.as_ref())).collect();
        let approval_roles = grants.iter().flat_map(|grant| grant.approval_roles.iter().cloned()).collect();
        Some(Self { role, project_ids, policies, approval_roles })
    }
}

/// Returns in which projects a role counts, where it is given at all; an inner none is in all of them.
fn of_role(grants: &[&Grant], role: Role) -> Option<Option<BTreeSet<ProjectId>>> {
    let given: Vec<&Grant> = grants.iter().copied().filter(|grant| grant.role == role).collect();
    let projects: Option<Vec<_>> = given.iter().map(|grant| grant.project_ids.as_ref()).collect();
    (!given.is_empty()).then(|| projects.map(|projects| projects.into_iter().flatten().copied().collect()))
}

/// Returns the values of a claim: a text, or a list with texts in it. A claim of exactly this name is preferred to one
/// that the dots in it lead to, because some issuers put dots into names.
fn values<'c>(claims: &'c Map<String, Value>, name: &str) -> Vec<&'c str> {
    let led_to = || {
        name.split('.').try_fold(None, |at: Option<&'c Value>, part| {
            let next = at.map_or_else(|| claims.get(part), |value| value.get(part));
            next.map(Some)
        })
    };
    match claims.get(name).or_else(|| led_to().flatten()) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::tests::oidc;
    use serde_json::json;

    fn granted(claims: Value) -> Option<Granted> {
        let grant = |role, ids: Option<&[i64]>, approval: &[&str]| Grant {
            role,
            project_ids: ids.map(|ids| ids.iter().copied().map(ProjectId).collect()),
            approval_roles: approval.iter().map(|role| (*role).to_owned()).collect(),
        };
        let roles = [
            ("root", grant(Role::Admin, None, &[])),
            ("team-a", grant(Role::Operator, Some(&[1]), &[])),
            ("team-b", grant(Role::Operator, Some(&[2]), &[])),
            ("leads", grant(Role::Approver, Some(&[1]), &["lead"])),
            ("staff", grant(Role::Viewer, None, &[])),
        ];
        let roles = roles.map(|(value, grant)| (value.to_owned(), grant)).into();
        Granted::to(&Oidc { roles, role_claim: "realm.groups".into(), ..oidc() }, claims.as_object().unwrap())
    }

    fn of(values: Value) -> Option<Granted> {
        granted(json!({"realm": {"groups": values}}))
    }

    #[test]
    fn whoever_has_no_value_that_gives_something_is_given_nothing() {
        for values in [
            json!([]),
            json!(""),
            json!("Staff"),
            json!(["staff "]),
            json!([["staff"]]),
            json!({"staff": true}),
            json!(null),
            json!(7),
        ] {
            assert_eq!(of(values.clone()), None, "{values}");
        }
        for claims in
            [json!({}), json!({"groups": "root"}), json!({"realm": "root"}), json!({"realm": ["root"]})]
        {
            assert_eq!(granted(claims.clone()), None, "{claims}");
        }
    }

    #[test]
    fn a_value_gives_its_role_wherever_the_claim_stands() {
        for claims in [
            json!({"realm": {"groups": "staff"}}),
            json!({"realm": {"groups": ["x", 7, "staff"]}}),
            json!({"realm.groups": "staff", "realm": {"groups": "root"}}),
        ] {
            let given = granted(claims.clone()).unwrap();
            assert_eq!(
                (given.role, given.project_ids, given.policies),
                (Role::Viewer, None, vec![]),
                "{claims}"
            );
        }
    }

    #[test]
    fn several_values_give_together_what_each_of_them_gives() {
        let both = of(json!(["team-b", "team-a"])).unwrap();
        assert_eq!(
            (both.role, both.project_ids),
            (Role::Operator, Some([ProjectId(1), ProjectId(2)].into()))
        );
        let lead = of(json!(["staff", "leads"])).unwrap();
        assert_eq!((lead.role, lead.project_ids), (Role::Approver, Some([ProjectId(1)].into())));
        assert_eq!(
            (lead.policies, lead.approval_roles),
            (Role::Viewer.policies(None), ["lead".to_owned()].into())
        );
        assert_eq!(of(json!(["team-a", "root"])).unwrap().role, Role::Admin);
    }
}
