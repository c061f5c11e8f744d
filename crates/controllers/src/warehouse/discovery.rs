//! Asks one subscription what there is.

use artifacts::{Caller, Cost, Room};
use credentials::Kind;
use domain::message;
use domain::selection::NewestBuildBy;
use domain::warehouse::{Failure, Found, Identity, Remark, discovered_generation};
use futures::future::BoxFuture;
use resources::{
    ChartSubscription, DiscoveredChart, DiscoveredCommits, DiscoveredImage, GitSubscription,
    ImageSubscription, RawSubscription, Warehouse,
    names::annotation,
    subscription::{Source, Subscription},
};

use super::identity::{self, Entrance};
use crate::Context;

/// Where a subscription counts what it spends, and what it leaves to others while it waits for them.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) cost: &'a Cost,
    pub(super) room: &'a dyn Room,
}

/// What asking a subscription came to.
pub(super) struct Asked {
    pub(super) answer: Result<Found, Failure>,
    /// None where a Secret's login, or nobody's, is what is asked with.
    pub(super) acting: Option<Identity>,
    pub(super) remarks: Vec<Remark>,
}

impl From<Result<Found, Failure>> for Asked {
    fn from(answer: Result<Found, Failure>) -> Self {
        Self {
            answer,
            acting: None,
            remarks: Vec::new(),
        }
    }
}

/// Asks what a subscription finds; a failure names the repository.
pub(super) async fn ask(
    cx: &Context,
    warehouse: &Warehouse,
    subscription: &RawSubscription,
    means: Means<'_>,
) -> Asked {
    let parsed = subscription.parse().map_err(|error| {
        failed(
            "a subscription",
            &error,
            "correct spec.subscriptions: kubectl explain warehouse.spec",
        )
    });
    let Subscription { name, source } = match parsed {
        Ok(subscription) => subscription,
        Err(failure) => return Err(failure).into(),
    };
    match source {
        Source::Image(image) => images(cx, warehouse, name, &image, means).await,
        Source::Git(git) => commits(cx, warehouse, name, &git, means).await.into(),
        Source::Chart(chart) => charts(cx, warehouse.namespace(), name, &chart, means).await,
        Source::Other {
            kind,
            subscription: _,
        } => Err(unsupported(&kind, "subscriptions of this kind")).into(),
    }
}

async fn images(
    cx: &Context,
    warehouse: &Warehouse,
    subscription_name: String,
    image: &ImageSubscription,
    means: Means<'_>,
) -> Asked {
    let project = warehouse.namespace();
    let Entrance { login, acting } =
        identity::enter(cx, project, Kind::Image, &image.repo_url).await;
    let found = match login {
        Ok(login) => {
            let caller = Caller {
                project,
                login: login.as_ref(),
                cost: means.cost,
                room: means.room,
            };
            find_images(cx, warehouse, caller, subscription_name, image).await
        }
        Err(failure) => Err(failure),
    };
    let (answer, remarks) = match found {
        Ok((found, remarks)) => (Ok(found), remarks),
        Err(failure) => (Err(failure), Vec::new()),
    };
    Asked {
        answer,
        acting,
        remarks,
    }
}

async fn find_images(
    cx: &Context,
    warehouse: &Warehouse,
    caller: Caller<'_>,
    subscription_name: String,
    image: &ImageSubscription,
) -> Result<(Found, Vec<Remark>), Failure> {
    let newest_build_by = warehouse.annotation(annotation::NEWEST_BUILD_BY);
    let newest_build_by = newest_build_by.map_or(Ok(NewestBuildBy::default()), str::parse);
    let asked = artifacts::image::Asked {
        newest_build_by: newest_build_by
            .map_err(|error| failed(&image.repo_url, &error, &error.hint()))?,
        now: cx.now(),
    };
    let found: BoxFuture<'_, _> = Box::pin(artifacts::image::select(
        &cx.registries,
        caller,
        image,
        asked,
    ));
    let fail = |error: artifacts::image::Error| failed(&image.repo_url, &error, &error.hint());
    let selected = found.await.map_err(fail)?;
    let remarks = selected.remarks.iter().map(|it| Remark {
        subscription: image.repo_url.clone(),
        reason: it.reason(),
        message: it.to_string(),
    });
    let remarks = remarks.collect();
    let found = Found::Images(DiscoveredImage {
        repo_url: image.repo_url.clone(),
        platform: image.platform.clone(),
        references: artifacts::image::references(image, selected).map_err(fail)?,
        subscription_name,
    });
    Ok((found, remarks))
}

async fn commits(
    cx: &Context,
    warehouse: &Warehouse,
    subscription_name: String,
    git: &GitSubscription,
    means: Means<'_>,
) -> Result<Found, Failure> {
    let project = warehouse.namespace();
    let login = identity::enter(cx, project, Kind::Git, &git.repo_url)
        .await
        .login?;
    let previous = previous(warehouse, &subscription_name, git);
    let found: BoxFuture<'_, _> = Box::pin(artifacts::git::discover(
        &cx.repositories,
        Caller {
            project,
            login: login.as_ref(),
            cost: means.cost,
            room: means.room,
        },
        git,
        previous,
        cx.now(),
    ));
    let found = found
        .await
        .map_err(|error| failed(&git.repo_url, &error, &error.hint()))?;
    Ok(Found::Commits(DiscoveredCommits {
        subscription_name,
        ..found
    }))
}

async fn charts(
    cx: &Context,
    project: &str,
    subscription_name: String,
    chart: &ChartSubscription,
    means: Means<'_>,
) -> Asked {
    let Entrance { login, acting } =
        identity::enter(cx, project, Kind::Helm, &chart.repo_url).await;
    let mut remarks = Vec::new();
    let answer = match login {
        Ok(login) => {
            let caller = Caller {
                project,
                login: login.as_ref(),
                cost: means.cost,
                room: means.room,
            };
            let found: BoxFuture<'_, _> = Box::pin(artifacts::chart::discover(
                &cx.charts,
                &cx.registries,
                caller,
                chart,
            ));
            found
                .await
                .map(|found| {
                    remarks.extend(lack(chart, &found));
                    Found::Chart(DiscoveredChart {
                        repo_url: chart.repo_url.clone(),
                        name: chart.name.clone(),
                        semver_constraint: chart.semver_constraint.clone(),
                        versions: found.selected.taken,
                        subscription_name,
                    })
                })
                .map_err(|error| failed(&artifacts::chart::title(chart), &error, &error.hint()))
        }
        Err(failure) => Err(failure),
    };
    Asked {
        answer,
        acting,
        remarks,
    }
}

/// Says why a chart has no version to take.
fn lack(chart: &ChartSubscription, found: &artifacts::chart::Found) -> Option<Remark> {
    Some(Remark {
        subscription: artifacts::chart::title(chart),
        reason: artifacts::chart::Found::LACK,
        message: found.lack(chart)?,
    })
}

/// Finds what was discovered for the same subscription, written as it is now.
///
/// Two subscriptions to one repository that nothing tells apart have no previous: their results could be mixed up.
fn previous<'a>(
    warehouse: &'a Warehouse,
    subscription_name: &str,
    git: &GitSubscription,
) -> Option<&'a DiscoveredCommits> {
    let status = warehouse.status.as_ref()?;
    if Some(discovered_generation(status)) != warehouse.metadata.generation {
        return None;
    }
    let mut found = status
        .discovered_artifacts
        .as_ref()?
        .git
        .iter()
        .filter(|it| it.repo_url == git.repo_url && it.subscription_name == subscription_name);
    let (previous, None) = (found.next()?, found.next()) else {
        return None;
    };
    Some(previous)
}

fn unsupported(subscription: &str, what: &str) -> Failure {
    Failure {
        subscription: subscription.to_owned(),
        message: message::with_next(
            format!("{what} are not discovered yet"),
            "leave the subscription out",
        ),
    }
}

/// Says what failed with all its causes and what to do next, since a condition shows one line.
pub(super) fn failed(subscription: &str, error: &dyn std::error::Error, hint: &str) -> Failure {
    Failure {
        subscription: subscription.to_owned(),
        message: message::with_next(message::in_one_line(error), hint),
    }
}
