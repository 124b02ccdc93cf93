"""Emoji: which texts are one emoji, and the one form in which each is written.

An emoji is a sequence of code points (Unicode UTS #51): a picture, perhaps with a skin tone; a
flag, which is two letters of a region or a black flag with tags; a keycap; or several pictures
that joiners make one. The same emoji is often typed with or without variation selectors, so there
is one form for all: with a selector behind every picture that would else be drawn as text.

The tables are those of Unicode 14 with the places that are kept free for more pictures. Which
pictures a font joins changes each year; here any may be joined.
"""

from __future__ import annotations

import functools

EMOJI_CHARS_MAX = 32
"""The longest emoji sequences in Unicode have about a dozen code points."""

PARTS_MAX = 4
"""Pictures joined into one; families have the most."""

_JOINER, _AS_EMOJI, _AS_TEXT, _KEYCAP = "\u200d", "\ufe0f", "\ufe0e", "\u20e3"
_TONES = frozenset(map(chr, range(0x1F3FB, 0x1F400)))
_LETTER_A = 0x1F1E6
_BLACK_FLAG, _TAG_END = "\U0001f3f4", "\U000e007f"
_TAGGED = frozenset(
    _BLACK_FLAG + "".join(chr(0xE0000 + ord(char)) for char in region) + _TAG_END
    for region in ("gbeng", "gbsct", "gbwls")
)

_PICTURES = """
A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2
25AA-25AB 25B6 25C0 25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626
262A 262E-262F 2638-263A 2640 2642 2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F
2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB 26B0-26B1 26BD-26BE 26C4-26C5 26C8
26CE-26CF 26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 2708-270D 270F 2712
2714 2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797
27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F004 1F0CF
1F170-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F201-1F202 1F21A 1F22F 1F232-1F23A 1F250-1F251
1F300-1F321 1F324-1F393 1F396-1F397 1F399-1F39B 1F39E-1F3F0 1F3F3-1F3F5 1F3F7-1F3FA
1F400-1F4FD 1F4FF-1F53D 1F549-1F54E 1F550-1F567 1F56F-1F570 1F573-1F57A 1F587 1F58A-1F58D
1F590 1F595-1F596 1F5A4-1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 1F5DC-1F5DE
1F5E1 1F5E3 1F5E8 1F5EF 1F5F3 1F5FA-1F64F 1F680-1F6C5 1F6CB-1F6D2 1F6D5-1F6E5 1F6E9
1F6EB-1F6F0 1F6F3-1F6FF 1F7E0-1F7FF 1F90C-1F93A 1F93C-1F945 1F947-1F9FF 1FA70-1FAFF
"""
"""Code points that are emoji by themselves, and those kept for later ones."""

_DRAWN_AS_TEXT = """
A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 2328 23CF 23ED-23EF 23F1-23F2 23F8-23FA 24C2
25AA-25AB 25B6 25C0 25FB-25FC 2600-2604 260E 2611 2618 261D 2620 2622-2623 2626 262A
262E-262F 2638-263A 2640 2642 265F-2660 2663 2665-2666 2668 267B 267E 2692 2694-2697 2699
269B-269C 26A0 26A7 26B0-26B1 26C8 26CF 26D1 26D3 26E9 26F0-26F1 26F4 26F7-26F9 2702
2708-2709 270C-270D 270F 2712 2714 2716 271D 2721 2733-2734 2744 2747 2763-2764 27A1
2934-2935 2B05-2B07 3030 303D 3297 3299 1F170-1F171 1F17E-1F17F 1F202 1F237 1F321
1F324-1F32C 1F336 1F37D 1F396-1F397 1F399-1F39B 1F39E-1F39F 1F3CB-1F3CE 1F3D4-1F3DF 1F3F3
1F3F5 1F3F7 1F43F 1F441 1F4FD 1F549-1F54A 1F56F-1F570 1F573-1F579 1F587 1F58A-1F58D 1F590
1F5A5 1F5A8 1F5B1-1F5B2 1F5BC 1F5C2-1F5C4 1F5D1-1F5D3 1F5DC-1F5DE 1F5E1 1F5E3 1F5E8 1F5EF
1F5F3 1F5FA 1F6CB 1F6CD-1F6CF 1F6E0-1F6E5 1F6E9 1F6F0 1F6F3
"""
"""Those that are drawn as text unless a selector stands behind them; no new ones are made."""

_WITH_TONES = """
261D 26F9 270A-270D 1F385 1F3C2-1F3C4 1F3C7 1F3CA-1F3CC 1F442-1F443 1F446-1F450 1F466-1F478
1F47C 1F481-1F483 1F485-1F487 1F48F 1F491 1F4AA 1F574-1F575 1F57A 1F590 1F595-1F596
1F645-1F647 1F64B-1F64F 1F6A3 1F6B4-1F6B6 1F6C0 1F6CC 1F90C 1F90F 1F918-1F91F 1F926
1F930-1F939 1F93C-1F93E 1F977 1F9B5-1F9B6 1F9B8-1F9B9 1F9BB 1F9CD-1F9CF 1F9D1-1F9DD
1FAC3-1FAC5 1FAF0-1FAFF
"""
"""Those that take a skin tone."""

_REGIONS = """
AC AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CP CQ CR CU CV CW CX CY CZ DE DG DJ
DK DM DO DZ EA EC EE EG EH ER ES ET EU FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP
GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL
PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TA TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG
VI VN VU WF WS XK YE YT ZA ZM ZW
"""
"""Regions that have a flag."""


def is_emoji(text: str) -> bool:
    """Tell whether ``text`` is one emoji, and nothing else."""
    return emoji_form(text) is not None


@functools.lru_cache(maxsize=1_024)
def emoji_form(text: str) -> str | None:
    """Return an emoji in the form that stands for all its forms; None for what is no emoji."""
    if not 0 < len(text) <= EMOJI_CHARS_MAX:
        return None
    bare = text.replace(_AS_EMOJI, "").replace(_AS_TEXT, "")
    if bare in _TAGGED or _is_flag(bare):
        return bare
    if len(bare) == 2 and bare[0] in "0123456789#*" and bare[1] == _KEYCAP:
        return bare[0] + _AS_EMOJI + _KEYCAP
    parts = [_picture(part) for part in bare.split(_JOINER)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(parts) > PARTS_MAX:
        return None
    return _JOINER.join(known)


def _picture(part: str) -> str | None:
    """Return one picture in its form, None for what is none."""
    picture, tone = part[:1], part[1:]
    if tone:
        return part if tone in _TONES and picture in _set(_WITH_TONES) else None
    if picture not in _set(_PICTURES):
        return None
    return picture + _AS_EMOJI if picture in _set(_DRAWN_AS_TEXT) else picture


def _is_flag(text: str) -> bool:
    letters = [ord(char) - _LETTER_A for char in text]
    if len(letters) != 2 or not all(0 <= letter < 26 for letter in letters):
        return False
    return "".join(chr(ord("A") + letter) for letter in letters) in _regions()


@functools.cache
def _regions() -> frozenset[str]:
    return frozenset(_REGIONS.split())


@functools.cache
def _set(table: str) -> frozenset[str]:
    """Return the characters of a table."""
    found: set[str] = set()
    for span in table.split():
        first, _, last = span.partition("-")
        found.update(map(chr, range(int(first, 16), int(last or first, 16) + 1)))
    return frozenset(found)
