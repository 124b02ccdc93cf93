"""Pictures, sounds and films made here, which tell where they were taken."""

from __future__ import annotations

import math
import struct
import wave
from array import array
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

av: Any = import_module("av")  # its types know too many kinds of streams

CANARY = "Canary Wharf"
LATITUDE = struct.pack(">6I", 51, 1, 30, 1, 1234567, 100000)
"""The degrees as a photograph's file holds them."""


def gps(*, orientation: int = 1) -> Image.Exif:
    """Return what a phone writes into a photograph."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.ImageDescription] = CANARY
    exif.get_ifd(IFD.GPSInfo).update(
        {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (51.0, 30.0, 12.34567)}
    )
    return exif


def photograph(path: Path, form: str = "JPEG", *, orientation: int = 1, mode: str = "RGB") -> Path:
    """Write a photograph, wider than high and red at its left, that says where it was taken."""
    picture = Image.new(mode, (400, 200), 0 if mode in ("L", "P") else "white")
    if mode == "RGB":
        picture.paste((255, 0, 0), (0, 0, 100, 200))
    options: dict[str, Any] = (
        {} if form in ("BMP", "GIF") else {"exif": gps(orientation=orientation)}
    )
    if form == "PNG":
        from PIL.PngImagePlugin import PngInfo

        told = PngInfo()
        told.add_text("Comment", CANARY)
        options["pnginfo"] = told
    picture.save(path, form, **options)
    return path


def moving(path: Path, form: str, frames: int = 3) -> Path:
    """Write a picture that moves."""
    pictures = [Image.new("RGB", (40, 20), (80 * n, 0, 0)) for n in range(frames)]
    told: dict[str, Any] = {"comment": CANARY.encode()} if form == "GIF" else {"exif": gps()}
    pictures[0].save(
        path,
        form,
        save_all=True,
        append_images=pictures[1:],
        duration=[50, 70, 90][:frames],
        **told,
    )
    return path


def sound(path: Path, *, seconds: float = 2.0, rate: int = 8_000) -> Path:
    """Write a tone that gets louder, as WAV."""
    count = round(seconds * rate)
    samples = array("h", (round(32_000 * n / count * math.sin(n * 0.3)) for n in range(count)))
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, count, "NONE", "not compressed"))
        out.writeframes(samples.tobytes())
    return path


def recording(path: Path, form: str, codec: str, *, seconds: float = 2.0) -> Path:
    """Write a sound with tags, by a codec."""
    rate = 48_000 if codec in ("libopus", "opus") else 44_100
    with av.open(str(path), "w", format=form) as out:
        out.metadata["title"] = CANARY
        out.metadata["location"] = "+51.5034-000.0184/"
        stream = out.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame_size = stream.codec_context.frame_size or 1_024
        at = 0
        while at < seconds * rate:
            frame = av.AudioFrame(format="s16", layout="mono", samples=frame_size)
            frame.planes[0].update(
                array("h", (round(9_000 * math.sin((at + n) * 0.05)) for n in range(frame_size)))
                .tobytes()
                .ljust(frame.planes[0].buffer_size, b"\0")
            )
            frame.sample_rate = rate
            frame.pts = at
            resampler = av.AudioResampler(
                format=stream.codec_context.format, layout="mono", rate=rate
            )
            for part in resampler.resample(frame):
                part.pts = at
                out.mux(stream.encode(part))
            at += frame_size
        out.mux(stream.encode(None))
    return path


def film(path: Path, form: str = "mp4") -> Path:
    """Write a short film that says where it was recorded."""
    with av.open(str(path), "w", format=form, options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["title"] = CANARY
        out.metadata["location"] = "+51.5034-000.0184/"
        out.metadata["com.apple.quicktime.location.ISO6709"] = "+51.5034-000.0184/"
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["handler_name"] = CANARY
        for number in range(10):
            picture = Image.new("RGB", (64, 48), (20 * number, 0, 0))
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
