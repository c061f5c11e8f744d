//! Reading an expression: words first, then a tree of them.

use regex::Regex;
use serde_json::{Value, json};

use super::{Test, Tree};

/// A longer expression is refused, as Google refuses it.
const LONGEST: usize = 4096;

/// Deeper brackets are refused.
const DEEPEST: usize = 32;

pub(super) fn parse(text: &str) -> Result<Tree, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let mut parser = Parser {
        words: words(text)?,
        next: 0,
        depth: 0,
    };
    let tree = parser.either()?;
    match parser.peek() {
        None => Ok(tree),
        Some(word) => Err(format!("unexpected {word}")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Name(String),
    Literal(Value),
    Sign(&'static str),
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Literal(value) => write!(f, "{value}"),
            Self::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

/// Longer signs come first.
const SIGNS: [&str; 14] = [
    "&&", "||", "==", "!=", "!", "(", ")", "[", "]", ".", ",", "+", "?", ":",
];

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            words.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        } else if matches!(first, '"' | '\'') {
            let (literal, after) = quoted(rest, first)?;
            words.push(Word::Literal(json!(literal)));
            rest = after;
        } else if is_name(first) {
            let end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
            words.push(name_or_number(&rest[..end])?);
            rest = &rest[end..];
        } else {
            return Err(format!("unexpected {first}"));
        }
        rest = rest.trim_start();
    }
    Ok(words)
}

fn name_or_number(text: &str) -> Result<Word, String> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let number: u64 = text.parse().map_err(|_| format!("unexpected {text}"))?;
        return Ok(Word::Literal(json!(number)));
    }
    Ok(match text {
        "true" => Word::Literal(json!(true)),
        "false" => Word::Literal(json!(false)),
        _ => Word::Name(text.to_owned()),
    })
}

/// Reads a string; gives what follows it too.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut literal = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, escaped @ ('\\' | '\'' | '"' | '`' | '?'))) => literal.push(escaped),
                Some((_, 'n')) => literal.push('\n'),
                Some((_, 't')) => literal.push('\t'),
                other => {
                    let shown = other.map_or(String::new(), |(_, it)| it.to_string());
                    return Err(format!("unknown escape \\{shown}"));
                }
            },
            _ if letter == quote => return Ok((literal, &text[index + quote.len_utf8()..])),
            _ => literal.push(letter),
        }
    }
    Err("a string does not end".to_owned())
}

struct Parser {
    words: Vec<Word>,
    next: usize,
    depth: usize,
}

type Parsed = Result<Tree, String>;

impl Parser {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.peek().is_some_and(|word| match word {
            Word::Sign(own) => *own == sign,
            Word::Name(own) => own == sign,
            Word::Literal(_) => false,
        });
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(word) => format!("expected {sign}, found {word}"),
            None => format!("expected {sign} at the end"),
        })
    }

    fn either(&mut self) -> Parsed {
        let mut tree = self.both()?;
        while self.take("||") {
            tree = Tree::Either(Box::new(tree), Box::new(self.both()?));
        }
        Ok(tree)
    }

    fn both(&mut self) -> Parsed {
        let mut tree = self.compared()?;
        while self.take("&&") {
            tree = Tree::Both(Box::new(tree), Box::new(self.compared()?));
        }
        Ok(tree)
    }

    fn compared(&mut self) -> Parsed {
        let one = self.joined()?;
        if self.take("==") {
            return Ok(Tree::Equal(Box::new(one), Box::new(self.joined()?)));
        }
        if self.take("!=") {
            let equal = Tree::Equal(Box::new(one), Box::new(self.joined()?));
            return Ok(Tree::Not(Box::new(equal)));
        }
        if self.take("in") {
            return Ok(Tree::In(Box::new(one), Box::new(self.joined()?)));
        }
        Ok(one)
    }

    fn joined(&mut self) -> Parsed {
        let mut tree = self.negated()?;
        while self.take("+") {
            tree = Tree::Joined(Box::new(tree), Box::new(self.negated()?));
        }
        Ok(tree)
    }

    fn negated(&mut self) -> Parsed {
        let mut negations = 0;
        while self.take("!") {
            negations += 1;
        }
        let tree = self.member()?;
        Ok((0..negations).fold(tree, |tree, _| Tree::Not(Box::new(tree))))
    }

    fn member(&mut self) -> Parsed {
        let mut tree = self.primary()?;
        loop {
            if self.take("[") {
                let name = self.nested()?;
                self.expect("]")?;
                tree = Tree::Field(Box::new(tree), Box::new(name));
            } else if self.take(".") {
                let name = self.name()?;
                tree = if self.take("(") {
                    let argument = self.nested()?;
                    self.expect(")")?;
                    call(tree, &name, argument)?
                } else {
                    Tree::Field(Box::new(tree), Box::new(Tree::Literal(json!(name))))
                };
            } else {
                return Ok(tree);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.peek().cloned() {
            Some(Word::Name(name)) => {
                self.next += 1;
                Ok(name)
            }
            Some(word) => Err(format!("expected a name, found {word}")),
            None => Err("expected a name at the end".to_owned()),
        }
    }

    fn primary(&mut self) -> Parsed {
        if self.take("(") {
            let tree = self.nested()?;
            self.expect(")")?;
            return Ok(tree);
        }
        if self.take("[") {
            return self.list();
        }
        match self.peek().cloned() {
            Some(Word::Literal(value)) => {
                self.next += 1;
                Ok(Tree::Literal(value))
            }
            Some(Word::Name(name)) => {
                self.next += 1;
                if name == "has" {
                    self.expect("(")?;
                    let field = self.nested()?;
                    self.expect(")")?;
                    return Ok(Tree::Has(Box::new(field)));
                }
                let roots = ["assertion", "google", "attribute"];
                let root = roots.into_iter().find(|root| *root == name);
                root.map(Tree::Root)
                    .ok_or_else(|| format!("{name} is not known"))
            }
            Some(word) => Err(format!("unexpected {word}")),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn list(&mut self) -> Parsed {
        let mut items = Vec::new();
        while !self.take("]") {
            items.push(self.nested()?);
            if !self.take(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Tree::List(items))
    }

    /// Reads what stands in brackets.
    fn nested(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("brackets are more than {DEEPEST} deep"));
        }
        let tree = self.either();
        self.depth -= 1;
        tree
    }
}

fn call(of: Tree, name: &str, argument: Tree) -> Parsed {
    let test = match name {
        "startsWith" => Test::StartsWith,
        "endsWith" => Test::EndsWith,
        "contains" => Test::Contains,
        "matches" => {
            let Tree::Literal(Value::String(pattern)) = argument else {
                return Err("matches() takes a string".to_owned());
            };
            let pattern = Regex::new(&pattern).map_err(|error| error.to_string())?;
            return Ok(Tree::Matches(Box::new(of), pattern));
        }
        _ => return Err(format!(".{name}() is not known")),
    };
    Ok(Tree::Test(Box::new(of), test, Box::new(argument)))
}
