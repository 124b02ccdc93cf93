"""Seeded defects of who may read and write what in a room."""

from __future__ import annotations

from collections.abc import Callable

from syncchat.exchange import roster
from syncchat.exchange.batch import Batch
from syncchat.exchange.sealing import Sealer
from syncchat.trust import epochs, membership, person, rules, strikes
from syncchat.trust.group import Group

from . import scenarios_of_groups as scenarios
from .seeding import Edit, Mutant


def _mutant(name: str, says: str, *edits: Edit, scenario: Callable[[], object]) -> Mutant:
    return Mutant(name, says, edits, scenario)


GROUP_MUTANTS: tuple[Mutant, ...] = (
    _mutant(
        "pins ignored",
        "What a removed device writes after its removal is read.",
        Edit(Group.accepts, "(pin is None or seq <= pin.seq)", "(pin is None or seq >= 0)"),
        scenario=scenarios.dated_back_by_who_was_removed,
    ),
    _mutant(
        "injected records stored",
        "A record that no honest relay would have taken becomes the head of the log.",
        Edit(
            roster.Trial.take,
            'raise TrustError(f"the record may not be there: {reason}")',
            "pass",
        ),
        scenario=scenarios.injected_by_the_relay,
    ),
    _mutant(
        "commitment not checked",
        "Whatever a box holds is taken for the room's key.",
        Edit(epochs.open_epoch, "if is_committed(group, number, key):", "if key:"),
        scenario=scenarios.two_keys_sealed_to_one,
    ),
    _mutant(
        "removed member sealed to",
        "The key that comes with a removal is sealed to who is removed as well.",
        Edit(epochs.next_epoch, "if user not in gone", "if user not in ()"),
        Edit(  # that alone has the key replaced before anything is sealed with it
            membership._add_epoch,
            "group.members.keys() != sealed_to",
            "not group.members.keys() <= sealed_to",
        ),
        scenario=scenarios.lives_of_groups,
    ),
    _mutant(
        "revoked device sealed to",
        "The user key that comes with a revocation is sealed to the revoked device as well.",
        Edit(person.revoke, "for d in stay]", "for d in person.active]"),
        scenario=scenarios.lives_with_thieves,
    ),
    _mutant(
        "rotation not awaited",
        "After somebody left, messages are sealed with the key that they have.",
        Edit(Sealer.may_write, "not group.is_rotation_due", "True"),
        scenario=scenarios.written_as_somebody_leaves,
    ),
    _mutant(
        "lost keys forgotten",
        "What was sealed with a key that lost a fork of the log cannot be read.",
        Edit(membership._keep_lost, "len(group.lost) < LOST_MAX", "False"),
        scenario=scenarios.fork_of_a_log,
    ),
    _mutant(
        "link open beside a removal",
        "Who joins by a link, on a branch beside the removal that closed it, is in for good.",
        Edit(strikes.strike, "{key for _, key in claims.invites()}", "set()"),
        scenario=scenarios.link_beside_a_removal,
    ),
    _mutant(
        "shown and let in no more",
        "What a device wrote stays shown where the settled log does not let it in.",
        Edit(Batch.follow_group, "0 if not is_let_in else row.seq", "row.seq"),
        scenario=scenarios.link_beside_a_removal,
    ),
    _mutant(
        "removal lost in a fork",
        "A removal whose key came second has no effect at all.",
        Edit(
            rules.refusal,
            "(reason := _refuse_epoch(group, record, change, epoch))",
            "(reason := _refuse_epoch(group, record, change, epoch) or "
            "'it came second' * (not takes_epoch(group, epoch)))",
        ),
        scenario=scenarios.fork_of_a_log,
    ),
)
