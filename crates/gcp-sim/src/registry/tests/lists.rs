//! Lists of tags and of images.

use super::*;

#[tokio::test]
async fn a_list_of_tags_tells_digests_and_times() {
    let front = Front::new();
    let manifest = front.get("/v2/acme/apps/web/manifests/v1", "reader").await;
    let digest = manifest.header("docker-content-digest").unwrap();
    let size: u64 = ["/config/size", "/layers/0/size"]
        .iter()
        .map(|size| manifest.json().pointer(size).unwrap().as_u64().unwrap())
        .sum();
    let expected = json!({
        "child": ["front"],
        "manifest": {digest: {
            "imageSizeBytes": size.to_string(),
            "layerId": "",
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "tag": ["latest", "v1"],
            "timeCreatedMs": "1767225600000",
            "timeUploadedMs": "1767225900000",
        }},
        "name": "acme/apps/web",
        "tags": ["latest", "v1"],
    });
    assert_eq!(
        front
            .get("/v2/acme/apps/web/tags/list", "reader")
            .await
            .json(),
        expected
    );
}

#[tokio::test]
async fn an_index_was_built_at_no_time() {
    let listing = Front::new()
        .get("/v2/acme/apps/web/front/tags/list", "reader")
        .await
        .json();
    let index = listing["manifest"]
        .as_object()
        .unwrap()
        .values()
        .find(|it| it["tag"] == json!(["v1"]))
        .unwrap()
        .clone();
    assert_eq!(index["timeCreatedMs"], "0");
    assert_eq!(
        listing["manifest"].as_object().unwrap().len(),
        3,
        "its images are listed without tags"
    );
}

#[tokio::test]
async fn pages_are_followed_by_their_links() {
    let front = Front::new();
    let (mut path, mut sizes) = ("/v2/acme/apps/many/tags/list?n=5000".to_owned(), Vec::new());
    loop {
        let page = front.get(&path, "reader").await;
        sizes.push(page.json()["tags"].as_array().unwrap().len());
        let Some(link) = page.header("link") else {
            break;
        };
        path = link
            .strip_prefix('<')
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap()
            .to_owned();
    }
    assert_eq!(sizes, [5000, 5000, 2000]);
}

#[tokio::test]
async fn a_repository_lists_its_images_as_children() {
    let front = Front::new();
    assert_eq!(
        front.get("/v2/acme/apps/tags/list", "reader").await.json()["child"],
        json!(["many", "web"])
    );
    let seen = front.get("/v2/acme/apps/none/tags/list", "reader").await;
    assert_eq!(
        seen.refusal(),
        (
            404,
            "NAME_UNKNOWN".to_owned(),
            "Package \"none\" not found".to_owned()
        )
    );
}

#[tokio::test]
async fn the_catalog_has_what_the_caller_may_pull_on_this_host() {
    let front = Front::new();
    let catalog = async |host: &str, name: &str| {
        let seen = front
            .send_to(
                host,
                Method::GET,
                "/v2/_catalog",
                Some(front.bearer(name)),
                Bytes::new(),
            )
            .await;
        seen.json()["repositories"].clone()
    };
    assert_eq!(
        catalog(HOST_NAME, "stranger").await,
        json!(["acme/open/web"])
    );
    let readers = json!([
        "acme/apps/many",
        "acme/apps/web",
        "acme/apps/web/front",
        "acme/open/web"
    ]);
    assert_eq!(catalog(HOST_NAME, "reader").await, readers);
    assert_eq!(catalog("gcr.io", "admin").await, json!(["acme/web"]));
    let page = front.get("/v2/_catalog?n=1", "reader").await;
    assert_eq!(
        page.header("link"),
        Some("</v2/_catalog?n=1&last=acme%2Fapps%2Fmany>; rel=\"next\"")
    );
}
