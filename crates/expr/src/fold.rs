//! Rewrites a tree before it is evaluated, where the reference's optimiser can be told from plain evaluation: it
//! computes `x and true` without asking whether `x` is a bool, and `sum([a, b])` as `a + b`.

use crate::ast::{Binary, Loop, LoopKind, Node, NodeId, Tree, Unary};
use crate::error::Error;
use crate::value::Value;

/// Rewrites nodes from the leaves up; children stand before their parents.
pub(crate) fn fold(tree: &mut Tree) -> Result<(), Error> {
    for index in 0..tree.nodes.len() {
        let id = NodeId(index);
        let rewritten = match &tree.nodes[index] {
            Node::Unary(Unary::Not, operand) => {
                truth(tree, *operand).map(|it| Node::Constant(Value::Bool(!it)))
            }
            Node::Unary(Unary::Negate, operand) => negated(tree, *operand),
            Node::Binary(Binary::And, left, right) => logical(tree, *left, *right, true),
            Node::Binary(Binary::Or, left, right) => logical(tree, *left, *right, false),
            Node::Binary(Binary::Equal, left, right) => same_bools(tree, *left, *right),
            Node::Binary(Binary::In, wanted, list) => {
                strings(tree, *list).map(|list| Node::InStrings(*wanted, list))
            }
            Node::Binary(Binary::Modulo, left, right) => {
                if let (Some(Value::Int(_)), Some(Value::Int(0))) =
                    (constant(tree, *left), constant(tree, *right))
                {
                    return Err(Error::syntax("division by zero", tree.spans[index]));
                }
                None
            }
            _ => None,
        };
        if let Some(node) = rewritten {
            tree.nodes[index] = node;
        }
        if let Some(sum) = summands(tree, id) {
            add_up(tree, id, &sum);
        }
    }
    Ok(())
}

fn constant(tree: &Tree, id: NodeId) -> Option<&Value> {
    match &tree.nodes[id.0] {
        Node::Constant(value) => Some(value),
        _ => None,
    }
}

fn truth(tree: &Tree, id: NodeId) -> Option<bool> {
    constant(tree, id)?.as_bool()
}

fn negated(tree: &Tree, id: NodeId) -> Option<Node> {
    match constant(tree, id)? {
        Value::Int(it) => Some(Node::Constant(Value::Int(it.wrapping_neg()))),
        Value::Float(it) => Some(Node::Constant(Value::Float(-it))),
        _ => None,
    }
}

/// Folds `and` (whose neutral value is true) and `or` (false).
fn logical(tree: &Tree, left: NodeId, right: NodeId, neutral: bool) -> Option<Node> {
    match (truth(tree, left), truth(tree, right)) {
        (Some(it), _) if it == neutral => Some(tree.nodes[right.0].clone()),
        (_, Some(it)) if it == neutral => Some(tree.nodes[left.0].clone()),
        (Some(_), _) | (_, Some(_)) => Some(Node::Constant(Value::Bool(!neutral))),
        (None, None) => None,
    }
}

fn same_bools(tree: &Tree, left: NodeId, right: NodeId) -> Option<Node> {
    Some(Node::Constant(Value::Bool(
        truth(tree, left)? == truth(tree, right)?,
    )))
}

/// The strings of a list that holds nothing else.
fn strings(tree: &Tree, list: NodeId) -> Option<Vec<std::sync::Arc<str>>> {
    let Node::Array(nodes) = &tree.nodes[list.0] else {
        return None;
    };
    let text = |id: &NodeId| match constant(tree, *id) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    nodes
        .iter()
        .map(text)
        .collect::<Option<Vec<_>>>()
        .filter(|strings| !strings.is_empty())
}

/// The elements of a list that is summed up as it stands and that is not constant.
fn summands(tree: &Tree, id: NodeId) -> Option<Vec<NodeId>> {
    let Node::Loop(Loop {
        kind: LoopKind::Sum,
        collection,
        predicate: None,
        ..
    }) = &tree.nodes[id.0]
    else {
        return None;
    };
    let Node::Array(nodes) = &tree.nodes[collection.0] else {
        return None;
    };
    let plain = |id: &NodeId| {
        matches!(
            constant(tree, *id),
            Some(Value::Int(_) | Value::Float(_) | Value::String(_) | Value::Bool(_))
        )
    };
    // A long list would nest too deeply; it is summed up in a loop, with the same result for numbers.
    ((2..=16).contains(&nodes.len()) && !nodes.iter().all(plain)).then(|| nodes.clone())
}

/// Replaces a sum by additions grouped to the right.
fn add_up(tree: &mut Tree, id: NodeId, summands: &[NodeId]) {
    let [first, middle @ .., last] = summands else {
        return;
    };
    let span = tree.spans[id.0];
    let mut sum = *last;
    for summand in middle.iter().rev() {
        tree.nodes.push(Node::Binary(Binary::Add, *summand, sum));
        tree.spans.push(span);
        sum = NodeId(tree.nodes.len() - 1);
    }
    tree.nodes[id.0] = Node::Binary(Binary::Add, *first, sum);
}
