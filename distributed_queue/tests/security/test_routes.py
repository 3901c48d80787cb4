"""Every endpoint needs the role that the table gives it, and what is not in the table is closed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from distributed_queue.api import ApiOptions, create_app
from distributed_queue.api.auth.access import Access
from distributed_queue.api.auth.roles import ACCESS, PUBLIC, Role, grants
from distributed_queue.core.hybrid_queue import HybridQueue
from distributed_queue.tests.security.inprocess import InProcess
from distributed_queue.tests.security.keyring import every_kind
from distributed_queue.tests.surfaces.api_server import API, KEY, Api, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

ROLES: dict[str, tuple[Role, ...]] = {
    **{str(role): (role,) for role in Role},
    "submit and work": (Role.SUBMIT, Role.WORK),
    "the API key": (Role.ADMIN,),
}
"""What each kind of key grants; no other kind grants anything."""
ENDPOINTS = sorted(ACCESS, key=str)


class Closed(NamedTuple):
    """An API with keys."""

    api: InProcess
    keys: dict[str, str]
    reads_open: bool

    def status(self, method: str, template: str, kind: str | None) -> int:
        """How it answers a request with a key of some kind, or without one."""
        path = template.replace("{", "").replace("}", "")
        headers: dict[str, str | bytes] = {} if kind is None else {"X-API-Key": self.keys[kind]}
        return self.api.ask(method, path, headers=headers).status


@pytest.fixture(scope="module", params=[True, False], ids=["reads-closed", "reads-open"])
def closed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    path: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = every_kind(path) | {"the API key": KEY}
    options = ApiOptions(
        api_key=KEY,
        keys_file=path,
        require_key_for_reads=request.param,
        max_failed_keys=10**6,
        max_refusals_per_second=1e9,
    )
    with HybridQueue() as queue, InProcess(create_app(queue, options=options)) as api:
        yield Closed(api, keys, not request.param)


@pytest.mark.parametrize(("method", "template"), ENDPOINTS)
def test_an_endpoint_is_open_to_the_roles_of_its_row_and_to_no_other_key(
    closed: Closed, method: str, template: str
) -> None:
    needed = ACCESS[method, template]
    is_open = needed is PUBLIC or (needed is Role.READ and closed.reads_open)
    for kind in (None, *closed.keys):
        for verb in {method, "HEAD"} if method == "GET" else {method}:
            status = closed.status(verb, template, kind)
            roles = ROLES.get(kind or "")
            if is_open or (roles and needed and grants(roles, needed)):
                assert status not in {401, 403}, (kind, verb)
            else:
                assert status == (403 if roles else 401), (kind, verb)


@pytest.mark.parametrize("path", ["/nothing", f"{API}/nothing", f"{API}/tasks/a/b", "/admin", f"{API}/stats%0A"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "X-OTHER"])
def test_what_is_not_there_is_told_to_those_only_who_have_a_key(closed: Closed, method: str, path: str) -> None:
    anonymous = 404 if closed.reads_open and method in {"GET", "HEAD", "OPTIONS"} else 401
    assert closed.status(method, path, None) == anonymous
    assert closed.status(method, path, "expired") == anonymous
    assert closed.status(method, path, "read") == 404


@pytest.mark.parametrize(("method", "template"), ENDPOINTS)
def test_no_other_method_of_an_address_does_anything(closed: Closed, method: str, template: str) -> None:
    taken = {known for known, path in ACCESS if Access(ACCESS).find(known, template) is not None}
    for other in {"OPTIONS", "PUT", "TRACE", "X-OTHER", "POST", "DELETE", "PATCH"} - taken:
        assert closed.status(other, template, "admin") == 405


def test_every_route_of_the_application_is_in_the_table_and_every_row_is_a_route() -> None:
    with HybridQueue() as queue:
        app = create_app(queue)
    assert set(_routes(app)) == set(ACCESS)


def test_every_documented_operation_is_in_the_table() -> None:
    with HybridQueue() as queue:
        document = create_app(queue).openapi()
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert documented <= set(ACCESS)


def test_the_guard_looks_at_the_row_of_the_route_that_answers() -> None:
    """A request must not be let in for one route and be answered by another."""
    access = Access(ACCESS)
    for method, template in ACCESS:
        found = access.find(method, template.replace("{", "").replace("}", ""))
        assert found is not None
        assert (found.template, found.role) == (template, ACCESS[method, template])


def test_no_request_that_reads_needs_more_than_reading_and_none_that_writes_so_little() -> None:
    """Webhooks are read by those who may change them only: their addresses may be secrets."""
    for (method, path), role in ACCESS.items():
        assert (role in {PUBLIC, Role.READ}) is (method == "GET" and not path.startswith(f"{API}/webhooks"))


@pytest.mark.parametrize("options", [{}, {"api_key": KEY}], ids=["without-keys", "with-the-key"])
def test_a_route_without_a_role_is_closed_to_everyone(options: dict[str, Any]) -> None:
    with HybridQueue() as queue:
        app = create_app(queue, options=ApiOptions(**options))
        _extend(app)
        with _serving(app, queue) as api:
            for method, path in (("GET", "/forgotten"), ("POST", "/forgotten"), ("GET", "/below/anything")):
                response = api.client.request(method, api.url + path, headers={"X-API-Key": KEY})
                api.problem(response, 404, "not-found")


def test_a_route_of_ones_own_is_open_to_the_role_that_it_was_given() -> None:
    access: dict[tuple[str, str], Role | None] = {("GET", "/forgotten"): PUBLIC, ("POST", "/forgotten"): Role.ADMIN}
    with HybridQueue() as queue:
        app = create_app(queue, options=ApiOptions(api_key=KEY, access=access))
        _extend(app)
        with _serving(app, queue) as api:
            assert api.client.get(f"{api.url}/forgotten").text == "in"
            api.problem(api.client.post(f"{api.url}/forgotten"), 401, "unauthorized")
            assert api.client.post(f"{api.url}/forgotten", headers={"X-API-Key": KEY}).text == "in"


def test_keys_count_below_another_address_too() -> None:
    with HybridQueue() as queue:
        outer = FastAPI()
        inner = create_app(queue, options=ApiOptions(api_key=KEY))
        outer.mount("/queues-here", inner)
        outer.state.services = inner.state.services
        with _serving(outer, queue) as api:
            url = f"{api.url}/queues-here{API}"
            assert api.client.get(f"{url}/stats").status_code == 200
            api.problem(api.client.post(f"{url}/tasks", json={"payload": 1}), 401, "unauthorized")
            response = api.client.post(f"{url}/tasks", json={"payload": 1}, headers={"X-API-Key": KEY})
            assert response.status_code == 201


@contextmanager
def _serving(app: FastAPI, queue: HybridQueue) -> Iterator[Api]:
    """An application that was made by hand, and a client of it without a key."""
    with running(app) as (_, port):
        api = Api(app, queue, None, port)
        with api.client:
            yield api


def _extend(app: FastAPI) -> None:
    """Add routes of several kinds to an application, as one would who does not know the table."""

    async def forgotten(request: Request) -> Response:
        return PlainTextResponse("in")

    app.add_api_route("/forgotten", lambda: PlainTextResponse("in"), methods=["GET"])
    app.add_route("/forgotten", forgotten, methods=["POST"])
    app.mount("/below", PlainTextResponse("in"))


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Methods and addresses of all routes; HEAD goes with GET. Fails at a kind of route that it does not know."""
    waiting: list[Any] = list(app.routes)
    while waiting:
        route = waiting.pop()
        if hasattr(route, "original_router"):
            waiting += route.original_router.routes  # how FastAPI keeps routers that were included, of late
        else:
            yield from ((method, route.path) for method in route.methods - {"HEAD"})
