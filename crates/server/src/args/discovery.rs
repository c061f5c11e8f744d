//! Settings of discovery: how much at a time, how hard hosts are asked, what is remembered.

use std::num::NonZeroU32;
use std::path::Path;

use artifacts::Limits;
use artifacts::registry::Memory;
use clap::{Args, ValueEnum};
use controllers::Share;
use domain::CacheByTagPolicy;

/// How Warehouses look at their repositories.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Discovery")]
pub struct Discovery {
    /// Warehouses that look at their repositories at the same time
    #[arg(long, env = "ARGOSY_MAX_CONCURRENT_DISCOVERIES", value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_concurrent_discoveries: u16,
    /// How many of them may be of one project, so that others have their turn [default: a quarter]
    #[arg(long, env = "ARGOSY_MAX_CONCURRENT_DISCOVERIES_PER_PROJECT", value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub max_concurrent_discoveries_per_project: Option<u16>,
    /// Most requests a second to one registry or Git host on behalf of one project and credential; the pace begins at a
    /// quarter of it, and falls when the host says that it is too much [default: 200, at Google's registries 500]
    #[arg(long, env = "ARGOSY_REGISTRY_RATE", value_name = "NUMBER")]
    pub registry_rate: Option<NonZeroU32>,
    /// Requests at the same time to one registry or Git host on behalf of one project and credential
    #[arg(long, env = "ARGOSY_REGISTRY_CONCURRENCY", value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub registry_concurrency: u16,
    /// Size of the file that remembers what registries answered, in MiB; 0 for none
    #[arg(long, env = "ARGOSY_DISCOVERY_MEMORY", value_name = "MIB", default_value_t = 256, value_parser = memory)]
    pub discovery_memory: u32,
    /// Whether image subscriptions may take their tags never to move (cacheByTag)
    #[arg(long, env = "ARGOSY_CACHE_BY_TAG_POLICY", value_enum, default_value_t = CacheByTag::Allow)]
    pub cache_by_tag_policy: CacheByTag,
}

/// What the operator says about cacheByTag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CacheByTag {
    /// Never, whatever subscriptions say
    Forbid,
    /// Where a subscription says so
    Allow,
    /// Subscriptions that do not say so are refused, but for those by digest
    Require,
    /// Always, whatever subscriptions say, but for those by digest
    Force,
}

/// The smallest file that is worth having.
const LEAST_MEMORY: u32 = 8;

fn memory(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size) if size == 0 || size >= LEAST_MEMORY => Ok(size),
        Ok(_) => Err(format!("write at least {LEAST_MEMORY}, or 0 for none")),
        Err(error) => Err(format!("{error}; write a number of MiB, such as 256")),
    }
}

impl Discovery {
    /// Gives the places for discoveries.
    pub(crate) fn share(&self) -> Share {
        let share = Share::quartered(usize::from(self.max_concurrent_discoveries));
        match self.max_concurrent_discoveries_per_project {
            Some(most) => Share {
                of_one_project: usize::from(most),
                ..share
            },
            None => share,
        }
    }

    /// Gives the limits for requests to registries and Git hosts.
    pub(crate) fn limits(&self) -> Limits {
        let limits = Limits {
            concurrency: usize::from(self.registry_concurrency),
            ..Limits::default()
        };
        match self.registry_rate {
            Some(rate) => Limits {
                rate,
                host_rates: Vec::new(),
                ..limits
            },
            None => limits,
        }
    }

    /// Opens the memory in the data folder.
    pub(crate) fn memory(&self, data: &Path) -> Memory {
        match u64::from(self.discovery_memory) << 20 {
            0 => Memory::new(),
            bound => Memory::open(&data.join("discovery.redb"), bound),
        }
    }

    /// Gives the policy for `cacheByTag`.
    pub(crate) fn cache_by_tag(&self) -> CacheByTagPolicy {
        match self.cache_by_tag_policy {
            CacheByTag::Forbid => CacheByTagPolicy::Forbid,
            CacheByTag::Allow => CacheByTagPolicy::Allow,
            CacheByTag::Require => CacheByTagPolicy::Require,
            CacheByTag::Force => CacheByTagPolicy::Force,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        discovery: Discovery,
    }

    fn parse(arguments: &[&str]) -> Result<Discovery, String> {
        let arguments = std::iter::once(&"argosy").chain(arguments);
        Line::try_parse_from(arguments)
            .map(|it| it.discovery)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_project_has_a_quarter_of_the_places_unless_told_otherwise() {
        let share = |arguments: &[&str]| {
            let share = parse(arguments).expect("settings").share();
            (share.places, share.of_one_project)
        };
        assert_eq!(share(&[]), (16, 4));
        assert_eq!(share(&["--max-concurrent-discoveries=1"]), (1, 1));
        assert_eq!(
            share(&["--max-concurrent-discoveries-per-project=9"]),
            (16, 9)
        );
    }

    #[test]
    fn a_rate_that_is_given_is_that_of_every_host() {
        let limits = parse(&["--registry-rate=7"]).expect("settings").limits();
        assert_eq!(limits.rate.get(), 7);
        assert!(limits.host_rates.is_empty());
        assert!(!parse(&[]).expect("settings").limits().host_rates.is_empty());
        assert!(parse(&["--registry-rate=0"]).is_err());
    }

    #[test]
    fn a_memory_that_is_too_small_is_told_with_what_to_write() {
        let error = parse(&["--discovery-memory=3"]).expect_err("too small");
        assert!(error.contains("at least 8, or 0 for none"), "{error}");
        let error = parse(&["--discovery-memory=1GiB"]).expect_err("no number");
        assert!(error.contains("a number of MiB"), "{error}");
        assert!(parse(&["--discovery-memory=0"]).is_ok());
    }
}
