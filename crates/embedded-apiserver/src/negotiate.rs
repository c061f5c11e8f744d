//! In which form a caller wants its answer: whole objects, their metadata only, or tables.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::store::{Object, Page};
use crate::table;
use crate::verbs::{Call, metadata};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// `PartialObjectMetadata`
    Metadata,
    /// What `kubectl get` prints.
    Table,
}

/// What a list says about itself.
#[derive(Debug)]
pub(crate) struct ListHead {
    pub(crate) revision: u64,
    pub(crate) continue_token: Option<String>,
    pub(crate) remaining: Option<usize>,
}

const OFFERED: &str = "application/json";

impl Form {
    /// Reads `Accept`: the first form in it that can be given.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut ranges = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(','))
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .peekable();
        if ranges.peek().is_none() {
            return Ok(Self::Whole);
        }
        ranges
            .find_map(Self::of_range)
            .ok_or_else(|| Failure::not_acceptable(OFFERED))
    }

    fn of_range(range: &str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        if !matches!(media_type, "application/json" | "application/*" | "*/*") {
            return None;
        }
        let wanted = parts.clone().find_map(|it| it.strip_prefix("as="));
        let has = |parameter: &str| parts.clone().any(|it| it == parameter);
        match wanted {
            None => Some(Self::Whole),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
            Some("Table") if has("v=v1") && has("g=meta.k8s.io") => Some(Self::Table),
            Some(_) => None,
        }
    }
}

impl Call {
    /// An object as this caller wants it.
    pub(crate) fn encode(&self, object: &Object) -> Bytes {
        let in_version = *object.api_version == *self.kind.api_version();
        match self.form {
            Form::Whole if in_version => object.bytes().clone(),
            Form::Whole | Form::Metadata | Form::Table => self.encode_value(&self.read(object)),
        }
    }

    /// As [`Self::encode`], for an object that is not stored.
    pub(crate) fn encode_value(&self, object: &Value) -> Bytes {
        let is_status = object.get("kind") == Some(&"Status".into());
        match self.form {
            Form::Metadata if !is_status => {
                partial(object, "PartialObjectMetadata").to_string().into()
            }
            Form::Table if !is_status => {
                let revision = metadata::text(object, "resourceVersion");
                self.table(
                    std::iter::once(object),
                    &json!({"resourceVersion": revision}),
                )
            }
            Form::Whole | Form::Metadata | Form::Table => object.to_string().into(),
        }
    }

    fn table<'a>(&self, objects: impl Iterator<Item = &'a Value>, metadata: &Value) -> Bytes {
        let now = (self.clock.0)();
        let table = table::render(
            &self.kind.columns,
            objects,
            metadata,
            self.query.include_object,
            now,
        );
        table.to_string().into()
    }

    /// An object in the version of the request: versions of a kind differ only in their name.
    pub(crate) fn read(&self, object: &Object) -> Value {
        let mut value = object.to_value();
        value["apiVersion"] = self.kind.api_version().into();
        value
    }

    /// A list as this caller wants it.
    pub(crate) fn encode_list(&self, page: &Page, head: &ListHead) -> Bytes {
        let mut metadata = json!({"resourceVersion": head.revision.to_string()});
        if let Some(token) = &head.continue_token {
            metadata["continue"] = token.as_str().into();
        }
        if let Some(remaining) = head.remaining {
            metadata["remainingItemCount"] = remaining.into();
        }
        let (api_version, kind) = match self.form {
            Form::Table => {
                let objects: Vec<Value> = page.objects.iter().map(|it| self.read(it)).collect();
                return self.table(objects.iter(), &metadata);
            }
            Form::Whole => (self.kind.api_version(), self.kind.list_kind.clone()),
            Form::Metadata => (
                "meta.k8s.io/v1".to_owned(),
                "PartialObjectMetadataList".to_owned(),
            ),
        };
        let head =
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}).to_string();
        let size: usize = page.objects.iter().map(|it| it.bytes().len() + 1).sum();
        let mut list = BytesMut::with_capacity(head.len() + size + 16);
        list.put_slice(head.strip_suffix('}').unwrap_or(&head).as_bytes());
        list.put_slice(b",\"items\":[");
        for (index, object) in page.objects.iter().enumerate() {
            if index > 0 {
                list.put_u8(b',');
            }
            list.put_slice(&self.encode(object));
        }
        list.put_slice(b"]}");
        list.freeze()
    }
}

fn partial(object: &Value, kind: &str) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": object.get("metadata")})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Form>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        assert_eq!(Form::read(&headers).ok(), expected, "{accept}");
    }

    #[test]
    fn the_first_form_that_can_be_given_is_taken() {
        check("application/json", Some(Form::Whole));
        check("*/*", Some(Form::Whole));
        check(
            "application/vnd.kubernetes.protobuf, application/json",
            Some(Form::Whole),
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Some(Form::Metadata),
        );
        check(
            "application/json;as=Unheard;g=meta.k8s.io;v=v1,application/json",
            Some(Form::Whole),
        );
        check(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Some(Form::Table),
        );
        check("application/vnd.kubernetes.protobuf", None);
        check("text/html", None);
        assert_eq!(Form::read(&HeaderMap::new()).ok(), Some(Form::Whole));
    }
}
