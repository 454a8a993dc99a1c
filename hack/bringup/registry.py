"""Images in the engine: there already, pulled, or made here."""

from pathlib import Path

from bringup.context import Context
from bringup.debian import root_archive
from bringup.errors import BringUpError, CommandFailedError
from bringup.shell import Options

KEY_LABEL = "modelyard.dev/key"
_PULL_SECONDS = 600.0
_FIRST_ANSWER_SECONDS = 20.0


class Registry:
    """Knows, for the time of one command, which registries did not answer, so that each is waited for once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._silent: set[str] = set()

    def pull(self, reference: str) -> bool:
        """Tries to pull an image; False if its registry cannot be reached or does not have it."""
        host = registry_of(reference)
        if host in self._silent or not self._has(host, reference):
            return False
        try:
            with self._context.reporter.step(f"pulling {reference}"):
                self._context.shell.run("pull", ["docker", "pull", reference], Options(timeout=_PULL_SECONDS))
        except BringUpError:
            return False
        return True

    def _has(self, host: str, reference: str) -> bool:
        options = Options(timeout=_FIRST_ANSWER_SECONDS)
        said: list[str] = []
        try:
            self._context.shell.run("registry", ["docker", "manifest", "inspect", reference], options)
        except CommandFailedError as error:
            said = error.tail
        except BringUpError:
            said = ["no answer in time"]
        else:
            return True
        text = "\n".join(said)
        if "experimental" in text:
            # This engine cannot look without pulling; it may pull all the same.
            return True
        if "no such manifest" not in text and "manifest unknown" not in text:
            self._silent.add(host)
            self._context.reporter.say(f"  {host} gives no images here; what it would have given is built")
        return False


def registry_of(reference: str) -> str:
    """The host part of an image's name, with the default that the engine uses."""
    first = reference.split("/", 1)[0]
    named = "/" in reference and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


def pulled(context: Context, reference: str) -> bool:
    """Whether the engine has the image from a registry, rather than from a build on this machine."""
    digests = context.shell.ask(["docker", "image", "inspect", "--format", "{{len .RepoDigests}}", reference])
    return digests is not None and digests != "0"


def present(context: Context, reference: str) -> bool:
    """Whether the engine has the image."""
    return context.shell.ask(["docker", "image", "inspect", reference]) is not None


def key_label(context: Context, reference: str) -> str | None:
    """The content key that an image was built from, if it is there and was built here."""
    template = f'{{{{index .Config.Labels "{KEY_LABEL}"}}}}'
    return context.shell.ask(["docker", "image", "inspect", "--format", template, reference])


def image_id(context: Context, reference: str) -> str:
    """The engine's own identity of an image that is there."""
    said = context.shell.ask(["docker", "image", "inspect", "--format", "{{.Id}}", reference])
    if said is None:
        raise BringUpError(f"the engine has no image {reference}")
    return said


def ensure_debian(context: Context, registry: Registry, suite: str) -> str:
    """Makes `debian:SUITE-slim` present and returns its name."""
    reference = f"debian:{suite}-slim"
    if present(context, reference) or registry.pull(reference):
        return reference
    archive = root_archive(context, suite)
    with context.reporter.step(f"base: importing {reference}"):
        argv: list[str | Path] = ["docker", "import", "--change", 'CMD ["bash"]', archive, reference]
        context.shell.run(f"import-{suite}", argv)
    return reference
