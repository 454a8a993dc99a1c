"""The ``http`` source against a real server that breaks off, lies, redirects and asks for credentials."""

import base64
import hashlib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelyard_api.contract.steps import NetworkRules
from modelyard_loader.sources.download import Download, Limits
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from modelyard_runtime.retry import Patience
from tests.support.certificates import Authority
from tests.support.http_server import FileServer, Page, serving_files
from tests.support.sources import Given, Reading

_CONTENT = ("x,y\n" + "".join(f"{number},row {number}\n" for number in range(50_000))).encode()
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_files() as files:
        yield files


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def _read(reading: Reading, server: FileServer, path: str = "/rows.csv", secret: str = "") -> Given:
    more = {"credentialsSecret": {"name": secret}} if secret else {}
    return reading.read({"http": {"url": server.url + path, "sha256": _SHA256, **more}})


def _whole(given: Given) -> bool:
    return given.table.num_rows == 50_000 and given.digest == f"sha256:{_SHA256}"


def test_a_file_is_read_and_known_by_the_digest_that_is_pinned(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT)
    given = _read(reading, server)
    assert _whole(given)
    assert given.types == {"x": "Integer", "y": "Text"}
    assert given.whole


def test_another_content_is_refused_before_a_row_is_read(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT + b"1,more\n")
    with pytest.raises(DataError, match=f"the file has the SHA-256 [0-9a-f]{{64}}, the spec pins {_SHA256}"):
        _read(reading, server)
    assert not list(reading.directory.glob("scratch-*/*"))


def test_a_download_that_breaks_off_goes_on_where_it_was(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, breaks=[100_000, 0, 200_000])
    assert _whole(_read(reading, server))
    ranges = [asked.range for asked in server.asked]
    assert ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=300000-"]
    assert {asked.if_range for asked in server.asked} == {None, '"one"'}


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_tag_a_broken_download_begins_anew(
    reading: Reading, server: FileServer, etag: str | None
) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, etag=etag, breaks=[100_000])
    assert _whole(_read(reading, server))
    assert [asked.range for asked in server.asked] == [None, None]


def test_a_server_without_ranges_is_read_from_the_beginning_again(
    reading: Reading, server: FileServer
) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, ranges=False, breaks=[100_000])
    assert _whole(_read(reading, server))


def test_a_file_that_is_replaced_during_the_download_is_read_from_the_beginning(
    reading: Reading, server: FileServer
) -> None:
    page = server.pages["/rows.csv"] = Page(b"other " * 50_000, etag='"old"', breaks=[100_000])

    class Replaced(list[int]):
        def pop(self, place: int = -1) -> int:  # type: ignore[override]
            kept = super().pop(place)
            content, page.content, page.etag = page.content, _CONTENT, '"new"'
            assert content != _CONTENT
            return kept

    page.breaks = Replaced([100_000])
    assert _whole(_read(reading, server))
    assert server.asked[1].if_range == '"old"'


def test_pieces_of_two_contents_under_one_tag_are_found_out_and_loaded_anew(
    reading: Reading, server: FileServer
) -> None:
    page = server.pages["/rows.csv"] = Page(_CONTENT, breaks=[100_000])
    page.content = b"z" * 100_000 + _CONTENT[100_000:]

    class Replaced(list[int]):
        def pop(self, place: int = -1) -> int:  # type: ignore[override]
            page.content = _CONTENT
            return super().pop(place)

    page.breaks = Replaced([100_000])
    assert _whole(_read(reading, server))
    assert [asked.range for asked in server.asked] == [None, "bytes=100000-", None]


def test_another_range_than_asked_for_is_not_taken(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, breaks=[100_000], shift=7)
    with pytest.raises(PlatformError, match="another range was served than asked for"):
        _read(reading, server)


def test_a_length_that_is_too_large_ends_as_an_outage_and_not_as_data(
    reading: Reading, server: FileServer
) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, length=len(_CONTENT) + 10, etag=None)
    with pytest.raises(PlatformError, match=r"the server at 127.0.0.1: did not serve the file \(ended after"):
        _read(reading, server)


def test_a_length_that_is_too_small_is_found_out_by_the_digest(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, length=len(_CONTENT) - 10)
    with pytest.raises(DataError, match="the spec pins"):
        _read(reading, server)


def test_a_length_beyond_the_disk_is_refused_at_once(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, length=10**15)
    with pytest.raises(DataError, match="is 1,000,000,000,000,000 bytes large"):
        _read(reading, server)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, statuses=[503, 429, 500])
    assert _whole(_read(reading, server))
    assert len(server.asked) == 4


def test_a_server_that_stays_down_is_an_outage_that_names_it(reading: Reading) -> None:
    reading.patience = replace(reading.patience, total=0.3)
    with pytest.raises(PlatformError, match=r"the server at 127.0.0.1: did not serve the file"):
        reading.read({"http": {"url": "http://127.0.0.1:1/rows.csv", "sha256": _SHA256}})


@pytest.mark.parametrize(("status", "said"), [(403, "403 Forbidden"), (404, "404 Not Found"), (418, "418")])
def test_a_refusal_is_told_at_once(reading: Reading, server: FileServer, status: int, said: str) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, statuses=[status])
    with pytest.raises(InvalidSpecError, match=rf"spec.source.http.url = .*: the server answers {said}"):
        _read(reading, server)
    assert len(server.asked) == 1


def test_a_redirect_is_refused_unless_the_platform_allows_it(reading: Reading, server: FileServer) -> None:
    server.pages |= {"/old.csv": Page(redirect="/rows.csv"), "/rows.csv": Page(_CONTENT)}
    with pytest.raises(InvalidSpecError, match=r"redirects to http://127.0.0.1:[0-9]+/rows.csv") as caught:
        _read(reading, server, "/old.csv")
    assert "pods.loader.http.redirects" in caught.value.remedy
    reading.network = NetworkRules(private_addresses=True, redirects=True)
    assert _whole(_read(reading, server, "/old.csv"))


def test_a_redirect_that_never_ends_is_given_up(reading: Reading, server: FileServer) -> None:
    reading.network = NetworkRules(private_addresses=True, redirects=True)
    server.pages["/rows.csv"] = Page(redirect="/rows.csv")
    with pytest.raises(InvalidSpecError, match="redirects more than 5 times"):
        _read(reading, server)


@pytest.mark.parametrize("where", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://user@127.0.0.1/x"])
def test_a_redirect_to_what_is_no_web_address_is_refused(
    reading: Reading, server: FileServer, where: str
) -> None:
    reading.network = NetworkRules(private_addresses=True, redirects=True)
    server.pages["/rows.csv"] = Page(redirect=where)
    with pytest.raises(InvalidSpecError, match=r"redirects to .*, which is not an address of a web server"):
        _read(reading, server)


@pytest.mark.parametrize("where", ["http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/latest"])
def test_the_metadata_of_a_cloud_is_never_asked(reading: Reading, server: FileServer, where: str) -> None:
    reading.network = NetworkRules(private_addresses=True, redirects=True)
    server.pages["/rows.csv"] = Page(redirect=where)
    with pytest.raises(InvalidSpecError, match="that of the cloud's metadata, which is never asked"):
        _read(reading, server)


def test_private_addresses_are_refused_by_the_address_and_not_by_the_name(
    reading: Reading, server: FileServer
) -> None:
    reading.network = NetworkRules()
    server.pages["/rows.csv"] = Page(_CONTENT)
    for host in ("127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"):
        url = server.url.replace("127.0.0.1", host) + "/rows.csv"
        with pytest.raises(InvalidSpecError, match="which is the pod itself") as caught:
            reading.read({"http": {"url": url, "sha256": _SHA256}})
        assert "pods.loader.http.privateAddresses" in caught.value.remedy
    assert server.asked == []


def test_a_name_that_resolves_otherwise_later_leads_nowhere_else(
    reading: Reading, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged is what is connected to; the name is asked once for each connection."""
    server.pages["/rows.csv"] = Page(_CONTENT)
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    port = int(server.url.rsplit(":", 1)[1])
    connected: list[object] = []

    def resolve(_host: str, _port: int, **_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    def connect(address: object, **_: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    reading.network = NetworkRules()
    with pytest.raises(InvalidSpecError, match=r"has the address 127.0.0.1"):
        reading.read({"http": {"url": f"http://rebound.example:{port}/rows.csv", "sha256": _SHA256}})
    assert connected == [("93.184.216.34", port)]


def test_a_host_that_is_not_known_is_named(reading: Reading) -> None:
    with pytest.raises(InvalidSpecError, match=r"'nowhere.invalid': no such host is known"):
        reading.read({"http": {"url": "http://nowhere.invalid/rows.csv", "sha256": _SHA256}})


@pytest.mark.parametrize("url", ["http://:80/x.csv", "http://h:99999/x.csv", "http://ü.example/x.csv"])
def test_what_is_no_address_is_the_specs_mistake(reading: Reading, url: str) -> None:
    with pytest.raises(InvalidSpecError, match="is not an address of a web server"):
        reading.read({"http": {"url": url, "sha256": _SHA256}})


def test_credentials_of_the_secret_are_sent(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, authorization="Bearer t0ken")
    reading.secret(token="t0ken\n")
    assert _whole(_read(reading, server, secret="web"))
    basic = base64.b64encode("me:pässword".encode()).decode()
    server.pages["/rows.csv"] = Page(_CONTENT, authorization=f"Basic {basic}")
    reading.secret(username="me", password="pässword")
    assert _whole(_read(reading, server, secret="web"))


def test_credentials_that_are_missing_or_refused_are_named(reading: Reading, server: FileServer) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, authorization="Bearer right")
    with pytest.raises(InvalidSpecError) as caught:
        _read(reading, server, secret="web")
    assert caught.value.message.startswith(
        "spec.source.http.credentialsSecret = 'web': the key token is not in"
    )
    reading.secret(token="wrong")
    with pytest.raises(InvalidSpecError, match="the server answers 401") as caught:
        _read(reading, server, secret="web")
    assert "credentialsSecret" in caught.value.remedy
    assert "wrong" not in caught.value.message + caught.value.remedy


def test_credentials_do_not_follow_a_redirect_to_another_server(reading: Reading, server: FileServer) -> None:
    reading.network = NetworkRules(private_addresses=True, redirects=True)
    reading.secret(token="t0ken")
    with serving_files() as other:
        other.pages["/rows.csv"] = Page(_CONTENT)
        server.pages["/rows.csv"] = Page(redirect=other.url + "/rows.csv")
        assert _whole(_read(reading, server, secret="web"))
    assert [asked.authorization for asked in server.asked + other.asked] == ["Bearer t0ken", None]


def test_a_certificate_of_no_known_authority_is_refused(reading: Reading, tmp_path: Path) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    with serving_files(authority.server("web", ["127.0.0.1"])) as server:
        server.pages["/rows.csv"] = Page(_CONTENT)
        with pytest.raises(InvalidSpecError, match="its certificate cannot be trusted"):
            _read(reading, server)
        assert server.asked == []


def test_tls_proves_the_name_of_the_host_and_not_its_address(reading: Reading, tmp_path: Path) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    with serving_files(authority.server("web", [])) as server:
        server.pages["/rows.csv"] = Page(_CONTENT)
        trust = ssl.create_default_context(cafile=authority.pair.certificate)
        for host, trusted in (("localhost", True), ("127.0.0.1", False)):
            url = server.url.replace("127.0.0.1", host) + "/rows.csv"
            target = tmp_path / host
            download = Download(url, target, reading.network, {}, reading.patience, trust=trust)
            if trusted:
                download.run()
                assert target.read_bytes() == _CONTENT
            else:
                with pytest.raises(InvalidSpecError, match="its certificate cannot be trusted"):
                    download.run()


def test_a_redirect_from_https_to_http_is_refused(
    reading: Reading, tmp_path: Path, server: FileServer
) -> None:
    authority = Authority(tmp_path, datetime.now(UTC))
    trust = ssl.create_default_context(cafile=authority.pair.certificate)
    rules = NetworkRules(private_addresses=True, redirects=True)
    with serving_files(authority.server("web", ["127.0.0.1"])) as secure:
        secure.pages["/rows.csv"] = Page(redirect=server.url + "/rows.csv")
        download = Download(
            secure.url + "/rows.csv", tmp_path / "rows", rules, {}, reading.patience, trust=trust
        )
        with pytest.raises(InvalidSpecError, match="redirects from https to http"):
            download.run()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(size=1000), "is 777,784 bytes large, 1,000 can be taken"),
        (Limits(total=0.0), "took longer than 0 hours"),
    ],
)
def test_size_and_time_are_limited(
    reading: Reading, server: FileServer, tmp_path: Path, limits: Limits, said: str
) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT)
    url = server.url + "/rows.csv"
    with pytest.raises(DataError, match=said):
        Download(url, tmp_path / "rows", reading.network, {}, reading.patience, limits).run()


def test_a_full_disk_is_told_as_one_and_not_as_an_outage_of_the_server(
    reading: Reading, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT)
    monkeypatch.setattr("modelyard_loader.sources.http.Download", _onto_a_full_disk)
    with pytest.raises(PlatformError, match="there is no space left on the pod's disk for the file"):
        _read(reading, server)
    assert len(server.asked) == 1


def _onto_a_full_disk(
    url: str, _target: Path, rules: NetworkRules, credentials: Mapping[str, str], patience: Patience
) -> Download:
    return Download(url, Path("/dev/full"), rules, credentials, patience)


def test_a_size_that_is_not_said_is_limited_too(reading: Reading, server: FileServer, tmp_path: Path) -> None:
    server.pages["/rows.csv"] = Page(_CONTENT, length=900)
    download = Download(
        server.url + "/rows.csv", tmp_path / "rows", reading.network, {}, reading.patience, Limits(size=800)
    )
    with pytest.raises(DataError, match="is 900 bytes large"):
        download.run()


def test_query_and_blanks_of_the_address_arrive_and_the_query_is_in_no_message(
    reading: Reading, server: FileServer
) -> None:
    path = "/ro%20ws.csv?signature=abc&x=ä"
    server.pages["/ro%20ws.csv?signature=abc&x=%C3%A4"] = Page(_CONTENT)
    given = _read(reading, server, path)
    assert _whole(given)
    assert not any("signature" in name for name in given.consumed)
