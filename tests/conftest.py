"""A cluster in memory that can be asked: objects in, questions, answers as zone-file text.

Also the one place where hypothesis is told how long to search.
This file never opens a socket and never decides what is right: the tests do.
"""

from collections.abc import Iterable
from textwrap import indent

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from hypothesis import HealthCheck, Phase, settings

from skydns_py import names
from skydns_py.answers.lookup import Answer, Zone, lookup
from skydns_py.answers.responder import Block, Responder, Transport
from skydns_py.batch import Batch, Key
from skydns_py.sources.kubernetes.records import Exposure, KubernetesNaming
from skydns_py.sources.kubernetes.schema import Namespace, Slim
from skydns_py.table import Delta, Table

# Derandomized: a build that fails does so for what was changed, not by luck.
# `--hypothesis-profile=search` looks for longer, and elsewhere each time.
PHASES = [Phase.explicit, Phase.generate, Phase.shrink]
settings.register_profile(
    "build", derandomize=True, deadline=None, max_examples=100, phases=PHASES, database=None
)
settings.register_profile(
    "search", deadline=None, max_examples=3000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("build")

DEFAULT = Exposure()
FORWARD = names.from_text("cluster.local")
APEXES = (FORWARD, names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))


def key_of(slim: Slim) -> Key:
    """Return the key under which a source sends an object."""
    namespace = "" if isinstance(slim, Namespace) else slim.namespace
    return Key(type(slim).__name__, namespace, slim.name)


class World:
    """A table of `objects` seen under an exposure, and the responder in front of it.

    Addresses stand in their own order, with `shuffles` each is first in its turn.
    A bug that the responder reports is raised where it happens.
    """

    def __init__(
        self,
        *objects: Slim,
        exposure: Exposure = DEFAULT,
        own: Iterable[str] = (),
        synced: bool = True,
        shuffles: bool = False,
        sources: Iterable[str] = ("kubernetes",),
    ) -> None:
        self.table = Table(KubernetesNaming(exposure), sources)
        addresses = tuple(filter(None, map(names.pack_address, own)))
        self.zones = {
            apex: Zone(apex, self.table, exposure.ttl, FORWARD, addresses) for apex in APEXES
        }
        blocks = {names.ROOT: Block(self.zones, shuffles=shuffles)}
        self.responder = Responder(blocks, shuffle=lambda _: None, report=_raise)
        self.put(*objects)
        if synced:
            for source in sources:
                self.apply({}, source, synced=True)

    def apply(
        self, changes: dict[Key, Slim | None], source: str, *, synced: bool = False, now: int = 0
    ) -> Delta:
        """Apply a batch, at a time of 0 unless serials shall tell two answers apart."""
        delta = self.table.apply(Batch(source, changes, synced or None), now)
        self.responder.changed(delta)
        return delta

    def put(self, *objects: Slim, source: str = "kubernetes") -> Delta:
        return self.apply({key_of(slim): slim for slim in objects}, source)

    def remove(self, *objects: Slim, source: str = "kubernetes") -> Delta:
        return self.apply({key_of(slim): None for slim in objects}, source)

    def answer(self, name: str, rrtype: str) -> Answer:
        """Look a question up, without a packet."""
        wire = names.fold(names.from_text(name))
        answer = lookup(self.zones, wire, int(dns.rdatatype.from_text(rrtype)))
        assert answer is not None
        return answer

    def ask(self, name: str, rrtype: str, transport: Transport = "udp") -> dns.message.Message:
        """Ask with a packet, and let dnspython read the reply."""
        query = dns.message.make_query(name, rrtype, use_edns=0, payload=1232)
        reply = self.responder.respond(query.to_wire(), None, transport)
        assert reply is not None
        return dns.message.from_wire(reply, one_rr_per_rrset=True)

    def replay(self, transcript: str) -> str:
        """Ask the `?` lines of a transcript again, and return it with the answers of now.

        Below each question stand NXDOMAIN, NODATA or the answer in its order, and the additional
        records behind a `+`. That a denial has its SOA is asserted here, once for all.
        """
        asked = [line.split()[1:] for line in transcript.splitlines() if line.strip()[:1] == "?"]
        assert asked
        told = [f"? {name} {rrtype}\n{_told(self.ask(name, rrtype))}" for name, rrtype in asked]
        margin = transcript[: transcript.index("?")].rpartition("\n")[2]
        last = transcript.rpartition("\n")[2]
        return "\n" + indent("\n".join(told), margin) + "\n" + last


def _told(reply: dns.message.Message) -> str:
    answer = [rrset.to_text() for rrset in reply.answer]
    additional = [f"+ {rrset.to_text()}" for rrset in reply.additional]
    if reply.flags & dns.flags.TC:
        return "TC"
    if not answer:
        assert [dns.rdatatype.SOA] == [rrset.rdtype for rrset in reply.authority]
        rcode = dns.rcode.to_text(reply.rcode())
        return "NODATA" if rcode == "NOERROR" else rcode
    assert dns.rcode.NOERROR == reply.rcode() or answer[-1].split()[3] == "CNAME"
    return "\n".join([*answer, *additional])


def _raise(bug: Exception) -> None:
    raise bug
