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
            LoopKind::Find => match self.first(it, &items, true)? {
                Some(index) => items.at(index)?,
                None => Value::Nil,
            },
            LoopKind::FindIndex => index(self.first(it, &items, true)?),
            LoopKind::FindLast => match self.last(it, &items)? {
                Some(index) => items.at(index)?,
                None => Value::Nil,
            },
            LoopKind::FindLastIndex => index(self.last(it, &items)?),
            LoopKind::Count => length(self.kept(it, &items)?.len()),
            LoopKind::One => Value::Bool(self.kept(it, &items)?.len() == 1),
            LoopKind::Filter => {
                let kept = self.kept(it, &items)?;
                self.budget.elements(kept.len())?;
                kept.into_iter()
                    .map(|index| items.at(index))
                    .collect::<Evaluated<Vec<_>>>()?
                    .into()
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
    fn items(&mut self, collection: &Value) -> Evaluated<Items> {
        let bytes = match collection {
            Value::Array(items) => return Ok(Items::Known(items.clone())),
            Value::String(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            Value::Map(map) => return Ok(Items::Unknown(map.len())),
            other => {
                return Err(failed(format!(
                    "expected an array, not {}",
                    other.type_name()
                )));
            }
        };
        self.budget.elements(bytes.len())?;
        let items = bytes.iter().map(|byte| Value::Byte(*byte)).collect();
        Ok(Items::Known(Array::new(items)))
    }

    /// Computes the predicate for one element.
    fn at(&mut self, it: &Loop, items: &Items, index: usize, accumulator: Value) -> Evaluated {
        let Some(predicate) = it.predicate else {
            self.budget.step()?;
            return items.at(index);
        };
        self.scopes.push(Scope {
            item: items.at(index).ok(),
            index,
            accumulator,
        });
        let value = self.value(predicate);
        self.scopes.pop();
        value
    }

    fn holds(&mut self, it: &Loop, items: &Items, index: usize) -> Evaluated<bool> {
        let value = self.at(it, items, index, Value::Nil)?;
        value.as_bool().ok_or_else(|| {
            failed(format!(
                "the predicate gives {}, not a bool",
                value.type_name()
            ))
        })
    }

    /// The first element for which the predicate gives `wanted`. Those after it are not looked at.
    fn first(&mut self, it: &Loop, items: &Items, wanted: bool) -> Evaluated<Option<usize>> {
        for index in 0..items.len() {
            if self.holds(it, items, index)? == wanted {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn last(&mut self, it: &Loop, items: &Items) -> Evaluated<Option<usize>> {
        for index in (0..items.len()).rev() {
            if self.holds(it, items, index)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Computes the predicate for every element, collecting all pending calls.
    fn each(&mut self, it: &Loop, items: &Items) -> Evaluated<Vec<Value>> {
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

    /// What each element is sorted or grouped by. Together they must not be too large, since they are compared.
    fn keys(&mut self, it: &Loop, items: &Items) -> Evaluated<Array> {
        let keys = Array::new(self.each(it, items)?);
        Budget::checked(Value::Array(keys.clone()))?;
        self.budget.steps(Value::Array(keys.clone()).cost())?;
        Ok(keys)
    }

    /// The elements for which the predicate holds.
    fn kept(&mut self, it: &Loop, items: &Items) -> Evaluated<Vec<usize>> {
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

    fn sum(&mut self, it: &Loop, items: &Items) -> Evaluated {
        let mut sum = Value::Int(0);
        for value in self.each(it, items)? {
            sum = operators::apply(crate::ast::Binary::Add, &value, &sum).map_err(failed)?;
        }
        Ok(sum)
    }

    fn reduce(&mut self, it: &Loop, items: &Items) -> Evaluated {
        let (mut accumulator, start) = match it.extra {
            Some(extra) => (self.value(extra)?, 0),
            None if items.len() == 0 => {
                return Err(failed("cannot reduce an empty array without a first value"));
            }
            None => (items.at(0)?, 1),
        };
        for index in start..items.len() {
            accumulator = self.at(it, items, index, accumulator)?;
        }
        Ok(accumulator)
    }

    fn group_by(&mut self, it: &Loop, items: &Items) -> Evaluated {
        let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        self.budget.elements(items.len())?;
        for (index, key) in self.keys(it, items)?.iter().enumerate() {
            groups
                .entry(Key::of(key).map_err(failed)?)
                .or_default()
                .push(items.at(index)?);
        }
        let groups = groups
            .into_iter()
            .map(|(key, items)| (key, Value::Array(Array::new(items))))
            .collect();
        Ok(Value::Map(Map::of(MapKind::Groups, groups)))
    }

    fn sort_by(&mut self, it: &Loop, items: &Items) -> Evaluated {
        let descending = match it.extra.map(|extra| self.value(extra)).transpose()? {
            None => false,
            Some(order) => sort::is_descending(&order).map_err(failed)?,
        };
        let mut pairs = Vec::new();
        for (index, key) in self.keys(it, items)?.iter().enumerate() {
            pairs.push((key.clone(), items.at(index)?));
        }
        self.budget.elements(pairs.len())?;
        self.budget.steps(pairs.len() as u64 * 4)?;
        sort::sort(&mut pairs, |left, right| {
            sort::goes_before(&left.0, &right.0, descending)
        })
        .map_err(failed)?;
        Ok(pairs.into_iter().map(|(_, item)| item).collect())
    }
}

/// What a loop runs over.
enum Items {
    Known(Array),
    /// A map has a size but no elements: a predicate that asks for none may run.
    Unknown(usize),
}

impl Items {
    fn len(&self) -> usize {
        match self {
            Self::Known(items) => items.len(),
            Self::Unknown(length) => *length,
        }
    }

    /// The element at an index below the length.
    fn at(&self, index: usize) -> Evaluated {
        match self {
            Self::Known(items) => Ok(items[index].clone()),
            Self::Unknown(_) => Err(failed("expected an array, not map")),
        }
    }
}

fn index(found: Option<usize>) -> Value {
    found.map(length).unwrap_or_default()
}

fn length(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}
