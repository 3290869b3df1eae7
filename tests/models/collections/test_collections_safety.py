"""What strangers put into zips and texts does no harm."""

import errno
import stat
import struct
import zipfile

import numpy as np
import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import SpherosegError, UnreadableFile, UnsafeFile
from napari_spheroseg.models.formats import archive
from napari_spheroseg.models.formats.archive import Archive, parse_json, parse_yaml


def zip_of(path, *names, content=b"x"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../../b",
        "/etc/a",
        "//host/a",
        "C:/a",
        "C:a",
        "a\\..\\b",
        "..\\a",
        "a//b",
        "./a",
        "a/./b",
        "a\nb",
        "a.",
        "a ",
        "con.txt",
        "models/NUL",
    ],
)
def test_a_name_that_could_leave_its_folder_refuses_the_whole_zip(name, tmp_path):
    with pytest.raises(UnsafeFile, match="a\\.zip holds"):
        Archive(zip_of(tmp_path / "a.zip", "good", name))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind, tmp_path):
    member = zipfile.ZipInfo("link")
    member.external_attr = (kind | 0o777) << 16
    with pytest.raises(UnsafeFile, match="link"):
        Archive(zip_of(tmp_path / "a.zip", member, content=b"/etc/passwd"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names", [("a", "a"), ("a", "A"), ("\u00e9", "e\u0301"), ("a/b", "a"), ("a", "a/b")]
)
def test_names_that_fall_together_are_refused(names, tmp_path):
    with pytest.raises(UnsafeFile, match=r"twice|as a file and as a folder"):
        Archive(zip_of(tmp_path / "a.zip", *names))


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(UnsafeFile, match="more than 3 files"):
        Archive(zip_of(tmp_path / "a.zip", *"abcd"))


@pytest.mark.parametrize("load", [Archive, models.install, models.load])
def test_a_list_of_files_that_takes_long_to_read_is_not_read(load, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 1000)
    for zip64 in (False, True):
        path = zip_of(tmp_path / "a.zip", *map(str, range(100)))
        if zip64:
            with monkeypatch.context() as patch:
                patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
                zip_of(path, *map(str, range(100)))
            assert b"PK\x06\x07" in path.read_bytes()
        with pytest.raises(UnsafeFile, match="far too many files"):
            load(path)


def test_files_that_would_fill_the_disk_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 100)
    with pytest.raises(UnsafeFile, match="would fill"):
        Archive(zip_of(tmp_path / "a.zip", "a", "b", content=bytes(60)))


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM", 1000)
    with pytest.raises(UnsafeFile, match="hundredfold"):
        Archive(zip_of(tmp_path / "a.zip", "a", content=bytes(10**6)))


def test_a_member_that_says_it_is_smaller_than_it_is_gives_no_more_than_it_says(tmp_path):
    path = zip_of(tmp_path / "a.zip", "a", content=bytes(10**6))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + offset
        content[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    with Archive(path) as opened, pytest.raises(UnreadableFile, match="damaged"):
        opened.extract("a", tmp_path / "out")
    assert (tmp_path / "out").stat().st_size <= 10


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(50), b"no zip at all"])
def test_what_is_no_zip_is_said_so(content, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"a\.zip"):
        models.open_collection(tmp_path / "a.zip")


def test_a_zip_with_one_byte_changed_gives_only_our_errors(tmp_path):
    path = zip_of(tmp_path / "a.zip", "config.yml", "models/a", content=b"segmentation: {}")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 100):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            models.open_collection(path)
        except SpherosegError as error:
            assert str(error)  # noqa: PT017


def test_a_zip_without_models_is_no_collection(tmp_path):
    with pytest.raises(UnreadableFile, match="no model collection"):
        models.open_collection(zip_of(tmp_path / "a.zip", "photo.jpg"))


BILLION = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [ls]",
        BILLION,
        "a: &a [*a]",
        "a: " + "[" * 5000,
        "a: {b: c",
        "- a\n- b",
        "1: a",
        "",
        "a: 2024-13-45",
        "? [a, b]\n: c",
        "? {a: b}\n: c",
        "a: \x00",
        "a: " + "9" * 5000,
        "a: " + "x" * 2**21,
        "\ud800",
    ],
)
@pytest.mark.parametrize("parse", [parse_yaml, parse_json])
def test_a_hostile_text_gives_our_error(parse, text):
    with pytest.raises((UnreadableFile, UnsafeFile), match="config"):
        parse(text.encode("utf-8", "surrogatepass"), "config")


def test_a_hostile_manifest_gives_our_error(tmp_path):
    for models_of in ('{"../a": {"files": {}}}', '{"a": {"files": {"../b": ""}}}', "[]"):
        content = f'{{"name": "x", "models": {models_of}}}'
        with pytest.raises(UnreadableFile, match=r"collection\.json"):
            models.open_collection(zip_of(tmp_path / "a.zip", "collection.json", content=content))


def test_a_full_disk_is_not_taken_for_a_damaged_zip(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Archive(zip_of(tmp_path / "a.zip", "a")) as file:
        monkeypatch.setattr("pathlib.Path.open", full)
        with pytest.raises(UnreadableFile, match="no room to unpack"):
            file.extract("a", tmp_path / "b")
