//! What a dry run found, in the form that is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use artifacts::{Outcome, Spent};
use serde::Serialize;
use serde_json::Value;

/// What a dry run found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// The subscription as a Warehouse would have it.
    pub(super) subscription: Value,
    /// Columns of the table, by the names of the fields of what is taken.
    #[serde(skip)]
    pub(super) columns: &'static [(&'static str, &'static str)],
    /// Best first.
    pub(super) taken: Vec<Value>,
    pub(super) ruled_out: Vec<RuledOut>,
    pub(super) remarks: Vec<Remark>,
    pub(super) cost: Cost,
}

/// What one rule leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuledOut {
    pub(super) rule: String,
    pub(super) count: usize,
    /// Some of them.
    pub(super) examples: Vec<String>,
}

impl From<domain::selection::RuledOut> for RuledOut {
    fn from(it: domain::selection::RuledOut) -> Self {
        Self {
            rule: it.rule.to_string(),
            count: it.count,
            examples: it.tags,
        }
    }
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remark {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// What it cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    pub(super) requests: u64,
    /// By host, then by how they ended.
    pub(super) hosts: BTreeMap<String, BTreeMap<&'static str, u64>>,
    pub(super) git: u64,
    pub(super) remembered: u64,
    pub(super) seconds: f64,
    /// Of all requests together.
    pub(super) waited_seconds: f64,
}

impl Cost {
    pub(super) fn of(spent: &Spent, took: Duration) -> Self {
        let mut hosts: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for ((host, outcome), count) in &spent.requests {
            let outcome: Outcome = *outcome;
            let by_outcome = hosts.entry(host.clone()).or_default();
            *by_outcome.entry(outcome.label()).or_default() += count;
        }
        Self {
            requests: spent.total(),
            hosts,
            git: spent.git.values().sum(),
            remembered: spent.remembered,
            seconds: took.as_secs_f64(),
            waited_seconds: spent.waited.as_secs_f64(),
        }
    }
}
