//! From `openAPIV3Schema` to a structural schema; what keeps it from being one is listed.

mod lists;

use serde_json::Value;

use super::formats::Format;
use super::rules::Rule;
use super::{
    Additional, Bounds, Limit, ListType, Pattern, Structural, Type, item_path, member_path,
};
use crate::failure::FieldCause;
use crate::pattern;

/// The deepest nesting of schemas.
const DEPTH: usize = 64;

/// The most nodes of one schema.
const NODES: usize = 50_000;

/// Members of schemas that structural schemas may not have.
const FORBIDDEN: [&str; 6] = [
    "$ref",
    "definitions",
    "dependencies",
    "additionalItems",
    "patternProperties",
    "id",
];

impl Structural {
    /// Compiles the schema of a kind; all that is wrong with it is listed.
    pub fn compile(schema: &Value) -> Result<Self, Vec<FieldCause>> {
        Self::compile_at("schema", schema)
    }

    /// Compiles a schema; all that is wrong with it is listed, with paths below `path`.
    pub(crate) fn compile_at(path: &str, schema: &Value) -> Result<Self, Vec<FieldCause>> {
        let mut compiler = Compiler {
            found: Vec::new(),
            nodes: 0,
        };
        let root = compiler.node(
            schema,
            path,
            Place {
                depth: 0,
                junctor: false,
                has_old: true,
            },
        );
        if root.kind != Some(Type::Object) {
            compiler.refuse(&member_path(path, "type"), "must be object at the root");
        }
        if root.nullable {
            compiler.refuse(
                &member_path(path, "nullable"),
                "nullable cannot be true at the root",
            );
        }
        compiler.check_metadata(schema, path);
        if compiler.found.is_empty() {
            compiler.check_defaults(&root, path);
        }
        if compiler.found.is_empty() {
            Ok(root)
        } else {
            Err(compiler.found)
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Place {
    depth: usize,
    /// Inside `allOf`, `anyOf`, `oneOf` or `not`.
    junctor: bool,
    /// Whether the value of before can be told from the path.
    has_old: bool,
}

impl Place {
    fn below(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

struct Compiler {
    found: Vec<FieldCause>,
    nodes: usize,
}

impl Compiler {
    fn refuse(&mut self, path: &str, why: &str) {
        self.found.push(FieldCause::new(
            "FieldValueInvalid",
            path,
            format!("Invalid value: {why}"),
        ));
    }

    fn forbid(&mut self, path: &str, why: &str) {
        self.found.push(FieldCause::forbidden(path, why));
    }

    fn node(&mut self, schema: &Value, path: &str, place: Place) -> Structural {
        self.nodes += 1;
        if place.depth > DEPTH || self.nodes > NODES {
            if self.nodes <= NODES + 1 {
                self.forbid(path, "the schema is too deep or too large");
            }
            return Structural::default();
        }
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
        let mut node = Structural {
            kind: self.kind(schema, path, place),
            nullable: flag("nullable"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag("x-kubernetes-embedded-resource"),
            required: texts(schema.get("required")),
            default: schema.get("default").cloned(),
            bounds: self.bounds(schema, path),
            list: self.list(schema, path),
            ..Structural::default()
        };
        self.check_flags(schema, &node, path, place);
        self.children(schema, &mut node, path, place);
        self.junctors(schema, &mut node, path, place);
        self.rules(schema, &mut node, path, place);
        self.check_list_keys(&node, path);
        node.note_rules();
        node
    }

    fn kind(&mut self, schema: &Value, path: &str, place: Place) -> Option<Type> {
        let text = schema
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let field = member_path(path, "type");
        let open = [
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        ]
        .iter()
        .any(|it| schema.get(it).and_then(Value::as_bool) == Some(true));
        match Type::parse(text) {
            Some(kind) => Some(kind),
            None if !text.is_empty() => {
                let known =
                    ["array", "boolean", "integer", "number", "object", "string"].map(Value::from);
                let cause = super::causes::not_supported(&field, &text.into(), &known);
                self.found.push(cause);
                None
            }
            None => {
                if !open && !place.junctor {
                    let what = if place.depth == 0 {
                        "at the root"
                    } else {
                        "for specified object fields"
                    };
                    self.found.push(FieldCause::required(
                        &field,
                        &format!("must not be empty {what}"),
                    ));
                }
                None
            }
        }
    }

    fn check_flags(&mut self, schema: &Value, node: &Structural, path: &str, place: Place) {
        for name in FORBIDDEN
            .iter()
            .filter(|it| schema.get(it).is_some_and(|it| !it.is_null()))
        {
            self.forbid(
                &member_path(path, name),
                &format!("{name} is not supported"),
            );
        }
        if node.int_or_string && node.kind.is_some() {
            self.forbid(
                &member_path(path, "type"),
                "type must be empty if x-kubernetes-int-or-string is true",
            );
        }
        if node.embedded_resource && node.kind != Some(Type::Object) {
            self.refuse(
                &member_path(path, "type"),
                "must be object if x-kubernetes-embedded-resource is true",
            );
        }
        if node.bounds.unique_items {
            self.forbid(
                &member_path(path, "uniqueItems"),
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
            );
        }
        if place.junctor {
            for name in ["default", "nullable", "additionalProperties"] {
                if schema
                    .get(name)
                    .is_some_and(|it| !it.is_null() && *it != Value::Bool(false))
                {
                    self.forbid(
                        &member_path(path, name),
                        "must be undefined to be structural",
                    );
                }
            }
        }
    }

    /// What an object's metadata may hold is not for a schema to say, but for the form of two names.
    ///
    /// Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>
    fn check_metadata(&mut self, schema: &Value, path: &str) {
        let Some(metadata) = schema.pointer("/properties/metadata") else {
            return;
        };
        let members = metadata.as_object().into_iter().flatten();
        let is_plain = members
            .into_iter()
            .all(|(name, value)| match name.as_str() {
                "type" => value == "object",
                "properties" => value
                    .as_object()
                    .is_some_and(|it| it.keys().all(|it| it == "name" || it == "generateName")),
                _ => false,
            });
        if !is_plain {
            self.forbid(
                &format!("{path}.properties[metadata]"),
                "must not specify anything other than name and generateName, but metadata is implicitly specified",
            );
        }
    }

    fn children(&mut self, schema: &Value, node: &mut Structural, path: &str, place: Place) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            let path = format!("{path}.properties[{name}]");
            node.properties
                .insert(name.clone(), self.node(schema, &path, place.below()));
        }
        let path_of = |name: &str| member_path(path, name);
        match schema.get("additionalProperties") {
            None | Some(Value::Null) => {}
            Some(Value::Bool(true)) => node.additional = Additional::Any,
            Some(schema @ Value::Object(_)) => {
                if !node.properties.is_empty() && !place.junctor {
                    self.forbid(
                        &path_of("additionalProperties"),
                        "additionalProperties and properties are mutual exclusive",
                    );
                }
                let below = self.node(schema, &path_of("additionalProperties"), place.below());
                node.additional = Additional::Schema(Box::new(below));
            }
            Some(Value::Bool(false)) => {
                self.forbid(
                    &path_of("additionalProperties"),
                    "additionalProperties cannot be set to false",
                );
            }
            Some(_) => self.refuse(&path_of("additionalProperties"), "must be true or a schema"),
        }
        match schema.get("items") {
            None | Some(Value::Null) if node.kind == Some(Type::Array) && !place.junctor => {
                self.found
                    .push(FieldCause::required(&path_of("items"), "must be specified"));
            }
            None | Some(Value::Null) => {}
            Some(items @ Value::Object(_)) => {
                let has_old = place.has_old && matches!(node.list, ListType::Map(_));
                let below = Place {
                    has_old,
                    ..place.below()
                };
                node.items = Some(Box::new(self.node(items, &path_of("items"), below)));
            }
            Some(_) => self.forbid(
                &path_of("items"),
                "items must be a schema object and not an array",
            ),
        }
    }

    fn junctors(&mut self, schema: &Value, node: &mut Structural, path: &str, place: Place) {
        let inside = Place {
            junctor: true,
            ..place.below()
        };
        let mut branches = |name: &str| -> Vec<Structural> {
            let list = schema.get(name).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .enumerate()
                .map(|(index, it)| {
                    self.node(it, &item_path(&member_path(path, name), index), inside)
                })
                .collect()
        };
        node.all_of = branches("allOf");
        node.any_of = branches("anyOf");
        node.one_of = branches("oneOf");
        if let Some(not) = schema.get("not").filter(|it| it.is_object()) {
            node.not = Some(Box::new(self.node(not, &member_path(path, "not"), inside)));
        }
    }

    fn rules(&mut self, schema: &Value, node: &mut Structural, path: &str, place: Place) {
        let list = schema
            .get("x-kubernetes-validations")
            .and_then(Value::as_array);
        for (index, rule) in list.into_iter().flatten().enumerate() {
            let path = format!("{path}.x-kubernetes-validations[{index}]");
            if place.junctor {
                self.forbid(&path, "must be empty to be structural");
                continue;
            }
            match Rule::compile(rule) {
                Ok(rule) if rule.transition && !place.has_old => {
                    let why = "oldSelf cannot be used on the uncorrelatable portion of the schema";
                    self.refuse(&member_path(&path, "rule"), why);
                }
                Ok(rule) => node.rules.push(rule),
                Err(why) => self.refuse(&member_path(&path, "rule"), &why),
            }
        }
    }

    fn bounds(&mut self, schema: &Value, path: &str) -> Bounds {
        let count = |name: &str| schema.get(name).and_then(Value::as_u64);
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let limit = |name: &str, exclusive: &str| {
            let exclusive = schema.get(exclusive).and_then(Value::as_bool) == Some(true);
            number(name).map(|value| Limit { value, exclusive })
        };
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        let mut compiled = None;
        if let Some(source) = text("pattern").filter(|it| !it.is_empty()) {
            match pattern::compile(source) {
                Ok(regex) => {
                    compiled = Some(Pattern {
                        text: source.to_owned(),
                        regex,
                    });
                }
                Err(error) => {
                    let why = format!("must be a valid regular expression, but isn't: {error}");
                    self.refuse(&member_path(path, "pattern"), &why);
                }
            }
        }
        Bounds {
            allowed: schema
                .get("enum")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            pattern: compiled,
            format: text("format").and_then(Format::parse),
            minimum: limit("minimum", "exclusiveMinimum"),
            maximum: limit("maximum", "exclusiveMaximum"),
            multiple_of: number("multipleOf").filter(|it| *it > 0.0),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            unique_items: schema.get("uniqueItems").and_then(Value::as_bool) == Some(true),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
        }
    }

    /// A default must itself be what the schema allows.
    fn check_defaults(&mut self, node: &Structural, path: &str) {
        if let Some(default) = &node.default {
            let mut completed = default.clone();
            node.fill_in(&mut completed);
            let mut causes = Vec::new();
            node.check_shape(&completed, None, &member_path(path, "default"), &mut causes);
            self.found.extend(causes);
        }
        for (name, node) in &node.properties {
            self.check_defaults(node, &format!("{path}.properties[{name}]"));
        }
        if let Additional::Schema(node) = &node.additional {
            self.check_defaults(node, &member_path(path, "additionalProperties"));
        }
        if let Some(node) = &node.items {
            self.check_defaults(node, &member_path(path, "items"));
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
