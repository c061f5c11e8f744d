//! Refuses what can be known to be wrong before evaluation, as the reference's compiler does: `1 == "a"` is an error even
//! where it would never be evaluated. What comes from the host may be anything.

mod functions;
mod nature;
mod operators;

use crate::ast::{Loop, LoopKind, Node, NodeId, Pointer, Tree, Unary};
use crate::error::{Error, Span};
use nature::Nature;

/// Checks a tree as it was parsed.
pub(crate) fn check(tree: &Tree) -> Result<(), Error> {
    let mut checker = Checker {
        tree,
        known: vec![None; tree.nodes.len()],
        variables: vec![Nature::Unknown; tree.variables],
        collections: Vec::new(),
    };
    checker.nature(tree.root).map(drop)
}

struct Checker<'a> {
    tree: &'a Tree,
    /// What was found out already: operands of a chain of comparisons belong to two nodes.
    known: Vec<Option<Nature>>,
    variables: Vec<Nature>,
    /// What the loops around run over, the innermost last.
    collections: Vec<Nature>,
}

type Checked<T = Nature> = Result<T, Error>;

impl Checker<'_> {
    fn nature(&mut self, id: NodeId) -> Checked {
        if let Some(nature) = &self.known[id.0] {
            return Ok(nature.clone());
        }
        let nature = self.node(id)?;
        self.known[id.0] = Some(nature.clone());
        Ok(nature)
    }

    fn node(&mut self, id: NodeId) -> Checked {
        let tree = self.tree;
        let span = tree.spans[id.0];
        match &tree.nodes[id.0] {
            Node::Constant(value) => Ok(Nature::of(value)),
            // What a function of the host takes is the host's to say.
            Node::Name(_)
            | Node::Environment
            | Node::Call { .. }
            | Node::Pointer(Pointer::Accumulator) => Ok(Nature::Unknown),
            Node::Variable(variable) => Ok(self.variables[*variable].clone()),
            Node::Unary(operator, operand) => self.unary(*operator, *operand, span),
            Node::Binary(..) => self.binary(id),
            Node::Matches(text, _) => {
                let text = self.nature(*text)?;
                let known = matches!(text, Nature::Text | Nature::Bytes);
                if known || text.is_unknown() {
                    Ok(Nature::Bool)
                } else {
                    Err(mismatch(&text, &Nature::Text, span))
                }
            }
            Node::InStrings(wanted, _) => self.nature(*wanted).map(|_| Nature::Bool),
            Node::Chain(inside) => self.nature(*inside),
            Node::Member { base, property, .. } => self.member(*base, *property, span),
            Node::Slice { base, from, to } => self.slice(*base, [*from, *to], span),
            Node::Method { base, name, .. } => {
                let base = self.nature(*base)?;
                if base.may_have_method() {
                    Ok(Nature::Unknown)
                } else {
                    Err(Error::syntax(format!("{base} has no method {name}"), span))
                }
            }
            Node::Builtin(builtin, arguments) => {
                let natures = arguments
                    .iter()
                    .map(|it| self.nature(*it))
                    .collect::<Checked<Vec<_>>>()?;
                functions::result(builtin.name(), &natures)
                    .map_err(|message| Error::syntax(message, span))
            }
            Node::Loop(it) => self.run(it),
            Node::Pointer(Pointer::Index) => Ok(Nature::Int),
            Node::Pointer(Pointer::Item) => Ok(self
                .collections
                .last()
                .map_or(Nature::Unknown, Nature::element)),
            Node::Let {
                variable,
                value,
                body,
            } => {
                self.variables[*variable] = self.nature(*value)?;
                self.nature(*body)
            }
            Node::Sequence(nodes) => {
                let natures = nodes
                    .iter()
                    .map(|it| self.nature(*it))
                    .collect::<Checked<Vec<_>>>()?;
                Ok(natures.last().cloned().unwrap_or(Nature::Unknown))
            }
            Node::Conditional {
                condition,
                then,
                otherwise,
            } => {
                self.wants_bool(*condition)?;
                let (then, otherwise) = (self.nature(*then)?, self.nature(*otherwise)?);
                Ok(Nature::either(then, otherwise))
            }
            Node::Array(nodes) => {
                let natures = nodes
                    .iter()
                    .map(|it| self.nature(*it))
                    .collect::<Checked<Vec<_>>>()?;
                Ok(Nature::array_of(&natures))
            }
            Node::Map(pairs) => {
                for (key, value) in pairs {
                    self.nature(*key)?;
                    self.nature(*value)?;
                }
                Ok(Nature::Map)
            }
        }
    }

    fn unary(&mut self, operator: Unary, operand: NodeId, span: Span) -> Checked {
        let nature = self.nature(operand)?;
        match operator {
            Unary::Not if nature.is_unknown() || nature == Nature::Bool => Ok(Nature::Bool),
            Unary::Negate | Unary::Plus if nature.is_unknown() => Ok(Nature::Unknown),
            Unary::Negate | Unary::Plus if nature.is_number() => Ok(nature),
            Unary::Not | Unary::Negate | Unary::Plus => Err(Error::syntax(
                format!("this operator does not take {nature}"),
                span,
            )),
        }
    }

    /// Checks operators, walking the chain of left operands in a loop as evaluation does.
    fn binary(&mut self, id: NodeId) -> Checked {
        let tree = self.tree;
        let mut spine = Vec::new();
        let mut first = id;
        while let Node::Binary(operator, left, right) = &tree.nodes[first.0]
            && self.known[first.0].is_none()
        {
            spine.push((first, *operator, *right));
            first = *left;
        }
        let mut left = self.nature(first)?;
        while let Some((place, operator, right)) = spine.pop() {
            let right = self.nature(right)?;
            let result = operators::result(operator, &left, &right);
            left = result.ok_or_else(|| mismatch(&left, &right, tree.spans[place.0]))?;
            self.known[place.0] = Some(left.clone());
        }
        Ok(left)
    }

    fn member(&mut self, base: NodeId, property: NodeId, span: Span) -> Checked {
        if matches!(self.tree.nodes[base.0], Node::Environment) {
            return Ok(Nature::Unknown);
        }
        let (base, property) = (self.nature(base)?, self.nature(property)?);
        base.member(&property)
            .ok_or_else(|| Error::syntax(format!("{base} has no member for {property}"), span))
    }

    fn slice(&mut self, base: NodeId, bounds: [Option<NodeId>; 2], span: Span) -> Checked {
        let base = self.nature(base)?;
        match &base {
            unknown if unknown.is_unknown() => return Ok(Nature::Unknown),
            Nature::Text | Nature::Bytes | Nature::Array(_) | Nature::Texts => {}
            other => return Err(Error::syntax(format!("cannot slice {other}"), span)),
        }
        for bound in bounds.into_iter().flatten() {
            let nature = self.nature(bound)?;
            if !nature.is_unknown() && !nature.is_integer() {
                return Err(Error::syntax(
                    format!("a bound is an integer, not {nature}"),
                    self.tree.spans[bound.0],
                ));
            }
        }
        Ok(base)
    }

    fn wants_bool(&mut self, id: NodeId) -> Checked<()> {
        let nature = self.nature(id)?;
        if nature.is_unknown() || nature == Nature::Bool {
            Ok(())
        } else {
            Err(Error::syntax(
                format!("expected a bool, not {nature}"),
                self.tree.spans[id.0],
            ))
        }
    }

    fn run(&mut self, it: &Loop) -> Checked {
        let collection = self.nature(it.collection)?;
        if !collection.is_unknown() && !collection.is_array() {
            return Err(Error::syntax(
                format!("expected an array, not {collection}"),
                self.tree.spans[it.collection.0],
            ));
        }
        let element = collection.element();
        let predicate = match it.predicate {
            Some(predicate) => Some(self.predicate(it.kind, predicate, &collection)?),
            None => None,
        };
        if let Some(extra) = it.extra {
            let nature = self.nature(extra)?;
            if it.kind == LoopKind::SortBy && !nature.is_unknown() && nature != Nature::Text {
                return Err(Error::syntax(
                    format!("an order is a string, not {nature}"),
                    self.tree.spans[extra.0],
                ));
            }
        }
        Ok(match it.kind {
            LoopKind::All | LoopKind::Any | LoopKind::None | LoopKind::One => Nature::Bool,
            LoopKind::Count | LoopKind::FindIndex | LoopKind::FindLastIndex => Nature::Int,
            LoopKind::Filter => Nature::Array(Box::new(element)),
            LoopKind::Map => Nature::Array(Box::new(predicate.unwrap_or(Nature::Unknown))),
            LoopKind::Find | LoopKind::FindLast => element,
            LoopKind::Sum => predicate.unwrap_or(element),
            LoopKind::Reduce => predicate.unwrap_or(Nature::Unknown),
            LoopKind::GroupBy => Nature::Groups,
            LoopKind::SortBy => collection,
        })
    }

    fn predicate(&mut self, kind: LoopKind, predicate: NodeId, collection: &Nature) -> Checked {
        self.collections.push(collection.clone());
        let nature = self.nature(predicate);
        self.collections.pop();
        let nature = nature?;
        let wants_bool = match kind {
            LoopKind::GroupBy
            | LoopKind::Map
            | LoopKind::Reduce
            | LoopKind::SortBy
            | LoopKind::Sum => false,
            LoopKind::All
            | LoopKind::Any
            | LoopKind::Count
            | LoopKind::Filter
            | LoopKind::Find
            | LoopKind::FindIndex
            | LoopKind::FindLast
            | LoopKind::FindLastIndex
            | LoopKind::None
            | LoopKind::One => true,
        };
        let span = self.tree.spans[predicate.0];
        if nature == Nature::Nil {
            return Err(Error::syntax("a predicate gives a value", span));
        }
        if wants_bool && !nature.is_unknown() && nature != Nature::Bool {
            return Err(Error::syntax(
                format!("the predicate gives {nature}, not a bool"),
                span,
            ));
        }
        Ok(nature)
    }
}

fn mismatch(left: &Nature, right: &Nature, span: Span) -> Error {
    Error::syntax(
        format!("this operator does not take {left} and {right}"),
        span,
    )
}
