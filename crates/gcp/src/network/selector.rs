//! Selectors: which labels are meant.
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use std::collections::BTreeMap;

use serde::Deserialize;

pub type Labels = BTreeMap<String, String>;

/// What labels have to be; nothing is asked of them by an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    pub match_labels: Labels,
    pub match_expressions: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Requirement {
    pub key: String,
    pub operator: Operator,
    #[serde(default)]
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Operator {
    In,
    /// Also where there is no such label.
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    pub fn selects(&self, labels: &Labels) -> bool {
        let mut pairs = self.match_labels.iter();
        let mut requirements = self.match_expressions.iter();
        pairs.all(|(key, value)| labels.get(key) == Some(value))
            && requirements.all(|it| it.is_met_by(labels))
    }
}

impl Requirement {
    fn is_met_by(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.key);
        let is_listed = found.is_some_and(|it| self.values.contains(it));
        match self.operator {
            Operator::In => is_listed,
            Operator::NotIn => !is_listed,
            Operator::Exists => found.is_some(),
            Operator::DoesNotExist => found.is_none(),
        }
    }
}
