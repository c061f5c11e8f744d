//! `expressionFilter`: what an expression says of a commit or a tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Budget, CallError, Environment, Evaluation, Program, Value};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::RulesError;

/// The field that expressions are written in.
const FIELD: &str = "expressionFilter";

/// Holds an expression, or none, which is true for everything.
#[derive(Debug)]
pub(super) struct Filter(Option<Program>);

impl Filter {
    /// Reads the expression; white space alone is none.
    pub(super) fn parse(text: &str) -> Result<Self, RulesError> {
        let program = Some(text.trim())
            .filter(|it| !it.is_empty())
            .map(Program::parse)
            .transpose();
        program
            .map(Self)
            .map_err(|source| error(source.to_string()))
    }

    /// Says whether there is no expression.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Says whether the expression is true for these variables. It may ask for `now`.
    pub(super) fn passes(
        &self,
        variables: impl FnOnce() -> BTreeMap<String, Value>,
        now: Timestamp,
    ) -> Result<bool, RulesError> {
        let Some(program) = &self.0 else {
            return Ok(true);
        };
        let variables = Variables(variables(), now);
        match program.evaluate(&variables, &mut Budget::default()) {
            Ok(Evaluation::Done(value)) => truth(&value),
            Ok(Evaluation::Pending(_)) => Err(error(
                "it calls a function that commits do not have".to_owned(),
            )),
            Err(source) => Err(error(source.to_string())),
        }
    }
}

fn error(why: String) -> RulesError {
    RulesError::Expression { field: FIELD, why }
}

/// Reads a truth value; what is none counts by how it is written, as in Go.
fn truth(value: &Value) -> Result<bool, RulesError> {
    let word = match value {
        Value::Bool(truth) => return Ok(*truth),
        Value::String(word) => word.to_string(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(error(format!(
            "its result is neither true nor false but {}",
            value.type_name()
        ))),
    }
}

/// Puts a moment as expressions see it.
pub(super) fn time(moment: Timestamp) -> Value {
    Value::Time(Arc::new(moment.to_zoned(TimeZone::UTC)))
}

/// What an expression sees.
struct Variables(BTreeMap<String, Value>, Timestamp);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn call(&self, _name: &str, _arguments: &[Value]) -> Option<Result<Value, CallError>> {
        None
    }

    fn variables(&self) -> Value {
        Value::from(self.0.clone())
    }

    fn now(&self) -> Option<Zoned> {
        Some(self.1.to_zoned(TimeZone::UTC))
    }
}
