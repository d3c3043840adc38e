"""Spoiling that keeps the outer form whole, so that what lies within is reached: archives, PNGs, pickles, tensors."""

import io
import json
import pickle
import random
import struct
import zipfile
import zlib

from fuzz.mutations import of_bytes, of_values

RUNS = b"cos\nsystem\n(S'touch RAN'\ntR"
OPCODES = (
    b"0",
    b"1",
    b"2",
    b"(",
    b")",
    b"]",
    b"}",
    b"N",
    b"R",
    b"b",
    b"s",
    b"u",
    b"a",
    b"e",
    b"t",
    b"\x81",
    b"\x85",
    b"\x86",
    b"\x8f",
    b"\x90",
    b"\x93",
    RUNS,
    b")" + b"\x85" * 100_000,
    b")" + b"q\x09h\x09\x86" * 60,
    b"r\xff\xff\xff\xff",
    b"\x8e" + b"\xff" * 7 + b"\x0f",
    b"\x96" + b"\xff" * 7 + b"\x0f",
    b"\x8a\xff" + b"\x7f" * 255,
    b"cnumpy\nfromfile\n(S'/etc/passwd'\ntR",
    b'cbuiltins\neval\n(S\'open("RAN", "w")\'\ntR',
)


def of_pickle(program: bytes, rng: random.Random) -> bytes:
    """Opcodes between its own, or its bytes."""
    if rng.random() < 0.5:
        return of_bytes(program, rng)
    at = rng.randrange(len(program))
    return program[:at] + b"".join(rng.choices(OPCODES, k=rng.randint(1, 3))) + program[at:]


def of_zip(content: bytes, rng: random.Random) -> bytes:
    """A member spoiled and packed again with the right checksum, or the archive's own bytes."""
    if rng.random() < 0.4:
        return of_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    packed = io.BytesIO()
    chosen = rng.randrange(len(members))
    how = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(packed, "w", how if rng.random() < 0.5 else zipfile.ZIP_STORED) as archive:
        for position, (name, member) in enumerate(members):
            if position != chosen:
                archive.writestr(name, member)
            elif name.endswith(".npy"):
                archive.writestr(name, _npy(member, rng))
            elif name.endswith(".pkl"):
                archive.writestr(name, of_pickle(member, rng))
            else:
                archive.writestr(name, of_bytes(member, rng))
    return packed.getvalue()


SHAPES = (
    "(4611686018427387904, 3)",
    "(-1,)",
    "(3,",
    "()",
    "(1099511627776,)",
    "((((" * 500,
    "(2**70,)",
    "(0, 99)",
)
KINDS = (
    "'|O'",
    "'<f8'",
    "'<U99999999'",
    "[('a', '<f8', (1000000000,))]",
    "'<c16'",
    "'|V1000'",
    "'<M8[s]'",
    "','",
)


def _npy(member: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5 or len(member) < 10:
        return of_bytes(member, rng)
    length = struct.unpack("<H", member[8:10])[0]
    header, content = member[10 : 10 + length].decode("latin1"), member[10 + length :]
    if rng.random() < 0.5:
        before, _, after = header.partition("'shape': ")
        header = before + "'shape': " + rng.choice(SHAPES) + ", }" + after[:0]
    else:
        before, _, after = header.partition("'descr': ")
        header = before + "'descr': " + rng.choice(KINDS) + after[after.find(", 'f") :]
    text = header.encode("latin1")
    return member[:8] + struct.pack("<H", len(text)) + text + content


def of_png(content: bytes, rng: random.Random) -> bytes:
    """A chunk spoiled under a right checksum, or the picture's own bytes."""
    if not content.startswith(b"\x89PNG") or rng.random() < 0.4:
        return of_bytes(content, rng)
    chunks, at = [], 8
    while at + 12 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    chosen = rng.randrange(len(chunks))
    kind, body = chunks[chosen]
    if kind == b"IDAT" and rng.random() < 0.5:
        chunks[chosen] = (kind, zlib.compress(of_bytes(zlib.decompress(body), rng)))
    else:
        chunks[chosen] = (kind, of_bytes(body, rng))
    if rng.random() < 0.2:
        chunks.insert(1, (rng.choice((b"zTXt", b"iCCP", b"tEXt")), b"a\0\0" + zlib.compress(bytes(10**7))))
    whole = content[:8]
    for kind, body in chunks:
        whole += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return whole


def of_safetensors(content: bytes, rng: random.Random) -> bytes:
    """Its header's values, or its bytes."""
    if rng.random() < 0.4:
        return of_bytes(content, rng)
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    if rng.random() < 0.5 and "architecture" in header.get("__metadata__", {}):
        architecture = of_values(json.loads(header["__metadata__"]["architecture"]), rng)
        header["__metadata__"]["architecture"] = json.dumps(architecture)
    elif rng.random() < 0.5:
        name = rng.choice(sorted(header.keys() - {"__metadata__"}))
        header[name]["dtype"] = rng.choice(("I8", "BOOL", "F8_E4M3", "F64", "C64", "F16", "BF16", "nonsense"))
    else:
        header = of_values(header, rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def batch(values: object) -> bytes:
    """A batch as CIFAR's are."""
    return pickle.dumps(values, protocol=2)
