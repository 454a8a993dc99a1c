"""How the operator asks the warm loader what became of its steps."""

from datetime import timedelta

import pytest
from aiohttp import web

from modelyard_api.contract.warm import WARM_PATH, WarmPage, WarmState
from modelyard_operator.serving.warm import WarmLoaders
from tests.support.ports import free_port
from tests.unit.operator.making import NOW

SAID = WarmPage(steps={"houses-1": WarmState(handed_at=NOW, begun_at=NOW)})


class Pod:
    """A warm loader's page."""

    def __init__(self) -> None:
        self.asked = 0
        self.text = SAID.model_dump_json(by_alias=True)
        application = web.Application()
        application.router.add_get(WARM_PATH, self._answer)
        self._runner = web.AppRunner(application)

    async def _answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.text)

    async def start(self) -> int:
        port = free_port()
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return port

    async def stop(self) -> None:
        await self._runner.cleanup()


@pytest.mark.asyncio
async def test_a_warm_loader_is_asked_at_most_twice_a_second_whoever_wants_to_know() -> None:
    now, pod = NOW, Pod()
    loaders = WarmLoaders(await pod.start(), lambda: now)
    assert await loaders.look("uid", "127.0.0.1") == SAID
    now = NOW + timedelta(seconds=0.3)
    assert await loaders.look("uid", "127.0.0.1") == SAID
    assert pod.asked == 1
    now = NOW + timedelta(seconds=0.5)
    await loaders.look("uid", "127.0.0.1")
    assert pod.asked == 2
    await loaders.close()
    await pod.stop()


@pytest.mark.asyncio
async def test_the_last_answer_holds_for_a_while_where_no_other_comes() -> None:
    now, pod = NOW, Pod()
    loaders = WarmLoaders(await pod.start(), lambda: now)
    assert await loaders.look("uid", "127.0.0.1") == SAID
    await pod.stop()
    now = NOW + timedelta(seconds=14)
    assert await loaders.look("uid", "127.0.0.1") == SAID
    now = NOW + timedelta(seconds=16)
    assert await loaders.look("uid", "127.0.0.1") == WarmPage()
    await loaders.close()


@pytest.mark.asyncio
async def test_a_warm_loader_that_talks_nonsense_has_begun_nothing() -> None:
    pod = Pod()
    pod.text = "?"
    loaders = WarmLoaders(await pod.start(), lambda: NOW)
    assert await loaders.look("uid", "127.0.0.1") == WarmPage()
    assert pod.asked == 1
    await loaders.close()
    await pod.stop()
