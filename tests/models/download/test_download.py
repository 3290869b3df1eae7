"""Models from addresses, of a server on this machine that can be told to misbehave."""

import hashlib
import shutil
import socket
from urllib.request import Request

import pytest

from napari_spheroseg import models
from napari_spheroseg.errors import (
    BadSetting,
    Busy,
    Cancelled,
    NameTaken,
    UnreadableFile,
    UnsafeFile,
    WrongWeights,
)
from napari_spheroseg.models.download import Address, Download, DownloadFailed, opener, transfer

FILE = "spheroids.pth"


def names():
    return [each.name for each in models.available()]


def kept(models_folder):
    """Bytes of parts and files that wait."""
    return [path.stat().st_size for path in models_folder.glob(".downloads/*/*.part")]


@pytest.fixture
def broken(served, models_folder):
    """A download that broke off after half of the file."""
    half = len(served.files[FILE]) // 2
    served.breaks_after = half
    with pytest.raises(DownloadFailed, match="broke off"):
        models.install(served.url(FILE))
    assert kept(models_folder) == [half]
    served.breaks_after, served.sent = None, 0
    return served


# --- what is installed ------------------------------------------------------------------------


def test_a_model_is_installed_from_an_address(served, models_folder):
    metadata = models.install(served.url(FILE), "mine")
    assert metadata.source == served.url(FILE)
    assert models.load("mine").network is not None
    assert list(models_folder.glob(".downloads/*")) == []


def test_it_is_called_as_its_address_says(served):
    assert models.install(served.url(f"{FILE}?download=1&token=secret")).name == "spheroids"


def test_what_may_be_a_secret_in_an_address_is_not_written_down(served, models_folder):
    models.install(served.url(f"{FILE}?token=secret"), "mine")
    assert "secret" not in (models_folder / "mine" / "model.json").read_text()


def test_a_name_that_the_server_gives_goes_first(served, checkpoint):
    served.files["content"] = checkpoint.read_bytes()
    served.named = "../../best.pth"
    assert models.install(served.url("content")).name == "best"


def test_a_collection_is_installed_from_an_address(server, bright, tmp_path):
    models.install(bright, "one")
    server.files["both.zip"] = models.pack(["one"], tmp_path / "both.zip").read_bytes()
    models.remove("one")
    metadata = models.install(server.url("both.zip"))
    assert (metadata.name, metadata.source) == ("one", server.url("both.zip"))


def test_an_address_is_not_opened_without_being_installed():
    with pytest.raises(BadSetting, match="Install it first"):
        models.load("https://example.org/a.pth")


# --- progress and cancel ----------------------------------------------------------------------


def test_progress_tells_bytes_and_ends_at_all_of_them(served):
    told = []
    models.install(served.url(FILE), progress=lambda *step: told.append(step))
    size = len(served.files[FILE])
    assert told[0] == (0, size)
    assert told[-1] == (size, size)


def test_a_cancelled_download_installs_nothing(served):
    with pytest.raises(Cancelled):
        models.install(served.url(FILE), cancel=lambda: True)
    assert "spheroids" not in names()


def test_a_server_that_does_not_say_how_much_comes_is_no_hindrance(served):
    served.length, told = False, []
    models.install(served.url(FILE), progress=lambda *step: told.append(step))
    assert told[0] == (0, 0)
    assert "spheroids" in names()


# --- resume -----------------------------------------------------------------------------------


def test_a_broken_download_goes_on_where_it_stopped(broken, models_folder):
    size = len(broken.files[FILE])
    models.install(broken.url(FILE))
    assert broken.asked[-1][1] == f"bytes={size // 2}-"
    assert broken.sent == size - size // 2
    assert kept(models_folder) == []


def test_a_file_that_changed_meanwhile_is_fetched_anew(broken, bright, tmp_path):
    broken.files[FILE] = broken.files[FILE] + b"\0" * 10
    broken.tag = '"2"'
    models.install(broken.url(FILE))
    assert broken.sent == len(broken.files[FILE])


@pytest.mark.parametrize("tag", [None, 'W/"1"'])
def test_a_file_of_which_nobody_says_that_it_is_the_same_is_fetched_anew(served, tag):
    served.tag, served.breaks_after = tag, 1000
    with pytest.raises(DownloadFailed):
        models.install(served.url(FILE))
    served.breaks_after = None
    models.install(served.url(FILE))
    assert served.asked[-1][1] == ""


def test_a_checksum_says_that_it_is_the_same(served):
    served.tag, served.breaks_after = None, 1000
    sha256 = hashlib.sha256(served.files[FILE]).hexdigest()
    with pytest.raises(DownloadFailed):
        models.install(served.url(FILE), sha256=sha256)
    served.breaks_after = None
    models.install(served.url(FILE), sha256=sha256)
    assert served.asked[-1][1] == "bytes=1000-"


def test_a_server_without_parts_gives_all_of_it(broken):
    broken.ranges = False
    models.install(broken.url(FILE))
    assert broken.sent == len(broken.files[FILE])


def test_a_file_that_could_not_be_installed_is_not_fetched_again(served, bright):
    models.install(bright, "spheroids")
    for _ in range(2):
        with pytest.raises(NameTaken):
            models.install(served.url(FILE))
    models.install(served.url(FILE), replace=True)
    assert served.sent == len(served.files[FILE])
    assert models.info("spheroids").source == served.url(FILE)


def test_a_name_that_is_taken_is_told_before_anything_is_fetched(served, bright):
    models.install(bright, "mine")
    with pytest.raises(NameTaken):
        models.install(served.url(FILE), "mine")
    assert served.asked == []


def test_a_part_that_nobody_came_for_is_deleted(broken, checkpoint, models_folder, monkeypatch):
    monkeypatch.setattr(transfer, "_KEPT", -1)
    broken.files["other.pth"] = checkpoint.read_bytes()
    models.install(broken.url("other.pth"))
    assert kept(models_folder) == []


def test_two_do_not_fetch_the_same_file_at_once(served, models_folder):
    address = Address.parse(served.url(FILE))
    with Download(address, models_folder), pytest.raises(Busy, match="another process"):
        models.install(served.url(FILE))


# --- checksums --------------------------------------------------------------------------------


def test_the_right_checksum_installs(served):
    sha256 = hashlib.sha256(served.files[FILE]).hexdigest()
    models.install(served.url(f"{FILE}#sha256={sha256.upper()}"))
    models.install(served.url(FILE), "mine", sha256=sha256)
    assert {"spheroids", "mine"} <= set(names())


def test_the_wrong_checksum_installs_nothing_and_keeps_nothing(served, models_folder):
    with pytest.raises(WrongWeights, match="not the file of this checksum"):
        models.install(served.url(FILE), sha256="0" * 64)
    assert "spheroids" not in names()
    assert kept(models_folder) == []


@pytest.mark.parametrize(
    ("text", "sha256"),
    [("#sha256=12", None), ("", "12"), ("#sha256=", None), (f"#sha256={'1' * 64}", "2" * 64)],
)
def test_what_is_no_checksum_is_refused(text, sha256):
    with pytest.raises(BadSetting, match="checksum"):
        Address.parse(f"https://example.org/a.pth{text}", sha256)


def test_a_file_on_this_computer_is_compared_with_a_checksum_too(checkpoint, tmp_path):
    models.install(checkpoint, "a", sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    with pytest.raises(WrongWeights):
        models.install(checkpoint, "b", sha256="0" * 64)
    with pytest.raises(BadSetting, match="has no checksum"):
        models.install(tmp_path, "c", sha256="0" * 64)


# --- what goes wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said"), [(404, "404 .*Check the address"), (403, "browser"), (503, "later")]
)
def test_an_answer_that_is_no_file_says_what_to_do(served, status, said):
    served.status[FILE] = status
    with pytest.raises(DownloadFailed, match=said):
        models.install(served.url(FILE))


def test_a_web_page_is_no_model(served):
    served.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadFailed, match="is a web page"):
        models.install(served.url(FILE))


def test_without_a_network_another_way_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadFailed, match=r"cannot be reached.*on another computer"):
        models.install(f"http://127.0.0.1:{port}/a.pth")


def test_who_wants_to_stay_offline_does(served, monkeypatch):
    monkeypatch.setenv("SPHEROSEG_OFFLINE", "1")
    with pytest.raises(DownloadFailed, match="SPHEROSEG_OFFLINE is set"):
        models.install(served.url(FILE))
    assert served.asked == []


def test_a_full_disk_is_told_before_it_is_full(served, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(UnreadableFile, match="Make room"):
        models.install(served.url(FILE))


def test_a_disk_that_fills_up_is_told(served, models_folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "write_text", full)
    with pytest.raises(UnreadableFile, match="No space left"):
        models.install(served.url(FILE))


def test_a_file_without_end_is_refused(served, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_BYTES", 1000)
    for served.length in (True, False):
        with pytest.raises(UnsafeFile, match="larger than any model"):
            models.install(served.url(FILE))


def test_a_broken_file_goes_the_same_safe_way_as_one_on_disk(server):
    server.files["a.pth"] = b"no checkpoint"
    with pytest.raises(UnreadableFile, match=r"a\.pth is no checkpoint"):
        models.install(server.url("a.pth"))


def test_a_broken_file_is_not_kept(server, checkpoint):
    server.files["a.pth"] = b"no checkpoint"
    with pytest.raises(UnreadableFile):
        models.install(server.url("a.pth"))
    server.files["a.pth"] = checkpoint.read_bytes()
    models.install(server.url("a.pth"))
    assert "a" in names()


def test_a_server_that_says_that_it_has_nothing_is_told(served):
    served.status[FILE] = 416
    with pytest.raises(DownloadFailed, match="has nothing"):
        models.install(served.url(FILE))


# --- where it is fetched from -----------------------------------------------------------------


def test_a_server_may_send_on(served):
    served.moved["latest"] = served.url(FILE)
    assert models.install(served.url("latest")).name == "spheroids"


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_a_server_may_not_send_on_to_other_places_than_web_servers(served, checkpoint, scheme):
    served.moved["latest"] = checkpoint.as_uri().replace("file", scheme)
    with pytest.raises(DownloadFailed, match=r"not allowed|not safe"):
        models.install(served.url("latest"))


def test_the_way_from_https_to_http_is_not_taken():
    request = Request("https://example.org/a.pth")
    with pytest.raises(DownloadFailed, match="not safe"):
        opener._NoWayDown().redirect_request(request, None, 302, "", {}, "http://example.org/a")


def test_the_proxy_of_the_environment_is_asked(served, monkeypatch):
    monkeypatch.setenv("http_proxy", served.url(""))
    models.install(f"http://models.invalid/{FILE}")
    assert served.asked[0][0] == f"http://models.invalid/{FILE}"


def test_certificates_of_the_environment_that_are_not_there_are_told(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        models.install("https://models.invalid/a.pth")


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.org/a.pth",
        "file:///etc/passwd",
        "https://",
        "https:///a.pth",
        "https://user:secret@example.org/a.pth",
        "https://example.org:port/a.pth",
        "https://[::1/a.pth",
        "https://a..b/a.pth",
        "https://example.org/a.pth#part",
    ],
)
def test_what_is_no_address_of_a_file_is_bad_usage(text):
    with pytest.raises(BadSetting) as told:
        models.install(text)
    assert "secret" not in str(told.value)


def test_an_address_may_hold_blanks_and_letters_of_any_language():
    address = Address.parse("https://bücher.example/größe x.pth")
    assert address.url == "https://xn--bcher-kva.example/gr%C3%B6%C3%9Fe%20x.pth"


@pytest.mark.parametrize(
    ("candidates", "name"),
    [
        (("", "https://a.org/x/best.pth"), "best.pth"),
        (("", "https://a.org/files/best.pth/content"), "best.pth"),
        (("", "https://a.org/x", "https://b.org/y.zip"), "y.zip"),
        (("..\\..\\evil.pth", "https://a.org/x.pth"), "evil.pth"),
        (("", "https://a.org/..%2F..%2Fup.pth"), "up.pth"),
        (("", "https://a.org/"), "download"),
        (("", "https://a.org/.hidden"), "hidden"),
    ],
)
def test_a_file_is_called_by_what_looks_like_a_model(candidates, name):
    from napari_spheroseg.models.download.address import file_name

    assert file_name(*candidates) == name
