//! Lists that come in pages.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Apis, Service};
use crate::facts::{Reading, Seen};

/// Most pages of one list that are read; nothing here has more than some hundred entries by design.
const PAGES: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    next_page_token: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

impl Apis {
    /// Asks for all pages of a list; `member` is what an answer calls its entries.
    ///
    /// Longer than 50 pages is no answer: half a list would be taken for a whole one.
    pub async fn list<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        member: &str,
    ) -> Reading<Vec<T>> {
        let mut all = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let reading = self.get::<Page>(service, &page_of(path, &token)).await;
            let source = reading.source.clone();
            let mut page = match reading.seen {
                Seen::Known(page) => page,
                seen => return Reading { source, seen }.map(|_| Vec::new()),
            };
            let entries = page
                .rest
                .remove(member)
                .unwrap_or_else(|| Value::Array(Vec::new()));
            match serde_json::from_value::<Vec<T>>(entries) {
                Ok(entries) => all.extend(entries),
                Err(_) => {
                    return Reading::unreachable(&source.request, "an answer of another shape");
                }
            }
            if page.next_page_token.is_empty() {
                return Reading {
                    source,
                    seen: Seen::Known(all),
                };
            }
            token = page.next_page_token;
        }
        Reading::unreachable(path, "the list has more than 50 pages")
    }
}

fn page_of(path: &str, token: &str) -> String {
    if token.is_empty() {
        return path.to_owned();
    }
    let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}pageToken={token}")
}
