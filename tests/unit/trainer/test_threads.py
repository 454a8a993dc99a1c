"""Pools of compiled libraries keep to the threads of the pod, and are looked for once."""

import sys
from types import ModuleType

import pytest
from threadpoolctl import threadpool_info

from modelyard_trainer import threads
from modelyard_trainer.threads import limited_to


def test_every_pool_is_limited_for_the_time_of_the_block_and_set_back_after_it() -> None:
    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with limited_to(1):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before


def test_pools_are_looked_for_again_after_something_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited_to(1):
        pass
    known = threads._pools(len(sys.modules))
    assert threads._pools(len(sys.modules)) is known
    monkeypatch.setitem(sys.modules, "modelyard_something_new", ModuleType("modelyard_something_new"))
    assert threads._pools(len(sys.modules)) is not known
