//! Rendered manifests: a stream of documents, and the file each goes to.

use serde_json::Value;

/// What a resource is called.
#[derive(Debug, Default)]
pub(super) struct Resource<'a> {
    group: &'a str,
    version: &'a str,
    pub(super) kind: &'a str,
    namespace: &'a str,
    pub(super) name: &'a str,
}

/// Splits a stream at its `---` lines.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (document, after) = match text.strip_prefix("---\n") {
            Some(after) => ("", Some(after)),
            None => match text.find("\n---\n") {
                Some(end) => (&text[..=end], Some(&text[end + 5..])),
                None => (text, None),
            },
        };
        rest = after;
        Some(document)
    })
    .filter(|document| !document.trim().is_empty())
}

impl<'a> Resource<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        let api_version = text(&object["apiVersion"]);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group,
            version,
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        }
    }

    /// `[namespace-]kind-name.yaml`; none when that cannot be a file name.
    pub(super) fn short_file_name(&self) -> Option<String> {
        join("-", &[self.namespace, self.kind, self.name])
    }

    /// `[namespace_][group_]version_kind_name.yaml`; none when that cannot be a file name.
    pub(super) fn long_file_name(&self) -> Option<String> {
        join(
            "_",
            &[
                self.namespace,
                self.group,
                self.version,
                self.kind,
                self.name,
            ],
        )
    }
}

fn join(separator: &str, parts: &[&str]) -> Option<String> {
    let there: Vec<_> = parts
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.to_lowercase())
        .collect();
    let name = format!("{}.yaml", there.join(separator));
    let fits = name.len() <= 255 && there.len() >= 2 && !name.starts_with('.');
    (fits && !name.contains(['/', '\\', '\0'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stream_is_split_at_its_dashes() {
        let documents: Vec<_> = split("---\na: 1\n---\nb: |\n  x\n  ---\n  y\n---\n").collect();
        assert_eq!(documents, ["a: 1\n", "b: |\n  x\n  ---\n  y\n"]);
        assert_eq!(split("a: 1\n").count(), 1);
        assert_eq!(split("").count(), 0);
    }

    #[test]
    fn files_are_named_for_their_resource() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "x"}});
        let resource = Resource::of(&object);
        assert_eq!(
            resource.short_file_name().as_deref(),
            Some("x-deployment-web.yaml")
        );
        assert_eq!(
            resource.long_file_name().as_deref(),
            Some("x_apps_v1_deployment_web.yaml")
        );
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        assert_eq!(
            Resource::of(&object).long_file_name().as_deref(),
            Some("v1_configmap_a.yaml")
        );
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "../a"}});
        assert_eq!(Resource::of(&object).short_file_name(), None);
    }
}
