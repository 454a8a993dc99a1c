"""The platform's images: built in the order in which they stand on one another, each only when it would differ."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from bringup.building import PASSED_ON, Build, build_image
from bringup.cluster import Cluster
from bringup.context import Context
from bringup.dockerfile import Dockerfile, expand
from bringup.errors import BringUpError
from bringup.keys import files_under, key_of
from bringup.registry import Registry, ensure_debian, image_id, key_label, present
from bringup.tools import TOOLS, ensure_tools

PREFIX = "modelyard/"
_BINARIES = "build/bin/"
_KEY_CHARACTERS = 12


@dataclass(frozen=True)
class Recipe:
    """One image before it is built; `files` are by their path in the repository, which is the context."""

    name: str
    dockerfile: str
    parsed: Dockerfile
    files: dict[str, Path]

    @property
    def platform_bases(self) -> tuple[str, ...]:
        """Names of the images of ours that this one starts from."""
        own = [b.removeprefix(PREFIX).partition(":")[0] for b in self.parsed.bases if b.startswith(PREFIX)]
        return tuple(own)


@dataclass(frozen=True)
class Image:
    """A built image: its name for people, and a tag that says what it was built from."""

    name: str
    version: str
    key: str

    @property
    def tag(self) -> str:
        return f"{self.version}-{self.key[:_KEY_CHARACTERS]}"

    @property
    def reference(self) -> str:
        return f"{PREFIX}{self.name}:{self.tag}"

    @property
    def plain_reference(self) -> str:
        return f"{PREFIX}{self.name}:{self.version}"


def platform_version(repository: Path) -> str:
    """The version of the platform, as its API package states it."""
    text = (repository / "operator" / "api" / "pyproject.toml").read_text()
    return str(tomllib.loads(text)["project"]["version"])


def image_names(context: Context) -> list[str]:
    """The images that the repository describes, but for the node's."""
    folders = sorted(f.parent.name for f in context.paths.images.glob("*/Dockerfile"))
    return [name for name in folders if name != "node"]


def recipes(context: Context, names: Iterable[str]) -> list[Recipe]:
    """The named images and those that they stand on, in building order."""
    known = set(image_names(context))
    found: dict[str, Recipe] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise BringUpError(f"there is no images/{name}/Dockerfile")
        if name not in found:
            found[name] = _recipe(context, context.paths.images / name / "Dockerfile")
            waiting += found[name].platform_bases
    return [found[name] for name in building_order({n: r.platform_bases for n, r in found.items()})]


def building_order(bases: Mapping[str, Iterable[str]]) -> list[str]:
    """Names in an order in which every base comes first; the same order every time."""
    graph = TopologicalSorter(bases)
    graph.prepare()
    order: list[str] = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        order += ready
        graph.done(*ready)
    return order


def ensure_images(context: Context, registry: Registry, names: Iterable[str]) -> list[Image]:
    """Builds what would differ and returns the named images and those that they stand on."""
    version = platform_version(context.paths.repository)
    built: dict[str, Image] = {}
    for recipe in recipes(context, names):
        image = Image(recipe.name, version, _key(context, registry, recipe, built))
        if key_label(context, image.reference) != image.key:
            with context.reporter.step(f"image: building {image.plain_reference}"):
                _build(context, recipe, image)
        else:
            context.shell.ask(["docker", "tag", image.reference, image.plain_reference])
        built[recipe.name] = image
    return list(built.values())


def load_images(context: Context, cluster: Cluster, images: list[Image]) -> None:
    """Gives the node those images that it does not have."""
    ask = ["docker", "exec", cluster.node, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]
    there = (context.shell.ask(ask) or "").splitlines()
    absent = [i for i in images if f"docker.io/{i.reference}" not in there]
    if not absent:
        return
    names = ", ".join(i.name for i in absent)
    with context.reporter.step(f"cluster: loading {names}"):
        import_images(context, cluster, [r for i in absent for r in (i.reference, i.plain_reference)])


def import_images(context: Context, cluster: Cluster, references: list[str]) -> None:
    """Gives images to the node as `kind load` does it, without an archive on disk and with shared layers sent once."""
    into = [
        "docker",
        "exec",
        "--interactive",
        cluster.node,
        "ctr",
        "--namespace",
        "k8s.io",
        "images",
        "import",
    ]
    options = ["--all-platforms", "--digests", "--snapshotter=overlayfs", "-"]
    context.shell.pipe("load-images", ["docker", "save", *references], [*into, *options])


def _recipe(context: Context, dockerfile: Path) -> Recipe:
    root = context.paths.repository
    parsed = Dockerfile.parse(dockerfile.read_text())
    name = str(dockerfile.relative_to(root))
    files = {name: dockerfile}
    for source in parsed.sources:
        if source.startswith(_BINARIES):
            files |= _binary(context, source)
            continue
        paths = expand(root, source)
        if not paths:
            raise BringUpError(f"{name} copies {source}, which is not there")
        files |= {str(f.relative_to(root)): f for path in paths for f in files_under(path)}
    return Recipe(dockerfile.parent.name, name, parsed, files)


def _binary(context: Context, source: str) -> dict[str, Path]:
    """A program that is built from its module, also left where `docker build .` would look for it."""
    binary = source.removeprefix(_BINARIES)
    tool = next(t for t in TOOLS.values() if binary in t.binaries)
    path = ensure_tools(context, [tool.name])[binary].resolve()
    place = context.paths.repository / source
    if not place.exists() or place.stat().st_size != path.stat().st_size:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{binary}.new")
        fresh.write_bytes(path.read_bytes())
        fresh.chmod(0o755)
        fresh.rename(place)
    return {source: path}


def _key(context: Context, registry: Registry, recipe: Recipe, built: dict[str, Image]) -> str:
    root = context.paths.repository
    bases = [built[name].key for name in recipe.platform_bases]
    foreign = [base for base in recipe.parsed.bases if not base.startswith(PREFIX)]
    bases += [_foreign_base(context, registry, base) for base in foreign]
    binaries = [str(p) for name, p in recipe.files.items() if name.startswith(_BINARIES)]
    sources = [p for name, p in sorted(recipe.files.items()) if not name.startswith(_BINARIES)]
    return key_of([recipe.name, *bases, *binaries], sources, root)


def _foreign_base(context: Context, registry: Registry, base: str) -> str:
    if base.startswith("debian:") and base.endswith("-slim"):
        base = ensure_debian(context, registry, base.removeprefix("debian:").removesuffix("-slim"))
    elif not present(context, base) and not registry.pull(base):
        raise BringUpError(f"{base} cannot be pulled, and there is no way to build it here")
    return image_id(context, base)


def _build(context: Context, recipe: Recipe, image: Image) -> None:
    arguments = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    build = Build(
        tags=(image.reference, image.plain_reference),
        key=image.key,
        files=recipe.files,
        dockerfile=recipe.dockerfile,
        arguments=arguments,
    )
    build_image(context, build, f"image-{image.name}")
