"""A server that a test killed must come back: else the test fails, and is not skipped."""

from pathlib import Path

import pytest

from tests.own_server import OwnServer
from tests.waiting import until


def test_a_server_that_does_not_come_back_fails_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CGII_TEST_REQUIRE", raising=False)
    answers = [True]

    def connect() -> None:
        if not answers:
            raise ConnectionRefusedError

    running = ["sh", "-c", "test -e fallen || { touch fallen; exec sleep 600; }"]
    server = OwnServer("", "prueba", running, tmp_path, connect=connect)
    with server.running():
        until(lambda: (tmp_path / "fallen").exists(), "it runs")
        server.kill()
        answers.clear()
        with pytest.raises(pytest.fail.Exception, match="does not come back"):
            server.start_again()
