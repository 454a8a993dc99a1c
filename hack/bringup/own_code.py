"""The images of the samples with own code, under the names that their TrainingJobs give them, and given to the node."""

import os
from pathlib import Path

from bringup.building import PASSED_ON, Build, build_image
from bringup.cluster import Cluster
from bringup.context import Context
from bringup.images import import_images
from bringup.keys import files_under, key_of
from bringup.registry import Registry, ensure_debian, image_id, key_label

_REGISTRY = "registry.example.com"


def own_code_name(folder: Path) -> str:
    """The image of a sample's folder. No registry has it: the node takes the one that it is given."""
    return f"{_REGISTRY}/{folder.name}:1"


def own_code_folders(context: Context) -> list[Path]:
    """The samples that are images."""
    return sorted(f.parent for f in (context.paths.manifests / "samples" / "containers").glob("*/Dockerfile"))


def provide_own_code(context: Context, registry: Registry, cluster: Cluster) -> list[str]:
    """Builds those that would differ, gives all of them to the node, and returns their names."""
    base = image_id(context, ensure_debian(context, registry, "trixie"))
    names = [_ensure(context, folder, base) for folder in own_code_folders(context)]
    with context.reporter.step(f"cluster: loading {', '.join(names)}"):
        import_images(context, cluster, names)
    return names


def _ensure(context: Context, folder: Path, base: str) -> str:
    name, files = own_code_name(folder), files_under(folder)
    key = key_of([name, base], files, folder)
    if key_label(context, name) == key:
        return name
    build = Build(
        tags=(name,),
        key=key,
        files={str(file.relative_to(folder)): file for file in files},
        arguments={word: os.environ[word] for word in PASSED_ON if os.environ.get(word)},
    )
    with context.reporter.step(f"image: building {name}"):
        build_image(context, build, f"image-own-{folder.name}")
    return name
