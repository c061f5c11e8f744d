//! Discovers the versions of charts.
//!
//! A repository of charts is either a web server with an index of them all ([`index`]), which is asked whether it has
//! changed and read while it arrives, or a registry (`oci://`), whose tags are the versions of one chart. The rules say
//! which it is and what is taken ([`domain::selection::ChartRules`]).

mod error;
pub mod index;
mod memory;
mod repository;

use domain::selection::{ChartRules, ChartSource, SelectedVersions};
use resources::ChartSubscription;

use crate::Caller;
use crate::child::shown;
use crate::registry::{Registries, Repository};
use crate::shell::quote;
use repository::Place;

pub use error::{Error, Problem};
pub use repository::Repositories;

/// What a repository has of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub selected: SelectedVersions,
    pub listed: Listed,
}

/// Says whether the chart is there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Yes,
    /// The index names other charts.
    NotInIndex,
}

impl Found {
    /// What a remark is called that says of a chart why there is no version to take.
    pub const LACK: &str = "NoChartVersions";

    /// Says why there is no version to take, and what to do about it; nothing where there is one.
    pub fn lack(&self, subscription: &ChartSubscription) -> Option<String> {
        if !self.selected.taken.is_empty() {
            return None;
        }
        let ChartSubscription { repo_url, name, .. } = subscription;
        let repo_url = shown(repo_url);
        let most = self.selected.ruled_out.iter().max_by_key(|it| it.count);
        let first = most.and_then(|it| Some((it.tags.first()?, &it.rule)));
        let message = match (self.listed, first) {
            (Listed::NotInIndex, _) => format!(
                "the index has no chart {name:?}; next: helm show chart {} --repo {}",
                quote(name),
                quote(&repo_url)
            ),
            (Listed::Yes, None) => "it lists no versions; next: push one".to_owned(),
            (Listed::Yes, Some((version, rule))) => format!(
                "none of {} versions fits: {version} does not, since {rule}; next: widen semverConstraint, or push another",
                self.selected
                    .ruled_out
                    .iter()
                    .map(|it| it.count)
                    .sum::<usize>(),
            ),
        };
        Some(message)
    }
}

/// Names a subscription to people: the repository, and which of its charts is meant.
pub fn title(subscription: &ChartSubscription) -> String {
    let repo_url = shown(&subscription.repo_url);
    match subscription.name.as_str() {
        "" => repo_url,
        name => format!("chart {name} of {repo_url}"),
    }
}

/// Discovers the versions that `subscription` takes, best first, and says which were left out by which rule.
///
/// Costs one request to a web server, which mostly answers that nothing has changed, or one to a registry for each page
/// of tags.
pub async fn discover(
    repositories: &Repositories,
    registries: &Registries,
    caller: Caller<'_>,
    subscription: &ChartSubscription,
) -> Result<Found, Error> {
    let repo_url = || shown(&subscription.repo_url);
    let rules = ChartRules::parse(subscription).map_err(|source| Error::Rules {
        repo_url: repo_url(),
        source,
    })?;
    let insecure = subscription.insecure_skip_tls_verify;
    match rules.source() {
        ChartSource::Index { chart } => {
            let place = Place::parse(&subscription.repo_url).map_err(|why| Error::Url {
                repo_url: repo_url(),
                why,
            })?;
            let index = repositories.index(caller, &place, chart, insecure).await?;
            let versions = index.versions(chart);
            Ok(Found {
                listed: match versions {
                    Some(_) => Listed::Yes,
                    None => Listed::NotInIndex,
                },
                selected: rules.select(versions.into_iter().flatten()),
            })
        }
        ChartSource::Tags { repository } => {
            let repository = Repository::parse(repository)?;
            let reader = registries.reader(caller, &repository, insecure).await;
            let mut selection = rules.start();
            let listed = reader.each_tag(&mut |tag| selection.offer(tag)).await;
            listed.map_err(|source| Error::Registry {
                repo_url: repo_url(),
                source,
            })?;
            Ok(Found {
                selected: selection.selected(),
                listed: Listed::Yes,
            })
        }
    }
}
