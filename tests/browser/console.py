"""The console as people use it: sign in, find a role, order a move, look at its bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.browser import orders
from tests.stack import Stack

PASSWORDS = {"operator": "operator-of-the-tests", "viewer": "viewer-of-the-tests"}


@dataclass
class Console:
    """`url` is the cluster's; every account's name is its role, but the administrator's."""

    stack: Stack
    slug: str

    @classmethod
    def of(cls, stack: Stack) -> Console:
        slug = orders.rows(stack, "SELECT slug FROM clustermgr_cluster ORDER BY id")[0]["slug"]
        for role, password in PASSWORDS.items():
            orders.run_inside(stack, orders.ACCOUNT, role, password)
        return cls(stack, slug)

    @property
    def url(self) -> str:
        return f"{self.stack.url}/c/{self.slug}"

    def sign_in(self, page: Any, role: str = "administrator") -> Any:
        name = "admin" if role == "administrator" else role
        page.goto(f"{self.stack.url}/sign-in/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", PASSWORDS.get(role) or self.stack.password)
        page.click("main button")
        page.wait_for_selector("#dock")
        return page

    def column(self, vm: str, column: str) -> Any:
        """What the cluster's row of this VM says, read past the console."""
        return orders.rows(self.stack, "SELECT * FROM clustermgr_vm WHERE name = ?", vm)[0][column]

    def roles(self, page: Any, name: str) -> str:
        """Open the list of roles with this one selected; answers the selector of its row."""
        number = self.column(name, "id")
        page.goto(f"{self.url}/roles/?sel={number}")
        page.wait_for_selector("#live-pill[data-state=live]")
        return f"#vm-{number}-row"

    def move(self, page: Any, target: str) -> None:
        """The Move dialog of the role that is selected."""
        page.click("#actions >> text=Live migrate")
        page.check(f"#dialog input[name=target][data-target-name='{target}']")
        page.click("#dialog [data-move-button]")
        page.wait_for_selector("#dialog:not([open])", state="attached")
