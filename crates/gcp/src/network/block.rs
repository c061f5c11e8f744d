//! Ranges of addresses, as policies write them: `10.0.0.0/8`, with exceptions.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// A range with those that are taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Block {
    pub cidr: Range,
    #[serde(default)]
    pub except: Vec<Range>,
}

/// All addresses that begin like one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Range {
    first: IpAddr,
    /// How many bits are the same.
    prefix: u32,
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range of addresses such as 10.0.0.0/8")]
pub struct BlockError(String);

impl Block {
    pub fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(address) && !self.except.iter().any(|it| it.contains(address))
    }

    /// Says whether no IPv4 address is left out: Pods whose address is not known have one of those.
    pub fn is_everything(&self) -> bool {
        self.cidr.first.is_ipv4() && self.cidr.prefix == 0 && self.except.is_empty()
    }
}

impl Range {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differing = first.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl FromStr for Range {
    type Err = BlockError;

    fn from_str(text: &str) -> Result<Self, BlockError> {
        let refused = || BlockError(text.to_owned());
        let (first, prefix) = text.split_once('/').ok_or_else(refused)?;
        let first: IpAddr = first.parse().map_err(|_| refused())?;
        let prefix: u32 = prefix.parse().map_err(|_| refused())?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        (prefix <= longest)
            .then_some(Self { first, prefix })
            .ok_or_else(refused)
    }
}

impl TryFrom<String> for Range {
    type Error = BlockError;

    fn try_from(text: String) -> Result<Self, BlockError> {
        text.parse()
    }
}
