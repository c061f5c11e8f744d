//! The dry run of a chart subscription.
#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments here are help texts, read in a terminal"
)]

use anyhow::{Result, anyhow};
use artifacts::chart::{self, Repositories};
use artifacts::{Caller, Cost as Counter, Limits};
use clap::Args;
use resources::ChartSubscription;
use serde_json::{Value, json};

use super::outside::{Outside, PROJECT};
use super::report::{Cost, Remark, Report, by_rule};
use super::{Output, progress, told};

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
    /// How many are taken: discoveryLimit
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100))]
    limit: i64,
    /// Accepts any certificate: insecureSkipTLSVerify
    #[arg(long)]
    insecure_skip_tls_verify: bool,
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
        insecure_skip_tls_verify: arguments.insecure_skip_tls_verify,
        discovery_limit: arguments.limit,
    };
    let login = arguments.outside.login().await?;
    let registries = arguments.outside.registries();
    let repositories = Repositories::new(Outside::policy(), Limits::default());
    let cost = Counter::default();
    let caller = Caller {
        project: PROJECT,
        login: login.as_ref(),
        cost: &cost,
    };
    let patience = arguments.outside.patience();
    let work = chart::discover(&repositories, &registries, caller, &subscription);
    let work = tokio::time::timeout(patience, Box::pin(work));
    let (found, took) = progress::shown(&subscription.repo_url, &cost, work).await;
    let found = found
        .map_err(|_| {
            anyhow!(
                "it took longer than {} s; to wait longer: --timeout",
                patience.as_secs()
            )
        })?
        .map_err(|error| told(&error, &error.hint()))?;
    let lack = found.lack(&subscription).map(|message| Remark {
        reason: "NoChartVersionsDiscovered",
        message,
    });
    let taken = found.selected.taken.iter();
    let ruled_out = found.selected.ruled_out.iter();
    let mut ruled_out = by_rule(ruled_out.map(|it| (it.version.clone(), it.rule.to_string())));
    let named: usize = ruled_out.iter().map(|it| it.count).sum();
    if found.selected.left > named {
        ruled_out.push(super::report::RuledOut {
            rule: "left out for any of these reasons, and not listed".to_owned(),
            count: found.selected.left - named,
            examples: Vec::new(),
        });
    }
    Ok(Report {
        subscription: serde_json::to_value(&subscription).unwrap_or(Value::Null),
        columns: COLUMNS,
        taken: taken.map(|version| json!({"version": version})).collect(),
        ruled_out,
        remarks: lack.into_iter().collect(),
        cost: Cost::of(&cost.spent(), took),
    })
}
