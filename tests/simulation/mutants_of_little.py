"""Seeded defects in what peers do that keep little."""

from __future__ import annotations

from syncchat_relay import light

from syncchat.exchange import absence, refold, skipping
from syncchat.exchange.absence import Absence
from syncchat.exchange.exchange import Exchange
from syncchat.exchange.refilling import Refiller
from syncchat.storage import absent

from . import scenarios_of_little as scenarios
from .seeding import Edit, Mutant

LITTLE_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "absent contents are not waited for",
        "What follows in a volume whose contents are absent is read without them.",
        (Edit(Absence._is_deferred, "stub is not None and", "False and"),),
        scenario=scenarios.said_about_what_is_left,
    ),
    Mutant(
        "newer snapshot takes no place",
        "What waits for contents that nobody has any more waits for ever.",
        (Edit(Absence._supersede, "if not self._has_absent:", "if True:"),),
        scenario=scenarios.gone_meanwhile,
    ),
    Mutant(
        "folding anew forgets what is left",
        "A chain that ends with absent contents begins its next volume too early.",
        (
            Edit(
                refold.refold_chain,
                "reading.pass_over(skipping.covered(db, row, after, row.seq + 1))",
                "pass",
            ),
        ),
        scenario=scenarios.folded_anew,
    ),
    Mutant(
        "whatever comes is believed",
        "Contents are not held against the stub.",
        (
            Edit(
                absence.is_whole,
                "encode_envelope(links.stub_of(envelope, header)) == stub.raw",
                "True",
            ),
        ),
        scenario=scenarios.lied_to,
    ),
    Mutant(
        "contents are asked for by a wrong place",
        "The relay tells of stubs one place too late.",
        (Edit(light.told_frames, "places.append(place)", "places.append(place + 1)"),),
        scenario=scenarios.left_and_fetched,
    ),
    Mutant(
        "what waits is read as of the chain's end",
        "What is read late is judged by the volumes that came after it.",
        (
            Edit(
                skipping.go_to,
                "reading.volume = max(reading.volume, before,",
                "reading.volume = max(reading.volume, row.volume,",
            ),
        ),
        scenario=scenarios.waits_while_the_chain_goes_on,
    ),
    Mutant(
        "relay is given what follows a gap",
        "Who keeps little takes a relay that lost all for refilled, though it lacks something.",
        (Edit(Refiller.chains_seen, "and not is_blocked", ""),),
        scenario=scenarios.wiped_relay,
    ),
    Mutant(
        "what is wanted waits for news",
        "A room that opens as it was asks for nothing.",
        (Edit(Exchange._room_opened, "self._ask_contents(progress)", "pass"),),
        scenario=scenarios.cut_off_while_fetching,
    ),
    Mutant(
        "old history comes in any order",
        "The oldest is fetched first.",
        (Edit(absent.want_newest, "order by place desc", "order by place"),),
        scenario=scenarios.left_and_fetched,
    ),
)
"""What is fetched, when, and how chains go on over what is not."""
