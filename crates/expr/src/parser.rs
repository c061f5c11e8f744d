//! Reads tokens into a tree: operators by precedence, everything else by descent, both bounded.

mod height;
mod primary;
mod tokens;

use std::sync::Arc;

use crate::ast::{Binary, LoopKind, Node, NodeId, Tree, Unary};
use crate::budget::{MAX_DEPTH, MAX_NODES};
use crate::builtins;
use crate::check;
use crate::error::{Error, Span};
use crate::fold;
use crate::lexer::{self, Kind, Token};
use crate::pattern;
use crate::value::Value;

/// Reads a whole expression.
pub(crate) fn parse(text: &str) -> Result<Tree, Error> {
    let mut parser = Parser {
        tokens: lexer::tokens(text)?,
        at: 0,
        nodes: Vec::new(),
        spans: Vec::new(),
        heights: Vec::new(),
        predicates: Vec::new(),
        scope: Vec::new(),
        variables: 0,
        depth: 0,
    };
    let root = parser.sequence()?;
    if parser.token().kind != Kind::End {
        return Err(parser.unexpected());
    }
    let mut tree = Tree {
        nodes: parser.nodes,
        spans: parser.spans,
        root,
        variables: parser.variables,
    };
    check::check(&tree)?;
    fold::fold(&mut tree)?;
    Ok(tree)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    nodes: Vec<Node>,
    spans: Vec<Span>,
    /// How deep evaluation recurses for each node.
    heights: Vec<u32>,
    /// The loops whose predicates the parser is in, the innermost last.
    predicates: Vec<LoopKind>,
    /// The variables of `let` in sight, the innermost last.
    scope: Vec<(&'a str, usize)>,
    variables: usize,
    depth: u32,
}

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Precedence(u32);

const LOWEST: Precedence = Precedence(0);

impl Precedence {
    fn above(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Parser<'_> {
    /// Reads expressions separated by `;`. Only the whole text may end with one.
    fn sequence(&mut self) -> Result<NodeId, Error> {
        let span = self.token().span;
        let mut nodes = vec![self.expression(LOWEST)?];
        while self.take_operator(";") {
            if self.token().kind == Kind::End {
                break;
            }
            nodes.push(self.expression(LOWEST)?);
        }
        if nodes.len() == 1 {
            Ok(nodes[0])
        } else {
            self.add(Node::Sequence(nodes), span)
        }
    }

    fn expression(&mut self, precedence: Precedence) -> Result<NodeId, Error> {
        self.descend()?;
        let node = if precedence == LOWEST && self.token().is_operator("let") {
            self.declaration()?
        } else if precedence == LOWEST && self.token().is_operator("if") {
            self.conditional()?
        } else {
            let first = self.primary()?;
            let node = self.operators(first, precedence)?;
            if precedence == LOWEST {
                self.ternary(node)?
            } else {
                node
            }
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Reads the operators that follow `left` and bind at least as tightly as asked.
    fn operators(&mut self, mut left: NodeId, precedence: Precedence) -> Result<NodeId, Error> {
        let mut after_coalesce = false;
        loop {
            let start = self.at;
            let negated = self.take_operator("not");
            let token = self.token().clone();
            let Kind::Operator(sign) = token.kind else {
                return if negated {
                    Err(self.unexpected())
                } else {
                    Ok(left)
                };
            };
            if negated
                && !matches!(
                    sign,
                    "in" | "matches" | "contains" | "startsWith" | "endsWith"
                )
            {
                return Err(self.unexpected());
            }
            if sign == "|" && precedence == LOWEST {
                self.at += 1;
                left = self.pipe(left)?;
                after_coalesce = false;
                continue;
            }
            let Some((operator, strength)) =
                binary(sign).filter(|(_, strength)| *strength >= precedence)
            else {
                self.at = start;
                return Ok(left);
            };
            if after_coalesce && operator != Binary::Coalesce {
                return Err(Error::syntax(
                    format!("{sign} and ?? cannot be mixed without parentheses"),
                    token.span,
                ));
            }
            self.at += 1;
            left = if is_comparison(operator) {
                self.comparison(left, operator, strength, token.span)?
            } else {
                let right = self.expression(if operator == Binary::Power {
                    strength
                } else {
                    strength.above()
                })?;
                self.binary(operator, left, right, token.span)?
            };
            if negated {
                left = self.add(Node::Unary(Unary::Not, left), token.span)?;
            }
            after_coalesce = operator == Binary::Coalesce;
        }
    }

    fn binary(
        &mut self,
        operator: Binary,
        left: NodeId,
        right: NodeId,
        span: Span,
    ) -> Result<NodeId, Error> {
        if operator == Binary::Matches
            && let Node::Constant(Value::String(text)) = &self.nodes[right.0]
        {
            let pattern = pattern::compile(text)
                .map_err(|message| Error::syntax(message, self.spans[right.0]))?;
            return self.add(Node::Matches(left, pattern), span);
        }
        self.add(Node::Binary(operator, left, right), span)
    }

    /// Reads `a < b <= c`, which means `a < b && b <= c`.
    fn comparison(
        &mut self,
        mut left: NodeId,
        mut operator: Binary,
        strength: Precedence,
        mut span: Span,
    ) -> Result<NodeId, Error> {
        let mut all: Option<NodeId> = None;
        loop {
            let right = self.expression(strength.above())?;
            let one = self.add(Node::Binary(operator, left, right), span)?;
            let both = match all {
                None => one,
                Some(before) => self.add(Node::Binary(Binary::And, before, one), span)?,
            };
            all = Some(both);
            let token = self.token();
            match token.kind {
                Kind::Operator(sign)
                    if let Some((next, _)) = binary(sign).filter(|it| is_comparison(it.0)) =>
                {
                    (left, operator, span) = (right, next, token.span);
                    self.at += 1;
                }
                _ => return Ok(both),
            }
        }
    }

    fn pipe(&mut self, left: NodeId) -> Result<NodeId, Error> {
        let (name, span) = self.name()?;
        self.call(name, span, Some(left))
    }

    fn declaration(&mut self) -> Result<NodeId, Error> {
        self.at += 1;
        let (name, span) = self.name()?;
        if builtins::is_builtin(name) || self.variable(name).is_some() {
            return Err(Error::syntax(format!("cannot declare {name} again"), span));
        }
        self.expect_operator("=")?;
        let value = self.expression(LOWEST)?;
        self.expect_operator(";")?;
        let variable = self.variables;
        self.variables += 1;
        self.scope.push((name, variable));
        let body = self.sequence()?;
        self.scope.pop();
        self.add(
            Node::Let {
                variable,
                value,
                body,
            },
            span,
        )
    }

    fn conditional(&mut self) -> Result<NodeId, Error> {
        self.descend()?;
        let span = self.token().span;
        self.at += 1;
        let condition = self.expression(LOWEST)?;
        let then = self.block()?;
        self.expect_operator("else")?;
        let otherwise = if self.token().is_operator("if") {
            self.conditional()?
        } else {
            self.block()?
        };
        self.depth -= 1;
        self.add(
            Node::Conditional {
                condition,
                then,
                otherwise,
            },
            span,
        )
    }

    fn block(&mut self) -> Result<NodeId, Error> {
        self.expect_bracket('{')?;
        let node = self.sequence()?;
        self.expect_bracket('}')?;
        Ok(node)
    }

    fn ternary(&mut self, mut node: NodeId) -> Result<NodeId, Error> {
        while self.token().is_operator("?") {
            let span = self.token().span;
            self.at += 1;
            let then = if self.token().is_operator(":") {
                node
            } else {
                self.expression(LOWEST)?
            };
            self.expect_operator(":")?;
            let otherwise = self.expression(LOWEST)?;
            node = self.add(
                Node::Conditional {
                    condition: node,
                    then,
                    otherwise,
                },
                span,
            )?;
        }
        Ok(node)
    }

    fn variable(&self, name: &str) -> Option<usize> {
        self.scope
            .iter()
            .rev()
            .find(|(it, _)| *it == name)
            .map(|(_, variable)| *variable)
    }

    fn add(&mut self, node: Node, span: Span) -> Result<NodeId, Error> {
        let height = height::height_of(&node, &self.nodes, &self.heights);
        if self.nodes.len() >= MAX_NODES {
            return Err(Error::syntax("the expression has too many parts", span));
        }
        if height > 2 * MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.nodes.push(node);
        self.spans.push(span);
        self.heights.push(height);
        Ok(NodeId(self.nodes.len() - 1))
    }

    fn text(&mut self, text: &str, span: Span) -> Result<NodeId, Error> {
        self.add(Node::Constant(Value::String(Arc::from(text))), span)
    }

    fn descend(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(too_deep(self.token().span))
        } else {
            Ok(())
        }
    }
}

fn too_deep(span: Span) -> Error {
    Error::syntax("the expression nests too deeply", span)
}

fn is_comparison(operator: Binary) -> bool {
    matches!(
        operator,
        Binary::Less | Binary::Greater | Binary::LessOrEqual | Binary::GreaterOrEqual
    )
}

/// The operators between two operands. `**` alone groups to the right.
fn binary(sign: &str) -> Option<(Binary, Precedence)> {
    let (operator, strength) = match sign {
        "or" | "||" => (Binary::Or, 10),
        "and" | "&&" => (Binary::And, 15),
        "==" => (Binary::Equal, 20),
        "!=" => (Binary::NotEqual, 20),
        "<" => (Binary::Less, 20),
        ">" => (Binary::Greater, 20),
        "<=" => (Binary::LessOrEqual, 20),
        ">=" => (Binary::GreaterOrEqual, 20),
        "in" => (Binary::In, 20),
        "matches" => (Binary::Matches, 20),
        "contains" => (Binary::Contains, 20),
        "startsWith" => (Binary::StartsWith, 20),
        "endsWith" => (Binary::EndsWith, 20),
        ".." => (Binary::Range, 25),
        "+" => (Binary::Add, 30),
        "-" => (Binary::Subtract, 30),
        "*" => (Binary::Multiply, 60),
        "/" => (Binary::Divide, 60),
        "%" => (Binary::Modulo, 60),
        "**" | "^" => (Binary::Power, 100),
        "??" => (Binary::Coalesce, 500),
        _ => return None,
    };
    Some((operator, Precedence(strength)))
}

/// The operators before one operand.
fn unary(sign: &str) -> Option<(Unary, Precedence)> {
    match sign {
        "not" | "!" => Some((Unary::Not, Precedence(50))),
        "-" => Some((Unary::Negate, Precedence(90))),
        "+" => Some((Unary::Plus, Precedence(90))),
        _ => None,
    }
}
