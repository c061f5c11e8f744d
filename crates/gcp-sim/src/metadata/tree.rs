//! The tree of values that metadata servers serve: as text, as listings, and as JSON.

use serde_json::{Map, Value};

/// Finds what stands at a path; a directory is an object.
pub(super) fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, part| value.get(part))
}

/// One value, or one line per entry; directories end in a slash.
pub(super) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            lines.join("\n")
        }
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) => format!("{name}/\n"),
                _ => format!("{name}\n"),
            })
            .collect(),
        other => other.to_string(),
    }
}

/// Everything below, one line per value: its path and what it says. Leaves out what must be asked for by itself.
///
/// Source: <https://cloud.google.com/compute/docs/metadata/querying-metadata>
pub(super) fn to_lines(value: &Value) -> String {
    if !value.is_object() {
        return to_text(value);
    }
    let mut lines = String::new();
    collect(value, "", &mut lines);
    lines
}

fn collect(value: &Value, path: &str, lines: &mut String) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}/{name}"),
    };
    match value {
        Value::Null => {}
        Value::Object(entries) => {
            for (name, value) in entries {
                collect(value, &below(name), lines);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                collect(entry, path, lines);
            }
        }
        other => {
            lines.push_str(path);
            lines.push(' ');
            lines.push_str(&to_text(other));
            lines.push('\n');
        }
    }
}

/// The same as JSON: camel case, and without what must be asked for by itself.
pub(super) fn to_json(value: &Value) -> Value {
    let Value::Object(entries) = value else {
        return value.clone();
    };
    let entries: Map<String, Value> = entries
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let account = name.contains(['@', '.']);
            let name = if account {
                name.clone()
            } else {
                camel_case(name)
            };
            (name, to_json(value))
        })
        .collect();
    Value::Object(entries)
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut whole, word| {
        let mut letters = word.chars();
        whole.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        whole.push_str(letters.as_str());
        whole
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_in_camel_case_and_leaves_out_tokens() {
        let tree = json!({"service-accounts": {"a-b@acme.iam": {"token": null, "email": "a"}}, "numeric-project-id": 7});
        assert_eq!(
            to_json(&tree),
            json!({"serviceAccounts": {"a-b@acme.iam": {"email": "a"}}, "numericProjectId": 7})
        );
    }

    #[test]
    fn all_that_is_below_is_one_line_each() {
        let tree = json!({"default": {"email": "a", "token": null, "scopes": ["x", "y"]}, "id": 7});
        let lines = "default/email a\ndefault/scopes x\ndefault/scopes y\nid 7\n";
        assert_eq!(to_lines(&tree), lines);
        assert_eq!(to_lines(&json!(["x", "y"])), "x\ny");
    }

    #[test]
    fn a_directory_is_a_listing() {
        assert_eq!(
            to_text(&json!({"default": {}, "zone": "z"})),
            "default/\nzone\n"
        );
        assert_eq!(to_text(&json!(["a", "b"])), "a\nb");
        assert_eq!(to_text(&json!(7)), "7");
    }
}
