//! What is wrong with a Warehouse: its subscriptions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use resources::subscription::{ImageSelectionStrategy, MAX_DISCOVERY_LIMIT, Source};
use resources::url::{normalize_chart, normalize_git, normalize_image};
use resources::{ChartSubscription, GitSubscription, ImageSubscription, Subscription, Warehouse};

use super::Cause;
use crate::CacheByTagPolicy;
use crate::selection::Platform;
use crate::version::Constraint;

const GIT_URL: &str = r"(?:^(ssh|https?)://(?:([A-Za-z0-9_-]+)(:(.+))?@)?([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?::([0-9]{1,5}))?(/.*)$)|(?:^([A-Za-z0-9_-]+)@([A-Za-z0-9_+]+(?:\.[A-Za-z0-9_-]+)*):(/?.*))";
const IMAGE_URL: &str = r"^([A-Za-z0-9_]+([\.-][A-Za-z0-9_]+)*(:[0-9]+)?/)?([A-Za-z0-9_]+([\.-][A-Za-z0-9_]+)*)(/[A-Za-z0-9_]+([\.-][A-Za-z0-9_]+)*)*$";
const CHART_URL: &str = r"^(((https?)|(oci))://)([A-Za-z0-9_.\-]+)(:[0-9]+)?(/.*)*$";
const BRANCH: &str = r"^[a-zA-Z0-9]([a-zA-Z0-9._\/-]*[a-zA-Z0-9_-])?$";
const BRANCH_MAX: usize = 255;
const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const LABEL_MAX: usize = 63;

/// Says what is wrong with the subscriptions of a Warehouse.
///
/// Regular expressions, path patterns, dates and filters are read when they are used: discovery reports those.
pub fn warehouse(warehouse: &Warehouse, cache_by_tag: CacheByTagPolicy) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut repositories = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (index, raw) in warehouse.spec.subscriptions.iter().enumerate() {
        let path = format!("spec.subscriptions[{index}]");
        let subscription = match raw.parse() {
            Ok(subscription) => subscription,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
                let why = format!("{error}{}", cause.unwrap_or_default());
                causes.push(Cause::invalid(path, "object", why));
                continue;
            }
        };
        causes.extend(repository(&path, &subscription, cache_by_tag));
        if let Some(key) = identity(&subscription) {
            let earlier = *repositories.entry(key).or_insert(index);
            if earlier != index {
                let field = format!("{path}.{}", subscription.kind());
                let why = format!(
                    "there is already a subscription for it at spec.subscriptions[{earlier}]"
                );
                causes.push(Cause::invalid(field, url(&subscription), why));
            }
        }
        causes.extend(name(&path, &subscription.name));
        if !subscription.name.is_empty() {
            let earlier = *names.entry(subscription.name.clone()).or_insert(index);
            if earlier != index {
                let why = format!("the name is already used at spec.subscriptions[{earlier}].name");
                causes.push(Cause::invalid(
                    format!("{path}.name"),
                    &subscription.name,
                    why,
                ));
            }
        }
    }
    causes
}

fn repository(
    path: &str,
    subscription: &Subscription,
    cache_by_tag: CacheByTagPolicy,
) -> Vec<Cause> {
    let path = format!("{path}.{}", subscription.kind());
    match &subscription.source {
        Source::Git(it) => git(&path, it),
        Source::Image(it) => image(&path, it, cache_by_tag),
        Source::Chart(it) => chart(&path, it),
        Source::Other { kind, .. } => {
            let why = "there is no such kind of subscription; use git, image or chart";
            vec![Cause::invalid(path, kind, why)]
        }
    }
}

fn git(path: &str, git: &GitSubscription) -> Vec<Cause> {
    static URL: LazyLock<Regex> = LazyLock::new(|| pattern(GIT_URL));
    static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(BRANCH));
    let mut causes = Vec::new();
    causes.extend(location(path, &git.repo_url, &URL, "Git repository"));
    let branch = &git.branch;
    if branch.len() > BRANCH_MAX {
        let why = format!("must have at most {BRANCH_MAX} characters");
        causes.push(Cause::invalid(format!("{path}.branch"), branch, why));
    } else if !branch.is_empty() && !NAME.is_match(branch) {
        causes.push(Cause::invalid(
            format!("{path}.branch"),
            branch,
            "must be a valid branch name",
        ));
    }
    causes.extend(constraint(path, "semverConstraint", &git.semver_constraint));
    causes.extend(limit(path, git.discovery_limit));
    causes
}

fn image(path: &str, image: &ImageSubscription, cache_by_tag: CacheByTagPolicy) -> Vec<Cause> {
    static URL: LazyLock<Regex> = LazyLock::new(|| pattern(IMAGE_URL));
    let mut causes = Vec::new();
    causes.extend(location(path, &image.repo_url, &URL, "image repository"));
    match image.image_selection_strategy {
        ImageSelectionStrategy::Digest if image.constraint.is_empty() => {
            let why = "must be the tag to follow when imageSelectionStrategy is Digest";
            causes.push(Cause::invalid(format!("{path}.constraint"), "", why));
        }
        ImageSelectionStrategy::SemVer => {
            causes.extend(constraint(path, "constraint", &image.constraint));
        }
        ImageSelectionStrategy::Digest
        | ImageSelectionStrategy::Lexical
        | ImageSelectionStrategy::NewestBuild => {}
    }
    let platform = &image.platform;
    if !platform.is_empty() && platform.parse::<Platform>().is_err() {
        let why = "must be in format <os>/<arch> or <os>/<arch>/<variant>";
        causes.push(Cause::invalid(format!("{path}.platform"), platform, why));
    }
    if let Err(required) = cache_by_tag.applies_to(image) {
        let why = format!("{required}; {}", required.hint());
        causes.push(Cause::invalid(format!("{path}.cacheByTag"), false, why));
    }
    causes.extend(limit(path, image.discovery_limit));
    causes
}

fn chart(path: &str, chart: &ChartSubscription) -> Vec<Cause> {
    static URL: LazyLock<Regex> = LazyLock::new(|| pattern(CHART_URL));
    let mut causes = Vec::new();
    causes.extend(location(path, &chart.repo_url, &URL, "Helm repository"));
    let is_oci = chart.repo_url.starts_with("oci://");
    if is_oci && !chart.name.is_empty() {
        let why = "must be empty if repoURL starts with oci://";
        causes.push(Cause::invalid(format!("{path}.name"), &chart.name, why));
    }
    if is_classic(chart) && chart.name.is_empty() {
        let why = "must be non-empty if repoURL starts with http:// or https://";
        causes.push(Cause::invalid(format!("{path}.name"), "", why));
    }
    causes.extend(constraint(
        path,
        "semverConstraint",
        &chart.semver_constraint,
    ));
    causes.extend(limit(path, chart.discovery_limit));
    causes
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

fn location(path: &str, url: &str, pattern: &Regex, what: &str) -> Option<Cause> {
    let field = format!("{path}.repoURL");
    if url.is_empty() {
        return Some(Cause::required(
            field,
            format!("must be a valid {what} URL"),
        ));
    }
    (!pattern.is_match(url))
        .then(|| Cause::invalid(field, url, format!("must be a valid {what} URL")))
}

fn constraint(path: &str, field: &str, text: &str) -> Option<Cause> {
    if text.is_empty() {
        return None;
    }
    let error = Constraint::parse(text).err()?;
    Some(Cause::invalid(format!("{path}.{field}"), text, error))
}

fn limit(path: &str, limit: i64) -> Option<Cause> {
    let is_allowed = (1..=MAX_DISCOVERY_LIMIT).contains(&limit);
    let why = format!("must be between 1 and {MAX_DISCOVERY_LIMIT}");
    (!is_allowed).then(|| Cause::invalid(format!("{path}.discoveryLimit"), limit, why))
}

fn name(path: &str, name: &str) -> Option<Cause> {
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| pattern(LABEL));
    if name.is_empty() || (name.len() <= LABEL_MAX && PATTERN.is_match(name)) {
        return None;
    }
    let why = "must be at most 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit";
    Some(Cause::invalid(format!("{path}.name"), name, why))
}

fn is_classic(chart: &ChartSubscription) -> bool {
    chart.repo_url.starts_with("http://") || chart.repo_url.starts_with("https://")
}

/// What two subscriptions may not share: the repository, and in a classic chart repository the chart.
fn identity(subscription: &Subscription) -> Option<(&'static str, String)> {
    match &subscription.source {
        Source::Git(it) => Some(("git", normalize_git(&it.repo_url))),
        Source::Image(it) => Some(("image", normalize_image(&it.repo_url))),
        Source::Chart(it) if is_classic(it) => Some((
            "chart",
            format!("{}:{}", normalize_chart(&it.repo_url), it.name),
        )),
        Source::Chart(it) => Some(("chart", normalize_chart(&it.repo_url))),
        Source::Other { .. } => None,
    }
}

fn url(subscription: &Subscription) -> &str {
    match &subscription.source {
        Source::Git(it) => &it.repo_url,
        Source::Image(it) => &it.repo_url,
        Source::Chart(it) => &it.repo_url,
        Source::Other { kind, .. } => kind,
    }
}
