#!/usr/bin/env python3
"""rescue.py -o DIR SEED [DELTA ...]: turn an unencrypted vmferry seed and its deltas into disk images.

An independent reader of bundle(5), version 1: it needs Python 3 and the zstd command, nothing of vmferry's.  It checks
all but signatures and roots.  The images, DIR/<disk id>.raw, get their names once every bundle has been applied.
"""
import argparse, collections, errno, hashlib, json, os, re, struct, subprocess, sys, tempfile

HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END = range(1, 7)
NAMES = {HEADER: ("header", ".json"), VOLUME: ("volume", ""), SEGMENT: ("s/%010d", ".dat"), INDEX: ("index", ""),
         MANIFEST: ("manifest", ""), END: ("end", ".json")}
DATA, EXTENTS, JSON, DISK, SEQ = 4 << 20, 65536, 65536, 1 << 46, 1 << 48
STORED = (DATA + 24 * EXTENTS) * 129 // 128 + 1024
RECORD = struct.Struct("<8sIBB2s16sQIIQQQQ24s32s32s24s64s")
Record = collections.namedtuple("Record", "magic type codec cipher zero id number disk extents offset span plain "
                                "stored nonce digest link zeroes signature")


class Refused(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Refused(why)


def blake(data=b""):
    return hashlib.blake2b(data, digest_size=32)


def number(obj, key, least, most):
    value = obj.get(key) if type(obj) is dict else None
    need(type(value) is int and least <= value <= most, "its JSON text has no proper '%s'" % key)
    return value


def tar_header(name, size):
    head = struct.pack("100s8s8s8s12s12s8sc100s8s64s8s8s167x", name.encode(), b"0000644", b"0000000", b"0000000",
                       b"%011o" % size, b"0" * 11, b" " * 8, b"0", b"", b"ustar\00000", b"", b"0000000", b"0000000")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


class Bundle:
    """One pass over a bundle, in which each record and payload is checked before it is used."""

    def __init__(self, path):
        self.file, self.position, self.segments, self.last, self.id = open(path, "rb"), 0, 0, None, None
        self.index, self.sums = blake(), {"data": 0, "zero": 0, "stored": 0, "segments": 0, "volumes": 1}
        h = self.json(HEADER)
        need(number(h, "format", 0, 1 << 31) == 1 and h.get("incompatible") == [], "it needs a newer rescue.py")
        need(h.get("cipher") == "none", "it is encrypted: only vmferry, with the keys of a site it is for, can read it")
        need(h.get("type") in ("seed", "delta", "undo"), "it is not a seed, a delta or an undo")
        need(h.get("id") == self.id.hex() and type(h.get("lineage")) is str, "its header has no proper id or lineage")
        self.type, self.lineage, self.disks = h["type"], h["lineage"], h.get("disks")
        points = [h.get("to")] if self.type == "seed" else [h.get("from"), h.get("to")]
        self.points = [(number(p, "epoch", 1, SEQ), number(p, "seq", 1, SEQ)) for p in points]
        need(type(self.disks) is list and 1 <= len(self.disks) <= 64, "it has no disks, or too many")
        for d in self.disks:
            need(number(d, "size", 512, DISK) % 512 == 0 and type(d.get("id")) is str
                 and re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", d["id"]), "a disk has no proper id or size")
        need(len({d["id"] for d in self.disks}) == len(self.disks), "two disks have the same id")

    def read(self, n):
        data = self.file.read(n)
        self.position += len(data)
        need(len(data) == n, "it is cut off at byte %d" % self.position)
        return data

    def next(self, *types):
        """The next record, which must have one of these types, and its payload (for index and manifest its tail)."""
        start, head = self.position, self.read(1024)
        where, r = "at byte %d " % start, Record._make(RECORD.unpack(head[512:768]))
        need(r.magic == b"VMFERRY1" and r.type in types, where + "stands no record, or not the one that must follow")
        stem, suffix = NAMES[r.type]
        stem = stem % r.number if r.type == SEGMENT else stem
        need(head[:512] == tar_header(stem + ".rec", 256) and not any(head[768:]), where + "the tar header is wrong")
        need(r.codec <= 1 and r.cipher <= 1 and not any(r.zero + r.zeroes), where + "is a record of a newer version")
        need(self.last is None or (r.link == blake(self.last).digest() and r.id == self.id), where + "the chain breaks")
        need(r.number == {SEGMENT: self.segments + 1, VOLUME: 1}.get(r.type, 0), where + "a segment is out of order")
        need(r.type == SEGMENT or (not (r.codec or r.cipher or r.disk or r.extents or r.offset or r.span)
                                   and r.plain == r.stored), where + "a field is in use that must not be")
        need(r.stored <= {SEGMENT: STORED, INDEX: 32 * self.segments, MANIFEST: 128 * (self.segments + 2), VOLUME: 0}
             .get(r.type, JSON), where + "the payload is too long")
        need(not r.stored or self.read(512) == tar_header(stem + suffix, r.stored), where + "a tar header is wrong")
        payload, digest = b"", blake()
        for n in range(0, r.stored, STORED):
            payload = self.read(min(r.stored - n, STORED))
            digest.update(payload)
        need(not any(self.read(-r.stored % 512)), stem + suffix + " is not followed by zeroes")
        need(digest.digest() == r.digest, stem + suffix + " is damaged: its digest is wrong")
        need(r.type != INDEX or r.digest == self.index.digest(), "the index is not that of these segments")
        if r.type == SEGMENT:
            self.segments += 1
            self.index.update(struct.pack("<QIIQQ", start, r.disk, r.extents, r.offset, r.span))
        self.last, self.id = head[512:768], r.id
        return r, payload

    def json(self, kind):
        try:
            return json.loads(self.next(kind)[1].decode())
        except (ValueError, RecursionError):
            raise Refused("its %s.json is not JSON" % NAMES[kind][0]) from None

    def apply(self, images):
        """Write what the bundle holds to the images (files by disk id), then check that it ends as it must."""
        for d in self.disks:
            images[d["id"]].truncate(d["size"])
        batch, held, place = [], 0, (0, 0)
        self.next(VOLUME)
        r, payload = self.next(SEGMENT, INDEX)
        while r.type == SEGMENT:
            need(1 <= r.extents <= EXTENTS and 0 <= r.plain - 24 * r.extents <= DATA, "a segment is too long")
            need(r.disk < len(self.disks) and (r.disk, r.offset) >= place, "segments overlap or are out of order")
            need(r.cipher == 0 and not any(r.nonce), "a segment is encrypted")
            need(r.codec == 1 or r.plain == r.stored, "a raw segment's lengths differ")
            place = (r.disk, r.offset + r.span)
            batch.append((r, payload))
            held += 4096 + max(r.plain, r.stored)
            r, payload = self.next(SEGMENT, INDEX)
            if held > 32 << 20 or r.type != SEGMENT:    # one run of zstd for many segments, but not for too many
                self.write(batch, images)
                batch, held = [], 0
        self.next(MANIFEST)
        end = self.json(END)
        need(all(number(end, key, 0, 1 << 63) == n for key, n in self.sums.items()), "its end.json has other totals")
        need(not any(self.read(1024)) and not self.file.read(1), "it does not end with 1024 zeroes")

    def write(self, batch, images):
        plain = unzstd([p for r, p in batch if r.codec == 1], sum(r.plain for r, p in batch if r.codec == 1))
        for r, p in batch:
            if r.codec == 1:
                p, plain = plain[:r.plain], plain[r.plain:]
            size, image = self.disks[r.disk]["size"], images[self.disks[r.disk]["id"]]
            table, data, at = list(struct.iter_unpack("<QQII", p[:24 * r.extents])), memoryview(p)[24 * r.extents:], 0
            for offset, length, kind, zero in table:
                need(1 <= kind <= 3 and zero == 0, "an extent is of an unknown kind")
                need(length > 0 and at <= offset <= size - length, "an extent is empty or out of place")
                need(offset % 4096 == 0 and (length % 4096 == 0 or offset + length == size), "an extent splits a block")
                need(kind != 1 or length <= len(data), "a segment's data does not fill its extents")
                if kind == 1:
                    put(image, data[:length], offset)
                    data = data[length:]
                else:
                    zero_out(image, offset, offset + length)
                at = offset + length
                self.sums["data" if kind == 1 else "zero"] += length
            need(not data and (table[0][0], at) == (r.offset, r.offset + r.span), "a segment's record belies it")
            self.sums["segments"] += 1
            self.sums["stored"] += r.stored


def unzstd(frames, size):
    """The plain bytes of these frames, which must make up that size."""
    if not frames:
        return memoryview(b"")
    with tempfile.TemporaryFile() as t:
        t.writelines(frames)
        t.seek(0)
        with subprocess.Popen(["zstd", "-dcq"], stdin=t, stdout=subprocess.PIPE) as z:
            plain = z.stdout.read(size + 1)
            if len(plain) > size:
                z.kill()
    need(z.returncode == 0 and len(plain) == size, "a segment does not decompress to what its record says")
    return memoryview(plain)


def put(image, data, offset):
    image.seek(offset)
    image.write(data)


def zero_out(image, start, end):
    """Make these bytes zeroes; holes already are."""
    while start < end:
        image.flush()
        try:
            start = os.lseek(image.fileno(), start, os.SEEK_DATA)
            stop = min(end, os.lseek(image.fileno(), start, os.SEEK_HOLE), start + (1 << 20))
        except OSError as e:
            if e.errno == errno.ENXIO:      # nothing but a hole up to the end of the image
                return
            raise
        if start < end:
            put(image, bytes(stop - start), start)
        start = stop


def rescue(folder, paths):
    images, sizes, at, lineage = {}, {}, None, None
    for path in paths:
        try:
            b = Bundle(path)
            if at is None:
                need(b.type == "seed", "it is not a seed, and the first bundle must be one")
                for d in b.disks:
                    name = os.path.join(folder, d["id"] + ".raw")
                    need(not os.path.lexists(name), "%s exists already" % name)
                    images[d["id"]] = open(name + ".partial", "w+b")
            else:
                need(b.type != "seed" and b.lineage == lineage, "it is another seed, or of another lineage")
                (epoch, first), (epoch2, last) = b.points
                fits = first <= at[1] < last if b.type == "delta" else last < at[1] == first
                need(epoch == epoch2 == at[0] and fits, "it leads from point %d to %d of epoch %d, but the images "
                     "are at point %d of epoch %d: a bundle is missing, or out of turn" % (first, last, epoch, at[1], at[0]))
                need({d["id"] for d in b.disks} == set(images), "it has other disks than the seed")
                need(at != b.points[0] or all(d.get("before_size") == sizes[d["id"]] for d in b.disks),
                     "a disk has not the size that it starts from")
            b.apply(images)
            b.file.close()
        except Refused as e:
            raise Refused("%s: %s" % (path, e)) from None
        at, lineage, sizes = b.points[-1], b.lineage, {d["id"]: d["size"] for d in b.disks}
    for image in images.values():
        image.flush()
        os.fsync(image.fileno())
        os.rename(image.name, image.name[:-len(".partial")])
    print("rescue.py: %s holds point %d of epoch %d" % (folder, at[1], at[0]), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description="Turn an unencrypted vmferry seed and its deltas into disk images.")
    parser.add_argument("-o", metavar="DIR", required=True, help="where to put the images, <disk id>.raw")
    parser.add_argument("bundle", nargs="+", help="the seed, then its deltas (or undos) in order")
    args = parser.parse_args()
    print("rescue.py: signatures and roots are not checked: who made these bundles is not proven", file=sys.stderr)
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
