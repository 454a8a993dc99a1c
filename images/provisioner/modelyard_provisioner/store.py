"""The bucket, and where the store can, a credential for each project that reaches its own prefix only."""

import json
import logging
from urllib.parse import urlsplit

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException, S3Error
from pydantic import JsonValue

from modelyard_provisioner.credentials import Credentials, Login
from modelyard_provisioner.errors import ProvisioningError, UnavailableError
from modelyard_provisioner.plan import Plan, Store

_LOG = logging.getLogger(__name__)
_STARTING = frozenset({"ServiceUnavailable", "SlowDown", "XMinioServerNotInitialized", "InternalError"})
_TIMEOUT = urllib3.Timeout(connect=5, read=20)


def provision(plan: Plan, credentials: Credentials) -> None:
    """Make the bucket if it is missing, and set the credentials' secrets and policies.

    Raises:
        UnavailableError: the store does not answer, or is still starting.
        ProvisioningError: it refuses the administrator or a request.
    """
    administrator = credentials.store_administrator()
    try:
        _ensure_bucket(plan.store, administrator)
        if plan.store.make_users:
            _ensure_users(plan, credentials, administrator)
        else:
            _LOG.info("store: projects share one credential, because this store makes none of its own")
    except S3Error as error:
        kind = UnavailableError if error.code in _STARTING else ProvisioningError
        raise kind(f"{plan.store.endpoint_url}: {error.code}: {error.message}") from error
    except MinioAdminException as error:
        # The exception says its status in its message only.
        kind = ProvisioningError if "Status: 4" in str(error) else UnavailableError
        raise kind(f"{plan.store.endpoint_url}: {error}") from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise UnavailableError(f"{plan.store.endpoint_url}: {error}") from error


def project_policy(bucket: str, prefix: str) -> dict[str, JsonValue]:
    """What the holder may do: everything under ``prefix/``, and nothing else, not even look."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}"],
                "Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}},
            },
            {"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": [f"arn:aws:s3:::{bucket}"]},
            {
                "Effect": "Allow",
                "Action": [
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
                "Resource": [f"arn:aws:s3:::{bucket}/{prefix}/*"],
            },
        ],
    }


def _ensure_bucket(store: Store, administrator: Login) -> None:
    # An empty address means AWS, whose clients find the endpoint by the region.
    url = urlsplit(store.endpoint_url or f"https://s3.{store.region}.amazonaws.com")
    client = Minio(
        endpoint=url.netloc,
        access_key=administrator.name,
        secret_key=administrator.secret,
        region=store.region,
        secure=url.scheme == "https",
        http_client=urllib3.PoolManager(timeout=_TIMEOUT, retries=False),
    )
    if not client.bucket_exists(bucket_name=store.bucket):
        try:
            client.make_bucket(bucket_name=store.bucket, location=store.region)
        except S3Error as error:
            # Made by somebody else in between.
            if error.code != "BucketAlreadyOwnedByYou":
                raise
        _LOG.info("store: made bucket %s", store.bucket)


def _ensure_users(plan: Plan, credentials: Credentials, administrator: Login) -> None:
    url = urlsplit(plan.store.endpoint_url)
    admin = MinioAdmin(
        endpoint=url.netloc,
        credentials=StaticProvider(administrator.name, administrator.secret),
        region=plan.store.region,
        secure=url.scheme == "https",
        http_client=urllib3.PoolManager(timeout=_TIMEOUT, retries=False),
    )
    holders = {project: credentials.project_store(project) for project in plan.projects}
    if plan.postgres.tracking_databases:
        holders[plan.store.tracking_prefix] = credentials.tracking_store()
    for prefix, login in holders.items():
        policy = f"modelyard-{prefix}"
        admin.policy_add(policy, policy=json.loads(json.dumps(project_policy(plan.store.bucket, prefix))))
        admin.user_add(login.name, login.secret)
        admin.policy_set(policy, user=login.name)
        _LOG.info("store: %s has a credential for %s/%s/", login.name, plan.store.bucket, prefix)
