//! Approvals: while one is undecided or refused, an item starts by no path.

use crate::fixture::Fixture;
use crate::fixture::verbs::{LEASE_MS, by_hand, claim_run, complete, decide, item};
use spalla_domain::approval::tally::Need;
use spalla_domain::approval::{Decision, Kind, Status as Answer};
use spalla_domain::approval_policy::Policy;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::work_item::{SpecPatch, Status};
use spalla_domain::{ApprovalId, WorkItemId};
use spalla_store::Command;
use spalla_store::command::Reply;
use std::sync::Arc;

crate::fixture::claims!(
    a_pending_approval_holds_the_item_on_every_path,
    a_pending_approval_holds_a_run_that_nobody_claimed,
    a_rejected_approval_holds_the_item_for_good,
    an_approved_item_starts,
    an_item_waits_for_all_its_approvals,
    an_approval_is_decided_once,
    an_approval_asked_for_while_the_item_runs_holds_the_next_start,
    an_approval_asked_for_while_the_item_runs_holds_its_retry,
    a_holder_that_vanished_is_not_replaced_without_approval,
    an_approved_item_keeps_its_moment,
    requeueing_does_not_get_past_an_approval,
    approvals_hold_nothing_where_none_is_required,
    a_decision_is_kept_with_who_and_why,
    every_kind_of_approval_comes_back,
    an_approval_of_two_needs_two_different_people,
    one_no_rejects_whatever_others_said,
    only_the_role_that_is_asked_for_decides,
    what_the_policy_asks_for_is_asked_for_with_the_item,
    an_approved_item_that_becomes_another_one_is_asked_for_again,
);

async fn a_pending_approval_holds_the_item_on_every_path(f: Fixture) {
    let [open, queued] = f.open_items().await;
    f.request_approval(open).await;
    assert_eq!(f.refused(Command::Start { work_item_id: open }).await, Code::ApprovalPending);

    f.enqueue(queued).await;
    f.request_approval(queued).await;

    assert_eq!(f.standing(queued).await, (Status::Queued, Some(Code::ApprovalPending)));
    assert_eq!(f.queue().await[0].approvals, 1);
    assert_eq!(f.refused(Command::Start { work_item_id: queued }).await, Code::ApprovalPending);
    assert_eq!(f.tick().await, []);
    assert_eq!(f.claim("w", 5).await, []);
}

async fn a_pending_approval_holds_a_run_that_nobody_claimed(f: Fixture) {
    let [id] = f.open_items().await;
    let run = f.start(id).await;
    let approval = f.request_approval(id).await;
    assert_eq!(f.claim("w", 5).await, []);
    assert_eq!(f.refused(claim_run(run, "w")).await, Code::ApprovalPending);
    assert_eq!(f.refused(by_hand(run, true)).await, Code::ApprovalPending);
    assert_eq!(f.refused(by_hand(run, false)).await, Code::ApprovalPending);
    f.decide(approval, Decision::Approve).await;
    assert_eq!(f.claim_one("w").await.run_id, run);
}

async fn a_rejected_approval_holds_the_item_for_good(f: Fixture) {
    let [id, pending] = f.queued().await;
    let run = f.start(pending).await;
    for item in [id, pending] {
        let approval = f.request_approval(item).await;
        f.decide(approval, Decision::Reject).await;
    }
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalRejected)));
    assert_eq!(f.refused(Command::Start { work_item_id: id }).await, Code::ApprovalRejected);
    assert_eq!((f.tick().await, f.claim("w", 5).await), (vec![], vec![]));
    assert_eq!(f.refused(claim_run(run, "w")).await.kind(), spalla_domain::problem::Kind::Conflict);
    // A further yes does not outweigh the no.
    let approval = f.request_approval(id).await;
    f.decide(approval, Decision::Approve).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalRejected)));
}

async fn an_approved_item_starts(f: Fixture) {
    let [id] = f.open_items().await;
    let approval = f.request_approval(id).await;
    f.enqueue(id).await;
    f.decide(approval, Decision::Approve).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None));
    assert_eq!(
        f.facts(id).await[1..],
        [
            Fact::ApprovalRequested { approval_id: approval, kind: Kind::Deploy, in_turn: false },
            Fact::WorkItemQueued { unmet: 0, approvals: 1, due_at: None },
            Fact::ApprovalDecided { approval_id: approval, status: Answer::Approved, by: Some("ada".into()) },
            Fact::WorkItemReady {},
        ]
    );
    assert_eq!(f.claimed_items("w", 5).await, [id]);
}

async fn an_item_waits_for_all_its_approvals(f: Fixture) {
    let [parent, id] = f.open_items().await;
    f.enqueue(parent).await;
    f.enqueue_after(id, parent).await;
    let (first, second) = (f.request_approval(id).await, f.request_approval(id).await);
    f.decide(first, Decision::Approve).await;
    f.succeed(parent).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalPending)));
    f.decide(second, Decision::Approve).await;
    assert_eq!(f.run_next(true).await, id);
}

async fn an_approval_is_decided_once(f: Fixture) {
    let [id] = f.queued().await;
    let (yes, no) = (f.request_approval(id).await, f.request_approval(id).await);
    f.decide(yes, Decision::Approve).await;
    f.decide(no, Decision::Reject).await;
    for approval in [yes, no] {
        for decision in [Decision::Approve, Decision::Reject] {
            assert_eq!(f.refused(decide(approval, decision)).await, Code::AlreadyDecided);
        }
    }
}

async fn an_approval_asked_for_while_the_item_runs_holds_the_next_start(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    f.request_approval(id).await;
    // What runs goes on; what was given back does not start again.
    f.heartbeat(&run, "w").await;
    f.hand_back(&run).await;
    assert_eq!(f.claim("w", 5).await, []);
    assert_eq!(f.refused(claim_run(run.run_id, "w")).await, Code::ApprovalPending);
}

async fn an_approval_asked_for_while_the_item_runs_holds_its_retry(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let approval = f.request_approval(id).await;
    f.complete(&run, false).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalPending)));
    f.pass_ms(86_400_000).await;
    assert_eq!(f.claim("w", 5).await, []);
    f.decide(approval, Decision::Approve).await;
    assert_eq!(f.claim_one("w").await.attempt, 2);
}

async fn a_holder_that_vanished_is_not_replaced_without_approval(f: Fixture) {
    let [id] = f.queued().await;
    let run = f.claim_one("w").await;
    let approval = f.request_approval(id).await;
    f.pass_ms(LEASE_MS).await;
    assert_eq!(f.claim("v", 5).await, []);
    f.decide(approval, Decision::Approve).await;
    assert_eq!(f.claim_one("v").await.run_id, run.run_id);
    assert_eq!(f.refused(complete(&run, true)).await, Code::StaleToken);
}

async fn an_approved_item_keeps_its_moment(f: Fixture) {
    let [early, late] = f.open_items().await;
    let approvals = [f.request_approval(early).await, f.request_approval(late).await];
    f.enqueue_later(early, 1_000).await;
    f.enqueue_later(late, 9_000).await;
    f.pass_ms(5_000).await;
    for approval in approvals {
        f.decide(approval, Decision::Approve).await;
    }
    assert_eq!(f.standing(late).await, (Status::Queued, Some(Code::Delayed)));
    assert_eq!(f.claimed_items("w", 5).await, [early]);
    f.pass_ms(4_000).await;
    assert_eq!(f.claimed_items("w", 5).await, [late]);
}

async fn requeueing_does_not_get_past_an_approval(f: Fixture) {
    let [pending, rejected, done] = f.queued().await;
    f.request_approval(pending).await;
    let approval = f.request_approval(rejected).await;
    f.decide(approval, Decision::Reject).await;
    f.succeed(done).await;
    f.request_approval(done).await;
    for item in [pending, rejected, done] {
        f.requeue(item).await;
    }
    assert_eq!((f.tick().await, f.claim("w", 5).await), (vec![], vec![]));
    assert_eq!(f.standing(done).await, (Status::Queued, Some(Code::ApprovalPending)));
}

async fn approvals_hold_nothing_where_none_is_required(f: Fixture) {
    let f = f.with(|settings| settings.require_approval = false).await;
    let [pending, rejected, started] = f.open_items().await;
    f.request_approval(pending).await;
    let approval = f.request_approval(rejected).await;
    f.decide(approval, Decision::Reject).await;
    f.enqueue(pending).await;
    f.enqueue(rejected).await;
    f.request_approval(pending).await;
    assert_eq!(f.claimed_items("w", 5).await, [pending, rejected]);
    f.request_approval(started).await;
    let run = f.start(started).await;
    f.request_approval(started).await;
    f.complete_by_hand(run, true).await;
    let pending_only = f.store.read().approvals(None, true, crate::fixture::snapshot::ALL).await.unwrap();
    assert_eq!(pending_only.len(), 4);
}

async fn a_decision_is_kept_with_who_and_why(f: Fixture) {
    let [id] = f.open_items().await;
    let approval = f.request_approval(id).await;
    f.clock.advance_ms(3_000);
    f.decide(approval, Decision::Reject).await;
    let view = f.store.read().approval(approval).await.unwrap().unwrap();
    assert_eq!((view.title.as_str(), view.approval.work_item_id), ("raise the arch", id));
    let kept = view.approval;
    assert_eq!((kept.status, kept.kind), (Answer::Rejected, Kind::Deploy));
    assert_eq!((kept.requested_at, kept.decided_at), (crate::fixture::START, Some(f.now())));
    assert_eq!((kept.decided_by.as_deref(), kept.note.as_deref()), (Some("ada"), Some("seen")));
}

async fn every_kind_of_approval_comes_back(f: Fixture) {
    let [id] = f.open_items().await;
    for kind in [Kind::Start, Kind::Deploy, Kind::Command, Kind::Merge, Kind::Spend, Kind::Secret] {
        let Reply::Approval(approval) =
            f.granted(Command::RequestApproval { work_item_id: id, kind, need: Default::default() }).await
        else {
            panic!("no approval");
        };
        let view = f.store.read().approval(approval).await.unwrap().unwrap();
        assert_eq!((view.approval.kind, view.approval.status), (kind, Answer::Pending));
    }
}

async fn needing(f: &Fixture, id: WorkItemId, count: u8, role: Option<&str>) -> ApprovalId {
    let need = Need { role: role.map(Into::into), count };
    match f.granted(Command::RequestApproval { work_item_id: id, kind: Kind::Deploy, need }).await {
        Reply::Approval(id) => id,
        other => panic!("{other:?}"),
    }
}

fn say(id: ApprovalId, decision: Decision, by: &str, roles: &[&str]) -> Command {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Command::DecideApproval { id, decision, by: Some(by.into()), roles, note: None }
}

async fn an_approval_of_two_needs_two_different_people(f: Fixture) {
    let [id] = f.queued().await;
    let approval = needing(&f, id, 2, None).await;
    for by in ["ada", "ada"] {
        f.granted(say(approval, Decision::Approve, by, &[])).await;
        assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalPending)));
    }
    f.granted(say(approval, Decision::Approve, "bob", &[])).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None));
    assert_eq!(f.refused(say(approval, Decision::Approve, "eve", &[])).await, Code::AlreadyDecided);
}

async fn one_no_rejects_whatever_others_said(f: Fixture) {
    let [id] = f.queued().await;
    let approval = needing(&f, id, 3, None).await;
    f.granted(say(approval, Decision::Approve, "ada", &[])).await;
    f.granted(say(approval, Decision::Reject, "bob", &[])).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalRejected)));
}

async fn only_the_role_that_is_asked_for_decides(f: Fixture) {
    let [id] = f.queued().await;
    let approval = needing(&f, id, 1, Some("release")).await;
    assert_eq!(f.refused(say(approval, Decision::Approve, "ada", &["viewer"])).await, Code::RoleRequired);
    f.granted(say(approval, Decision::Approve, "bob", &["viewer", "release"])).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None));
}

const POLICY: &str = "rules: [{when: {title: 'deploy*'}, require: {kind: deploy, count: 2}}, \
                      {when: {command: '*terraform apply*'}, require: {kind: command}}]";

async fn governed(f: Fixture) -> Fixture {
    let policy = Arc::new(Policy::parse(POLICY).unwrap());
    f.with(|settings| settings.approval_policy = policy).await
}

async fn what_the_policy_asks_for_is_asked_for_with_the_item(f: Fixture) {
    let f = governed(f).await;
    let project = f.project().await;
    let mut deploy = item(project);
    deploy.spec.title = "Deploy to production".into();
    deploy.spec.recipe = Some("steps: [terraform plan, cd x && terraform apply -auto-approve]".into());
    let [risky, plain] = [f.make_one(deploy).await, f.make_one(item(project)).await];
    for id in [risky, plain] {
        f.enqueue(id).await;
    }
    assert_eq!(f.claimed_items("w", 5).await, [plain]);
    assert_eq!(f.refused(Command::Start { work_item_id: risky }).await, Code::ApprovalPending);
    let approvals = f.store.read().approvals(Some(risky), true, crate::fixture::snapshot::ALL).await.unwrap();
    let kinds: Vec<_> = approvals.iter().map(|view| view.approval.kind).collect();
    assert_eq!(kinds, [Kind::Command, Kind::Deploy]);
    for view in &approvals {
        for by in ["ada", "bob"] {
            let _ = f.execute(say(view.approval.id, Decision::Approve, by, &[])).await;
        }
    }
    assert_eq!(f.claimed_items("w", 5).await, [risky]);
}

async fn an_approved_item_that_becomes_another_one_is_asked_for_again(f: Fixture) {
    let f = governed(f).await;
    let id = f.make_one(item(f.project().await)).await;
    f.enqueue(id).await;
    assert_eq!(f.standing(id).await, (Status::Queued, None));
    f.update(id, SpecPatch { title: Some("deploy it".into()), ..SpecPatch::default() }).await;
    assert_eq!(f.standing(id).await, (Status::Queued, Some(Code::ApprovalPending)));
}
