"""The source as it runs: the first picture, and every kind of edit."""

import asyncio

import pytest

from skydns_py.batch import Key
from skydns_py.sources.kubernetes.schema import Namespace
from skydns_py.sources.manifests.cluster import build
from skydns_py.sources.manifests.settings import ManifestSettings
from skydns_py.sources.manifests.source import difference, read
from tests.fakes.eventually import eventually
from tests.sources.manifests.running import (
    SETTINGS,
    Running,
    key,
    replace,
    running,
    service,
    watches,
)


@pytest.fixture
def notices_only(monkeypatch):
    """Nothing is seen but what the system gives notice of."""
    monkeypatch.setattr("skydns_py.sources.manifests.stirs.LOOK_ANYWAY", 60_000)


async def test_first_batch_is_everything(tmp_path):
    """The first batch has the whole picture and says so."""
    (tmp_path / "shop.yaml").write_text(service("web"))

    async with running(tmp_path) as run:
        (batch,) = run.batches
        assert ("manifests", True) == (batch.source, batch.synced)
        assert read(str(tmp_path), settings=SETTINGS) == batch.objects


async def test_edit_sends_the_difference(tmp_path, notices_only):
    """An edit sends what differs and nothing else, and says nothing about being synced."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web") + service("api"))

    async with running(path) as run:
        path.write_text(service("web", port=81) + service("new"))
        await run.shows({"web": 81, "new": 80})

        last = run.batches[-1]
        assert {key("web"), key("new"), key("api")} == set(last.objects)
        assert last.objects[key("api")] is None
        assert last.synced is None


async def test_atomic_rename(tmp_path, notices_only):
    """A file that is replaced by another is seen again and again."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))

    async with running(path) as run:
        for port in (81, 82, 83):
            replace(path, service("web", port=port))
            await run.shows({"web": port})


async def test_files_come_and_go(tmp_path, notices_only):
    """Files that appear in the directory bring their objects, and take them along."""
    (tmp_path / "a.yaml").write_text(service("a"))

    async with running(tmp_path) as run:
        (tmp_path / "b.yaml").write_text(service("b"))
        await run.shows({"a": 80, "b": 80})
        (tmp_path / "a.yaml").unlink()
        await run.shows({"b": 80})


async def test_config_map_swap(tmp_path, notices_only):
    """The swap of a mounted ConfigMap's hidden link is seen, for a directory and for one file."""
    for name, port in (("..1", 80), ("..2", 81)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.yaml").write_text(service("web", port=port))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "shop.yaml").symlink_to("..data/shop.yaml")

    async with running(tmp_path) as run, running(tmp_path / "shop.yaml") as one:
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        await run.shows({"web": 81})
        await one.shows({"web": 81})


async def test_folders_below(tmp_path, notices_only):
    """Folders below are watched too when they are read."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yaml").write_text(service("a"))

    async with running(tmp_path, settings=ManifestSettings(recursive=True)) as run:
        (tmp_path / "below" / "a.yaml").write_text(service("a", port=81))
        await run.shows({"a": 81})


async def test_folder_of_any_name(tmp_path, notices_only):
    """Folders that developers' tools pass over are watched like any other."""
    path = tmp_path / "node_modules" / ".cache" / "shop.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(service("web"))

    async with running(path.parent) as run:
        replace(path, service("web", port=81))
        await run.shows({"web": 81})


async def test_edit_that_means_nothing(tmp_path):
    """An edit that changes no object sends nothing."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))

    async with running(path) as run:
        for _ in range(2):
            await run.reads(path, f"# a comment\n{path.read_text()}")
        replace(path, service("web", port=81))
        await run.shows({"web": 81})
        assert 2 == len(run.batches)


async def test_linked_file_elsewhere(tmp_path):
    """A file that is linked from elsewhere is noticed too, if not at once."""
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "shop.yaml"
    target.write_text(service("web"))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "shop.yaml").symlink_to(target)

    async with running(tmp_path / "here") as run:
        target.write_text(service("web", port=8081))
        await run.shows({"web": 8081})


def test_change_while_reading(tmp_path, monkeypatch):
    """What changes while it is read is read again, so that one picture is of one moment."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))
    source = Running(path).source
    texts = [service("web", port=8081), service("web", port=808)]

    def build_while_edited(documents, settings):
        if texts:
            path.write_text(texts.pop(0))
        return build(documents, settings)

    monkeypatch.setattr("skydns_py.sources.manifests.source.build", build_while_edited)
    outcome, _ = source._read_settled()

    assert read(str(path), settings=SETTINGS) == outcome
    assert [] == texts


async def test_emptied_file_is_being_written(tmp_path):
    """A file that a shell has emptied and will fill keeps its objects until then."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))

    async with running(path) as run:
        with path.open("w") as writer:
            await asyncio.sleep(0.2)
            writer.write(service("web", port=81))
        await run.shows({"web": 81})
        assert all(batch.objects.get(key("web")) is not None for batch in run.batches)


async def test_file_that_stays_empty(tmp_path):
    """A file that stays empty has no objects any more."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))

    async with running(path) as run:
        path.write_text("")
        await run.shows({})


async def test_cancelled_source_leaves_no_watch(tmp_path):
    """A cancelled source stops watching at once and sends nothing more."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))
    before = len(watches())

    async with running(path) as run:
        replace(path, service("web", port=81))
        await run.shows({"web": 81})
        assert before + 1 == len(watches())
    await eventually(lambda: len(watches()) == before)


def test_difference():
    """The difference of two pictures has what is new or other, and None for what is gone."""
    a, b, c = (Namespace(name) for name in "abc")
    one, two, three = (Key("Namespace", "", name) for name in "123")

    assert {two: c, three: c, one: None} == difference({one: a, two: b}, {two: c, three: c})
    assert {} == difference({one: a}, {one: Namespace("a")})
