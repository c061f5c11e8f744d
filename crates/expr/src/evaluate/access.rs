//! Members, slices and calls.

use super::{Evaluated, Evaluator, Stop, failed};
use crate::ast::{Node, NodeId};
use crate::budget::Budget;
use crate::environment::CallError;
use crate::operators::{self, Outcome};
use crate::time;
use crate::value::Value;

impl Evaluator<'_> {
    pub(super) fn member(&mut self, base: NodeId, property: NodeId, optional: bool) -> Evaluated {
        if let (Node::Environment, Node::Constant(Value::String(name))) =
            (&self.tree.nodes[base.0], &self.tree.nodes[property.0])
        {
            return Ok(self.environment.variable(name).unwrap_or_default());
        }
        let base = self.value(base)?;
        if optional && base.is_nil() {
            return Err(Stop::Absent);
        }
        let property_node = property;
        let property = self.value(property_node)?;
        operators::fetch(&base, &property).map_err(|message| {
            // Only what stands in the expression is repeated: what was computed may be a secret.
            match &self.tree.nodes[property_node.0] {
                Node::Constant(Value::String(name)) => {
                    failed(format!("cannot take {name}: {message}"))
                }
                _ => failed(message),
            }
        })
    }

    pub(super) fn slice(
        &mut self,
        base: NodeId,
        from: Option<NodeId>,
        to: Option<NodeId>,
    ) -> Evaluated {
        let base = self.value(base)?;
        let to = to.map(|to| self.value(to)).transpose()?;
        let from = from.map(|from| self.value(from)).transpose()?;
        let value = operators::slice(&base, from.as_ref(), to.as_ref()).map_err(failed)?;
        match &value {
            Value::Array(items) => self.budget.steps(items.len() as u64 / 8)?,
            Value::String(text) => self.budget.bytes(text.len())?,
            Value::Bytes(bytes) => self.budget.bytes(bytes.len())?,
            _ => {}
        }
        Ok(value)
    }

    pub(super) fn call(
        &mut self,
        name: &str,
        variable: Option<usize>,
        arguments: &[NodeId],
    ) -> Evaluated {
        let arguments = self.all(arguments)?;
        let answer = if variable.is_some() {
            None
        } else {
            self.environment.call(name, &arguments)
        };
        match answer {
            Some(Ok(value)) => Ok(Budget::checked(value)?),
            Some(Err(CallError::Failed(message))) => Err(failed(message)),
            Some(Err(CallError::Pending(call))) => {
                if !self.pending.contains(&call) {
                    self.budget.call()?;
                    self.pending.push(call);
                }
                Err(Stop::Pending)
            }
            None => Err(failed(format!("there is no function {name}"))),
        }
    }

    pub(super) fn method(
        &mut self,
        base: NodeId,
        name: &str,
        optional: bool,
        arguments: &[NodeId],
    ) -> Evaluated {
        let base = self.value(base)?;
        if optional && base.is_nil() {
            return Err(Stop::Absent);
        }
        let arguments = self.all(arguments)?;
        self.charge_texts(&arguments)?;
        let outcome: Outcome = match &base {
            Value::Record(record) => match record.method(name) {
                Some(method) => method(&arguments),
                None => Err(format!("{} has no method {name}", record.type_name())),
            },
            Value::Time(it) => time::time_method(it, name, &arguments),
            Value::Duration(it) => time::duration_method(*it, name, &arguments),
            Value::Zone(it) if name == "String" && arguments.is_empty() => {
                Ok(Value::from(it.iana_name().unwrap_or("Local")))
            }
            other => Err(format!("{} has no method {name}", other.type_name())),
        };
        Ok(Budget::checked(outcome.map_err(failed)?)?)
    }
}
