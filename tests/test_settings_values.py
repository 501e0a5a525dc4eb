"""Single values: durations, numbers, addresses, label selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydns_py.corefile.selectors import check_selector
from skydns_py.settings import values
from skydns_py.settings.values import RefusedError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("5s", 5.0),
        ("+5s", 5.0),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("1h1m1s1ms", 3661.001),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("3ns", 3e-9),
    ],
)
def test_durations_are_read_as_go_reads_them(text, expected):
    """A duration is a sum of numbers with units, in seconds here."""
    assert pytest.approx(expected) == values.seconds(text)


@pytest.mark.parametrize(
    "text",
    ["", "s", "5", "-5s", "5 s", "5S", "5d", "1e3s", ".s", "5s5", "\u0665s", "9" * 400 + "h"],
)
def test_what_is_no_duration_is_refused(text):
    """Numbers without a unit, unknown units, negative and endless times are refused."""
    with pytest.raises(RefusedError):
        values.seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1:53", ("192.0.2.1", 53)),
        ("[2001:db8::1]:53", ("2001:db8::1", 53)),
        ("[fe80::1%eth0]:53", ("fe80::1%eth0", 53)),
        (":0", ("", 0)),
        ("localhost:8080", ("127.0.0.1", 8080)),
    ],
)
def test_addresses_are_read_with_their_port(text, expected):
    """An address stands before a port, an IPv6 one in brackets."""
    assert expected == values.address_and_port(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "53",
        "192.0.2.1",
        "::1:53",
        "2001:db8::1",
        "[192.0.2.1]:53",
        "a.example.org:53",
        ":",
        ":\u0665",
    ],
)
def test_what_is_no_address_and_port_is_refused(text):
    """Host names, missing ports and IPv6 without brackets are refused."""
    with pytest.raises(RefusedError):
        values.address_and_port(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "!a",
        "a=b",
        "a==b",
        "a!=b",
        "a = b , c",
        "a=",
        "app.kubernetes.io/name=web",
        "a in (b)",
        "a in (b, c),d notin (e,f)",
        "in=notin",
        "a in(b)",
        "a=" + "b" * 63,
    ],
)
def test_label_selectors_are_accepted(text):
    """Equality, sets and existence, combined with commas."""
    check_selector(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a,",
        "a=b c",
        "a in b",
        "a in ()",
        "-a",
        "a=b=c",
        "a/b/c",
        "A.B/c",
        "a=" + "b" * 64,
        "a>1",
    ],
)
def test_what_is_no_label_selector_is_refused(text):
    """What the API server would refuse is refused here already."""
    with pytest.raises(RefusedError, match="is no label selector from"):
        check_selector(text)


@given(st.text())
@pytest.mark.parametrize(
    "read",
    [
        values.zones,
        values.split_port,
        values.address_and_port,
        values.port,
        values.rate,
        values.seconds,
        check_selector,
    ],
)
def test_any_text_is_read_or_refused(read, text):
    """No text makes a reader raise anything but RefusedError."""
    try:
        read(text)
    except RefusedError as error:
        assert str(error)  # noqa: PT017  (either outcome is right)
