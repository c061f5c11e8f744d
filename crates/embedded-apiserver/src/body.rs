//! Reading a request's body: bounded in size and in depth, JSON or YAML.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::protobuf;

/// The most that is read of a body, as upstream has it.
pub(crate) const LIMIT: usize = 3 << 20;

/// The most that is taken in of a body that is too large, until its sender is cut off.
const DRAINED: usize = 64 << 20;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The deepest nesting of a YAML body; for JSON the parser has a bound of 128.
const DEPTH: usize = 128;

/// Reads a body, up to the bound.
pub(crate) async fn read(body: Body) -> Result<Bytes, Failure> {
    let collected = timeout(PATIENCE, collect(body)).await;
    collected.unwrap_or_else(|_| Err(Failure::timed_out("the body did not arrive in time")))
}

/// What is beyond the bound is thrown away: whoever is still sending would not read the refusal.
async fn collect(mut body: Body) -> Result<Bytes, Failure> {
    let mut kept = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Failure::bad_request(format!("the body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= LIMIT {
            kept.extend_from_slice(&data);
        } else if seen > DRAINED {
            break;
        }
    }
    if seen > LIMIT {
        return Err(Failure::too_large(LIMIT));
    }
    Ok(kept.freeze())
}

/// The media type of a body, without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let text = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Reads an object sent as JSON or YAML, by its media type.
pub(crate) fn parse(media_type: &str, bytes: &[u8]) -> Result<Value, Failure> {
    match media_type {
        "" | "application/json" | "*/*" => parse_json(bytes),
        "application/yaml" => parse_yaml(bytes),
        "application/vnd.kubernetes.protobuf" => {
            protobuf::decode(bytes).map_err(|error| Failure::bad_request(error.to_string()))
        }
        _ => Err(Failure::unsupported_media_type(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

pub(crate) fn parse_json(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::bad_request(format!("couldn't parse the body as JSON: {error}")))
}

pub(crate) fn parse_yaml(bytes: &[u8]) -> Result<Value, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::bad_request(format!("couldn't parse the body as YAML: {why}"))
    };
    let text = std::str::from_utf8(bytes).map_err(|error| refused(&error))?;
    // Most clients send JSON under a YAML name.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| refused(&error))?;
    if depth(&value) > DEPTH {
        return Err(refused(&"it is nested too deeply"));
    }
    Ok(value)
}

fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut todo = vec![(value, 1)];
    while let Some((value, depth)) = todo.pop() {
        deepest = deepest.max(depth);
        match value {
            Value::Array(items) => todo.extend(items.iter().map(|it| (it, depth + 1))),
            Value::Object(members) => todo.extend(members.values().map(|it| (it, depth + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    deepest
}
