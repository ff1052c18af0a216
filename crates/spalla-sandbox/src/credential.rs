//! A credential in our memory: never shown, never written down, and wiped when it goes. It is handed over in one way
//! only, as a variable of the environment outside.

use crate::injection::Injection;
use crate::policy::Policy;
use crate::refusal::Error;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// What the command finds in the place of a credential: programs that insist on one start with it.
pub(crate) const PLACEHOLDER: &str = "spalla-injected";
/// A credential that is shorter, in bytes, is looked for as a whole alone: it would be found in words.
pub(crate) const SEARCHED_BYTES_MIN: usize = 8;

/// What opens a host.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(Zeroizing<String>);

impl Credential {
    /// Takes the credential of an injection out of the environment outside; refuses where there is none.
    pub(crate) fn read(injection: &Injection, outside: &BTreeMap<String, String>) -> Result<Self, Error> {
        let Injection { host, variable, .. } = injection;
        // The end of the line comes along where a file was read.
        let value = outside.get(variable).map_or("", |value| value.trim());
        if value.is_empty() {
            let reason = format!("{host} is to get the credential of {variable}, which is not set");
            return Err(Error::policy(reason, "set it where the command is started, or leave the host out"));
        }
        if !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            let reason = format!("the value of {variable} can't stand in a header");
            return Err(Error::policy(reason, "set it to the credential alone"));
        }
        Ok(Self(Zeroizing::new(value.to_owned())))
    }

    /// Returns the value, for whoever sends it or looks for it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether a text gives it away.
    fn is_in(&self, text: &str) -> bool {
        text == self.expose() || self.expose().len() >= SEARCHED_BYTES_MIN && text.contains(self.expose())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

/// Refuses to start a command that would find a credential of its policy in its own variables or arguments.
pub(crate) fn refuse_leaks(
    policy: &Policy,
    outside: &BTreeMap<String, String>,
    variables: &BTreeMap<String, String>,
    arguments: &[String],
) -> Result<(), Error> {
    let mend = "leave it out: what the command sends gets it on the way";
    for injection in policy.network.injections() {
        let credential = Credential::read(injection, outside)?;
        if let Some((name, _)) = variables.iter().find(|(_, value)| credential.is_in(value)) {
            let reason = format!("the variable {name} holds the credential of {}", injection.variable);
            return Err(Error::policy(reason, mend));
        }
        if arguments.iter().any(|argument| credential.is_in(argument)) {
            let reason = format!("an argument holds the credential of {}", injection.variable);
            return Err(Error::policy(reason, mend));
        }
    }
    Ok(())
}

/// The credentials that a worker hands to its supervisors, by the names of their variables.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostCredentials(BTreeMap<String, Zeroizing<String>>);

impl HostCredentials {
    /// Takes what these injections need out of an environment; one that is not set there is missed when it is needed.
    pub fn of(inject: &[Injection], environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_needed = |name: &String| inject.iter().any(|injection| injection.variable == *name);
        let needed = environment.into_iter().filter(|(name, _)| is_needed(name));
        Self(needed.map(|(name, value)| (name, Zeroizing::new(value))).collect())
    }

    /// Adds them to the environment outside, for the supervisor alone.
    pub fn add_to(&self, outside: &mut BTreeMap<String, String>) {
        outside.extend(self.0.iter().map(|(name, value)| (name.clone(), value.to_string())));
    }
}

/// Shows which they are, and not what.
impl fmt::Debug for HostCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Network, Preset};

    fn policy() -> Policy {
        let mut policy = Policy::new(Preset::Agent, "/w".into());
        let inject = Injection::read_all(&["api.openai.com=OPENAI_API_KEY".into()], &mut Vec::new()).unwrap();
        policy.network = Network::Proxy { allow: Vec::new(), relays: Vec::new(), inject };
        policy
    }

    fn outside(value: &str) -> BTreeMap<String, String> {
        [("OPENAI_API_KEY".to_owned(), value.to_owned())].into()
    }

    fn refused(variables: &BTreeMap<String, String>, arguments: &[&str], value: &str) -> Option<String> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let judged = refuse_leaks(&policy(), &outside(value), variables, &arguments);
        judged.err().map(|error| error.to_string())
    }

    #[test]
    fn a_variable_that_is_not_set_is_refused_with_the_mend() {
        let policy = policy();
        let injection = &policy.network.injections()[0];
        for outside in [BTreeMap::new(), outside(""), outside(" \n")] {
            let error = Credential::read(injection, &outside).unwrap_err().to_string();
            assert!(error.contains("OPENAI_API_KEY, which is not set; set it where"), "{error}");
        }
        let error = Credential::read(injection, &outside("sk-\u{e9}")).unwrap_err().to_string();
        assert!(error.contains("can't stand in a header") && !error.contains("sk-"), "{error}");
        assert_eq!(Credential::read(injection, &outside("sk-1\n")).unwrap().expose(), "sk-1");
    }

    #[test]
    fn a_command_that_would_hold_the_credential_is_refused_without_saying_it() {
        let variables = [("OTHER".to_owned(), "Bearer sk-0123456789".to_owned())].into();
        let error = refused(&variables, &[], "sk-0123456789").unwrap();
        assert!(error.contains("the variable OTHER holds") && !error.contains("sk-01"), "{error}");
        let error = refused(&BTreeMap::new(), &["-H", "x: sk-0123456789"], "sk-0123456789").unwrap();
        assert!(error.contains("an argument holds") && !error.contains("sk-01"), "{error}");
        assert_eq!(refused(&BTreeMap::new(), &["a short word"], "short"), None);
        assert!(refused(&BTreeMap::new(), &["short"], "short").is_some());
    }

    #[test]
    fn nothing_shows_a_credential() {
        let policy = policy();
        let inject = policy.network.injections();
        let credentials = HostCredentials::of(
            inject,
            outside("sk-0123456789").into_iter().chain([("A".into(), "b".into())]),
        );
        assert_eq!(format!("{credentials:?}"), r#"{"OPENAI_API_KEY"}"#);
        let mut order = BTreeMap::new();
        credentials.add_to(&mut order);
        assert_eq!(order, outside("sk-0123456789"));
        let one = Credential::read(&inject[0], &order).unwrap();
        assert_eq!(format!("{one:?}"), "Credential");
        assert!(!policy.canonical().contains("sk-"));
    }
}
