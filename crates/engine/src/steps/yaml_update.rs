//! `yaml-update`: changes values in a YAML file and nothing else.

use domain::message::in_one_line;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Step, StepError};
use crate::{context::StepContext, work_dir::FilePath, yaml};

#[derive(Debug, Deserialize)]
pub(super) struct YamlUpdate {
    path: String,
    updates: Vec<Update>,
}

#[derive(Debug, Deserialize)]
struct Update {
    key: String,
    value: Value,
}

impl Step for YamlUpdate {
    const KIND: &'static str = "yaml-update";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let path = cx
            .work_dir
            .writable(&FilePath::parse_for_writing(&self.path)?)?;
        let text = cx.work_dir.read_text(&path)?;
        let updates: Vec<_> = self
            .updates
            .into_iter()
            .map(|update| (update.key, update.value))
            .collect();
        let changed = yaml::set_scalars(&text, &updates).map_err(|error| {
            let message = format!("failed to update {:?}: {}", self.path, in_one_line(&error));
            let failed = match error {
                yaml::Error::Key(_) | yaml::Error::Value { .. } => StepError::Failed(message),
                yaml::Error::Syntax(_)
                | yaml::Error::TooLarge(_)
                | yaml::Error::NotFound { .. }
                | yaml::Error::NotScalar { .. }
                | yaml::Error::Shape(_)
                | yaml::Error::Unsafe(_) => StepError::Errored(message),
            };
            failed.with_next(error.hint())
        })?;
        if changed != text {
            cx.work_dir.write_text(&path, &changed)?;
        }
        cx.reached("written");
        let message = commit_message(&self.path, &updates);
        Ok(Outcome::Done(Map::from_iter([(
            "commitMessage".to_owned(),
            json!(message),
        )])))
    }
}

/// One line on the file, then one for each value.
fn commit_message(path: &str, updates: &[(String, Value)]) -> String {
    let lines: Vec<_> = updates
        .iter()
        .map(|(key, value)| format!("- {key}: {}", written(value)))
        .collect();
    format!("Updated {path}\n\n{}", lines.join("\n"))
}

/// A value as a person writes it; a string that would read as something else in quotes.
fn written(value: &Value) -> String {
    match value {
        Value::String(text)
            if serde_json::from_str::<Value>(text).is_err()
                && text.trim() == text
                && !text.is_empty() =>
        {
            text.clone()
        }
        other => other.to_string(),
    }
}
