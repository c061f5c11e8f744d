//! Selection by labels: `app=web,tier in (a,b),!old,weight>3`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{LONGEST, SelectorError};
use crate::label::{key_errors, value_errors};

/// Requirements that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Reads the query form of a selector.
    pub fn parse(selector: &str) -> Result<Self, SelectorError> {
        if selector.len() > LONGEST {
            return Err(SelectorError::TooLong);
        }
        let mut parser = Parser {
            tokens: tokens(selector),
            at: 0,
        };
        let mut requirements = parser.requirements()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements })
    }

    /// Says whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Says whether an object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        self.matches_labels(
            object
                .pointer("/metadata/labels")
                .and_then(Value::as_object),
        )
    }

    /// Says whether a set of labels is selected.
    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels
                .and_then(|labels| labels.get(&requirement.key))
                .and_then(Value::as_str);
            requirement.test.holds(value)
        })
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = |value: Option<&str>| value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Greater(bound) => number(value).is_some_and(|value| value > *bound),
            Self::Less(bound) => number(value).is_some_and(|value| value < *bound),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    Unknown(String),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Unknown(text) => text,
            Self::Symbol(text) => text,
            Self::End => "",
        }
    }
}

/// Longest first, so that `==` is not read as two of `=`.
const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(selector: &str) -> Vec<Token> {
    let special = |letter: char| matches!(letter, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let space = |letter: char| matches!(letter, ' ' | '\t' | '\r' | '\n');
    let mut tokens = Vec::new();
    let mut rest = selector.trim_start_matches(space);
    while !rest.is_empty() {
        let taken = if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        } else {
            let end = rest
                .find(|letter| special(letter) || space(letter))
                .unwrap_or(rest.len());
            let word = &rest[..end];
            tokens.push(if word.contains('\0') {
                Token::Unknown(word.to_owned())
            } else {
                Token::Word(word.to_owned())
            });
            end
        };
        rest = rest[taken..].trim_start_matches(space);
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Symbol("!") => {
                    requirements.push(self.requirement().map_err(SelectorError::Requirement)?);
                    match self.next() {
                        Token::End => return Ok(requirements),
                        Token::Symbol(",") => {
                            let next = self.peek();
                            if !matches!(next, Token::Word(_) | Token::Symbol("!")) {
                                return Err(SelectorError::Syntax(format!(
                                    "found '{}', expected: identifier after ','",
                                    next.text()
                                )));
                            }
                        }
                        other => {
                            return Err(SelectorError::Syntax(format!(
                                "found '{}', expected: ',' or 'end of string'",
                                other.text()
                            )));
                        }
                    }
                }
                Token::End => return Ok(requirements),
                other @ (Token::Symbol(_) | Token::Unknown(_)) => {
                    return Err(SelectorError::Syntax(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        other.text()
                    )));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = *self.peek() == Token::Symbol("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(word) => word,
            other => return Err(format!("found '{}', expected: identifier", other.text())),
        };
        check(&key, "<nil>", &key_errors(&key))?;
        if absent {
            return Ok(Requirement {
                key,
                test: Test::Absent,
            });
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(Requirement {
                key,
                test: Test::Exists,
            });
        }
        let operator = self.next();
        let test = match operator.text() {
            "in" => Test::In(self.values(&key)?),
            "notin" => Test::NotIn(self.values(&key)?),
            "=" | "==" => Test::In(BTreeSet::from([self.value(&key)?])),
            "!=" => Test::NotIn(BTreeSet::from([self.value(&key)?])),
            ">" => Test::Greater(self.number(&key)?),
            "<" => Test::Less(self.number(&key)?),
            other => {
                return Err(format!(
                    "found '{other}', expected: in, notin, =, ==, !=, gt, lt"
                ));
            }
        };
        Ok(Requirement { key, test })
    }

    fn value(&mut self, key: &str) -> Result<String, String> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(String::new());
        }
        match self.next() {
            Token::Word(word) => {
                check(&word, &format!("values[0][{key}]"), &value_errors(&word))?;
                Ok(word)
            }
            other => Err(format!("found '{}', expected: identifier", other.text())),
        }
    }

    fn number(&mut self, key: &str) -> Result<i64, String> {
        let text = self.value(key)?;
        text.parse().map_err(|_| format!("values[0]: Invalid value: {text:?}: for 'Gt', 'Lt' operators, the value must be an integer"))
    }

    /// Reads `(a,b)`; an empty place stands for the empty value.
    fn values(&mut self, key: &str) -> Result<BTreeSet<String>, String> {
        let open = self.next();
        if open != Token::Symbol("(") {
            return Err(format!("found '{}' expected: '('", open.text()));
        }
        let mut values = BTreeSet::new();
        let mut empty_place = true;
        loop {
            match self.next() {
                Token::Word(word) if empty_place => {
                    check(
                        &word,
                        &format!("values[{}][{key}]", values.len()),
                        &value_errors(&word),
                    )?;
                    values.insert(word);
                    empty_place = false;
                }
                Token::Symbol(",") => {
                    if empty_place {
                        values.insert(String::new());
                    }
                    empty_place = true;
                }
                Token::Symbol(")") => {
                    if empty_place {
                        values.insert(String::new());
                    }
                    return Ok(values);
                }
                other => return Err(format!("found '{}', expected: ',' or ')'", other.text())),
            }
        }
    }
}

fn check(value: &str, path: &str, errors: &[String]) -> Result<(), String> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{path}: Invalid value: {value:?}: {}",
            errors.join("; ")
        ))
    }
}
