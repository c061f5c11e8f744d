//! The characters of a text that arrives piece by piece, as the YAML parser takes them.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use granit_parser::{ErrorKind, InputIoError};

/// Bytes that are read at a time.
const PIECE: usize = 32 << 10;

/// Reads UTF-8, and counts what was read since somebody last set the count to zero.
pub(super) struct Characters<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the next character begins.
    start: usize,
    /// Where the bytes end that are known to be whole characters.
    checked: usize,
    gap: Rc<Cell<usize>>,
    /// Most characters between two resets of the count.
    bound: usize,
}

impl<R: io::Read> Characters<R> {
    pub(super) fn new(source: R, bound: usize, gap: Rc<Cell<usize>>) -> Self {
        Self {
            source,
            buffer: Vec::with_capacity(PIECE + 4),
            start: 0,
            checked: 0,
            gap,
            bound,
        }
    }

    /// Reads the next piece; says whether there is one.
    fn fill(&mut self) -> Result<bool, ErrorKind> {
        loop {
            // What is left is the beginning of a character at most.
            self.buffer.drain(..self.checked);
            (self.start, self.checked) = (0, 0);
            let left = self.buffer.len();
            self.buffer.resize(left + PIECE, 0);
            let read = read_some(&mut self.source, &mut self.buffer[left..]);
            self.buffer
                .truncate(left + read.as_ref().copied().unwrap_or_default());
            match read {
                Err(error) => {
                    let error = InputIoError::from_message(error.to_string());
                    return Err(ErrorKind::InputIo { error });
                }
                Ok(0) if left == 0 => return Ok(false),
                Ok(0) => return Err(not_text()),
                Ok(_) => {}
            }
            self.checked = match std::str::from_utf8(&self.buffer) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(_) => return Err(not_text()),
            };
            if self.checked > 0 {
                return Ok(true);
            }
        }
    }

    /// Takes the next character of those that were checked.
    fn take(&mut self) -> Option<char> {
        let rest = &self.buffer[self.start..self.checked];
        let first = *rest.first()?;
        let width = match first {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        self.start += width;
        if width == 1 {
            return Some(char::from(first));
        }
        let text = std::str::from_utf8(&rest[..width]);
        text.expect("these bytes were checked").chars().next()
    }
}

impl<R: io::Read> Iterator for Characters<R> {
    type Item = Result<char, ErrorKind>;

    fn next(&mut self) -> Option<Self::Item> {
        let gap = self.gap.get() + 1;
        if gap > self.bound {
            let limit = self.bound;
            return Some(Err(ErrorKind::InputByteLimitExceeded { limit }));
        }
        self.gap.set(gap);
        if self.start == self.checked {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        self.take().map(Ok)
    }
}

fn read_some(source: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn not_text() -> ErrorKind {
    let message = "it is not UTF-8".to_owned();
    ErrorKind::InputDecoding { message }
}
