"""Every error that syncchat raises, in one tree.

::

    SyncchatError
    ├── ValidationError (ValueError)      an argument cannot be used; nothing was written
    ├── NotFoundError (LookupError)       no such room or message here
    ├── NotAllowedError                   this member may not do that
    ├── DecodeError (ValueError)          bytes from outside are not what they should be
    │   ├── InviteError                   an invite link is damaged or of another version
    │   └── UpdateRefused                 the strict reader refused a foreign update
    ├── TrustError                        a signature, a chain or a seal does not hold
    │   ├── SignatureInvalid
    │   ├── ChainBroken
    │   └── SealBroken
    ├── StorageError                      the database cannot be used
    │   ├── DatabaseNewer                 written by a later syncchat; left untouched
    │   ├── DatabaseDamaged               not a syncchat database, or corrupt; left untouched
    │   ├── DatabaseBusy                  another process held the write lock for too long
    │   ├── DiskFull                      nothing of the transaction was written
    │   └── LeaseLost                     another process took over syncing; nothing was written
    ├── TransportError                    the network pipe failed; syncing retries by itself
    │   ├── ConnectFailed
    │   └── ConnectionLost
    └── RelayRefused                      the relay said no, with a code of ``syncchat.wire.codes``

Being offline is a state, never an error of a local call.
"""

from __future__ import annotations


class SyncchatError(Exception):
    """Is the root of every error raised on purpose."""


class ValidationError(SyncchatError, ValueError):
    """An argument cannot be used; nothing was written."""


class NotFoundError(SyncchatError, LookupError):
    """There is no such room or message in this database."""


class NotAllowedError(SyncchatError):
    """This member may not do that, for example edit another's message."""


class DecodeError(SyncchatError, ValueError):
    """Bytes from outside are not what they should be."""


class InviteError(DecodeError):
    """An invite link is damaged, incomplete or of another version."""


class UpdateRefused(DecodeError):
    """A foreign update is not what our own writer emits."""


class TrustError(SyncchatError):
    """A signature, a chain or a seal does not hold."""


class SignatureInvalid(TrustError):
    """The signature was not made by the device that is named."""


class ChainBroken(TrustError):
    """An envelope does not follow the one before it."""


class SealBroken(TrustError):
    """A body does not open under the room's key."""


class StorageError(SyncchatError):
    """The database cannot be used."""


class DatabaseNewer(StorageError):
    """The database was written by a later syncchat; it was left untouched."""


class DatabaseDamaged(StorageError):
    """The file is not a syncchat database, or it is corrupt; it was left untouched."""


class DatabaseBusy(StorageError):
    """Another process held the write lock for too long; try again."""


class DiskFull(StorageError):
    """The disk is full; nothing of the transaction was written."""


class LeaseLost(StorageError):
    """Another process took over syncing this database; nothing was written."""


class TransportError(SyncchatError):
    """The network pipe failed; syncing retries by itself."""


class ConnectFailed(TransportError):
    """No connection could be made."""


class ConnectionLost(TransportError):
    """The connection ended, by either side or by the network."""


class RelayRefused(SyncchatError):
    """The relay said no.

    ``code`` is one of ``syncchat.wire.codes.ErrorCode``; ``retry_after_ms`` is 0 where trying
    again does not help.
    """

    def __init__(self, code: int, text: str, *, retry_after_ms: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after_ms = retry_after_ms
