//! The documents of manifest files, and where in a file a fault is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use kube::api::DynamicObject;
use kube::core::TypeMeta;
use serde_json::Value;
use serde_saphyr::Spanned;

/// The largest manifest file that is read.
const FILE_BOUND: u64 = 16 * 1024 * 1024;

/// One object, and where it stands.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(super) place: Place,
    pub(super) types: TypeMeta,
    pub(super) name: String,
    pub(super) object: DynamicObject,
}

/// Where a document begins.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: PathBuf,
    /// Counted from 1.
    document: usize,
    line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            document,
            line,
        } = self;
        write!(
            formatter,
            "{}, document {document} (line {line})",
            file.display()
        )
    }
}

impl Place {
    /// What to do about a fault here.
    pub(super) fn next(&self) -> String {
        next(&self.file)
    }
}

fn next(file: &Path) -> String {
    format!("correct it, then: argosy up -f {}", file.display())
}

/// Reads the objects of a file, in their order; documents that hold nothing are left out.
///
/// # Errors
/// The first fault, with its line, what was found and what is expected.
pub(super) fn read(file: &Path) -> Result<Vec<Manifest>> {
    let failed = || format!("failed to read {}", file.display());
    let size = fs::metadata(file).with_context(failed)?.len();
    ensure!(
        size <= FILE_BOUND,
        "{} has {size} bytes and a manifest file has at most {FILE_BOUND}; split it",
        file.display()
    );
    let text = fs::read_to_string(file).with_context(failed)?;
    parse(file, &text)
}

fn parse(file: &Path, text: &str) -> Result<Vec<Manifest>> {
    let documents: Vec<Spanned<Value>> =
        serde_saphyr::from_multiple(text).map_err(|error| not_yaml(file, text, &error))?;
    let mut manifests = Vec::new();
    for document in documents {
        if document.value.is_null() {
            continue;
        }
        let line = document.referenced.line();
        let place = Place {
            file: file.to_owned(),
            document: document_at(text, line),
            line,
        };
        manifests.push(object(place, document.value)?);
    }
    Ok(manifests)
}

/// Says where the text stops being YAML, and what the parser found there.
fn not_yaml(file: &Path, text: &str, error: &serde_saphyr::Error) -> anyhow::Error {
    let file_name = file.display();
    let found = error.without_snippet().to_string();
    let place = match error.location() {
        Some(at) => format!(
            "{file_name}, document {}, line {}, column {}",
            document_at(text, at.line()),
            at.line(),
            at.column()
        ),
        None => file_name.to_string(),
    };
    anyhow!(found).context(format!("{place} is not YAML; {}", next(file)))
}

/// Counts the documents up to a line: each but the first begins after a line of three dashes.
fn document_at(text: &str, line: u64) -> usize {
    let before = text
        .lines()
        .take(usize::try_from(line).unwrap_or(usize::MAX));
    let mut documents = 0;
    for line in before {
        let is_border = line == "---" || line.starts_with("--- ");
        let is_blank = line.trim().is_empty() || line.starts_with(['#', '%']);
        if is_border || (documents == 0 && !is_blank) {
            documents += 1;
        }
    }
    documents.max(1)
}

/// Takes a document for an object: it has a kind and a name.
fn object(place: Place, document: Value) -> Result<Manifest> {
    let faulty = |found: &str| {
        anyhow!(
            "{place} {found}; a manifest has apiVersion, kind and metadata.name: {}",
            place.next()
        )
    };
    let Value::Object(fields) = &document else {
        return Err(faulty(&format!("holds {}", kind_of(&document))));
    };
    for field in ["apiVersion", "kind"] {
        match fields.get(field) {
            None => return Err(faulty(&format!("has no {field}"))),
            Some(Value::String(_)) => {}
            Some(other) => {
                return Err(faulty(&format!("has {} as {field}", kind_of(other))));
            }
        }
    }
    let object: DynamicObject = serde_json::from_value(document)
        .with_context(|| format!("{place} is no Kubernetes object; {}", place.next()))?;
    let types = object.types.clone().ok_or_else(|| faulty("has no kind"))?;
    let name = object.metadata.name.clone();
    let name = name.ok_or_else(|| faulty(&format!("is a {} without metadata.name", types.kind)))?;
    Ok(Manifest {
        place,
        types,
        name,
        object,
    })
}

/// What a person would call it.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str =
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Project\nmetadata:\n  name: acme\n";

    fn told(text: &str) -> String {
        let error = parse(Path::new("a.yaml"), text).expect_err(text);
        error
            .chain()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" because ")
    }

    #[test]
    fn objects_are_read_in_their_order_and_empty_documents_left_out() {
        let text = format!(
            "# first\n---\n{PROJECT}---\n---\n{}",
            PROJECT.replace("acme", "b")
        );
        let manifests = parse(Path::new("a.yaml"), &text).unwrap();
        let places: Vec<String> = manifests.iter().map(|it| it.place.to_string()).collect();
        assert_eq!(
            places,
            ["a.yaml, document 1 (line 3)", "a.yaml, document 3 (line 9)"]
        );
        assert_eq!(manifests[1].name, "b");
    }

    #[test]
    fn a_fault_is_told_with_its_place_what_was_found_and_the_next_command() {
        for (rest, expected) in [
            (
                "a: b: c\n",
                "a.yaml, document 2, line 6, column 5 is not YAML; correct it, then: argosy up -f a.yaml because ",
            ),
            (
                "just words\n",
                "a.yaml, document 2 (line 6) holds a text; a manifest has apiVersion, kind and metadata.name: correct it",
            ),
            (
                "- a\n",
                "a.yaml, document 2 (line 6) holds a list; a manifest has",
            ),
            (
                "kind: Project\n",
                "a.yaml, document 2 (line 6) has no apiVersion; a manifest has",
            ),
            (
                "apiVersion: v1\nkind: 1\n",
                "a.yaml, document 2 (line 6) has a number as kind; a manifest has",
            ),
            (
                "apiVersion: v1\nkind: Secret\nmetadata: {}\n",
                "a.yaml, document 2 (line 6) is a Secret without metadata.name; a manifest has",
            ),
            (
                "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: 1}\n",
                "a.yaml, document 2 (line 6) is no Kubernetes object; correct it, then: argosy up -f a.yaml because \
                 invalid type",
            ),
        ] {
            let told = told(&format!("{PROJECT}---\n{rest}"));
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains('\n'), "{told}");
        }
    }
}
