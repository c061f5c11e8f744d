//! Walks a tree and computes its value.

mod access;
mod loops;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Evaluation;
use crate::ast::{Binary, Node, NodeId, Pointer, Tree, Unary};
use crate::budget::Budget;
use crate::builtins;
use crate::environment::{Call, Environment};
use crate::error::{Error, ErrorKind};
use crate::operators;
use crate::pattern;
use crate::value::{Key, Map, MapKind, Value};

/// Computes the value of a tree, or finds the calls that must be answered first.
pub(crate) fn evaluate(
    tree: &Tree,
    environment: &dyn Environment,
    budget: &mut Budget,
) -> Result<Evaluation, Error> {
    let mut evaluator = Evaluator {
        tree,
        environment,
        budget,
        variables: vec![Value::Nil; tree.variables],
        scopes: Vec::new(),
        pending: Vec::new(),
    };
    match evaluator.value(tree.root) {
        Ok(value) => Ok(Evaluation::Done(value)),
        Err(Stop::Failed(error)) => Err(*error),
        Err(Stop::Pending) => Ok(Evaluation::Pending(evaluator.pending)),
        // Every optional access is inside a chain, which ends this.
        Err(Stop::Absent) => Ok(Evaluation::Done(Value::Nil)),
    }
}

pub(crate) struct Evaluator<'a> {
    tree: &'a Tree,
    environment: &'a dyn Environment,
    pub(crate) budget: &'a mut Budget,
    /// What `let` gave to each of its variables.
    variables: Vec<Value>,
    /// The loops evaluation is in, the innermost last.
    scopes: Vec<Scope>,
    pending: Vec<Call>,
}

/// What `#`, `#index` and `#acc` are.
struct Scope {
    /// `None` where the loop runs over something without elements.
    item: Option<Value>,
    index: usize,
    accumulator: Value,
}

/// Why there is no value.
pub(crate) enum Stop {
    Failed(Box<Error>),
    /// Some call must be answered first; it is in the list of the pending ones.
    Pending,
    /// `?.` met nil: the value of the chain around it is nil.
    Absent,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

type Evaluated<T = Value> = Result<T, Stop>;

fn failed(message: impl Into<String>) -> Stop {
    Stop::from(Error::new(ErrorKind::Evaluation, message))
}

impl Evaluator<'_> {
    fn value(&mut self, id: NodeId) -> Evaluated {
        let result = self
            .budget
            .step()
            .map_err(Stop::from)
            .and_then(|()| self.node(id));
        match result {
            Err(Stop::Failed(error)) => {
                Err(Stop::Failed(Box::new(error.within(self.tree.spans[id.0]))))
            }
            other => other,
        }
    }

    fn node(&mut self, id: NodeId) -> Evaluated {
        let tree = self.tree;
        match &tree.nodes[id.0] {
            Node::Constant(value) => Ok(value.clone()),
            Node::Name(name) => Ok(self.environment.variable(name).unwrap_or_default()),
            Node::Environment => Ok(self.environment.variables()),
            Node::Variable(variable) => Ok(self.variables[*variable].clone()),
            Node::Unary(operator, operand) => self.unary(*operator, *operand),
            Node::Binary(..) => self.binary(id),
            Node::Matches(text, pattern) => {
                let text = self.value(*text)?;
                self.matches(&text, pattern)
            }
            Node::InStrings(wanted, strings) => self.in_strings(*wanted, strings),
            Node::Chain(inside) => match self.value(*inside) {
                Ok(value) if value.is_nil() => Ok(Value::Nil),
                Err(Stop::Absent) => Ok(Value::Nil),
                other => other,
            },
            Node::Member {
                base,
                property,
                optional,
            } => self.member(*base, *property, *optional),
            Node::Slice { base, from, to } => self.slice(*base, *from, *to),
            Node::Call {
                name,
                variable,
                arguments,
            } => self.call(name, *variable, arguments),
            Node::Method {
                base,
                name,
                optional,
                arguments,
            } => self.method(*base, name, *optional, arguments),
            Node::Builtin(builtin, arguments) => {
                let arguments = self.all(arguments)?;
                self.charge_texts(&arguments)?;
                let environment = self.environment;
                let now = || environment.now();
                let value = builtin.call(
                    &arguments,
                    &mut builtins::Context {
                        budget: self.budget,
                        now: &now,
                    },
                )?;
                Ok(Budget::checked(value)?)
            }
            Node::Loop(it) => self.run(it),
            Node::Pointer(pointer) => self.pointer(*pointer),
            Node::Let {
                variable,
                value,
                body,
            } => {
                self.variables[*variable] = self.value(*value)?;
                self.value(*body)
            }
            Node::Sequence(nodes) => self.sequence(nodes),
            Node::Conditional {
                condition,
                then,
                otherwise,
            } => {
                let branch = if self.truth(*condition)? {
                    then
                } else {
                    otherwise
                };
                self.value(*branch)
            }
            Node::Array(nodes) => {
                self.budget.elements(nodes.len())?;
                let values = self.all(nodes)?;
                Ok(Budget::checked(values.into())?)
            }
            Node::Map(pairs) => self.map(pairs),
        }
    }

    /// Computes values of which each is needed, so that all pending calls among them are found at once.
    fn all(&mut self, nodes: &[NodeId]) -> Evaluated<Vec<Value>> {
        let mut values = Vec::with_capacity(nodes.len());
        let mut pending = false;
        for node in nodes {
            match self.value(*node) {
                Ok(value) => values.push(value),
                Err(Stop::Pending) => pending = true,
                Err(other) => return Err(other),
            }
        }
        if pending {
            Err(Stop::Pending)
        } else {
            Ok(values)
        }
    }

    /// Counts the work of looking through the strings among arguments.
    fn charge_texts(&mut self, arguments: &[Value]) -> Evaluated<()> {
        let texts = arguments
            .iter()
            .filter(|it| matches!(it, Value::String(_) | Value::Bytes(_)));
        self.budget.steps(texts.map(Value::cost).sum::<u64>() / 4)?;
        Ok(())
    }

    fn truth(&mut self, node: NodeId) -> Evaluated<bool> {
        let value = self.value(node)?;
        value
            .as_bool()
            .ok_or_else(|| failed(format!("expected a bool, not {}", value.type_name())))
    }

    fn unary(&mut self, operator: Unary, operand: NodeId) -> Evaluated {
        let value = self.value(operand)?;
        match operator {
            Unary::Not => operators::not(&value).map_err(failed),
            Unary::Negate => operators::negate(&value).map_err(failed),
            Unary::Plus => Ok(value),
        }
    }

    /// Computes operators, walking the chain of left operands in a loop rather than by recursion.
    fn binary(&mut self, id: NodeId) -> Evaluated {
        let tree = self.tree;
        let mut spine = Vec::new();
        let mut first = id;
        while let Node::Binary(operator, left, right) = &tree.nodes[first.0] {
            spine.push((first, *operator, *right));
            first = *left;
        }
        let mut left = self.value(first);
        while let Some((place, operator, right)) = spine.pop() {
            self.budget.step()?;
            left = self
                .operator(operator, left, right)
                .map_err(|stop| match stop {
                    Stop::Failed(error) => {
                        Stop::Failed(Box::new(error.within(tree.spans[place.0])))
                    }
                    other => other,
                });
            if matches!(left, Err(Stop::Failed(_) | Stop::Absent)) {
                return left;
            }
        }
        left
    }

    fn operator(&mut self, operator: Binary, left: Evaluated, right: NodeId) -> Evaluated {
        match operator {
            Binary::And | Binary::Or => {
                let left = left?;
                let decided = operator == Binary::Or;
                match left.as_bool() {
                    Some(truth) if truth == decided => Ok(left),
                    Some(_) => self.value(right),
                    None => Err(failed(format!("expected a bool, not {}", left.type_name()))),
                }
            }
            Binary::Coalesce => match left? {
                left if left.is_nil() => self.value(right),
                left => Ok(left),
            },
            _ => {
                // The right side is needed in any case: what it waits for can be asked for now.
                let right = match self.value(right) {
                    Err(stop) if left.is_ok() => return Err(stop),
                    Err(stop @ Stop::Failed(_)) => return Err(stop),
                    other => other,
                };
                let (left, right) = (left?, right?);
                match operator {
                    Binary::Range => self.range(&left, &right),
                    Binary::Matches => self.matches_any(&left, &right),
                    _ => {
                        let cost = match operator {
                            Binary::In | Binary::Contains => left.cost().max(right.cost()),
                            _ => left.cost().min(right.cost()),
                        };
                        self.budget.steps(cost / 4)?;
                        let value = operators::apply(operator, &left, &right).map_err(failed)?;
                        if let Value::String(text) = &value {
                            self.budget.bytes(text.len())?;
                        }
                        Ok(value)
                    }
                }
            }
        }
    }

    fn range(&mut self, from: &Value, to: &Value) -> Evaluated {
        let (from, to) = (
            operators::to_int(from).map_err(failed)?,
            operators::to_int(to).map_err(failed)?,
        );
        let length = i128::from(to) - i128::from(from) + 1;
        self.budget
            .elements(usize::try_from(length.max(0)).unwrap_or(usize::MAX))?;
        Ok((from..=to).map(Value::Int).collect())
    }

    fn matches_any(&mut self, text: &Value, pattern: &Value) -> Evaluated {
        if text.is_nil() || pattern.is_nil() {
            return Ok(Value::Bool(false));
        }
        let Value::String(pattern) = pattern else {
            return Err(failed(format!(
                "matches needs a pattern, not {}",
                pattern.type_name()
            )));
        };
        self.budget.steps(1_000 + pattern.len() as u64)?;
        let pattern = pattern::compile(pattern).map_err(|_| failed("the pattern is invalid"))?;
        self.matches(text, &pattern)
    }

    fn matches(&mut self, text: &Value, pattern: &regex::bytes::Regex) -> Evaluated {
        let bytes = match text {
            Value::String(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            nil if nil.is_nil() => return Ok(Value::Bool(false)),
            other => {
                return Err(failed(format!(
                    "matches needs a string, not {}",
                    other.type_name()
                )));
            }
        };
        self.budget.steps(bytes.len() as u64)?;
        Ok(Value::Bool(pattern.is_match(bytes)))
    }

    fn in_strings(&mut self, wanted: NodeId, strings: &[Arc<str>]) -> Evaluated {
        let wanted = match self.value(wanted)? {
            Value::String(text) => text,
            nil if nil.is_nil() => Arc::from(""),
            other => {
                return Err(failed(format!(
                    "cannot look for {} among strings",
                    other.type_name()
                )));
            }
        };
        Ok(Value::Bool(strings.contains(&wanted)))
    }

    fn pointer(&mut self, pointer: Pointer) -> Evaluated {
        let scope = self
            .scopes
            .last()
            .ok_or_else(|| failed("there is no element here"))?;
        Ok(match pointer {
            Pointer::Item => scope
                .item
                .clone()
                .ok_or_else(|| failed("expected an array, not map"))?,
            Pointer::Index => Value::Int(i64::try_from(scope.index).unwrap_or(i64::MAX)),
            Pointer::Accumulator => scope.accumulator.clone(),
        })
    }

    fn sequence(&mut self, nodes: &[NodeId]) -> Evaluated {
        let mut last = Value::Nil;
        for node in nodes {
            last = self.value(*node)?;
        }
        Ok(last)
    }

    fn map(&mut self, pairs: &[(NodeId, NodeId)]) -> Evaluated {
        self.budget.elements(pairs.len())?;
        let nodes: Vec<NodeId> = pairs
            .iter()
            .flat_map(|(key, value)| [*key, *value])
            .collect();
        let values = self.all(&nodes)?;
        let mut entries = BTreeMap::new();
        for pair in values.chunks_exact(2) {
            let Value::String(key) = &pair[0] else {
                return Err(failed(format!(
                    "the key of a map is a string, not {}",
                    pair[0].type_name()
                )));
            };
            // Of two equal keys the first counts.
            entries
                .entry(Key::String(key.clone()))
                .or_insert_with(|| pair[1].clone());
        }
        Ok(Budget::checked(Value::Map(Map::of(
            MapKind::Object,
            entries,
        )))?)
    }
}
