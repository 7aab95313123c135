"""The picture in an Expression Editor node, in a real browser: the mouse moves a slider, and the picture changes."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sadtalker_host.places import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sadtalker_host.api import Client
    from sadtalker_host.server import Server

pytestmark = [pytest.mark.host, pytest.mark.slow]

DEMO = REPOSITORY / "sadtalker_core" / "assets" / "demo"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
BUILD = """async () => {
    app.graph.clear();
    const make = (type, x) => {
        const node = LiteGraph.createNode(type);
        node.pos = [x, 80];
        app.graph.add(node);
        return node;
    };
    const image = make("LoadImage", 40), models = make("SadTalkerLoadModels", 400);
    const face = make("SadTalkerExtract3DMM", 720), editor = make("SadTalkerExpressionEditor", 1080);
    image.widgets.find((widget) => widget.name === "image").value = "portrait.jpg";
    face.widgets.find((widget) => widget.name === "size").value = 256;
    const connect = (from, slot, to, name) => from.connect(slot, to, to.findInputSlot(name));
    connect(models, 0, face, "pack"); connect(image, 0, face, "image");
    connect(models, 0, editor, "pack"); connect(face, 0, editor, "face");
    editor.setSize([420, 1100]);
    app.canvas.ds.scale = 0.7; app.canvas.ds.offset = [0, 0];
    window.editor = editor;
    await app.queuePrompt(0);
}"""
SLIDER = """(name) => {
    app.canvas.draw(true, true);
    const widget = editor.widgets.find((candidate) => candidate.name === name);
    const inside = [editor.pos[0] + editor.size[0] * 0.9, editor.pos[1] + (widget.last_y ?? widget.y) + 10];
    const [x, y] = app.canvas.convertOffsetToCanvas(inside);
    const box = app.canvas.canvas.getBoundingClientRect();
    return [box.left + x, box.top + y];
}"""
PIXELS = """() => {
    const picture = editor.imgs[0], canvas = document.createElement("canvas");
    canvas.width = 64; canvas.height = 64;
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0, 64, 64);
    return [...context.getImageData(0, 0, 64, 64).data];
}"""
RUNS = "async () => Object.keys(await (await fetch('/history')).json()).length"
VALUE = "(name) => editor.widgets.find((widget) => widget.name === name).value"


@pytest.fixture(scope="module")
def page(server: Server, client: Client) -> Iterator[Page]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    client.upload(DEMO / "portrait.jpg", "portrait.jpg")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS.split())
        page = browser.new_page(viewport={"width": 1900, "height": 950})
        page.request.post(f"{server.url}/settings/Comfy.TutorialCompleted", data="true")
        page.goto(server.url, wait_until="domcontentloaded")
        page.wait_for_function("() => window.app && window.app.graph && window.app.extensionManager", timeout=120_000)
        page.wait_for_timeout(4000)  # the page goes on registering nodes after its app object exists
        page.evaluate(BUILD)
        page.wait_for_function("() => editor.previewToken && editor.imgs?.length", timeout=240_000)
        yield page
        browser.close()


def difference(one: list[int], other: list[int]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def move(page: Page, name: str) -> None:
    """Press a slider near its right end, and wait for another picture."""
    before = page.evaluate("() => editor.imgs[0].src")
    x, y = page.evaluate(SLIDER, name)
    page.mouse.click(x, y)
    page.wait_for_function("(before) => editor.imgs[0].src !== before", arg=before, timeout=60_000)


def test_a_slider_that_is_moved_changes_the_picture(page: Page) -> None:
    rest, runs = page.evaluate(PIXELS), page.evaluate(RUNS)
    move(page, "jaw")
    assert page.evaluate(VALUE, "jaw") > 0.5
    opened = page.evaluate(PIXELS)
    assert difference(opened, rest) > 0.5
    move(page, "yaw")
    assert page.evaluate(VALUE, "yaw") > 10
    assert difference(page.evaluate(PIXELS), opened) > 2
    assert page.evaluate(RUNS) == runs, "the graph ran again"


def post(server: Server, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{server.url}/sadtalker/preview", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class TestRoute:
    def test_draws_a_jpeg(self, server: Server, page: Page) -> None:
        token = page.evaluate("() => editor.previewToken")
        status, content = post(server, json.dumps({"token": token, "values": {"happy": 1}}).encode())
        assert status == 200
        assert content[:3] == b"\xff\xd8\xff"

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{}", 400),
            (b"\xff", 400),
            (b'{"token": "guess", "values": {}}', 404),
            (b'{"token": "guess", "values": {"happy": 9}}', 400),
            (b" " * 20_000, 413),
        ],
    )
    def test_refuses_with_a_reason(self, server: Server, body: bytes, status: int) -> None:
        found, content = post(server, body)
        assert found == status
        assert content["error"]
