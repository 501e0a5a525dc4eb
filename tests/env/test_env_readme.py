"""The manual page says what is true."""

import doctest
from pathlib import Path

import skydns_py.env
from skydns_py.env.formats import FORMATS

README = Path(skydns_py.env.__path__[0]) / "README.md"


def test_examples() -> None:
    """Every example of the manual page runs and prints what is written there."""
    found = doctest.testfile(str(README), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert found.attempted > 8
    assert found.failed == 0


def test_every_format_is_told() -> None:
    """Every format has its row in the manual page."""
    text = README.read_text()

    for form in FORMATS:
        assert f"\n| `{form}` | " in text
