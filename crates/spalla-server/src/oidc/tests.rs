//! What the settings have to be.

use super::*;
use crate::cors::Cors;

pub(super) fn oidc() -> Oidc {
    let grant = Grant { role: Role::Viewer, project_ids: None, approval_roles: BTreeSet::new() };
    Oidc {
        issuer: "https://issuer.example/realm".into(),
        client_id: "spalla".into(),
        client_secret: None,
        redirect_url: "http://127.0.0.1:18080/sign-in/callback".into(),
        scopes: vec!["groups".into()],
        role_claim: "groups".into(),
        roles: [("staff".to_owned(), grant)].into(),
        session_life: Duration::from_secs(60),
        answer_timeout: Duration::from_secs(1),
        trust: WebhookTrust::default(),
    }
}

fn refused(change: impl FnOnce(&mut Oidc)) -> String {
    let mut oidc = oidc();
    change(&mut oidc);
    let hosts = Hosts::new(([127, 0, 0, 1], 18080).into(), &["spalla.example".into()], Cors::None);
    oidc.check(&hosts).err().unwrap_or_default()
}

#[test]
fn an_issuer_is_spoken_to_over_tls_or_on_loopback() {
    for issuer in ["https://a.example", "http://127.0.0.1:1", "http://[::1]:1/realm", "http://localhost:1"] {
        assert_eq!(refused(|oidc| oidc.issuer = issuer.into()), "", "{issuer}");
    }
    for issuer in [
        "",
        "a.example",
        "http://a.example",
        "http://10.0.0.1",
        "http://localhost.evil.example",
        "https://me:pw@a.example",
        "https://a.example/#x",
        "file:///etc/passwd",
    ] {
        assert!(refused(|oidc| oidc.issuer = issuer.into()).starts_with("issuer "), "{issuer}");
    }
}

#[test]
fn people_come_back_to_the_callback_of_a_host_that_is_served() {
    for url in [
        "http://127.0.0.1:18080/sign-in/callback",
        "http://localhost:18080/sign-in/callback",
        "https://spalla.example/sign-in/callback",
    ] {
        assert_eq!(refused(|oidc| oidc.redirect_url = url.into()), "", "{url}");
    }
    for url in [
        "",
        "http://spalla.example/sign-in/callback",
        "https://other.example/sign-in/callback",
        "https://spalla.example/callback",
        "https://spalla.example/sign-in/callback?a=b",
        "https://spalla.example/sign-in/callback/",
        "http://127.0.0.1:18081/sign-in/callback",
    ] {
        assert!(refused(|oidc| oidc.redirect_url = url.into()).starts_with("redirect_url "), "{url}");
    }
}

#[test]
fn somebody_is_given_something_and_nobody_is_a_worker() {
    let grant = |role, ids: Option<&[i64]>| Grant {
        role,
        project_ids: ids.map(|ids| ids.iter().copied().map(ProjectId).collect()),
        approval_roles: BTreeSet::new(),
    };
    assert_eq!(refused(|oidc| oidc.roles = [("a".into(), grant(Role::Admin, Some(&[1])))].into()), "");
    assert!(refused(|oidc| oidc.roles.clear()).starts_with("roles "));
    for wrong in [grant(Role::Worker, None), grant(Role::Viewer, Some(&[]))] {
        assert!(refused(|oidc| oidc.roles = [("a".into(), wrong)].into()).starts_with("roles, \"a\""));
    }
    assert!(refused(|oidc| oidc.client_id.clear()).starts_with("client_id "));
    assert!(refused(|oidc| oidc.scopes.push("a b".into())).starts_with("scopes: "));
    assert!(refused(|oidc| oidc.role_claim.clear()).starts_with("role_claim "));
    assert!(refused(|oidc| oidc.session_life = Duration::ZERO).starts_with("a session "));
}

#[test]
fn cookies_are_the_hosts_own_over_tls() {
    let plain = oidc();
    let secure = Oidc { redirect_url: "https://spalla.example/sign-in/callback".into(), ..oidc() };
    assert_eq!(plain.session_cookie(1), "spalla_user_1");
    assert_eq!(secure.session_cookie(1), "__Host-spalla_user_1");
    assert_eq!(secure.sign_in_url(), "https://spalla.example/sign-in");
}
