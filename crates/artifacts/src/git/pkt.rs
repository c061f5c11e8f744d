//! Git's framing: lines that begin with their own length in four hexadecimal digits.
//!
//! Source: <https://git-scm.com/docs/protocol-common#_pkt_line_format>

/// A piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pkt<'a> {
    Line(&'a [u8]),
    /// Ends a message.
    Flush,
    /// Ends a section of a message.
    Delimiter,
    /// Ends an answer.
    End,
}

/// Says that bytes are not framed as Git frames them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads one piece after the other; ends after the first error.
pub(crate) fn read(bytes: &[u8]) -> impl Iterator<Item = Result<Pkt<'_>, Malformed>> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest.take().filter(|it| !it.is_empty())?;
        match split(bytes) {
            Some((pkt, after)) => {
                rest = Some(after);
                Some(Ok(pkt))
            }
            None => Some(Err(Malformed)),
        }
    })
}

/// Most bytes of a line, its length included.
const LINE_BOUND: usize = 65_520;

fn split(bytes: &[u8]) -> Option<(Pkt<'_>, &[u8])> {
    let (head, after) = bytes.split_at_checked(4)?;
    if !head.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let length = usize::from_str_radix(std::str::from_utf8(head).ok()?, 16).ok()?;
    let pkt = match length {
        0 => Pkt::Flush,
        1 => Pkt::Delimiter,
        2 => Pkt::End,
        3 => return None,
        length if length > LINE_BOUND => return None,
        _ => {
            let (line, after) = after.split_at_checked(length - 4)?;
            return Some((Pkt::Line(line.strip_suffix(b"\n").unwrap_or(line)), after));
        }
    };
    Some((pkt, after))
}

/// Writes a line.
pub(crate) fn write_line(line: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
}

pub(crate) const FLUSH: &[u8] = b"0000";
pub(crate) const DELIMITER: &[u8] = b"0001";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        write_line("command=ls-refs", &mut bytes);
        bytes.extend_from_slice(DELIMITER);
        write_line("peel", &mut bytes);
        bytes.extend_from_slice(FLUSH);
        let expected = [
            Ok(Pkt::Line(b"command=ls-refs")),
            Ok(Pkt::Delimiter),
            Ok(Pkt::Line(b"peel")),
            Ok(Pkt::Flush),
        ];
        assert_eq!(read(&bytes).collect::<Vec<_>>(), expected);
        assert_eq!(bytes, b"0014command=ls-refs\n00010009peel\n0000");
    }

    #[test]
    fn broken_framing_is_an_error_and_the_end() {
        for bytes in [
            &b"0"[..],
            b"0003",
            b"00zz",
            b"+004",
            b"0009pee",
            b"ffff",
            b"<html>",
            &[b"fff1".as_slice(), &[b'x'; 65_521]].concat(),
        ] {
            assert_eq!(
                read(bytes).collect::<Vec<_>>(),
                [Err(Malformed)],
                "{bytes:?}"
            );
        }
        assert_eq!(
            read(b"0000000").collect::<Vec<_>>(),
            [Ok(Pkt::Flush), Err(Malformed)]
        );
    }
}
