//! Steps: what Stages, tasks and Promotions list.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration::Duration;
use crate::wire::is_empty;

/// One thing to do, or a task that stands for several.
///
/// In a Stage a step has either `uses` or `task`; in a task and in a Promotion it always has `uses`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionStep {
    /// The kind of step, such as `git-clone`.
    #[serde(skip_serializing_if = "is_empty")]
    pub uses: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub task: Option<TaskReference>,
    /// The name its outputs are found under; empty means a name from its position.
    #[serde(rename = "as", skip_serializing_if = "is_empty")]
    pub alias: String,
    /// An expression; the step is skipped where it is false.
    #[serde(rename = "if", skip_serializing_if = "is_empty")]
    pub condition: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub continue_on_error: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub retry: Option<StepRetry>,
    #[serde(skip_serializing_if = "is_empty")]
    pub vars: Vec<Variable>,
    #[serde(skip_serializing_if = "is_empty")]
    pub config: Option<Value>,
}

/// Names a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskReference {
    pub name: String,
    /// Absent means [`TaskKind::PromotionTask`].
    #[serde(skip_serializing_if = "is_empty")]
    pub kind: Option<TaskKind>,
}

/// Where a task lives: in the project or in the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskKind {
    #[default]
    PromotionTask,
    ClusterPromotionTask,
}

/// How often and how long a step is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepRetry {
    /// Absent means the default of the kind of step; zero means for ever.
    #[serde(skip_serializing_if = "is_empty")]
    pub timeout: Option<Duration>,
    /// Errors in a row after which the step has failed; zero means the default of the kind of step.
    #[serde(skip_serializing_if = "is_empty")]
    pub error_threshold: i32,
}

/// A variable; the value may hold expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Variable {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub value: String,
}

impl PromotionStep {
    /// The name a step has: its alias, else `step-<n>` or `task-<n>`, counted from 1.
    pub fn name_at(&self, index: usize) -> String {
        match (self.alias.as_str(), &self.task) {
            ("", None) => format!("step-{}", index + 1),
            ("", Some(_)) => format!("task-{}", index + 1),
            (alias, _) => alias.to_owned(),
        }
    }
}

impl TaskReference {
    /// The kind of the task, told or assumed.
    pub fn kind(&self) -> TaskKind {
        self.kind.unwrap_or_default()
    }
}

impl Variable {
    /// A variable of this name and value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}
