"""Webhooks on the page Settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.surfaces.dashboard_server import site
from distributed_queue.webhooks import AddressRules, Endpoint, Register, changing_endpoints, new_endpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "webhooks.json"


def add(file: Path, name: str) -> Endpoint:
    endpoint = new_endpoint(f"https://{name}.example/<b>", 0.0, events=["task.dead"], queues=["mail*"])
    with changing_endpoints(file) as known:
        known.append(endpoint)
    return endpoint


def test_they_are_listed_with_how_the_last_try_of_each_ended(file: Path) -> None:
    well, broken, new = (add(file, name) for name in ("well", "broken", "new"))
    register = Register(file, AddressRules())
    deliveries = DeliveryTimes(lambda: [well.id, broken.id, new.id])
    with deliveries.delivering(well.id):
        pass
    with pytest.raises(ValueError, match="no answer"), deliveries.delivering(broken.id):
        raise ValueError("no answer")
    with site(webhooks=register, deliveries=deliveries) as here:
        page = here.page("/settings")
        assert f"{well.id} https://well.example/<b> task.dead mail* enabled delivered " in page
        assert f"{broken.id} https://broken.example/<b> task.dead mail* enabled failed " in page
        assert f"{new.id} https://new.example/<b> task.dead mail* enabled none yet" in page
        register.disable(new.id, "for a while")
        assert "disabled: for a while" in here.page("/settings")
        source = here.client.get("/settings").text
        assert "<b>" not in source.partition("Webhooks</h2>")[2].partition("</section>")[0]
        assert well.secrets[0].text not in source
        assert 'href="/tasks?q=queue%3Adq.webhooks%20status%3Adead"' in source
        assert "dq.webhooks" in here.page("/tasks?q=queue%3Adq.webhooks%20status%3Adead")


def test_only_administrators_see_them(tmp_path: Path, file: Path) -> None:
    keys = every_kind(tmp_path / "keys.json")
    add(file, "one")
    with site(keys_file=tmp_path / "keys.json", webhooks=Register(file, AddressRules())) as here:
        here.sign_in(keys["read"])
        assert "one.example" not in here.page("/settings")
        here.send("/sign-out")
        here.sign_in(keys["admin"])
        assert "one.example" in here.page("/settings")


def test_without_any_the_page_says_how_to_add_one_and_of_a_damaged_file_what_is_wrong(file: Path) -> None:
    with site(webhooks=Register(file, AddressRules())) as here:
        assert "dq webhooks add" in here.page("/settings")
        file.write_text("{")
        file.chmod(0o600)
        assert "is damaged" in here.page("/settings")


def test_a_server_that_sends_none_says_nothing_of_them() -> None:
    with site() as here:
        assert "Webhooks" not in here.page("/settings").partition("Program")[0]
