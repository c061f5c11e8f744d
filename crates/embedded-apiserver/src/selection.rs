//! Which objects a list, a watch or a deletecollection is about.

use crate::failure::Failure;
use crate::selector::{FieldSelector, LabelSelector, builtin_fields};
use crate::store::Object;
use crate::verbs::Call;

/// A label and a field selector together.
#[derive(Debug)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    name: Option<String>,
    namespace: Option<String>,
}

impl Selection {
    pub(crate) fn parse(call: &Call) -> Result<Self, Failure> {
        let refused = |why: crate::selector::SelectorError| Failure::bad_request(why.to_string());
        let labels = LabelSelector::parse(&call.query.label_selector).map_err(refused)?;
        let supported = builtin_fields(&call.kind.group, &call.kind.kind);
        let fields =
            FieldSelector::parse(&call.query.field_selector, supported).map_err(refused)?;
        // A path that names an object selects it: a watch of one object.
        let named = call.target.name.clone();
        let name = named.or_else(|| fields.exact("metadata.name").map(str::to_owned));
        Ok(Self {
            labels,
            fields,
            name,
            namespace: call.target.namespace.clone(),
        })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty() && self.name.is_none()
    }

    /// Says whether an object of the right kind is meant.
    pub(crate) fn takes(&self, object: &Object) -> bool {
        let key = &object.key;
        self.namespace
            .as_deref()
            .is_none_or(|it| it == key.namespace())
            && self.name.as_deref().is_none_or(|it| it == key.name())
            && self.labels.matches_labels(Some(&object.labels))
            && (self.fields.is_empty() || self.fields.matches(&object.to_value()))
    }

    /// Says whether objects outside the selection can be told without looking at changes of the others.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }
}
