//! From a path to what it names.

use percent_encoding::percent_decode_str;

use crate::failure::Failure;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Health,
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/{group}`
    Group(String),
    /// `/api/v1`, `/apis/{group}/{version}`
    GroupVersion {
        group: String,
        version: String,
    },
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3` and `/openapi/v3/{path}`
    OpenApiV3(Option<String>),
    /// `/.well-known/openid-configuration`: who signs tokens
    TokenIssuer,
    /// `/openid/v1/jwks`: what tokens are checked by
    TokenKeys,
    Objects(Target),
}

/// A collection of objects, one object, or one of its subresources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Route {
    /// Reads a path.
    pub(crate) fn parse(path: &str) -> Result<Self, Failure> {
        let segments: Vec<String> = path
            .split('/')
            .filter(|it| !it.is_empty())
            .map(|it| {
                percent_decode_str(it)
                    .decode_utf8()
                    .map(std::borrow::Cow::into_owned)
            })
            .collect::<Result<_, _>>()
            .map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["healthz" | "readyz" | "livez", ..] => Ok(Self::Health),
            ["version"] => Ok(Self::Version),
            ["api"] => Ok(Self::CoreVersions),
            ["apis"] => Ok(Self::Groups),
            ["apis", group] => Ok(Self::Group((*group).to_owned())),
            ["openapi", "v2"] => Ok(Self::OpenApiV2),
            ["openapi", "v3"] => Ok(Self::OpenApiV3(None)),
            ["openapi", "v3", rest @ ..] => Ok(Self::OpenApiV3(Some(rest.join("/")))),
            [".well-known", "openid-configuration"] => Ok(Self::TokenIssuer),
            ["openid", "v1", "jwks"] => Ok(Self::TokenKeys),
            ["api", version] => Ok(Self::GroupVersion {
                group: String::new(),
                version: (*version).to_owned(),
            }),
            ["apis", group, version] => Ok(Self::GroupVersion {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
            }),
            ["api", version, rest @ ..] => Target::parse("", version, rest).map(Self::Objects),
            ["apis", group, version, rest @ ..] => {
                Target::parse(group, version, rest).map(Self::Objects)
            }
            _ => Err(Failure::no_such_resource()),
        }
    }
}

impl Target {
    fn parse(group: &str, version: &str, rest: &[&str]) -> Result<Self, Failure> {
        let (namespace, rest) = match rest {
            // A namespace is an object too: what follows it is a subresource, or a collection inside it.
            ["namespaces", name, subresource @ ("status" | "finalize")] if group.is_empty() => {
                return Ok(Self::new(
                    group,
                    version,
                    "namespaces",
                    None,
                    Some(name),
                    Some(subresource),
                ));
            }
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            rest => (None, rest),
        };
        match rest {
            [plural] => Ok(Self::new(group, version, plural, namespace, None, None)),
            [plural, name] => Ok(Self::new(
                group,
                version,
                plural,
                namespace,
                Some(name),
                None,
            )),
            [plural, name, subresource] => Ok(Self::new(
                group,
                version,
                plural,
                namespace,
                Some(name),
                Some(subresource),
            )),
            _ => Err(Failure::no_such_resource()),
        }
    }

    fn new(
        group: &str,
        version: &str,
        plural: &str,
        namespace: Option<&str>,
        name: Option<&str>,
        subresource: Option<&str>,
    ) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str) -> (String, Option<String>, Option<String>, Option<String>) {
        match Route::parse(path) {
            Ok(Route::Objects(it)) => (
                format!("{}/{}/{}", it.group, it.version, it.plural),
                it.namespace,
                it.name,
                it.subresource,
            ),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands for Some in the table below"
    )]
    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn paths_name_collections_objects_and_subresources() {
        assert_eq!(
            target("/api/v1/namespaces"),
            ("/v1/namespaces".into(), None, None, None)
        );
        assert_eq!(
            target("/api/v1/namespaces/a"),
            ("/v1/namespaces".into(), None, some("a"), None)
        );
        assert_eq!(
            target("/api/v1/namespaces/a/finalize"),
            ("/v1/namespaces".into(), None, some("a"), some("finalize"))
        );
        assert_eq!(
            target("/api/v1/namespaces/a/secrets"),
            ("/v1/secrets".into(), some("a"), None, None)
        );
        assert_eq!(
            target("/apis/kargo.akuity.io/v1alpha1/namespaces/a/stages/test/status"),
            (
                "kargo.akuity.io/v1alpha1/stages".into(),
                some("a"),
                some("test"),
                some("status")
            )
        );
        assert_eq!(
            target("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aadmin"),
            (
                "rbac.authorization.k8s.io/v1/clusterroles".into(),
                None,
                some("system:admin"),
                None
            )
        );
    }

    #[test]
    fn unknown_paths_are_not_found() {
        for path in [
            "/",
            "/nothing",
            "/api/v1/a/b/c/d",
            "/apis/g/v/namespaces/n/p/o/s/x",
        ] {
            assert!(Route::parse(path).is_err(), "{path}");
        }
    }
}
