"""Whatever a table went through, it answers as if it had only ever seen what is there now.

And what a batch changed is told by its `Delta`: who keeps replies relies on nothing else.
"""

from typing import Any

import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skydns_py import names
from skydns_py.answers.lookup import lookup
from skydns_py.answers.query import Query, judge
from skydns_py.answers.wire import pack
from skydns_py.sources.kubernetes.records import Exposure
from skydns_py.sources.kubernetes.schema import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServicePort,
)
from tests.conftest import World, key_of

SOURCES = ("kubernetes", "manifests")

# Few of everything, so that objects meet: at names, at addresses, and as targets of each other.
NAMESPACES = ["shop", "bank"]
SERVICES = ["web", "db"]
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::", "2001:db8::1", "2001:DB8::1"]
TARGETS = [
    "web.shop.svc.cluster.local",
    "db.shop.svc.cluster.local.",
    "WEB.bank.svc.cluster.LOCAL",
    "pod-0.db.shop.svc.cluster.local",
    "192-0-2-1.shop.pod.cluster.local",
    "1.2.0.192.in-addr.arpa",
    "cluster.local",
    "ns.dns.cluster.local",
    "nope.cluster.local",
    "example.org",
    "192.0.2.1",
    "",
]
PORTS = [
    ServicePort("http", 80, "TCP"),
    ServicePort("http", 80, "UDP"),
    ServicePort("dns", 53, "UDP"),
    ServicePort("", 8080, "TCP"),
]
EXPOSURES = [
    Exposure(),
    Exposure(pods="insecure", ignore_empty_service=True),
    Exposure(pods="verified", endpoint_pod_names=True),
    Exposure(pods="verified", namespaces=frozenset({"shop"})),
    Exposure(endpoints=False),
]

some_addresses = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2).map(tuple)
some_ports = st.lists(st.sampled_from(PORTS), max_size=2).map(tuple)
namespaces = st.sampled_from(NAMESPACES)
services = st.builds(
    Service,
    namespaces,
    st.sampled_from(SERVICES),
    st.just("ClusterIP"),
    some_addresses | st.just(("None",)),
    st.just(""),
    some_ports,
)
aliases = st.builds(
    Service,
    namespaces,
    st.sampled_from(SERVICES),
    st.just("ExternalName"),
    st.just(()),
    st.sampled_from(TARGETS),
    some_ports,
)
endpoints = st.builds(
    Endpoint,
    some_addresses | st.sampled_from(TARGETS[:-1]).map(lambda text: (text,)),
    st.booleans(),
    st.sampled_from(["", "", "pod-0"]),
    st.sampled_from(["", "pod-0", "pod.1"]),
)
slices = st.builds(
    EndpointSlice,
    namespaces,
    st.sampled_from(["part-1", "part-2"]),
    st.sampled_from([*SERVICES, ""]),
    st.just("IPv4"),
    st.lists(endpoints, max_size=3).map(tuple),
    some_ports,
)
pods = st.builds(
    Pod, namespaces, st.sampled_from(["pod-0", "pod-1"]), st.sampled_from([*ADDRESSES, ""])
)
objects = st.builds(Namespace, namespaces) | services | slices | aliases | slices | pods
is_there = st.sampled_from([True, True, True, False])
changes = st.lists(st.tuples(objects, is_there), min_size=3, max_size=8)
"""What is told at once: objects, and whether each is there or gone."""

histories = st.lists(
    st.tuples(st.sampled_from(SOURCES), changes, st.booleans()), min_size=3, max_size=8
)
"""Batches in their order: a source, its changes, and whether it has synced."""

exposures = st.sampled_from(EXPOSURES)
own_addresses = st.sampled_from([(), ("192.0.2.1",), ("192.0.2.2", "2001:db8::1")])


def questions():
    """Return wire names that reach every kind of node, and some that reach none."""
    texts = {"cluster.local", "dns.cluster.local", "ns.dns.cluster.local", "svc.cluster.local"}
    texts |= {"pod.cluster.local", "dns-version.cluster.local", "nope.cluster.local"}
    for namespace in [*NAMESPACES, "nope"]:
        texts |= {f"{namespace}.{root}.cluster.local" for root in ("svc", "pod")}
        texts |= {f"{dashed}.{namespace}.pod.cluster.local" for dashed in DASHED}
        for service in [*SERVICES, "nope"]:
            apex = f"{service}.{namespace}.svc.cluster.local"
            texts |= {apex, f"pod-0.{apex}", f"pod.1.{apex}", f"1.{apex}", f"_tcp.{apex}"}
            texts |= {f"{dashed}.{apex}" for dashed in DASHED}
            texts |= {f"_http._tcp.{apex}", f"_dns._udp.{apex}", f"_._.{apex}"}
    for address in filter(None, map(names.pack_address, ADDRESSES)):
        above = names.suffixes(names.reverse(address))
        texts |= {names.to_text(name) for name in above[:4] + above[-3:-1]}
    return sorted(texts | {"ns.dns.in-addr.arpa", "9.192.in-addr.arpa", "svc.in-addr.arpa"})


DASHED = ["192-0-2-1", "2001-db8--", "2001-db8--0", "2001-db8--1"]
TYPES = {"cluster.local": ["A", "NS", "SOA"], "in-addr.arpa.": ["NS"], "arpa": ["PTR"]}
QUESTIONS = [
    (text, rrtype)
    for text in questions()
    for rrtype in TYPES.get(text) or (["PTR"] if "arpa" in text else ["A", "SRV"])
]


def query_in(packet):
    query = judge(packet)
    assert isinstance(query, Query)
    return query


def answer_to(world, query):
    answer = lookup(world.zones, query.name, query.type)
    assert answer is not None
    return answer


PACKETS = [dns.message.make_query(*question).to_wire() for question in QUESTIONS]
QUERIES = [query_in(packet) for packet in PACKETS]


class Story:
    """A world in the making, and beside it the plain dictionary of what is there."""

    def __init__(self, exposure, own, *, each_source_tells_all):
        self._settings = {"exposure": exposure, "own": own, "sources": SOURCES, "synced": False}
        self._each_source_tells_all = each_source_tells_all
        self.world = World(**self._settings)
        self.there: dict[str, dict[Any, Any]] = {source: {} for source in SOURCES}
        self.synced = set()
        # Most of what there is to get wrong needs a namespace to be seen in.
        for source in SOURCES:
            self.tell(source, [(Namespace(name), True) for name in NAMESPACES], is_synced=False)

    def tell(self, source, told, is_synced, now=0):
        """Apply one batch to both, and return what the table says has changed."""
        batch = {}
        for slim, is_there in told:
            if self._each_source_tells_all or source == source_of(slim):
                batch[key_of(slim)] = slim if is_there else None
        self.there[source] |= batch
        self.synced |= {source} if is_synced else set()
        return self.world.apply(batch, source, synced=is_synced, now=now)

    def told_at_once(self, sources=SOURCES):
        """Return a new world that is told what is there now, each source in one batch."""
        world = World(**self._settings)
        for source in sources:
            there = {key: slim for key, slim in self.there[source].items() if slim is not None}
            there = {key: there[key] for key in sorted(there, reverse=True)}
            world.apply(there, source, synced=source in self.synced)
        return world

    def end(self):
        """Tell that everything is gone."""
        for source in SOURCES:
            self.world.apply(dict.fromkeys(self.there[source]), source)


def source_of(slim):
    """Return the one source that tells of an object; a Service and its slices may have two."""
    return SOURCES[slim.name in {"db", "bank", "part-2", "pod-1"}]


def reply_to(world, number):
    """Return what is said to a question, and the keys it hangs on."""
    answer = answer_to(world, QUERIES[number])
    said = (answer.rcode, answer.ede, answer.answer, answer.authority, answer.additional)
    return said, answer.keys


def replies(world):
    return {question: reply_to(world, number)[0] for number, question in enumerate(QUESTIONS)}


def listing(world):
    """Return all that a listing of the table's zones says, in its order."""
    return [
        (apex, owner, dict(subtree.nodes))
        for apex in world.zones
        for owner, subtree in world.table.subtrees(apex)
    ]


@settings(max_examples=60)
@given(exposures, own_addresses, histories, st.sets(st.integers(0, 7)))
@pytest.mark.parametrize("each_source_tells_all", [False, True])
def test_history_leaves_no_trace(each_source_tells_all, exposure, own, history, asked_after):
    """A table that went through any batches answers and lists like a new one."""
    story = Story(exposure, own, each_source_tells_all=each_source_tells_all)
    for number, batch in enumerate(history):
        story.tell(*batch)
        if number in asked_after:
            replies(story.world)
    new = story.told_at_once()

    assert set(new.table.addresses()) == set(story.world.table.addresses())
    assert new.table.unsynced == story.world.table.unsynced
    assert listing(new) == listing(story.world)
    assert replies(new) == replies(story.world)


@settings(max_examples=60)
@given(exposures, own_addresses, histories)
@pytest.mark.parametrize("each_source_tells_all", [False, True])
def test_order_of_sources_leaves_no_trace(each_source_tells_all, exposure, own, history):
    """Which source told first is not to be seen in any answer."""
    story = Story(exposure, own, each_source_tells_all=each_source_tells_all)
    for batch in history:
        story.tell(*batch)

    assert replies(story.told_at_once()) == replies(story.told_at_once(SOURCES[::-1]))


@settings(max_examples=100)
@given(exposures, own_addresses, histories)
def test_what_is_gone_leaves_no_trace(exposure, own, history):
    """When every object is gone nothing of them is kept, in any index."""
    story = Story(exposure, own, each_source_tells_all=True)
    for batch in history:
        story.tell(*batch)
        replies(story.world)
    story.end()
    table = story.world.table

    assert [] == list(table.objects())
    assert [] == list(table.addresses())
    assert {} == table._owners
    assert {4: [], 16: []} == (table._digits or {4: [], 16: []})
    assert {} == {owner: 0 for built in table._built.values() for owner in built}


@settings(max_examples=150)
@given(exposures, own_addresses, histories)
def test_a_delta_tells_every_answer_that_changed(exposure, own, history):
    """A reply kept until a delta names one of its keys is the reply that would be made anew.

    Negative ones too, those of reverse zones, and those given before the table had synced.
    """
    story = Story(exposure, own, each_source_tells_all=True)
    kept: dict[int, tuple[Any, Any]] = {}
    for batch in history:
        delta = story.tell(*batch)
        kept = {
            number: (said, keys)
            for number, (said, keys) in kept.items()
            if delta.keys.isdisjoint(keys)
        }
        for number, question in enumerate(QUESTIONS):
            now = reply_to(story.world, number)
            assert (question, kept.setdefault(number, now)[0]) == (question, now[0])


@settings(max_examples=40)
@given(exposures, own_addresses, histories)
def test_replies_are_those_of_now(exposure, own, history):
    """However often a question was asked before, its reply is made of what is there now."""
    story = Story(exposure, own, each_source_tells_all=False)
    for now, batch in enumerate(history):
        source, told, is_synced = batch
        story.tell(source, told, is_synced=is_synced, now=now)
        for packet, query in zip(PACKETS, QUERIES, strict=True):
            expected = pack(answer_to(story.world, query), query, 512, datagram=True)
            assert expected == story.world.responder.respond(packet, None, "udp")


@settings(max_examples=60)
@given(exposures, histories)
def test_what_is_told_again_changes_nothing(exposure, history):
    """A batch of objects that are as they were has an empty delta."""
    story = Story(exposure, (), each_source_tells_all=True)
    for batch in history:
        story.tell(*batch)
    for source, there in story.there.items():
        assert frozenset() == story.world.apply(dict(there), source).keys


@settings(max_examples=60)
@given(exposures, histories)
def test_a_name_below_one_that_is_not_there_is_not_there(exposure, history):
    """Below NXDOMAIN is only NXDOMAIN (RFC 8020): every name above one that exists does too."""
    story = Story(exposure, (), each_source_tells_all=True)
    for batch in history:
        story.tell(*batch)
    for source in SOURCES:
        story.tell(source, [], is_synced=True)
    world = story.world
    answers = {name: world.answer(name, "TXT") for name, _ in QUESTIONS}
    for name, answer in answers.items():
        above = answers.get(name.removesuffix(".").partition(".")[2])
        # At a CNAME the code is that of its target; names of a lone `_` are other spellings.
        if above and not above.answer and not name.startswith("_._.") and answer.rcode == 0:
            assert above.rcode == 0, f"{name} is there, the name above it is not"
