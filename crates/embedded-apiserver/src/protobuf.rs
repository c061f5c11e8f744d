//! Objects of builtin kinds as Kubernetes' own clients may send them: `application/vnd.kubernetes.protobuf`.
//!
//! `kubectl create namespace` and its siblings send nothing else and do not fall back to JSON. Only requests are read in
//! this form; answers are JSON, which those clients accept.
//!
//! ```text
//! "k8s\0" + Unknown{ typeMeta{apiVersion, kind}, raw } → raw by the kind's message in `messages.rs` → JSON
//! ```
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

mod messages;
mod wire;

use base64::Engine as _;
use serde_json::{Map, Value};

use messages::{Field, Message, Type};
use wire::{Payload, Reader};

/// What every body in this form begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The deepest nesting of messages.
const DEPTH_BOUND: usize = 16;

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProtobufError {
    #[error("the body does not begin with the Kubernetes protobuf prefix")]
    Prefix,
    #[error("the body ends in the middle of a field")]
    Truncated,
    #[error("field {number} has an unknown wire type")]
    WireType { number: u64 },
    #[error("messages are nested deeper than {DEPTH_BOUND}")]
    Depth,
    #[error("field {name:?} holds no UTF-8")]
    Text { name: &'static str },
    #[error("{kind} of {api_version} is not read in this form; send JSON")]
    Kind { api_version: String, kind: String },
}

/// Reads a body of a builtin kind as the JSON that says the same.
pub(crate) fn decode(body: &[u8]) -> Result<Value, ProtobufError> {
    let body = body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Reader::new(body) {
        match field? {
            (1, Payload::Bytes(types)) => {
                for field in Reader::new(types) {
                    match field? {
                        (1, Payload::Bytes(text)) => {
                            api_version = String::from_utf8_lossy(text).into_owned();
                        }
                        (2, Payload::Bytes(text)) => {
                            kind = String::from_utf8_lossy(text).into_owned();
                        }
                        _ => {}
                    }
                }
            }
            (2, Payload::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let Some(message) = messages::of_kind(&api_version, &kind) else {
        return Err(ProtobufError::Kind { api_version, kind });
    };
    let mut object = read(message, raw, 0)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

fn read(message: Message, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, ProtobufError> {
    if depth > DEPTH_BOUND {
        return Err(ProtobufError::Depth);
    }
    let mut object = Map::new();
    for field in Reader::new(bytes) {
        let (number, payload) = field?;
        if let Some(field) = message.iter().find(|field| field.number == number) {
            put(field, &payload, &mut object, depth)?;
        }
    }
    Ok(object)
}

/// Adds one field; empty values that Go's JSON would omit are left out.
fn put(
    field: &Field,
    payload: &Payload<'_>,
    object: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), ProtobufError> {
    let name = field.name;
    match (&field.kind, payload) {
        (Type::Text, Payload::Bytes(bytes)) => {
            let text = text(name, bytes)?;
            if !text.is_empty() {
                object.insert(name.to_owned(), text.into());
            }
        }
        (Type::Texts, Payload::Bytes(bytes)) => list(object, name).push(text(name, bytes)?.into()),
        (Type::Integer, Payload::Number(0)) => {}
        (Type::Integer | Type::PresentInteger, Payload::Number(number)) => {
            object.insert(name.to_owned(), number.cast_signed().into());
        }
        (Type::Truth, Payload::Number(number)) => {
            object.insert(name.to_owned(), (*number != 0).into());
        }
        (Type::One(message), Payload::Bytes(bytes)) => {
            let inner = read(message(), bytes, depth + 1)?;
            if !inner.is_empty() || name == "metadata" {
                object.insert(name.to_owned(), Value::Object(inner));
            }
        }
        (Type::Many(message), Payload::Bytes(bytes)) => {
            let inner = read(message(), bytes, depth + 1)?;
            list(object, name).push(Value::Object(inner));
        }
        (Type::TextMap | Type::BytesMap, Payload::Bytes(bytes)) => {
            let (key, value) = entry(name, bytes, matches!(field.kind, Type::BytesMap))?;
            if let Value::Object(map) = object
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()))
            {
                map.insert(key, value);
            }
        }
        (Type::Time | Type::MicroTime, Payload::Bytes(bytes)) => {
            if let Some(time) = time(bytes, matches!(field.kind, Type::MicroTime))? {
                object.insert(name.to_owned(), time.into());
            }
        }
        (Type::RawJson, Payload::Bytes(bytes)) => {
            for field in Reader::new(bytes) {
                if let (1, Payload::Bytes(json)) = field? {
                    object.insert(
                        name.to_owned(),
                        serde_json::from_slice(json).unwrap_or_default(),
                    );
                }
            }
        }
        // A wire type that does not fit the field is skipped, as protobuf readers do.
        _ => {}
    }
    Ok(())
}

fn list<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let value = object
        .entry(name)
        .or_insert_with(|| Value::Array(Vec::new()));
    match value {
        Value::Array(list) => list,
        _ => unreachable!("a repeated field is always a list"),
    }
}

fn text(name: &'static str, bytes: &[u8]) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Text { name })
}

/// One entry of a map: key 1, value 2. Bytes are base64 in JSON.
fn entry(
    name: &'static str,
    bytes: &[u8],
    as_base64: bool,
) -> Result<(String, Value), ProtobufError> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in Reader::new(bytes) {
        match field? {
            (1, Payload::Bytes(bytes)) => key = text(name, bytes)?,
            (2, Payload::Bytes(bytes)) if as_base64 => {
                value = base64::engine::general_purpose::STANDARD.encode(bytes);
            }
            (2, Payload::Bytes(bytes)) => value = text(name, bytes)?,
            _ => {}
        }
    }
    Ok((key, value.into()))
}

/// Seconds 1 and nanoseconds 2; an empty message is no time.
fn time(bytes: &[u8], with_microseconds: bool) -> Result<Option<String>, ProtobufError> {
    let (mut seconds, mut nanoseconds) = (0_i64, 0_i32);
    for field in Reader::new(bytes) {
        match field? {
            (1, Payload::Number(number)) => seconds = number.cast_signed(),
            (2, Payload::Number(number)) => nanoseconds = i32::try_from(number).unwrap_or(0),
            _ => {}
        }
    }
    // Go's zero time, year 1, is no time either.
    if seconds <= -62_135_596_800 || (seconds, nanoseconds) == (0, 0) {
        return Ok(None);
    }
    let format = if with_microseconds {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%SZ"
    };
    Ok(jiff::Timestamp::new(seconds, nanoseconds)
        .ok()
        .map(|time| time.strftime(format).to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// One length-delimited field.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[(number << 3) | 2, length], content].concat()
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC, &field(1, &types), &field(2, raw)].concat()
    }

    #[test]
    fn a_config_map_is_read_as_its_json() {
        let metadata = [field(1, b"settings"), field(2, b""), field(8, &[])].concat();
        let entry = [field(1, b"level"), field(2, b"info")].concat();
        let raw = [field(1, &metadata), field(2, &entry)].concat();
        assert_eq!(
            decode(&body("v1", "ConfigMap", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"level": "info"}})
        );
    }

    #[test]
    fn bytes_of_a_secret_are_base64() {
        let entry = [field(1, b"key"), field(2, &[0xff, 0x00])].concat();
        let secret = decode(&body("v1", "Secret", &field(2, &entry))).unwrap();
        assert_eq!(secret["data"]["key"], "/wA=");
    }

    #[test]
    fn a_kind_without_a_table_asks_for_json() {
        let error = decode(&body("apps/v1", "Deployment", b"")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Deployment of apps/v1 is not read in this form; send JSON"
        );
    }

    #[test]
    fn a_body_that_ends_early_is_refused() {
        let whole = body("v1", "ConfigMap", &field(1, &field(1, b"settings")));
        assert_eq!(
            decode(&whole[..whole.len() - 1]),
            Err(ProtobufError::Truncated)
        );
        assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(raw in prop::collection::vec(any::<u8>(), 0..120)) {
            decode(&body("v1", "Event", &raw)).ok();
            decode(&[MAGIC, &raw].concat()).ok();
        }
    }
}
