//! Where was looked in vain: a rule of the audit that finds nothing says only that.

use crate::facts::{Facts, Reading, Source};

/// Lists what the rules of a check read.
pub(super) fn of_rules(facts: &Facts, ids: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for source in ids.iter().flat_map(|it| of_rule(facts, it)) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

fn of_rule(facts: &Facts, id: &str) -> Vec<Source> {
    let projects = facts.projects.values();
    let mut repositories = facts.repositories.values();
    match id {
        "A02" => std::iter::once(&facts.home_policy)
            .chain(facts.ancestor_policies.values())
            .filter_map(asked)
            .collect(),
        "A03" | "A04" | "A05" | "A06" => projects
            .filter_map(|it| asked(&it.grants))
            .chain(asked(&facts.inventory))
            .collect(),
        "A07" => projects.filter_map(|it| asked(&it.policy)).collect(),
        "A08" => projects.filter_map(|it| asked(&it.keys)).collect(),
        "A10" => repositories
            .by_ref()
            .filter_map(|it| asked(&it.policy))
            .collect(),
        "A15" => asked(&facts.clusters).into_iter().collect(),
        "A19" => asked(&facts.cluster)
            .into_iter()
            .chain(asked(&facts.home_policy))
            .collect(),
        "A20" => projects.filter_map(|it| asked(&it.key_secrets)).collect(),
        "A23" => asked(&facts.home_policy).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn asked<T>(reading: &Reading<T>) -> Option<Source> {
    Some(reading.source.clone()).filter(|it| !it.request.is_empty())
}
