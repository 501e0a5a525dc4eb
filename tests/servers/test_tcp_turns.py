"""Many floods at once leave everybody a share, and the loop its other work."""

from skydns_py.servers.turns import ROUND, Turns


class Loop:
    """Calls put off to the next time round."""

    def __init__(self):
        self.soon = []

    def call_soon(self, call):
        self.soon.append(call)

    def turn(self):
        calls, self.soon = self.soon, []
        for call in calls:
            call()


def flood(turns, name, taken):
    """Return somebody who always takes all it gets, and waits for more."""

    def turn():
        count = turns.share()
        turns.spend(count)
        taken.append((name, count))
        turns.wait(turn)

    return turn


def test_alone():
    """Who is alone has whole turns until the round is spent, and the next round whole again."""
    loop = Loop()
    turns = Turns(loop.call_soon, 100)

    shares = []
    while share := turns.share():
        shares.append(share)
        turns.spend(share)

    assert [100, 100, 100] == shares
    loop.turn()
    assert 100 == turns.share()


def test_a_round_is_bounded():
    """However many wait, one time round the loop answers so many messages, and not many more."""
    loop = Loop()
    taken: list[tuple[int, int]] = []
    turns = Turns(loop.call_soon, 100)
    for name in range(2000):
        turns.wait(flood(turns, name, taken))

    loop.turn()

    assert ROUND <= sum(count for _, count in taken) < ROUND + 10


def test_everybody_has_a_turn():
    """Floods have turns in the order they began to wait, whoever came first once more at last."""
    loop = Loop()
    taken: list[tuple[int, int]] = []
    turns = Turns(loop.call_soon, 100)
    for name in range(200):
        turns.wait(flood(turns, name, taken))

    while len(taken) <= 200:
        loop.turn()

    assert list(range(200)) == [name for name, _ in taken[:200]]
    assert 0 == taken[200][0]


def test_idle():
    """With nothing to do, nothing is put off."""
    loop = Loop()
    turns = Turns(loop.call_soon, 100)
    turns.spend(1)
    loop.turn()

    assert [] == loop.soon
