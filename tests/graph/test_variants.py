"""What can be chosen in a flow."""

from penstock.frontends.load import load
from penstock.graph.variants import variants

FLOW = """
nodes:
- {name: a, use_variants: true}
node_variants:
  a:
    default_variant_id: two
    variants:
      one: {node: {type: python, source: {type: code, path: a.py}}}
      two: {node: {type: python, source: {type: code, path: a.py}}}
"""


def test_variants_of_nodes_are_written_as_the_command_takes_them(write_flow):
    assert variants(load(write_flow(FLOW, {"a.py": "def a(): ...\n"}))) == ("${a.two}", "${a.one}")


def test_alternatives_of_functions_are_choices_of_configuration(tmp_path):
    file = tmp_path / "f.py"
    file.write_text(
        "from penstock import when\n@when(v='a')\ndef n__a(): ...\n@when(v='b', default=True)\ndef n__b(): ...\n"
    )
    assert variants(load(file)) == ("config.v=b", "config.v=a")
    assert variants(load(file, config={"v": "a"})) == ("config.v=a", "config.v=b")
