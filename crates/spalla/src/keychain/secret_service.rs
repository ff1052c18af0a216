//! The Secret Service of a Linux desktop (GNOME's keyring, KWallet, KeePassXC), over the session's D-Bus. The session
//! with it is plain: the bus is a socket of this user on this machine.

use super::{Error, SERVICE};
use rustbus::connection::{self, Timeout, ll_conn::force_finish_on_error};
use rustbus::message_builder::{MarshalledMessage, MessageType};
use rustbus::wire::ObjectPath;
use rustbus::wire::errors::{MarshalError, UnmarshalError};
use rustbus::{CallBuilder, Marshal, MessageBuilder, RpcConn, Signature, standard_messages};
use spalla_domain::secret::Secret;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Who offers it.
const NAME: &str = "org.freedesktop.secrets";
const ROOT: &str = "/org/freedesktop/secrets";
const SERVICES: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
/// Instead of an object, where there is none.
const NOTHING: &str = "/";
/// How long an answer is waited for; the bus may have to start the service first.
const ANSWER: Duration = Duration::from_secs(15);
/// How long a person has to type the password of the keychain.
const PERSON: Duration = Duration::from_secs(120);

type Path = ObjectPath<String>;
/// A secret as it travels: the session, its parameters, the value, its kind.
type Travelling = (Path, Vec<u8>, Vec<u8>, String);

/// What an entry is described by.
#[derive(Marshal, Signature)]
enum Property {
    Text(String),
    Words(HashMap<String, String>),
}

pub(super) fn read(folder: &str) -> Result<Option<Secret>, Error> {
    let mut service = Service::open()?;
    let Some(item) = service.find(folder)? else { return Ok(None) };
    let session = service.session.clone();
    let answer = service.ask(&item, ITEM, "GetSecret", |call| call.body.push_param(session.clone()))?;
    let (_, _, value, _) = answer.body.parser().get::<Travelling>()?;
    Ok(Some(Secret::from(value)))
}

pub(super) fn write(folder: &str, text: &Secret) -> Result<(), Error> {
    let mut service = Service::open()?;
    let collection = service.collection()?;
    service.unlock(&collection)?;
    let properties: HashMap<String, Property> = HashMap::from([
        (format!("{ITEM}.Label"), Property::Text(format!("Spalla: key of the secrets in {folder}"))),
        (format!("{ITEM}.Attributes"), Property::Words(attributes(folder))),
    ]);
    let value = Zeroizing::new(text.expose().to_vec());
    let session = service.session.clone();
    let answer = service.ask(&collection, COLLECTION, "CreateItem", |call| {
        call.body.push_param(&properties)?;
        call.body.push_param((session.clone(), Vec::<u8>::new(), &**value, "text/plain"))?;
        call.body.push_param(true)
    })?;
    let (_, prompt) = answer.body.parser().get2::<Path, Path>()?;
    service.prompted(&prompt)
}

pub(super) fn remove(folder: &str) -> Result<(), Error> {
    let mut service = Service::open()?;
    let Some(item) = service.find(folder)? else { return Ok(()) };
    let answer = service.ask(&item, ITEM, "Delete", |_| Ok(()))?;
    let prompt = answer.body.parser().get::<Path>()?;
    service.prompted(&prompt)
}

fn attributes(folder: &str) -> HashMap<String, String> {
    [("application", SERVICE), ("data", folder)].map(|(name, value)| (name.into(), value.into())).into()
}

/// An open session with the service.
struct Service {
    bus: RpcConn,
    session: Path,
}

impl Service {
    fn open() -> Result<Self, Error> {
        let unreachable = |error: connection::Error| match error {
            connection::Error::NoAddressFound => {
                Error::Unreachable("DBUS_SESSION_BUS_ADDRESS names no session's bus".into())
            }
            error => Error::Unreachable(error.to_string()),
        };
        let bus = RpcConn::session_conn(Timeout::Duration(ANSWER)).map_err(unreachable)?;
        let session = path(NOTHING)?;
        let mut service = Self { bus, session };
        let answer = service.ask_root("OpenSession", |call| {
            call.body.push_param("plain")?;
            call.body.push_variant("")
        })?;
        let mut parser = answer.body.parser();
        parser.get::<rustbus::wire::unmarshal::traits::Variant<'_, '_>>()?;
        service.session = parser.get::<Path>()?;
        Ok(service)
    }

    /// Looks for the entry of a folder, and unlocks it where it is locked.
    fn find(&mut self, folder: &str) -> Result<Option<Path>, Error> {
        let answer = self.ask_root("SearchItems", |call| call.body.push_param(attributes(folder)))?;
        let (open, locked) = answer.body.parser().get2::<Vec<Path>, Vec<Path>>()?;
        if let Some(item) = open.into_iter().next() {
            return Ok(Some(item));
        }
        let Some(item) = locked.into_iter().next() else { return Ok(None) };
        self.unlock(&item)?;
        Ok(Some(item))
    }

    /// Returns where new entries go.
    fn collection(&mut self) -> Result<Path, Error> {
        let answer = self.ask_root("ReadAlias", |call| call.body.push_param("default"))?;
        let collection = answer.body.parser().get::<Path>()?;
        match collection.as_ref() {
            NOTHING => Err(Error::Refused("it has no default collection yet".into())),
            _ => Ok(collection),
        }
    }

    fn unlock(&mut self, object: &Path) -> Result<(), Error> {
        let answer = self.ask_root("Unlock", |call| call.body.push_param(vec![object.clone()]))?;
        let (_, prompt) = answer.body.parser().get2::<Vec<Path>, Path>()?;
        self.prompted(&prompt)
    }

    /// Has a person asked where the service wants so, and waits for the answer.
    fn prompted(&mut self, prompt: &Path) -> Result<(), Error> {
        if prompt.as_ref() == NOTHING {
            return Ok(());
        }
        let rule =
            format!("type='signal',interface='{PROMPT}',member='Completed',path='{}'", prompt.as_ref());
        self.send(standard_messages::add_match(&rule))?;
        self.ask(prompt, PROMPT, "Prompt", |call| call.body.push_param(""))?;
        let until = Instant::now() + PERSON;
        loop {
            let left = Timeout::Duration(until.saturating_duration_since(Instant::now()));
            let signal = self.bus.wait_signal(left).map_err(|error| match error {
                connection::Error::TimedOut => Error::Locked,
                error => Error::Unreachable(error.to_string()),
            })?;
            let is_ours = signal.dynheader.object.as_deref() == Some(prompt.as_ref())
                && signal.dynheader.member.as_deref() == Some("Completed");
            if is_ours {
                let was_dismissed = signal.body.parser().get::<bool>()?;
                return if was_dismissed { Err(Error::Locked) } else { Ok(()) };
            }
        }
    }

    fn ask_root(
        &mut self,
        member: &str,
        say: impl FnOnce(&mut MarshalledMessage) -> Result<(), MarshalError>,
    ) -> Result<MarshalledMessage, Error> {
        self.ask(&path(ROOT)?, SERVICES, member, say)
    }

    fn ask(
        &mut self,
        object: &Path,
        interface: &str,
        member: &str,
        say: impl FnOnce(&mut MarshalledMessage) -> Result<(), MarshalError>,
    ) -> Result<MarshalledMessage, Error> {
        let call: CallBuilder = MessageBuilder::new().call(member);
        let mut call = call.at(NAME).on(object.as_ref()).with_interface(interface).build();
        say(&mut call).map_err(|error| Error::Strange(error.to_string()))?;
        self.send(call)
    }

    fn send(&mut self, mut call: MarshalledMessage) -> Result<MarshalledMessage, Error> {
        let gone = |error: connection::Error| match error {
            connection::Error::TimedOut => Error::Unreachable("it does not answer".into()),
            error => Error::Unreachable(error.to_string()),
        };
        let sent = self.bus.send_message(&mut call).map_err(gone)?;
        let serial = sent.write(Timeout::Duration(ANSWER)).map_err(force_finish_on_error).map_err(gone)?;
        let answer = self.bus.wait_response(serial, Timeout::Duration(ANSWER)).map_err(gone)?;
        match answer.typ {
            MessageType::Error => Err(refused(&answer)),
            _ => Ok(answer),
        }
    }
}

/// Understands a refusal.
fn refused(answer: &MarshalledMessage) -> Error {
    let name = answer.dynheader.error_name.as_deref().unwrap_or("no reason");
    let words: String = answer.body.parser().get::<String>().unwrap_or_default();
    match name {
        "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
            Error::Unreachable("no program offers the Secret Service on the session's bus".into())
        }
        "org.freedesktop.Secret.Error.IsLocked" => Error::Locked,
        _ => Error::Refused(format!("{words} ({name})")),
    }
}

fn path(text: &str) -> Result<Path, Error> {
    ObjectPath::new(text.to_owned()).map_err(|error| Error::Strange(format!("{error:?}")))
}

impl From<UnmarshalError> for Error {
    fn from(error: UnmarshalError) -> Self {
        Self::Strange(error.to_string())
    }
}
