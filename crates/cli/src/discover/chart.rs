//! The dry run of a chart subscription.
#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments here are help texts, read in a terminal"
)]

use anyhow::Result;
use artifacts::chart::{self, Repositories};
use artifacts::{Cost as Counter, Limits};
use clap::Args;
use resources::ChartSubscription;
use serde_json::{Value, json};

use super::Output;
use super::flags::Taking;
use super::outside::{self, Outside};
use super::report::{Cost, Remark, Report, RuledOut};

const COLUMNS: &[(&str, &str)] = &[("version", "VERSION")];

/// Shows which versions of a chart a subscription would take
///
/// Examples:
///   argosy discover chart https://charts.example.com --name web --constraint '^1.4'
///   argosy discover chart oci://ghcr.io/acme/charts/web
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Chart {
    /// Repository of charts, or with oci:// the chart itself: the subscription's repoURL
    url: String,
    /// Chart in the repository's index; not with oci://
    #[arg(long, value_name = "CHART", default_value = "")]
    name: String,
    /// Versions that count, such as ^1.2: semverConstraint
    #[arg(long, value_name = "CONSTRAINT", default_value = "")]
    constraint: String,
    #[command(flatten)]
    taking: Taking,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    outside: Outside,
}

/// Looks once, and reports.
pub(super) async fn report(arguments: &Chart) -> Result<Report> {
    let subscription = ChartSubscription {
        repo_url: arguments.url.clone(),
        name: arguments.name.clone(),
        semver_constraint: arguments.constraint.clone(),
        insecure_skip_tls_verify: arguments.taking.insecure_skip_tls_verify,
        discovery_limit: arguments.taking.limit,
    };
    let login = arguments.outside.login(&arguments.url).await?;
    let registries = arguments.outside.registries();
    let repositories = Repositories::new(Outside::policy(), Limits::default());
    let cost = Counter::default();
    let caller = outside::caller(login.as_ref(), &cost);
    let work = chart::discover(&repositories, &registries, caller, &subscription);
    let (found, took) = arguments
        .outside
        .look(
            &subscription.repo_url,
            &cost,
            Box::pin(work),
            chart::Error::hint,
        )
        .await?;
    let lack = found.lack(&subscription).map(|message| Remark {
        reason: chart::Found::LACK,
        message,
    });
    let taken = found.selected.taken.iter();
    let ruled_out = found.selected.ruled_out.into_iter().map(RuledOut::from);
    Ok(Report {
        subscription: serde_json::to_value(&subscription).unwrap_or(Value::Null),
        columns: COLUMNS,
        taken: taken.map(|version| json!({"version": version})).collect(),
        ruled_out: ruled_out.collect(),
        remarks: lack.into_iter().collect(),
        cost: Cost::of(&cost.spent(), took),
    })
}
