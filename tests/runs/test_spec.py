"""Names that runs get, and the macros of display names."""

import datetime
from pathlib import Path

import pytest

from penstock.errors import UsageError
from penstock.runs.spec import RunSpec, display_name, run_name, variant_parts

NOW = datetime.datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=datetime.UTC)


def test_name_is_made_of_flow_variant_and_time():
    file = Path("/flows/my flow-1/flow.dag.yaml")
    assert run_name(RunSpec(), file, NOW) == "my_flow-1_variant_0_20260304_050607_890123"
    chosen = RunSpec(variants=("${a.one}", "${b.two}"))
    assert run_name(chosen, file, NOW) == "my_flow-1_one_two_20260304_050607_890123"


def test_display_name_fills_its_macros_in_and_is_the_name_otherwise():
    spec = RunSpec(runs=("base",), variants=("${a.one}",))
    assert display_name("${variant_id} of ${run} at ${timestamp}, ${other}", spec, "n", NOW) == (
        "one of base at 202603040506, ${other}"
    )
    assert display_name(None, spec, "n", NOW) == "n"
    assert display_name("${run}${variant_id}", RunSpec(), "n", NOW) == "variant_0"


def test_variant_is_a_node_and_its_variant():
    assert variant_parts("${a.one}") == ("a", "one")
    for text in ("a.one", "${a}", "${.one}", "$a.one"):
        with pytest.raises(UsageError, match="Invalid variant"):
            variant_parts(text)


def test_variables_are_not_shown():
    assert "secret" not in repr(RunSpec(environment_variables={"KEY": "secret"}))
