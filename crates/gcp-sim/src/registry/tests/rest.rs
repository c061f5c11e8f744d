//! The REST API over the same content.

use super::*;

const APPS: &str = "/v1/projects/acme/locations/europe-west1/repositories/apps";

async fn get(front: &Front, path: &str, name: &str) -> Value {
    let seen = front.rest(Method::GET, path, name, Value::Null).await;
    assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.json());
    seen.json()
}

#[tokio::test]
async fn a_docker_image_tells_all_that_discovery_wants() {
    let front = Front::new();
    let digest = front.get("/v2/acme/apps/web/manifests/v1", "reader").await;
    let digest = digest.header("docker-content-digest").unwrap();
    let image = get(
        &front,
        &format!("{APPS}/dockerImages/web@{digest}"),
        "reader",
    )
    .await;
    let name =
        format!("projects/acme/locations/europe-west1/repositories/apps/dockerImages/web@{digest}");
    let expected = json!({
        "name": name,
        "uri": format!("europe-west1-docker.pkg.dev/acme/apps/web@{digest}"),
        "tags": ["latest", "v1"],
        "imageSizeBytes": image["imageSizeBytes"],
        "uploadTime": "2026-01-01T00:05:00Z",
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "buildTime": "2026-01-01T00:00:00Z",
        "updateTime": "2026-01-01T00:05:00Z",
        "artifactType": "application/vnd.oci.image.config.v1+json",
        "imageManifests": [{"architecture": "amd64", "os": "linux", "digest": digest, "mediaType": "application/vnd.oci.image.manifest.v1+json"}],
    });
    assert_eq!(image, expected);
}

#[tokio::test]
async fn an_image_of_several_components_is_one_segment() {
    let front = Front::new();
    let list = get(
        &front,
        &format!("{APPS}/packages/web%2Ffront/versions?view=FULL"),
        "reader",
    )
    .await;
    let tagged = list["versions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|version| version.get("relatedTags").is_some())
        .unwrap();
    assert!(
        tagged["name"]
            .as_str()
            .unwrap()
            .contains("/packages/web%2Ffront/versions/sha256:")
    );
    let image = tagged["metadata"]["name"].as_str().unwrap();
    let image = get(&front, &format!("/v1/{image}"), "reader").await;
    assert_eq!(image["imageManifests"][1]["variant"], "v7");
    let seen = front
        .rest(
            Method::GET,
            &format!("{APPS}/packages/front/versions"),
            "reader",
            Value::Null,
        )
        .await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_newest_versions_come_in_one_page() {
    let front = Front::new();
    let path =
        format!("{APPS}/packages/many/versions?view=FULL&orderBy=update_time%20desc&pageSize=20");
    let newest = get(&front, &path, "reader").await;
    assert_eq!(newest["versions"].as_array().unwrap().len(), 20);
    assert_eq!(
        newest["versions"][0]["relatedTags"][0]["name"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next(),
        Some("1.1011.1999")
    );
    assert!(newest["nextPageToken"].is_string());
    let two = format!("{APPS}/packages/many/versions?orderBy=update_time,name");
    let refused = front.rest(Method::GET, &two, "reader", Value::Null).await;
    assert_eq!(refused.json()["error"]["status"], "INVALID_ARGUMENT");
}

#[tokio::test]
async fn all_images_of_a_repository_are_listed_page_by_page() {
    let front = Front::new();
    let (mut count, mut token) = (0, String::new());
    loop {
        let path = format!("{APPS}/dockerImages?pageSize=1000&pageToken={token}");
        let page = get(&front, &path, "reader").await;
        count += page["dockerImages"].as_array().unwrap().len();
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(count, 12_004);
}

#[tokio::test]
async fn packages_and_tags_are_filtered_by_pattern() {
    let front = Front::new();
    let packages = get(
        &front,
        &format!("{APPS}/packages?filter=name%3D%22*web*%22"),
        "reader",
    )
    .await;
    let names: Vec<&str> = packages["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["displayName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["web", "web/front"]);
    let tags = get(
        &front,
        &format!("{APPS}/packages/web/tags?filter=name%3D%22*/tags/v*%22"),
        "reader",
    )
    .await;
    assert_eq!(tags["tags"].as_array().unwrap().len(), 1);
    let version = tags["tags"][0]["version"].as_str().unwrap().to_owned();
    let same = get(
        &front,
        &format!("{APPS}/packages/web/tags?filter=version%3D%22{version}%22"),
        "reader",
    )
    .await;
    assert_eq!(same["tags"].as_array().unwrap().len(), 2);
    let one = get(
        &front,
        &format!("{APPS}/packages/web/tags/latest"),
        "reader",
    )
    .await;
    assert_eq!(one["version"], version);
}

#[tokio::test]
async fn enums_are_numbers_to_those_who_ask() {
    let front = Front::new();
    assert_eq!(get(&front, APPS, "reader").await["format"], "DOCKER");
    let numbers = get(
        &front,
        &format!("{APPS}?%24alt=json%3Benum-encoding%3Dint"),
        "reader",
    )
    .await;
    assert_eq!(
        (numbers["format"].clone(), numbers["mode"].clone()),
        (json!(1), json!(1))
    );
}

#[tokio::test]
async fn every_call_asks_for_its_own_permission() {
    let front = Front::new();
    for (path, permission) in [
        (APPS.to_owned(), "artifactregistry.repositories.get"),
        (
            format!("{APPS}/dockerImages"),
            "artifactregistry.dockerimages.list",
        ),
        (format!("{APPS}/packages"), "artifactregistry.packages.list"),
        (
            format!("{APPS}/packages/web/versions"),
            "artifactregistry.versions.list",
        ),
        (
            format!("{APPS}/packages/web/tags/v1"),
            "artifactregistry.tags.get",
        ),
    ] {
        let seen = front
            .rest(Method::GET, &path, "stranger", Value::Null)
            .await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        let detail = &seen.json()["error"]["details"][0];
        assert_eq!(
            (
                detail["reason"].as_str(),
                detail["metadata"]["permission"].as_str()
            ),
            (Some("IAM_PERMISSION_DENIED"), Some(permission))
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_missing_only_to_those_who_may_know() {
    let front = Front::new();
    let missing = "/v1/projects/acme/locations/europe-west1/repositories/missing/dockerImages";
    let status = async |name: &str| {
        front
            .rest(Method::GET, missing, name, Value::Null)
            .await
            .status
            .as_u16()
    };
    assert_eq!((status("admin").await, status("reader").await), (404, 403));
    let closed = "/v1/projects/closed/locations/europe-west1/repositories/apps";
    let seen = front.rest(Method::GET, closed, "admin", Value::Null).await;
    assert_eq!(
        seen.json()["error"]["details"][0]["reason"],
        "SERVICE_DISABLED"
    );
}

#[tokio::test]
async fn a_repository_is_made_changed_pushed_to_and_deleted() {
    let front = Front::new();
    let parent = "/v1/projects/acme/locations/us/repositories";
    let made = front
        .rest(
            Method::POST,
            &format!("{parent}?repositoryId=new"),
            "admin",
            json!({"format": "DOCKER"}),
        )
        .await
        .json();
    assert_eq!(
        (
            made["done"].clone(),
            made["response"]["registryUri"].clone()
        ),
        (json!(true), json!("us-docker.pkg.dev/acme/new"))
    );
    let again = front
        .rest(
            Method::POST,
            &format!("{parent}?repositoryId=new"),
            "admin",
            json!({"format": 1}),
        )
        .await;
    assert_eq!(again.json()["error"]["status"], "ALREADY_EXISTS");
    let change = json!({"dockerConfig": {"immutableTags": true}, "description": "not in the mask"});
    let path = format!("{parent}/new?updateMask=docker_config.immutable_tags");
    let changed = front
        .rest(Method::PATCH, &path, "admin", change)
        .await
        .json();
    assert_eq!(
        (changed["dockerConfig"].clone(), changed.get("description")),
        (json!({"immutableTags": true}), None)
    );
    let deleted = front
        .rest(
            Method::DELETE,
            &format!("{parent}/new"),
            "admin",
            Value::Null,
        )
        .await;
    assert_eq!(deleted.json()["done"], true);
    assert_eq!(
        get(&front, &format!("{parent}?pageSize=10"), "admin").await["repositories"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_policy_that_is_written_counts_at_the_next_pull() {
    let front = Front::new();
    let (manifest, policy) = (
        "/v2/acme/apps/web/manifests/v1",
        format!("{APPS}:setIamPolicy"),
    );
    let read = get(
        &front,
        &format!("{APPS}:getIamPolicy?options.requestedPolicyVersion=3"),
        "admin",
    )
    .await;
    assert_eq!(read["bindings"][0]["role"], "roles/artifactregistry.reader");
    assert_eq!(
        front.get(manifest, "stranger").await.status,
        StatusCode::FORBIDDEN
    );
    let bindings = json!([{"role": "roles/artifactregistry.reader", "members": ["user:stranger@acme.example"]}]);
    let body = json!({"policy": {"etag": read["etag"], "bindings": bindings}});
    let written = front
        .rest(Method::POST, &policy, "admin", body.clone())
        .await;
    assert_eq!(written.status, StatusCode::OK, "{}", written.json());
    assert_eq!(front.get(manifest, "stranger").await.status, StatusCode::OK);
    assert_eq!(
        front.get(manifest, "reader").await.status,
        StatusCode::FORBIDDEN
    );
    let again = front.rest(Method::POST, &policy, "admin", body).await;
    assert_eq!(
        again.json()["error"]["status"],
        "ABORTED",
        "the etag is an old one"
    );
}

#[tokio::test]
async fn anybody_may_ask_what_they_may_do() {
    let front = Front::new();
    let wanted = json!({"permissions": ["artifactregistry.repositories.downloadArtifacts", "artifactregistry.repositories.uploadArtifacts"]});
    let held = front
        .rest(
            Method::POST,
            &format!("{APPS}:testIamPermissions"),
            "reader",
            wanted.clone(),
        )
        .await
        .json();
    assert_eq!(
        held["permissions"],
        json!(["artifactregistry.repositories.downloadArtifacts"])
    );
    let none = front
        .rest(
            Method::POST,
            &format!("{APPS}:testIamPermissions"),
            "stranger",
            wanted,
        )
        .await;
    assert_eq!((none.status, none.json()), (StatusCode::OK, json!({})));
}

#[tokio::test]
async fn an_organization_keeps_repositories_out_of_locations() {
    let front = Front::new();
    let policy = json!({"rules": [{"values": {"allowedValues": ["in:eu-locations"]}}]});
    let policy = serde_json::from_value(policy).unwrap();
    front.google.change(|world| {
        let project = world.project_mut("acme").unwrap();
        project
            .org_policies
            .insert("gcp.resourceLocations".to_owned(), policy);
    });
    let create = async |location: &str| {
        let path = format!("/v1/projects/acme/locations/{location}/repositories?repositoryId=new");
        front
            .rest(Method::POST, &path, "admin", json!({"format": "DOCKER"}))
            .await
    };
    let refused = create("us-central1").await;
    let error = &refused.json()["error"];
    assert_eq!(
        (refused.status.as_u16(), error["status"].as_str()),
        (400, Some("FAILED_PRECONDITION"))
    );
    assert_eq!(
        error["details"][0]["reason"],
        "LOCATION_ORG_POLICY_VIOLATED"
    );
    assert_eq!(create("europe-west3").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_project_that_is_none_by_its_spelling_is_refused_as_such() {
    let front = Front::new();
    for (project, reason) in [
        ("Acme", Some("RESOURCE_PROJECT_INVALID")),
        ("-", Some("RESOURCE_PROJECT_INVALID")),
        ("ac me", Some("RESOURCE_PROJECT_INVALID")),
        ("example.com:web", Some("IAM_PERMISSION_DENIED")),
        ("acme", None),
        ("123456789012", None),
    ] {
        let path = format!("/v1/projects/{project}/locations/europe-west1/repositories/apps");
        let seen = front.rest(Method::GET, &path, "reader", Value::Null).await;
        let json = seen.json();
        let found = json["error"]["details"][0]["reason"].as_str();
        assert_eq!(found, reason, "{project}: {json}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_from_another_registry_for_who_may_not_look() {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let front = Front::new();
    front.google.change(|world| {
        let repository = &mut world.projects[0].repositories[0];
        // Nobody listens there.
        repository.backend = Some("http://127.0.0.1:1".to_owned());
    });
    let path = "/v1/projects/acme/locations/europe-west1/repositories/apps/dockerImages";
    for (name, status) in [("stranger", 403), ("reader", 501)] {
        let seen = front.rest(Method::GET, path, name, Value::Null).await;
        assert_eq!(seen.status.as_u16(), status, "{name}");
    }
}
