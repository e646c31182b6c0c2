#!/usr/bin/env python3
"""Turn an unencrypted vmferry seed and its deltas into disk images.

An independent reader of bundle(5), version 1: it needs Python 3 and the zstd command, nothing of
vmferry's.  It checks that the bundles are whole, undamaged and follow each other, but no signatures
and no roots.  The images, DIR/<disk id>.raw, get their names once every bundle has been applied.
"""
import argparse, collections, hashlib, json, os, re, struct, subprocess, sys

HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END = range(1, 7)
RECORD = struct.Struct("<8sIBB2x16s8xII16xQQ24x32s32s88x")
FIELDS = "magic type codec cipher bundle disk extents plain stored digest link"
Record = collections.namedtuple("Record", FIELDS)
EXTENTS, DATA, STORED, DISK = 65536, 4 << 20, 5813248, 1 << 46      # limits of bundle(5)
LONGEST = {HEADER: 65536, VOLUME: 0, SEGMENT: STORED, INDEX: 1 << 33, MANIFEST: 1 << 33, END: 65536}


class Refused(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Refused(why)


def blake(data=b""):
    return hashlib.blake2b(data, digest_size=32)


class Bundle:
    """One pass over a bundle, in which each record and payload is checked before it is used."""

    def __init__(self, path):
        self.file, self.last, self.id = open(path, "rb"), None, None
        h = json.loads(self.next(HEADER)[1])
        need(h["format"] == 1 and h["incompatible"] == [], "it needs a newer rescue.py")
        need(h["type"] in ("seed", "delta"), "it is neither a seed nor a delta")
        need(h["cipher"] == "none", "it is encrypted: only a site that it is for can read it")
        need(h["id"] == self.id.hex(), "its header is that of another bundle")
        self.type, self.disks, self.ids = h["type"], h["disks"], {d["id"] for d in h["disks"]}
        self.history = h["vm"]["uuid"], h["lineage"], h["to"]["epoch"]
        self.start, self.end = h["from"]["seq"] if self.type == "delta" else 0, h["to"]["seq"]
        need(type(self.start) is type(self.end) is int, "its points have no numbers")
        need(0 < len(self.disks) == len(self.ids), "two disks have the same id, or there are none")
        for d in self.disks:
            need(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", d["id"]) and type(d["size"]) is int
                 and 0 < d["size"] <= DISK, "a disk has no proper id or size")

    def read(self, n):
        data = self.file.read(n)
        need(len(data) == n, "it is cut off at byte %d" % self.file.tell())
        return data

    def next(self, *types):
        """The next record, of one of these types, and its payload (of a long one, the tail)."""
        where, head = "at byte %d " % self.file.tell(), self.read(1024)
        r = Record._make(RECORD.unpack(head[512:768]))
        need(r.magic == b"VMFERRY1" and r.type in types, where + "a record is missing or damaged")
        need(r.type == HEADER or (r.bundle == self.id and r.link == blake(self.last).digest()),
             where + "the chain of records breaks")
        need(r.stored <= LONGEST[r.type], where + "a payload is too long")
        self.last, self.id, payload, digest = head[512:768], r.bundle, b"", blake()
        if r.stored > 0:
            self.read(512)
        for n in range(0, r.stored, STORED):
            payload = self.read(min(r.stored - n, STORED))
            digest.update(payload)
        self.read(-r.stored % 512)
        need(digest.digest() == r.digest, where + "a payload is damaged: its digest is wrong")
        return r, payload

    def apply(self, images):
        """Write what the bundle holds to the images, and check that it ends as it must."""
        for d in self.disks:
            images[d["id"]].truncate(d["size"])
        self.next(VOLUME)
        r, payload = self.next(SEGMENT, INDEX)
        while r.type == SEGMENT:
            self.write(images, r, payload)
            r, payload = self.next(SEGMENT, INDEX)
        self.next(MANIFEST)
        self.next(END)
        need(self.file.read(1025) == bytes(1024), "it does not end with 1024 zeroes")

    def write(self, images, r, plain):
        need(r.codec <= 1 and r.cipher == 0 and r.disk < len(self.disks) and r.extents <= EXTENTS
             and r.plain <= 24 * r.extents + DATA, "a segment is out of bounds")
        if r.codec == 1:
            plain = subprocess.check_output(["zstd", "-dcq"], input=plain)
        need(len(plain) == r.plain, "a segment does not have the length that its record says")
        image, size = images[self.disks[r.disk]["id"]], self.disks[r.disk]["size"]
        at = 24 * r.extents
        for offset, length, kind, _ in struct.iter_unpack("<QQII", plain[:at]):
            need(1 <= kind <= 3 and offset + length <= size, "an extent is out of bounds")
            if kind == 1:
                need(at + length <= len(plain), "a segment has less data than its extents")
                image.seek(offset)
                image.write(plain[at:at + length])
                at += length
            elif self.type == "delta":      # a seed goes to images of zeroes
                zero(image, offset, offset + length)
        need(at == len(plain), "a segment has more data than its extents")


def zero(image, start, end):
    """Make these bytes zeroes; those that are stay as they are, so that holes do."""
    for at in range(start, end, 1 << 20):
        zeroes = bytes(min(1 << 20, end - at))
        image.seek(at)
        if image.read(len(zeroes)) != zeroes:
            image.seek(at)
            image.write(zeroes)


def rescue(folder, paths):
    images, before = {}, None
    for path in paths:
        try:
            b = Bundle(path)
            if before is None:
                need(b.type == "seed", "it is a delta, and the first bundle must be a seed")
                for i in b.ids:
                    name = os.path.join(folder, i + ".raw")
                    need(not os.path.lexists(name), "%s exists already" % name)
                    images[i] = open(name + ".partial", "w+b")
            else:
                need(b.type == "delta" and b.history == before.history and b.ids == before.ids,
                     "it is another seed, or not of the history of the one before")
                need(b.start <= before.end < b.end, "it leads from point %d to %d, the images are "
                     "at %d: a bundle is missing, or out of turn" % (b.start, b.end, before.end))
            b.apply(images)
            b.file.close()
            before = b
        except Refused as e:
            raise Refused("%s: %s" % (path, e)) from None
        except (ValueError, TypeError, KeyError, RecursionError, subprocess.CalledProcessError):
            raise Refused("%s: its header or a segment is not as bundle(5) says" % path) from None
    for image in images.values():
        image.flush()
        os.fsync(image.fileno())
        os.rename(image.name, image.name[:-len(".partial")])
    print("rescue.py: %s holds point %d" % (folder, before.end), file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", metavar="DIR", required=True, help="where to put the images, ID.raw")
    parser.add_argument("bundle", nargs="+", help="the seed, then its deltas in order")
    args = parser.parse_args()
    try:
        os.makedirs(args.o, exist_ok=True)
        rescue(args.o, args.bundle)
    except (Refused, OSError) as error:
        sys.exit("rescue.py: %s" % error)
