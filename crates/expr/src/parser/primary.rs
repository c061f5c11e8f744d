//! Operands: literals, names, calls, closures, and what may follow them.

use std::sync::Arc;

use super::{LOWEST, Parser, unary};
use crate::ast::{Loop, LoopKind, Node, NodeId, Pointer};
use crate::builtins;
use crate::error::{Error, Span};
use crate::lexer::Kind;
use crate::value::Value;

impl<'a> Parser<'a> {
    pub(super) fn primary(&mut self) -> Result<NodeId, Error> {
        let token = self.token().clone();
        let span = token.span;
        match token.kind {
            Kind::Operator(sign) if let Some((operator, strength)) = unary(sign) => {
                self.at += 1;
                let operand = self.expression(strength)?;
                let node = self.add(Node::Unary(operator, operand), span)?;
                self.postfix(node)
            }
            Kind::Bracket('(') => {
                self.at += 1;
                let node = self.sequence()?;
                self.expect_bracket(')')?;
                self.postfix(node)
            }
            Kind::Operator("#" | ".") if !self.predicates.is_empty() => {
                let node = self.pointer(span)?;
                self.postfix(node)
            }
            Kind::Operator("::") => {
                self.at += 1;
                let (name, span) = self.name()?;
                let node = self.call(name, span, None)?;
                self.postfix(node)
            }
            _ => self.operand(span, token.kind),
        }
    }

    fn operand(&mut self, span: Span, kind: Kind<'a>) -> Result<NodeId, Error> {
        let node = match kind {
            // Numbers and the three constants take no member, index or slice.
            Kind::Number(text) => {
                self.at += 1;
                let value = number(text)
                    .ok_or_else(|| Error::syntax(format!("invalid number {text}"), span))?;
                return self.add(Node::Constant(value), span);
            }
            Kind::Name(name) => {
                self.at += 1;
                match name {
                    "true" | "false" => {
                        return self.add(Node::Constant(Value::Bool(name == "true")), span);
                    }
                    "nil" => return self.add(Node::Constant(Value::Nil), span),
                    _ if self.token().is_bracket('(') => self.call(name, span, None)?,
                    _ => {
                        let node = match self.variable(name) {
                            Some(variable) => Node::Variable(variable),
                            None if name == "$env" => Node::Environment,
                            None => Node::Name(Arc::from(name)),
                        };
                        self.add(node, span)?
                    }
                }
            }
            Kind::Text(text) => {
                self.at += 1;
                self.text(&text, span)?
            }
            Kind::Bytes(bytes) => {
                self.at += 1;
                self.add(Node::Constant(Value::Bytes(Arc::from(bytes))), span)?
            }
            Kind::Bracket('[') => self.array(span)?,
            Kind::Bracket('{') => self.map(span)?,
            Kind::Operator(_) | Kind::Bracket(_) | Kind::End => return Err(self.unexpected()),
        };
        self.postfix(node)
    }

    fn pointer(&mut self, span: Span) -> Result<NodeId, Error> {
        // A dot stands for the element too; it is read again as the start of a member.
        let mut pointer = Pointer::Item;
        if self.take_operator("#")
            && let Kind::Name(name) = self.token().kind
        {
            let innermost = self.predicates.last().copied();
            pointer = match (name, innermost) {
                ("index", Some(LoopKind::Map | LoopKind::Reduce)) => Pointer::Index,
                ("acc", Some(LoopKind::Reduce)) => Pointer::Accumulator,
                _ => return Err(Error::syntax(format!("there is no #{name} here"), span)),
            };
            self.at += 1;
        }
        self.add(Node::Pointer(pointer), span)
    }

    /// Reads the arguments of a call whose name was read; a pipe has read the first of them.
    pub(super) fn call(
        &mut self,
        name: &'a str,
        span: Span,
        piped: Option<NodeId>,
    ) -> Result<NodeId, Error> {
        if let Some(kind) = LoopKind::named(name) {
            return self.loop_call(kind, span, piped);
        }
        let arguments = self.arguments(piped)?;
        if let Some(builtin) = builtins::find(name) {
            if !builtin.takes(arguments.len()) {
                return Err(Error::syntax(
                    format!("wrong number of arguments for {name}"),
                    span,
                ));
            }
            return self.add(Node::Builtin(builtin, arguments), span);
        }
        let variable = self.variable(name);
        self.add(
            Node::Call {
                name: Arc::from(name),
                variable,
                arguments,
            },
            span,
        )
    }

    fn loop_call(
        &mut self,
        kind: LoopKind,
        span: Span,
        piped: Option<NodeId>,
    ) -> Result<NodeId, Error> {
        self.expect_bracket('(')?;
        let collection = match piped {
            Some(node) => node,
            None => self.expression(LOWEST)?,
        };
        let first = piped.is_some();
        let mut predicate = None;
        let mut extra = None;
        if !(kind.may_lack_predicate() && self.token().is_bracket(')')) {
            if !first {
                self.expect_operator(",")?;
            }
            predicate = Some(self.predicate(kind)?);
            if kind.takes_extra() && !self.token().is_bracket(')') {
                self.expect_operator(",")?;
                if !self.token().is_bracket(')') {
                    extra = Some(self.expression(LOWEST)?);
                }
            }
        }
        self.take_operator(",");
        self.expect_bracket(')')?;
        self.add(
            Node::Loop(Loop {
                kind,
                collection,
                predicate,
                extra,
            }),
            span,
        )
    }

    fn predicate(&mut self, kind: LoopKind) -> Result<NodeId, Error> {
        self.predicates.push(kind);
        let node = if self.token().is_bracket('{') {
            self.block()?
        } else {
            let node = self.expression(LOWEST)?;
            if self.token().is_operator(";") {
                return Err(Error::syntax(
                    "a predicate with ; needs brackets { and }",
                    self.token().span,
                ));
            }
            node
        };
        self.predicates.pop();
        Ok(node)
    }

    fn arguments(&mut self, piped: Option<NodeId>) -> Result<Vec<NodeId>, Error> {
        let mut arguments = Vec::from_iter(piped);
        self.expect_bracket('(')?;
        self.list(')', |parser| {
            arguments.push(parser.expression(LOWEST)?);
            Ok(())
        })?;
        Ok(arguments)
    }

    fn array(&mut self, span: Span) -> Result<NodeId, Error> {
        self.at += 1;
        let mut nodes = Vec::new();
        self.list(']', |parser| {
            nodes.push(parser.expression(LOWEST)?);
            Ok(())
        })?;
        self.add(Node::Array(nodes), span)
    }

    fn map(&mut self, span: Span) -> Result<NodeId, Error> {
        self.at += 1;
        let mut pairs = Vec::new();
        self.list('}', |parser| {
            let token = parser.token().clone();
            let key = match token.kind {
                Kind::Name(text) | Kind::Number(text) => {
                    parser.at += 1;
                    parser.text(text, token.span)?
                }
                Kind::Text(text) => {
                    parser.at += 1;
                    parser.text(&text, token.span)?
                }
                Kind::Bracket('(') => parser.expression(LOWEST)?,
                _ => return Err(parser.unexpected()),
            };
            parser.expect_operator(":")?;
            pairs.push((key, parser.expression(LOWEST)?));
            Ok(())
        })?;
        self.add(Node::Map(pairs), span)
    }

    /// Reads items separated by commas up to the bracket; a comma may follow the last.
    fn list(
        &mut self,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut first = true;
        while !self.take_bracket(close) {
            if !first {
                self.expect_operator(",")?;
                if self.take_bracket(close) {
                    break;
                }
            }
            first = false;
            item(self)?;
        }
        Ok(())
    }

    /// Reads the members, indexes, slices and method calls that follow.
    pub(super) fn postfix(&mut self, mut node: NodeId) -> Result<NodeId, Error> {
        loop {
            let span = self.token().span;
            let optional = self.take_operator("?.");
            if self.take_bracket('[') {
                node = self.index(node, optional, span)?;
            } else if optional || self.take_operator(".") {
                node = self.member(node, optional)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn member(&mut self, node: NodeId, optional: bool) -> Result<NodeId, Error> {
        let token = self.token().clone();
        let name = match token.kind {
            Kind::Name(name) => name,
            // A word that acts as an operator elsewhere is a name here.
            Kind::Operator(word) if word.starts_with(char::is_alphabetic) => word,
            _ => return Err(Error::syntax("expected a name", token.span)),
        };
        self.at += 1;
        let (base, chained) = match self.nodes[node.0] {
            Node::Chain(inside) => (inside, true),
            _ => (node, false),
        };
        let member = if self.token().is_bracket('(') {
            let arguments = self.arguments(None)?;
            self.add(
                Node::Method {
                    base,
                    name: Arc::from(name),
                    optional,
                    arguments,
                },
                token.span,
            )?
        } else {
            let property = self.text(name, token.span)?;
            self.add(
                Node::Member {
                    base,
                    property,
                    optional,
                },
                token.span,
            )?
        };
        if chained || optional {
            self.add(Node::Chain(member), token.span)
        } else {
            Ok(member)
        }
    }

    fn index(&mut self, base: NodeId, optional: bool, span: Span) -> Result<NodeId, Error> {
        let from = if self.token().is_operator(":") {
            None
        } else {
            Some(self.expression(LOWEST)?)
        };
        let node = if self.take_operator(":") {
            let to = if self.token().is_bracket(']') {
                None
            } else {
                Some(self.expression(LOWEST)?)
            };
            self.add(Node::Slice { base, from, to }, span)?
        } else {
            let property = from.ok_or_else(|| self.unexpected())?;
            let member = self.add(
                Node::Member {
                    base,
                    property,
                    optional,
                },
                span,
            )?;
            if optional {
                self.add(Node::Chain(member), span)?
            } else {
                member
            }
        };
        self.expect_bracket(']')?;
        Ok(node)
    }
}

/// Reads a number: decimal, hexadecimal, octal or binary integers, decimal floats; underscores anywhere.
fn number(text: &str) -> Option<Value> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let radix = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().map(Value::Int);
    if let Some(digits) = text.strip_prefix("0x") {
        radix(digits, 16)
    } else if text.contains(['.', 'e']) {
        text.parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .map(Value::Float)
    } else if let Some(digits) = text.strip_prefix("0b") {
        radix(digits, 2)
    } else if let Some(digits) = text.strip_prefix("0o") {
        radix(digits, 8)
    } else {
        text.parse().ok().map(Value::Int)
    }
}
