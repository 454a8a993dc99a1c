"""Files that people put into the Dataset's inbox; each content of each name is read once."""

from __future__ import annotations

from functools import partial

from modelyard_api.v1alpha1.sources import Source
from modelyard_loader.sources.bucket import Bucket
from modelyard_loader.sources.files import FilesSource, Listing, file_tags
from modelyard_loader.sources.reading import EmptySourceError, OpenSource, SourceContext
from modelyard_loader.sources.s3 import as_remote
from modelyard_runtime.errors import InvalidSpecError, PlatformError, StepError

_FIELD = "spec.source.upload"


def open_upload(source: Source, context: SourceContext) -> OpenSource:
    """What is in the inbox and was not consumed before. What was taken out of it stays loaded."""
    asked = source.upload
    if asked is None:
        raise InvalidSpecError("is not set", field=_FIELD)
    endpoint = context.store.endpoint
    inbox = f"{endpoint.prefix}/inbox/{context.owner.name}"
    where = f"the S3 store at {endpoint.endpoint_url or 'AWS'}"
    problem = partial(_platform, where, f"s3://{endpoint.bucket}/{inbox}/")
    client = context.store.client_of(endpoint.bucket, endpoint.endpoint_url, endpoint.region)
    bucket = Bucket(client, endpoint.bucket, where, problem, problem, context.patience)
    known = file_tags(context.consumed)
    found = [each for each in bucket.matching(f"{inbox}/**") if not _is_hidden(each.key)]
    if not found and not known:
        raise EmptySourceError(
            "the inbox is empty",
            field=_FIELD,
            remedy=f"put files below {bucket.uri(inbox)}/, for example rows.csv",
        )
    fresh = [as_remote(bucket, each) for each in found if each.tag not in known.get(bucket.uri(each.key), [])]
    return FilesSource(context, asked, _FIELD, Listing(fresh))


def _is_hidden(key: str) -> bool:
    return key.rsplit("/", 1)[-1].startswith(".")


def _platform(where: str, inbox: str, what: str = "") -> StepError:
    return PlatformError(
        f"{where} refuses the project's credentials{f' ({what})' if what else ''}",
        field=inbox,
        remedy="wait for the project's provisioning, or check the S3 keys of the project's Secret",
    )
