//! Hosts that a run's proxy refused, on the wire.

use super::Body;
use super::number::{Number, Ordinal};
use super::object::objects;
use super::text::Text;
use serde::Deserialize;
use spalla_domain::Fence;
use spalla_domain::refused_host::{self, REFUSED_HOSTS_MAX};
use spalla_domain::sandbox::TEXT_BYTES_MAX;
use utoipa::ToSchema;

/// A host or a reason.
type Words = Text<TEXT_BYTES_MAX>;
/// The number of a port.
type Port = Number<0, { u16::MAX as i64 }>;

/// A host that a command asked the run's proxy for and did not get.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedHost {
    /// Its name or address.
    #[schema(inline)]
    host: Words,
    /// The port.
    #[schema(inline)]
    port: Port,
    /// Why.
    #[schema(inline)]
    reason: Words,
}

/// Hosts that a run's commands were refused, as its worker says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedHostReport {
    /// The token of the lease.
    #[schema(inline)]
    fencing_token: Ordinal,
    /// The hosts; what was told before is not told again.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 256)]
    hosts: Vec<RefusedHost>,
}

impl Body for RefusedHostReport {}

/// The number that the schema above writes out has to be the domain's.
const _: () = assert!(REFUSED_HOSTS_MAX == 256);

impl RefusedHostReport {
    /// Returns the token, and the hosts.
    pub(crate) fn into_parts(self) -> (Fence, Vec<refused_host::RefusedHost>) {
        let host = |refused: RefusedHost| refused_host::RefusedHost {
            host: refused.host.into(),
            port: u16::try_from(refused.port.get()).unwrap_or_default(),
            reason: refused.reason.into(),
        };
        (Fence(self.fencing_token.get()), self.hosts.into_iter().map(host).collect())
    }
}
