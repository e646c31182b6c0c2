#!/usr/bin/env python3
"""rescue.py -o DIR SEED [DELTA ...]: turn an unencrypted vmferry seed and its deltas into disk images.

An independent reader of bundle(5), version 1: it needs Python 3 and the zstd command, nothing of
vmferry's.  It checks that the bundles are whole, undamaged and fit each other, but no signatures
and no roots.  The images, DIR/<disk id>.raw, get their names once every bundle has been applied.
"""
import argparse, collections, errno, hashlib, json, os, re, struct, subprocess, sys, tempfile

HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END = range(1, 7)
RECORD = struct.Struct("<8sIBB2x16sQIIQQQQ24s32s32s24x64s")
Record = collections.namedtuple("Record", "magic type codec cipher bundle number disk extents offset span "
                                "plain stored nonce digest link signature")
DATA, EXTENTS, STORED, JSON = 4 << 20, 65536, 5813248, 65536     # the limits of bundle(5)


class Refused(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Refused(why)


class Bundle:
    """One pass over a bundle, in which each record and payload is checked before it is used."""

    def __init__(self, path):
        self.file, self.last, self.id = open(path, "rb"), None, None
        h = json.loads(self.next(HEADER)[1])
        need(h["format"] == 1 and h["incompatible"] == [], "it needs a newer rescue.py")
        need(h["cipher"] == "none", "it is encrypted: only a site that it is for can read it, by vmferry")
        need(h["type"] in ("seed", "delta", "undo"), "it holds no disks: it is a %s" % h["type"])
        need(h["id"] == self.id.hex(), "its header is that of another bundle")
        self.type, self.lineage, self.disks = h["type"], h["lineage"], h["disks"]
        points = [h["to"]] if self.type == "seed" else [h["from"], h["to"]]
        self.epochs, self.seqs = {p["epoch"] for p in points}, [int(p["seq"]) for p in points]
        for d in self.disks:
            need(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", d["id"]), "a disk has no proper id")
            need(type(d["size"]) is int and 512 <= d["size"] <= 1 << 46, "a disk has no proper size")
        self.ids = {d["id"] for d in self.disks}
        need(0 < len(self.disks) == len(self.ids), "two disks have the same id, or there are none")

    def read(self, n):
        data = self.file.read(n)
        need(len(data) == n, "it is cut off at byte %d" % self.file.tell())
        return data

    def next(self, *types):
        """The next record, which must have one of these types, and its payload (or the tail of a long one)."""
        where, head = "at byte %d " % self.file.tell(), self.read(1024)
        r = Record._make(RECORD.unpack(head[512:768]))
        need(r.magic == b"VMFERRY1" and r.type in types, where + "stands not the record that must follow")
        need(r.codec <= 1 and (r.type in (SEGMENT, INDEX, MANIFEST) or r.stored <= JSON)
             and (r.type != SEGMENT or 0 < r.stored <= STORED), where + "a record is out of bounds")
        need(self.last is None or (r.bundle == self.id and r.link == blake(self.last).digest()),
             where + "the chain of records breaks")
        self.last, self.id, payload, digest = head[512:768], r.bundle, b"", blake(b"")
        if r.stored > 0:
            self.read(512)
        for n in range(0, r.stored, STORED):
            payload = self.read(min(r.stored - n, STORED))
            digest.update(payload)
        self.read(-r.stored % 512)
        need(digest.digest() == r.digest, where + "a payload is damaged: its digest is wrong")
        return r, payload

    def apply(self, images):
        """Write what the bundle holds to the images (files by disk id), then check that it ends as it must."""
        for d in self.disks:
            images[d["id"]].truncate(d["size"])
        self.next(VOLUME)
        r, payload = self.next(SEGMENT, INDEX)
        while r.type == SEGMENT:
            need(r.cipher == 0 and r.disk < len(self.disks) and r.extents <= EXTENTS
                 and r.plain <= 24 * r.extents + DATA, "segment %d is out of bounds" % r.number)
            plain = unzstd(payload, r.plain) if r.codec == 1 else payload
            need(len(plain) == r.plain >= 24 * r.extents, "segment %d is not as long as it says" % r.number)
            write(images[self.disks[r.disk]["id"]], self.disks[r.disk]["size"], plain, 24 * r.extents)
            r, payload = self.next(SEGMENT, INDEX)
        self.next(MANIFEST)
        self.next(END)
        need(self.file.read(1025) == bytes(1024), "it does not end with 1024 zeroes")


def blake(data):
    return hashlib.blake2b(data, digest_size=32)


def unzstd(payload, size):
    """What a payload expands to, and at most one byte more than it should."""
    with tempfile.TemporaryFile() as t:
        t.write(payload)
        t.seek(0)
        with subprocess.Popen(["zstd", "-dcq"], stdin=t, stdout=subprocess.PIPE) as z:
            plain = z.stdout.read(size + 1)
            z.stdout.close()    # zstd ends here if there is more
    need(z.returncode == 0 or len(plain) > size, "a segment does not expand")
    return plain


def write(image, size, plain, at):
    """Do what the extent table in the first bytes of plain says; the data stands behind it."""
    for offset, length, kind, _ in struct.iter_unpack("<QQII", plain[:at]):
        need(1 <= kind <= 3 and 0 < length and offset + length <= size, "an extent is out of bounds")
        need(kind != 1 or at + length <= len(plain), "a segment has less data than its extents")
        if kind != 1:
            zero(image, offset, offset + length)
            continue
        image.seek(offset)
        image.write(plain[at:at + length])
        at += length
    need(at == len(plain), "a segment has more data than its extents")


def zero(image, start, end):
    """Make these bytes zeroes; holes already are."""
    image.flush()
    while start < end:
        try:
            start = os.lseek(image.fileno(), start, os.SEEK_DATA)
        except OSError as e:
            if e.errno == errno.ENXIO:      # nothing but a hole up to the end of the image
                return
            raise
        image.seek(start)
        image.write(bytes(max(0, min(1 << 20, end - start))))
        image.flush()
        start = image.tell() if start < end else end


def rescue(folder, paths):
    images, at = {}, None       # at: lineage, epochs, seq
    for path in paths:
        try:
            b = Bundle(path)
            if at is None:
                need(b.type == "seed", "it is a %s, and the first bundle must be a seed" % b.type)
                for i in b.ids:
                    name = os.path.join(folder, i + ".raw")
                    need(not os.path.lexists(name), "%s exists already" % name)
                    images[i] = open(name + ".partial", "w+b")
            else:
                first, last = b.seqs[0], b.seqs[-1]
                need(b.type != "seed" and b.lineage == at[0] and b.ids == set(images),
                     "it is another seed, or of another VM")
                need(b.epochs == at[1] and (first <= at[2] < last or last < at[2] == first),
                     "it leads from point %d to %d, but the images are at point %d: "
                     "a bundle is missing, or out of turn" % (first, last, at[2]))
            b.apply(images)
            b.file.close()
            at = b.lineage, b.epochs, b.seqs[-1]
        except Refused as e:
            raise Refused("%s: %s" % (path, e)) from None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Refused("%s: its header is not what bundle(5) says" % path) from None
    for image in images.values():
        image.flush()
        os.fsync(image.fileno())
        os.rename(image.name, image.name[:-len(".partial")])
    print("rescue.py: %s holds point %d" % (folder, at[2]), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(
        description="Turn an unencrypted vmferry seed and its deltas into disk images.",
        epilog="Signatures and roots are not checked: who made the bundles is not proven.")
    parser.add_argument("-o", metavar="DIR", required=True, help="where to put the images, ID.raw")
    parser.add_argument("bundle", nargs="+", help="the seed, then its deltas (or undos) in order")
    args = parser.parse_args()
    try:
        os.makedirs(args.o, exist_ok=True)
        rescue(args.o, args.bundle)
    except Refused as e:
        sys.exit("rescue.py: %s" % e)
    except OSError as e:
        print("rescue.py: %s" % e, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
