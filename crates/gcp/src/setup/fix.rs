//! How to repair one thing, as text for a person.

use serde::Serialize;

use super::{Action, Plan, gcloud, terraform};

/// The same repair in each of the ways people work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// gcloud, kubectl or helm commands, one a line or with continued lines; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commands: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub terraform: String,
    /// What no command can say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Fix {
    /// Writes the repair that actions are.
    pub fn by(actions: Vec<Action>) -> Self {
        let plan = Plan {
            actions,
            ..Plan::default()
        };
        Self {
            commands: gcloud::commands(&plan),
            terraform: terraform::write(&plan),
            advice: String::new(),
        }
    }

    pub fn command(commands: &str) -> Self {
        Self {
            commands: commands.to_owned(),
            ..Self::default()
        }
    }

    pub fn advice(advice: &str) -> Self {
        Self {
            advice: advice.to_owned(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn and_advice(mut self, advice: &str) -> Self {
        advice.clone_into(&mut self.advice);
        self
    }

    #[must_use]
    pub fn and_terraform(mut self, terraform: &str) -> Self {
        terraform.clone_into(&mut self.terraform);
        self
    }
}
