#!/usr/bin/env python3
"""Turn an unencrypted vmferry seed and its deltas into disk images.

An independent reader of bundle(5), version 1: it needs Python 3 and the zstd command, nothing of
vmferry's.  It checks that the bundles are whole, undamaged and follow each other, but no signatures
and no roots.  A bundle of several volumes is given as all of its files, in any order.  The images,
DIR/<disk id>.raw, get their names once every bundle has been applied; a disk that the VM has no
more at the last point gets none.
"""
import argparse, collections, hashlib, json, os, re, struct, subprocess, sys

HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END, BLOB, VOLUME_END = range(1, 9)
RECORD = struct.Struct("<8sIBBH16sQIIQ8xQQ24x32s32s88x")
FIELDS = "magic type codec cipher part bundle number disk extents offset plain stored digest link"
Record = collections.namedtuple("Record", FIELDS)
EXTENTS, DATA, STORED, DISK = 65536, 4 << 20, 5813248, 1 << 46      # limits of bundle(5)
TEXT, TABLE = 65536, 1 << 33
LONGEST = {HEADER: TEXT, VOLUME: 0, BLOB: STORED, SEGMENT: STORED, INDEX: TABLE, MANIFEST: TABLE,
           END: TEXT, VOLUME_END: 0}


class Refused(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Refused(why)


def blake(data=b""):
    return hashlib.blake2b(data, digest_size=32)


class Volume:
    """One file, read in one pass in which each record and payload is checked before it is used."""

    def __init__(self, path):
        self.path, self.file, self.last, self.id = path, open(path, "rb"), None, None
        self.text = self.next(HEADER)[1]
        self.header, first = self.last, blake(self.last).digest()
        self.volume = self.next(VOLUME)[0]
        need(self.volume.number > 1 or (self.volume.link == first and self.volume.offset == 0),
             "its first volume does not follow its header")

    def read(self, n):
        data = self.file.read(n)
        need(len(data) == n, "it is cut off at byte %d" % self.file.tell())
        return data

    def next(self, *types):
        """The next record, of one of these types, and its payload (of a long one, the tail)."""
        where, head = "at byte %d " % self.file.tell(), self.read(1024)
        r = Record._make(RECORD.unpack(head[512:768]))
        need(r.magic == b"VMFERRY1" and r.type in types, where + "a record is missing or damaged")
        # What the volume before ended with is not known here.
        need(r.type == HEADER or (r.bundle == self.id and
             (r.type == VOLUME or r.link == blake(self.last).digest())),
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


class Bundle:
    """A seed or delta in its volumes; path is that of the one at hand."""

    def __init__(self, volumes):
        self.volumes = sorted(volumes, key=lambda v: v.volume.number)
        self.path, numbers = self.volumes[0].path, [v.volume.number for v in self.volumes]
        for n, (number, v) in enumerate(zip(numbers, self.volumes), 1):
            need(number >= n, "volume %d is given twice" % number)
            need(number == n, "volume %d is missing" % n)
            need(v.header == self.volumes[0].header, "volume %d has another header" % n)
        self.total = {"segments": 0, "data": 0, "zero": 0, "stored": 0,
                      "volumes": len(numbers)}
        h = json.loads(self.volumes[0].text)
        need(h["format"] == 1 and h["incompatible"] == [], "it needs a newer rescue.py")
        need(h["type"] in ("seed", "delta"), "it is neither a seed nor a delta")
        self.parts = h.get("parts", [h])
        need(all(p["cipher"] == "none" for p in [h] + self.parts),
             "it is encrypted: only a site that it is for can read it")
        need("against" not in h, "it applies to disks that were compared, not to images of zeroes")
        need(h["id"] == self.volumes[0].id.hex(), "its header is that of another bundle")
        self.type, self.disks, self.ids = h["type"], h["disks"], [d["id"] for d in h["disks"]]
        self.history, self.epoch = (h["vm"]["uuid"], h["lineage"]), h["to"]["epoch"]
        self.turns = [(t["epoch"], t["seq"], t["site"]) for t in h.get("history", [])]
        self.start, self.end = h["from"]["seq"] if self.type == "delta" else 0, h["to"]["seq"]
        need(type(self.start) is type(self.end) is int, "its points have no numbers")
        need(0 < len(self.disks) == len(set(self.ids)), "two disks have the same id, or there are none")
        for d in self.disks:
            need(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", d["id"]) and type(d["size"]) is int
                 and 0 <= d["size"] <= DISK, "a disk has no proper id or size")
        self.covered = [0] * len(self.disks)    # by a seed, which has each byte of each disk

    def apply(self, images):
        """Write what the bundle holds to the images, and check that it ends as it must."""
        for d in self.disks:
            images[d["id"]].truncate(d["size"])
        for v in self.volumes:
            self.path = v.path
            need(v is self.volumes[0] or v.volume.link == blake(before.last).digest(),
                 "it does not follow the volume before it")
            text, before = self.apply_volume(images, v), v
        e = json.loads(text)
        need({n: e[n] for n in self.total} == self.total
             and [d["id"] for d in e["disks"]] == [d["id"] for d in self.disks],
             "it does not hold what its end says")
        need(self.type == "delta" or self.covered == [d["size"] for d in self.disks],
             "it does not hold all bytes of its disks")

    def apply_volume(self, images, v):
        need(v.volume.offset == self.total["segments"], "a segment is missing before it")
        r, payload = v.next(BLOB, SEGMENT, INDEX)
        while r.type == BLOB:           # proofs for those who check signatures
            r, payload = v.next(BLOB, SEGMENT, INDEX)
        while r.type == SEGMENT:
            self.write(images, r, payload)
            r, payload = v.next(SEGMENT, INDEX)
        v.next(MANIFEST)
        r, payload = v.next(END, VOLUME_END)
        need(v.file.read(1025) == bytes(1024), "it does not end with 1024 zeroes")
        v.file.close()
        need(r.type == END or v is not self.volumes[-1], "the volume that follows it is missing")
        need(r.type == VOLUME_END or v is self.volumes[-1], "it ends before the last volume")
        return payload

    def write(self, images, r, plain):
        need(r.codec <= 1 and r.cipher == 0 and r.disk < len(self.disks) and r.extents <= EXTENTS
             and r.part < len(self.parts) and r.plain <= 24 * r.extents + DATA,
             "a segment is out of bounds")
        if r.codec == 1:
            plain = subprocess.check_output(["zstd", "-dcq"], input=plain)
        need(len(plain) == r.plain, "a segment does not have the length that its record says")
        image, size = images[self.disks[r.disk]["id"]], self.disks[r.disk]["size"]
        at = 24 * r.extents
        for offset, length, kind, _ in struct.iter_unpack("<QQII", plain[:at]):
            need(1 <= kind <= 3 and offset + length <= size, "an extent is out of bounds")
            need(self.type == "delta" or offset == self.covered[r.disk],
                 "it does not hold all bytes of its disks, or some twice")
            self.covered[r.disk] = offset + length
            self.total["data" if kind == 1 else "zero"] += length
            if kind == 1:
                need(at + length <= len(plain), "a segment has less data than its extents")
                image.seek(offset)
                image.write(plain[at:at + length])
                at += length
            elif self.type == "delta":      # a seed goes to images of zeroes
                zero(image, offset, offset + length)
        need(at == len(plain), "a segment has more data than its extents")
        self.total["segments"] += 1
        self.total["stored"] += r.stored


def zero(image, start, end):
    """Make these bytes zeroes; those that are stay as they are, so that holes do."""
    for at in range(start, end, 1 << 20):
        zeroes = bytes(min(1 << 20, end - at))
        image.seek(at)
        if image.read(len(zeroes)) != zeroes:
            image.seek(at)
            image.write(zeroes)


def gone(b):
    """The disks of which nothing is left: they were removed, or are not replicated any more."""
    return [d["id"] for d in b.disks if d["size"] == 0]


def follows(b, before):
    """Is where the one before led to on the way of this one, whatever epochs began meanwhile?"""
    shared = [t for t in b.turns if t[0] <= before.epoch]
    return (b.history == before.history
            and (shared == before.turns or len(b.turns) == 32 and shared == before.turns[-len(shared):])
            and all(before.end <= t[1] for t in b.turns if t[0] > before.epoch))


def apply(b, before, images, folder):
    """Apply a bundle to the images, which the one before it led to; or make them."""
    if before is None:
        need(b.type == "seed", "it is a delta, and the first bundle must be a seed")
    else:
        need(b.type == "delta" and follows(b, before)
             and b.ids[:len(before.ids)] == before.ids,
             "it is another seed, or not of the history of the one before")
        need(b.start <= before.end < b.end, "it leads from point %d to %d, the images are "
             "at %d: a bundle is missing, or out of turn" % (b.start, b.end, before.end))
    for i in b.ids:         # all of them, or those that were added since
        if i not in images:
            name = os.path.join(folder, i + ".raw")
            need(not os.path.lexists(name), "%s exists already" % name)
            images[i] = open(name + ".partial", "w+b")
    b.apply(images)


def rescue(folder, paths):
    images, bundles, before, b = {}, {}, None, None
    try:
        for path in paths:
            v = Volume(path)
            bundles.setdefault(v.id, []).append(v)
        for volumes in bundles.values():
            path, b = volumes[0].path, None
            b = Bundle(volumes)
            apply(b, before, images, folder)
            before = b
    except Refused as e:
        raise Refused("%s: %s" % (b.path if b else path, e)) from None
    except (ValueError, TypeError, KeyError, RecursionError, subprocess.CalledProcessError):
        raise Refused("%s: its header, its end or a segment is not as bundle(5) says"
                      % (b.path if b else path)) from None
    for i, image in images.items():
        image.flush()
        os.fsync(image.fileno())
        if i in gone(before):
            os.unlink(image.name)
        else:
            os.rename(image.name, image.name[:-len(".partial")])
    print("rescue.py: %s holds point %d" % (folder, before.end), file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", metavar="DIR", required=True, help="where to put the images, ID.raw")
    parser.add_argument("bundle", nargs="+",
                        help="the seed, then its deltas in order; of each, all volumes")
    args = parser.parse_args()
    try:
        os.makedirs(args.o, exist_ok=True)
        rescue(args.o, args.bundle)
    except (Refused, OSError) as error:
        sys.exit("rescue.py: %s" % error)
