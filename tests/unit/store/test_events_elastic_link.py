"""The address of Elasticsearch as people write it, and its errors as people read them."""

from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.store.events import Access, open_events
from cgii.store.events_elastic_link import read_url, reason_of, refusal


@pytest.mark.parametrize(
    ("url", "nodes", "prefix"),
    [
        ("http://127.0.0.1:9200", ["http://127.0.0.1:9200"], "cgii"),
        ("https://es.bo/centro_1", ["https://es.bo:9200"], "centro_1"),
        ("https://a:1, https://[::1]:2/x", ["https://a:1", "https://[::1]:2"], "x"),
    ],
)
def test_an_address_names_nodes_and_a_prefix(url: str, nodes: list[str], prefix: str) -> None:
    assert read_url(url) == (nodes, prefix)


@pytest.mark.parametrize(
    "url",
    ["https://", "https://a:b", "https://a/B", "https://a/b/c", "https://a/x,https://b",
     "https://a,http://b", "https://a,ftp://b", "https://a/*", "https://a,", "https://a:99999"],
)  # fmt: skip
def test_an_address_that_cannot_be_read_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(Invalid, match="por ejemplo"):
        open_events(url, Path())


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        open_events("https://ana:secreta@es:9200/cgii", Path())
    assert "CGII_EVENTS_PASSWORD" in str(caught.value)
    assert "secreta" not in str(caught.value)


def test_a_certificate_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"ca\.pem"):
        open_events("https://es:9200", Path(), Access(authority=tmp_path / "ca.pem"))


def test_secrets_do_not_show() -> None:
    assert "secreta" not in repr(Access("ana", "secreta", "secreta"))


def test_the_innermost_reason_is_told() -> None:
    body = {
        "error": {
            "type": "search_phase_execution_exception",
            "reason": "all shards failed",
            "root_cause": [{"type": "query_shard_exception", "reason": "too large"}],
        },
        "status": 400,
    }
    assert reason_of(body) == ("query_shard_exception", "too large")
    assert reason_of("gateway down") == ("", "gateway down")


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (403, "cluster_block_exception", "solo lectura"),
        (429, "cluster_block_exception", "solo lectura"),
        (401, "security_exception", "cuenta"),
        (403, "security_exception", "cuenta"),
        (429, "es_rejected_execution_exception", "ocupado"),
        (500, "x", "respondió 500"),
    ],
)
def test_each_refusal_has_its_sentence(status: int, kind: str, word: str) -> None:
    assert word in str(refusal(status, (kind, "why")))
