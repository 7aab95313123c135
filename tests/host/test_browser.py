"""The example graphs in the web page itself, in a real browser: no red node, and the same prompt as the API form."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sadtalker_host.graphs import find_graph, read_graph
from sadtalker_host.places import LINK_NAME, REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sadtalker_host.api import Client
    from sadtalker_host.server import Server

pytestmark = [pytest.mark.host, pytest.mark.slow]

GRAPHS = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
LOAD = """async (graph) => {
    await app.loadGraphData(graph, true, true, null);
    await new Promise((done) => setTimeout(done, 1500));
    const nodes = app.graph._nodes.filter((node) => node.type !== "MarkdownNote" && node.type !== "Note");
    const prompt = await app.graphToPrompt();
    return {
        red: nodes.filter((n) => n.has_errors || !LiteGraph.registered_node_types[n.type]).map((n) => n.type),
        output: prompt.output,
        dialogs: [...document.querySelectorAll(".p-dialog")].map((dialog) => dialog.innerText),
    };
}"""


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Page]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS.split())
        page = browser.new_page(viewport={"width": 1900, "height": 950})
        # Otherwise the page greets a first visit with its templates.
        page.request.post(f"{server.url}/settings/Comfy.TutorialCompleted", data="true")
        page.goto(server.url, wait_until="domcontentloaded")
        page.wait_for_function("() => window.app && window.app.graph && window.app.extensionManager", timeout=120_000)
        page.wait_for_timeout(4000)  # the page goes on registering nodes after its app object exists
        yield page
        browser.close()


@pytest.fixture(scope="module")
def loaded(page: Page) -> dict[str, dict[str, Any]]:
    """What the page says of each graph."""
    graphs = {name: json.loads((REPOSITORY / "workflows" / f"{name}.json").read_text("utf-8")) for name in GRAPHS}
    return {name: page.evaluate(LOAD, graph) for name, graph in graphs.items()}


@pytest.mark.parametrize("name", GRAPHS)
class TestGraph:
    def test_no_node_is_red(self, loaded: dict[str, dict[str, Any]], name: str) -> None:
        assert loaded[name]["red"] == []
        assert loaded[name]["dialogs"] == []

    def test_the_page_submits_the_api_form(self, loaded: dict[str, dict[str, Any]], name: str) -> None:
        output = loaded[name]["output"]
        for node in output.values():
            for widget in ("audioUI", "preview"):  # players and text areas, which the page adds to what it submits
                node["inputs"].pop(widget, None)
        assert output == read_graph(find_graph(REPOSITORY, name))


def test_every_node_of_the_pack_can_be_dropped_onto_the_page(page: Page, client: Client) -> None:
    ours = [name for name, info in client.object_info().items() if info["python_module"].endswith(LINK_NAME)]
    assert ours
    made = page.evaluate(
        "(names) => names.map((name) => { const node = LiteGraph.createNode(name);"
        " app.graph.add(node); return [name, node.has_errors ?? false, node.outputs.length > 0]; })",
        ours,
    )
    assert made == [[name, False, True] for name in ours]
