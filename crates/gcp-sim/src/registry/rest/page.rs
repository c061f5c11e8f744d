//! Lists in pages, ordered and filtered as Artifact Registry does it.
//!
//! Source: <https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories.packages.versions/list>

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::refusal::Refusal;

/// How many entries a page holds that nobody asked a size for, which is assumed.
const DEFAULT_SIZE: usize = 100;

/// How many entries a page holds at most.
const LARGEST: usize = 1000;

/// The part of a list that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    start: usize,
    size: usize,
}

/// The one field that a list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub field: Field,
    pub descending: bool,
}

/// What versions, packages and images can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    CreateTime,
    UpdateTime,
}

/// `name="web*"`: one field and a pattern in which `*` is anything.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub field: String,
    pattern: String,
}

impl Page {
    /// Reads `pageSize` and `pageToken`.
    ///
    /// # Errors
    /// When either is not what a client was given.
    pub(super) fn parse(call: &Call) -> Result<Self, Refusal> {
        let (size, start) = call.page(DEFAULT_SIZE, LARGEST)?;
        Ok(Self { start, size })
    }

    /// Makes the answer of a list: the page's entries under `name`, and the token of the next page.
    ///
    /// Nothing is made of entries on other pages; those that are gone meanwhile are left out.
    pub(super) fn of<T>(
        &self,
        name: &str,
        entries: &[T],
        make: impl FnMut(&T) -> Option<Value>,
    ) -> Value {
        let end = self.start.saturating_add(self.size).min(entries.len());
        let page = entries.get(self.start..end).unwrap_or_default();
        let made = page.iter().filter_map(make).collect();
        self.answer(name, made, end < entries.len())
    }

    /// The same of a page that was cut out already.
    pub(super) fn answer(&self, name: &str, made: Vec<Value>, more: bool) -> Value {
        let mut answer = Map::new();
        if !made.is_empty() {
            answer.insert(name.to_owned(), Value::Array(made));
        }
        if more {
            let next = self.start.saturating_add(self.size);
            answer.insert("nextPageToken".to_owned(), json!(next.to_string()));
        }
        Value::Object(answer)
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }
}

impl Order {
    /// Reads `orderBy`: one field, perhaps with ` desc`.
    ///
    /// # Errors
    /// When it names more than one field, or another.
    ///
    /// Source: `gcloud artifacts versions list --help`, which sorts by more than one field itself
    pub(super) fn parse(text: Option<&str>) -> Result<Option<Self>, Refusal> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let (field, descending) = match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [field] | [field, "asc"] => (*field, false),
            [field, "desc"] => (*field, true),
            _ => (text, false),
        };
        let field = match field {
            "name" => Field::Name,
            "create_time" | "createTime" => Field::CreateTime,
            "update_time" | "updateTime" => Field::UpdateTime,
            _ => {
                return Err(Refusal::invalid_argument(format!(
                    "invalid order by field: {text}"
                )));
            }
        };
        Ok(Some(Self { field, descending }))
    }

    /// Puts entries into this order, by what `key` says of them.
    pub(super) fn sort<T, K: Ord>(self, entries: &mut [T], key: impl FnMut(&T) -> K) {
        entries.sort_by_cached_key(key);
        if self.descending {
            entries.reverse();
        }
    }
}

impl Filter {
    /// Reads `filter`: `name="…"` or `version="…"`.
    ///
    /// # Errors
    /// When it is anything else, which the simulator does not pretend to understand.
    pub(super) fn parse(text: Option<&str>) -> Result<Option<Self>, Refusal> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let unquote = |value: &str| {
            Some(
                value
                    .trim()
                    .strip_prefix('"')?
                    .strip_suffix('"')?
                    .to_owned(),
            )
        };
        let parsed = text.split_once('=').and_then(|(field, value)| {
            let field = field.trim();
            matches!(field, "name" | "version").then_some(Self {
                field: field.to_owned(),
                pattern: unquote(value)?,
            })
        });
        parsed
            .map(Some)
            .ok_or_else(|| Refusal::invalid_argument(format!("invalid filter: {text}")))
    }

    /// Says whether a value matches the whole pattern.
    pub(super) fn matches(&self, value: &str) -> bool {
        matches_pattern(&self.pattern, value)
    }
}

fn matches_pattern(pattern: &str, value: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == value;
    };
    let Some(value) = value.strip_prefix(start) else {
        return false;
    };
    let mut starts = value
        .char_indices()
        .map(|(index, _)| index)
        .chain([value.len()]);
    starts.any(|index| matches_pattern(rest, &value[index..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Field, Filter, Order, Page};

    #[test]
    fn pages_are_followed_by_token() {
        let entries: Vec<u32> = (0..5).collect();
        let list = |start| Page { start, size: 2 }.of("numbers", &entries, |it| Some(json!(it)));
        assert_eq!(list(0), json!({"numbers": [0, 1], "nextPageToken": "2"}));
        assert_eq!(list(4), json!({"numbers": [4]}));
    }

    #[test]
    fn an_empty_list_is_an_empty_object() {
        let page = Page { start: 0, size: 2 };
        assert_eq!(page.of("numbers", &[0; 0], |it| Some(json!(it))), json!({}));
    }

    #[test]
    fn a_list_is_ordered_by_one_field() {
        let order = |text| Order::parse(Some(text));
        let newest = Order {
            field: Field::UpdateTime,
            descending: true,
        };
        assert_eq!(order("update_time desc"), Ok(Some(newest)));
        assert_eq!(order(""), Ok(None));
        assert!(order("update_time desc, name").is_err());
        assert!(order("size").is_err());
    }

    #[test]
    fn a_star_in_a_filter_is_anything() {
        let matches = |filter, value| Filter::parse(Some(filter)).unwrap().unwrap().matches(value);
        assert!(matches(
            r#"name="*/packages/web*""#,
            "projects/p/packages/webshop"
        ));
        assert!(matches(r#"name = "web""#, "web"));
        assert!(!matches(r#"name="web""#, "webshop"));
        assert!(Filter::parse(Some("name:web")).is_err());
        assert!(Filter::parse(Some(r#"size="1""#)).is_err());
    }
}
