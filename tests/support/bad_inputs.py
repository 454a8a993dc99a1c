"""A project with a Dataset that was loaded well, and ways of asking it for what cannot be done."""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.outcome import Outcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, SOURCE_VARIABLE, LoadStep, Step
from modelyard_loader.dispatch import carry_out
from modelyard_runtime.errors import StepError
from modelyard_runtime.s3 import ObjectStore
from tests.support.hosting import Host, Page
from tests.support.loading import LoaderRun
from tests.support.postgres import DATABASE
from tests.support.s3 import BUCKET

HOUSES = b"id,price,rooms,town\n1,100.5,3,Ulm\n2,200.25,4,Bonn\n3,,5,Ulm\n4,400.0,,Kiel\n"
_FIRST = "houses/1.csv"
_UNFINISHED = ("/staging/", "/batches/", "/variants/")
"""Objects that no document names yet: a step that ends early may leave them to the sweep."""

Json = Mapping[str, Any]
Record = Mapping[str, object]


@dataclass(frozen=True)
class Scene:
    """A project, the Dataset ``houses`` in it with one load, and places for files beside the project's record."""

    run: LoaderRun
    secrets: Path
    """The keys of the source's Secret."""
    host: Host
    digests: list[str] = field(default_factory=list)
    """Contents of the good load."""

    def put(self, key: str, content: bytes) -> None:
        """Makes a file of the lake."""
        assert self._store.create(self._key(key), content)

    def remove(self, key: str) -> None:
        """Takes a file of the lake away, if it is there."""
        self._store.delete(self._key(key))

    def replaced(self, key: str, content: bytes) -> None:
        """Puts another file in the place of one."""
        self.remove(key)
        self.put(key, content)

    def uri(self, key: str) -> str:
        """Address of files of the lake."""
        return f"s3://{BUCKET}/{self._key(key)}"

    def mount(self, secret: Json) -> None:
        """Gives the source's Secret its keys."""
        for name, value in secret.items():
            (self.secrets / name).write_text(value)

    def houses(self, **changes: object) -> LoadStep:
        """A step of the good Dataset, with changes as they are spelt on the wire."""
        return self._step(self.run, {"source": {"s3": {"uri": self.uri("houses/*.csv")}}, **changes})

    def another(self, source: Json, **changes: object) -> LoadStep:
        """The first step of another Dataset, with changes as they are spelt on the wire."""
        run = replace(self.run, name="other", uid=str(uuid.uuid4()))
        return self._step(run, {"source": source, **changes})

    def carry_out(self, step: LoadStep) -> Outcome:
        """What a pod would answer. A defect is raised as it is."""
        environment = {
            **os.environ,
            CREDENTIALS_VARIABLE: str(self.run.mounted()),
            SOURCE_VARIABLE: str(self.secrets),
            PROGRESS_VARIABLE: "0",
        }
        try:
            return carry_out(Step(load=step), environment)
        except StepError as error:
            return Outcome(failure=error.failure())

    def record(self) -> Record:
        """All that is published or written: every table of the project, and every object that a document names."""
        schema = self.run.project.schema
        found: dict[str, object] = {}
        with self.run.postgres.administrator() as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
            for (name,) in tables.fetchall():
                rows = sql.SQL("SELECT row_to_json(t)::text FROM {} t ORDER BY 1")
                found[str(name)] = connection.execute(
                    rows.format(sql.Identifier(schema, str(name)))
                ).fetchall()
        keys = self._store.keys(schema)
        found["objects"] = sorted(key for key in keys if not any(part in key for part in _UNFINISHED))
        return found

    @property
    def _store(self) -> ObjectStore:
        return self.run.s3.store("")

    def _key(self, key: str) -> str:
        return f"lake/{self.run.project.schema}/{key}"

    @staticmethod
    def _step(run: LoaderRun, changes: Mapping[str, object]) -> LoadStep:
        plain = run.step([{"name": "v1"}]).to_wire()
        return LoadStep.model_validate({**plain, "primaryKey": ["id"], **changes})


@contextmanager
def scene(run: LoaderRun) -> Iterator[Scene]:
    """A scene for the time of the block, after the good load."""
    secrets = run.directory / "source"
    secrets.mkdir()
    with Host().running() as host:
        ready = Scene(replace(run, name="houses"), secrets, host)
        ready.put(_FIRST, HOUSES)
        outcome = ready.carry_out(ready.houses())
        assert outcome.load is not None, outcome
        ready.digests.extend(each.digest for each in outcome.load.variants)
        yield ready


Ask = Callable[[Scene], LoadStep]


@dataclass(frozen=True)
class Bad:
    """Something that cannot be done: how it is asked for, and what the answer says."""

    what: str
    ask: Ask
    failure: FailureClass
    says: tuple[str, ...]
    """Field, value and reason, as they stand in the message."""
    remedy: str
    """How the remedy begins."""


def file(content: bytes, name: str = "rows.csv", options: Json | None = None, **changes: object) -> Ask:
    """A first load of one file; ``options`` are those of the source."""

    def ask(scene: Scene) -> LoadStep:
        scene.replaced(f"bad/{name}", content)
        return scene.another({"s3": {"uri": scene.uri(f"bad/{name}"), **(options or {})}}, **changes)

    return ask


def files(contents: Mapping[str, bytes], pattern: str, **changes: object) -> Ask:
    """A first load of several files."""

    def ask(scene: Scene) -> LoadStep:
        for name, content in contents.items():
            scene.replaced(f"several/{name}", content)
        return scene.another({"s3": {"uri": scene.uri(f"several/{pattern}")}}, **changes)

    return ask


def more(content: bytes, **changes: object) -> Ask:
    """A further file of the good Dataset, and the step that comes upon it."""

    def ask(scene: Scene) -> LoadStep:
        scene.replaced("houses/2.csv", content)
        return scene.houses(sequence=2, refresh=True, **changes)

    return ask


def instead(content: bytes | None) -> Ask:
    """Another file in place of the good Dataset's, or none, and the step that comes upon it."""

    def ask(scene: Scene) -> LoadStep:
        scene.remove(_FIRST)
        if content is not None:
            scene.put(_FIRST, content)
        return scene.houses(sequence=2, refresh=True)

    return ask


def edited(**changes: object) -> Ask:
    """The good Dataset after an edit of its spec."""
    return lambda scene: scene.houses(trigger="Edit", **changes)


def transformed(*transforms: Json) -> Ask:
    """The good Dataset after an edit: a variant with these transforms."""
    return edited(variants=[{"name": "v1"}, {"name": "v2", "from": "v1", "transforms": list(transforms)}])


def table(query: str, **secret: str | None) -> Ask:
    """A first load of a query to the project's own database; ``secret`` changes keys of the Secret, None leaves one out."""

    def ask(scene: Scene) -> LoadStep:
        keys = {
            "host": "127.0.0.1",
            "port": str(scene.run.postgres.port),
            "database": DATABASE,
            "username": scene.run.project.username,
            "password": scene.run.project.password,
            **secret,
        }
        scene.mount({name: value for name, value in keys.items() if value is not None})
        return scene.another({"sql": {"credentialsSecret": {"name": "warehouse"}, "query": query}})

    return ask


def page(
    served: Page, *, content: bytes | None = None, network: Json | None = None, secret: Json | None = None
) -> Ask:
    """A first load of a page; the digest is that of ``content``, or of what is served."""

    def ask(scene: Scene) -> LoadStep:
        pinned = hashlib.sha256(served.content if content is None else content).hexdigest()
        scene.host.pages["/rows.csv"] = served
        document: dict[str, Any] = {"url": scene.host.url("/rows.csv"), "sha256": pinned}
        if secret is not None:
            scene.mount(secret)
            document["credentialsSecret"] = {"name": "lake"}
        rules = {"privateAddresses": True} if network is None else network
        return scene.another({"http": document}, network=rules)

    return ask


def store(secret: Json, uri: str | None = None) -> Ask:
    """A first load from the store with the keys of a Secret."""

    def ask(scene: Scene) -> LoadStep:
        scene.mount(secret)
        document = {"uri": uri or scene.uri("houses/*.csv"), "credentialsSecret": {"name": "lake"}}
        return scene.another({"s3": document})

    return ask


def asked(document: Json, **changes: object) -> Ask:
    """A first load from any source that needs nothing around it."""
    return lambda scene: scene.another(document, **changes)


def restored(scene: Scene) -> None:
    """Puts the good Dataset's files back, and takes the Secret's keys away."""
    scene.remove("houses/2.csv")
    scene.replaced(_FIRST, HOUSES)
    for path in scene.secrets.iterdir():
        path.unlink()


def refused(scene: Scene, bad: Bad) -> None:
    """Asks for it, and checks the answer and that nothing was published and nothing lost."""
    before = scene.record()
    step = bad.ask(scene)
    try:
        outcome = scene.carry_out(step)
    finally:
        restored(scene)
    assert outcome.failure is not None, outcome
    found = outcome.failure
    assert found.failure_class is bad.failure, found
    assert not [words for words in bad.says if words not in found.message], found.sentence()
    assert found.remedy.startswith(bad.remedy), found.sentence()
    assert bad.remedy
    assert scene.record() == before
