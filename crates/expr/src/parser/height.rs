//! How deep evaluation recurses.

use crate::ast::{Node, NodeId};

/// The height of a node whose children's heights are known: 1 for a leaf.
pub(super) fn height_of(node: &Node, nodes: &[Node], heights: &[u32]) -> u32 {
    let height = |id: &NodeId| heights[id.0];
    let tallest = |ids: &[NodeId]| ids.iter().map(height).max().unwrap_or(0);
    1 + match node {
        Node::Constant(_)
        | Node::Name(_)
        | Node::Environment
        | Node::Variable(_)
        | Node::Pointer(_) => 0,
        // A chain of operators to the left is evaluated in a loop.
        Node::Binary(_, left, right) => {
            let spine = matches!(nodes[left.0], Node::Binary(..));
            (height(left) - u32::from(spine)).max(height(right))
        }
        Node::Unary(_, it) | Node::Matches(it, _) | Node::InStrings(it, _) | Node::Chain(it) => {
            height(it)
        }
        Node::Member { base, property, .. } => height(base).max(height(property)),
        Node::Slice { base, from, to } => height(base)
            .max(from.as_ref().map_or(0, height))
            .max(to.as_ref().map_or(0, height)),
        Node::Call { arguments, .. } | Node::Builtin(_, arguments) => tallest(arguments),
        Node::Method {
            base, arguments, ..
        } => height(base).max(tallest(arguments)),
        Node::Loop(it) => [Some(it.collection), it.predicate, it.extra]
            .iter()
            .flatten()
            .map(height)
            .max()
            .unwrap_or(0),
        Node::Let { value, body, .. } => height(value).max(height(body)),
        Node::Sequence(nodes) | Node::Array(nodes) => tallest(nodes),
        Node::Conditional {
            condition,
            then,
            otherwise,
        } => tallest(&[*condition, *then, *otherwise]),
        Node::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| height(key).max(height(value)))
            .max()
            .unwrap_or(0),
    }
}
