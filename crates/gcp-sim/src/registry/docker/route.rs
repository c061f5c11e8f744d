//! What a path under `/v2/` asks for.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

/// A path of the Docker API, taken apart from its end: image names may hold anything, slashes included.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Base,
    Token,
    Catalog,
    Manifest {
        path: &'a str,
        reference: &'a str,
    },
    Blob {
        path: &'a str,
        digest: &'a str,
    },
    Uploads {
        path: &'a str,
    },
    Upload {
        path: &'a str,
        upload: &'a str,
    },
    Tags {
        path: &'a str,
    },
    Referrers {
        path: &'a str,
        digest: &'a str,
    },
    /// `/artifacts-uploads/…`: an upload that needs no credential but its name.
    UploadByName {
        upload: &'a str,
    },
    /// `/artifacts-downloads/…`: a blob for whom the registry signed for.
    Download {
        ticket: &'a str,
    },
}

impl<'a> Route<'a> {
    /// Reads the path of a URL; `None` if the registry has nothing there.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/artifacts-downloads/namespaces/") {
            return last_of(rest, "downloads").map(|ticket| Self::Download { ticket });
        }
        if let Some(rest) = path.strip_prefix("/artifacts-uploads/namespaces/") {
            return last_of(rest, "uploads").map(|upload| Self::UploadByName { upload });
        }
        match path.strip_prefix("/v2")? {
            "" | "/" => Some(Self::Base),
            "/token" => Some(Self::Token),
            "/_catalog" => Some(Self::Catalog),
            rest => Self::of_image(rest.strip_prefix('/')?),
        }
    }

    fn of_image(rest: &'a str) -> Option<Self> {
        if let Some(path) = rest.strip_suffix("/tags/list") {
            return Some(Self::Tags { path });
        }
        if let Some(path) = rest
            .strip_suffix("/blobs/uploads/")
            .or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return Some(Self::Uploads { path });
        }
        let (before, last) = rest.rsplit_once('/')?;
        if let Some(path) = before.strip_suffix("/blobs/uploads") {
            return Some(Self::Upload { path, upload: last });
        }
        let (path, kind) = before.rsplit_once('/')?;
        match kind {
            "manifests" => Some(Self::Manifest {
                path,
                reference: last,
            }),
            "blobs" => Some(Self::Blob { path, digest: last }),
            "referrers" => Some(Self::Referrers { path, digest: last }),
            _ => None,
        }
    }
}

/// Reads `<project>/repositories/<repository>/<kind>/<last>`.
fn last_of<'a>(rest: &'a str, kind: &str) -> Option<&'a str> {
    let (before, last) = rest.rsplit_once('/')?;
    (before.rsplit_once('/')?.1 == kind).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::Route;

    fn check(path: &str, expected: &Route<'_>) {
        assert_eq!(Route::parse(path).as_ref(), Some(expected), "{path}");
    }

    #[test]
    fn a_path_is_read_from_its_end() {
        let path = "acme/apps/web/front";
        check("/v2/", &Route::Base);
        check("/v2", &Route::Base);
        check("/v2/token", &Route::Token);
        check("/v2/_catalog", &Route::Catalog);
        check("/v2/acme/apps/web/front/tags/list", &Route::Tags { path });
        let reference = "sha256:00";
        check(
            "/v2/acme/apps/web/front/manifests/sha256:00",
            &Route::Manifest { path, reference },
        );
        check(
            "/v2/acme/apps/web/front/blobs/sha256:00",
            &Route::Blob {
                path,
                digest: reference,
            },
        );
        check(
            "/v2/acme/apps/web/front/referrers/sha256:00",
            &Route::Referrers {
                path,
                digest: reference,
            },
        );
        check(
            "/v2/acme/apps/web/front/blobs/uploads/",
            &Route::Uploads { path },
        );
        check(
            "/v2/acme/apps/web/front/blobs/uploads/7f",
            &Route::Upload { path, upload: "7f" },
        );
        check(
            "/v2/a/manifests/manifests/manifests/v1",
            &Route::Manifest {
                path: "a/manifests/manifests",
                reference: "v1",
            },
        );
    }

    #[test]
    fn addresses_that_carry_their_own_right_are_outside_the_api() {
        check(
            "/artifacts-downloads/namespaces/acme/repositories/apps/downloads/t",
            &Route::Download { ticket: "t" },
        );
        check(
            "/artifacts-uploads/namespaces/acme/repositories/apps/uploads/u",
            &Route::UploadByName { upload: "u" },
        );
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "/",
            "/v1/",
            "/v2/acme",
            "/v2/acme/apps",
            "/v2/acme/apps/things/x",
            "/v2x",
            "/artifacts-downloads/x",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }
}
