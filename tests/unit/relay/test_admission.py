"""Who may come in, stay, create rooms and turn others away: the hub, step by step."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from syncchat_relay import Admit, Config, Creators
from syncchat_relay.admission import REMIND_MS, Admission, Revoked
from syncchat_relay.connection import Connection
from syncchat_relay.effects import Grant, KeepRevocation, Vouch

from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import Error, Hello, Opened, Ping, Pong, Renew, Revoke
from syncchat.wire.limits import HANDSHAKE_MS_MAX, SILENCE_MS_MAX
from tests.unit.relay.world import Link, World, answer

ALICE, BOB = DeviceKeys(bytes(31) + b"\1"), DeviceKeys(bytes(31) + b"\2")
TOKEN = Config(admission=Admit.TOKEN)
SECRET = bytes(range(32))
MINUTE_MS = 60_000
CANARY = "canary.of.a.token"
GRANT = Grant("ann", 0, may_create_rooms=True)


def ask(world: World, keys: DeviceKeys = ALICE, token: str = CANARY) -> Link:
    """Open a connection and show a token."""
    link = world.connect()
    world.send(link, answer(link.last(Hello), keys, token=token))
    return link


def admitted(world: World, *, left_ms: int = 10 * MINUTE_MS, grant: Grant = GRANT) -> Link:
    """Open a connection whose token is good."""
    link = ask(world)
    world.vouch(grant, left_ms=left_ms)
    return link


def codes(link: Link) -> list[int]:
    return [error.code for error in link.of(Error)]


def is_served(world: World, link: Link) -> bool:
    """Tell whether a connection gets an answer."""
    before = len(link.of(Pong))
    world.send(link, Ping(7))
    return len(link.of(Pong)) > before


def test_device_that_a_token_vouches_for_is_served() -> None:
    world = World(TOKEN)
    link = ask(world)
    assert world.vouches == [Vouch(link.conn, ALICE.public, CANARY)]
    assert link.frames == [link.last(Hello)]
    world.vouch(GRANT, left_ms=MINUTE_MS)
    world.open(link)
    assert link.last(Opened).aliases


def test_nobody_is_asked_about_a_device_that_did_not_prove_its_key() -> None:
    world = World(TOKEN)
    stolen = answer(world.connect().last(Hello), ALICE, token=CANARY)
    link = world.connect()
    world.send(link, stolen)
    assert codes(link) == [ErrorCode.BAD_AUTH]
    assert world.vouches == []


def test_bad_tokens_are_all_told_the_same() -> None:
    said = []
    for token, grant, left_ms in (("", None, 0), ("x", None, 0), ("x", GRANT, 0), ("x", GRANT, -5)):
        world = World(TOKEN)
        link = ask(world, token=token)
        if token:
            world.vouch(grant, left_ms=left_ms)
        assert link.closed
        said.append((link.raw[1:], link.closed))
    world = World(TOKEN)
    world.perform(world.hub.turn_away(Revoked(subjects=frozenset({"ann"}))))
    revoked = admitted(world)
    assert all(each == (revoked.raw[1:], revoked.closed) for each in said)
    assert codes(revoked) == [ErrorCode.BAD_TOKEN]


def test_token_that_nobody_could_check_is_no_bad_one() -> None:
    world = World(TOKEN)
    link = ask(world)
    world.vouch(None, has_failed=True)
    assert link.last(Error).code == ErrorCode.INTERNAL
    assert link.last(Error).retry_after_ms > 0
    assert link.closed


def test_frame_that_is_taken_while_a_token_is_looked_at_ends_the_connection() -> None:
    world = World(TOKEN)
    link = ask(world)
    world.send(link, Ping(1))
    assert codes(link) == [ErrorCode.BAD_FRAME]
    world.vouch(GRANT, left_ms=MINUTE_MS)  # an answer that comes too late
    assert not link.of(Pong)


def test_handshake_does_not_wait_for_ever_for_who_looks_at_tokens() -> None:
    world = World(TOKEN)
    link = ask(world)
    world.tick(HANDSHAKE_MS_MAX + 1)
    assert codes(link) == [ErrorCode.BAD_AUTH]


def test_grant_that_is_not_renewed_ends_the_connection_and_says_so_before() -> None:
    world = World(TOKEN)
    link = admitted(world, left_ms=10 * MINUTE_MS)
    keep_alive(world, link, 9 * MINUTE_MS - 1)
    assert codes(link) == []
    world.tick(1)
    assert codes(link) == [ErrorCode.TOKEN_EXPIRING]
    assert link.last(Error).retry_after_ms == REMIND_MS
    keep_alive(world, link, MINUTE_MS - 1)
    assert codes(link) == [ErrorCode.TOKEN_EXPIRING]  # once
    world.tick(1)
    assert codes(link) == [ErrorCode.TOKEN_EXPIRING, ErrorCode.TOKEN_EXPIRED]
    assert link.closed


def test_renewal_on_the_open_connection_goes_on_with_its_rooms() -> None:
    world = World(TOKEN)
    link = admitted(world, left_ms=10 * MINUTE_MS)
    world.open(link)
    keep_alive(world, link, 9 * MINUTE_MS)
    world.send(link, Renew("fresh"))
    assert world.vouches == [Vouch(link.conn, ALICE.public, "fresh")]
    world.vouch(GRANT, left_ms=10 * MINUTE_MS)
    keep_alive(world, link, 5 * MINUTE_MS)
    assert link.closed is None
    assert is_served(world, link)


@pytest.mark.parametrize("token", ["", "bad"])
def test_renewal_with_a_bad_token_ends_the_connection(token: str) -> None:
    world = World(TOKEN)
    link = admitted(world)
    world.send(link, Renew(token))
    if token:
        world.vouch(None)
    assert codes(link) == [ErrorCode.BAD_TOKEN]
    assert link.closed


def test_renewal_for_another_person_ends_the_connection() -> None:
    world = World(TOKEN)
    link = admitted(world)
    world.send(link, Renew("of bob"))
    world.vouch(Grant("bob", 0), left_ms=MINUTE_MS)
    assert codes(link) == [ErrorCode.BAD_TOKEN]


def test_grant_lasts_no_longer_than_the_relay_lets_it() -> None:
    world = World(Config(admission=Admit.TOKEN, grant_ms_max=2 * MINUTE_MS))
    link = admitted(world, left_ms=10**12)
    keep_alive(world, link, 2 * MINUTE_MS - 1)
    assert link.closed is None
    world.tick(1)
    assert link.closed


def test_tokens_mean_nothing_where_none_are_asked_for() -> None:
    world = World(Config())
    link = ask(world)
    world.send(link, Renew("x"))
    assert world.vouches == []
    assert is_served(world, link)


def test_tokens_cost_more_than_other_frames() -> None:
    world = World(Config(admission=Admit.TOKEN, frames_per_second=100, frames_burst=250))
    link = admitted(world)
    for _ in range(3):
        world.send(link, Renew("fresh"))
        world.vouch(GRANT, left_ms=MINUTE_MS)
    assert link.paused_ms


def test_effect_does_not_show_its_token() -> None:
    assert CANARY not in repr(Vouch(1, bytes(32), CANARY))


@pytest.mark.parametrize("admission", [Admit.ROOMS, Admit.OPEN])
def test_revoked_device_is_closed_and_not_let_in_until_it_is_restored(admission: Admit) -> None:
    world = World(Config(admission=admission))
    alice, bob = world.enter(ALICE), world.enter(BOB)
    world.perform(world.hub.turn_away(Revoked(devices=frozenset({ALICE.public[:8]}))))
    assert codes(alice) == [ErrorCode.BAD_AUTH]
    assert alice.closed and is_served(world, bob)
    assert world.enter(ALICE).closed
    world.perform(world.hub.turn_away(Revoked()))
    assert is_served(world, world.enter(ALICE))


def test_revoked_subject_is_closed_with_all_devices_and_others_stay() -> None:
    world = World(TOKEN)
    first, second = admitted(world), admitted(world)
    other = admitted(world, grant=Grant("bob", 0))
    world.perform(world.hub.turn_away(Revoked(subjects=frozenset({"ann"}))))
    assert codes(first) == codes(second) == [ErrorCode.BAD_TOKEN]
    assert is_served(world, other)
    assert codes(admitted(world)) == [ErrorCode.BAD_TOKEN]


def test_device_revoked_while_its_token_is_looked_at_does_not_get_in() -> None:
    world = World(TOKEN)
    link = ask(world)
    world.perform(world.hub.turn_away(Revoked(devices=frozenset({ALICE.public[:8]}))))
    assert codes(link) == [ErrorCode.BAD_TOKEN]
    world.vouch(GRANT, left_ms=MINUTE_MS)
    assert not is_served(world, link)


# Operators


def test_operator_turns_a_device_away_and_nobody_else_can() -> None:
    world = World(Config(), operator_secret=SECRET)
    link = world.connect()
    world.send(link, answer(link.last(Hello), ALICE, secret=SECRET))
    world.send(link, Revoke(BOB.public[:8], "", False))
    assert world.revocations == [KeepRevocation(link.conn, BOB.public[:8], "", False)]
    plain = world.enter(BOB)
    world.send(plain, Revoke(ALICE.public[:8], "", False))
    assert codes(plain) == [ErrorCode.NOT_OPERATOR]
    assert len(world.revocations) == 1
    assert is_served(world, plain)


@pytest.mark.parametrize(
    "frame", [Revoke(b"", "", False), Revoke(b"short", "", False), Revoke(bytes(8), "x", False)]
)
def test_operator_names_either_a_device_or_a_subject(frame: Revoke) -> None:
    world = World(Config(), operator_secret=SECRET)
    link = world.connect()
    world.send(link, answer(link.last(Hello), ALICE, secret=SECRET))
    world.send(link, frame)
    assert codes(link) == [ErrorCode.BAD_FRAME]


def test_wrong_proof_takes_only_the_operators_rights() -> None:
    world = World(Config(), operator_secret=SECRET)
    link = world.connect()
    world.send(link, answer(link.last(Hello), ALICE, secret=bytes(32)))
    assert codes(link) == [ErrorCode.NOT_OPERATOR]
    assert is_served(world, link)
    world.send(link, Revoke(BOB.public[:8], "", False))
    assert world.revocations == []


def test_proof_of_another_connection_or_device_is_none() -> None:
    world = World(Config(), operator_secret=SECRET)
    seen = answer(world.connect().last(Hello), ALICE, secret=SECRET).operator
    for keys in (ALICE, BOB):
        link = world.connect()
        own = answer(link.last(Hello), keys)
        world.send(link, msgspec.structs.replace(own, operator=seen))
        assert codes(link) == [ErrorCode.NOT_OPERATOR]


def test_relay_without_a_secret_has_no_operators_not_even_with_an_empty_one() -> None:
    world = World(Config(), operator_secret=b"")
    link = world.connect()
    world.send(link, answer(link.last(Hello), ALICE, secret=bytes(1)))
    assert codes(link) == [ErrorCode.NOT_OPERATOR]


# Creating rooms


def connection(*, is_operator: bool = False, may_create_rooms: bool = False) -> Connection:
    made = Connection.new(1, bytes(32), 0, Config())
    made.is_operator, made.may_create_rooms = is_operator, may_create_rooms
    return made


@pytest.mark.parametrize("creators", [None, *Creators])
@pytest.mark.parametrize("is_public", [False, True])
def test_who_may_create_rooms(creators: Creators | None, is_public: bool) -> None:
    config = Config(create_rooms=creators, behind_proxy=is_public)
    admission = Admission(config, incarnation=bytes(8), operator_secret=SECRET)
    assert admission.may_create_room(connection(is_operator=True))
    who = creators or (Creators.MEMBERS if is_public else Creators.ANYONE)
    anyone = admission.may_create_room(connection(may_create_rooms=True))
    member = admission.may_create_room(connection(), is_member=True)
    assert (anyone, member) == {
        Creators.ANYONE: (True, True),
        Creators.MEMBERS: (False, True),
        Creators.OPERATORS: (False, False),
    }[who]


def test_token_says_who_may_create_rooms() -> None:
    admission = Admission(TOKEN, incarnation=bytes(8))
    assert admission.may_create_room(connection(may_create_rooms=True))
    assert not admission.may_create_room(connection(), is_member=True)


def test_in_open_mode_everyone_may_create_rooms() -> None:
    config = Config(admission=Admit.OPEN, create_rooms=Creators.OPERATORS)
    assert Admission(config, incarnation=bytes(8)).may_create_room(connection())


def keep_alive(world: World, link: Link, ms: int) -> None:
    """Let time pass on a connection that is not silent."""
    left = ms
    for _ in itertools.count():
        step = min(left, SILENCE_MS_MAX // 2)
        world.tick(step)
        left -= step
        if link.closed is None:
            world.send(link, Ping(1))
        if not left:
            return
