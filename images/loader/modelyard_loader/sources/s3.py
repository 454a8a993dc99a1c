"""Files of any S3 bucket; each object is read once, and anew when it has other content."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from modelyard_api.contract.steps import S3Endpoint
from modelyard_api.v1alpha1.sources import S3Source, Source
from modelyard_loader.sources.bucket import Bucket, Listed
from modelyard_loader.sources.files import FilesSource, Listing, RemoteFile, file_tags, without_files
from modelyard_loader.sources.reading import EmptySourceError, OpenSource, SourceContext
from modelyard_loader.sources.secret import SourceSecret
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import InvalidSpecError, StepError
from modelyard_runtime.s3 import LONG_SECONDS, Outage, s3_client

_FIELD = "spec.source.s3"


def open_s3(source: Source, context: SourceContext) -> OpenSource:
    """The objects that match and were not consumed before, or have other content since."""
    asked = source.s3
    if asked is None:
        raise InvalidSpecError("is not set", field=_FIELD)
    name, _, pattern = asked.uri.removeprefix("s3://").partition("/")
    bucket = _bucket(asked, name, context)
    found = bucket.matching(pattern)
    known = file_tags(context.consumed)
    if not found and not known:
        raise EmptySourceError(
            "matches no object",
            field=f"{_FIELD}.uri",
            value=asked.uri,
            remedy="put files there, or correct the address",
        )
    listing = _listing(bucket, found, known)
    left = without_files(context.consumed, listing.changed)
    # Where every object is read anew, rows count from the first.
    first_row = context.first_row if file_tags(left) else 1
    return FilesSource(replace(context, consumed=left, first_row=first_row), asked, _FIELD, listing)


def _listing(bucket: Bucket, found: list[Listed], known: dict[str, list[str]]) -> Listing:
    objects = {bucket.uri(each.key): as_remote(bucket, each) for each in found}
    # The last content counts: an object that is put back as it was before has changed again.
    same = {name for name, each in objects.items() if name in known and each.tag == known[name][-1]}
    return Listing(
        fresh=[each for name, each in objects.items() if name not in same],
        changed=tuple(name for name in known if name in objects and name not in same),
        vanished=tuple(name for name in known if name not in objects),
        same=[each for name, each in objects.items() if name in same],
    )


def as_remote(bucket: Bucket, listed: Listed) -> RemoteFile:
    """An object as a file to fetch."""
    return RemoteFile(bucket.uri(listed.key), listed.tag, partial(bucket.fetch, listed))


def _bucket(asked: S3Source, name: str, context: SourceContext) -> Bucket:
    own = context.store.endpoint
    url = asked.endpoint_url or own.endpoint_url
    region = asked.region if asked.endpoint_url or "region" in asked.model_fields_set else own.region
    where = f"the S3 store at {url or 'AWS'}"
    missing = partial(_no_bucket, asked.uri, name, where)
    if asked.credentials_secret is None:
        client = context.store.client_of(name, url, region)
        return Bucket(client, name, where, partial(_own_refused, asked.uri, where), missing, context.patience)
    secret = SourceSecret(context.secrets, f"{_FIELD}.credentialsSecret", asked.credentials_secret.name)
    client = s3_client(
        S3Endpoint(endpoint_url=url, region=region, bucket=name, prefix=""),
        Login(secret.required("access-key"), secret.required("secret-key")),
        Outage(),
        session_token=secret.optional("session-token"),
        seconds=LONG_SECONDS,
    )
    return Bucket(client, name, where, partial(secret.refused, where), missing, context.patience)


def _no_bucket(uri: str, name: str, where: str) -> StepError:
    return InvalidSpecError(
        f"there is no bucket {name} at {where}",
        field=f"{_FIELD}.uri",
        value=uri,
        remedy="correct the address, or set endpointUrl to the store that has it",
    )


def _own_refused(uri: str, where: str, what: str) -> StepError:
    return InvalidSpecError(
        f"{where} refuses the project's own credentials{f' ({what})' if what else ''}",
        field=f"{_FIELD}.uri",
        value=uri,
        remedy="set credentialsSecret to a Secret whose keys may read there",
    )
