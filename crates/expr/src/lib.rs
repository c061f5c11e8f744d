//! The expression language of Kargo's manifests: expr-lang v1.17 as its compiler treats an undeclared environment, and the
//! templates (`${{ … }}`) around it.
//!
//! Expressions come from tenants of a shared control plane. So parsing and evaluating never panics, never overflows the
//! stack, does no I/O and stops when its [`Budget`] is spent.
//!
//! # One expression
//!
//! ```
//! use std::collections::BTreeMap;
//! use expr::{Budget, Evaluation, Program, Value};
//!
//! let environment = BTreeMap::from([("tags".to_owned(), Value::from_iter([Value::from("v1"), Value::from("dev")]))]);
//! let program = Program::parse("tags | filter(# startsWith 'v') | first()").expect("an expression");
//! let result = program.evaluate(&environment, &mut Budget::default()).expect("a value");
//! assert_eq!(result, Evaluation::Done(Value::from("v1")));
//! ```
//!
//! # A template
//!
//! [`template::evaluate_tree`] evaluates every string of a JSON document, as a step's `config` needs it, and
//! [`template::evaluate_string`] one string, as a variable needs it.
//!
//! # Functions that must wait
//!
//! This crate is synchronous. A host function whose answer is outside (a Secret, a Warehouse) says that it is pending;
//! evaluation goes on where it can, collects such calls, and gives them all back. The host fetches them and evaluates
//! again, now with the answers in its [`Memo`]. The budget is the same throughout.
//!
//! ```
//! use expr::{Budget, Call, CallError, Environment, Evaluation, Memo, Program, Value};
//!
//! struct Host<'a> { memo: &'a Memo }
//!
//! impl Environment for Host<'_> {
//!     fn variable(&self, _name: &str) -> Option<Value> {
//!         None
//!     }
//!
//!     fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
//!         match name {
//!             "secret" => Some(self.memo.answer(Call::new(name, arguments))),
//!             _ => None,
//!         }
//!     }
//! }
//!
//! # fn fetch(call: &Call) -> Result<Value, String> { Ok(Value::from(format!("{} of {}", call.function, call.arguments[0]))) }
//! let program = Program::parse("secret('a') + ', ' + secret('b')").expect("an expression");
//! let (mut memo, mut budget) = (Memo::default(), Budget::default());
//! let value = loop {
//!     match program.evaluate(&Host { memo: &memo }, &mut budget).expect("evaluates") {
//!         Evaluation::Done(value) => break value,
//!         Evaluation::Pending(calls) => {
//!             for call in calls {
//!                 let answer = fetch(&call); // In an engine: all of them at once, awaited.
//!                 memo.remember(&call, answer);
//!             }
//!         }
//!     }
//! };
//! assert_eq!(value, Value::from("secret of a, secret of b"));
//! ```
//!
//! # Differences from the reference
//!
//! Expressions nest at most [`MAX_DEPTH`] deep where the reference only counts nodes. Strings are always UTF-8, so a byte
//! cut out of a character reads as U+FFFD. The keys of a map come sorted where Go's order is random. A map grouped by whole
//! numbers can be written as JSON. Methods can be called but not passed around. The last digit of a power with a fraction
//! in its exponent may differ. `tests/fixtures/differences.tsv` lists what the recorded answers show.

mod ast;
mod budget;
mod builtins;
mod check;
mod environment;
mod error;
mod evaluate;
mod fold;
mod functions;
mod json;
mod lexer;
mod operators;
mod parser;
pub mod pattern;
mod power;
pub mod template;
mod text;
mod time;
mod value;

pub use budget::{Budget, MAX_CALLS, MAX_DEPTH, MAX_NODES, MAX_VALUE_DEPTH};
pub use environment::{Call, CallError, Environment, Memo};
pub use error::{Error, ErrorKind, Span};
pub use value::{Array, FloatKey, Key, Map, MapKind, Method, Record, Value};

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Program {
    source: String,
    tree: ast::Tree,
}

/// What came of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluation<T = Value> {
    Done(T),
    /// These calls must be answered first: at least one, at most [`MAX_CALLS`], no two the same.
    Pending(Vec<Call>),
}

impl Program {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let tree = parser::parse(text).map_err(|error| error.located_in(text))?;
        Ok(Self {
            source: text.to_owned(),
            tree,
        })
    }

    /// Evaluates the expression. The same environment gives the same result.
    pub fn evaluate(
        &self,
        environment: &dyn Environment,
        budget: &mut Budget,
    ) -> Result<Evaluation, Error> {
        evaluate::evaluate(&self.tree, environment, budget)
            .map_err(|error| error.located_in(&self.source))
    }
}
