//! The fields of a protobuf message, one after the other.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>

use super::ProtobufError;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload<'a> {
    /// A variable-length, 32-bit or 64-bit number.
    Number(u64),
    /// Text, bytes, or a message.
    Bytes(&'a [u8]),
}

/// Reads the fields of a message; ends at the first fault.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn field(&mut self) -> Result<(u64, Payload<'a>), ProtobufError> {
        let key = self.number()?;
        let number = key >> 3;
        let payload = match key & 7 {
            0 => Payload::Number(self.number()?),
            1 => Payload::Number(self.fixed(8)?),
            2 => {
                let length =
                    usize::try_from(self.number()?).map_err(|_| ProtobufError::Truncated)?;
                Payload::Bytes(self.take(length)?)
            }
            5 => Payload::Number(self.fixed(4)?),
            _ => return Err(ProtobufError::WireType { number }),
        };
        Ok((number, payload))
    }

    fn number(&mut self) -> Result<u64, ProtobufError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ProtobufError::Truncated)
    }

    fn fixed(&mut self, size: usize) -> Result<u64, ProtobufError> {
        Ok(self
            .take(size)?
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u64, Payload<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
