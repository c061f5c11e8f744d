//! What a promotion does and how long it takes when nobody disturbs it.

use std::time::Duration;

use super::kill::index_of;

/// A program that a step ran.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The number of its step.
    pub(super) step: usize,
    /// Its place among the children of the step, from 1.
    pub(super) number: usize,
    pub(super) command: String,
    pub(super) took: Duration,
}

/// How long things take when nobody disturbs them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usual {
    steps: Vec<Duration>,
    children: Vec<Child>,
}

impl Usual {
    /// The commands that a step runs, in their order.
    pub(crate) fn children_of(&self, step: &str) -> Vec<&str> {
        let index = index_of(step);
        let children = self.children.iter().filter(|it| it.step == index);
        children.map(|it| it.command.as_str()).collect()
    }

    /// The number of the step's first child whose command begins so, counted from 1.
    pub(crate) fn number_of(&self, step: &str, command: &str) -> usize {
        let children = self.children_of(step);
        let place = children.iter().position(|it| it.starts_with(command));
        place.unwrap_or_else(|| panic!("{step} does not run {command:?}: {children:#?}")) + 1
    }

    /// Takes note of how long a step took; the fastest counts.
    pub(super) fn learn(&mut self, index: usize, took: Duration) {
        if self.steps.len() == index {
            self.steps.push(took);
        }
        self.steps[index] = self.steps[index].min(took);
    }

    /// How long a step takes.
    pub(super) fn of_step(&self, step: &str) -> Duration {
        self.steps.get(index_of(step)).copied().unwrap_or_default()
    }

    /// Takes note of a child of the first promotion; one that was killed may have others.
    pub(super) fn learn_child(&mut self, child: Child) {
        let is_before = |it: &Child| (it.step, it.number) < (child.step, child.number);
        if self.children.iter().all(is_before) {
            self.children.push(child);
        }
    }

    /// How long a child takes.
    pub(super) fn of_child(&self, child: &Child) -> Duration {
        let mut children = self.children.iter();
        let same = children.find(|it| (it.step, it.number) == (child.step, child.number));
        same.map_or(Duration::ZERO, |it| it.took)
    }
}
