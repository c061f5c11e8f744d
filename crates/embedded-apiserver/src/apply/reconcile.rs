//! Sets written before a schema made a list or a map atomic.

use super::element::{Element, Path};
use super::set::Set;
use crate::shape::{Form, ListKind, Map, Shape};

/// Gives who owns something below what is now atomic the whole of it instead.
pub(super) fn reconcile(set: &Set, shape: &Shape) -> Set {
    let mut now_atomic = Set::default();
    walk(Some(set), shape, false, &mut Vec::new(), &mut now_atomic);
    if now_atomic.is_empty() {
        set.clone()
    } else {
        set.without(&now_atomic).union(&now_atomic)
    }
}

/// Walks what is owned; `whole` says that the value is owned and nothing below it is.
fn walk(set: Option<&Set>, shape: &Shape, whole: bool, path: &mut Path, now_atomic: &mut Set) {
    match shape.atom().form() {
        Form::Scalar(_) => {}
        Form::List(list) => {
            if *list.kind == ListKind::Atomic {
                if !whole {
                    now_atomic.insert(path);
                }
                return;
            }
            for (element, member, below) in set.into_iter().flat_map(Set::top) {
                step(element, member, below, list.item, path, now_atomic);
            }
        }
        Form::Map(map) => {
            if map.is_free_form() {
                return;
            }
            if map.atomic {
                if !whole && set.is_some() {
                    now_atomic.insert(path);
                }
                return;
            }
            for (element, member, below) in set.into_iter().flat_map(Set::top) {
                if let Some(shape) = field_shape(map, element) {
                    step(element, member, below, shape, path, now_atomic);
                }
            }
        }
    }
}

fn step(
    element: &Element,
    member: bool,
    below: &Set,
    shape: &Shape,
    path: &mut Path,
    now_atomic: &mut Set,
) {
    path.push(element.clone());
    let below = (!below.is_empty()).then_some(below);
    walk(below, shape, member && below.is_none(), path, now_atomic);
    path.pop();
}

fn field_shape<'a>(map: Map<'a>, element: &Element) -> Option<&'a Shape> {
    match element {
        Element::Field(name) => map.shape_of(name),
        Element::Key(_) | Element::Value(_) | Element::Index(_) => map.other(),
    }
}
