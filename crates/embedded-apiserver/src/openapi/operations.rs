//! The operations of a kind, as far as clients look at them.

use serde_json::{Map, Value, json};

use super::schemas;
use crate::kinds::{Kind, Subresource};

/// How a document says what is sent and what comes back.
#[derive(Debug)]
pub(super) struct Form {
    root: &'static str,
    /// Whether bodies stand apart from parameters.
    bodies: bool,
}

pub(super) const V3: Form = Form {
    root: "#/components/schemas/",
    bodies: true,
};
pub(super) const V2: Form = Form {
    root: "#/definitions/",
    bodies: false,
};

const PATCHES: [&str; 4] = [
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// Adds the paths of a kind.
pub(super) fn add(kind: &Kind, paths: &mut Map<String, Value>, form: &Form) {
    let base = format!("/{}", super::path(&kind.group, &kind.version));
    let plural = &kind.plural;
    let collection = if kind.namespaced {
        paths.insert(
            format!("{base}/{plural}"),
            json!({"get": operation(kind, "list", form)}),
        );
        format!("{base}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{base}/{plural}")
    };
    let one = format!("{collection}/{{name}}");
    let of = |verbs: &[(&str, &str)]| -> Value {
        let mut item: Map<String, Value> = verbs
            .iter()
            .map(|(method, action)| ((*method).to_owned(), operation(kind, action, form)))
            .collect();
        item.insert("parameters".to_owned(), path_parameters(kind, form));
        item.into()
    };
    paths.insert(
        collection,
        of(&[
            ("get", "list"),
            ("post", "post"),
            ("delete", "deletecollection"),
        ]),
    );
    for subresource in kind.subresources() {
        let path = format!("{one}/{}", subresource.name());
        let item = match subresource {
            Subresource::Finalize | Subresource::Status => {
                of(&[("get", "get"), ("put", "put"), ("patch", "patch")])
            }
            // No client looks for it here: discovery says that it is there.
            Subresource::Token => continue,
        };
        paths.insert(path, item);
    }
    paths.insert(
        one,
        of(&[
            ("get", "get"),
            ("put", "put"),
            ("patch", "patch"),
            ("delete", "delete"),
        ]),
    );
}

fn path_parameters(kind: &Kind, form: &Form) -> Value {
    let parameter = |name: &str, description: &str| {
        form.parameter(
            &json!({"name": name, "in": "path", "description": description, "required": true}),
            "string",
        )
    };
    let mut parameters = vec![parameter("name", "The name of the object.")];
    if kind.namespaced {
        parameters.push(parameter("namespace", "The namespace of the object."));
    }
    parameters.into()
}

fn operation(kind: &Kind, action: &str, form: &Form) -> Value {
    let description = format!("{action} {}", kind.plural);
    let mut parameters: Vec<Value> = query(action)
        .iter()
        .map(|(name, kind, description)| {
            form.parameter(
                &json!({"name": name, "in": "query", "description": description}),
                kind,
            )
        })
        .collect();
    let object = json!({"$ref": format!("{}{}", form.root, schemas::name(kind))});
    let answer = match action {
        "list" => json!({"$ref": format!("{}{}List", form.root, schemas::name(kind))}),
        "delete" | "deletecollection" => json!({"type": "object"}),
        _ => object.clone(),
    };
    let mut operation = json!({
        "description": description,
        "operationId": format!("{action}{}{}{}", group_word(kind), kind.version, kind.kind),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": schemas::gvk(kind, &kind.kind),
    });
    let body = match action {
        "post" | "put" => Some((vec!["application/json", "application/yaml"], object)),
        "patch" => {
            // Custom resources have no strategic merge patches.
            let offered = PATCHES
                .iter()
                .take(if kind.custom { 3 } else { 4 })
                .copied()
                .collect();
            Some((offered, json!({"type": "object"})))
        }
        _ => None,
    };
    if let Some((types, schema)) = body {
        if form.bodies {
            let content: Map<String, Value> = types
                .iter()
                .map(|it| ((*it).to_owned(), json!({"schema": schema})))
                .collect();
            operation["requestBody"] = json!({"required": true, "content": content});
        } else {
            operation["consumes"] = types.into();
            parameters
                .push(json!({"name": "body", "in": "body", "required": true, "schema": schema}));
        }
    }
    operation["parameters"] = parameters.into();
    operation["responses"] = if form.bodies {
        json!({"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}})
    } else {
        json!({"200": {"description": "OK", "schema": answer}})
    };
    operation
}

/// A group as a part of an identifier.
fn group_word(kind: &Kind) -> String {
    let word = |it: &str| -> String {
        let mut letters = it.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    };
    if kind.group.is_empty() {
        "Core".to_owned()
    } else {
        kind.group.split(['.', '-']).map(word).collect()
    }
}

/// What may stand behind the question mark of an operation.
fn query(action: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    const DRY_RUN: (&str, &str, &str) =
        ("dryRun", "string", "All: check everything, store nothing.");
    const MANAGER: (&str, &str, &str) = ("fieldManager", "string", "Who fields are attributed to.");
    const VALIDATION: (&str, &str, &str) = (
        "fieldValidation",
        "string",
        "Ignore, Warn or Strict: what happens to fields that are unknown or stand twice.",
    );
    const LABELS: (&str, &str, &str) =
        ("labelSelector", "string", "Which labels the objects have.");
    const FIELDS: (&str, &str, &str) =
        ("fieldSelector", "string", "Which fields the objects have.");
    const PROPAGATION: (&str, &str, &str) = (
        "propagationPolicy",
        "string",
        "Background, Foreground or Orphan: what becomes of objects that go with this one.",
    );
    match action {
        "list" => &[
            (
                "allowWatchBookmarks",
                "boolean",
                "Whether a watch is told of revisions without changes.",
            ),
            ("continue", "string", "Where the page begins."),
            FIELDS,
            LABELS,
            ("limit", "integer", "How many objects a page has."),
            ("resourceVersion", "string", "From which revision on."),
            (
                "resourceVersionMatch",
                "string",
                "How the revision is meant.",
            ),
            (
                "sendInitialEvents",
                "boolean",
                "Whether a watch begins with what there is.",
            ),
            ("timeoutSeconds", "integer", "How long a watch lasts."),
            ("watch", "boolean", "Whether changes follow."),
        ],
        "post" | "put" => &[DRY_RUN, MANAGER, VALIDATION],
        "patch" => &[
            DRY_RUN,
            MANAGER,
            VALIDATION,
            (
                "force",
                "boolean",
                "Whether an apply takes fields from their managers.",
            ),
        ],
        "delete" => &[DRY_RUN, PROPAGATION],
        "deletecollection" => &[DRY_RUN, FIELDS, LABELS, PROPAGATION],
        _ => &[],
    }
}

impl Form {
    fn parameter(&self, parameter: &Value, kind: &str) -> Value {
        let mut parameter = parameter.clone();
        if self.bodies {
            parameter["schema"] = json!({"type": kind, "uniqueItems": true});
        } else {
            parameter["type"] = kind.into();
            parameter["uniqueItems"] = true.into();
        }
        parameter
    }
}
