"""Tests of what a relay can be told."""

from __future__ import annotations

import pytest
from syncchat_relay import Config

from syncchat.errors import ValidationError


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_a_loopback_relay_answers_to_the_loopback_names_and_its_host(host: str) -> None:
    assert Config(host=host).accepted_names == {"localhost", "127.0.0.1", "::1", host}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "relay.example.org", ""])
def test_an_open_address_without_names_is_refused_with_what_to_do(host: str) -> None:
    with pytest.raises(ValidationError, match="--name"):
        Config(host=host)


def test_given_names_are_the_only_ones_and_case_does_not_matter() -> None:
    config = Config(host="0.0.0.0", names=("Relay.Example.org",))
    assert config.accepted_names == {"relay.example.org"}


@pytest.mark.parametrize("name", ["", "ws://relay", "n" * 300])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="not a host name"):
        Config(names=(name,))


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="65535"):
        Config(port=65_536)
