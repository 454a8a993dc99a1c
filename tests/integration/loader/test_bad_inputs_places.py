"""Places that rows cannot be had from: each has a name, nothing is published, nothing is lost."""

import pytest

from modelyard_api.contract.exit_codes import FailureClass
from tests.support.bad_inputs import HOUSES, Bad, Scene, asked, page, refused, store, table
from tests.support.hosting import Page

DATA, SPEC = FailureClass.DATA, FailureClass.INVALID_SPEC
_USER = "modelyard-tests"

STORES = [
    Bad(
        "a bucket that does not exist",
        asked({"s3": {"uri": "s3://no-such-bucket/rows.csv"}}),
        SPEC,
        ("spec.source.s3.uri = 's3://no-such-bucket/rows.csv'", "there is no bucket no-such-bucket"),
        "Correct the address",
    ),
    Bad(
        "an object that does not exist",
        lambda scene: scene.another({"s3": {"uri": scene.uri("gone.csv")}}),
        DATA,
        ("gone.csv': matches no object",),
        "Put files there",
    ),
    Bad(
        "a pattern that nothing matches",
        lambda scene: scene.another({"s3": {"uri": scene.uri("none/*.csv")}}),
        DATA,
        ("none/*.csv': matches no object",),
        "Put files there",
    ),
    Bad(
        "a wrong secret key",
        store({"access-key": _USER, "secret-key": "wrong"}),
        SPEC,
        ("credentialsSecret = 'lake'", "refuses the credentials"),
        "Put keys that are valid",
    ),
    Bad(
        "an unknown access key",
        store({"access-key": "nobody", "secret-key": "secret"}),
        SPEC,
        ("refuses the credentials (InvalidAccessKeyId)",),
        "Put keys that are valid",
    ),
    Bad(
        "credentials that have expired",
        store(
            {
                "access-key": _USER,
                "secret-key": "a secret of at least eight characters",
                "session-token": "old",
            }
        ),
        SPEC,
        ("refuses the credentials (InvalidTokenId)",),
        "Put keys that are valid",
    ),
    Bad(
        "a Secret without a key of it",
        store({"access-key": _USER}),
        SPEC,
        ("the key secret-key is not in the Secret",),
        "Make the Secret lake",
    ),
    Bad(
        "an inbox that is empty",
        asked({"upload": {}}),
        DATA,
        ("spec.source.upload: the inbox is empty",),
        "Put files below s3://",
    ),
]

WEB = [
    Bad(
        "a file with another digest",
        page(Page(b"id,a\n1,2\n"), content=HOUSES),
        DATA,
        ("spec.source.http.url", "the spec pins"),
        "If the new content is wanted",
    ),
    Bad(
        "a file that is gone",
        page(Page(status=404), content=HOUSES),
        SPEC,
        ("404 Not Found",),
        "Correct the URL",
    ),
    Bad(
        "a token that is refused",
        page(Page(status=401), content=HOUSES, secret={"token": "old"}),
        SPEC,
        ("401 Unauthorized",),
        "Set credentialsSecret",
    ),
    Bad(
        "a private address",
        page(Page(HOUSES), network={}),
        SPEC,
        ("127.0.0.1",),
        "Use a host of the internet",
    ),
    Bad(
        "a redirect",
        page(Page(status=302, headers={"Location": "http://127.0.0.1:1/rows.csv"}), content=HOUSES),
        SPEC,
        ("redirects to http://127.0.0.1:1/rows.csv, and redirects are not followed",),
        "Use that address",
    ),
    Bad(
        "a file that is too large",
        page(Page(HOUSES, promised=10**15), content=HOUSES),
        DATA,
        ("rows.csv", "is 1,000,000,000,000,000 bytes large"),
        "Split the file",
    ),
    Bad(
        "a Secret without a token",
        page(Page(HOUSES), secret={"tokn": "a"}),
        SPEC,
        ("the key token is not in the Secret",),
        "Make the Secret lake",
    ),
]

DATABASES = [
    Bad(
        "a query that writes",
        table("INSERT INTO houses VALUES (9)"),
        SPEC,
        ("spec.source.sql.query", "holds INSERT"),
        "Write one SELECT",
    ),
    Bad(
        "a write within a query",
        table("WITH gone AS (DELETE FROM houses RETURNING *) SELECT * FROM gone"),
        SPEC,
        ("holds DELETE",),
        "Write one SELECT",
    ),
    Bad(
        "a function that writes",
        table("SELECT 1 AS id, lo_creat(-1) AS a"),
        SPEC,
        ("calls lo_creat",),
        "Write one SELECT",
    ),
    Bad(
        "two statements",
        table("SELECT 1 AS id; DROP TABLE houses"),
        SPEC,
        ("is 2 statements instead of one",),
        "Write one SELECT",
    ),
    Bad(
        "a table that does not exist",
        table("SELECT * FROM nothing"),
        SPEC,
        ('relation "nothing" does not exist',),
        "Correct the query",
    ),
    Bad(
        "a wrong password",
        table("SELECT 1 AS id", password="wrong"),
        SPEC,
        ("refuses the credentials", "password authentication failed"),
        "Put keys that are valid",
    ),
    Bad(
        "a database that does not exist",
        table("SELECT 1 AS id", database="nowhere"),
        SPEC,
        ("its key database is not a database",),
        "Correct the key database",
    ),
    Bad(
        "a Secret without a password",
        table("SELECT 1 AS id", password=None),
        SPEC,
        ("the key password is not in the Secret",),
        "Make the Secret warehouse",
    ),
    Bad(
        "a type that has no canonical one",
        table("SELECT 1 AS id, ARRAY[1, 2] AS a"),
        SPEC,
        ("column a is of type int4[], which has no canonical type",),
        "Leave it out",
    ),
    Bad(
        "a division by zero in a query",
        table("SELECT i AS id, 1 / (i - 1) AS a FROM generate_series(1, 3) AS t(i)"),
        DATA,
        ("spec.source.sql.query", "division by zero"),
        "Correct the query",
    ),
    Bad("a query without rows", table("SELECT 1 AS id WHERE false"), DATA, ("no rows",), "Put rows"),
]

ALL = [*STORES, *WEB, *DATABASES]


@pytest.mark.parametrize("bad", ALL, ids=lambda bad: bad.what)
def test_it_has_a_name_and_changes_nothing(houses: Scene, bad: Bad) -> None:
    refused(houses, bad)
