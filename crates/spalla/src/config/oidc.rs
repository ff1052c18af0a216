//! The settings of signing in: the issuer, who this server is to it, and what each value of a claim gives.

use crate::failure::{Failure, Result};
use figment::value::Value;
use serde::Deserialize;
use spalla_domain::ProjectId;
use spalla_domain::access::role::Role;
use spalla_domain::id::ID_MAX;
use spalla_domain::secret::Secret;
use spalla_server::{Grant, Oidc};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

/// How long the issuer may take for one answer: a person waits for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest secret, in bytes, that is read of a file.
const SECRET_BYTES_MAX: u64 = 4_096;

/// How people sign in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcSettings {
    /// The issuer, as it calls itself; empty means that nobody signs in.
    pub(crate) issuer: String,
    /// What the issuer calls this server.
    pub(crate) client_id: String,
    /// What this server shows to the issuer; empty means nothing, or what the file holds.
    pub(crate) client_secret: String,
    /// The file with it; empty means none.
    pub(crate) client_secret_file: String,
    /// Where the issuer sends people back to.
    pub(crate) redirect_url: String,
    /// What the issuer is asked for besides `openid`.
    pub(crate) scopes: Vec<String>,
    /// The claim that says what people may do.
    pub(crate) role_claim: String,
    /// What each value of it gives.
    pub(crate) roles: Value,
    /// How long somebody is signed in.
    pub(crate) session_seconds: f64,
    /// A file of authorities that vouch for the issuer besides those that this machine trusts; empty means none.
    pub(crate) ca: String,
}

impl OidcSettings {
    /// Tells whether people sign in; without the feature nobody does.
    pub(crate) fn is_on(&self) -> bool {
        cfg!(feature = "oidc") && !self.issuer.is_empty()
    }

    /// Returns how people sign in; none where they don't.
    pub(crate) fn read(&self) -> Result<Option<Oidc>> {
        if self.issuer.is_empty() {
            return Ok(None);
        }
        if !self.is_on() {
            tracing::warn!("this program was built without the feature oidc: oidc.issuer has no effect");
            return Ok(None);
        }
        let roles =
            read_roles(&self.roles).map_err(|wrong| Failure::usage(format!("oidc.roles: {wrong}")))?;
        Ok(Some(Oidc {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.secret()?.map(Arc::new),
            redirect_url: self.redirect_url.clone(),
            scopes: self.scopes.clone(),
            role_claim: self.role_claim.clone(),
            roles,
            session_life: Duration::from_secs_f64(self.session_seconds),
            answer_timeout: ANSWER_TIMEOUT,
            trust: super::trust("oidc.ca", &self.ca)?,
        }))
    }

    fn secret(&self) -> Result<Option<Secret>> {
        match (self.client_secret.as_str(), self.client_secret_file.as_str()) {
            ("", "") => Ok(None),
            (secret, "") => Ok(Some(secret.into())),
            ("", file) => read_secret(file)
                .map(Some)
                .map_err(|why| Failure::usage(format!("oidc.client_secret_file {file}: {why}"))),
            _ => Err(Failure::usage("oidc.client_secret and oidc.client_secret_file are both set")
                .mend("leave one of them out")),
        }
    }
}

/// Reads a secret; the end of its line is not part of it.
fn read_secret(path: &str) -> std::result::Result<Secret, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(format!("it holds more than {SECRET_BYTES_MAX} bytes"));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("it is empty".into()),
        secret => Ok(secret.into()),
    }
}

/// What a value gives, as it is written: the name of a role, or a table.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Role(String),
    Table(Table),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    role: String,
    projects: Option<Vec<i64>>,
    #[serde(default)]
    approval_roles: Vec<String>,
}

/// Reads what each value of the claim gives; the error says which value is wrong, and why.
pub(super) fn read_roles(value: &Value) -> std::result::Result<BTreeMap<String, Grant>, String> {
    let values = value.as_dict().ok_or("it must be a table of a claim's values and roles")?;
    let read = |(name, value): (&String, &Value)| {
        let wrong = |why: String| format!("{name:?} is wrong: {why}");
        let expected = "it is a role, or a table of role, projects and approval_roles";
        let written: Written = value.deserialize().map_err(|_| wrong(expected.into()))?;
        Ok((name.clone(), written.grant().map_err(wrong)?))
    };
    values.iter().map(read).collect()
}

impl Written {
    fn grant(self) -> std::result::Result<Grant, String> {
        let table = match self {
            Self::Role(role) => Table { role, projects: None, approval_roles: vec![] },
            Self::Table(table) => table,
        };
        let role = Role::parse(&table.role).filter(|role| *role != Role::Worker);
        let role =
            role.ok_or_else(|| format!("{:?} is none of viewer, operator, approver, admin", table.role))?;
        if let Some(id) = table.projects.iter().flatten().find(|id| !(1..=ID_MAX).contains(*id)) {
            return Err(format!("{id} is the id of no project"));
        }
        Ok(Grant {
            role,
            project_ids: table.projects.map(|ids| ids.into_iter().map(ProjectId).collect()),
            approval_roles: table.approval_roles.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
