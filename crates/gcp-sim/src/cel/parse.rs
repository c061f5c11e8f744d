//! Reading an expression: words first, then a tree of them.

use regex::Regex;
use serde_json::{Value, json};

use super::{Test, Tree};

/// A longer expression is refused, as Google refuses it.
const LONGEST: usize = 4096;

/// Deeper brackets are refused.
const DEEPEST: usize = 32;

/// A tree of more levels is refused: it is evaluated, copied and dropped by one call for each.
const MOST_LEVELS: usize = 100;

pub(super) fn parse(text: &str) -> Result<Tree, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let mut parser = Parser {
        words: words(text)?,
        next: 0,
        depth: 0,
    };
    let part = parser.either()?;
    match parser.peek() {
        None => Ok(part.tree),
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

/// A tree, and how many levels it has.
struct Part {
    tree: Tree,
    levels: usize,
}

type Parsed = Result<Part, String>;

impl Part {
    fn leaf(tree: Tree) -> Self {
        Self { tree, levels: 1 }
    }

    /// Puts one more level above.
    fn under(self, above: impl FnOnce(Box<Tree>) -> Tree) -> Parsed {
        let levels = self.levels + 1;
        if levels > MOST_LEVELS {
            return Err(format!("it is more than {MOST_LEVELS} levels deep"));
        }
        let tree = above(Box::new(self.tree));
        Ok(Self { tree, levels })
    }

    /// Puts one more level above both.
    fn with(self, other: Self, above: impl FnOnce(Box<Tree>, Box<Tree>) -> Tree) -> Parsed {
        let deeper = Self {
            tree: self.tree,
            levels: self.levels.max(other.levels),
        };
        deeper.under(|tree| above(tree, Box::new(other.tree)))
    }
}

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
        let mut part = self.both()?;
        while self.take("||") {
            part = part.with(self.both()?, Tree::Either)?;
        }
        Ok(part)
    }

    fn both(&mut self) -> Parsed {
        let mut part = self.compared()?;
        while self.take("&&") {
            part = part.with(self.compared()?, Tree::Both)?;
        }
        Ok(part)
    }

    fn compared(&mut self) -> Parsed {
        let one = self.joined()?;
        if self.take("==") {
            return one.with(self.joined()?, Tree::Equal);
        }
        if self.take("!=") {
            return one.with(self.joined()?, Tree::Equal)?.under(Tree::Not);
        }
        if self.take("in") {
            return one.with(self.joined()?, Tree::In);
        }
        Ok(one)
    }

    fn joined(&mut self) -> Parsed {
        let mut part = self.negated()?;
        while self.take("+") {
            part = part.with(self.negated()?, Tree::Joined)?;
        }
        Ok(part)
    }

    fn negated(&mut self) -> Parsed {
        let mut negations = 0;
        while self.take("!") {
            negations += 1;
        }
        (0..negations).try_fold(self.member()?, |part, _| part.under(Tree::Not))
    }

    fn member(&mut self) -> Parsed {
        let mut part = self.primary()?;
        loop {
            if self.take("[") {
                let name = self.nested()?;
                self.expect("]")?;
                part = part.with(name, Tree::Field)?;
            } else if self.take(".") {
                let name = self.name()?;
                part = if self.take("(") {
                    let argument = self.nested()?;
                    self.expect(")")?;
                    call(part, &name, argument)?
                } else {
                    part.with(Part::leaf(Tree::Literal(json!(name))), Tree::Field)?
                };
            } else {
                return Ok(part);
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
            let part = self.nested()?;
            self.expect(")")?;
            return Ok(part);
        }
        if self.take("[") {
            return self.list();
        }
        match self.peek().cloned() {
            Some(Word::Literal(value)) => {
                self.next += 1;
                Ok(Part::leaf(Tree::Literal(value)))
            }
            Some(Word::Name(name)) => {
                self.next += 1;
                if name == "has" {
                    self.expect("(")?;
                    let field = self.nested()?;
                    self.expect(")")?;
                    return field.under(Tree::Has);
                }
                let roots = ["assertion", "google", "attribute"];
                let root = roots.into_iter().find(|root| *root == name);
                root.map(|root| Part::leaf(Tree::Root(root)))
                    .ok_or_else(|| format!("{name} is not known"))
            }
            Some(word) => Err(format!("unexpected {word}")),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn list(&mut self) -> Parsed {
        let mut items = Vec::new();
        let mut levels = 1;
        while !self.take("]") {
            let item = self.nested()?;
            levels = levels.max(item.levels);
            items.push(item.tree);
            if !self.take(",") {
                self.expect("]")?;
                break;
            }
        }
        let items = Part {
            tree: Tree::List(items),
            levels,
        };
        // The list itself is one more level than its deepest item.
        items.under(|list| *list)
    }

    /// Reads what stands in brackets.
    fn nested(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("brackets are more than {DEEPEST} deep"));
        }
        let part = self.either();
        self.depth -= 1;
        part
    }
}

fn call(of: Part, name: &str, argument: Part) -> Parsed {
    let test = match name {
        "startsWith" => Test::StartsWith,
        "endsWith" => Test::EndsWith,
        "contains" => Test::Contains,
        "matches" => {
            let Tree::Literal(Value::String(pattern)) = argument.tree else {
                return Err("matches() takes a string".to_owned());
            };
            let pattern = Regex::new(&pattern).map_err(|error| error.to_string())?;
            return of.under(|of| Tree::Matches(of, pattern));
        }
        _ => return Err(format!(".{name}() is not known")),
    };
    of.with(argument, |of, argument| Tree::Test(of, test, argument))
}
