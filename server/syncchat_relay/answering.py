"""What the hub answers beside the log itself: the newest of it, old snapshots, devices."""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.wire.frames import AskContents

from . import access, light, recent
from .asking import device_frames
from .connection import Ask, Pace, PendingRead, Subscription
from .effects import ContentsRead, NewestRead
from .transfers import Transfers


class Answering(Transfers):
    """Is the part of ``Hub`` that tells of a room what is not the log from a place on."""

    def _take_ask(self, subscription: Subscription, frame: AskContents) -> None:
        light.want(subscription, frame)
        connection = subscription.connection
        if subscription.standing:
            connection.asks[Ask.CONTENTS, frame.alias] = None
            self._pump(connection)
            return
        nothing = [(place, b"") for place in light.take_wanted(subscription)]
        for data in light.contents_frames(subscription, nothing):
            self._send(connection, data)

    def _newest_read(self, pending: PendingRead, read: NewestRead) -> None:
        subscription = pending.subscription
        connection, room = subscription.connection, subscription.room
        connection.reads_in_flight -= 1
        if self._is_current(subscription) and read.standing:
            access.let_in(subscription, read.standing, lambda data: self._send(connection, data))
            frames = recent.recent_frames(room, read, self._config.deliver_bytes_max)
            for data in frames:
                self._send(connection, data)
            if frames and read.records:
                subscription.known = read.records[-1][0]
        subscription.is_telling = False
        if self._is_current(subscription) and subscription.pace is Pace.READING:
            connection.asks[Ask.ENVELOPES, room.alias] = None
        self._pump(connection)

    def _contents_read(self, pending: PendingRead, read: ContentsRead) -> None:
        connection = pending.subscription.connection
        connection.reads_in_flight -= 1
        if self._is_current(pending.subscription):
            for data in light.contents_frames(pending.subscription, read.contents):
                self._send(connection, data)
        self._pump(connection)

    def _devices_read(self, pending: PendingRead, devices: Sequence[tuple[bytes, int]]) -> None:
        connection, alias = pending.subscription.connection, pending.subscription.room.alias
        connection.reads_in_flight -= 1
        if self._is_current(pending.subscription):
            for data in device_frames(pending.ask, alias, devices, connection.device):
                self._send(connection, data)
        self._pump(connection)
