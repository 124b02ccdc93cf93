"""What it costs a relay to let a device in."""

from __future__ import annotations

import base64
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import nacl.bindings as sodium
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from syncchat_relay import Admit, Config
from syncchat_relay.effects import Send
from syncchat_relay.hub import Hub
from syncchat_relay.jwt import JwtVerifier

from syncchat.ports import SystemClock, SystemRandom
from syncchat.sync.greeting import auth_for
from syncchat.trust.keys import DeviceKeys, auth_text
from syncchat.wire.frames import Hello, decode, encode
from syncchat.wire.limits import VERSION

from . import workload

NAME = "challenge"
SUMMARY = (
    "CPU of the relay's hub to greet a device, check its answer and forget it again, plain and as "
    "an operator's, beside a bare Ed25519 verification of the same text; and of checking a JWT "
    "(sockets are not measured)"
)

INCARNATION = b"\1" * 8
SECRET = b"\2" * 32
HOST = "127.0.0.1"


@dataclass(slots=True)
class _Relay:
    """Is a hub, and one device that answers its challenge; answering is not measured."""

    hub: Hub
    keys: DeviceKeys
    secret: bytes
    conn: int = 0

    def seconds(self, count: int) -> float:
        """Return the CPU time in which the hub lets the device in so often."""
        spent = 0.0
        for _ in range(count):
            self.conn += 1
            started = process_time()
            (sent,) = self.hub.connected(self.conn, 0)
            spent += process_time() - started
            answer = self._answer(sent)
            started = process_time()
            refused = self.hub.receive(self.conn, answer, 0)
            self.hub.lost(self.conn)
            spent += process_time() - started
            assert refused == [], "the device was not let in"
        return spent

    def _answer(self, sent: object) -> bytes:
        assert isinstance(sent, Send)
        hello = decode(sent.data)
        assert isinstance(hello, Hello)
        return encode(auth_for(hello, self.keys, host=HOST, operator_secret=self.secret))


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (50, 3) if smoke else (2_000, 9)
    keys = DeviceKeys(workload.seeded("challenge", 32))
    config = Config(admission=Admit.ROOMS)
    hub = Hub(incarnation=INCARNATION, config=config, random=SystemRandom(), operator_secret=SECRET)
    text = auth_text(host=HOST, incarnation=INCARNATION, nonce=bytes(32), version=VERSION)
    signed = keys.sign(text) + text
    with tempfile.TemporaryDirectory() as folder:
        verify, token = _verifier(Path(folder), keys)
        ways: dict[str, Callable[[int], float]] = {
            "bare verify": partial(_seconds, lambda: sodium.crypto_sign_open(signed, keys.public)),
            "challenge": _Relay(hub, keys, b"").seconds,
            "operator's challenge": _Relay(hub, keys, SECRET).seconds,
            "JWT": partial(_seconds, lambda: verify(token, keys.public)),
        }
        times = _in_turn(ways, count, rounds)
    figures: dict[str, Any] = {"per round": count, "rounds": rounds}
    for name, found in times.items():
        figures[f"{name} ms"] = round(statistics.median(found) * 1000 / count, 4)
    for name in list(ways)[1:]:
        ratios = [ours / bare for ours, bare in zip(times[name], times["bare verify"], strict=True)]
        figures[f"{name} / bare verify"] = round(statistics.median(ratios), 2)
    return figures


def _in_turn(
    ways: dict[str, Callable[[int], float]], count: int, rounds: int
) -> dict[str, list[float]]:
    """Measure all ways in each round, beginning with another one each time."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for way in ways.values():
        way(max(1, count // 10))
    for number in range(rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            times[name].append(ways[name](count))
    return times


def _seconds(way: Callable[[], object], count: int) -> float:
    started = process_time()
    for _ in range(count):
        assert way(), "what is measured did not hold"
    return process_time() - started


def _verifier(folder: Path, keys: DeviceKeys) -> tuple[JwtVerifier, str]:
    """Return a verifier and a token that it takes, signed with Ed25519."""
    key = OKPKey.generate_key("Ed25519")
    path = folder / "key.json"
    path.write_text(json.dumps(key.as_dict(private=False)), encoding="utf-8")
    now = SystemClock().now_ms() // 1000
    claims = {
        "iss": "app",
        "aud": HOST,
        "sub": "ann",
        "iat": now,
        "exp": now + 900,
        "device": _base64url(keys.public),
    }
    head = _base64url(b'{"alg":"EdDSA","typ":"JWT"}')
    text = f"{head}.{_base64url(json.dumps(claims).encode())}"
    signature = JWSRegistry(algorithms=["Ed25519"]).get_alg("Ed25519").sign(text.encode(), key)
    token = f"{text}.{_base64url(signature)}"
    return JwtVerifier(path, audience=HOST, issuer="app"), token


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
