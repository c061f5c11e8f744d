"""Google's own client of Artifact Registry, over REST: what it makes of a simulated repository."""

import json
import os

import google.auth
import google.oauth2.credentials
from google.api_core.exceptions import Forbidden, NotFound
from google.cloud import artifactregistry_v1

from clients import acting_as

APIS = os.environ["SIMULATOR_APIS"]
LOCATION = "projects/acme/locations/europe-west1"
APPS = f"{LOCATION}/repositories/apps"


ACCOUNT = "kargo-project-web@acme.iam.gserviceaccount.com"


def client_with(credentials):
    return artifactregistry_v1.ArtifactRegistryClient(
        credentials=credentials, transport="rest", client_options={"api_endpoint": f"http://{APIS}"}
    )


def client_of(token):
    return client_with(google.oauth2.credentials.Credentials(token))


def seen_as_the_account():
    """The pod's token becomes the account's, which the client gets for itself and lists images with."""
    credentials = acting_as(ACCOUNT)
    images = list(client_with(credentials).list_docker_images(parent=APPS))
    return {"images": len(images), "simulated": credentials.token.startswith("ya29.sim-")}


def refusal(call):
    try:
        call()
    except (Forbidden, NotFound) as error:
        return {"code": error.code, "reason": error.reason}
    return None


def main():
    client = client_of(os.environ["READER_TOKEN"])
    images = list(client.list_docker_images(request={"parent": APPS, "page_size": 7}))
    web = next(image for image in images if "v1" in image.tags)
    same = client.get_docker_image(name=web.name)
    newest = client.list_versions(
        request={"parent": f"{APPS}/packages/many", "view": "FULL", "order_by": "update_time desc", "page_size": 1}
    )
    newest = next(iter(newest))
    tags = list(client.list_tags(request={"parent": f"{APPS}/packages/team%2Fweb"}))
    repository = client.get_repository(name=APPS)
    stranger = client_of(os.environ["STRANGER_TOKEN"])
    pod, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    return {
        "images": len(images),
        "built": web.build_time.isoformat(),
        "platforms": sorted(manifest.architecture for manifest in web.image_manifests),
        "same": same == web,
        "newest": newest.related_tags[0].name.rsplit("/", 1)[1],
        "size": newest.metadata["imageSizeBytes"].isdigit(),
        "tags": [tag.name.rsplit("/", 1)[1] for tag in tags],
        "packages": [package.display_name for package in client.list_packages(parent=APPS)],
        "format": repository.format_.name,
        "repositories": [it.name == APPS for it in client_of(os.environ["OWNER_TOKEN"]).list_repositories(parent=LOCATION)],
        "denied": refusal(lambda: stranger.get_repository(name=APPS)),
        "account": seen_as_the_account(),
        "pod": refusal(lambda: client_with(pod).get_repository(name=APPS)),
        "missing": refusal(lambda: client.get_package(name=f"{APPS}/packages/none")),
    }


if __name__ == "__main__":
    print(json.dumps(main()))
