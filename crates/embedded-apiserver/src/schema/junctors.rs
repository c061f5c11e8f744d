//! `allOf`, `anyOf`, `oneOf` and `not`.

use serde_json::Value;

use super::{Structural, causes};
use crate::failure::FieldCause;

impl Structural {
    pub(super) fn check_junctors(&self, value: &Value, path: &str, found: &mut Vec<FieldCause>) {
        for branch in &self.all_of {
            branch.check_shape(value, None, path, found);
        }
        if !self.any_of.is_empty() {
            let (passed, nearest) = try_all(&self.any_of, value, path);
            if passed == 0 {
                let why = format!(
                    "{:?} must validate at least one schema (anyOf)",
                    causes::place(path)
                );
                found.push(junctor_failure(path, &why));
                found.extend(nearest);
            }
        }
        if !self.one_of.is_empty() {
            let (passed, nearest) = try_all(&self.one_of, value, path);
            if passed != 1 {
                let result = if passed == 0 {
                    "Found none valid".to_owned()
                } else {
                    format!("Found {passed} valid alternatives")
                };
                let place = causes::place(path);
                let why =
                    format!("{place:?} must validate one and only one schema (oneOf). {result}");
                found.push(junctor_failure(path, &why));
                found.extend(nearest);
            }
        }
        if let Some(branch) = &self.not
            && passes(branch, value, path)
        {
            let why = format!(
                "{:?} must not validate the schema (not)",
                causes::place(path)
            );
            found.push(junctor_failure(path, &why));
        }
    }
}

fn junctor_failure(path: &str, why: &str) -> FieldCause {
    causes::invalid(path, &Value::String(String::new()), why)
}

/// How many branches pass, and what is wrong by the one that comes nearest when none does.
fn try_all(branches: &[Structural], value: &Value, path: &str) -> (usize, Vec<FieldCause>) {
    let mut passed = 0;
    let mut nearest: Option<Vec<FieldCause>> = None;
    for branch in branches {
        let mut found = Vec::new();
        branch.check_shape(value, None, path, &mut found);
        if found.is_empty() {
            passed += 1;
        } else if nearest.as_ref().is_none_or(|it| found.len() < it.len()) {
            nearest = Some(found);
        }
    }
    let nearest = if passed == 0 {
        nearest.unwrap_or_default()
    } else {
        Vec::new()
    };
    (passed, nearest)
}

fn passes(branch: &Structural, value: &Value, path: &str) -> bool {
    let mut found = Vec::new();
    branch.check_shape(value, None, path, &mut found);
    found.is_empty()
}
