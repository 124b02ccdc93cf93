"""Tests of what a relay can be told."""

from __future__ import annotations

from pathlib import Path

import pytest
from syncchat_relay import Admit, Config, Creators

from syncchat.errors import ValidationError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_a_loopback_relay_answers_to_the_loopback_names_and_its_host(host: str) -> None:
    assert Config(host=host).accepted_names == {"localhost", "127.0.0.1", "::1", host}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "relay.example.org", ""])
def test_an_open_address_without_names_is_refused_with_what_to_do(host: str) -> None:
    with pytest.raises(ValidationError, match="--name"):
        Config(host=host)


def test_given_names_are_the_only_ones_and_case_does_not_matter() -> None:
    config = Config(host="0.0.0.0", names=("Relay.Example.org",), behind_proxy=True)
    assert config.accepted_names == {"relay.example.org"}


@pytest.mark.parametrize("name", ["", "ws://relay", "n" * 300])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="not a host name"):
        Config(names=(name,))


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="65535"):
        Config(port=65_536)


NAMES = ("relay.example.org",)


def test_an_open_address_without_tls_is_refused_and_both_ways_out_are_named() -> None:
    with pytest.raises(ValidationError, match=r"--tls-cert and --tls-key.*--behind-proxy"):
        Config(host="0.0.0.0", names=NAMES)
    Config(host="0.0.0.0", names=NAMES, behind_proxy=True)
    Config(host="0.0.0.0", names=NAMES, tls_cert=Path("c.pem"), tls_key=Path("k.pem"))


@pytest.mark.parametrize("one", ["tls_cert", "tls_key"])
def test_half_of_a_certificate_is_refused(one: str) -> None:
    with pytest.raises(ValidationError, match="give both"):
        Config(**{one: Path("x.pem")})  # type: ignore[arg-type]


def test_open_admission_is_refused_where_others_reach_the_relay() -> None:
    Config(admission=Admit.OPEN)
    with pytest.raises(ValidationError, match="for loopback only"):
        Config(admission=Admit.OPEN, host="0.0.0.0", names=NAMES, behind_proxy=True)
    with pytest.raises(ValidationError, match="for loopback only"):
        Config(admission=Admit.OPEN, behind_proxy=True)  # a proxy on the same machine


def test_on_loopback_anyone_creates_rooms_and_elsewhere_members_unless_it_is_said() -> None:
    assert Config().creators is Creators.ANYONE
    assert Config(behind_proxy=True).creators is Creators.MEMBERS
    assert Config(create_rooms=Creators.OPERATORS).creators is Creators.OPERATORS
