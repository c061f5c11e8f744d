//! Validation rules (`x-kubernetes-validations`): compiled with the schema, evaluated on whole objects.

use std::fmt;

use kube_cel::cel::Program;
use serde_json::Value;

use super::{Additional, Structural, Type, causes, cel, item_path, lists, member_path, type_name};
use crate::failure::FieldCause;

/// The longest rule or message expression that is compiled.
const LONGEST: usize = 8 << 10;

/// The longest message a message expression may make.
const LONGEST_MESSAGE: usize = 5 << 10;

/// The most causes that are listed.
const LISTED: usize = 100;

/// One rule of one node.
pub(crate) struct Rule {
    text: String,
    program: Program,
    message: Option<String>,
    message_program: Option<Program>,
    reason: Reason,
    /// Where the failure is reported, below the node.
    field_path: String,
    /// Whether the rule compares with the value of before.
    pub(super) transition: bool,
    optional_old: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.text).finish()
    }
}

impl Rule {
    /// Compiles one entry of `x-kubernetes-validations`.
    pub(super) fn compile(rule: &Value) -> Result<Self, String> {
        let text = |member: &str| rule.get(member).and_then(Value::as_str);
        let source = text("rule")
            .filter(|it| !it.trim().is_empty())
            .ok_or("rule is not specified")?;
        let program = compile(source)?;
        let message_program = text("messageExpression").map(compile).transpose()?;
        let reason = match text("reason") {
            None | Some("FieldValueInvalid") => Reason::Invalid,
            Some("FieldValueForbidden") => Reason::Forbidden,
            Some("FieldValueRequired") => Reason::Required,
            Some("FieldValueDuplicate") => Reason::Duplicate,
            Some(other) => return Err(format!("unsupported reason {other:?}")),
        };
        let optional_old = rule.get("optionalOldSelf").and_then(Value::as_bool) == Some(true);
        let transition = program.references().has_variable("oldSelf")
            || message_program
                .as_ref()
                .is_some_and(|it| it.references().has_variable("oldSelf"));
        if optional_old && !transition {
            return Err("optionalOldSelf is set, but the rule does not use oldSelf".to_owned());
        }
        let message = text("message").map(str::trim).filter(|it| !it.is_empty());
        if message.is_none() && message_program.is_none() && source.contains('\n') {
            return Err("a rule of several lines needs a message".to_owned());
        }
        Ok(Self {
            text: source.trim().to_owned(),
            program,
            message: message.map(str::to_owned),
            message_program,
            reason,
            field_path: text("fieldPath").unwrap_or_default().to_owned(),
            transition,
            optional_old,
        })
    }

    /// Evaluates the rule; `kind` is the node's type as messages call it.
    fn check(&self, scope: &cel::Scope, kind: &str, path: &str) -> Option<FieldCause> {
        if self.transition && !scope.has_old() && !self.optional_old {
            return None;
        }
        let why = match scope.evaluate(&self.program, self.optional_old) {
            Ok(Some(true)) => return None,
            Ok(Some(false)) => self.message(scope),
            Ok(None) => format!("rule did not evaluate to a boolean: {}", self.text),
            Err(error) => format!("{error} evaluating rule: {}", self.stated()),
        };
        let path = match self.field_path.as_str() {
            "" => path.to_owned(),
            below => member_path(path, below.trim_start_matches('.')).replace(".[", "["),
        };
        let cause = match self.reason {
            Reason::Invalid => causes::invalid(&path, &Value::String(kind.to_owned()), &why),
            Reason::Forbidden => FieldCause::forbidden(&path, &why),
            Reason::Required => FieldCause::required(&path, &why),
            Reason::Duplicate => causes::duplicate(&path, &Value::String(kind.to_owned())),
        };
        Some(cause)
    }

    fn message(&self, scope: &cel::Scope) -> String {
        let made = self
            .message_program
            .as_ref()
            .and_then(|it| scope.text(it, self.optional_old));
        let fits = |it: &String| {
            !it.trim().is_empty() && !it.contains('\n') && it.len() <= LONGEST_MESSAGE
        };
        made.filter(fits).unwrap_or_else(|| self.stated())
    }

    fn stated(&self) -> String {
        self.message
            .clone()
            .unwrap_or_else(|| format!("failed rule: {}", self.text))
    }
}

fn compile(source: &str) -> Result<Program, String> {
    if source.len() > LONGEST {
        return Err(format!("expressions may have at most {LONGEST} bytes"));
    }
    Program::compile(source).map_err(|error| format!("compilation failed: {error}"))
}

impl Structural {
    /// Evaluates every rule on a whole object.
    pub(super) fn check_rules(
        &self,
        object: &Value,
        old: Option<&Value>,
        found: &mut Vec<FieldCause>,
    ) {
        self.check_rules_at(object, old, "", found);
    }

    fn check_rules_at(
        &self,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        found: &mut Vec<FieldCause>,
    ) {
        // What has not changed passed before; a rule that compares finds nothing to compare.
        if !self.has_rules || found.len() >= LISTED || value.is_null() || old == Some(value) {
            return;
        }
        if !self.rules.is_empty() {
            let kind = self.kind.map_or_else(|| type_name(value), Type::name);
            let scope = cel::Scope::new(self, value, old, path.is_empty());
            found.extend(
                self.rules
                    .iter()
                    .filter_map(|it| it.check(&scope, kind, path)),
            );
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let Some(schema) = self.member(name).filter(|it| it.has_rules) {
                        let old = old.and_then(|it| it.get(name));
                        schema.check_rules_at(member, old, &member_path(path, name), found);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = self.items.as_ref().filter(|it| it.has_rules) {
                    let earlier = lists::Earlier::new(&self.list, old);
                    for (index, item) in items.iter().enumerate() {
                        let path = item_path(path, index);
                        schema.check_rules_at(item, earlier.find(item), &path, found);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Notes where rules are, from the leaves up.
    pub(super) fn note_rules(&mut self) {
        let below = self.properties.values().any(|it| it.has_rules)
            || self.items.as_ref().is_some_and(|it| it.has_rules)
            || matches!(&self.additional, Additional::Schema(it) if it.has_rules);
        self.has_rules = below || !self.rules.is_empty();
    }
}
