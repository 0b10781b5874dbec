"""The README's "Five minutes", step by step in a real browser; a step that changes is changed there too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.console import Console
from tests.stack import ROOT, Stack

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


class Walk:
    """One page for the cluster, one for the hosts' own console, as in two tabs."""

    def __init__(self, stack: Stack, new_page: Callable[..., Any]) -> None:
        self.stack, self.new_page = stack, new_page
        self.page, self.host = new_page(), new_page()
        self.console: Any = None

    def printed(self, name: str) -> str:
        """What the newest start printed behind this name."""
        self.stack.wait(lambda: name in self._said(), 20, f"“{name}” to be printed")
        return self._said().rsplit(name, 1)[1].split()[0]

    def _said(self) -> str:
        return (self.stack.var / "up.out").read_text().rsplit("ready after", 1)[-1]

    def tree(self, name: str) -> None:
        self.page.locator("#tree").get_by_role("treeitem", name=re.compile(f"^{name}")).first.click()

    def role(self, name: str) -> None:
        self.tree("Roles")
        self.page.get_by_role("link", name=name, exact=True).first.click()
        self.page.get_by_role("heading", name=name, exact=True).first.wait_for()

    def move(self, name: str, target: str) -> None:
        self.role(name)
        self.page.locator("#actions").get_by_text("Live migrate").click()
        self.page.locator("#dialog").get_by_role("radio", name=target, exact=True).check()
        self.page.locator("#dialog").get_by_role("button", name=f"Live migrate to {target}").click()

    def task(self, name: str, *words: str) -> Any:
        row = self.page.locator("#dock tbody tr", has_text=name)
        for word in words:
            row = row.filter(has_text=word)
        return row.first

    def on_host(self, node: str, name: str = "") -> None:
        self.host.goto(self.printed("host console").split("?")[0])
        self.host.get_by_role("link", name=node, exact=True).first.click()
        if name:
            self.host.get_by_role("link", name=name, exact=True).first.click()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("five-minutes")) as stack:
        yield stack


def test_the_five_minutes_of_the_readme(stack: Stack, new_page: Callable[..., Any]) -> None:
    walk = Walk(stack, new_page)
    for step in STEPS:
        step(walk)


def opens_the_overview(walk: Walk) -> None:
    walk.page.goto(walk.printed("sign in once"))
    walk.page.get_by_role("heading", name="PROD-CL1").first.wait_for()
    walk.host.goto(walk.printed("host console"))


def moves_web01(walk: Walk) -> None:
    walk.role("web01")
    walk.page.locator("#actions").get_by_text("Live migrate").click()
    verdicts = walk.page.locator("#dialog .verdicts tbody tr")
    verdicts.first.wait_for()
    assert verdicts.count() == 4
    assert "already on hv-01" in verdicts.filter(has_text="hv-01").first.inner_text()
    walk.page.locator("#dialog").get_by_role("radio", name="hv-03", exact=True).check()
    walk.page.locator("#dialog").get_by_role("button", name="Live migrate to hv-03").click()


def watches_it(walk: Walk) -> None:
    walk.task("web01", "Copying memory").wait_for()
    walk.task("web01", "Done").wait_for(timeout=60_000)
    walk.page.locator("#main").get_by_text("hv-03").first.wait_for()


def queues_and_cancels(walk: Walk) -> None:
    walk.move("sql01", "hv-03")
    walk.move("dc01", "hv-03")
    walk.task("dc01", "hv-01 is moving sql01").wait_for()
    walk.task("sql01").get_by_text("Cancel").click()
    walk.task("sql01", "Cancelled").wait_for(timeout=30_000)
    walk.task("dc01", "Done").wait_for(timeout=60_000)
    walk.role("sql01")
    walk.page.locator("#main").get_by_text("hv-01").first.wait_for()


def edits_behind_its_back(walk: Walk) -> None:
    walk.on_host("hv-02", "web02")
    walk.host.get_by_label("Memory, MiB").fill("6144")
    walk.host.get_by_role("button", name="Save on this host").click()
    walk.role("web02")
    walk.page.locator("#main").get_by_text("Config drift").first.click(timeout=90_000)
    walk.page.locator("#main").get_by_text("6 GB").first.wait_for()
    walk.page.get_by_role("button", name="Accept all from host").click()
    walk.page.get_by_text("Accepted into the cluster's copy").first.wait_for()
    walk.role("web02")
    walk.page.locator("#main").get_by_text("In step with its host").wait_for()


def edits_in_the_better_place(walk: Walk) -> None:
    walk.page.locator("#actions").get_by_text("Settings").click()
    walk.page.locator("#field-notes").fill("Written in five minutes")
    walk.page.get_by_role("button", name="Apply").click()
    walk.task("web02", "Done").wait_for(timeout=30_000)
    walk.on_host("hv-02", "web02")
    assert walk.host.get_by_label("Notes").input_value() == "Written in five minutes"


def lets_wiki01_crash(walk: Walk) -> None:
    walk.on_host("hv-04", "wiki01")
    walk.host.get_by_role("button", name="Crash").click()
    walk.task("wiki01", "Done").wait_for(timeout=60_000)
    walk.tree("Cluster events")
    walk.page.locator("#main").get_by_text(
        re.compile("wiki01 .*(restart|fail)", re.IGNORECASE)
    ).first.wait_for()


def pulls_a_plug(walk: Walk) -> None:
    walk.on_host("hv-04")
    walk.host.get_by_role("button", name="Pull the plug").click()
    walk.tree("Nodes")
    walk.page.locator("#main tr", has_text="hv-04").get_by_text("Down", exact=True).first.wait_for(
        timeout=40_000
    )
    walk.role("tel01")
    assert "a planned move needs a running source" in walk.page.locator("#actions").text_content()
    walk.on_host("hv-04")
    walk.host.get_by_role("button", name="Power on").click()


def comes_back_as_it_was(walk: Walk) -> None:
    console = Console(walk.stack, "prod-cl1")
    owner = console.column("web01", "owner_id")
    walk.stack.stop()
    walk.stack.start()
    assert console.column("web01", "owner_id") == owner
    walk.page.goto(f"{console.url}/")  # still signed in
    walk.role("web02")
    walk.page.locator("#main").get_by_text("Written in five minutes").first.wait_for()


STEPS = (
    opens_the_overview,
    moves_web01,
    watches_it,
    queues_and_cancels,
    edits_behind_its_back,
    edits_in_the_better_place,
    lets_wiki01_crash,
    pulls_a_plug,
    comes_back_as_it_was,
)


def test_every_step_of_the_readme_is_walked() -> None:
    text = (ROOT / "README.md").read_text().split("## Five minutes")[1].split("\n## ")[0]
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) == len(STEPS)
