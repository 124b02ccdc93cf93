"""House rule about the page for embedding apps: its code works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from syncchat_relay import Grant
from syncchat_relay.jwt import JwtVerifier

from .tree import ROOT

PAGE = ROOT / "docs" / "howto" / "embed-with-tokens.md"


def test_token_that_the_page_tells_to_issue_is_taken_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    make_key, issue, serve, give = re.findall(
        r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL
    )
    names: dict[str, object] = {}
    for code in (make_key, issue, serve):
        exec(code, names)
    device_key = bytes(range(32))
    verify, chat_token = names["verify"], names["chat_token"]
    assert isinstance(verify, JwtVerifier) and callable(chat_token)
    grant = verify(chat_token("ann", device_key), device_key)
    assert isinstance(grant, Grant)
    assert (grant.subject, grant.may_create_rooms) == ("ann", True)
    assert verify(chat_token("ann", device_key), bytes(32)) is None
    compile(give.replace("...", "pass"), "page", "exec")
