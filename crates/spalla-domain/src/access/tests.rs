//! What each role may do and may not, and how policies add up.

use super::role::{Role, of_run};
use super::*;

fn of(project: i64) -> Target {
    Target { project_id: Some(ProjectId(project)), ..Target::default() }
}

fn only(projects: &[i64]) -> BTreeSet<ProjectId> {
    projects.iter().map(|id| ProjectId(*id)).collect()
}

#[test]
fn nothing_is_allowed_without_a_policy() {
    for resource in Resource::ALL {
        for action in Action::ALL {
            assert_eq!(decide(&[], *resource, *action, &of(1)), Decision::Denied);
            assert_eq!(projects(&[], *resource, *action), None);
        }
    }
}

#[test]
fn an_admin_of_all_does_everything_and_one_of_a_project_nothing_elsewhere() {
    let (all, one) = (Role::Admin.policies(None), Role::Admin.policies(Some(&only(&[1]))));
    for resource in Resource::ALL.iter().filter(|resource| **resource != Resource::Document) {
        for action in Action::ALL {
            let decide = |policies, target| decide(policies, *resource, *action, &target);
            assert_eq!(decide(&all, Target::default()), Decision::Allowed);
            assert_eq!(decide(&one, of(1)), Decision::Allowed);
            assert_eq!(decide(&one, of(2)), Decision::Hidden);
            // What belongs to no project concerns all of them.
            assert_eq!(decide(&one, Target::default()), Decision::Hidden);
        }
    }
    assert_eq!(projects(&one, Resource::Token, Action::Create), Some(Projects::Only(only(&[1]))));
    assert_eq!(projects(&all, Resource::Token, Action::Create), Some(Projects::All));
}

#[test]
fn a_viewer_changes_nothing_and_sees_no_secrets() {
    let viewer = Role::Viewer.policies(None);
    for resource in Resource::ALL {
        for action in Action::ALL.iter().filter(|action| **action != Action::Read) {
            assert_eq!(
                decide(&viewer, *resource, *action, &of(1)),
                Decision::Denied,
                "{resource:?} {action:?}"
            );
        }
    }
    for resource in [Resource::Audit, Resource::Token, Resource::Webhook, Resource::Secret] {
        assert_eq!(decide(&viewer, resource, Action::Read, &of(1)), Decision::Denied, "{resource:?}");
    }
    assert_eq!(decide(&viewer, Resource::Log, Action::Read, &of(1)), Decision::Allowed);
}

#[test]
fn who_gets_work_done_and_who_says_yes_are_two() {
    let (operator, approver) = (Role::Operator.policies(None), Role::Approver.policies(None));
    let may = |policies: &[Policy], resource, action| {
        decide(policies, resource, action, &of(1)) == Decision::Allowed
    };
    for (resource, action) in [
        (Resource::WorkItem, Action::Create),
        (Resource::Queue, Action::Execute),
        (Resource::Run, Action::Execute),
        (Resource::Approval, Action::Create),
    ] {
        assert!(may(&operator, resource, action) && !may(&approver, resource, action), "{resource:?}");
    }
    for resource in [Resource::Approval, Resource::Requirements] {
        assert!(!may(&operator, resource, Action::Decide) && may(&approver, resource, Action::Decide));
    }
    let read = |policies: &[Policy]| {
        decide(policies, Resource::Scratchpad, Action::Read, &Target::default()) == Decision::Allowed
    };
    assert!(read(&operator) && !read(&approver) && !read(&Role::Operator.policies(Some(&only(&[1])))));
    for policies in [operator, approver] {
        for (resource, action) in [
            (Resource::Quota, Action::Update),
            (Resource::Token, Action::Create),
            (Resource::Webhook, Action::Create),
            (Resource::Audit, Action::Read),
            (Resource::Secret, Action::Read),
            (Resource::Run, Action::Claim),
        ] {
            assert!(!may(&policies, resource, action), "{resource:?}");
        }
    }
}

#[test]
fn a_worker_reads_what_it_holds_and_decides_nothing() {
    let worker = Role::Worker.policies(Some(&only(&[1])));
    let held = Target { is_held: true, ..of(1) };
    assert_eq!(decide(&worker, Resource::Log, Action::Report, &held), Decision::Allowed);
    assert_eq!(decide(&worker, Resource::Log, Action::Report, &of(1)), Decision::Hidden);
    assert_eq!(
        decide(&worker, Resource::Run, Action::Read, &Target { is_held: true, ..of(2) }),
        Decision::Hidden
    );
    assert_eq!(projects(&worker, Resource::Run, Action::Claim), Some(Projects::Only(only(&[1]))));
    assert_eq!(projects(&worker, Resource::Run, Action::Read), None, "no list goes by what is held");
    for resource in [Resource::Approval, Resource::Token, Resource::Requirements, Resource::WorkItem] {
        for action in [Action::Decide, Action::Create, Action::Read] {
            assert_eq!(decide(&worker, resource, action, &held), Decision::Denied, "{resource:?} {action:?}");
        }
    }
}

#[test]
fn the_agent_of_a_run_never_approves_never_completes_and_sees_no_other_run() {
    let agent = of_run(ProjectId(1), RunId(3));
    let own = Target {
        project_id: Some(ProjectId(1)),
        work_item_id: Some(WorkItemId(2)),
        run_id: Some(RunId(3)),
        is_held: true,
    };
    let other = Target { run_id: Some(RunId(4)), ..own };
    for (resource, action) in [
        (Resource::Log, Action::Report),
        (Resource::Event, Action::Report),
        (Resource::Artifact, Action::Report),
        (Resource::InfoRequest, Action::Ask),
        (Resource::Secret, Action::Read),
        (Resource::Run, Action::Read),
    ] {
        assert_eq!(decide(&agent, resource, action, &own), Decision::Allowed, "{resource:?}");
        assert_eq!(decide(&agent, resource, action, &other), Decision::Hidden, "{resource:?}");
    }
    for resource in Resource::ALL {
        for action in
            [Action::Decide, Action::Complete, Action::Claim, Action::Execute, Action::Answer, Action::Create]
        {
            let expected = match (resource, action) {
                // Somebody else has to queue what it makes.
                (Resource::WorkItem | Resource::Message, Action::Create) => Decision::Allowed,
                _ => Decision::Denied,
            };
            assert_eq!(decide(&agent, *resource, action, &own), expected, "{resource:?} {action:?}");
        }
    }
    for action in [Action::Read, Action::Create] {
        assert_eq!(decide(&agent, Resource::WorkItem, action, &of(1)), Decision::Allowed);
        assert_eq!(decide(&agent, Resource::WorkItem, action, &of(2)), Decision::Hidden);
    }
    assert_eq!(decide(&agent, Resource::Project, Action::Read, &of(1)), Decision::Allowed);
    assert_eq!(decide(&agent, Resource::Project, Action::Read, &of(2)), Decision::Hidden);
}

#[test]
fn policies_add_up() {
    let read = |projects: &[i64]| Policy {
        resource: Resource::Run,
        actions: [Action::Read].into(),
        conditions: Conditions { project_ids: Some(only(projects)), ..Conditions::default() },
    };
    let both = [read(&[1]), read(&[2, 3])];
    assert_eq!(projects(&both, Resource::Run, Action::Read), Some(Projects::Only(only(&[1, 2, 3]))));
    assert_eq!(decide(&both, Resource::Run, Action::Read, &of(3)), Decision::Allowed);
    assert_eq!(decide(&both, Resource::Run, Action::Read, &of(4)), Decision::Hidden);
}

#[test]
fn a_narrow_policy_stands_for_no_project_and_is_told_apart() {
    let narrow = [
        Conditions { work_item_ids: Some([WorkItemId(7)].into()), ..Conditions::default() },
        Conditions { run_ids: Some([RunId(3)].into()), ..Conditions::default() },
        Conditions { held: true, ..Conditions::default() },
        Conditions {
            project_ids: Some(only(&[1])),
            work_item_ids: Some([WorkItemId(7)].into()),
            ..Conditions::default()
        },
    ];
    let read = |conditions: &Conditions| Policy {
        resource: Resource::Run,
        actions: [Action::Read].into(),
        conditions: conditions.clone(),
    };
    let policies: Vec<_> = narrow.iter().map(read).collect();
    assert_eq!(projects(&policies, Resource::Run, Action::Read), None);
    assert_eq!(besides(&policies, Resource::Run, Action::Read), narrow);
    assert_eq!(besides(&policies, Resource::Run, Action::Execute), []);
    let wide = Conditions { project_ids: Some(only(&[2])), ..Conditions::default() };
    let both = [policies, vec![read(&wide)]].concat();
    assert_eq!(projects(&both, Resource::Run, Action::Read), Some(Projects::Only(only(&[2]))));
    assert_eq!(besides(&both, Resource::Run, Action::Read), narrow);
}

#[test]
fn names_are_read_back() {
    assert!(Resource::ALL.iter().all(|resource| Resource::parse(resource.as_str()) == Some(*resource)));
    assert!(Action::ALL.iter().all(|action| Action::parse(action.as_str()) == Some(*action)));
    assert!(Role::ALL.iter().all(|role| Role::parse(role.as_str()) == Some(*role)));
}
