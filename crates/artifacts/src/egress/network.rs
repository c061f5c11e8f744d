//! Ranges of addresses: which are special, and those that an operator denies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Holds a range of addresses, written as `10.0.0.0/8` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Says why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a network: {fault}")]
pub struct NetworkError {
    text: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("{found:?} is not an IP address")]
    Address { found: String },
    #[error("the prefix {found:?} is not a number from 0 to {longest}")]
    Prefix { found: String, longest: u8 },
}

impl NetworkError {
    /// Gives a network as it should be written: what was meant, where that can be told, otherwise an example.
    pub fn example(&self) -> String {
        let meant = match (&self.fault, self.text.split_once('/')) {
            (Fault::Prefix { longest: 32, .. }, Some((address, mask))) => {
                prefix_of_mask(mask).map(|prefix| format!("{address}/{prefix}"))
            }
            (Fault::Address { .. }, Some((address, prefix))) => {
                filled_up(address).map(|address| format!("{address}/{prefix}"))
            }
            (Fault::Address { .. } | Fault::Prefix { .. }, _) => None,
        };
        meant
            .filter(|text| text.parse::<Network>().is_ok())
            .unwrap_or_else(|| "10.0.0.0/8".to_owned())
    }
}

/// `255.255.0.0` → 16
fn prefix_of_mask(mask: &str) -> Option<u32> {
    let bits = mask.parse::<Ipv4Addr>().ok()?.to_bits();
    (bits.leading_ones() == bits.count_ones()).then(|| bits.leading_ones())
}

/// `10.1` → `10.1.0.0`
fn filled_up(address: &str) -> Option<String> {
    let parts: Vec<&str> = address.split('.').collect();
    let missing = 4_usize.checked_sub(parts.len())?;
    let zeros = std::iter::repeat_n("0", missing);
    Some(parts.into_iter().chain(zeros).collect::<Vec<_>>().join("."))
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let error = |fault| NetworkError {
            text: text.to_owned(),
            fault,
        };
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let found = address;
        let address: IpAddr = found.parse().map_err(|_| {
            let found = found.to_owned();
            error(Fault::Address { found })
        })?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Some(found) = prefix else {
            return Ok(Self {
                address,
                prefix: longest,
            });
        };
        match found.parse() {
            Ok(prefix) if prefix <= longest => Ok(Self { address, prefix }),
            Ok(_) | Err(_) => {
                let found = found.to_owned();
                Err(error(Fault::Prefix { found, longest }))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Says whether `address` is in the network; it is canonical already.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ
                    .checked_shr(128 - u32::from(self.prefix))
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Gives the IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    let inner = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        _ => address,
    }
}

/// Says whether the address serves credentials to the machine that asks, or is on the local link.
///
/// 169.254.169.254 and its neighbours at all clouds, `fd00:ec2::254` at AWS, `fd20:ce::254` at Google, 100.100.100.200 at
/// Alibaba, 168.63.129.16 at Azure, 192.0.0.192 at Oracle.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            four.is_link_local()
                || [[100, 100, 100, 200], [168, 63, 129, 16], [192, 0, 0, 192]]
                    .contains(&four.octets())
        }
        IpAddr::V6(six) => {
            six.is_unicast_link_local()
                || six == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || six == Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// Says whether the address is that of one host.
pub(crate) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            !(four.octets()[0] == 0 || four.is_multicast() || four.octets()[0] >= 240)
        }
        IpAddr::V6(six) => !(six.is_unspecified() || six.is_multicast()),
    }
}
