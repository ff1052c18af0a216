//! Tokens: what somebody shows to be let in. What is kept of one is a digest; the token itself is seen once, by whoever
//! made it.

use super::role::Role;
use super::{Action, Policy, Resource, words};
use crate::problem::Code;
use crate::{ProjectId, Refusal, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use subtle::ConstantTimeEq;

/// What every token begins with, so that it is known for one wherever it turns up.
pub const PREFIX: &str = "spl_";
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 60;
/// The longest time for which a token is made, in milliseconds: ten years.
pub const LIFE_MS_MAX: i64 = 10 * 365 * 86_400_000;
/// The most policies of one token.
pub const POLICIES_MAX: usize = 100;
/// The most projects that one token, or one policy, names.
pub const PROJECTS_MAX: usize = 100;
/// The longest subject that an issuer may know somebody by, in bytes.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// How many hexadecimal digits the secret part has: 256 bits.
const SECRET_DIGITS: usize = 64;

words! {
    /// Who shows it.
    Kind {
        /// A person, or a program that acts for one.
        User = "user",
        /// A worker.
        Worker = "worker",
    }
}

/// The digest of a secret part. Secrets have 256 random bits, so that nothing slower is needed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Digests a secret part.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Tells, in constant time, whether it is the digest of what somebody shows.
    pub fn is_of(&self, secret: &str) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A wish for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Who shows it.
    pub kind: Kind,
    /// What it is called in the audit.
    pub name: String,
    /// As what they are let in; a worker's is always [`Role::Worker`].
    pub role: Option<Role>,
    /// The projects in which the role counts; none means all.
    pub project_ids: Option<BTreeSet<ProjectId>>,
    /// What else they may do.
    pub policies: Vec<Policy>,
    /// The roles that approvals may ask for, such as `lead`.
    pub approval_roles: BTreeSet<String>,
    /// After how many milliseconds it is worth nothing; none means never.
    pub life_ms: Option<i64>,
    /// As whom the issuer knows who signed in through it; none where nobody did.
    pub subject: Option<String>,
    /// The digest of its secret part.
    pub secret_hash: SecretHash,
    /// Who wants it; of somebody who signed in, the issuer.
    pub made_by: String,
}

/// A token, without what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Who shows it.
    pub kind: Kind,
    /// What it is called in the audit.
    pub name: String,
    /// As what they are let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The projects in which the role counts; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_ids: Option<BTreeSet<ProjectId>>,
    /// What else they may do.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// The roles that approvals may ask for.
    #[serde(default)]
    pub approval_roles: BTreeSet<String>,
    /// As whom the issuer knows who signed in through it: such a token is a session, which only a cookie shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The digest of its secret part.
    pub secret_hash: SecretHash,
    /// Who made it; of a session, the issuer.
    pub made_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It opens.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl Status {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl NewToken {
    /// Checks what a client asked for, and makes the token of it.
    pub fn make(&self, id: TokenId, now: Timestamp) -> Result<Token, Refusal> {
        let invalid = |detail: String| Err(Refusal::new(Code::Invalid, detail));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let chars = self.name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&chars) || !self.name.chars().all(is_plain) {
            return invalid(format!(
                "name: it has 1 to {NAME_CHARS_MAX} letters, digits, dots, dashes and underscores"
            ));
        }
        let role = match (self.kind, self.role) {
            (Kind::Worker, None | Some(Role::Worker)) => Some(Role::Worker),
            (Kind::Worker, Some(other)) => {
                return invalid(format!(
                    "role: a worker's token has no role but worker, and not {}",
                    other.as_str()
                ));
            }
            (Kind::User, Some(Role::Worker)) => {
                return invalid("role: only a worker's token is a worker".into());
            }
            (Kind::User, None) if self.policies.is_empty() => {
                return invalid("role: a token without a role and without policies could do nothing".into());
            }
            (Kind::User, role) => role,
        };
        if self.kind == Kind::Worker && !(self.policies.is_empty() && self.approval_roles.is_empty()) {
            return invalid(
                "policies: a worker's token has no policies and no approval roles of its own".into(),
            );
        }
        let claims = |policy: &Policy| {
            let is_about_runs = matches!(policy.resource, Resource::Run | Resource::Any);
            let names_it = policy.actions.contains(&Action::Claim);
            names_it || (is_about_runs && policy.actions.contains(&Action::Any))
        };
        if self.policies.iter().any(claims) {
            return invalid("policies: only a worker's token claims runs".into());
        }
        if self.policies.len() > POLICIES_MAX {
            return invalid(format!("policies: a token has at most {POLICIES_MAX}"));
        }
        let named = self.policies.iter().map(|policy| policy.conditions.project_ids.as_ref());
        for projects in named.chain([self.project_ids.as_ref()]).flatten() {
            if projects.is_empty() || projects.len() > PROJECTS_MAX {
                return invalid(format!(
                    "project_ids: 1 to {PROJECTS_MAX} projects are named, or it is left out for all"
                ));
            }
        }
        if self.life_ms.is_some_and(|ms| !(1..=LIFE_MS_MAX).contains(&ms)) {
            return invalid(format!("expires_in_seconds: it goes from 1 to {}", LIFE_MS_MAX / 1_000));
        }
        self.check_subject()?;
        Ok(Token {
            id,
            kind: self.kind,
            name: self.name.clone(),
            role,
            project_ids: self.project_ids.clone(),
            policies: self.policies.clone(),
            approval_roles: self.approval_roles.clone(),
            subject: self.subject.clone(),
            secret_hash: self.secret_hash,
            made_by: self.made_by.clone(),
            created_at: now,
            expires_at: self.life_ms.map(|ms| now.plus_ms(ms)),
            revoked_at: None,
        })
    }

    /// A session is a person's, and ends.
    fn check_subject(&self) -> Result<(), Refusal> {
        let Some(subject) = &self.subject else { return Ok(()) };
        let is_plain = subject.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) || !is_plain {
            let detail = format!("subject: it has 1 to {SUBJECT_BYTES_MAX} visible ASCII characters");
            return Err(Refusal::new(Code::Invalid, detail));
        }
        if self.kind != Kind::User || self.life_ms.is_none() {
            return Err(Refusal::new(Code::Invalid, "subject: only a user signs in, and for a time"));
        }
        Ok(())
    }
}

impl Token {
    /// Tells what it is worth.
    pub fn status(&self, now: Timestamp) -> Status {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => Status::Revoked,
            (None, Some(end)) if end <= now => Status::Expired,
            (None, _) => Status::Active,
        }
    }

    /// Returns all that it allows.
    pub fn policies(&self) -> Vec<Policy> {
        let of_role = self.role.map(|role| role.policies(self.project_ids.as_ref())).unwrap_or_default();
        of_role.into_iter().chain(self.policies.iter().cloned()).collect()
    }

    /// Returns what it is called in the audit: the id too, because a name may be given twice. Whoever signed in is the
    /// same person in every session.
    pub fn principal(&self) -> String {
        match &self.subject {
            Some(subject) => principal_of(subject),
            None => format!("{}:{}#{}", self.kind.as_str(), self.name, self.id),
        }
    }

    /// Tells whether whoever shows it may let others in.
    pub fn may_make_tokens(&self) -> bool {
        super::projects(&self.policies(), Resource::Token, Action::Create) == Some(super::Projects::All)
    }
}

/// Returns what whoever signed in is called in the audit.
pub fn principal_of(subject: &str) -> String {
    format!("oidc:{subject}")
}

/// Returns a token as it is shown.
pub fn shown(id: TokenId, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

/// Takes what somebody shows apart, without telling whether it opens.
pub fn parse(shown: &str) -> Option<(TokenId, &str)> {
    let (id, secret) = shown.strip_prefix(PREFIX)?.split_once('_')?;
    let is_number =
        id.starts_with(|c: char| ('1'..='9').contains(&c)) && id.bytes().all(|b| b.is_ascii_digit());
    let is_secret = secret.len() == SECRET_DIGITS && secret.bytes().all(|b| b.is_ascii_hexdigit());
    let id = id.parse().ok().filter(|id| *id <= crate::id::ID_MAX)?;
    (is_number && is_secret).then_some((TokenId(id), secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewToken {
        NewToken {
            kind: Kind::User,
            name: "ada".into(),
            role: Some(Role::Viewer),
            project_ids: None,
            policies: vec![],
            approval_roles: BTreeSet::new(),
            life_ms: Some(10),
            subject: None,
            secret_hash: SecretHash::of("s"),
            made_by: "administrator".into(),
        }
    }

    fn refused(change: impl FnOnce(&mut NewToken)) -> String {
        let mut new = new();
        change(&mut new);
        new.make(TokenId(1), Timestamp::from_ms(0)).unwrap_err().detail
    }

    #[test]
    fn a_token_is_worth_something_until_its_time_is_over_or_it_is_revoked() {
        let token = new().make(TokenId(7), Timestamp::from_ms(0)).unwrap();
        let at = |ms| token.status(Timestamp::from_ms(ms));
        assert_eq!([at(0), at(9), at(10)], [Status::Active, Status::Active, Status::Expired]);
        let revoked = Token { revoked_at: Some(Timestamp::from_ms(1)), ..token.clone() };
        assert_eq!(revoked.status(Timestamp::from_ms(0)), Status::Revoked);
        assert_eq!(token.principal(), "user:ada#7");
        assert!(token.secret_hash.is_of("s") && !token.secret_hash.is_of("t"));
    }

    #[test]
    fn whoever_signed_in_is_one_person_in_every_session_and_each_session_ends() {
        let signed_in = |subject: &str| NewToken { subject: Some(subject.into()), ..new() };
        let principal = |id| signed_in("a|b@c").make(TokenId(id), Timestamp::from_ms(0)).unwrap().principal();
        assert_eq!([principal(1), principal(2)], ["oidc:a|b@c", "oidc:a|b@c"]);
        for subject in ["", "a b", "a\n", "é", &"x".repeat(SUBJECT_BYTES_MAX + 1)] {
            assert!(
                refused(|new| new.subject = Some(subject.into())).starts_with("subject: "),
                "{subject:?}"
            );
        }
        assert!(refused(|new| *new = NewToken { life_ms: None, ..signed_in("a") }).starts_with("subject: "));
        let worker = NewToken { kind: Kind::Worker, role: None, ..signed_in("a") };
        assert!(refused(|new| *new = worker).starts_with("subject: "));
    }

    #[test]
    fn what_fits_no_token_is_refused_by_the_name_of_the_member() {
        for name in ["", " ", "a b", "a\nb", "a#1", "a/b", &"x".repeat(61)] {
            assert!(refused(|new| new.name = name.into()).starts_with("name: "), "{name:?}");
        }
        assert!(refused(|new| new.role = Some(Role::Worker)).starts_with("role: "));
        assert!(refused(|new| new.role = None).starts_with("role: "));
        assert!(
            refused(|new| (new.kind, new.role) = (Kind::Worker, Some(Role::Admin))).starts_with("role: ")
        );
        assert!(refused(|new| new.project_ids = Some(BTreeSet::new())).starts_with("project_ids: "));
        for ms in [0, -1, LIFE_MS_MAX + 1] {
            assert!(refused(|new| new.life_ms = Some(ms)).starts_with("expires_in_seconds: "));
        }
    }

    #[test]
    fn what_is_shown_is_read_back_and_nothing_else_is() {
        let secret = "0123456789abcdef".repeat(4);
        let text = shown(TokenId(12), &secret);
        assert_eq!(parse(&text), Some((TokenId(12), secret.as_str())));
        for odd in ["", "spl_", "spl_1_", "spl_1", &text[1..], &text[..text.len() - 1], &format!("{text}0")] {
            assert_eq!(parse(odd), None, "{odd}");
        }
        for id in ["0", "-1", "+1", "01", "9007199254740992", "99999999999999999999", "x"] {
            assert_eq!(parse(&format!("spl_{id}_{secret}")), None, "{id}");
        }
    }
}
