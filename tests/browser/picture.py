"""Writes a picture of a page as small as it may be: with a palette of 256 colours, which text on a few grounds hardly exceeds.

    python picture.py FROM.png TO.png

`make picture` takes the one of the README by it.
"""

import collections
import struct
import sys
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BYTES_MAX = 60 * 1024
COLOURS = 256


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        width, height, pixels = read(file.read())
    small = written(width, height, pixels)
    if len(small) > BYTES_MAX:
        raise SystemExit(f"picture.py: {target} would have {len(small)} bytes, more than {BYTES_MAX}")
    with open(target, "wb") as file:
        file.write(small)
    print(f"{target}: {width} × {height}, {len(small) / 1024:.1f} KB")


def chunks(data):
    at = len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + 8 + length]
        at += length + 12


def read(data):
    """Width, height and the pixels in order, each as its red, green and blue."""
    if not data.startswith(SIGNATURE):
        raise SystemExit("picture.py: that is no PNG")
    packed, header = b"", None
    for kind, body in chunks(data):
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
    width, height, depth, colours, _, _, interlaced = header
    if depth != 8 or colours not in (2, 6) or interlaced:
        raise SystemExit("picture.py: it is not as Chromium writes it")
    apart = 3 if colours == 2 else 4
    raw, stride, above, pixels = zlib.decompress(packed), width * apart, bytearray(width * apart), []
    for row in range(height):
        start = row * (stride + 1)
        line = unfiltered(raw[start], bytearray(raw[start + 1:start + 1 + stride]), above, apart)
        pixels.extend(zip(line[0::apart], line[1::apart], line[2::apart]))
        above = line
    return width, height, pixels


def unfiltered(kind, line, above, apart):
    """A row of a PNG without its filter: each byte is told as what it differs by from its neighbours."""
    for at in range(len(line) if kind else 0):
        left = line[at - apart] if at >= apart else 0
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = above[at]
        elif kind == 3:
            guess = (left + above[at]) // 2
        else:
            corner = above[at - apart] if at >= apart else 0
            guess = min((abs(above[at] - corner), 0, left), (abs(left - corner), 1, above[at]),
                        (abs(left + above[at] - 2 * corner), 2, corner))[2]
        line[at] = (line[at] + guess) & 255
    return line


def chosen(counted):
    """A palette, and for each colour the number of the nearest in it. It begins with what is there most; next comes always what is
    furthest from those that it has, the more pixels the rather."""
    palette, numbers = [], {}
    far = dict.fromkeys(counted, 3 * 255 ** 2)
    while len(palette) < COLOURS and any(far.values()):
        new = max(far, key=lambda colour: counted[colour] * far[colour])
        for colour, distance in far.items():
            from_new = sum((one - other) ** 2 for one, other in zip(colour, new))
            if from_new < distance:
                far[colour], numbers[colour] = from_new, len(palette)
        palette.append(new)
    return palette, numbers


def written(width, height, pixels):
    """The same as a PNG with a palette."""
    palette, numbers = chosen(collections.Counter(pixels))
    rows = b"".join(b"\0" + bytes(numbers[one] for one in pixels[row * width:(row + 1) * width]) for row in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
            + chunk(b"PLTE", bytes(part for colour in palette for part in colour)) + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
