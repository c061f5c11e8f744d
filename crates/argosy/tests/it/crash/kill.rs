//! Places inside of a promotion at which it can be killed.

use super::STEPS;
use super::usual::Child;

/// Where a promotion is killed: the step, by the name that is also its kind, and the place inside of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kill {
    pub(crate) step: &'static str,
    pub(crate) at: At,
}

/// A place inside of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum At {
    /// After this share of the time that the step takes when nobody disturbs it.
    Share(f64),
    /// At one of the programs that the step runs, counted from 1.
    Child(usize, When),
}

/// A moment in the life of a program that a step runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    Before,
    /// After this share of the time that it takes when nobody disturbs it.
    During(f64),
    /// It has ended and nobody knows yet.
    After,
}

impl Kill {
    /// The number of its step.
    pub(super) fn index(&self) -> usize {
        index_of(self.step)
    }

    /// The moment in the life of a child, where the kill is at that child.
    pub(super) fn when(&self, child: &Child) -> Option<When> {
        match self.at {
            At::Child(number, when) => {
                ((self.index(), number) == (child.step, child.number)).then_some(when)
            }
            At::Share(_) => None,
        }
    }
}

/// The number of a step.
pub(super) fn index_of(step: &str) -> usize {
    STEPS.iter().position(|it| *it == step).unwrap()
}
