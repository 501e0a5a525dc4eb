"""Which files are manifests, and by which marks they are known again."""

import io
import os
from functools import partial

import pytest

from skydns_py.errors import SettingsError
from skydns_py.sources.manifests.reader import is_watchable, marks, read_files


@pytest.fixture
def folder(tmp_path):
    for name in ("b.yaml", "a.yml", "c.json", ".hidden.yaml", "notes.txt", "b.yaml~"):
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.yaml").write_text("# d.yaml\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "e.yaml").write_text("# e.yaml\n")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere.yaml")
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def texts(path, **options):
    return [file.text.strip("# \n") for file in read_files(str(path), **options)]


def refusal(path, **options):
    with pytest.raises(SettingsError) as caught:
        read_files(str(path), **options)
    return str(caught.value)


def test_directory(folder):
    """A directory's own manifests are read in order; hidden, other and dangling ones are not."""
    assert ["a.yml", "b.yaml", "c.json"] == texts(folder)


def test_directory_recursively(folder):
    """Folders below are read when asked for, hidden and linked ones never."""
    assert ["a.yml", "b.yaml", "d.yaml", "c.json"] == texts(folder, recursive=True)


def test_file_of_any_name(folder):
    """A file that is named is read, whatever it is called."""
    assert ["notes.txt"] == texts(folder / "notes.txt")


def test_names_are_the_operators(folder, monkeypatch):
    """A file is called by the path that the operator gave."""
    monkeypatch.chdir(folder.parent)

    names = [file.name for file in read_files(folder.name)]

    assert f"{folder.name}/a.yml" == names[0]


def test_mounted_config_map_is_read_once(tmp_path):
    """The links of a ConfigMap mount are read, the hidden folders behind them are not."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "shop.yaml").write_text("# once\n")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "shop.yaml").symlink_to("..data/shop.yaml")

    assert ["once"] == texts(tmp_path, recursive=True)


def test_byte_order_mark(tmp_path):
    """A byte order mark is no part of the text."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfkind: A\n")

    assert ["kind: A"] == texts(tmp_path)
    assert ["kind: A"] == texts("-", stdin=io.StringIO("\ufeffkind: A\n"))


def test_standard_input_of_a_process(tmp_path):
    """Standard input that is a descriptor is read to its end and left open."""
    (tmp_path / "a").write_text("kind: A\n")

    with (tmp_path / "a").open() as stdin:
        assert ["kind: A"] == texts("-", stdin=stdin)
        assert not stdin.closed


def test_nothing_there(tmp_path):
    """A path that leads nowhere is refused, and has no marks."""
    path = tmp_path / "nowhere"

    assert f"{path}: there is no such file or directory" == refusal(path)
    assert {} == marks(str(path))


def test_no_standard_input():
    """Without a standard input `-` is refused."""
    assert "-: there is no standard input to read manifests from" == refusal("-")


def test_not_utf8(tmp_path):
    """A file that is no UTF-8 is refused with the byte that is not."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"# caf\xe9\n")

    problem = "is no UTF-8 text: invalid continuation byte at byte 5"
    assert f"{path}: {problem}" == refusal(tmp_path)
    with path.open() as stdin:
        assert f"standard input: {problem}" == refusal("-", stdin=stdin)


def test_unreadable(tmp_path):
    """A file that cannot be read is refused with the system's reason."""
    (tmp_path / "a.yaml").symlink_to("/proc/self/mem")

    assert f"{tmp_path}/a.yaml: cannot be read: Input/output error" == refusal(tmp_path)


def test_marks_differ_when_files_do(folder):
    """A file that is edited, replaced, added or removed changes the marks; others do not."""
    seen = [marks(str(folder))]
    for change in (
        partial((folder / "b.yaml").write_text, "# longer than before\n"),
        partial((folder / "notes.txt").replace, folder / "c.json"),
        (folder / "new.yaml").touch,
        (folder / "a.yml").unlink,
    ):
        change()
        assert marks(str(folder)) not in seen
        seen.append(marks(str(folder)))

    (folder / ".hidden.yaml").unlink()
    assert seen[-1] == marks(str(folder))


def test_watchable(folder):
    """Files and directories can be read again, a pipe and standard input only once."""
    os.mkfifo(folder / "pipe")

    assert is_watchable(str(folder))
    assert is_watchable(str(folder / "b.yaml"))
    assert is_watchable(str(folder / "later.yaml"))
    assert not is_watchable(str(folder / "pipe"))
    assert not is_watchable("-")
