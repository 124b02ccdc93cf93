"""Tokens, revocation and operators with real sockets, files and processes."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Admit, Config, Grant
from syncchat_relay.jwt import JwtVerifier
from websockets.exceptions import ConnectionClosed

import syncchat
from syncchat.errors import NotAllowedError, NotFoundError, RelayRefused, ValidationError
from syncchat.ports import SystemClock
from syncchat.transport.base import Transport
from syncchat.transport.websocket import connect_websocket
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import Error, Hello, Ping, Pong, Renew
from syncchat.wire.operator_link import decode_operator_link, encode_operator_link
from tests.e2e.relay_client import Client, connected
from tests.e2e.support import RelayProcess, converged, running_relay, until
from tests.support.jwts import AUDIENCE, ISSUER, claims_for, sign, write_keys
from tests.unit.relay.world import answer

ANN, BOB = DeviceKeys(bytes(31) + b"\7"), DeviceKeys(bytes(31) + b"\10")
CLOCK = SystemClock()
ATTENTIVE = Config(admission=Admit.TOKEN, tick_ms=20)
"""Looks at its clocks often enough for tokens that last less than a second."""


def token_for(keys: DeviceKeys, **changes: object) -> str:
    return sign(claims_for(keys.public, CLOCK.now_ms(), **{"create_rooms": True} | changes))


def token_options(folder: Path) -> list[str | Path]:
    keys = write_keys(folder / "jwks.json")
    options: list[str | Path] = ["--admission", "token", "--jwt-keys", keys]
    return [*options, "--jwt-audience", AUDIENCE, "--jwt-issuer", ISSUER]


def verifier(folder: Path) -> JwtVerifier:
    return JwtVerifier(write_keys(folder / "jwks.json"), audience=AUDIENCE, issuer=ISSUER)


@asynccontextmanager
async def entered(url: str, keys: DeviceKeys, token: str) -> AsyncIterator[Client]:
    """Connect and show a token; whether it is good the relay does not say."""
    async with connected(url) as client:
        hello = await client.until(Hello)
        await client.send(answer(hello, keys, host="127.0.0.1", token=token))
        yield client


async def is_served(client: Client) -> bool:
    """Tell whether the relay answers on a connection, which it does or ends it."""
    try:
        await client.send(Ping(1))
        await client.until(Pong)
    except ConnectionClosed:
        return False
    return True


async def codes_until_closed(client: Client) -> list[int]:
    codes = []
    try:
        async with asyncio.timeout(20):
            while True:
                frame = await client.next()
                if isinstance(frame, Error):
                    codes.append(frame.code)
    except ConnectionClosed:
        return codes


def run_relay_command(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "syncchat_relay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


async def test_peers_whose_app_vouches_for_them_chat_and_renew_on_the_open_connection(
    tmp_path: Path,
) -> None:
    grants_ms = 900
    shown: list[str] = []
    opened: list[str] = []

    async def verify(token: str, device_key: bytes) -> Grant | None:
        shown.append(token)
        who, _, key = token.partition(" ")
        return Grant(who, CLOCK.now_ms() + grants_ms, True) if key == device_key.hex() else None

    async def token(relay: str, device_key: bytes) -> str:
        return f"ann {device_key.hex()}"

    @asynccontextmanager
    async def connect(relay: str) -> AsyncIterator[Transport]:
        opened.append(relay)
        async with connect_websocket(relay) as transport:
            yield transport

    async with syncchat_relay.serve(ATTENTIVE, verify=verify) as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Ann", token=token, connect=connect) as ann,
            syncchat.open(tmp_path / "b.db", name="Bob", token=token, connect=connect) as bob,
        ):
            a = ann.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            async with ann.online(), bob.online():
                a.send("hello")
                await converged(a, b, messages=1)
                await until(lambda: min(map(shown.count, {*shown})) >= 4)
                b.send("still here")
                await converged(a, b, messages=2)
            assert len(opened) == 2


async def test_app_that_has_no_token_yet_is_asked_again_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    has_token = False

    def token(relay: str, device_key: bytes) -> str:
        if not has_token:
            raise OSError("canary.of.a.token")
        return "good"

    async with syncchat_relay.serve(
        verify=lambda token, key: Grant("ann", CLOCK.now_ms() + 60_000, True)
    ) as relay:
        with syncchat.open(tmp_path / "a.db", name="Ann", token=token) as ann:
            room = ann.create_room("Team", relay=relay.url)
            room.send("waits")
            async with ann.online():
                await until(lambda: "no token" in ann.connections[relay.url])
                assert "canary" not in ann.connections[relay.url]
                has_token = True
                async with asyncio.timeout(20):
                    await room.synced()


async def test_token_works_only_for_its_device_and_relay_and_while_it_lasts(
    tmp_path: Path,
) -> None:
    now = CLOCK.now_ms() // 1000
    async with syncchat_relay.serve(verify=verifier(tmp_path)) as relay:
        async with entered(relay.url, ANN, token_for(ANN)) as client:
            assert await is_served(client)
        bad = {
            "none": "",
            "of another device": token_for(BOB),
            "for another audience": token_for(ANN, aud="relay.other"),
            "of another issuer": token_for(ANN, iss="https://evil.example"),
            "expired": token_for(ANN, iat=now - 700, exp=now - 100),
            "too long-lived": token_for(ANN, exp=now + 86_400),
        }
        said = {}
        for what, token in bad.items():
            async with entered(relay.url, ANN, token) as client:
                assert await codes_until_closed(client) == [ErrorCode.BAD_TOKEN], what
                (error,) = (frame for frame in client.seen if isinstance(frame, Error))
                said[what] = error
        assert len({(e.code, e.text, e.retry_after_ms) for e in said.values()}) == 1


async def test_answer_made_for_one_relay_is_of_no_use_at_another_even_with_its_token(
    tmp_path: Path,
) -> None:
    verify = verifier(tmp_path)
    named = Config(admission=Admit.TOKEN, names=("relay.example",))
    async with (
        syncchat_relay.serve(named, verify=verify) as target,
        connected(target.url) as victim,
    ):
        hello = await victim.until(Hello)  # which the attacker shows to a peer that dials it
        await victim.send(answer(hello, ANN, host="evil.example", token=token_for(ANN)))
        assert await codes_until_closed(victim) == [ErrorCode.BAD_AUTH]


async def test_connection_whose_token_is_not_renewed_ends_within_seconds(tmp_path: Path) -> None:
    started_ms = CLOCK.now_ms()
    async with (
        syncchat_relay.serve(
            ATTENTIVE, verify=lambda token, key: Grant("ann", started_ms + 900)
        ) as relay,
        entered(relay.url, ANN, "good") as client,
    ):
        assert await is_served(client)
        codes = await codes_until_closed(client)
    assert codes == [ErrorCode.TOKEN_EXPIRING, ErrorCode.TOKEN_EXPIRED]
    assert 900 <= CLOCK.now_ms() - started_ms < 4_000


async def test_revoked_subject_is_closed_at_once_and_still_revoked_after_a_restart(
    tmp_path: Path,
) -> None:
    verify, folder, token = verifier(tmp_path), tmp_path / "relay", token_for(ANN)
    async with (
        syncchat_relay.serve(data_dir=folder, verify=verify) as relay,
        entered(relay.url, ANN, token) as ann,
        entered(relay.url, BOB, token_for(BOB, sub="bob")) as bob,
    ):
        assert await is_served(ann) and await is_served(bob)
        await relay.revoke(subject="ann")
        assert await codes_until_closed(ann) == [ErrorCode.BAD_TOKEN]
        await bob.send(Renew(token_for(BOB, sub="bob")))
        assert await is_served(bob)
    async with syncchat_relay.serve(data_dir=folder, verify=verify) as relay:
        for again in (token, token_for(ANN)):
            async with entered(relay.url, ANN, again) as ann:
                assert await codes_until_closed(ann) == [ErrorCode.BAD_TOKEN]
        await relay.restore(subject="ann")
        async with entered(relay.url, ANN, token) as ann:
            assert await is_served(ann)


async def test_revoking_names_one_subject_or_one_device() -> None:
    async with syncchat_relay.serve() as relay:
        for wrong in ({}, {"subject": "a", "device": ANN.device}, {"device": "x"}):
            with pytest.raises(ValidationError):
                await relay.revoke(**wrong)  # type: ignore[arg-type]
        with pytest.raises(ValidationError, match="32 bytes"):
            await relay.revoke(device=b"seven b")
        await relay.revoke(device=ANN.public)
        async with entered(relay.url, ANN, "") as client:
            assert await codes_until_closed(client) == [ErrorCode.BAD_AUTH]
        await relay.restore(device=ANN.device)
        async with entered(relay.url, ANN, "") as client:
            assert await is_served(client)


async def test_verifier_and_admission_by_token_belong_together() -> None:
    for config, verify in ((Config(admission=Admit.TOKEN), None), (Config(), lambda t, k: None)):
        with pytest.raises(ValidationError, match="belong together"):
            async with syncchat_relay.serve(config, verify=verify):
                pass


async def test_command_revokes_at_a_running_relay_within_five_seconds(tmp_path: Path) -> None:
    folder, token = tmp_path / "relay", token_for(ANN)
    with running_relay(folder, options=token_options(tmp_path)) as relay:
        async with entered(relay.url, ANN, token) as client:
            assert await is_served(client)
            said = run_relay_command("revoke", "--data-dir", folder, "--subject", "ann", "--json")
            asked_ms = CLOCK.now_ms()
            assert json.loads(said)["revoked"] is True
            assert await codes_until_closed(client) == [ErrorCode.BAD_TOKEN]
            assert CLOCK.now_ms() - asked_ms < 5_000
    with running_relay(folder, name="again", options=token_options(tmp_path)) as relay:
        async with entered(relay.url, ANN, token) as client:
            assert await codes_until_closed(client) == [ErrorCode.BAD_TOKEN]


async def test_tokens_and_operator_secrets_are_in_no_file_and_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "relay"
    good, bad = token_for(ANN), token_for(ANN, aud="relay.other")
    with running_relay(folder, options=token_options(tmp_path)) as relay:
        for token in (good, bad, "canary-of-no-jwt"):
            async with entered(relay.url, ANN, token) as client:
                if token is good:
                    assert await is_served(client)
                    await client.send(Renew(good))
                    assert await is_served(client)
                else:
                    assert await codes_until_closed(client) == [ErrorCode.BAD_TOKEN]
        with syncchat.open(tmp_path / "a.db", name="A", token=lambda r, k: bad) as peer:
            peer.create_room("Team", relay=relay.url)
            async with peer.online():
                await until(lambda: "admit" in peer.connections[relay.url])
                told = peer.connections[relay.url]
        log = relay.error_text()
    assert "another audience" in log
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    peer_side = "".join(r.getMessage() for r in caplog.records if r.name.startswith("syncchat"))
    for token in (good, bad, "canary-of-no-jwt"):
        for part in (*token.split("."), token):
            for piece in (part, part[-20:], part[-8:].encode().hex(" ")):
                assert piece not in log
                assert piece not in told
                assert piece not in peer_side
                assert piece.encode() not in kept


async def test_websocket_library_of_a_peer_logs_no_frame_that_holds_a_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with syncchat_relay.serve(
        verify=lambda token, key: Grant("ann", CLOCK.now_ms() + 60_000, True)
    ) as relay:
        with syncchat.open(tmp_path / "a.db", name="A", token=lambda r, k: "canary.token") as peer:
            room = peer.create_room("Team", relay=relay.url)
            async with peer.online(), asyncio.timeout(20):
                await room.synced()
    assert b"canary.token"[-4:].hex(" ") not in caplog.text
    assert "canary" not in caplog.text


# Operators


async def test_operator_shows_the_link_once_and_turns_a_device_away(tmp_path: Path) -> None:
    sent: list[bytes] = []

    @asynccontextmanager
    async def connect(relay: str) -> AsyncIterator[Transport]:
        async with connect_websocket(relay) as transport:
            yield _Listening(transport, sent)

    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        assert relay.is_first_start
        assert relay.operator_link not in repr(relay)
        with (
            syncchat.open(tmp_path / "a.db", name="Ann", connect=connect) as ann,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            with pytest.raises(NotAllowedError, match="no operator"):
                await ann.operator.revoke(relay.url, bob.device)
            assert await ann.operator.login(relay.operator_link) == relay.url
            assert ann.operator.relays() == [relay.url]
            room = bob.create_room("Team", relay=relay.url)
            async with bob.online():
                await room.synced()
                await ann.operator.revoke(relay.url, bob.device)
                await until(lambda: "does not let" in bob.connections[relay.url])
            await ann.operator.revoke(relay.url, bob.device, undo=True)
            async with bob.online():
                room.send("back")
                await room.synced()
            ann.operator.logout(relay.url)
            with pytest.raises(NotFoundError):
                ann.operator.logout(relay.url)
        secret = decode_operator_link(relay.operator_link)[1]
        assert sent and not any(secret in raw for raw in sent)
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as again:
        assert not again.is_first_start
        assert decode_operator_link(again.operator_link)[1] == secret


async def test_link_of_another_relay_makes_nobody_an_operator(tmp_path: Path) -> None:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with syncchat.open(tmp_path / "a.db", name="Ann") as ann:
            with pytest.raises(RelayRefused) as refused:
                await ann.operator.login(encode_operator_link(relay.url, bytes(32)))
            assert refused.value.code == ErrorCode.NOT_OPERATOR
            assert ann.operator.relays() == []


def test_operators_commands_work_from_the_first_start_to_the_revocation(tmp_path: Path) -> None:
    db, other = tmp_path / "a.db", tmp_path / "b.db"
    with syncchat.open(db, name="Ann"), syncchat.open(other, name="Bob") as bob:
        device = bob.device
    with running_relay(tmp_path / "relay") as relay:
        hint = operator_hint(relay)
        assert "syncchat-relay:" not in hint  # a service's log is no place for a secret
        words = hint.partition("syncchat-relay ")[2].split()
        link = run_relay_command(*words).strip()
        assert run_command("operator", "login", "-", "--db", db, stdin=link)[1] == 0
        assert run_command("operator", "list", "--db", db) == (f"{relay.url}\n", 0)
        revoke = ("operator", "revoke", relay.url, device, "--db", db)
        assert run_command(*revoke) == (f"turned away: {device}\n", 0)
        with syncchat.open(other) as bob:
            bob.create_room("Team", relay=relay.url)
        assert run_command("sync", "--timeout", "1", "--db", other)[1] == 5
        assert run_command(*revoke, "--undo")[1] == 0
        assert run_command("sync", "--db", other)[1] == 0
        assert run_command("operator", "logout", relay.url, "--db", db)[1] == 0
        assert run_command(*revoke)[1] == 4


async def test_command_takes_its_token_from_a_file_or_the_environment(tmp_path: Path) -> None:
    db, file = tmp_path / "a.db", tmp_path / "token"
    with running_relay(tmp_path / "relay", options=token_options(tmp_path)) as relay:
        with syncchat.open(db, name="Ann") as ann:
            ann.create_room("Team", relay=relay.url)
            token = token_for(ann._keys)
        file.write_text(token + "\n")
        assert run_command("sync", "--timeout", "1", "--db", db)[1] == 5
        assert run_command("sync", "--token-file", file, "--db", db)[1] == 0
        assert run_command("sync", "--db", db, SYNCCHAT_TOKEN=token)[1] == 0
        assert run_command("sync", "--db", db, SYNCCHAT_TOKEN_FILE=str(file))[1] == 0


class _Listening:
    """Is a transport that keeps what is sent."""

    def __init__(self, transport: Transport, sent: list[bytes]) -> None:
        self._transport = transport
        self._sent = sent

    async def send(self, raw: bytes) -> None:
        self._sent.append(raw)
        await self._transport.send(raw)

    async def receive(self) -> bytes:
        return await self._transport.receive()

    async def close(self) -> None:
        await self._transport.close()


def operator_hint(relay: RelayProcess) -> str:
    """Return the line that a first start tells the operator, which comes after the address."""
    lines: list[str] = []
    while not lines:
        lines = [line for line in relay.error_text().splitlines() if "operator-link" in line]
        assert relay.is_running()
    return lines[0]


def run_command(*arguments: str | Path, stdin: str = "", **more: str) -> tuple[str, int]:
    """Run ``syncchat`` to its end; return its standard output and exit code."""
    from tests.e2e.programs import COMMAND, environment

    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(**more),
        check=False,
    )
    return done.stdout, done.returncode
