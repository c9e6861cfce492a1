"""The measurement of conversion: the form of its data (no time is judged)."""

import json

import pytest

from convparity.analysis.bench.conversion import LAYERS_A_UNIT, conversion


@pytest.mark.long
def test_the_data_have_their_form():
    said: list[str] = []
    data = conversion(["pytorch", "flax"], said.append, megabytes=0.015, width=8, repeats=2)
    assert data["failures"] == []
    assert [(pair["source"], pair["target"]) for pair in data["pairs"]] == [
        ("pytorch", "flax"),
        ("flax", "pytorch"),
    ]
    full, cheap = data["pairs"]
    assert len(full["sizes"]) > len(cheap["sizes"]) == 2
    for pair in data["pairs"]:
        for row in pair["sizes"]:
            assert row["layers"] % LAYERS_A_UNIT == 0
            for key in ("plain", "convert", "ratio"):
                assert 0 < row[key]["low"] <= row[key]["median"] <= row[key]["high"]
        sizes = [row["bytes"] for row in pair["sizes"]]
        assert sizes == sorted(set(sizes))
        assert all(isinstance(value, float) for value in pair["exponent"].values())
        assert pair["seconds_per_layer"] > 0
        assert pair["peak_over_weights"] is None or pair["peak_over_weights"] >= 0
    assert abs(full["sizes"][-1]["bytes"] / 0.015e6 - 1) < 0.1
    assert len(said) == sum(len(pair["sizes"]) + 2 for pair in data["pairs"])
    assert json.loads(json.dumps(data)) == data
