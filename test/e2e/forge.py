"""Bundles taken apart and put together again, changed, and signed with a key at hand: an encoder after bundle(5)."""
import ctypes, hashlib, json, os, struct

SODIUM = ctypes.CDLL('libsodium.so.23')
HEADER, VOLUME, SEGMENT, INDEX, MANIFEST, END, BLOB, VOLUME_END = range(1, 9)
NAMES = {HEADER: 'header', VOLUME: 'volume', SEGMENT: 'segment', INDEX: 'index', MANIFEST: 'manifest', END: 'end',
         BLOB: 'blob', VOLUME_END: 'volume-end'}


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def tar_header(name, size):
    h = bytearray(512)
    for at, text in ((0, name), (100, '0000644'), (108, '0000000'), (116, '0000000'), (124, '%011o' % size),
                     (136, '00000000000'), (148, '        '), (156, '0'), (257, 'ustar\x0000'), (329, '0000000'),
                     (337, '0000000')):
        h[at:at + len(text)] = text.encode()
    h[148:156] = b'%06o\0 ' % sum(h)
    return bytes(h)


class Key:
    """A site's signing key, as whoever has its home has it."""
    def __init__(self, site):
        with open(os.path.join(site.home, 'secret')) as f:
            seeds = [line.split()[1] for line in f if line.startswith('sign: ')]
        self.secret, self.public = ctypes.create_string_buffer(64), ctypes.create_string_buffer(32)
        SODIUM.crypto_sign_seed_keypair(self.public, self.secret, bytes.fromhex(seeds[-1]))

    def sign(self, data):
        out = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(out, None, data, ctypes.c_ulonglong(len(data)), self.secret)
        return out.raw


class Member:
    """A record, as its 192 bytes without signature, and its payload."""
    def __init__(self, rec, payload=b''):
        self.rec, self.payload = bytearray(rec[:192]), payload
        self.type = struct.unpack_from('<I', rec, 8)[0]

    @property
    def text(self):
        return json.loads(self.payload)

    @text.setter
    def text(self, o):
        self.payload = json.dumps(o).encode()

    def get(self, form, at):
        return struct.unpack_from('<' + form, self.rec, at)[0]

    def put(self, form, at, value):
        struct.pack_into('<' + form, self.rec, at, value)


class State:
    """What goes on from record to record, and from volume to volume."""
    def __init__(self, key):
        self.link, self.ended, self.numbers = key.public.raw, None, {SEGMENT: 0, BLOB: 0}


class Bundle:
    """A bundle of one volume; what follows from the rest (index, manifest, links, digests) is made by write()."""
    def __init__(self, path):
        with open(path, 'rb') as f:
            data = f.read()
        at, self.members = 0, []
        while any(data[at:at + 512]):
            m = Member(data[at + 512:at + 768])
            at += 1024
            if stored := m.get('Q', 72):
                m.payload = data[at + 512:at + 512 + stored]
                at += 512 + -(-stored // 512) * 512
            self.members.append(m)

    def of(self, kind):
        return [m for m in self.members if m.type == kind]

    @property
    def header(self):
        return self.of(HEADER)[0]

    @property
    def end(self):
        return self.of(END)[0]

    def proof(self, i):
        """The record or text that blob i holds, as a member, and how to put it back."""
        return self.of(BLOB)[i]

    def name(self, m, number, is_record):
        if m.type in (SEGMENT, BLOB):
            return '%s/%010d.%s' % ('s' if m.type == SEGMENT else 'b', number, 'rec' if is_record else 'dat')
        if is_record:
            return NAMES[m.type] + '.rec'
        return NAMES[m.type] + ('.json' if m.type in (HEADER, END) else '')

    def write(self, path, key):
        return self.write_volume(path, key, self.members, State(key))

    def write_volumes(self, form, key, per):
        """The same in volumes of so many segments, at form % 1 and so on; a list of their paths."""
        state, paths, segments = State(key), [], self.of(SEGMENT)
        header, volume, index, manifest = (self.of(kind)[0] for kind in (HEADER, VOLUME, INDEX, MANIFEST))
        total = -(-len(segments) // per)
        self.end.text = dict(self.end.text, volumes=total)
        for i in range(total):
            start, end = Member(bytes(volume.rec)), Member(bytes(volume.rec))
            end.put('I', 8, VOLUME_END)
            end.type = VOLUME_END
            for m, before in ((start, i * per), (end, min((i + 1) * per, len(segments)))):
                m.put('Q', 32, i + 1)
                m.put('Q', 48, before)
            members = [header, start, *(self.of(BLOB) if i == 0 else []), *segments[i * per:(i + 1) * per], index,
                       manifest, self.end if i + 1 == total else end]
            paths.append(self.write_volume(form % (i + 1), key, members, state))
        return paths

    def write_volume(self, path, key, members, state):
        out, index, manifest = bytearray(), b'', b''
        for m in members:
            number = 0
            if m.type in state.numbers:
                state.numbers[m.type] += 1
                number = state.numbers[m.type]
                m.put('Q', 32, number)
            if m.type == SEGMENT:
                index += struct.pack('<QIIQQ', len(out), m.get('I', 40), m.get('I', 44), m.get('Q', 48),
                                     m.get('Q', 56))
            if m.type in (INDEX, MANIFEST):
                m.payload = index if m.type == INDEX else manifest
            m.put('Q', 72, len(m.payload))
            if m.type != SEGMENT:
                m.put('Q', 64, len(m.payload))
            m.rec[104:136] = digest(m.payload)
            m.rec[136:168] = key.public.raw if m.type == HEADER else state.link
            if m.type == VOLUME and state.ended:
                m.rec[136:168] = state.ended
            context = b'vmferry 1 bundle ' + NAMES[m.type].replace('-', ' ').encode()
            rec = bytes(m.rec) + key.sign(context.ljust(32, b'\0') + bytes(m.rec))
            state.link = digest(rec)
            out += tar_header(self.name(m, number, True), 256) + rec + bytes(256)
            if m.payload:
                name = self.name(m, number, False)
                out += tar_header(name, len(m.payload)) + m.payload + bytes(-len(m.payload) % 512)
                manifest += b'BLAKE2b-256 (%s) = %s\n' % (name.encode(), digest(m.payload).hex().encode())
        state.ended = state.link
        with open(path, 'wb') as f:
            f.write(out + bytes(1024))
        return path
