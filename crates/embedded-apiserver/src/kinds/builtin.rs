//! The builtin kinds, from the table beside this file.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::Kind;
use crate::schema::Structural;
use crate::shape::Shape;
use crate::table;

static KINDS: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(|| {
    let rows: Vec<Value> =
        serde_saphyr::from_str(include_str!("builtin.yaml")).expect("the table is YAML");
    rows.iter().map(|it| Arc::new(kind(it))).collect()
});

pub(super) fn kinds() -> &'static [Arc<Kind>] {
    &KINDS
}

fn kind(row: &Value) -> Kind {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let texts = |name: &str| -> Vec<String> {
        let list = row[name].as_array().into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_owned))
            .collect()
    };
    let schema = &row["schema"];
    let compiled = Structural::compile(schema).expect("the table's schemas are structural");
    let name = text("kind");
    Kind {
        group: text("group"),
        version: text("version"),
        list_kind: format!("{name}List"),
        plural: text("plural"),
        singular: name.to_lowercase(),
        short_names: texts("shortNames"),
        categories: texts("categories"),
        namespaced: text("scope") == "Namespaced",
        status_subresource: texts("subresources").iter().any(|it| it == "status"),
        custom: false,
        deprecation: None,
        schema: Some(Arc::new(compiled)),
        shape: Arc::new(Shape::of_kind(schema)),
        written: Arc::new(schema.clone()),
        columns: table::builtin_columns(&name).into(),
        kind: name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_kinds_every_cluster_has() {
        let names: Vec<String> = kinds()
            .iter()
            .map(|it| format!("{} {} {}", it.api_version(), it.kind, it.plural))
            .collect();
        assert_eq!(names.len(), 11);
        assert!(
            names.contains(&"v1 Namespace namespaces".to_owned()),
            "{names:?}"
        );
        assert!(names.contains(&"rbac.authorization.k8s.io/v1 Role roles".to_owned()));
    }
}
