"""Devices: what a person can do about theirs, one file for each kind of thing."""

from .devices import Device, Devices
from .linking import LINK_FOR, DeviceAsking

__all__ = ["LINK_FOR", "Device", "DeviceAsking", "Devices"]
