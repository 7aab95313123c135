"""What the node layer does for the core: placement, progress, cancel, smaller batches."""

from __future__ import annotations

import gc
import weakref

import comfy.utils
import pytest
import torch
from comfy import model_management
from sadtalker_pack.nodes.host import host_pack, in_batches, progress, to_device, to_host
from sadtalker_pack.sadtalker_core.flow import BlinkCurve
from sadtalker_pack.sadtalker_core.packs.open.load import load_open_pack
from torch import nn


class StandInPack:
    """Two networks that share one: what the mesh mapping does with the face model."""

    def __init__(self):
        shared = nn.Linear(4, 4)
        self.modules = {"model": shared, "mapping": nn.Sequential(shared, nn.ReLU()), "expnet": nn.Linear(2, 2)}


@pytest.fixture
def bar_values(monkeypatch):
    values = []
    monkeypatch.setattr(
        comfy.utils, "PROGRESS_BAR_HOOK", lambda done, total, preview, node_id=None: values.append((done, total))
    )
    return values


class TestHostedPack:
    def test_a_shared_network_has_one_patcher(self):
        pack = host_pack(StandInPack())
        assert pack.patchers["model"] is pack.patchers["mapping"]
        assert pack.patchers["model"] is not pack.patchers["expnet"]

    def test_every_module_of_the_open_pack_has_a_patcher_that_holds_it(self):
        pack = host_pack(load_open_pack())
        for name, module in pack.core.modules.items():
            assert any(part is module for part in pack.patchers[name].model.modules())

    def test_load_tells_the_device_and_informs_the_manager(self):
        pack = host_pack(StandInPack())
        device = pack.load("expnet", "model")
        assert device == model_management.get_torch_device()
        assert {id(pack.patchers["expnet"]), id(pack.patchers["model"])} <= {
            id(patcher) for patcher in model_management.loaded_models()
        }
        weights = [parameter for module in pack.core.modules.values() for parameter in module.parameters()]
        assert {weight.device.type for weight in weights} == {device.type}

    def test_nothing_outlives_the_socket_value(self):
        pack = host_pack(StandInPack())
        pack.load("expnet", "mapping")
        network = weakref.ref(pack.core.modules["expnet"])
        del pack
        gc.collect()
        assert network() is None
        model_management.cleanup_models()


def test_values_are_moved_whole():
    blink = BlinkCurve(torch.zeros(3), 25.0)
    assert to_device(blink, torch.device("meta")).closure.device.type == "meta"
    assert to_device(torch.zeros(2), torch.device("meta")).device.type == "meta"
    assert to_device(None, torch.device("meta")) is None
    assert to_host(blink).closure.device == model_management.intermediate_device()


class TestProgress:
    def test_bar_follows(self, bar_values):
        report = progress()
        report(3, 10)
        report(10, 10)
        assert bar_values == [(3, 10), (10, 10)]

    def test_cancel_takes_effect_at_the_next_step(self, bar_values):
        report = progress()
        report(1, 10)
        model_management.interrupt_current_processing()
        with pytest.raises(model_management.InterruptProcessingException):
            report(2, 10)
        assert bar_values == [(1, 10)]


class TestInBatches:
    def test_first_attempt_is_the_whole_batch(self):
        assert in_batches(lambda size: size, 8) == 8

    def test_halves_until_it_fits(self):
        tried = []

        def run(size):
            tried.append(size)
            if size > 2:
                raise model_management.OOM_EXCEPTION("out of memory")
            return "done"

        assert in_batches(run, 9) == "done"
        assert tried == [9, 4, 2]

    def test_one_frame_that_does_not_fit_is_an_error(self):
        def run(size):
            raise model_management.OOM_EXCEPTION("out of memory")

        with pytest.raises(model_management.OOM_EXCEPTION):
            in_batches(run, 4)

    def test_cancel_is_not_tried_again(self):
        tried = []

        def run(size):
            tried.append(size)
            raise model_management.InterruptProcessingException

        with pytest.raises(model_management.InterruptProcessingException):
            in_batches(run, 8)
        assert tried == [8]
