//! What holds git to the addresses that the policy has seen, though it has only a name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Policy, ResolveError};
use crate::child::PinnedHost;

/// Most addresses of a host that are tried for ssh, and longest wait for each to take a connection.
const TRIED_BOUND: usize = 4;
const TRY_TIMEOUT: Duration = Duration::from_secs(3);

/// Holds git to the addresses that the egress policy has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// The host is an address itself, which nobody looks up.
    Literal,
    /// As `http.curloptResolve` takes it: `host:port:address,address`.
    Curl(String),
    Ssh(PinnedHost),
}

impl Pin {
    /// Looks up a host that is reached over HTTP.
    pub(crate) async fn for_http(
        policy: &Policy,
        host: &str,
        port: u16,
    ) -> Result<Self, ResolveError> {
        let addresses = policy.resolve(host, port).await?;
        if is_address(host) {
            return Ok(Self::Literal);
        }
        Ok(Self::Curl(for_curl(host, port, &addresses)))
    }

    /// Looks up a host that is reached over SSH.
    ///
    /// Where there is a choice of addresses, some are tried: ssh is told no more than one.
    pub(crate) async fn for_ssh(
        policy: &Policy,
        host: &str,
        port: u16,
    ) -> Result<Self, ResolveError> {
        let addresses = policy.resolve(host, port).await?;
        if is_address(host) {
            return Ok(Self::Literal);
        }
        Ok(Self::Ssh(PinnedHost {
            address: first_that_answers(&addresses).await.ip(),
            known_as: known_as(host, port),
        }))
    }

    /// Gives what ssh is to be told.
    pub(crate) fn host(&self) -> Option<&PinnedHost> {
        match self {
            Self::Literal | Self::Curl(_) => None,
            Self::Ssh(host) => Some(host),
        }
    }

    /// Gives the setting that git is to be told.
    pub(crate) fn setting(&self) -> Option<String> {
        match self {
            Self::Literal | Self::Ssh(_) => None,
            Self::Curl(resolved) => Some(format!("http.curloptResolve={resolved}")),
        }
    }
}

fn is_address(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
}

/// Writes addresses as `http.curloptResolve` takes them.
fn for_curl(name: &str, port: u16, addresses: &[SocketAddr]) -> String {
    let addresses = addresses.iter().map(|address| match address.ip() {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("[{six}]"),
    });
    let addresses: Vec<String> = addresses.collect();
    format!("{name}:{port}:{}", addresses.join(","))
}

/// Gives the first of some addresses that takes a connection; if none does, the first, for ssh to say why.
async fn first_that_answers(addresses: &[SocketAddr]) -> SocketAddr {
    let first = *addresses
        .first()
        .expect("a host that resolves has an address");
    if addresses.len() == 1 {
        return first;
    }
    for address in addresses.iter().take(TRIED_BOUND) {
        let connected = tokio::time::timeout(TRY_TIMEOUT, TcpStream::connect(address)).await;
        if let Ok(Ok(_)) = connected {
            return *address;
        }
    }
    first
}

/// Writes a host as OpenSSH looks it up in files of known hosts: with its port, unless that is the usual one.
///
/// Source: <https://man.openbsd.org/sshd#SSH_KNOWN_HOSTS_FILE_FORMAT>
fn known_as(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    match port {
        22 => host,
        port => format!("[{host}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_several_addresses_the_first_that_answers_is_taken() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let there = listener.local_addr().expect("an address");
        let nobody = SocketAddr::new([127, 0, 0, 1].into(), 1);
        assert_eq!(first_that_answers(&[nobody, there]).await, there);
        assert_eq!(first_that_answers(&[nobody, nobody]).await, nobody);
        assert_eq!(first_that_answers(&[nobody]).await, nobody);
    }
}
