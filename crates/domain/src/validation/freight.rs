//! What is wrong with Freight: it must be just what its Warehouse subscribes to, and stay so.

use std::collections::BTreeMap;

use resources::subscription::Source;
use resources::url::{normalize_chart, normalize_git};
use resources::{Freight, Warehouse};

use super::Cause;

/// A repository, by the field of its artifacts and its normalised name.
type Repository = (&'static str, String);

/// Says what is wrong with the contents of new Freight.
///
/// `warehouse` is the one it says it comes from, where that exists. Every repository must be there exactly once and no
/// other; artifacts of other kinds are not checked.
pub fn freight_contents(freight: &Freight, warehouse: Option<&Warehouse>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if freight.has_no_artifacts() {
        let why = "must hold at least one of commits, images, charts and artifacts";
        causes.push(Cause::required("", why));
    }
    let Some(warehouse) = warehouse else {
        let why = "the Warehouse does not exist; see which there are: kubectl get warehouses";
        causes.push(Cause::invalid("origin.name", &freight.origin.name, why));
        return causes;
    };
    let mut wanted: BTreeMap<Repository, usize> = BTreeMap::new();
    for subscription in warehouse
        .spec
        .subscriptions
        .iter()
        .filter_map(|it| it.parse().ok())
    {
        match &subscription.source {
            Source::Git(it) => wanted.insert(("commits", normalize_git(&it.repo_url)), 0),
            Source::Image(it) => wanted.insert(("images", it.repo_url.clone()), 0),
            Source::Chart(it) => wanted.insert(("charts", chart(&it.repo_url, &it.name)), 0),
            Source::Other { .. } => None,
        };
    }
    let commits = freight.commits.iter().map(|it| normalize_git(&it.repo_url));
    let images = freight.images.iter().map(|it| it.repo_url.clone());
    let charts = freight
        .charts
        .iter()
        .map(|it| chart(&it.repo_url, &it.name));
    causes.extend(count("commits", commits, &mut wanted, warehouse));
    causes.extend(count("images", images, &mut wanted, warehouse));
    causes.extend(count("charts", charts, &mut wanted, warehouse));
    for ((field, repository), count) in wanted {
        if count != 1 {
            let number = if count == 0 { "none" } else { "several" };
            let why = format!(
                "Warehouse {:?} subscribes to it, so there must be one of it; there are {number}",
                warehouse.name()
            );
            causes.push(Cause::invalid(field, repository, why));
        }
    }
    causes
}

/// Counts the artifacts of each repository, and says which nobody subscribes to.
fn count(
    field: &'static str,
    repositories: impl Iterator<Item = String>,
    wanted: &mut BTreeMap<Repository, usize>,
    warehouse: &Warehouse,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, repository) in repositories.enumerate() {
        let key = (field, repository);
        if let Some(count) = wanted.get_mut(&key) {
            *count += 1;
        } else {
            let why = format!(
                "Warehouse {:?} has no subscription for it",
                warehouse.name()
            );
            causes.push(Cause::invalid(format!("{field}[{index}]"), &key.1, why));
        }
    }
    causes
}

fn chart(url: &str, name: &str) -> String {
    let url = normalize_chart(url);
    match name {
        "" => url,
        name => format!("{}/{name}", url.trim_end_matches('/')),
    }
}

/// Says what of Freight was changed that never may.
pub fn freight_change(old: &Freight, new: &Freight) -> Vec<Cause> {
    let changes = [
        ("origin", old.origin != new.origin),
        ("commits", old.commits != new.commits),
        ("images", old.images != new.images),
        ("charts", old.charts != new.charts),
        ("artifacts", old.artifacts != new.artifacts),
    ];
    let changed = changes.into_iter().filter(|(_, is_changed)| *is_changed);
    changed
        .map(|(field, _)| Cause::forbidden(field, "Freight is immutable"))
        .collect()
}
