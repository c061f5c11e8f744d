//! How a struct of ours becomes a Kubernetes object: `apiVersion` and `kind` when written, `kube_core::Resource` for clients.

/// The API group of every kind here.
pub const GROUP: &str = "kargo.akuity.io";

/// The one version of the group.
pub const VERSION: &str = "v1alpha1";

/// Makes an object of the struct `$Type`, which has a field `metadata` and derives serde with `remote = "Self"`.
///
/// The derive then writes plain functions, and the traits implemented here add `apiVersion` and `kind` in front of what
/// they write. Reading ignores both: who asks an API for a Stage is given Stages.
macro_rules! object {
    ($Type:ident, $plural:literal, $Scope:ident) => {
        impl ::kube_core::Resource for $Type {
            type DynamicType = ();
            type Scope = ::kube_core::$Scope;

            fn kind((): &()) -> ::std::borrow::Cow<'_, str> {
                stringify!($Type).into()
            }

            fn group((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::GROUP.into()
            }

            fn version((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::VERSION.into()
            }

            fn plural((): &()) -> ::std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &::kube_core::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::kube_core::ObjectMeta {
                &mut self.metadata
            }
        }

        impl ::serde::Serialize for $Type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(::serde::Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Object<'a> {
                    api_version: &'static str,
                    kind: &'static str,
                    #[serde(flatten, serialize_with = "fields")]
                    fields: &'a $Type,
                }

                fn fields<S: ::serde::Serializer>(
                    fields: &&$Type,
                    serializer: S,
                ) -> Result<S::Ok, S::Error> {
                    $Type::serialize(*fields, serializer)
                }

                ::serde::Serialize::serialize(
                    &Object {
                        api_version: "kargo.akuity.io/v1alpha1",
                        kind: stringify!($Type),
                        fields: self,
                    },
                    serializer,
                )
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $Type {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                $Type::deserialize(deserializer)
            }
        }

        impl $Type {
            /// The name of the object; empty before one is given.
            pub fn name(&self) -> &str {
                self.metadata.name.as_deref().unwrap_or_default()
            }

            /// The namespace of the object, which is the name of its project; empty for kinds of the whole cluster.
            pub fn namespace(&self) -> &str {
                self.metadata.namespace.as_deref().unwrap_or_default()
            }

            /// Finds the value of an annotation.
            pub fn annotation(&self, key: &str) -> Option<&str> {
                self.metadata
                    .annotations
                    .as_ref()?
                    .get(key)
                    .map(String::as_str)
            }

            /// Finds the value of a label.
            pub fn label(&self, key: &str) -> Option<&str> {
                self.metadata.labels.as_ref()?.get(key).map(String::as_str)
            }

            /// Says whether somebody asked for the object to be deleted.
            pub fn is_terminating(&self) -> bool {
                self.metadata.deletion_timestamp.is_some()
            }
        }
    };
}

pub(crate) use object;
