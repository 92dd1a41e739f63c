"""The HTTP interface: its captions are those of the model, and what is wrong is told clearly."""

import http.client
import json
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_export import make_model

from benchmarks.serving import load
from captioner.config import SearchConfig
from captioner.exporting import export_model
from captioner.model import Captioner
from captioner.runtime import OnnxCaptioner
from captioner.serving.app import STATIC
from captioner.serving.desk import Service
from captioner.serving.guard import Guard
from captioner.serving.limits import Limits, RefusedError, Room
from captioner.serving.worker import Batcher
from serving_clients import Client, form, picture, running, until

JPEGS = [picture(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def model(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small captioner that looks at places and has learned nothing."""
    folder = tmp_path_factory.mktemp("served")
    return make_model(folder / "model", weights, maps="early+last", kind="attention")


@pytest.fixture(scope="module")
def captioner(model: Path) -> OnnxCaptioner:
    """Its export."""
    (model.parent / "photo.jpg").write_bytes(JPEGS[0])
    export_model(model, model.parent / "onnx", "float32", [model.parent / "photo.jpg"])
    return OnnxCaptioner.from_folder(model.parent / "onnx")


@pytest.fixture(scope="module")
def client(captioner: OnnxCaptioner) -> Iterator[Client]:
    with running(Service(Batcher(captioner), "small")) as client:
        yield client


class Gate:
    """A captioner that searches only while its gate is open, and counts what it searches."""

    def __init__(self, captioner: OnnxCaptioner) -> None:
        self.captioner = captioner
        self.open = threading.Event()
        self.searched: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.captioner, name)

    def search(self, features: Any, config: SearchConfig, numbers: list[int]) -> Any:
        assert self.open.wait(20)
        self.searched.append(len(numbers))
        return self.captioner.search(features, config, numbers)


@pytest.fixture
def gate(captioner: OnnxCaptioner) -> Iterator[Gate]:
    gate = Gate(captioner)
    yield gate
    gate.open.set()


def captions(answer: Any) -> list[list[str]]:
    return [[found["caption"] for found in photo["captions"]] for photo in answer.json["photos"]]


def test_captions_are_those_of_the_model(client: Client, captioner: OnnxCaptioner) -> None:
    config = SearchConfig(num_captions=3)
    answer = client.caption(*JPEGS, num_captions=3)
    assert answer.status == 200
    assert answer.json["model"] == "small"
    assert [photo["name"] for photo in answer.json["photos"]] == [f"{i}.jpg" for i in range(12)]
    expected = list(captioner.stream(JPEGS, config))
    assert captions(answer) == [[c.caption for c in found] for found in expected]
    assert len({found[0] for found in captions(answer)}) > 3
    told = [c["log_prob"] for photo in answer.json["photos"] for c in photo["captions"]]
    np.testing.assert_allclose(told, [c.log_prob for of in expected for c in of], atol=1e-3)


def test_a_model_of_torch_is_served_as_well(client: Client, model: Path) -> None:
    with running(Service(Batcher(Captioner.from_pretrained(model)), "torch")) as of_torch:
        answer = of_torch.caption(*JPEGS, num_captions=2, explain="true")
    assert captions(answer) == captions(client.caption(*JPEGS, num_captions=2))
    assert np.array(answer.json["photos"][0]["captions"][0]["words"][0]["attention"]).ndim == 2


def test_what_is_drawn_by_lot_does_not_depend_on_who_else_asks(client, captioner) -> None:
    config = SearchConfig(num_captions=2, sample=True, temperature=0.8, seed=7)
    settings = {"num_captions": 2, "sample": "true", "temperature": 0.8, "seed": 7}
    alone = [[c.caption for c in next(captioner.stream([jpeg], config))] for jpeg in JPEGS]
    with ThreadPoolExecutor(12) as pool:
        together = pool.map(lambda jpeg: client.caption(jpeg, **settings), JPEGS)
        assert [captions(answer)[0] for answer in together] == alone
    other = client.caption(JPEGS[0], **(settings | {"seed": 8}))
    assert captions(other)[0] != alone[0]


def test_words_are_explained(client: Client) -> None:
    photo = client.caption(JPEGS[0], explain="true", num_captions=2).json["photos"][0]
    for found in photo["captions"]:
        words = found["words"]
        assert " ".join(word["word"] for word in words) == f"{found['caption']} "
        chances = [word["probability"] for word in words]
        assert sum(np.log(chances)) == pytest.approx(found["log_prob"], abs=0.3)
        for word in words:
            likeliest = [other["probability"] for other in word["likeliest"]]
            assert likeliest == sorted(likeliest, reverse=True)
            attention = np.array(word["attention"])
            assert attention.shape[0] == attention.shape[1] > 1
            assert attention.sum() == pytest.approx(1, abs=0.01)
    assert "words" not in client.caption(JPEGS[0]).json["photos"][0]["captions"][0]


def test_a_bad_photo_is_told_of_in_its_place(client: Client) -> None:
    answer = client.caption(JPEGS[0], b"no photo", JPEGS[1], JPEGS[2][:-200], b"")
    assert answer.status == 200
    photos = answer.json["photos"]
    assert [bool(photo.get("captions")) for photo in photos] == [True, False, True, False, False]
    assert [photo["error"]["status"] for photo in photos if "error" in photo] == [415, 422, 415]
    assert "cut short" in photos[3]["error"]["message"]
    all_bad = client.caption(b"no photo", b"none either")
    assert (all_bad.status, all_bad.message) == (415, "none of the photos could be captioned")
    assert all_bad.json["photos"][1]["error"]["message"].startswith("not a picture")
    mixed = client.caption(b"no photo", JPEGS[2][:-200])
    assert mixed.status == 422
    alone = client.caption(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert alone.status == 415  # Pillow would start a program for these


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"beam_size": "many"}, "beam_size: Input should be a valid integer"),
        ({"beam_size": 51}, "beam_size: Input should be less than or equal to 50"),
        ({"beams": 3}, "beams: unknown; known are beam_size, num_captions"),
        ({"beam_size": [3, 5]}, "given more than once: beam_size"),
        ({"temperature": 0.5}, "temperature, top_k and top_p are for sample"),
        ({"temperature": "nan", "sample": "yes"}, "temperature: Input should be"),
        ({"url": "http://example.org/a.jpg"}, "--allow-links"),
        ({"image": "photo.jpg"}, "image: not a file"),
    ],
)
def test_settings_of_no_use_are_named(client: Client, fields: dict, message: str) -> None:
    answer = client.caption(JPEGS[0], **fields)
    assert answer.status == 422
    assert message in answer.message


def test_requests_of_no_use_are_refused(client: Client) -> None:
    assert client.caption().status == 422
    assert "no photo" in client.caption(num_captions=2).message
    body, headers = form([("a.jpg", JPEGS[0])])
    wrong = [
        (415, body, {"Content-Type": "application/json"}),
        (400, body, {"Content-Type": "multipart/form-data"}),
        (400, body[30:], headers),
        (400, b"rubbish", headers),
        (413, *form(num_captions="3" * 20_000)),
        (413, *form([("a.jpg", b"")] * 33)),
        (422, body.replace(b'"image"', b'"photo"'), headers),
    ]
    for status, sent, with_ in wrong:
        answer = client.request("POST", "/caption", sent, with_)
        assert (answer.status, answer.json["error"]["status"]) == (status, status), answer.body
    assert client.get("/caption").status == 405
    assert client.get("/nothing").json == {"error": {"status": 404, "message": "Not Found"}}
    assert client.get("/static/../app.py").status == 404
    assert client.get("/static/%2e%2e/app.py").status == 404
    assert client.caption(JPEGS[0]).status == 200
    assert client.waiting == 0


def test_what_is_too_large_is_refused(captioner: OnnxCaptioner) -> None:
    limits = Limits(max_megabytes=0.05, max_megapixels=0.1, max_request=0.3, max_photos=3)
    with running(Service(Batcher(captioner), "small", limits)) as client:
        heavy, wide = b"\xff\xd8\xff" + bytes(60_000), picture(0, size=(500, 300))
        answer = client.caption(JPEGS[0], heavy, wide)
        assert answer.status == 200
        errors = [photo["error"] for photo in answer.json["photos"][1:]]
        assert [error["status"] for error in errors] == [413, 413]
        assert "0.1 MB are too many (at most 0.05)" in errors[0]["message"]
        assert "too many pixels (at most 0.1 million)" in errors[1]["message"]
        assert client.caption(heavy).status == 413
        assert "at most 3 in one request" in client.caption(*JPEGS[:4]).message
        body, headers = form([("a.jpg", bytes(400_000))])
        told = client.request("POST", "/caption", body, headers)
        untold = client.request("POST", "/caption", iter([body[:200_000], body[200_000:]]), headers)
        for answer in (told, untold):  # the second is sent in chunks of unknown number
            assert (answer.status, answer.message[:24]) == (413, "the request is too large")
        assert client.caption(JPEGS[0]).status == 200


def test_bombs_are_refused_before_they_are_unpacked(client: Client) -> None:
    bomb = picture(0, "PNG", (8, 8))
    sides = (60_000).to_bytes(4, "big") * 2  # of 10 GB, and a wrong checksum
    answer = client.caption(bomb[:16] + sides + bomb[24:])
    assert answer.status in (413, 415)
    wide = picture(0, "GIF", (8, 8))
    answer = client.caption(wide[:6] + (9_000).to_bytes(2, "little") * 2 + wide[10:])
    assert answer.status == 413


def test_requests_of_many_share_batches(gate: Gate) -> None:
    with running(Service(Batcher(gate), "small")) as client, ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(client.caption, jpeg) for jpeg in JPEGS]
        until(lambda: client.waiting == 12)
        time.sleep(0.3)  # for the CNN
        gate.open.set()
        alone = [answer.result() for answer in answers]
        assert sum(gate.searched) == 12
        assert len(gate.searched) <= 3
        gate.searched.clear()
        together = client.caption(*JPEGS)
        assert [captions(answer)[0] for answer in alone] == captions(together)


def test_the_benchmark_counts_what_goes_wrong(client: Client, captioner: OnnxCaptioner) -> None:
    expected = [found[0].caption for found in captioner.stream(JPEGS)]
    found = load(client.port, JPEGS, 4, 24, expected)
    assert (found["failed"], found["unlike"]) == (0, 0)
    assert 0 < found["p50"] <= found["p95"]
    wrong = [*JPEGS[:2], b"no photo"]
    found = load(client.port, wrong, 2, 6, ["another caption", *expected[1:]])
    assert (found["failed"], found["unlike"]) == (2, 2)


def test_too_many_wait_their_turn_elsewhere_and_none_for_ever(gate: Gate) -> None:
    limits = Limits(max_waiting=4, timeout=1.5)
    with running(Service(Batcher(gate), "small", limits)) as client, ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        waiting = pool.submit(client.caption, *JPEGS[:4])
        until(lambda: client.waiting == 4)
        full = client.caption(JPEGS[0])
        assert (full.status, full.headers["retry-after"]) == (503, "2")
        assert "4 photos wait already" in full.message
        late = waiting.result()
        assert (late.status, time.monotonic() - began < 5) == (504, True)
        assert "took more than 1.5 seconds" in late.message
        gate.open.set()
        assert client.waiting == 0
        assert client.caption(JPEGS[0]).status == 200
        assert sum(gate.searched) <= 5  # those given up were not searched, unless they had begun


def test_a_request_that_comes_too_slowly_is_given_up(captioner: OnnxCaptioner) -> None:
    limits = Limits(timeout=0.5)
    with running(Service(Batcher(captioner), "small", limits)) as client:
        body, headers = form([("a.jpg", JPEGS[0])])
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as slow:
            lines = [
                "POST /caption HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}",
                f"Content-Type: {headers['Content-Type']}", "", "",
            ]  # fmt: skip
            slow.sendall("\r\n".join(lines).encode() + body[:100])
            assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_who_does_not_even_ask_is_not_waited_for(captioner: OnnxCaptioner) -> None:
    limits = Limits(timeout=0.5)
    with running(Service(Batcher(captioner), "small", limits)) as client:
        line = b"GET /health HTTP/1.1\r\n"
        for begun in (b"", line, line + b"Host: localhost\r\n\r\n" + line):
            with socket.create_connection(("127.0.0.1", client.port), timeout=10) as silent:
                silent.sendall(begun)
                heard = b""
                while more := silent.recv(10_000):  # until it is closed
                    heard += more
            assert heard.startswith(b"HTTP/1.1 200" if b"Host" in begun else b"")
        patient = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
        for _ in range(3):  # more than its time in all, and never too long without a request
            patient.request("GET", "/health")
            assert patient.getresponse().read()
            time.sleep(0.3)
        patient.close()


def test_who_goes_away_is_not_waited_for(gate: Gate) -> None:
    with running(Service(Batcher(gate), "small")) as client:
        body, headers = form([("a.jpg", JPEGS[0])])
        with socket.create_connection(("127.0.0.1", client.port)) as leaving:
            lines = [
                "POST /caption HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}",
                f"Content-Type: {headers['Content-Type']}", "", "",
            ]  # fmt: skip
            leaving.sendall("\r\n".join(lines).encode() + body)
            until(lambda: client.waiting == 1)
        until(lambda: client.waiting == 0)
        assert not gate.open.is_set()  # it was not the search that ended
        gate.open.set()


def test_a_failure_stays_with_its_batch(captioner: OnnxCaptioner, caplog) -> None:
    gate = Gate(captioner)
    batcher = Batcher(gate)
    with running(Service(batcher, "small")) as client:
        gate.search = lambda *_: 1 / 0  # type: ignore[method-assign, assignment]
        answer = client.caption(JPEGS[0])
        assert (answer.status, answer.message) == (
            500, "captioning failed; the server's log tells more",
        )  # fmt: skip
        assert "ZeroDivisionError" in caplog.text
        del gate.search
        gate.open.set()
        assert client.caption(JPEGS[0]).status == 200


def test_what_waits_is_refused_when_the_server_stops(gate: Gate) -> None:
    batcher = Batcher(gate)
    with ThreadPoolExecutor(3) as pool:
        with running(Service(batcher, "small")) as client:
            waiting = [pool.submit(client.caption, jpeg) for jpeg in JPEGS[:3]]
            until(lambda: client.waiting == 3)
            began = time.monotonic()
            threading.Timer(1.0, gate.open.set).start()
        refused = [one.result() for one in waiting]
        assert time.monotonic() - began < 8
    assert [(one.status, one.message) for one in refused] == [
        (503, "the server is being stopped")
    ] * 3
    with pytest.raises(RefusedError, match="being stopped"):
        batcher.submit(np.zeros((3, 8, 8), np.float32), SearchConfig())


def test_no_photo_is_written_to_the_disk(client: Client, monkeypatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    large = JPEGS[0] + bytes(5_000_000)
    assert client.caption(large, large).status == 200
    described = client.post("/describe", [("a.jpg", large)], caption="a dog")
    assert described.status == 200


def test_memory_is_shared_out(captioner: OnnxCaptioner) -> None:
    limits = Limits(max_memory=1, max_request=2)
    with running(Service(Batcher(captioner), "small", limits)) as client:
        full = client.caption(JPEGS[0] + bytes(1_500_000))
        assert (full.status, full.headers["retry-after"]) == (503, "2")
        for _ in range(3):  # what was taken has been given back
            assert client.caption(JPEGS[0] + bytes(800_000)).status == 200
    room = Room(2, "it is full")
    with pytest.raises(RefusedError, match="it is full"), room.for_(1), room.for_(2):
        pass
    assert room.taken == 0


def test_a_photo_comes_back_with_its_description(client: Client) -> None:
    answer = client.post("/describe", [("sea & sand.jpg", JPEGS[0])], caption="The <sea>")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"].endswith("UTF-8''sea%20%26%20sand.jpg")
    assert b"The &lt;sea&gt;" in answer.body
    assert client.post("/describe", [("a.jpg", JPEGS[0])]).status == 422
    assert client.post("/describe", [("a.gif", picture(0, "GIF"))], caption="a").status == 415
    assert client.post("/describe", [("a.jpg", JPEGS[0])], caption=" \n ").status == 422


def test_only_this_machine_is_served_and_no_other_website(client: Client) -> None:
    assert client.get("/health", Host="localhost:1").status == 200
    assert client.get("/health", Host="[::1]:8000").status == 200
    for host in ("example.org", "localhost.example.org", "10.0.0.1", "127.0.0.1@example.org", ""):
        refused = client.get("/health", Host=host)
        assert refused.status == 403, host
    assert "--names example.org" in client.get("/", Host="example.org:80").message
    body, headers = form([("a.jpg", JPEGS[0])])
    own = f"http://127.0.0.1:{client.port}"
    for origin, status in ((own, 200), ("https://example.org", 403), ("null", 403)):
        answer = client.request("POST", "/caption", body, headers | {"Origin": origin})
        assert answer.status == status
    answer = client.request("POST", "/caption", body, headers | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert client.post("/link", url="http://example.org").status == 403


def test_names_and_addresses_of_a_server_that_is_open_to_others() -> None:
    guard = Guard(lambda *_: None, "0.0.0.0", ["photos.example"])  # type: ignore[arg-type]
    known = {
        "192.168.1.7:8000": True, "[fe80::1]": True, "photos.example": True, "localhost": True,
        f"{socket.gethostname()}:80": True, "example.org": False, "10.0.0.1.example.org": False,
    }  # fmt: skip
    assert {host: guard.knows(host) for host in known} == known


def test_the_pages_need_nothing_from_elsewhere(client: Client) -> None:
    for path in ("/", "/docs", "/static/main.js", "/openapi.json"):
        answer = client.get(path)
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://\w|innerHTML|insertAdjacentHTML|document\.write", text), (
            file
        )
        assert not re.search(r"<[^>]*\s(style|on\w+)=", text), file
        assert len(text.splitlines()) <= 300, file
    told = json.loads(client.get("/openapi.json").body)
    form_ = told["paths"]["/caption"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert {"image", "beam_size", "explain", "seed"} <= set(form_["schema"]["properties"])
    assert {"200", "413", "503", "504"} <= set(told["paths"]["/caption"]["post"]["responses"])
    about = client.get("/about").json
    assert (about["model"], about["links"], about["limits"]["max_photos"]) == ("small", False, 32)
