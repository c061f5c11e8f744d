//! The dry run of an image subscription.

use anyhow::Result;
use artifacts::Cost as Counter;
use artifacts::image::{self, Asked};
use clap::{Args, ValueEnum};
use domain::selection::{NewestBuildBy, Selected};
use jiff::Timestamp;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use serde_json::{Value, json};

use super::Output;
use super::flags::{Tags, Taking};
use super::outside::{self, Outside};
use super::report::{Cost, Remark, Report, RuledOut};

const COLUMNS: &[(&str, &str)] = &[
    ("tag", "TAG"),
    ("digest", "DIGEST"),
    ("createdAt", "BUILT"),
    ("uploadedAt", "UPLOADED"),
];

/// Shows which images of a repository a subscription would take
///
/// Examples:
///   argosy discover image ghcr.io/acme/web --constraint '^1.4'
///   argosy discover image europe-docker.pkg.dev/acme/apps/web --strategy newest-build --google
///   argosy discover image localhost:5000/web --strategy digest --constraint latest -o json
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Image {
    /// Repository without a tag: the subscription's repoURL
    url: String,
    /// Which images are taken first: imageSelectionStrategy
    #[arg(long, value_enum, default_value_t = Strategy::SemVer)]
    strategy: Strategy,
    /// Versions that count, such as ^1.2; for the strategy digest the tag to follow
    #[arg(long, value_name = "CONSTRAINT", default_value = "")]
    constraint: String,
    #[command(flatten)]
    tags: Tags,
    /// Platform that an image has to be for, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value = "")]
    platform: String,
    #[command(flatten)]
    taking: Taking,
    /// Which time makes an image the newest build, as the annotation argosy.dev/newest-build-by says
    #[arg(long, value_enum, default_value_t = By::Built)]
    newest_build_by: By,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    outside: Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strategy {
    #[value(name = "semver")]
    SemVer,
    Digest,
    Lexical,
    NewestBuild,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Built,
    Uploaded,
}

impl Image {
    fn subscription(&self) -> ImageSubscription {
        ImageSubscription {
            repo_url: self.url.clone(),
            image_selection_strategy: match self.strategy {
                Strategy::SemVer => ImageSelectionStrategy::SemVer,
                Strategy::Digest => ImageSelectionStrategy::Digest,
                Strategy::Lexical => ImageSelectionStrategy::Lexical,
                Strategy::NewestBuild => ImageSelectionStrategy::NewestBuild,
            },
            strict_semvers: !self.tags.loose_semvers,
            constraint: self.constraint.clone(),
            allow_tags_regexes: self.tags.allow_tags_regexes.clone(),
            ignore_tags_regexes: self.tags.ignore_tags_regexes.clone(),
            platform: self.platform.clone(),
            insecure_skip_tls_verify: self.taking.insecure_skip_tls_verify,
            discovery_limit: self.taking.limit,
            ..ImageSubscription::default()
        }
    }
}

/// Looks once, and reports.
pub(super) async fn report(arguments: &Image) -> Result<Report> {
    let subscription = arguments.subscription();
    let login = arguments.outside.login(&arguments.url).await?;
    let registries = arguments.outside.registries();
    let cost = Counter::default();
    let caller = outside::caller(login.as_ref(), &cost);
    let asked = Asked {
        newest_build_by: match arguments.newest_build_by {
            By::Built => NewestBuildBy::Built,
            By::Uploaded => NewestBuildBy::Uploaded,
        },
        now: Timestamp::now(),
    };
    let work = image::select(&registries, caller, &subscription, asked);
    let (selected, took) = arguments
        .outside
        .look(
            &subscription.repo_url,
            &cost,
            Box::pin(work),
            image::Error::hint,
        )
        .await?;
    let Selected {
        taken,
        ruled_out,
        remarks,
    } = selected;
    let taken = taken.into_iter().map(|it| {
        json!({
            "tag": it.tag,
            "digest": it.digest,
            "createdAt": it.created_at.map(|it| it.to_string()),
            "uploadedAt": it.uploaded_at.map(|it| it.to_string()),
            "annotations": it.annotations,
        })
    });
    let ruled_out = ruled_out.into_iter().map(RuledOut::from);
    let remarks = remarks.into_iter().map(|it| Remark {
        reason: it.reason(),
        message: it.to_string(),
    });
    Ok(Report {
        subscription: serde_json::to_value(&subscription).unwrap_or(Value::Null),
        columns: COLUMNS,
        taken: taken.collect(),
        ruled_out: ruled_out.collect(),
        remarks: remarks.collect(),
        cost: Cost::of(&cost.spent(), took),
    })
}
