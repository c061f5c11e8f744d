//! Steps through the tokens.

use super::Parser;
use crate::error::{Error, Span};
use crate::lexer::{Kind, Token};

impl<'a> Parser<'a> {
    pub(super) fn token(&self) -> &Token<'a> {
        let last = self.tokens.len() - 1;
        &self.tokens[self.at.min(last)]
    }

    pub(super) fn take_operator(&mut self, sign: &str) -> bool {
        let found = self.token().is_operator(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_bracket(&mut self, bracket: char) -> bool {
        let found = self.token().is_bracket(bracket);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_operator(&mut self, sign: &str) -> Result<(), Error> {
        if self.take_operator(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn expect_bracket(&mut self, bracket: char) -> Result<(), Error> {
        if self.take_bracket(bracket) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn name(&mut self) -> Result<(&'a str, Span), Error> {
        let token = self.token();
        let Kind::Name(name) = token.kind else {
            return Err(self.unexpected());
        };
        let span = token.span;
        self.at += 1;
        Ok((name, span))
    }

    pub(super) fn unexpected(&self) -> Error {
        let token = self.token();
        let what = match &token.kind {
            Kind::Name(it) | Kind::Number(it) | Kind::Operator(it) => format!("unexpected {it}"),
            Kind::Text(it) => format!("unexpected string {it:?}"),
            Kind::Bytes(_) => "unexpected bytes".to_owned(),
            Kind::Bracket(it) => format!("unexpected {it}"),
            Kind::End => "unexpected end of the expression".to_owned(),
        };
        Error::syntax(what, token.span)
    }
}
