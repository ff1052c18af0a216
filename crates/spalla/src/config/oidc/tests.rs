//! What the settings of signing in promise.

use super::*;
use crate::config::{Config, Sources};
use std::path::PathBuf;

const FILE: &str = r#"
[oidc]
issuer = "https://issuer.example"
client_id = "spalla"
redirect_url = "https://spalla.example/sign-in/callback"
scopes = ["groups"]
role_claim = "groups"
session_seconds = 3600

[oidc.roles]
"spalla.admins" = "admin"
leads = { role = "approver", projects = [1, 2], approval_roles = ["lead"] }
"#;

fn sources(text: &str, env: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spalla.toml");
    std::fs::write(&path, text).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let sources = Sources { data_default: "/d".into(), files: vec![path], env, ..Sources::default() };
    (folder, sources)
}

fn settings(text: &str, env: &[(&str, &str)]) -> Result<OidcSettings> {
    let (_folder, sources) = sources(text, env);
    Config::load(sources).map(|config| config.settings.oidc)
}

fn complaint(text: &str, env: &[(&str, &str)]) -> String {
    settings(text, env).unwrap_err().to_string()
}

#[test]
fn oidc_is_off_until_an_issuer_is_named() {
    let settings = settings("", &[]).unwrap();
    assert!(!settings.is_on() && settings.read().unwrap().is_none());
    assert_eq!(settings.session_seconds, 28_800.0);
}

#[test]
fn oidc_roles_are_a_table_in_a_file_and_json_in_a_variable() {
    let roles = |settings: OidcSettings| read_roles(&settings.roles).unwrap();
    let of_file = roles(settings(FILE, &[]).unwrap());
    assert_eq!((of_file["spalla.admins"].role, &of_file["spalla.admins"].project_ids), (Role::Admin, &None));
    let leads = Grant {
        role: Role::Approver,
        project_ids: Some([ProjectId(1), ProjectId(2)].into()),
        approval_roles: ["lead".to_owned()].into(),
    };
    assert_eq!((of_file.len(), &of_file["leads"]), (2, &leads));
    let env = [("SPALLA_OIDC_ROLES", r#"{"staff": "viewer", "a": {"role": "operator", "projects": [1]}}"#)];
    let of_variable = roles(settings("", &env).unwrap());
    assert_eq!((of_variable["staff"].role, of_variable["a"].role), (Role::Viewer, Role::Operator));
}

#[test]
fn oidc_roles_that_give_nothing_or_too_much_are_refused_by_their_value() {
    for wrong in [
        r#"{"staff": "owner"}"#,
        r#"{"staff": "worker"}"#,
        r#"{"staff": 1}"#,
        r#"{"staff": {"projects": [1]}}"#,
        r#"{"staff": {"role": "viewer", "project": [1]}}"#,
        r#"{"staff": {"role": "viewer", "projects": [0]}}"#,
    ] {
        let said = complaint("", &[("SPALLA_OIDC_ROLES", wrong)]);
        assert!(said.contains("SPALLA_OIDC_ROLES") && said.contains("\"staff\" is wrong"), "{wrong}: {said}");
    }
    assert!(complaint("", &[("SPALLA_OIDC_ROLES", "[]")]).contains("it must be a table"));
    assert!(complaint("[oidc]\nroles = \"admin\"\n", &[]).contains("it must be a table"));
    assert!(complaint("[oidc]\nrole = {}\n", &[]).contains("there is no setting `oidc.role`"));
    assert!(complaint("[oidc]\nsession_seconds = 1\n", &[]).contains("it must be a number"));
}

#[test]
fn an_oidc_secret_comes_from_a_variable_or_a_file_and_is_never_shown() {
    let (folder, given) = sources(FILE, &[("SPALLA_OIDC_CLIENT_SECRET", "hunter2")]);
    let config = Config::load(given).unwrap();
    assert!(!format!("{:?}", config.shown()).contains("hunter2"));
    assert_eq!(config.settings.oidc.secret().unwrap(), Some("hunter2".into()));
    let file = |name: &str, text: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let of = |path: PathBuf| {
        let path = path.display().to_string();
        settings(FILE, &[("SPALLA_OIDC_CLIENT_SECRET_FILE", path.as_str())]).unwrap().secret()
    };
    assert_eq!(of(file("secret", b"hun ter2\r\n")).unwrap(), Some("hun ter2".into()));
    let long = vec![b'a'; 4_097];
    for (name, text) in [("empty", &b"\n"[..]), ("binary", &b"\xff"[..]), ("long", &long[..])] {
        assert!(of(file(name, text)).is_err(), "{name}");
    }
    assert!(of(folder.path().join("none")).unwrap_err().to_string().contains("oidc.client_secret_file"));
    let both = [("SPALLA_OIDC_CLIENT_SECRET", "a"), ("SPALLA_OIDC_CLIENT_SECRET_FILE", "b")];
    assert!(settings(FILE, &both).unwrap().secret().unwrap_err().to_string().contains("both set"));
}

#[cfg(feature = "oidc")]
#[test]
fn oidc_is_on_with_all_that_the_file_says() {
    let oidc = settings(FILE, &[]).unwrap().read().unwrap().unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.role_claim.as_str()), ("https://issuer.example", "groups"));
    assert_eq!((oidc.session_life.as_secs(), oidc.roles.len()), (3_600, 2));
    assert!(
        settings(FILE, &[("SPALLA_OIDC_CA", "/none")])
            .unwrap()
            .read()
            .unwrap_err()
            .to_string()
            .contains("oidc.ca")
    );
}
