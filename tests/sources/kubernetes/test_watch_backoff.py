"""How long is waited between attempts."""

import pytest

from skydns_py.sources.kubernetes.backoff import Backoff


def test_doubles():
    """Pauses double from 0.8 s to 30 s and stay there."""
    backoff = Backoff(lambda: 1.0)

    assert [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0] == [backoff.pause() for _ in range(8)]


@pytest.mark.parametrize(("random", "pause"), [(0.0, 0.4), (0.5, 0.6), (1.0, 0.8)])
def test_jitter(random, pause):
    """A pause is spread between half of its length and the whole."""
    assert pytest.approx(pause) == Backoff(lambda: random).pause()


def test_reset():
    """After a reset the pauses begin anew."""
    backoff = Backoff(lambda: 1.0)
    backoff.pause()
    backoff.pause()
    backoff.reset()

    assert 0.8 == backoff.pause()


@pytest.mark.parametrize(("wish", "pause"), [(0.1, 0.8), (7.0, 7.0), (1e9, 300.0)])
def test_wish_of_the_server(wish, pause):
    """The server's wish is the least that is waited, within reason."""
    assert pause == Backoff(lambda: 1.0).pause(at_least=wish)
