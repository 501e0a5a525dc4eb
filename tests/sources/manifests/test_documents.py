"""One text to objects: YAML and JSON, many documents, lists, and where each was."""

import pytest

from skydns_py.errors import SettingsError
from skydns_py.sources.manifests.documents import File, locate, parse


def contents(text):
    return [document.content for document in parse(File("shop.yaml", text))]


def refusal(text):
    with pytest.raises(SettingsError) as caught:
        parse(File("shop.yaml", text))
    return str(caught.value)


def test_many_documents():
    """Documents come in order, and empty ones are left out."""
    text = "# only a comment\n---\nkind: A\n---\n---\n# between\n---\nkind: B\n---\n"

    assert [{"kind": "A"}, {"kind": "B"}] == contents(text)


@pytest.mark.parametrize("text", ["", "\n", "---\n", "# nothing\n", "---\n---\nnull\n"])
def test_nothing(text):
    """A text without objects is no mistake."""
    assert [] == contents(text)


def test_list_is_unfolded():
    """The items of a List are objects of their own, lists within lists too."""
    text = "kind: List\nitems: [{kind: A}, {kind: List, items: [{kind: B}]}]"

    assert [{"kind": "A"}, {"kind": "B"}] == contents(text)


def test_typed_list_gives_its_type_to_items():
    """The items of a ServiceList, as the API server sends it, are Services."""
    text = '{"kind": "ServiceList", "apiVersion": "v1", "items": [{"metadata": {"name": "a"}}]}'

    assert [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}] == contents(text)


def test_json_one_after_the_other():
    """JSON objects may follow each other without a separator, as kubectl accepts them."""
    assert [{"kind": "A"}, {"kind": "B"}] == contents('{"kind": "A"}\n{"kind": "B"}\n')


def test_flow_mapping_is_yaml():
    """A text that begins like JSON and is YAML is read as YAML."""
    assert [{"kind": "A", "name": "b"}] == contents("{kind: A, name: b}")


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2001:10:20:30:1:2:3:4", "2001:10:20:30:1:2:3:4"),
        ("1:30", "1:30"),
        ("=", "="),
        ("10", 10),
        ("-3", -3),
        ("0x1F", 31),
        ("0755", 493),
        ("08", "08"),
        ("1.5", 1.5),
        ("1.2.3", "1.2.3"),
        ("10.96.0.1", "10.96.0.1"),
        ("true", True),
        ('"10"', "10"),
    ],
)
def test_scalars(scalar, value):
    """Scalars have the type that kubectl's reader gives them: no dates, no base 60."""
    (content,) = contents(f"a: {scalar}")

    assert value == content["a"]
    assert type(value) is type(content["a"])


def test_merge_keys():
    """A merge key brings in the keys of its anchor."""
    (content,) = contents("base: &base {port: 80}\nport: {<<: *base, name: http}")

    assert {"port": 80, "name": "http"} == content["port"]


def test_null_is_absent():
    """A null value is as if the key were not there, however deep."""
    assert [{"a": {"c": [{}]}}] == contents("a: {b: null, c: [{d: ~}]}\ne:\n")


def test_aliases_are_not_multiplied():
    """A text whose aliases stand for a billion values is read as quickly as it is short."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    (content,) = contents("\n".join(lines))

    assert 12 == len(content)


def test_alias_of_itself():
    """A value that contains itself is read, not followed for ever."""
    (content,) = contents("a: &a [*a]")

    assert content["a"] is content["a"][0]


def test_broken_yaml_names_line_and_column():
    """What is no YAML is refused with the place that YAML's reader stumbled at."""
    problem = "mapping values are not allowed in this context"

    assert f"shop.yaml:2:8: cannot be read as YAML: {problem}" == refusal("kind: A\nab c: d: e\n")


def test_template_is_recognised():
    """An unrendered Helm template is told apart from other broken YAML."""
    message = refusal("metadata:\n  name: {{ .Release.Name }}\n")

    assert message.startswith("shop.yaml:2:")
    assert "render it first" in message


def test_control_character_names_line():
    """A character that YAML forbids is refused with its line."""
    assert "shop.yaml:2: cannot be read as YAML: " in refusal("a: 1\nb: \x07\n")


@pytest.mark.parametrize(("text", "kind"), [("just text", "str"), ("- a\n- b", "list")])
def test_no_mapping(text, kind):
    """A document that is no mapping is no Kubernetes object."""
    expected = f"shop.yaml:3: a Kubernetes object is a mapping, this document is a {kind}"

    assert expected == refusal(f"kind: A\n---\n{text}\n")


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? "])
def test_deep_nesting(opening):
    """Nesting without end is refused, where the C reader alone would end the process."""
    assert "cannot be read as YAML: nested too deeply" in refusal(opening * 100_000)


def test_number_without_end():
    """A number that Python refuses to read is refused with the file."""
    assert refusal(f"a: {'1' * 5000}").startswith("shop.yaml: cannot be read as YAML: Exceeds")


def test_nesting_as_deep_as_a_schema():
    """A hundred and fifty levels are fine: the schemas in CRDs are deep."""
    assert 1 == len(contents("a: " + "[" * 150 + "]" * 150))


def test_locate():
    """The place of an object or field is its line, the nearest one there is if it is missing."""
    text = "kind: A\n---\nkind: List\nitems:\n- kind: B\n- kind: C\n  spec:\n    ports:\n    - 1\n"
    file = File("shop.yaml", text)
    item = (1, "items", 1)

    assert "shop.yaml:6" == locate(file, item)
    assert "shop.yaml:9" == locate(file, (*item, "spec", "ports", 0))
    assert "shop.yaml:9" == locate(file, (*item, "spec", "ports", 7))
    assert "shop.yaml:6" == locate(file, (*item, "metadata", "name"))


def test_locate_in_json():
    """JSON has lines too; objects that follow each other are named by their file alone."""
    assert "a.json:3" == locate(File("a.json", '{\n"a": {\n"b": 1}}'), (0, "a", "b"))
    assert "a.json" == locate(File("a.json", "{}\n{}"), (1,))
