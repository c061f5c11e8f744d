"""Google's own Python clients against the simulator. The first argument names a scenario, the environment the addresses."""

import base64
import json
import os
import sys
import urllib.request

import google.auth
import google.auth.transport.requests
import google.oauth2.credentials
from google.api_core.exceptions import Forbidden
from google.auth import identity_pool, impersonated_credentials
from google.auth.compute_engine import credentials as compute_engine
from google.cloud import iam_credentials_v1
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

APIS = os.environ["SIMULATOR_APIS"]
ACCOUNT = "kargo-project-web@acme-prod.iam.gserviceaccount.com"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def metadata():
    """Application default credentials find project and token at the metadata server, and get another when it ends."""
    credentials, project = google.auth.default(scopes=SCOPES)
    assert isinstance(credentials, compute_engine.Credentials), credentials
    request = google.auth.transport.requests.Request()
    credentials.refresh(request)
    first = credentials.token
    credentials.refresh(request)
    second = credentials.token
    pass_an_hour()
    credentials.refresh(request)
    return {
        "project": project,
        "simulated": first.startswith("ya29.sim-"),
        "cached": first == second,
        "another": credentials.token != first,
    }


def pass_an_hour():
    """Moves the simulator's clock to when every token has ended that was given out before."""
    address = f"http://{os.environ['SIMULATOR_ADMIN']}/clock"
    body = json.dumps({"advanceSeconds": 3601}).encode()
    urllib.request.urlopen(urllib.request.Request(address, body, {"content-type": "application/json"})).close()


def impersonated():
    """The pod's token becomes the account's."""
    credentials = minted(ACCOUNT)
    return {"valid": credentials.valid, "simulated": credentials.token.startswith("ya29.sim-")}


def impersonated_missing():
    """An account that does not exist: the client shows Google's words."""
    try:
        minted("kargo-project-ghost@acme-prod.iam.gserviceaccount.com")
    except google.auth.exceptions.RefreshError as error:
        return {"error": error.args[1]}
    return {"error": None}


def minted(account):
    credentials = acting_as(account)
    credentials.refresh(google.auth.transport.requests.Request())
    return credentials


def acting_as(account):
    source, _ = google.auth.default(scopes=SCOPES)
    endpoint = f"http://{APIS}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    return impersonated_credentials.Credentials(
        source_credentials=source,
        target_principal=account,
        target_scopes=SCOPES,
        lifetime=900,
        iam_endpoint_override=endpoint,
    )


def external_account():
    """A workload's own token is exchanged, and the account impersonated with what comes back."""
    info = {
        "type": "external_account",
        "audience": os.environ["STS_AUDIENCE"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://{APIS}/sts.googleapis.com/v1/token",
        "credential_source": {"file": os.environ["WORKLOAD_TOKEN_FILE"]},
        "service_account_impersonation_url":
            f"http://{APIS}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken",
    }
    credentials = identity_pool.Credentials.from_info(info, scopes=SCOPES)
    credentials.refresh(google.auth.transport.requests.Request())
    return {"simulated": credentials.token.startswith("ya29.sim-"), "account": credentials.service_account_email}


def iam_credentials():
    """The generated client of IAM Credentials, over REST."""
    source, _ = google.auth.default(scopes=SCOPES)
    client = iam_credentials_v1.IAMCredentialsClient(
        credentials=source, transport="rest", client_options={"api_endpoint": f"http://{APIS}"}
    )
    name = f"projects/-/serviceAccounts/{ACCOUNT}"
    answer = client.generate_access_token(name=name, scope=SCOPES)
    reason = None
    try:
        client.generate_access_token(name=name.replace("-web@", "-api@"), scope=SCOPES)
    except Forbidden as error:
        reason = error.reason
    return {"simulated": answer.access_token.startswith("ya29.sim-"), "reason": reason}


def administration():
    """The discovery clients, whose descriptions of the APIs come with them."""
    iam = service("iam", "v1")
    accounts = iam.projects().serviceAccounts()
    made = accounts.create(name="projects/acme-prod", body={"accountId": "kargo-project-new"}).execute()
    policy = accounts.getIamPolicy(resource=made["name"], options_requestedPolicyVersion=3).execute()
    policy["bindings"] = [{"role": "roles/iam.workloadIdentityUser", "members": ["user:ann@acme.example"]}]
    written = accounts.setIamPolicy(resource=made["name"], body={"policy": policy}).execute()
    role = iam.roles().get(name="roles/iam.workloadIdentityUser").execute()
    key = accounts.keys().create(name=made["name"], body={}).execute()
    manager = service("cloudresourcemanager", "v3")
    project = manager.projects().get(name="projects/acme-prod").execute()
    held = manager.projects().testIamPermissions(
        resource="projects/acme-prod", body={"permissions": ["resourcemanager.projects.get", "compute.disks.get"]}
    ).execute()
    clusters = service("container", "v1").projects().locations().clusters()
    cluster = clusters.get(name="projects/acme-prod/locations/europe-west1/clusters/main").execute()
    services = service("serviceusage", "v1").services()
    enabled = services.enable(name="projects/acme-prod/services/artifactregistry.googleapis.com", body={}).execute()
    policies = service("orgpolicy", "v2").projects().policies()
    effective = policies.getEffectivePolicy(
        name="projects/acme-prod/policies/iam.disableServiceAccountKeyCreation"
    ).execute()
    return {
        "account": made["email"],
        "written": written["bindings"],
        "role": "iam.serviceAccounts.getAccessToken" in role["includedPermissions"],
        "key": key["keyAlgorithm"],
        "project": project["projectId"],
        "held": held["permissions"],
        "pool": cluster["workloadIdentityConfig"]["workloadPool"],
        "enabled": enabled["response"]["service"]["state"],
        "effective": effective["spec"]["rules"],
    }


def key():
    """A JSON key signs for its account at the token endpoint, while it is enabled and the client's clock is right."""
    accounts = service("iam", "v1").projects().serviceAccounts()
    made = accounts.keys().create(name=f"projects/acme-prod/serviceAccounts/{ACCOUNT}", body={}).execute()
    info = json.loads(base64.b64decode(made["privateKeyData"]))
    info["token_uri"] = f"http://{APIS}/token"
    credentials = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
    credentials.refresh(google.auth.transport.requests.Request())
    accounts.keys().disable(name=made["name"], body={}).execute()
    disabled = refused(credentials)
    accounts.keys().enable(name=made["name"], body={}).execute()
    pass_an_hour()
    return {"disabled": disabled, "behind": refused(credentials)}


def refused(credentials):
    try:
        credentials.refresh(google.auth.transport.requests.Request())
    except google.auth.exceptions.RefreshError as error:
        return error.args[1]["error_description"]
    return None


def assets():
    """Cloud Asset by its discovery client: search, the policies above a repository, and who holds what."""
    asset = service("cloudasset", "v1")
    found = asset.v1().searchAllIamPolicies(
        scope="projects/acme-prod", query=f'policy:"{ACCOUNT}"', pageSize=500
    ).execute()
    kinds = asset.v1().searchAllResources(
        scope="projects/acme-prod", assetTypes=["iam.googleapis.com/ServiceAccount"]
    ).execute()
    repository = "//artifactregistry.googleapis.com/projects/acme-prod/locations/europe/repositories/apps"
    effective = asset.effectiveIamPolicies().batchGet(scope="projects/acme-prod", names=[repository]).execute()
    analysis = asset.v1().analyzeIamPolicy(
        scope="projects/acme-prod",
        analysisQuery_resourceSelector_fullResourceName=repository,
        analysisQuery_accessSelector_permissions=["artifactregistry.repositories.downloadArtifacts"],
    ).execute()
    try:
        asset.v1().searchAllIamPolicies(scope="organizations/1").execute()
        refused = None
    except HttpError as error:
        refused = [error.reason, error.error_details[0]["links"][0]["description"]]
    return {
        "bindings": [result["policy"]["bindings"] for result in found["results"]],
        "accounts": len(kinds["results"]),
        "attached": [info["attachedResource"] for info in effective["policyResults"][0]["policies"]],
        "identities": [
            result["identityList"]["identities"][0]["name"] for result in analysis["mainAnalysis"]["analysisResults"]
        ],
        "refused": refused,
    }


def pubsub():
    """Pub/Sub by its discovery client: a push to the registry is heard of on the topic gcr."""
    projects = service("pubsub", "v1").projects()
    topic = projects.topics().create(name="projects/acme-prod/topics/gcr", body={}).execute()
    subscription = projects.subscriptions().create(
        name="projects/acme-prod/subscriptions/pushes", body={"topic": topic["name"], "ackDeadlineSeconds": 20}
    ).execute()
    data = base64.b64encode(b'{"action":"INSERT"}').decode()
    projects.topics().publish(topic=topic["name"], body={"messages": [{"data": data}]}).execute()
    pulled = projects.subscriptions().pull(subscription=subscription["name"], body={"maxMessages": 10}).execute()
    received = pulled["receivedMessages"]
    acknowledged = projects.subscriptions().acknowledge(
        subscription=subscription["name"], body={"ackIds": [received[0]["ackId"]]}
    ).execute()
    empty = projects.subscriptions().pull(
        subscription=subscription["name"], body={"maxMessages": 10, "returnImmediately": True}
    ).execute()
    try:
        projects.topics().get(topic="projects/acme-prod/topics/none").execute()
        missing = None
    except HttpError as error:
        missing = error.reason
    return {
        "deadline": subscription["ackDeadlineSeconds"],
        "message": json.loads(base64.b64decode(received[0]["message"]["data"])),
        "acknowledged": acknowledged,
        "empty": empty,
        "missing": missing,
    }


def service(name, version):
    credentials = google.oauth2.credentials.Credentials(os.environ["OPERATOR_TOKEN"])
    endpoint = {"api_endpoint": f"http://{APIS}/{name}.googleapis.com"}
    return build(name, version, credentials=credentials, client_options=endpoint, static_discovery=True)


SCENARIOS = [
    metadata,
    impersonated,
    impersonated_missing,
    external_account,
    iam_credentials,
    administration,
    key,
    assets,
    pubsub,
]

if __name__ == "__main__":
    wanted = next(scenario for scenario in SCENARIOS if scenario.__name__ == sys.argv[1])
    print(json.dumps(wanted()))
