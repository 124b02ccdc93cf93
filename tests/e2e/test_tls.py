"""TLS of the relay's own socket, with certificates that the tests sign."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Config

import syncchat
from syncchat.errors import ValidationError
from syncchat.transport.websocket import connect_websocket
from tests.e2e.support import all_online, converged, running_relay, until
from tests.support.certificates import Authority, Pair, serial_in, serial_of


def config(pair: Pair) -> Config:
    return Config(tls_cert=pair.cert, tls_key=pair.key)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.cert))


async def test_peers_that_trust_the_authority_chat_through_a_relay_with_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    connect = partial(connect_websocket, ssl_context=trusting(authority))
    async with syncchat_relay.serve(config(authority.issue())) as relay:
        assert relay.url.startswith("wss://127.0.0.1:")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert))  # one of the two ways to trust
        with (
            syncchat.open(tmp_path / "a.db", name="Alice", connect=connect) as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            async with all_online([alice, bob]):
                for n in range(300):  # more than a socket takes at once
                    a.send(f"{n} " + "x" * 3_000)
                await converged(a, b, messages=300)


async def test_relay_whose_certificate_nobody_signed_is_not_talked_to(tmp_path: Path) -> None:
    async with syncchat_relay.serve(config(Authority(tmp_path).issue())) as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            room.send("waits")
            async with alice.online():
                await until(lambda: "no trusted TLS" in alice.connections[relay.url])
            assert len(room.outbox()) > 0


async def test_renewed_certificate_is_shown_after_a_reload_and_a_bad_one_never(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    async with syncchat_relay.serve(config(pair)) as relay:
        first = await shown_serial(relay.url, authority)
        authority.issue()
        assert await shown_serial(relay.url, authority) == first
        relay.reload_tls()
        second = await shown_serial(relay.url, authority)
        assert second == serial_in(pair.cert) != first
        pair.key.write_bytes(authority.issue("another").key.read_bytes())
        with pytest.raises(ValidationError, match="cannot be used"):
            relay.reload_tls()
        assert await shown_serial(relay.url, authority) == second


async def test_files_that_are_no_certificate_are_told_in_words(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, locked = authority.issue(), authority.issue("locked", password=b"secret")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for pair in (Pair(text, good.key), Pair(good.cert, text), locked, Pair(tmp_path / "x", text)):
        with pytest.raises(ValidationError, match="both are PEM files"):
            async with syncchat_relay.serve(replace(config(pair), data_dir=tmp_path / "relay")):
                pass
    assert not (tmp_path / "relay").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGHUP")
async def test_command_serves_with_tls_and_reads_the_certificate_again_on_sighup(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    options: list[str | Path] = ["--tls-cert", pair.cert, "--tls-key", pair.key]
    with running_relay(tmp_path / "relay", options=options) as relay:
        assert await shown_serial(relay.url, authority) == serial_in(pair.cert)
        authority.issue()
        relay.signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while await shown_serial(relay.url, authority) != serial_in(pair.cert):
                pass


def test_command_refuses_a_public_address_without_tls_and_names_both_ways(tmp_path: Path) -> None:
    command = ["-m", "syncchat_relay", "--host", "0.0.0.0", "--name", "relay.example"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--tls-cert" in done.stderr
    assert "--behind-proxy" in done.stderr
    assert list(tmp_path.iterdir()) == []


async def shown_serial(url: str, authority: Authority) -> int:
    """Return the serial number of the certificate that a new connection is shown."""
    async with connect_websocket(url, ssl_context=trusting(authority)) as transport:
        await transport.receive()
        socket = transport._connection.transport.get_extra_info("ssl_object")  # type: ignore[attr-defined]
        return serial_of(socket.getpeercert(binary_form=True))
