//! Where a URL that a tenant wrote may lead.
//!
//! One [`Policy`] governs every repository, chart and address that comes from a manifest. Whatever the operator says,
//! link-local and metadata addresses and the Kubernetes API server are refused; loopback is refused unless the program
//! is a laptop's `argosy up`, or it is the port that the operator sends a registry's connections to, for that registry; private networks are open, since that is where companies keep Git and registries, unless
//! the operator closes some.
//!
//! A name proves nothing, so the decision is taken over addresses, after DNS, for each connection: [`Resolver`] does so
//! inside the HTTP client, [`Pin`] for git, which can be told which address to use. Each redirect goes
//! through [`Policy::check_url`] and a connection of its own. A name other than `localhost` that resolves to loopback is
//! refused even where loopback is open, so that no tenant reaches this machine's services by a record of their own.

mod network;
mod pin;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

pub use network::{Network, NetworkError};
pub use pin::Pin;

/// Longest wait for the answer of a name server.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Most addresses of one name that are looked at.
const ADDRESSES_BOUND: usize = 32;

/// Names by which workloads in a cluster reach its API server, and by which clouds serve credentials.
const REFUSED_NAMES: &[(&str, Why)] = &[
    ("kubernetes", Why::ApiServer),
    ("kubernetes.default", Why::ApiServer),
    ("kubernetes.default.svc", Why::ApiServer),
    ("kubernetes.default.svc.cluster.local", Why::ApiServer),
    ("metadata", Why::Metadata),
    ("metadata.google.internal", Why::Metadata),
    ("metadata.goog", Why::Metadata),
    ("instance-data", Why::Metadata),
    ("instance-data.ec2.internal", Why::Metadata),
];

/// Decides where connections may go.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    loopback: bool,
    /// Ports of this machine that the operator named, open without the rest of it.
    loopback_ports: Vec<u16>,
    denied: Vec<Network>,
    api_servers: Vec<SocketAddr>,
}

/// Says that an address is out of bounds, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connections to {to} are refused: it {why}")]
pub struct Refused {
    /// The host as the URL has it, with the address where it resolved to another.
    pub to: String,
    pub why: Why,
}

/// Names the rule that refused an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("is a link-local or cloud metadata address")]
    Metadata,
    #[error("is the Kubernetes API server")]
    ApiServer,
    #[error("is this machine")]
    Loopback,
    #[error("is a name of this machine that is not localhost")]
    Rebound,
    #[error("is no address of one host")]
    NotUnicast,
    #[error("is in a network that the operator denied with --deny-network")]
    Denied,
    #[error("has no host")]
    NoHost,
}

impl Refused {
    fn new(to: impl Into<String>, why: Why) -> Self {
        Self { to: to.into(), why }
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> &'static str {
        match self.why {
            Why::Loopback => {
                "use `argosy up` for repositories on this machine, or give the repository a name in the network"
            }
            Why::Rebound => "write localhost or 127.0.0.1 in the URL",
            Why::Denied => "ask the operator about --deny-network",
            Why::Metadata | Why::ApiServer | Why::NotUnicast | Why::NoHost => {
                "correct the URL: no setting opens this address"
            }
        }
    }
}

/// Says why a name led nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("failed to look up {host:?}")]
    Lookup {
        host: String,
        source: std::io::Error,
    },
    #[error("no answer in {LOOKUP_TIMEOUT:?} to the question for {host:?}")]
    Silence { host: String },
    #[error("{host:?} has no address")]
    NoAddress { host: String },
}

impl ResolveError {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused(refused) => refused.hint().to_owned(),
            Self::Lookup { host, .. } | Self::Silence { host } | Self::NoAddress { host } => {
                format!(
                    "check the spelling of {host} and DNS: getent hosts {host} from where argosy runs"
                )
            }
        }
    }
}

impl Policy {
    /// Refuses what is always refused, and loopback.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens `localhost`, `127.0.0.0/8` and `::1`: for a program on a laptop.
    #[must_use]
    pub fn with_loopback(self) -> Self {
        Self {
            loopback: true,
            ..self
        }
    }

    /// Opens one port of `localhost`, `127.0.0.0/8` and `::1`: for what the operator sends there, and nobody else.
    #[must_use]
    pub(crate) fn with_loopback_at(mut self, port: u16) -> Self {
        self.loopback_ports.push(port);
        self
    }

    fn opens_loopback(&self, port: u16) -> bool {
        self.loopback || self.loopback_ports.contains(&port)
    }

    /// Closes a network.
    #[must_use]
    pub fn deny(mut self, network: Network) -> Self {
        self.denied.push(network);
        self
    }

    /// Closes the address of a Kubernetes API server.
    #[must_use]
    pub fn with_api_server(mut self, address: SocketAddr) -> Self {
        self.api_servers.push(SocketAddr::new(
            network::canonical(address.ip()),
            address.port(),
        ));
        self
    }

    /// Decides over a URL as far as it can be without DNS: a literal address, a name that is always refused.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        let port = url.port_or_known_default().unwrap_or_default();
        match url.host() {
            None => Err(Refused::new(format!("a {} URL", url.scheme()), Why::NoHost)),
            Some(Host::Ipv4(address)) => {
                self.check_address(&address.to_string(), SocketAddr::new(address.into(), port))
            }
            Some(Host::Ipv6(address)) => {
                self.check_address(&address.to_string(), SocketAddr::new(address.into(), port))
            }
            Some(Host::Domain(name)) => self.check_name(name, port),
        }
    }

    fn check_name(&self, name: &str, port: u16) -> Result<(), Refused> {
        let bare = name.trim_end_matches('.').to_ascii_lowercase();
        match REFUSED_NAMES.iter().find(|(refused, _)| *refused == bare) {
            Some((_, why)) => Err(Refused::new(name, *why)),
            None if !self.opens_loopback(port) && is_loopback_name(name) => {
                Err(Refused::new(name, Why::Loopback))
            }
            None => Ok(()),
        }
    }

    /// Decides over an address that `host` resolved to, or that it is.
    pub fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), Refused> {
        let ip = network::canonical(address.ip());
        let to = if host.parse::<IpAddr>().is_ok() {
            address.ip().to_string()
        } else {
            format!("{host} ({ip})")
        };
        if network::is_metadata(ip) {
            return Err(Refused::new(to, Why::Metadata));
        }
        if self
            .api_servers
            .contains(&SocketAddr::new(ip, address.port()))
        {
            return Err(Refused::new(to, Why::ApiServer));
        }
        if ip.is_loopback() {
            return match (self.opens_loopback(address.port()), is_loopback_name(host)) {
                (false, _) => Err(Refused::new(to, Why::Loopback)),
                (true, false) => Err(Refused::new(to, Why::Rebound)),
                (true, true) => Ok(()),
            };
        }
        if !network::is_unicast(ip) {
            return Err(Refused::new(to, Why::NotUnicast));
        }
        if self.denied.iter().any(|network| network.contains(ip)) {
            return Err(Refused::new(to, Why::Denied));
        }
        Ok(())
    }

    /// Looks up `host` and gives the addresses that may be connected to; one that may not is an error.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
        self.check_name(host, port)?;
        let literal = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        let addresses = match literal {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                match tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port)))
                    .await
                {
                    Err(_) => {
                        return Err(ResolveError::Silence {
                            host: host.to_owned(),
                        });
                    }
                    Ok(Err(source)) => {
                        return Err(ResolveError::Lookup {
                            host: host.to_owned(),
                            source,
                        });
                    }
                    Ok(Ok(found)) => found.take(ADDRESSES_BOUND).collect(),
                }
            }
        };
        for address in &addresses {
            self.check_address(host, *address)?;
        }
        if addresses.is_empty() {
            return Err(ResolveError::NoAddress {
                host: host.to_owned(),
            });
        }
        Ok(addresses)
    }
}

/// Says whether a host name, or a literal address, is this machine's by its spelling alone.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return network::canonical(address).is_loopback();
    }
    let name = bare.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Resolves names for an HTTP client that connects to one port only.
#[derive(Debug, Clone)]
pub struct Resolver {
    policy: Arc<Policy>,
    port: u16,
}

impl Resolver {
    /// Resolves under `policy`; the rule for API servers is about a port, hence the argument.
    pub fn new(policy: Arc<Policy>, port: u16) -> Self {
        Self { policy, port }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { policy, port } = self.clone();
        Box::pin(async move {
            let addresses = policy.resolve(name.as_str(), port).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
