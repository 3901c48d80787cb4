"""The order in which a worker asks its queues."""

from __future__ import annotations

from collections import Counter

import pytest

from distributed_queue.core.options import split_weights
from distributed_queue.core.worker import WorkerConfig
from distributed_queue.core.worker.preference import Preference
from distributed_queue.errors import ConfigurationError


def test_without_weights_the_order_is_strict() -> None:
    preference = Preference(("mail", "default"), None)
    assert [preference.order() for _ in range(3)] == [("mail", "default")] * 3


def test_with_weights_each_is_first_as_often_as_it_weighs_and_evenly_spread() -> None:
    preference = Preference(("mail", "default", "reports"), {"mail": 3, "default": 2})
    firsts = [preference.order()[0] for _ in range(60)]
    assert Counter(firsts) == {"mail": 30, "default": 20, "reports": 10}
    assert all(Counter(firsts[start : start + 6])["mail"] == 3 for start in range(0, 60, 6))


def test_every_order_has_every_queue() -> None:
    preference = Preference(("a", "b", "c"), {"a": 5})
    assert all(sorted(preference.order()) == ["a", "b", "c"] for _ in range(20))


@pytest.mark.parametrize(
    ("texts", "names", "weights"),
    [
        (("mail", "default"), ("mail", "default"), None),
        (("mail:3", "default:1"), ("mail", "default"), {"mail": 3, "default": 1}),
        (("mail", "default:3"), ("mail", "default"), {"default": 3}),
        ((), (), None),
    ],
)
def test_weights_follow_the_names(
    texts: tuple[str, ...], names: tuple[str, ...], weights: dict[str, int] | None
) -> None:
    assert split_weights(texts) == (names, weights)


@pytest.mark.parametrize("text", ["mail:", "mail:0", "mail:x", "mail:1.5", "mail:-1", "mail:1001", "mail:²"])
def test_a_weight_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="weight"):
        split_weights((text,))


@pytest.mark.parametrize(
    "options",
    [{"queue_weights": {"mail": 1}}, {"queues": ["mail"], "queue_weights": {"male": 1}},
     {"queues": ["mail"], "queue_weights": {"mail": 0}}],
)  # fmt: skip
def test_a_worker_refuses_weights_that_fit_no_queue(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="queue_weights"):
        WorkerConfig(**options)  # type: ignore[arg-type]  # wrong on purpose
