"""What is learnt of an upstream, and the order in which they are asked."""

from skydns_py.settings.upstream_shapes import Upstream
from skydns_py.upstream.peer import MAX_PATIENCE, MIN_PATIENCE, Peer, order

PEERS = [Peer(Upstream(f"192.0.2.{i}"), 2) for i in range(3)]


def hosts(peers: list[Peer]) -> list[str]:
    return [peer.upstream.host[-1] for peer in peers]


def test_down():
    """An upstream is down after more failures in a row than are forgiven, and up by one reply."""
    peer = Peer(Upstream("192.0.2.1"), 2)

    assert [False, False, True, False] == [peer.failed() for _ in range(4)]
    assert peer.is_down
    assert [True, False] == [peer.replied(0.01), peer.replied(0.01)]
    assert not peer.is_down


def test_never_down():
    """With `max_fails` 0 no upstream is ever down."""
    peer = Peer(Upstream("192.0.2.1"), 0)

    assert [False] * 9 == [peer.failed() for _ in range(9)]


def test_patience():
    """Patience follows the replies, within bounds; a stranger gets all of it."""
    peer = Peer(Upstream("192.0.2.1"), 2)
    assert MAX_PATIENCE == peer.patience

    for _ in range(30):
        peer.replied(0.001)
    assert MIN_PATIENCE == peer.patience

    for _ in range(30):
        peer.replied(0.7)
    assert MIN_PATIENCE < 0.7 < peer.patience <= MAX_PATIENCE


def test_policies():
    """Sequential keeps the order, round robin turns it, random shuffles it."""

    def back(items):
        items.reverse()

    assert [["0", "1", "2"]] * 2 == [hosts(order(PEERS, "sequential", n, back)) for n in (0, 1)]
    assert [["0", "1", "2"], ["1", "2", "0"], ["2", "0", "1"]] == [
        hosts(order(PEERS, "round_robin", turn, back)) for turn in range(3)
    ]
    assert ["2", "1", "0"] == hosts(order(PEERS, "random", 0, back))


def test_who_is_down_comes_last():
    """Those that are down are asked when nobody else replied."""
    peers = [Peer(Upstream(f"192.0.2.{i}"), 1) for i in range(3)]
    for _ in range(2):
        peers[0].failed()

    assert ["1", "2", "0"] == hosts(order(peers, "sequential", 0, lambda _: None))
