"""What is kept and what goes: bounded in number and octets, safe from floods."""

from hypothesis import given
from hypothesis import strategies as st

from skydns_py.upstream.shelf import Shelf


def test_flood_spares_what_is_asked_often():
    """What was asked again outlives any number of things that were not."""
    shelf: Shelf[str, int] = Shelf(100, 10_000)
    for number in range(50):
        shelf.put(f"often{number}", number, 10)
        shelf.get(f"often{number}")
    for number in range(10_000):
        shelf.put(f"junk{number}", number, 10)

    assert list(range(50)) == [shelf.get(f"often{number}") for number in range(50)]
    assert 100 == len(shelf)


def test_new_things_always_have_room():
    """However much was asked again, something new is kept long enough to prove itself."""
    shelf: Shelf[int, int] = Shelf(100, 10_000)
    for number in range(500):
        shelf.put(number, number, 10)
        assert number == shelf.get(number)

    shelf.put(-1, -1, 10)
    for number in range(1000, 1010):
        shelf.put(number, number, 10)
    assert -1 == shelf.get(-1)


def test_octets_are_bounded():
    """Few large things take the room of many small ones."""
    shelf: Shelf[int, int] = Shelf(100, 1000)
    for number in range(20):
        shelf.put(number, number, 400)
        shelf.get(number)

    assert (2, 800) == (len(shelf), shelf.octets)


def test_replaced():
    """A thing put again keeps its place and is counted once."""
    shelf: Shelf[str, int] = Shelf(10, 1000)
    shelf.put("a", 1, 10)
    shelf.get("a")
    shelf.put("a", 2, 30)

    assert (2, 1, 30) == (shelf.peek("a"), len(shelf), shelf.octets)
    shelf.clear()
    assert (None, 0, 0) == (shelf.get("a"), len(shelf), shelf.octets)


@given(st.lists(st.tuples(st.sampled_from("pgd"), st.integers(0, 30), st.integers(1, 60))))
def test_never_beyond_bounds(steps):
    """After any steps nothing is beyond the bounds, and the octets are those of what is there."""
    shelf: Shelf[int, int] = Shelf(10, 200)
    for step, key, octets in steps:
        match step:
            case "p":
                shelf.put(key, octets, octets)
                assert octets == shelf.peek(key)
            case "g":
                shelf.get(key)
            case "d":
                shelf.drop(key)
        there = [value for key in range(31) if (value := shelf.peek(key)) is not None]
        assert (len(there), sum(there)) == (len(shelf), shelf.octets)
        assert len(shelf) <= 10
        assert shelf.octets <= 200
