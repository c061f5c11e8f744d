//! How an entry is written: content deflated, to be computed to its digest again, and tags with a sum of their own.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sha2::{Digest as _, Sha256};

use super::super::manifest::{Config, Manifest, check_digest, parse_index, verify};
use super::{Ask, Key, Tag};

/// Bytes of the sum of a tag's entry.
const SUM: usize = 8;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Row {
    Tag(Tag),
    Content(Content),
}

/// The body that a digest names.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) form: Form,
    pub(super) body: Bytes,
}

/// What a body was found to be; it may not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Single,
    Index,
    Config,
}

impl Form {
    pub(super) fn of(manifest: &Manifest) -> Self {
        match manifest {
            Manifest::Single(_) => Self::Single,
            Manifest::Index(_) => Self::Index,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Single => b's',
            Self::Index => b'i',
            Self::Config => b'c',
        }
    }

    fn read(letter: u8) -> Option<Self> {
        [Self::Single, Self::Index, Self::Config]
            .into_iter()
            .find(|it| it.letter() == letter)
    }
}

impl Row {
    /// Estimates the memory it takes until it is written.
    pub(super) fn bytes(&self) -> usize {
        100 + match self {
            Self::Tag(_) => 200,
            Self::Content(content) => content.body.len(),
        }
    }

    pub(super) fn encode(&self, key: &Key) -> Vec<u8> {
        match self {
            Self::Tag(tag) => tag.encode(key),
            Self::Content(content) => content.encode(),
        }
    }
}

impl Content {
    fn encode(&self) -> Vec<u8> {
        let mut deflated = DeflateEncoder::new(vec![self.form.letter()], Compression::fast());
        deflated
            .write_all(&self.body)
            .and_then(|()| deflated.finish())
            .expect("memory takes all that is written")
    }

    /// Reads a row whose content has this digest and at most `bound` bytes.
    pub(super) fn decode(row: &[u8], digest: &str, bound: usize) -> Option<Self> {
        let (letter, deflated) = row.split_first()?;
        let form = Form::read(*letter)?;
        let mut body = Vec::new();
        let bound = u64::try_from(bound).ok()?;
        DeflateDecoder::new(deflated)
            .take(bound + 1)
            .read_to_end(&mut body)
            .ok()?;
        verify(&body, Some(digest)).ok()?;
        let body = body.into();
        Some(Self { form, body })
    }

    pub(super) fn manifest(&self) -> Option<Manifest> {
        match self.form {
            Form::Single => serde_json::from_slice(&self.body)
                .map(Manifest::Single)
                .ok(),
            Form::Index => parse_index(&self.body).map(Manifest::Index).ok(),
            Form::Config => None,
        }
    }

    pub(super) fn config(&self) -> Option<Config> {
        match self.form {
            Form::Config => serde_json::from_slice(&self.body).ok(),
            Form::Single | Form::Index => None,
        }
    }
}

impl Tag {
    /// Writes a sum, how to ask, and the digest with the `ETag` behind it.
    fn encode(&self, key: &Key) -> Vec<u8> {
        let (letter, etag) = match &self.ask {
            Ask::Head => (b'h', ""),
            Ask::Unless(etag) => (b'u', etag.as_str()),
            Ask::Get => (b'g', ""),
        };
        let mut said = vec![letter];
        said.extend_from_slice(self.digest.as_bytes());
        said.push(b' ');
        said.extend_from_slice(etag.as_bytes());
        let mut row = sum(key, &said).to_vec();
        row.extend_from_slice(&said);
        row
    }

    /// Reads a row whose sum is right.
    pub(super) fn decode(key: &Key, row: &[u8]) -> Option<Self> {
        let (sum_of_row, said) = row.split_at_checked(SUM)?;
        if sum_of_row != sum(key, said) {
            return None;
        }
        let said = std::str::from_utf8(said).ok()?;
        let (letter, said) = said.split_at_checked(1)?;
        let (digest, etag) = said.split_once(' ')?;
        check_digest(digest).ok()?;
        let ask = match letter {
            "h" => Ask::Head,
            "u" => Ask::Unless(etag.to_owned()),
            "g" => Ask::Get,
            _ => return None,
        };
        let digest = digest.to_owned();
        Some(Self { digest, ask })
    }
}

fn sum(key: &Key, said: &[u8]) -> [u8; SUM] {
    let hash = Sha256::new()
        .chain_update(key)
        .chain_update(said)
        .finalize();
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hash[..SUM]);
    sum
}
