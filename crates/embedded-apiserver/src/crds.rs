//! What the server says about a definition of a kind: that its names are taken, and that it is in use.

mod checks;
mod served;

use serde_json::{Value, json};

pub(crate) use self::checks::errors;
pub(crate) use self::served::{kinds, priority};
use crate::kinds::KindTable;

pub(crate) const GROUP: &str = "apiextensions.k8s.io";
pub(crate) const KIND: &str = "CustomResourceDefinition";

/// Fills in what a definition leaves out, and sets its status.
pub(crate) fn complete(definition: &mut Value, old: Option<&Value>, kinds: &KindTable, now: &str) {
    let kind = text(definition, "/spec/names/kind").to_owned();
    if let Some(names) = definition
        .pointer_mut("/spec/names")
        .and_then(Value::as_object_mut)
    {
        names
            .entry("singular")
            .or_insert_with(|| kind.to_lowercase().into());
        names
            .entry("listKind")
            .or_insert_with(|| format!("{kind}List").into());
    }
    if let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) {
        spec.entry("conversion")
            .or_insert_with(|| json!({"strategy": "None"}));
    }
    let rival = rival(definition, kinds);
    let old_status = old.and_then(|it| it.get("status"));
    let accepted = match (&rival, old_status.and_then(|it| it.get("acceptedNames"))) {
        (Some(_), Some(before)) => before.clone(),
        (Some(_), None) => json!({"plural": "", "kind": ""}),
        (None, _) => definition
            .pointer("/spec/names")
            .cloned()
            .unwrap_or_default(),
    };
    let (taken, why, message) = match &rival {
        Some(rival) => (
            "False",
            "KindConflict",
            format!("{kind:?} is already in use by {rival}"),
        ),
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
    };
    let (established, in_use, note) = match &rival {
        Some(_) => ("False", "NotAccepted", "not all names are accepted"),
        None => (
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    };
    let since = |kind: &str, status: &str| {
        let conditions = old_status
            .and_then(|it| it.get("conditions"))
            .and_then(Value::as_array);
        let same = |it: &&Value| it["type"] == kind && it["status"] == status;
        let before = conditions.into_iter().flatten().find(same);
        before.map_or_else(|| now.into(), |it| it["lastTransitionTime"].clone())
    };
    definition["status"] = json!({
        "acceptedNames": accepted,
        "conditions": [
            {"type": "NamesAccepted", "status": taken, "reason": why, "message": message, "lastTransitionTime": since("NamesAccepted", taken)},
            {"type": "Established", "status": established, "reason": in_use, "message": note, "lastTransitionTime": since("Established", established)},
        ],
        "storedVersions": stored_versions(definition, old_status),
    });
}

/// Says whether the kinds of a definition are served.
pub(crate) fn is_established(definition: &Value) -> bool {
    let conditions = definition
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|it| it["type"] == "Established" && it["status"] == "True")
}

/// Another kind of the group that has the definition's kind, under another plural.
fn rival(definition: &Value, kinds: &KindTable) -> Option<String> {
    let (group, kind, plural) = (
        text(definition, "/spec/group"),
        text(definition, "/spec/names/kind"),
        text(definition, "/spec/names/plural"),
    );
    let rival = kinds
        .iter()
        .find(|it| it.group == group && it.kind == kind && it.plural != plural)?;
    Some(rival.plural.clone())
}

/// Every version that objects may be stored in, the present one last.
fn stored_versions(definition: &Value, old_status: Option<&Value>) -> Vec<Value> {
    let before = old_status
        .and_then(|it| it.get("storedVersions"))
        .and_then(Value::as_array);
    let mut stored: Vec<Value> = before.cloned().unwrap_or_default();
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    let current = versions
        .into_iter()
        .flatten()
        .find(|it| it["storage"] == true);
    if let Some(name) = current.and_then(|it| it.get("name"))
        && !stored.contains(name)
    {
        stored.push(name.clone());
    }
    stored
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
