"""A real Prometheus reads our metrics and evaluates our alert rules, and each alert leads to a runbook."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from distributed_queue.observability.deliveries import DeliveryTimes
from distributed_queue.tests.meta.repository import DOCS, ROOT
from distributed_queue.tests.meta.test_documents import anchors
from distributed_queue.tests.surfaces.api_server import serve, serve_with_workers
from distributed_queue.tests.surfaces.prometheus import DEPLOY, PrometheusServer, promtool

if TYPE_CHECKING:
    from pathlib import Path

RULES = DEPLOY / "prometheus/alerts.yml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for group in groups() for rule in group["rules"] if "alert" in rule]


def queries() -> list[str]:
    """The queries of all dashboards, with something in the place of Grafana's variables."""
    panels = [panel for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert asked
    return [query.replace("$__rate_interval", "1m").replace("$queue", ".*") for query in asked]


def test_names_and_texts_are_as_prometheus_wants_them() -> None:
    with serve_with_workers() as api:
        api.queue.configure("default", max_size=1000)
        api.run({"type": "simple"})
        api.run({"type": "boom"}, max_retries=0)
        assert not promtool("check", "metrics", stdin=api.client.get("/metrics").text)


def test_the_check_of_names_finds_what_is_wrong() -> None:
    wrong = "# HELP wrong_seconds A counter.\n# TYPE wrong_seconds counter\nwrong_seconds 1\n"
    with pytest.raises(AssertionError, match="wrong_seconds counter metrics should have"):
        promtool("check", "metrics", stdin=wrong)


def test_the_rules_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))
    assert "SUCCESS" in promtool("test", "rules", str(DEPLOY / "prometheus/alerts-test.yml"))
    tested = (DEPLOY / "prometheus/alerts-test.yml").read_text()
    assert not [rule["alert"] for rule in alerts() if f"alertname: {rule['alert']}" not in tested]


def test_each_alert_leads_to_its_runbook_and_each_runbook_has_an_alert() -> None:
    links = {rule["annotations"]["runbook_url"] for rule in alerts()}
    assert len(links) == len(alerts())
    assert not [link for link in links if not (ROOT / link.partition("#")[0]).is_file()]
    assert {link.partition("#")[2] for link in links} == anchors(DOCS / "runbooks.md") - {"runbooks"}
    text = (DOCS / "runbooks.md").read_text()
    assert all(text.count(f"**{part}:**") == len(links) for part in ("Means", "Look", "Do"))


def test_a_real_prometheus_reads_them_and_evaluates_rules_and_dashboards(tmp_path: Path) -> None:
    with serve() as api:
        api.submit({"type": "mail"})
        with PrometheusServer(tmp_path, {"distributedq": api.url.removeprefix("http://")}) as prometheus:
            ((labels, value),) = prometheus.waits_for('distributedq_tasks_enqueued_total{task="mail"}')
            assert (labels["queue"], labels["job"], value) == ("default", "distributedq", 1)
            ((labels, _),) = prometheus.waits_for('ALERTS{alertname="DistributedQNoWorkers"}')
            assert labels["severity"] == "critical"
            rules = [rule for group in prometheus.ask("/rules")["groups"] for rule in group["rules"]]
            assert {rule["name"] for rule in rules} >= {rule["alert"] for rule in alerts()}
            assert not [rule["name"] for rule in rules if rule["health"] == "err"]
            assert not [query for query in queries() if prometheus.ask("/query", query=query) is None]


def test_rules_and_dashboards_ask_for_metrics_that_there_are() -> None:
    deliveries = DeliveryTimes(lambda: ["webhook"])
    with deliveries.delivering("webhook"):
        pass
    with serve_with_workers(deliveries=deliveries) as api:
        api.queue.configure("default", max_size=1000)
        api.run({"type": "simple"})
        exported = set(re.findall(r"^(\w+)", api.client.get("/metrics").text, re.MULTILINE))
    recorded = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}
    sources = [RULES, *DASHBOARDS]
    asked = {name for source in sources for name in re.findall(r"\b(?:distributedq_|process_)\w+", source.read_text())}
    assert asked
    assert not asked - exported
    assert set(re.findall(r"distributedq:\w+:\w+", RULES.read_text())) == recorded
