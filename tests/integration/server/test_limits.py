"""What comes over the wire in pieces, in a heap or not at all."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.bundles import build_compiled, iris
from tests.support.s3 import S3Server
from tests.support.server_process import ServerProcess, fresh_project, running_server

FLOWER = iris().rows[0]


@contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        yield connection


def test_a_head_without_end_is_refused(iris_server: ServerProcess) -> None:
    with connected(iris_server) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\n")
        answer = b""
        for number in range(200):
            try:
                connection.sendall(b"x-%d: " % number + b"a" * 1000 + b"\r\n")
            except OSError:
                break
        try:
            answer = connection.recv(1000)
        except ConnectionResetError:
            answer = b"HTTP/1.1 431 reset before it was read"
    assert answer.startswith(b"HTTP/1.1 431")


def test_what_is_not_http_is_refused(iris_server: ServerProcess) -> None:
    with connected(iris_server) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


def test_requests_that_come_one_behind_the_other_are_answered_in_order(iris_server: ServerProcess) -> None:
    request = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = b""
    with connected(iris_server) as connection:
        connection.sendall(request)
        while chunk := connection.recv(4096):
            received += chunk
    assert received.index(b'{"live":true}') < received.index(b'{"name":"modelyard"')


def test_a_body_that_comes_byte_by_byte_is_answered(iris_server: ServerProcess) -> None:
    body = b'{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}'
    head = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    with connected(iris_server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head % len(body) + body:
            connection.sendall(bytes([byte]))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_client_that_leaves_early_is_no_error(iris_server: ServerProcess) -> None:
    with connected(iris_server) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
        )
    with iris_server.client() as client:
        assert client.post("/predict", json=FLOWER).status_code == 200
    assert iris_server.state().errors == 0


def test_clients_that_send_slowly_are_refused_while_others_are_answered(
    minio_server: S3Server, tmp_path: Path
) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
    )
    with (
        running_server(tmp_path, minio_server, fresh_project(), request_seconds=2.0) as server,
        ExitStack() as held,
    ):
        server.await_route(server.route(build_compiled(iris()).write(server.store, "1")))
        slow = [held.enter_context(connected(server)) for _ in range(200)]
        for connection in slow:
            connection.sendall(head)
        with server.client() as client:
            for _ in range(20):
                assert client.post("/predict", json=FLOWER).status_code == 200
        answers = [connection.recv(4096) for connection in slow]
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert b"did not come whole within 2 s" in answers[0]
        assert server.state().errors == 0
