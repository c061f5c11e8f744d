//! Cuts the text of an expression into tokens, each with its place.

use crate::error::{Error, Span};

/// A piece of the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind<'a>,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind<'a> {
    Name(&'a str),
    /// The digits as written; what they mean is for the parser.
    Number(&'a str),
    Text(String),
    Bytes(Vec<u8>),
    /// A sign, or a word that acts as one (`in`, `not`, `let`, `if`, …).
    Operator(&'a str),
    /// One of `()[]{}`.
    Bracket(char),
    End,
}

impl Token<'_> {
    pub(crate) fn is_operator(&self, sign: &str) -> bool {
        matches!(self.kind, Kind::Operator(it) if it == sign)
    }

    pub(crate) fn is_bracket(&self, bracket: char) -> bool {
        matches!(self.kind, Kind::Bracket(it) if it == bracket)
    }
}

/// Cuts `source` into tokens, the last of which is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Error> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

const WORD_OPERATORS: [&str; 11] = [
    "and",
    "contains",
    "else",
    "endsWith",
    "if",
    "in",
    "let",
    "matches",
    "not",
    "or",
    "startsWith",
];

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn token(&mut self) -> Result<Token<'a>, Error> {
        self.skip_blanks()?;
        let start = self.at;
        let kind = match self.peek() {
            None => Kind::End,
            Some('"' | '\'') => Kind::Text(self.text()?),
            Some('`') => Kind::Text(self.raw_text()?),
            Some('b' | 'B') if matches!(self.peek_second(), Some('"' | '\'')) => {
                self.at += 1;
                Kind::Bytes(self.bytes()?)
            }
            Some('0'..='9') => self.number()?,
            Some('.') if matches!(self.peek_second(), Some('0'..='9')) => self.number()?,
            Some(bracket @ ('(' | ')' | '[' | ']' | '{' | '}')) => {
                self.at += 1;
                Kind::Bracket(bracket)
            }
            Some('#') => {
                self.at += 1;
                self.take_if(|it| it == '#');
                Kind::Operator(&self.source[start..self.at])
            }
            Some(first) if is_word(first) => self.word(),
            Some(first) => self.sign(first)?,
        };
        Ok(Token {
            kind,
            span: Span::new(start, self.at),
        })
    }

    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            let rest = &self.source[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let length = comment
                    .find("*/")
                    .ok_or_else(|| self.error("unclosed comment"))?;
                self.at += length + 4;
            } else if self.take_if(char::is_whitespace).is_none() {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Kind<'a> {
        let start = self.at;
        // What follows `#` may begin with a digit, so this takes any run of letters and digits.
        while self.take_if(is_word).is_some() {}
        let word = &self.source[start..self.at];
        if WORD_OPERATORS.contains(&word) {
            Kind::Operator(word)
        } else {
            Kind::Name(word)
        }
    }

    fn sign(&mut self, first: char) -> Result<Kind<'a>, Error> {
        let start = self.at;
        self.at += first.len_utf8();
        match first {
            ',' | ';' | '%' | '+' | '-' | '^' | '/' => {}
            '?' => self.skip_if(|it| it == '.' || it == '?'),
            '&' | '!' | '=' | '*' | '<' | '>' => self.skip_if(|it| matches!(it, '&' | '=' | '*')),
            '|' | ':' | '.' => self.skip_if(|it| it == first),
            _ => {
                self.at = start;
                return Err(self.error(format!("unrecognized character {first:?}")));
            }
        }
        Ok(Kind::Operator(&self.source[start..self.at]))
    }

    fn number(&mut self) -> Result<Kind<'a>, Error> {
        let start = self.at;
        let mut digits: fn(char) -> bool = |it| matches!(it, '0'..='9' | '_');
        if self.take_if(|it| it == '0').is_some() {
            if self.take_if(|it| matches!(it, 'x' | 'X')).is_some() {
                digits = |it| it.is_ascii_hexdigit() || it == '_';
            } else if self.take_if(|it| matches!(it, 'o' | 'O')).is_some() {
                digits = |it| matches!(it, '0'..='7' | '_');
            } else if self.take_if(|it| matches!(it, 'b' | 'B')).is_some() {
                digits = |it| matches!(it, '0' | '1' | '_');
            }
        }
        self.take_run(digits);
        // `1..5` is a range, not a number with a fraction.
        if !self.source[self.at..].starts_with("..") {
            if self.take_if(|it| it == '.').is_some() {
                self.take_run(digits);
            }
            if self.take_if(|it| matches!(it, 'e' | 'E')).is_some() {
                self.take_if(|it| matches!(it, '+' | '-'));
                self.take_run(digits);
            }
            if self.peek().is_some_and(is_word) {
                return Err(self.error("bad number syntax"));
            }
        }
        Ok(Kind::Number(&self.source[start..self.at]))
    }

    fn raw_text(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.error("literal not terminated")),
                Some('`') if self.take_if(|it| it == '`').is_none() => return Ok(text),
                Some(it) => text.push(it),
            }
        }
    }

    fn text(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        self.quoted(|escape| match escape {
            Piece::Plain(it) => {
                text.push(it);
                true
            }
            Piece::Byte(it) => {
                text.push(char::from(it));
                true
            }
            Piece::Code(code) if code > 0x0010_FFFF => false,
            Piece::Code(code) => {
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                true
            }
        })?;
        Ok(text)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.quoted(|escape| match escape {
            Piece::Plain(it) => {
                bytes.extend_from_slice(it.encode_utf8(&mut [0; 4]).as_bytes());
                true
            }
            Piece::Byte(it) => {
                bytes.push(it);
                true
            }
            // Bytes know no code points.
            Piece::Code(_) => false,
        })?;
        Ok(bytes)
    }

    /// Reads a quoted literal, giving each piece to `take`, which says whether it is allowed.
    fn quoted(&mut self, mut take: impl FnMut(Piece) -> bool) -> Result<(), Error> {
        let quote = self.next();
        loop {
            let piece = match self.next() {
                None | Some('\n') => return Err(self.error("literal not terminated")),
                it if it == quote => return Ok(()),
                Some('\\') => self.escape(quote),
                // Line ends are normalised.
                Some('\r') => Some(Piece::Plain('\n')),
                Some(it) => Some(Piece::Plain(it)),
            };
            if !piece.is_some_and(&mut take) {
                return Err(self.error("invalid char escape"));
            }
        }
    }

    fn escape(&mut self, quote: Option<char>) -> Option<Piece> {
        let it = self.next()?;
        Some(match it {
            'a' => Piece::Plain('\x07'),
            'b' => Piece::Plain('\x08'),
            'f' => Piece::Plain('\x0C'),
            'n' => Piece::Plain('\n'),
            'r' => Piece::Plain('\r'),
            't' => Piece::Plain('\t'),
            'v' => Piece::Plain('\x0B'),
            '\\' => Piece::Plain('\\'),
            it if Some(it) == quote => Piece::Plain(it),
            '0'..='3' => {
                self.at -= 1;
                Piece::Byte(u8::try_from(self.digits(8, 3)?).ok()?)
            }
            'x' => Piece::Byte(u8::try_from(self.digits(16, 2)?).ok()?),
            'u' if self.take_if(|it| it == '{').is_some() => {
                let digits = self.source[self.at..]
                    .find('}')
                    .filter(|length| (1..=6).contains(length))?;
                let code = self.digits(16, digits)?;
                self.at += 1;
                Piece::Code(code)
            }
            'u' => Piece::Code(self.digits(16, 4)?),
            'U' => Piece::Code(self.digits(16, 8)?),
            _ => return None,
        })
    }

    fn digits(&mut self, radix: u32, count: usize) -> Option<u32> {
        let mut number: u32 = 0;
        for _ in 0..count {
            let digit = self.next()?.to_digit(radix)?;
            number = number.checked_mul(radix)?.checked_add(digit)?;
        }
        Some(number)
    }

    fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.source[self.at..].chars().nth(1)
    }

    fn next(&mut self) -> Option<char> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        let next = self.peek().filter(|it| wanted(*it))?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_if(&mut self, wanted: impl Fn(char) -> bool) {
        self.take_if(wanted);
    }

    fn take_run(&mut self, wanted: fn(char) -> bool) {
        while self.take_if(wanted).is_some() {}
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error::syntax(message, Span::new(self.at, self.at))
    }
}

/// A part of a quoted literal.
enum Piece {
    Plain(char),
    /// `\x41` or `\101`: a code point in a string, a byte in a bytes literal.
    Byte(u8),
    /// `\u0041`, `\u{41}` or `\U00000041`.
    Code(u32),
}

pub(crate) fn is_word(it: char) -> bool {
    it == '_' || it == '$' || it.is_alphabetic() || it.is_numeric() && !it.is_ascii_punctuation()
}
