#!/usr/bin/env python3
"""Opens a sealed object without the gateway: a second implementation of the
format, written from module/seal/FORMAT.md alone. It needs `cryptography`.

  reader.py STORED --envelope TEXT --data-key FILE
  reader.py STORED --envelope TEXT --kek FILE --namespace BUCKET --key NAME

STORED holds the bytes as the store has them, FILE a key in hexadecimal. With
--kek the local wrap in the envelope is opened and so the name of the object is
checked; with --data-key it is not. --parts is the "N" of the store's ETag, and
--range FIRST-LAST opens only these bytes. The plaintext goes to standard output
when all of it was found authentic; otherwise the exit status is 1.
"""
import argparse
import base64
import hashlib
import hmac
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

HEADER, OVERHEAD, PART_OVERHEAD = 64, 28, 14416
CHUNK, STEP, LIMIT, MAX_PARTS = 65536, 32 << 20, 5 << 30, 10000
MULTIPART, FINAL, CLOSING = 1, 2, 4


class Refused(Exception):
    """The bytes are not what was sealed."""


def need(condition, problem):
    if not condition:
        raise Refused(problem)


def ceil(a, b):
    return max(1, -(-a // b))


class Envelope:
    def __init__(self, text):
        self.raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        need(base64.urlsafe_b64encode(self.raw).rstrip(b"=") == text.encode(), "the envelope is not in its one form")
        need(len(self.raw) > 78, "the envelope is too short")
        version, suite, flags, self.kind = self.raw[:4]
        need(version == 1 and suite == 1 and flags in (0, MULTIPART) and 1 <= self.kind <= 4, "unknown envelope")
        self.multipart = flags == MULTIPART
        self.oid, self.commit, self.wrapped = self.raw[12:44], self.raw[44:76], self.raw[78:]
        need(struct.unpack(">H", self.raw[76:78])[0] == len(self.wrapped) <= 1024, "length of the wrapped data key")

    def unwrap(self, kek, namespace, key):
        need(self.kind == 1, "not a local wrap")
        names = b"".join(struct.pack(">H", len(name)) + name for name in (namespace.encode(), key.encode()))
        wrap_key = HKDF(SHA256(), 32, self.oid, b"sealgate/1 wrap").derive(kek)
        return AESGCM(wrap_key).decrypt(self.wrapped[:12], self.wrapped[12:], self.raw[:76] + names)


class Part:
    """One part: its header is authentic, its chunks are opened on demand."""

    def __init__(self, prk, header, start):
        keys = HKDFExpand(SHA256(), 48, b"sealgate/1 part" + header[:48]).derive(prk)
        need(hmac.compare_digest(keys[32:], header[48:]), "header is not authentic")
        self.aead, self.start = AESGCM(keys[:32]), start + HEADER
        self.flags, self.number, self.length = header[4], *struct.unpack(">HQ", header[6:16])
        self.salt = header[16:48]
        self.size = CHUNK * ceil(self.length, STEP) if self.flags & MULTIPART else CHUNK
        self.count = 0 if self.flags & CLOSING else ceil(self.length, self.size)
        self.end = self.start + self.length + OVERHEAD * self.count

    def chunk(self, stored, i):
        at = self.start + i * (self.size + OVERHEAD)
        sealed = stored[at:min(at + self.size + OVERHEAD, self.end)]
        return self.aead.decrypt(sealed[:12], sealed[12:], struct.pack(">IB", i, i == self.count - 1))

    def read(self, stored, first, last):
        """The plaintext bytes from first to last of this part, both included."""
        i, j = first // self.size, last // self.size
        plain = b"".join(self.chunk(stored, n) for n in range(i, j + 1))
        return plain[first - i * self.size:last + 1 - i * self.size]

    def whole(self, stored):
        return b"".join(self.chunk(stored, n) for n in range(self.count))


def single(prk, stored):
    s = len(stored) - HEADER
    length = s - OVERHEAD * ceil(s, CHUNK + OVERHEAD)
    need(0 <= length and HEADER + length + OVERHEAD * ceil(length, CHUNK) == len(stored) <= LIMIT, "impossible size")
    expected = b"\x89SGT\x02\x01\x00\x01" + struct.pack(">Q", length) + bytes(32)
    need(stored[:48] == expected, "header of another object")
    return [Part(prk, stored[:HEADER], 0)]


def multipart(prk, stored, count):
    parts, at, last, gap = [], 0, 0, False
    listed = hashlib.sha256(b"sealgate/1 parts")
    while at < len(stored):
        header = stored[at:at + HEADER]
        need(len(header) == HEADER and header[:4] == b"\x89SGT" and header[5] == 1, "not the header of a part")
        need(header[4] in (MULTIPART, MULTIPART | FINAL, MULTIPART | FINAL | CLOSING), "flags of a part")
        part = Part(prk, header, at)
        at += part.length + PART_OVERHEAD
        need(last < part.number <= MAX_PARTS and part.length <= LIMIT - PART_OVERHEAD, "number or length of a part")
        need(at <= len(stored) and bool(part.flags & FINAL) == (at == len(stored)), "the final part is not the last")
        need(not any(stored[part.end:at]), "fill is not zero")
        gap, last = gap or part.number != last + 1, part.number
        if part.flags & CLOSING:
            need(parts and part.length == 0 and part.salt == listed.digest(), "the closing part lists other parts")
        else:
            need(not (gap and part.flags & FINAL), "a part is missing")
            listed.update(struct.pack(">HQ", part.number, part.length))
        parts.append(part)
    need(parts and count in (None, len(parts)), "another number of parts")
    return parts


def read(parts, stored, first, last):
    plain, offset = b"", 0
    for part in parts:
        low, high = max(first - offset, 0), min(last - offset, part.length - 1)
        if low <= high:
            plain += part.read(stored, low, high)
        offset += part.length
    need(0 <= first <= last < offset, "the range is not inside the object")
    return plain


def open_object(args):
    envelope = Envelope(args.envelope)
    with open(args.stored, "rb") as file:
        stored = file.read()
    with open(args.kek or args.data_key, encoding="ascii") as file:
        key = bytes.fromhex(file.read())
    if args.kek:
        key = envelope.unwrap(key, args.namespace, args.key)
    prk = hmac.digest(envelope.oid, key, "sha256")
    commit = HKDFExpand(SHA256(), 32, b"sealgate/1 commit").derive(prk)
    need(hmac.compare_digest(commit, envelope.commit), "the key is of another object")
    parts = multipart(prk, stored, args.parts) if envelope.multipart else single(prk, stored)
    if args.range:
        first, last = map(int, args.range.split("-"))
        return read(parts, stored, first, last)
    return b"".join(part.whole(stored) for part in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stored")
    parser.add_argument("--envelope", required=True)
    parser.add_argument("--namespace", default="")
    parser.add_argument("--key", default="")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--data-key")
    keys.add_argument("--kek")
    parser.add_argument("--parts", type=int)
    parser.add_argument("--range")
    try:
        sys.stdout.buffer.write(open_object(parser.parse_args()))
    except (Refused, InvalidTag, ValueError) as refused:
        sys.exit(f"refused: {refused or 'authentication failed'}")


if __name__ == "__main__":
    main()
