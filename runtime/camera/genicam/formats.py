"""Pixel formats of GenICam cameras, and frames out of their bytes.

Source: EMVA's Pixel Format Naming Convention and its list of values. Samples of 10 to 14 bits come
in the lower bits of uint16, packed or not, and the format says how many; nothing is scaled here.
Bayer patterns become gray, demosaiced bilinearly and weighted as in BGR: that is what a model
takes, and an image that was recorded is the very one that the line sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.errors import FrameError

SensorPixels = NDArray[np.uint8] | NDArray[np.uint16]
Samples = NDArray[np.uint16]


def _low(group: NDArray[np.uint8], byte: int) -> Samples:
    return group[:, byte].astype(np.uint16)


def _unpack_10p(group: NDArray[np.uint8]) -> Samples:
    """Four samples in five bytes, the lowest bits first."""
    b = [_low(group, byte) for byte in range(5)]
    return np.stack(
        [
            b[0] | (b[1] & 0x03) << 8,
            b[1] >> 2 | (b[2] & 0x0F) << 6,
            b[2] >> 4 | (b[3] & 0x3F) << 4,
            b[3] >> 6 | b[4] << 2,
        ],
        axis=1,
    )


def _unpack_12p(group: NDArray[np.uint8]) -> Samples:
    """Two samples in three bytes, the lowest bits first."""
    b = [_low(group, byte) for byte in range(3)]
    return np.stack([b[0] | (b[1] & 0x0F) << 8, b[1] >> 4 | b[2] << 4], axis=1)


def _unpack_10_packed(group: NDArray[np.uint8]) -> Samples:
    """Two samples in three bytes, the lowest bits of both in the middle one: GigE Vision's way."""
    b = [_low(group, byte) for byte in range(3)]
    return np.stack([b[0] << 2 | b[1] & 0x03, b[2] << 2 | b[1] >> 4 & 0x03], axis=1)


def _unpack_12_packed(group: NDArray[np.uint8]) -> Samples:
    """Two samples in three bytes, the lowest bits of both in the middle one: GigE Vision's way."""
    b = [_low(group, byte) for byte in range(3)]
    return np.stack([b[0] << 4 | b[1] & 0x0F, b[2] << 4 | b[1] >> 4], axis=1)


@dataclass(frozen=True)
class Packing:
    """Way in which samples lie in bytes.

    Args:
        size: bytes in a group of samples.
        samples: in a group.
        unpack: uint8, N×size, to uint16, N×samples; None where bytes are the samples.
    """

    size: int
    samples: int
    unpack: Callable[[NDArray[np.uint8]], Samples] | None = None


_BYTES = Packing(1, 1)
_WORDS = Packing(2, 1)
_P10 = Packing(5, 4, _unpack_10p)
_P12 = Packing(3, 2, _unpack_12p)
_PACKED_10 = Packing(3, 2, _unpack_10_packed)
_PACKED_12 = Packing(3, 2, _unpack_12_packed)


@dataclass(frozen=True)
class PixelFormat:
    """One pixel format.

    Args:
        name: PFNC's.
        value: PFNC's number.
        bits: how many bits of a sample are used.
        packing: of the samples.
        channels: per pixel.
        convert: OpenCV's code that makes gray or BGR of it; None where it is that.
    """

    name: str
    value: int
    bits: int
    packing: Packing
    channels: int = 1
    convert: int | None = None

    def bytes_of(self, height: int, width: int) -> int:
        """Return the bytes of an image without padding."""
        return -(-height * width * self.channels * self.packing.size // self.packing.samples)


def _bayer(depth: str, bits: int, packing: Packing, **values: int) -> list[PixelFormat]:
    codes = {
        "GR": cv2.COLOR_BayerGRBG2GRAY,
        "RG": cv2.COLOR_BayerRGGB2GRAY,
        "GB": cv2.COLOR_BayerGBRG2GRAY,
        "BG": cv2.COLOR_BayerBGGR2GRAY,
    }
    return [
        PixelFormat(f"Bayer{tile}{depth}", value, bits, packing, convert=codes[tile])
        for tile, value in values.items()
    ]


_ALL = (
    PixelFormat("Mono8", 0x01080001, 8, _BYTES),
    PixelFormat("Mono10", 0x01100003, 10, _WORDS),
    PixelFormat("Mono12", 0x01100005, 12, _WORDS),
    PixelFormat("Mono14", 0x01100025, 14, _WORDS),
    PixelFormat("Mono16", 0x01100007, 16, _WORDS),
    PixelFormat("Mono10p", 0x010A0046, 10, _P10),
    PixelFormat("Mono12p", 0x010C0047, 12, _P12),
    PixelFormat("Mono10Packed", 0x010C0004, 10, _PACKED_10),
    PixelFormat("Mono12Packed", 0x010C0006, 12, _PACKED_12),
    *_bayer("8", 8, _BYTES, GR=0x01080008, RG=0x01080009, GB=0x0108000A, BG=0x0108000B),
    *_bayer("10", 10, _WORDS, GR=0x0110000C, RG=0x0110000D, GB=0x0110000E, BG=0x0110000F),
    *_bayer("12", 12, _WORDS, GR=0x01100010, RG=0x01100011, GB=0x01100012, BG=0x01100013),
    *_bayer("16", 16, _WORDS, GR=0x0110002E, RG=0x0110002F, GB=0x01100030, BG=0x01100031),
    *_bayer("10p", 10, _P10, GR=0x010A0056, RG=0x010A0058, GB=0x010A0054, BG=0x010A0052),
    *_bayer("12p", 12, _P12, GR=0x010C0057, RG=0x010C0059, GB=0x010C0055, BG=0x010C0053),
    *_bayer("12Packed", 12, _PACKED_12, GR=0x010C002A, RG=0x010C002B, GB=0x010C002C, BG=0x010C002D),
    PixelFormat("RGB8", 0x02180014, 8, _BYTES, 3, cv2.COLOR_RGB2BGR),
    PixelFormat("BGR8", 0x02180015, 8, _BYTES, 3),
    PixelFormat("RGBa8", 0x02200016, 8, _BYTES, 4, cv2.COLOR_RGBA2BGR),
    PixelFormat("BGRa8", 0x02200017, 8, _BYTES, 4, cv2.COLOR_BGRA2BGR),
    PixelFormat("YUV422_8", 0x02100032, 8, _BYTES, 2, cv2.COLOR_YUV2BGR_YUY2),
    PixelFormat("YUV422_8_UYVY", 0x0210001F, 8, _BYTES, 2, cv2.COLOR_YUV2BGR_UYVY),
)
BY_NAME = {known.name: known for known in _ALL}
BY_VALUE = {known.value: known for known in _ALL}


def format_of(key: str | int) -> PixelFormat:
    """Return the format of a name or of a number.

    Raises:
        FrameError: it is not one of those that are read.
    """
    found = BY_NAME.get(key) if isinstance(key, str) else BY_VALUE.get(key)
    if found is None:
        shown = key if isinstance(key, str) else f"{key:#010x}"
        raise FrameError(
            f"its pixel format {shown} is not one that is read; set PixelFormat=Mono8, for example"
        )
    return found


def image_of(
    data: bytes | NDArray[np.uint8],
    pixel_format: PixelFormat,
    height: int,
    width: int,
    padding: int = 0,
) -> SensorPixels:
    """Return the image in a buffer's bytes.

    Args:
        data: of the image, as the camera sent it.
        pixel_format: of the image.
        height, width: in pixels.
        padding: bytes behind each line.

    Returns:
        H×W gray or H×W×3 BGR; uint8, or uint16 with the samples in the lower bits.

    Raises:
        FrameError: there are fewer bytes than pixels need.
    """
    raw = np.frombuffer(data, np.uint8)
    packing, samples = pixel_format.packing, width * pixel_format.channels
    line = pixel_format.bytes_of(1, width)
    needed = pixel_format.bytes_of(height, width)
    if padding:
        needed = height * (line + padding) - padding
    if height < 1 or width < 1 or raw.size < needed:
        raise FrameError(f"its {raw.size} bytes are too few for {width}×{height} pixels")
    if padding:
        lines = np.resize(raw[:needed], (height, line + padding))[:, :line]
        image = np.stack([_unpacked(one, packing, samples) for one in lines])
    else:
        image = _unpacked(raw[:needed], packing, height * samples)
    shape = (height, width) if pixel_format.channels == 1 else (height, width, -1)
    shaped: SensorPixels = image.reshape(shape)  # type: ignore[assignment]
    if pixel_format.convert is None:
        return shaped
    converted: SensorPixels = cv2.cvtColor(shaped, pixel_format.convert)
    return converted


def _unpacked(raw: NDArray[np.uint8], packing: Packing, samples: int) -> SensorPixels:
    """Return so many samples, in a row."""
    if packing.unpack is None:
        return np.ascontiguousarray(raw).view(np.uint8 if packing.size == 1 else "<u2")
    spare = -raw.size % packing.size
    groups = np.pad(raw, (0, spare)).reshape(-1, packing.size)
    return packing.unpack(groups).reshape(-1)[:samples]
