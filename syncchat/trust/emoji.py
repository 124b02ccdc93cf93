"""The 64 emoji of the emoji check, six bits each, with their English names.

The list is ours: things that look different in small and in grey, each one code point which every
common font has (Unicode 9 or before) and draws in colour without a variation selector.
"""

from __future__ import annotations

EMOJI: tuple[tuple[str, str], ...] = (
    ("🐝", "bee"),
    ("🦋", "butterfly"),
    ("🐢", "turtle"),
    ("🐘", "elephant"),
    ("🦉", "owl"),
    ("🐙", "octopus"),
    ("🐧", "penguin"),
    ("🦊", "fox"),
    ("🐸", "frog"),
    ("🐍", "snake"),
    ("🦀", "crab"),
    ("🐌", "snail"),
    ("🐬", "dolphin"),
    ("🐫", "camel"),
    ("🦆", "duck"),
    ("🐑", "sheep"),
    ("🌵", "cactus"),
    ("🌻", "sunflower"),
    ("🌲", "fir tree"),
    ("🍄", "mushroom"),
    ("🍀", "clover"),
    ("🍋", "lemon"),
    ("🍇", "grapes"),
    ("🍉", "watermelon"),
    ("🍌", "banana"),
    ("🍒", "cherries"),
    ("🥕", "carrot"),
    ("🌽", "corn"),
    ("🍞", "bread"),
    ("🧀", "cheese"),
    ("🥚", "egg"),
    ("🍪", "cookie"),
    ("🔑", "key"),
    ("🔔", "bell"),
    ("🎈", "balloon"),
    ("🎁", "gift"),
    ("🎸", "guitar"),
    ("🎺", "trumpet"),
    ("🥁", "drum"),
    ("🎲", "dice"),
    ("📷", "camera"),
    ("🔨", "hammer"),
    ("📎", "paperclip"),
    ("⏰", "alarm clock"),
    ("💡", "light bulb"),
    ("🎩", "top hat"),
    ("👑", "crown"),
    ("👓", "glasses"),
    ("👢", "boot"),
    ("☔", "umbrella"),
    ("⚓", "anchor"),
    ("⛵", "sailing boat"),
    ("🚂", "train"),
    ("🚲", "bicycle"),
    ("🚀", "rocket"),
    ("🚜", "tractor"),
    ("🏠", "house"),
    ("🏰", "castle"),
    ("⛄", "snowman"),
    ("🌈", "rainbow"),
    ("🌙", "moon"),
    ("🔥", "fire"),
    ("⚽", "football"),
    ("🎯", "target"),
)
"""Each emoji with its English name; its place in the list is the number it stands for."""

_NAMES = dict(EMOJI)


def emoji_name(emoji: str) -> str:
    """Return the English name of an emoji of the list, to be read out or shown below it."""
    return _NAMES[emoji]
