"""The runs under caps of the processor: what is compared, and that a difference fails them."""

import sys

import pytest

from parity_tests.support.processor import processor
from parity_tests.trials import machines


def test_the_processor_has_a_name() -> None:
    assert processor().strip(", ")


def test_what_is_compared_is_no_figure_of_speed_or_error() -> None:
    data = {
        "verdicts": [{"status": "ok", "precision": {"error": 1e-7}}],
        "frameworks": {"flax": {"seconds": 0.1, "count": {"trainable": 3}}},
        "photographs": {"cat": {"flax": [{"class": 285, "probability": 0.4}]}},
    }
    assert dict(machines.found(data)) == {
        ".verdicts.0.status": "ok",
        ".photographs.cat.flax.0.class": 285,
    }


ROW = machines.Row("", "21 passed", {"status": "ok", "class": 285}, ())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (ROW, None),
        (ROW._replace(verdicts={"status": "ok", "class": 282}), "class differs"),
        (ROW._replace(verdicts={"status": "ok"}), "class differs"),
        (ROW._replace(failures=("a test is red",)), "a test is red"),
        (ROW._replace(verdicts={}), "status differs"),
    ],
)
def test_a_difference_or_a_failure_fails(other, said, monkeypatch, capsys) -> None:
    rows = iter([ROW, other])
    monkeypatch.setattr(machines, "run", lambda setting, examples: next(rows))
    arguments = ["machines", "--setting", "as it is", "--setting", "one thread"]
    monkeypatch.setattr(sys, "argv", arguments)
    if said is None:
        machines.main()
    else:
        with pytest.raises(SystemExit) as ended:
            machines.main()
        assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert (said is None) or said in " ".join(printed.split())
    assert "one thread" in printed
