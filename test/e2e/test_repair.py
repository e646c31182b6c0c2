#!/usr/bin/env python3
"""Damaged bundles: what is bad is named, asked for, made again to the bit at the primary, and then they import."""
import re
from inject import disturbed, leftovers, strace, tool
from lab import *

TEST = os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test'))
SECTOR = 4 * K


class Case:
    """A seed that dr has, and a delta on its way; or, with seed=True, the seed itself on its way."""
    def __init__(self, seed=False, **kw):
        self.lab = lab = Lab(sizes=(8 * M, 1 * M + 512), **kw)
        for at in (1, 2, 4):
            lab.write(lab.disks['vda'], at * M, 900 * K)
        self.bundle = lab.export('--seed')
        if not seed:
            lab.dr('import', self.bundle)
            for i in range(40):     # scattered changes, zeroes among them
                lab.write(lab.disks['vda'], (i * 53 % 1800) * 4 * K, 6 * K, b'\0' if i % 7 == 0 else None)
            lab.write(lab.disks['vda'], 6 * M, M)
            lab.write(lab.disks['vda'], 3 * M, M)
            lab.write(lab.disks['vdb'], 1 * M, 512)
            self.bundle = lab.export('--delta')
        lab.keep('now')
        with open(self.bundle, 'rb') as f:
            self.good = f.read()
        self.members = members(self.good)
        self.damaged = lab.path('damaged.vmf')
        self.mends = 0
        self.n = sum(1 for name in self.members if name.endswith('.dat'))

    def damage(self, *ranges, size=None):
        """Flip every byte of these ranges, and cut the file."""
        b = bytearray(self.good)
        for at, n in ranges:
            for i in range(at, min(at + n, len(b))):
                b[i] ^= 0xa5
        with open(self.damaged, 'wb') as f:
            f.write(b[:size])

    def zero(self, at, n=SECTOR):
        with open(self.damaged, 'wb') as f:
            f.write(self.good[:at] + bytes(len(self.good[at:at + n])) + self.good[at + n:])

    def look(self, *words):
        """What verify says of it; it asks for a repair."""
        p = self.lab.dr('verify', self.damaged, '--request', self.lab.path('request'), rc=1)
        for w in words:
            check(w in p.stderr, 'verify does not say "%s":\n%s' % (w, p.stderr))
        return p.stderr

    def answer(self, *vm, rc=0):
        return self.lab.hq('export', *vm, '--repair', self.lab.path('request'), '-o', self.lab.path('fix'), rc=rc).stderr

    def mended(self):
        """With the answer it verifies, and what the reader makes of it is the bundle as it was."""
        self.lab.dr('verify', self.damaged, '--repair', self.lab.path('fix'))
        if self.mends % 4 == 0:     # the same reader, and so not always
            self.copy(self.damaged, '--repair', self.lab.path('fix'))
        self.mends += 1

    def copy(self, *args):
        """Stage it into a copy of the replica's home: what lands in the inbox is the original to the byte."""
        home = self.lab.path('copy')
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.lab.dr.home, home, symlinks=True)
        run(VMFERRY, '--home', home, 'import', '--no-merge', *args)
        inbox = [p for p in glob.glob(os.path.join(home, 'replicas', '*', 'inbox', '**'), recursive=True) if os.path.isfile(p)]
        check(any(open(p, 'rb').read() == self.good for p in inbox), 'the inbox does not hold the bundle as it was:', *inbox)

    def imported(self):
        self.lab.dr('import', self.damaged, '--repair', self.lab.path('fix'))
        self.lab.same('now', os.path.join(self.lab.dr.replica(), 'disks'), 'after the repair:')
        self.lab.dr('scrub', 'web1')

    def repaired(self, *words, vm=()):
        self.look(*words)
        self.answer(*vm)
        self.mended()


def members(bundle):
    """Name -> (where its tar header starts, bytes of content)."""
    at, found = 0, {}
    while bundle[at:at + 1] not in (b'\0', b''):
        name = bundle[at:at + 100].rstrip(b'\0').decode()
        size = int(bundle[at + 124:at + 135], 8)
        check(name not in found, name, 'is there twice')
        found[name] = at, size
        at += 512 + (size + 511) // 512 * 512
    found['trailer'] = at - 512, 1024
    return found


def numbers(text):
    """The segments that verify named."""
    found = set()
    for line in text.splitlines():
        if m := re.search(r'\.vmf: segment (\d+): ', line):
            found.add(int(m[1]))
        elif m := re.search(r'segments (\d+) to (\d+): ', line):
            found |= set(range(int(m[1]), int(m[2]) + 1))
    return found


def test_every_damaged_payload_is_named_with_what_it_covers_and_comes_back():
    c = Case()
    check(c.n >= 4, 'the delta has', c.n, 'segments')
    bad = {2, c.n}
    c.damage(*((c.members['s/%010d.dat' % n][0] + 512 + 100, 3) for n in bad))
    text = c.look('disk vda, bytes ', 'disk vdb, bytes 1048576 to 1049087', 'content is damaged')
    check(numbers(text) == bad, 'verify named', numbers(text), 'and not', bad)
    said = json.loads(c.lab.dr('verify', '--json', c.damaged, rc=1).stdout)
    check([(d['first'], d['disk']) for d in said[0]['damaged']] == [(2, 'vda'), (c.n, 'vdb')], said)
    said = json.loads(c.lab.dr('verify', '--json', c.bundle).stdout)
    check(said[0]['good'] and said[0]['segments'] == c.n, said)
    check('2 segments' in c.answer(), 'the answer does not have two segments')
    check(os.path.getsize(c.lab.path('fix')) < len(c.good), 'the repair is as large as the bundle')
    c.mended()
    c.imported()


def test_damage_anywhere_is_mended():
    c = Case()
    for name in ('s/0000000001', 's/%010d' % c.n, 'index', 'manifest', 'end', 'header', 'volume'):
        rec, _ = c.members[name + '.rec']
        for what, at in (('tar header of the record', 130), ('record', 512 + 20), ('padding of the record', 512 + 256 + 9)):
            c.damage((rec + at, 1))
            # A header whose record is gone leaves the bundle's name: the VM must be said.
            c.repaired(vm=('web1',))
        data = c.members.get(name + '.dat') or c.members.get(name + '.json') or c.members.get(name)
        if name == 'volume':
            continue
        at, size = data
        spots = [('tar header', 130), ('content', 512), ('its last byte', 512 + size - 1)]
        if size % 512:
            spots.append(('padding', 512 + size))
        for what, off in spots:
            c.damage((at + off, 1))
            c.repaired(vm=('web1',))
    c.damage((c.members['trailer'][0] + 512 + 5, 1))
    c.repaired()
    c.imported()


def test_zeroed_sectors_are_mended_wherever_they_lie():
    c = Case()
    step = max(1, len(c.good) // SECTOR // 25)
    sectors = {0, SECTOR, 2 * SECTOR} | {at * SECTOR for at in range(0, len(c.good) // SECTOR, step)}
    sectors |= {at // SECTOR * SECTOR for at, _ in c.members.values()}
    for at in sorted(sectors):
        c.zero(at)
        if open(c.damaged, 'rb').read() == c.good:
            continue
        c.look()
        c.answer('web1')
        c.mended()
    c.imported()


def test_a_bundle_cut_short_anywhere_is_completed():
    c = Case()
    cuts = {1, 511, 1024, 3000, len(c.good) - 1, len(c.good) - 1024} | {at + 512 + 7 for at, _ in c.members.values()}
    for size in sorted(n for n in cuts if 0 < n < len(c.good)):
        c.damage(size=size)
        if size < 1024:     # nothing is left that says what it was
            c.lab.dr('verify', c.damaged, '--request', c.lab.path('none'), rc=1)
            check(not os.path.exists(c.lab.path('none')), 'a request about nothing')
            continue
        c.repaired(vm=('web1',))
    c.imported()


def test_a_seed_is_mended_too():
    c = Case(seed=True)
    at, size = c.members['s/0000000002.dat']
    c.damage((at + 512, 1), (c.members['s/0000000003.rec'][0] + 512, 200))
    text = c.look('segment 2: disk vda', 'segment 3: disk vda')
    c.answer('web1')
    c.lab.dr('verify', c.damaged, '--repair', c.lab.path('fix'))
    c.imported()


def test_from_a_pipe_too():
    c = Case()
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5), (c.members['s/%010d.rec' % c.n][0] + 600, 1))
    c.look()
    c.answer()
    with open(c.damaged, 'rb') as f:
        p = start('cat', stdin=f, stdout=subprocess.PIPE)
        c.lab.dr('import', '--repair', c.lab.path('fix'), stdin=p.stdout)
        p.stdout.close()
        check(p.wait() == 0)
    c.lab.same('now', os.path.join(c.lab.dr.replica(), 'disks'), 'after the repair:')


def test_what_the_guest_wrote_over_is_refused_by_name_and_the_rest_is_made():
    c = Case()
    c.damage((c.members['s/0000000002.dat'][0] + 600, 5), (c.members['s/%010d.dat' % c.n][0] + 513, 1))
    c.look()
    c.lab.write(c.lab.disks['vdb'], 1 * M, 512)     # the last segment's only sector
    p = c.answer(rc=1)
    check('segment %d cannot be made again: the disk has changed there since point 2; export a new bundle with --since 1' % c.n in p, p)
    check('1 segments' in p and 'segment 2 ' not in p, p)
    p = c.lab.dr('import', c.damaged, '--repair', c.lab.path('fix'), rc=1)
    check('segment %d' % c.n in p.stderr and 'the repair does not have it' in p.stderr, p.stderr)
    for i in range(0, 8 * M, 64 * K):
        c.lab.write(c.lab.disks['vda'], i, 64)
    os.unlink(c.lab.path('fix'))
    p = c.answer(rc=1)
    check('nothing of what is asked for can be made' in p and not os.path.exists(c.lab.path('fix')), p)
    # Another content was never sealed with the nonce of the old one: the next delta brings it.
    c.lab.keep('later')
    c.lab.dr('import', c.lab.export('--since', '1'))
    c.lab.same('later', os.path.join(c.lab.dr.replica(), 'disks'))


def test_a_running_guest_elsewhere_on_the_disk_does_no_harm():
    c = Case()
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5))
    c.look()
    with open(c.lab.disks['vdb'], 'r+b') as f:      # somebody has it open for writing
        f.seek(1 * M - SECTOR)
        f.write(b'new')
        f.flush()
        c.answer()
    c.mended()


def test_with_every_level_and_without_encryption():
    for how in (['--compress', 'none'], ['--compress', 'best'], ['--compress', 'fast', '--plain']):
        c = Case()
        c.lab.close()
        lab = Lab(sizes=(2 * M, 64 * K))
        lab.write(lab.disks['vda'], 0, 300 * K, b'abc')
        c.lab, c.bundle = lab, lab.export('--seed', *how)
        c.good = open(c.bundle, 'rb').read()
        c.members, c.damaged = members(c.good), lab.path('damaged.vmf')
        lab.keep('now')
        c.damage((c.members['s/0000000001.dat'][0] + 600, 5))
        c.look()
        c.answer()
        lab.dr('verify', c.damaged, '--repair', lab.path('fix'))
        c.imported()
        lab.close()


def test_what_is_acknowledged_is_not_kept_for_repairs():
    c = Case()
    logs = lambda: set(glob.glob(os.path.join(c.lab.hq.home, 'primaries', '*', 'shipped', '*')))
    before = logs()
    check(before and all(os.stat(p).st_mode & 0o777 == 0o600 for p in before), before)
    c.lab.dr('import', c.bundle, '--receipt', c.lab.path('receipt'))
    c.lab.hq('import', c.lab.path('receipt'))
    c.lab.export()
    check(not before & logs() and len(logs()) == 1, logs())
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5))
    c.look()
    p = c.answer(rc=1)
    check('nothing is known of the bundle' in p, p)


def test_a_short_log_repairs_what_it_has():
    c = Case()
    log = [p for p in glob.glob(os.path.join(c.lab.hq.home, 'primaries', '*', 'shipped', '*')) if
           os.path.basename(p) == json.loads(run(VMFERRY, 'inspect', '--json', c.bundle).stdout)['id']][0]
    whole = open(log, 'rb').read()
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5))
    c.look()
    for size in (0, 20, 100, len(whole) // 2, len(whole) - 1):
        with open(log, 'wb') as f:
            f.write(whole[:size])
        p = c.lab.hq('export', '--repair', c.lab.path('request'), '-o', c.lab.path('fix'), rc=None)
        check(p.returncode in (0, 1), p.stderr)
        if p.returncode == 0:
            c.mended()


def refused(p, words):
    check(p.returncode == 1 and words in p.stderr, 'it does not say "%s": %d %s' % (words, p.returncode, p.stderr))


def test_hostile_requests_are_refused_and_bounded():
    c = Case()
    lab = c.lab
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5))
    c.look()
    repair = lambda site=lab.hq, f=lab.path('request'), *vm: site('export', *vm, '--repair', f, '-o', lab.path('fix'), rc=None)
    # by a site that the bundle was not for, and by one that is not known
    other = Site(lab, 'other')
    other('trust', 'add', lab.hq.card)
    other('verify', c.damaged, '--request', lab.path('r2'), rc=1)
    refused(repair(f=lab.path('r2')), 'not known here')
    lab.hq('trust', 'add', other.card)
    refused(repair(f=lab.path('r2')), "site 'other' asks, and the bundle was not for it")
    # for a VM that is not here, for another one, for a bundle never made here
    refused(repair(site=other), 'not known here')
    disk = lab.make_disk('x.img', M)
    lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=' + disk)
    refused(lab.hq('export', 'web2', '--repair', lab.path('request'), '-o', lab.path('fix'), rc=None), "is about a bundle of 'web1'")
    # something that is no request
    refused(repair(f=c.bundle), 'not known here')
    lab.dr('import', c.bundle, '--receipt', lab.path('receipt'))
    refused(repair(f=lab.path('receipt')), 'is no repair request')
    # damaged itself, at any byte
    whole = open(lab.path('request'), 'rb').read()
    for at in range(0, len(whole), 97):
        with open(lab.path('r3'), 'wb') as f:
            f.write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        p = repair(f=lab.path('r3'))
        check(p.returncode == 1, 'byte', at, p.stderr)
    check(not os.path.exists(lab.path('fix')), 'a refused request was answered')
    # far beyond the end: a cut bundle asks for all that there may be, and gets each segment once
    c.damage(size=c.members['s/0000000002.rec'][0])
    c.look('how many is not known')
    c.answer()
    check(os.path.getsize(lab.path('fix')) < 2 * len(c.good), 'the answer is larger than all there is')


def test_hostile_repairs_are_refused():
    c = Case()
    lab = c.lab
    c.damage((c.members['s/0000000002.dat'][0] + 600, 5))
    c.look()
    c.answer()
    fix = open(lab.path('fix'), 'rb').read()
    take = lambda f: lab.dr('import', '--no-merge', c.damaged, '--repair', f, rc=None)
    before = tree(lab.dr.home)
    # damaged itself
    for at in range(0, len(fix), max(1, len(fix) // 150)):
        with open(lab.path('f2'), 'wb') as f:
            f.write(fix[:at] + bytes([fix[at] ^ 1]) + fix[at + 1:])
        p = take(lab.path('f2'))
        check(p.returncode == 1, 'byte', at, p.returncode, p.stderr)
    # no repair at all
    refused(take(c.bundle), 'is no repair')
    refused(take(c.damaged), 'is no repair')
    # for another bundle
    good = c.damaged
    other = lab.export('--since', '1')
    b = bytearray(open(other, 'rb').read())
    b[members(bytes(b))['s/0000000001.dat'][0] + 700] ^= 1
    with open(lab.path('other.vmf'), 'wb') as f:
        f.write(b)
    refused(lab.dr('import', lab.path('other.vmf'), '--repair', lab.path('fix'), rc=None), 'the repair is for another bundle')
    check(tree(lab.dr.home) == before, 'what was refused has changed something')
    # of a good bundle: nothing of it is used
    lab.dr('import', c.bundle, '--repair', lab.path('fix'))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'))


def in_volumes(seed):
    """A bundle in volumes on a medium: lab, its volumes, and what was in them."""
    lab = Lab(sizes=(16 * M, 1 * M + 512))
    lab.write(lab.disks['vda'], M, 9 * M)
    usb = lab.path('usb')
    os.mkdir(usb)
    if not seed:
        lab.dr('import', lab.export('--seed'))
        for i in range(9):
            lab.write(lab.disks['vda'], i * M + 4 * K * i, 900 * K)
    lab.hq('export', 'web1', '--media', usb, '--volume-size', '2M')
    lab.keep('now')
    volumes = sorted(glob.glob(usb + '/vmferry/*.vmf'))
    check(len(volumes) > 5, volumes)
    return lab, volumes, [open(p, 'rb').read() for p in volumes]


def spoil(path, *ranges, size=None):
    with open(path, 'r+b') as f:
        for at, n in ranges:
            f.seek(at)
            f.write(bytes(n))
        if size is not None:
            f.truncate(size)


def test_several_volumes_go_into_one_request_and_are_mended_each_by_itself():
    for seed in (True, False):
        lab, volumes, good = in_volumes(seed)
        order = list(range(len(volumes)))
        first = [members(b) for b in good]
        spoil(volumes[1], (first[1]['volume.rec'][0], 4096))                    # and the head of what follows
        spoil(volumes[2], (0, 4096))                                            # the header
        spoil(volumes[3], size=first[3][[n for n in first[3] if n.endswith('.dat')][0]][0] + 5000)
        spoil(volumes[-1], size=len(good[-1]) - 3000)                           # the end
        p = lab.dr('verify', *volumes, '--request', lab.path('request'), rc=1)
        check(p.stderr.count(': good: volume') == len(volumes) - 4, p.stderr)
        check(numbers(p.stderr) and 'disk vda, bytes' in p.stderr, p.stderr)
        lab.hq('export', '--repair', lab.path('request'), '-o', lab.path('fix'))
        check(os.path.getsize(lab.path('fix')) < sum(map(len, good)) // 2, 'more was made again than was damaged')
        lab.dr('verify', *volumes, '--repair', lab.path('fix'))
        lab.random.shuffle(order)
        for i in order:
            lab.dr('import', volumes[i], '--repair', lab.path('fix'))
        lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'after the repair:')
        lab.dr('scrub', 'web1')
        lab.close()


def crafted(c, site, good):
    """What test/hostile/asked makes of a good request or repair: its paths."""
    d = tempfile.mkdtemp(dir=c.lab.dir)
    names = run(os.path.join(TEST, 'asked'), site.home, good, d).stdout.split()
    check(len(names) > 10, names)
    return [os.path.join(d, n + '.vmf') for n in names]


def is_good(path):
    return os.path.basename(path).startswith('good-')


def test_crafted_requests_and_repairs_are_refused():
    c = Case()
    lab, fix = c.lab, c.lab.path('fix')
    c.damage((c.members['s/0000000001.dat'][0] + 600, 5), (c.members['s/0000000003.rec'][0] + 600, 5))
    c.look()
    before = tree(lab.hq.home)
    for f in crafted(c, lab.dr, lab.path('request')):
        p = lab.hq('export', '--repair', f, '-o', fix, rc=None)
        check(p.returncode == (0 if is_good(f) else 1), f, p.returncode, p.stderr)
        check(os.path.exists(fix) == is_good(f), f, 'an answer')
        if is_good(f):
            check(os.path.getsize(fix) < 2 * len(c.good), f, 'more than there is')
            os.unlink(fix)
    check(tree(lab.hq.home) == before, 'a request has changed the primary')
    c.answer()
    before = tree(lab.dr.home)
    for f in crafted(c, lab.hq, fix):
        for verb in (['verify'], ['import', '--no-merge']):
            if is_good(f) and verb[0] == 'import':
                continue
            p = lab.dr(*verb, c.damaged, '--repair', f, rc=None)
            check(p.returncode == (0 if is_good(f) else 1), f, verb, p.returncode, p.stderr)
        check(tree(lab.dr.home) == before, f, 'has changed the replica')
    c.imported()


def test_a_medium_that_brings_the_repair_is_enough():
    lab, volumes, good = in_volumes(False)
    usb = lab.path('usb')
    m = members(good[2])
    spoil(volumes[2], (m[[n for n in m if n.endswith('.dat')][0]][0] + 600, 10))
    p = lab.dr('import', '--media', usb, rc=1)
    check('1 refused' in p.stderr, p.stderr)
    lab.dr('verify', *volumes, '--request', usb + '/vmferry/request', rc=1)
    lab.hq('export', '--repair', usb + '/vmferry/request', '--media', usb)
    p = lab.dr('import', '--media', usb)
    check('once more, with the repair' in p.stderr and '1 volumes taken' in p.stderr, p.stderr)
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'after the repair:')
    lab.dr('scrub', 'web1')


def test_an_export_that_went_on_after_a_kill_is_made_again_too():
    """The log follows an export that stops in the middle and goes on."""
    lab = Lab(sizes=(16 * M, 1 * M + 512))
    lab.write(lab.disks['vda'], M, 9 * M)
    out = lab.path('seed.vmf')
    for n in (6, 9):
        p = strace(['-e', 'trace=writev', '-e', 'inject=writev:signal=KILL:when=%d' % n],
                   [tool('export'), '--home', lab.hq.home, 'web1', '--seed', '-o', out], lab.path('log'))
        check(p.returncode != 0 and not os.path.exists(out), n, p.returncode, p.stderr)
    p = lab.hq('export', 'web1', '--seed', '-o', out)
    lab.keep('now')
    good = open(out, 'rb').read()
    m = members(good)
    bad = [n for n in m if n.endswith('.dat')]
    spoil(out, *((m[n][0] + 600, 10) for n in bad))
    p = lab.dr('verify', out, '--request', lab.path('request'), rc=1)
    check(len(numbers(p.stderr)) == len(bad), p.stderr)
    lab.hq('export', '--repair', lab.path('request'), '-o', lab.path('fix'))
    lab.dr('import', out, '--repair', lab.path('fix'))
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'after the repair:')


def test_a_worn_medium_is_read_around():
    """Reads that fail are damage where they fail, of the bundle and not of the system."""
    c = Case()
    shutil.copy(c.bundle, c.damaged)
    verify = [tool('verify'), '--home', c.lab.dr.home, c.damaged]
    n = 0
    while True:     # every read of the first pass, one after the other
        n += 1
        p = disturbed(verify, c.lab.dir, 'read', n, 'error=EIO', must=False)
        if p.injected == 0:
            break
        if p.returncode == 127:     # it was the loader's
            continue
        if 'damaged.vmf' in p.stderr and 'cannot give back' in p.stderr:
            check(p.returncode == 1, n, p.returncode, p.stderr)
    check(n > 10, 'the bundle was not read')
    # what was said was found by the first pass; the second one reads by position
    c.damage((c.members['s/0000000001.dat'][0] + 512, 1))
    seen = set()
    for n in range(12, 40, 2):
        p = disturbed([*verify, '--request', c.lab.path('request')], c.lab.dir, 'pread64', n, 'error=EIO', must=False)
        if p.injected == 0:
            break
        if p.returncode == 127:     # it was the loader's
            continue
        check(p.returncode == 1, n, p.returncode, p.stderr)
        seen |= numbers(p.stderr) if 'the medium cannot give it back' in p.stderr else set()
        c.answer('web1')
        c.mended()
    check(len(seen) > 1, 'no read that failed was named', seen)
    # and so does the import of a bundle that is mended
    c.look()
    c.answer()
    for n in range(1, 40, 7):
        shutil.rmtree(c.lab.path('copy'), ignore_errors=True)
        shutil.copytree(c.lab.dr.home, c.lab.path('copy'), symlinks=True)
        p = disturbed([tool('import'), '--home', c.lab.path('copy'), '--no-merge', c.damaged, '--repair', c.lab.path('fix')],
                      c.lab.dir, 'pread64', n, 'error=EIO', must=False)
        if p.injected == 0:
            break
        if p.returncode == 127:     # it was the loader's
            continue
        check(p.returncode in (0, 1, 3), n, p.returncode, p.stderr)
        check(p.returncode != 1 or 'damaged' in p.stderr, n, p.stderr)


def test_nothing_is_left_behind():
    c = Case()
    c.damage((c.members['s/0000000002.dat'][0] + 600, 5))
    c.repaired()
    c.imported()
    check(not leftovers(c.lab.dr) and not leftovers(c.lab.hq), leftovers(c.lab.dr), leftovers(c.lab.hq))


if __name__ == '__main__':
    main('__main__', jobs=2)
