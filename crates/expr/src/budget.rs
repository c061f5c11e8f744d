//! How much an expression may cost. The budget of a template spans all of its evaluations.

use crate::error::{Error, ErrorKind};
use crate::value::Value;

/// The most nodes an expression may have.
pub const MAX_NODES: usize = 10_000;

/// How deep expressions may nest, in parentheses, operators or calls.
pub const MAX_DEPTH: u32 = 100;

/// How deep values may nest.
pub const MAX_VALUE_DEPTH: u32 = 200;

/// How many bytes a value may stand for. What is shared counts as often as it is there.
const MAX_VALUE_WEIGHT: u64 = 64 << 20;

/// The most outside calls one template may ask for.
pub const MAX_CALLS: u32 = 64;

/// What is left to spend. One budget is made per template and handed to every evaluation of it, so that replays cannot
/// multiply the cost.
#[derive(Debug, Clone)]
pub struct Budget {
    steps: u64,
    elements: u64,
    bytes: u64,
    calls: u32,
}

/// Ten million steps, a million elements of arrays and maps, 64 MiB of text and 64 outside calls.
impl Default for Budget {
    fn default() -> Self {
        Self::new(10_000_000, 1_000_000, 64 << 20)
    }
}

impl Budget {
    /// Makes a budget of evaluation steps, of elements in arrays and maps, and of bytes of text.
    pub fn new(steps: u64, elements: u64, bytes: u64) -> Self {
        Self {
            steps,
            elements,
            bytes,
            calls: MAX_CALLS,
        }
    }

    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.steps(1)
    }

    pub(crate) fn steps(&mut self, count: u64) -> Result<(), Error> {
        self.steps = self
            .steps
            .checked_sub(count)
            .ok_or_else(|| exhausted("the expression takes too many steps"))?;
        Ok(())
    }

    pub(crate) fn elements(&mut self, count: usize) -> Result<(), Error> {
        let left = self
            .elements
            .checked_sub(count as u64)
            .filter(|left| *left > 0);
        self.elements = left.ok_or_else(|| exhausted("the expression uses too much memory"))?;
        Ok(())
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<(), Error> {
        let left = self.bytes.checked_sub(count as u64);
        self.bytes = left.ok_or_else(|| exhausted("the expression uses too much memory"))?;
        Ok(())
    }

    pub(crate) fn call(&mut self) -> Result<(), Error> {
        let left = self.calls.checked_sub(1);
        self.calls =
            left.ok_or_else(|| exhausted("the template asks for too many outside values"))?;
        Ok(())
    }

    /// Refuses a value that is too deep or too large, and passes any other on.
    pub(crate) fn checked(value: Value) -> Result<Value, Error> {
        let extent = value.extent();
        if extent.depth > MAX_VALUE_DEPTH {
            return Err(exhausted("the value nests too deeply"));
        }
        if extent.weight > MAX_VALUE_WEIGHT {
            Err(exhausted("the value is too large"))
        } else {
            Ok(value)
        }
    }
}

fn exhausted(message: &str) -> Error {
    Error::new(ErrorKind::Exhausted, message)
}
