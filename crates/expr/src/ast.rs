//! The tree of an expression: nodes in one list, children before their parents, so that nothing about it is recursive.

use std::sync::Arc;

use regex::bytes::Regex;

use crate::builtins::Builtin;
use crate::error::Span;
use crate::value::Value;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) spans: Vec<Span>,
    pub(crate) root: NodeId,
    /// How many variables `let` declares.
    pub(crate) variables: usize,
}

/// The place of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) usize);

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Value),
    /// A variable of the host.
    Name(Arc<str>),
    /// `$env`.
    Environment,
    /// A variable of `let`.
    Variable(usize),
    Unary(Unary, NodeId),
    Binary(Binary, NodeId, NodeId),
    /// `matches` with a pattern known beforehand.
    Matches(NodeId, Regex),
    /// `in` with a list of string literals, in which only strings can be looked for.
    InStrings(NodeId, Vec<Arc<str>>),
    /// Where `?.` inside ends up when it meets nil.
    Chain(NodeId),
    Member {
        base: NodeId,
        property: NodeId,
        optional: bool,
    },
    Slice {
        base: NodeId,
        from: Option<NodeId>,
        to: Option<NodeId>,
    },
    /// A call of a function of the host, or of something that is none.
    Call {
        name: Arc<str>,
        variable: Option<usize>,
        arguments: Vec<NodeId>,
    },
    Method {
        base: NodeId,
        name: Arc<str>,
        optional: bool,
        arguments: Vec<NodeId>,
    },
    Builtin(&'static Builtin, Vec<NodeId>),
    Loop(Loop),
    /// `#` and, in the loops that have them, `#index` and `#acc`.
    Pointer(Pointer),
    Let {
        variable: usize,
        value: NodeId,
        body: NodeId,
    },
    Sequence(Vec<NodeId>),
    Conditional {
        condition: NodeId,
        then: NodeId,
        otherwise: NodeId,
    },
    Array(Vec<NodeId>),
    Map(Vec<(NodeId, NodeId)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Negate,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    In,
    Matches,
    Contains,
    StartsWith,
    EndsWith,
    Range,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Coalesce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pointer {
    Item,
    Index,
    Accumulator,
}

/// A function that runs a predicate for the elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) kind: LoopKind,
    pub(crate) collection: NodeId,
    pub(crate) predicate: Option<NodeId>,
    /// The order of `sortBy`, the first accumulator of `reduce`.
    pub(crate) extra: Option<NodeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoopKind {
    All,
    Any,
    Count,
    Filter,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    GroupBy,
    Map,
    None,
    One,
    Reduce,
    SortBy,
    Sum,
}

impl LoopKind {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "all" => Self::All,
            "any" => Self::Any,
            "count" => Self::Count,
            "filter" => Self::Filter,
            "find" => Self::Find,
            "findIndex" => Self::FindIndex,
            "findLast" => Self::FindLast,
            "findLastIndex" => Self::FindLastIndex,
            "groupBy" => Self::GroupBy,
            "map" => Self::Map,
            "none" => Self::None,
            "one" => Self::One,
            "reduce" => Self::Reduce,
            "sortBy" => Self::SortBy,
            "sum" => Self::Sum,
            _ => return None,
        })
    }

    /// Says whether the predicate may be left out, which makes it the element itself.
    pub(crate) fn may_lack_predicate(self) -> bool {
        matches!(self, Self::Count | Self::Sum)
    }

    /// Says whether a third argument may follow.
    pub(crate) fn takes_extra(self) -> bool {
        matches!(self, Self::SortBy | Self::Reduce)
    }
}
