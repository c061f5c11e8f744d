//! The functions that run a predicate for each element: `map`, `filter`, `reduce` and the like.

use std::collections::BTreeMap;

use super::{Evaluated, Evaluator, Scope, Stop, failed};
use crate::ast::{Loop, LoopKind};
use crate::budget::Budget;
use crate::builtins::sort;
use crate::operators;
use crate::value::{Array, Key, Map, MapKind, Value};

impl Evaluator<'_> {
    pub(super) fn run(&mut self, it: &Loop) -> Evaluated {
        let collection = self.value(it.collection)?;
        let items = self.items(&collection)?;
        let value = match it.kind {
            LoopKind::All | LoopKind::None => {
                Value::Bool(self.first(it, &items, it.kind == LoopKind::None)?.is_none())
            }
            LoopKind::Any => Value::Bool(self.first(it, &items, true)?.is_some()),
            LoopKind::Find => self
                .first(it, &items, true)?
                .map(|index| items[index].clone())
                .unwrap_or_default(),
            LoopKind::FindIndex => index(self.first(it, &items, true)?),
            LoopKind::FindLast => self
                .last(it, &items)?
                .map(|index| items[index].clone())
                .unwrap_or_default(),
            LoopKind::FindLastIndex => index(self.last(it, &items)?),
            LoopKind::Count => length(self.kept(it, &items)?.len()),
            LoopKind::One => Value::Bool(self.kept(it, &items)?.len() == 1),
            LoopKind::Filter => {
                let kept = self.kept(it, &items)?;
                self.budget.elements(kept.len())?;
                kept.into_iter().map(|index| items[index].clone()).collect()
            }
            LoopKind::Map => {
                let values = self.each(it, &items)?;
                self.budget.elements(values.len())?;
                values.into()
            }
            LoopKind::Sum => self.sum(it, &items)?,
            LoopKind::Reduce => self.reduce(it, &items)?,
            LoopKind::GroupBy => self.group_by(it, &items)?,
            LoopKind::SortBy => self.sort_by(it, &items)?,
        };
        Ok(Budget::checked(value)?)
    }

    /// The elements a loop runs over: those of an array, or the bytes of a string.
    fn items(&mut self, collection: &Value) -> Evaluated<Array> {
        let bytes = match collection {
            Value::Array(items) => return Ok(items.clone()),
            Value::String(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            Value::Map(map) if map.is_empty() => &[],
            other => {
                return Err(failed(format!(
                    "expected an array, not {}",
                    other.type_name()
                )));
            }
        };
        self.budget.elements(bytes.len())?;
        Ok(Array::new(
            bytes.iter().map(|byte| Value::Byte(*byte)).collect(),
        ))
    }

    /// Computes the predicate for one element.
    fn at(&mut self, it: &Loop, items: &[Value], index: usize, accumulator: Value) -> Evaluated {
        let item = items[index].clone();
        let Some(predicate) = it.predicate else {
            self.budget.step()?;
            return Ok(item);
        };
        self.scopes.push(Scope {
            item,
            index,
            accumulator,
        });
        let value = self.value(predicate);
        self.scopes.pop();
        value
    }

    fn holds(&mut self, it: &Loop, items: &[Value], index: usize) -> Evaluated<bool> {
        let value = self.at(it, items, index, Value::Nil)?;
        value.as_bool().ok_or_else(|| {
            failed(format!(
                "the predicate gives {}, not a bool",
                value.type_name()
            ))
        })
    }

    /// The first element for which the predicate gives `wanted`. Those after it are not looked at.
    fn first(&mut self, it: &Loop, items: &[Value], wanted: bool) -> Evaluated<Option<usize>> {
        for index in 0..items.len() {
            if self.holds(it, items, index)? == wanted {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn last(&mut self, it: &Loop, items: &[Value]) -> Evaluated<Option<usize>> {
        for index in (0..items.len()).rev() {
            if self.holds(it, items, index)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Computes the predicate for every element, collecting all pending calls.
    fn each(&mut self, it: &Loop, items: &[Value]) -> Evaluated<Vec<Value>> {
        let mut values = Vec::new();
        let mut pending = false;
        for index in 0..items.len() {
            match self.at(it, items, index, Value::Nil) {
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

    /// The elements for which the predicate holds.
    fn kept(&mut self, it: &Loop, items: &[Value]) -> Evaluated<Vec<usize>> {
        let mut kept = Vec::new();
        let mut pending = false;
        for index in 0..items.len() {
            match self.holds(it, items, index) {
                Ok(true) => kept.push(index),
                Ok(false) => {}
                Err(Stop::Pending) => pending = true,
                Err(other) => return Err(other),
            }
        }
        if pending {
            Err(Stop::Pending)
        } else {
            Ok(kept)
        }
    }

    fn sum(&mut self, it: &Loop, items: &[Value]) -> Evaluated {
        let mut sum = Value::Int(0);
        for value in self.each(it, items)? {
            sum = operators::apply(crate::ast::Binary::Add, &value, &sum).map_err(failed)?;
        }
        Ok(sum)
    }

    fn reduce(&mut self, it: &Loop, items: &[Value]) -> Evaluated {
        let (mut accumulator, start) = match (it.extra, items.first()) {
            (Some(extra), _) => (self.value(extra)?, 0),
            (None, Some(first)) => (first.clone(), 1),
            (None, None) => {
                return Err(failed("cannot reduce an empty array without a first value"));
            }
        };
        for index in start..items.len() {
            accumulator = self.at(it, items, index, accumulator)?;
        }
        Ok(accumulator)
    }

    fn group_by(&mut self, it: &Loop, items: &[Value]) -> Evaluated {
        let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        self.budget.elements(items.len())?;
        for (key, item) in self.each(it, items)?.iter().zip(items) {
            groups
                .entry(Key::of(key).map_err(failed)?)
                .or_default()
                .push(item.clone());
        }
        let groups = groups
            .into_iter()
            .map(|(key, items)| (key, Value::Array(Array::new(items))))
            .collect();
        Ok(Value::Map(Map::of(MapKind::Groups, groups)))
    }

    fn sort_by(&mut self, it: &Loop, items: &[Value]) -> Evaluated {
        let descending = match it.extra.map(|extra| self.value(extra)).transpose()? {
            None => false,
            Some(order) => sort::is_descending(&order).map_err(failed)?,
        };
        let keys = self.each(it, items)?;
        self.budget.elements(items.len())?;
        let mut pairs: Vec<(Value, Value)> = keys.into_iter().zip(items.iter().cloned()).collect();
        self.budget.steps(pairs.len() as u64 * 4)?;
        sort::sort(&mut pairs, |left, right| {
            sort::goes_before(&left.0, &right.0, descending)
        })
        .map_err(failed)?;
        Ok(pairs.into_iter().map(|(_, item)| item).collect())
    }
}

fn index(found: Option<usize>) -> Value {
    found.map(length).unwrap_or_default()
}

fn length(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}
