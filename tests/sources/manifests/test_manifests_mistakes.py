"""The source as it runs: mistakes at the start, while running, and what is gone for a while."""

import io
import shutil

import pytest
from watchfiles import awatch

from skydns_py.errors import SettingsError
from tests.fakes.eventually import eventually
from tests.sources.manifests.running import STAYS, Running, replace, running, service


async def test_mistake_keeps_the_last_good_state(tmp_path):
    """A bad edit is reported once, changes nothing, and its mending is told."""
    path = tmp_path / "a.yaml"
    path.write_text(service("web"))

    async with running(tmp_path) as run:
        (tmp_path / "b.yaml").write_text(service("good"))
        await run.shows({"web": 80, "good": 80})
        replace(path, service("web", port="x") + service("other"))
        await eventually(lambda: run.reports)
        replace(path, "# again\n" + service("web", port="x"))
        await eventually(lambda: len(run.reports) > 1)
        sent = len(run.batches)
        replace(path, service("web", port=82))
        await run.shows({"web": 82, "good": 80})

        where = f"Service default/web, spec.ports[0].port: expected `int`, got `str`; {STAYS}"
        expected = [f"{path}:5: {where}", f"{path}:6: {where}"]
        assert expected == run.reports[:2]
        assert f"{tmp_path}: the manifests can be read again" == run.reports[2]
        assert sent + 1 == len(run.batches)


async def test_mistake_is_told_once(tmp_path):
    """A mistake that stands is not told again when another file is edited."""
    (tmp_path / "a.yaml").write_text(service("a"))

    async with running(tmp_path) as run:
        (tmp_path / "a.yaml").write_text("a: [1")
        await eventually(lambda: run.reports)
        for port in (81, 82):
            await run.reads(tmp_path / "b.yaml", service("b", port=port))
        replace(tmp_path / "a.yaml", service("a"))
        await run.shows({"a": 80, "b": 82})
        assert 2 == len(run.reports)


async def test_removed_and_back(tmp_path, monkeypatch):
    """A directory that is removed keeps its last objects, and is followed when it is back."""
    folder, armed = tmp_path / "manifests", []
    folder.mkdir()

    def awatch_noting_where(where, **options):
        armed.append(where)
        return awatch(where, **options)

    monkeypatch.setattr("skydns_py.sources.manifests.stirs.awatch", awatch_noting_where)
    (folder / "a.yaml").write_text(service("a"))

    async with running(folder) as run:
        (folder / "a.yaml").rename(tmp_path / "a.yaml")
        await run.shows({})
        (tmp_path / "a.yaml").rename(folder / "a.yaml")
        await run.shows({"a": 80})
        folder.rename(tmp_path / "gone")
        await eventually(lambda: run.reports)
        assert [f"{folder}: there is no such file or directory; {STAYS}"] == run.reports
        assert {"a": 80} == run.ports()

        folder.mkdir()
        (folder / "b.yaml").write_text(service("b"))
        await run.shows({"b": 80})
        (folder / "b.yaml").write_text(service("b", port=81))
        await run.shows({"b": 81})
        await eventually(lambda: armed[1:] and armed[-1] == folder)


async def test_whole_tree_removed_and_back(tmp_path):
    """A file whose folder is removed, and the folder above too, is found when it is back."""
    path = tmp_path / "above" / "folder" / "shop.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(service("web"))

    async with running(path) as run:
        shutil.rmtree(tmp_path / "above")
        await eventually(lambda: run.reports)
        path.parent.mkdir(parents=True)
        path.write_text(service("web", port=81))
        await run.shows({"web": 81})
        path.write_text(service("web", port=82))
        await run.shows({"web": 82})


async def test_first_reading_fails(tmp_path):
    """A mistake in the first reading stops the start."""
    run = Running(tmp_path / "nowhere.yaml")

    with pytest.raises(SettingsError, match="there is no such file or directory"):
        await run.source.run()
    assert [] == run.batches


async def test_bug_while_running(tmp_path, monkeypatch):
    """A mistake of ours while running is reported like one in the files, and survived."""
    path = tmp_path / "shop.yaml"
    path.write_text(service("web"))

    async with running(path) as run:
        with monkeypatch.context() as broken:
            broken.setattr("skydns_py.sources.manifests.source.build", lambda *_: 1 // 0)
            replace(path, service("web", port=81))
            await eventually(lambda: run.reports)
        assert "ZeroDivisionError" in run.reports[0]
        replace(path, service("web", port=82))
        await run.shows({"web": 82})


async def test_mistake_on_standard_input():
    """A mistake on standard input stops the start."""
    run = Running("-", stdin=io.StringIO("a: [1"))

    with pytest.raises(SettingsError, match=r"^standard input:2:1: cannot be read"):
        await run.source.run()
