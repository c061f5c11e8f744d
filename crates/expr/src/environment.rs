//! What an expression knows of the world: its host's variables and functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Zoned;

use crate::value::{Map, Value};

/// The host of an expression.
///
/// Functions that must wait for the outside answer with [`CallError::Pending`]; see the crate's documentation for the loop.
pub trait Environment {
    /// The value of a variable; `None` reads as nil.
    fn variable(&self, name: &str) -> Option<Value>;

    /// Calls a function; `None` says that there is none of that name.
    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>>;

    /// All variables, for expressions that ask for `$env` as a whole.
    fn variables(&self) -> Value {
        Value::Map(Map::new([]))
    }

    /// The present, for the function `now`; `None` makes calling it an error.
    fn now(&self) -> Option<Zoned> {
        None
    }
}

/// Variables alone.
impl Environment for BTreeMap<String, Value> {
    fn variable(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }

    fn call(&self, _name: &str, _arguments: &[Value]) -> Option<Result<Value, CallError>> {
        None
    }

    fn variables(&self) -> Value {
        Value::from(self.clone())
    }
}

/// Why a function of the host gave no value.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// It failed; the expression fails with this message.
    Failed(String),
    /// The answer is outside: fetch it, remember it, evaluate again.
    Pending(Call),
}

/// A call whose answer must be fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub function: Arc<str>,
    pub arguments: Vec<Value>,
}

impl Call {
    pub fn new(function: impl Into<Arc<str>>, arguments: &[Value]) -> Self {
        Self {
            function: function.into(),
            arguments: arguments.to_vec(),
        }
    }

    /// A text that two calls share exactly if they are the same.
    fn key(&self) -> String {
        format!("{}{:?}", self.function, self.arguments)
    }
}

/// The answers fetched so far: one memo serves one attempt of a step, so that an object is read once.
///
/// Answers may be secrets: a memo is never stored.
#[derive(Default)]
pub struct Memo {
    answers: BTreeMap<String, Result<Value, String>>,
}

impl Memo {
    /// Answers a call from memory, or says that it is pending. What a host's `call` does for a function that must wait.
    pub fn answer(&self, call: Call) -> Result<Value, CallError> {
        match self.answers.get(&call.key()) {
            Some(Ok(value)) => Ok(value.clone()),
            Some(Err(message)) => Err(CallError::Failed(message.clone())),
            None => Err(CallError::Pending(call)),
        }
    }

    /// Remembers an answer. An error is an answer too.
    pub fn remember(&mut self, call: &Call, answer: Result<Value, String>) {
        self.answers.insert(call.key(), answer);
    }
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo")
            .field("answers", &self.answers.len())
            .finish()
    }
}
