//! Makes Freight from what a Warehouse found, and keeps what Freight says about Stages.
//!
//! Freight takes the best artifact of every subscription; nothing ties them together but the Warehouse's criteria. The
//! same combination always gives the same name, so finding it again makes nothing new.

mod moniker;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    Chart, CurrentStage, DiscoveredArtifacts, Duration, Freight, FreightOrigin, FreightStatus,
    GitCommit, Image, VerifiedStage, Warehouse,
};

pub use self::moniker::moniker;
use crate::stage::FreightChange;

/// What keeps Freight from being made of what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There are no results at all.
    Artifacts,
    /// A repository has no commit that fits.
    Commits,
    /// A repository has no image that fits.
    Images,
    /// A repository has no chart version that fits.
    Versions,
    /// A subscription of another kind found nothing.
    References,
}

/// Builds the Freight that the best of what was found makes; its name is right before any API has seen it.
pub fn build(warehouse: &Warehouse, found: &DiscoveredArtifacts) -> Result<Freight, Lack> {
    let DiscoveredArtifacts {
        discovered_at: _,
        git,
        images,
        charts,
        results,
    } = found;
    if git.is_empty() && images.is_empty() && charts.is_empty() && results.is_empty() {
        return Err(Lack::Artifacts);
    }
    let mut freight = Freight {
        origin: FreightOrigin::warehouse(warehouse.name()),
        ..Freight::default()
    };
    freight
        .metadata
        .namespace
        .clone_from(&warehouse.metadata.namespace);
    for it in git {
        let commit = it.commits.first().ok_or(Lack::Commits)?.clone();
        freight.commits.push(GitCommit {
            repo_url: it.repo_url.clone(),
            id: commit.id,
            branch: commit.branch,
            tag: commit.tag,
            message: commit.subject,
            author: commit.author,
            committer: commit.committer,
            subscription_name: it.subscription_name.clone(),
        });
    }
    for it in images {
        let image = it.references.first().ok_or(Lack::Images)?.clone();
        freight.images.push(Image {
            repo_url: it.repo_url.clone(),
            tag: image.tag,
            digest: image.digest,
            annotations: image.annotations,
            subscription_name: it.subscription_name.clone(),
        });
    }
    for it in charts {
        freight.charts.push(Chart {
            repo_url: it.repo_url.clone(),
            name: it.name.clone(),
            version: it.versions.first().ok_or(Lack::Versions)?.clone(),
            subscription_name: it.subscription_name.clone(),
        });
    }
    for it in results {
        freight.artifacts.push(
            it.artifact_references
                .first()
                .ok_or(Lack::References)?
                .clone(),
        );
    }
    freight.metadata.name = Some(freight.generate_name());
    Ok(freight)
}

/// Gives the status of Freight after a change of what it says about `stage`; what it says already stays as it is.
pub fn changed(mut status: FreightStatus, stage: &str, change: &FreightChange) -> FreightStatus {
    match change {
        FreightChange::Entered { freight: _, at } => {
            status
                .currently_in
                .entry(stage.to_owned())
                .or_insert(CurrentStage {
                    since: Some(Time(*at)),
                });
        }
        FreightChange::Left { freight: _, at } => {
            let since = status.currently_in.remove(stage).and_then(|it| it.since);
            if let (Some(since), Some(verified)) = (since, status.verified_in.get_mut(stage)) {
                lengthen(verified, since.0, *at);
            }
        }
        FreightChange::Verified { freight: _, at } => {
            let verified_at = Some(Time(*at));
            status
                .verified_in
                .entry(stage.to_owned())
                .or_insert(VerifiedStage {
                    verified_at,
                    longest_completed_soak: None,
                });
        }
    }
    status
}

fn lengthen(verified: &mut VerifiedStage, since: Timestamp, now: Timestamp) {
    let stay = now.duration_since(since);
    let longest = SignedDuration::from_nanos(
        verified
            .longest_completed_soak
            .map_or(0, Duration::as_nanos),
    );
    if stay > longest {
        let nanoseconds = i64::try_from(stay.as_nanos()).unwrap_or(i64::MAX);
        verified.longest_completed_soak = Some(Duration::from_nanos(nanoseconds));
    }
}

/// Gives the status of Freight that a Stage which no longer exists has left for good.
pub fn forgotten(mut status: FreightStatus, stage: &str) -> FreightStatus {
    status.currently_in.remove(stage);
    status.verified_in.remove(stage);
    status.approved_for.remove(stage);
    status
}

#[cfg(test)]
mod tests;
