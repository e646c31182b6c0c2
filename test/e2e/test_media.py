#!/usr/bin/env python3
"""Media: folders on USB disks, and mailboxes; what is taken from them, what is left there, and what goes again."""
import re, shutil

from lab import *


def has(tool):
    return shutil.which(tool) is not None or os.path.exists('/usr/sbin/' + tool)


class Medium:
    """A folder that stands for a disk."""
    def __init__(self, lab, name):
        self.dir = lab.path(name)
        self.folder = os.path.join(self.dir, 'vmferry')
        os.makedirs(self.folder)

    def __str__(self):
        return self.dir

    def path(self, name):
        return os.path.join(self.folder, name)

    def names(self, pattern='*'):
        return sorted(os.path.basename(p) for p in glob.glob(self.path(pattern)))


class Courier(Lab):
    """hq and dr, with bundles made one after the other and put on media by hand."""
    def __init__(self, **kw):
        super().__init__(sizes=(1 * M, 64 * K + 512), **kw)
        self.n = 0

    def ship(self, medium, *how):
        """The guest writes, a point is cut, and its bundle lies on the medium: its path."""
        self.n += 1
        if self.n > 1:
            self.write(self.disks['vda'], (self.n * 37 % 200) * 4 * K + 1000, 9 * K)
            self.write(self.disks['vdb'], self.n * 512, 512)
        self.keep(self.n)
        p = medium.path('web1-delta-%d.%08x.001.vmf' % (self.n, self.n))
        self.hq('export', 'web1', '-o', p, *(how or (('--seed',) if self.n == 1 else ('--since', 'sent'))))
        return p

    def at(self, n):
        check([p['seq'] for p in self.dr.json('points', 'web1')][-1] == n)
        self.same(n, os.path.join(self.dr.replica(), 'disks'))
        self.dr('scrub', 'web1')


def test_whatever_order_media_come_in_the_replica_gets_there():
    for order in ((3, 2, 1, 0), (1, 1, 0, 3, 0, 2)):
        c = Courier()
        media = [Medium(c, 'usb%d' % i) for i in range(4)]
        for m in media:
            c.ship(m)
            c.ship(m)
        for i in order:
            c.dr('import', '--media', media[i], rc=None)
        for m in media:                 # those that came before the seed was there come again
            c.dr('import', '--media', m)
        c.at(8)
        c.close()


def test_a_delta_that_comes_before_its_seed_is_taken_after_it_from_the_same_medium():
    c = Courier()
    m = Medium(c, 'usb')
    seed = c.ship(m)
    c.ship(m)
    os.rename(seed, m.path('zzz.vmf'))      # names are hints, and this one is no good
    c.dr('import', '--media', m)
    c.at(2)


def test_what_is_here_is_not_read_again():
    c = Courier()
    m = Medium(c, 'usb')
    c.ship(m)
    seed = c.ship(m)
    c.dr('import', '--media', m)
    before = tree(c.dr.home)
    p = c.dr('import', '--media', m)
    check('0 volumes taken, 2 were here, 0 refused' in p.stderr, p.stderr)
    check(tree(c.dr.home) == before, 'it changed the store')


def test_each_site_takes_what_is_for_it_and_nothing_else():
    c = Courier()
    br = Site(c, 'br')
    c.hq('trust', 'add', br.card)
    br('trust', 'add', c.hq.card, '--vm', '*')
    other = c.make_disk('db.img', 128 * K)
    c.hq('enable', 'db1', '--to', 'br', '--disk', 'vda=' + other)
    m = Medium(c, 'usb')
    c.ship(m)
    c.hq('export', 'db1', '-o', m.path('db.vmf'))
    p = c.dr('import', '--media', m)
    check('1 volumes taken' in p.stderr and 'db1' not in p.stderr, p.stderr)
    p = br('import', '--media', m)
    check('1 volumes taken' in p.stderr and 'web1' not in p.stderr, p.stderr)
    check([s['vm'] for s in br.json('status')] == ['db1'])
    check(len(m.names('*-receipt-*.vmf')) == 2, *m.names())
    c.hq('media', m)
    check([t['acked'] for s in c.hq.json('status') for t in s['targets']] == [1, 1], 'not both receipts were taken')


def test_one_bad_bundle_keeps_no_other_back_and_the_worst_answer_counts():
    c = Courier()
    m = Medium(c, 'usb')
    c.ship(m)
    bad = c.ship(m)
    c.ship(m, '--since', '1')
    with open(bad, 'r+b') as f:
        f.seek(os.path.getsize(bad) // 2)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 1]))
    p = c.dr('import', '--media', m, rc=1)
    check('2 volumes taken, 0 were here, 1 refused' in p.stderr, p.stderr)
    c.at(3)
    log = open(m.path(m.names('*%08x.log' % 2)[0])).read()
    check('import "dr" "refused: ' in log, log)


def test_a_receipt_replaces_the_one_before_it_and_comes_back_with_any_command():
    c = Courier()
    m = Medium(c, 'usb')
    for n in (1, 2, 3):
        c.ship(m)
        c.dr('import', '--media', m)
        check(len(m.names('web1-receipt-%d.*.vmf' % n)) == 1 and len(m.names('*-receipt-*')) == 1, *m.names())
    same = m.names('*-receipt-*')
    c.dr('import', '--media', m)
    check(m.names('*-receipt-*') == same, 'the receipt that says the same was written again')
    p = c.hq('import', '--media', m)
    check("site 'dr' has point 3" in p.stderr, p.stderr)
    check(c.hq.json('status')[0]['targets'][0]['acked'] == 3)
    check("site 'dr' has" not in c.hq('media', m).stderr, 'the receipt was taken twice')


def test_clean_deletes_exactly_what_nobody_needs():
    c = Courier()
    br = Site(c, 'br')
    c.hq('trust', 'add', br.card)
    br('trust', 'add', c.hq.card, '--vm', '*')
    other = c.make_disk('db.img', 128 * K)
    c.hq('enable', 'db1', '--to', 'dr', '--to', 'br', '--disk', 'vda=' + other)
    c.dr('trust', 'add', c.hq.card, '--vm', '*')
    stranger = Lab()
    m = Medium(c, 'usb')
    one, two = c.ship(m), c.ship(m)
    c.hq('export', 'db1', '-o', m.path('db.vmf'))
    stranger.hq('export', 'web1', '-o', m.path('stranger.vmf'))
    for name in ('notes.txt', 'web1-seed-1.0badcafe.b2', 'web1-seed-1.0badcafe.log', 'x.part',
                 'web1-seed-9.0badcafe.001.vmf.part'):
        open(m.path(name), 'w').close()
    keep = ['db.vmf', 'notes.txt', 'stranger.vmf', 'x.part']
    c.dr('import', '--media', m)
    late = c.ship(m)

    duties = [(b['vm'], b['to'], b['duty'], b['deletable']) for b in c.dr.json('media', m)['bundles']
              if b['signer'] == 'known' and b['type'] != 'receipt']
    check(duties == [('db1', 1, 'held', False), ('web1', 1, 'held', True), ('web1', 2, 'held', True),
                     ('web1', 3, 'open', False)], duties)
    # At dr: web1 up to 2 is here and for dr alone; db1 is here too, but br waits for it; web1's 3 is not here.
    p = c.dr('media', m, '--clean')
    check(not os.path.exists(one) and not os.path.exists(two) and os.path.exists(late), p.stderr)
    left = [n for n in m.names() if 'receipt' not in n and not n.endswith('.log') and n not in ('lock', 'medium')]
    check(left == sorted(keep + [os.path.basename(late)]), *left)
    check(all(n.startswith('db') or 'receipt' in n for n in m.names('*.log')), *m.names('*.log'))

    # At hq: dr's receipts are taken; db1 waits for br.
    c.hq('media', m, '--clean')
    left = [n for n in m.names() if n not in ('lock', 'medium')]
    check(left == sorted(keep + [os.path.basename(late)]), *left)
    br('import', '--media', m)
    c.hq('media', m, '--clean')
    left = [n for n in m.names() if n not in ('lock', 'medium')]
    keep.remove('db.vmf')
    check(left == sorted(keep + [os.path.basename(late)]), *left)
    stranger.close()


def test_media_tells_whole_from_damaged_and_what_is_no_bundle():
    c = Courier()
    m = Medium(c, 'usb')
    p = c.ship(m)
    q = c.ship(m)
    with open(q, 'r+b') as f:
        f.truncate(os.path.getsize(q) - 600)
    open(m.path('evil\x1b[31m.vmf'), 'w').close()
    o = c.hq.json('media', m)
    check([b['whole'] for b in o['bundles']] == [True, False] and o['others'] == ['evil?[31m.vmf'], o)
    check([v['whole'] for b in o['bundles'] for v in b['volumes']] == [True, False])
    text = c.hq('media', m).stdout
    check('1 damaged' in text and '\x1b' not in text, text)


def test_nothing_on_a_medium_makes_us_open_what_is_elsewhere():
    c = Courier()
    m = Medium(c, 'usb')
    c.ship(m)
    victim = c.path('victim')
    open(victim, 'w').close()
    os.symlink(victim, m.path('a.vmf'))
    os.mkfifo(m.path('b.vmf'))
    os.mkdir(m.path('c.vmf'))
    os.symlink(victim, m.path('k.keys'))
    os.mkfifo(m.path('l.keys'))
    os.symlink(victim, m.path('medium'))
    os.symlink(c.path('made'), m.path('lock'))
    p = c.dr('import', '--media', m, rc=3)
    check('lock' in p.stderr, p.stderr)
    os.unlink(m.path('lock'))
    os.symlink(victim, m.path('web1-delta-1.%08x.log' % 1))
    c.dr('import', '--media', m, '--require-sandbox')
    check(os.path.getsize(victim) == 0 and not os.path.exists(c.path('made')), 'something was written elsewhere')
    check(c.dr.json('media', m)['others'] == ['a.vmf', 'b.vmf', 'c.vmf'])
    c.at(1)


def test_a_medium_that_is_not_there_is_not_made():
    c = Courier()
    for words in (('media', c.path('mnt')), ('import', '--media', c.path('mnt')), ('media', c.path('mnt'), '--plan')):
        p = c.dr(*words, rc=1)
        check('is the medium mounted?' in p.stderr, p.stderr)
        check(not os.path.exists(c.path('mnt')))


def test_custody_shows_who_touched_a_bundle_and_what_was_altered():
    c = Courier()
    m = Medium(c, 'usb')
    p = c.ship(m)
    c.dr('import', '--media', m)
    c.dr('import', '--media', m)
    log = m.path(m.names('*.log')[0])
    text = c.hq('inspect', p).stdout
    check("import by 'dr': ok; good signature of 'dr'\n" in text, text)
    text = run(VMFERRY, '--home', c.path('nowhere'), 'inspect', p).stdout
    check('unknown key' in text, text)
    with open(log) as f:
        good = f.read()
    with open(log, 'w') as f:
        f.write(good.replace('"ok"', '"no"'))
    check('BAD signature' in c.hq('inspect', p).stdout)
    with open(log, 'w') as f:
        f.write('2026-03-01T12:00:00Z verify "" "ok" prev=%s key=- sig=-\n\x1b[31mrubbish\n' % ('0' * 64) + good)
    text = c.hq('inspect', p).stdout
    check('not signed' in text and 'BAD: not a line' in text and 'does not follow' in text and '\x1b' not in text, text)
    o = json.loads(c.hq('inspect', p, '--json').stdout)['custody']
    check([l['signature'] for l in o] == ['none', 'bad', 'good'], o)


def test_verify_leaves_a_line_of_custody_too():
    c = Courier()
    m = Medium(c, 'usb')
    p = c.ship(m)
    c.dr('verify', p, '--require-sandbox')
    run(VMFERRY, 'verify', '--key', c.hq.card, p)               # a courier, who has no home
    with open(p, 'r+b') as f:
        f.seek(os.path.getsize(p) // 2)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 1]))
    c.dr('verify', p, rc=1)
    with open(m.path(m.names('*.log')[0])) as f:
        lines = f.read().splitlines()
    check(len(lines) == 3 and ' verify "dr" "ok" ' in lines[0] and ' verify "" "ok" ' in lines[1] and
          ' verify "dr" "refused: ' in lines[2], *lines)


def test_combine_leaves_a_line_of_custody_at_what_it_combined():
    c = Courier()
    m = Medium(c, 'usb')
    seed, *deltas = [c.ship(m) for _ in range(3)]
    c.dr('combine', *deltas, '-o', c.path('both.vmf'))
    for p in deltas:
        check("combine by 'dr': ok; good signature of 'dr'\n" in c.dr('inspect', p).stdout)
    check('combine' not in c.dr('inspect', seed).stdout)


def test_new_keys_ride_on_media():
    c = Courier()
    m = Medium(c, 'usb')
    c.ship(m)
    c.hq('key', 'rotate', '--overlap', '0s')
    c.ship(m)
    c.hq('import', '--media', m)        # leaves its list
    check(len(m.names('hq.*.keys')) == 1, *m.names())
    c.dr('import', '--media', m)
    c.at(2)
    with open(m.path(m.names('hq.*.keys')[0]), 'a') as f:
        f.write('x')
    c.dr('import', '--media', m)        # rubbish is passed over


def mount(lab, name, size, mkfs, *how):
    """A file system of its own in a file, mounted; None where that cannot be done here."""
    image, at = lab.path(name + '.img'), lab.path(name)
    if os.geteuid() != 0:
        print('        skipped: only root may mount a file system')
        return None
    with open(image, 'wb') as f:
        f.truncate(size)
    run(*mkfs, image)
    os.makedirs(at)
    p = run('mount', *(how or ('-o', 'loop')), image, at, rc=None)
    if p.returncode != 0:
        print('        skipped: cannot mount:', p.stderr)
        return None
    UNDO.append(lambda: run('umount', at))
    os.makedirs(os.path.join(at, 'vmferry'), exist_ok=True)
    m = Medium.__new__(Medium)
    m.dir, m.folder = at, os.path.join(at, 'vmferry')
    return m


def test_a_read_only_medium_is_taken_from_and_left_alone():
    c = Courier()
    m = mount(c, 'usb', 16 * M, ('mkfs.ext4', '-q'))
    if m is None:
        return
    c.ship(m)
    run('mount', '-o', 'remount,ro', m.dir)
    p = c.dr('import', '--media', m)
    check('cannot be written to, so nothing is left there' in p.stderr, p.stderr)
    c.at(1)
    check(c.dr('media', m, '--clean', rc=1).stderr.count('cannot be written') > 0)


def test_plan_tells_speed_volumes_and_time():
    c = Courier()
    m = Medium(c, 'usb')
    o = json.loads(c.hq('media', m, '--plan', '--bytes', '9G', '--line', '1M', '--json').stdout)
    check(o['volumes'] == 3 and o['line_seconds'] == 9 * 1024 and o['speed'] > 0, o)
    check(o['seconds'] == -(-9 * G // o['speed']), o)
    check(m.names() == ['lock', 'medium'], *m.names())
    c.hq('media', m, '--bytes', '9G', rc=2)


# --- exports ------------------------------------------------------------------------------------------------


class Big(Lab):
    """A VM of 12 MiB that do not compress."""
    def __init__(self):
        super().__init__(sizes=(12 * M,))
        self.write(self.disks['vda'], 0, 12 * M)
        self.keep(1)

    def to(self, medium, *how, **kw):
        return self.hq('export', 'web1', '--media', medium, *how, **kw)

    def arrived(self):
        self.same(1, os.path.join(self.dr.replica(), 'disks'))
        self.dr('scrub', 'web1')


def audit(lab, medium):
    """What an auditor does with ordinary tools; the number of volumes."""
    key = lab.hq('card', '--minisign').stdout.strip()
    for b2 in medium.names('*.b2'):
        run('b2sum', '-c', '--strict', b2, cwd=medium.folder)
        run('minisign', '-Vm', b2, '-P', key, cwd=medium.folder)
        with open(medium.path(b2)) as f:
            named = sorted(re.findall(r'\((.*)\)', f.read()))
        check(named == medium.names(b2[:-3] + '.*.vmf'), b2, 'names', *named)
    check(not medium.names('*.part') and not medium.names('*.new'), *medium.names())
    return len(medium.names('*.vmf'))


def test_volumes_on_a_medium_are_checked_by_b2sum_and_minisign():
    c = Big()
    m = Medium(c, 'usb')
    c.to(m, '--volume-size', '4M')
    check(audit(c, m) == 4, *m.names())
    check(all(os.path.getsize(m.path(n)) <= 4 * M for n in m.names('*.vmf')))
    text = c.dr('inspect', m.path(m.names('*.001.vmf')[0])).stdout
    check("export by 'hq': ok; good signature of 'hq'\n" in text, text)
    b, = c.hq.json('media', m)['bundles']
    check(b['whole'] and b['of'] == 4 and len(b['volumes']) == 4 and b['duty'] == 'open', b)
    c.dr('import', '--media', m)
    c.arrived()
    c.hq('media', m, '--clean')
    check(m.names() == ['lock', 'medium'], *m.names())


def test_an_export_takes_the_receipt_that_the_medium_brought_and_leaves_keys():
    c = Courier()
    m = Medium(c, 'usb')
    c.ship(m)
    c.dr('import', '--media', m)
    c.hq('key', 'rotate')
    p = c.hq('export', 'web1', '--media', m)
    check("site 'dr' has point 1" in p.stderr, p.stderr)
    check(any(b['type'] == 'delta' and b['from'] == 1 for b in c.hq.json('media', m)['bundles']))
    check('no receipt' not in p.stderr, p.stderr)
    p = c.dr('import', '--media', m)
    check('1 volumes taken, 1 were here' in p.stderr, p.stderr)
    check(len(m.names('hq.*.keys')) == 1, *m.names())


def test_what_does_not_fit_goes_on_with_the_next_medium_and_nothing_is_written_again():
    c = Big()
    media = [mount(c, 'usb%d' % i, 8 * M, ('mkfs.ext4', '-q', '-O', '^has_journal')) for i in range(3)]
    if media[0] is None:
        return
    p = c.to(media[0], rc=None)
    check(p.returncode != 0 and 'run the same command with the next --media' in p.stderr, p.returncode, p.stderr)
    before = tree(media[0].folder)
    for m in media[1:]:
        p = c.to(m, rc=None)
    check(p.returncode == 0, p.stderr)
    after = tree(media[0].folder)
    check({n: h for n, h in after.items() if not n.endswith('.log')} ==
          {n: h for n, h in before.items() if not n.endswith('.log')}, 'the first medium was written to again')
    for m in media:
        audit(c, m)
    p = c.dr('import', '--media', media[2])
    p = c.dr('import', '--media', media[0])
    p = c.dr('import', '--media', media[1])
    c.arrived()


def test_exfat_is_a_medium_like_any_other():
    if not has('mount.exfat-fuse') or not os.path.exists('/dev/fuse'):
        print('        skipped: needs exfat-fuse')
        return
    c = Big()
    image = c.path('usb.img')
    with open(image, 'wb') as f:
        f.truncate(64 * M)
    run('mkfs.exfat', image)
    if os.geteuid() != 0:
        print('        skipped: only root may mount a file system')
        return
    device = run('losetup', '-f', '--show', image).stdout.strip()
    UNDO.append(lambda: run('losetup', '-d', device))
    os.makedirs(c.path('usb'))
    p = run('mount.exfat-fuse', device, c.path('usb'), rc=None)
    if p.returncode != 0:
        print('        skipped: cannot mount:', p.stderr)
        return
    UNDO.append(lambda: run('umount', c.path('usb')))
    m = Medium(c, 'usb')
    c.to(m, '--volume-size', '8M')
    check(audit(c, m) == 2, *m.names())
    c.dr('import', '--media', m)
    c.arrived()
    c.hq('media', m, '--clean')
    check(m.names() == ['lock', 'medium'], *m.names())


def until(ready, what):
    """Wait for another process to be ready."""
    end = time.time() + 60
    while not ready():
        check(time.time() < end, what)
        time.sleep(0.02)


# Where byte N of the medium is: what lies beyond its real size lands on what was written before.
WRAP = '''at() { o=$1; [ "$o" -ge %d ] && o=$((%d + (o - %d) %% %d)); echo "$o"; }
'''


class Stick:
    """A disk that does with its bytes what the shell says ($3 bytes at $4), as a loop device with ext4."""
    def __init__(self, lab, size, read, write, *mkfs):
        self.lab, self.loop = lab, None
        with open(lab.path('bytes'), 'wb') as f:
            f.truncate(size)
        open(lab.path('disk'), 'w').close()
        os.makedirs(lab.path('usb'))
        socket = lab.path('socket')
        UNDO.append(self.pull)
        start('nbdkit', '-f', '-U', socket, 'eval', 'get_size=echo %d' % size, 'pread=' + read, 'pwrite=' + write,
              'can_write=true', 'can_flush=true', 'flush=true', stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists(socket), 'nbdkit does not start')
        start('nbdfuse', lab.path('disk'), '--unix', socket, stderr=subprocess.DEVNULL)
        UNDO.insert(UNDO.index(self.pull), lambda: run('fusermount3', '-u', lab.path('disk'), rc=None))
        until(lambda: os.path.getsize(lab.path('disk')) == size, 'nbdfuse does not start')
        self.attach()
        run('mkfs.ext4', '-q', '-b', 4096, '-N', 64, '-E', 'lazy_itable_init=1', *mkfs, self.loop)
        run('mount', self.loop, lab.path('usb'))
        self.medium = Medium(lab, 'usb')

    def attach(self):
        self.loop = run('losetup', '-f', '--show', '--direct-io=on', self.lab.path('disk')).stdout.strip()

    def pull(self):
        if os.path.ismount(self.lab.path('usb')):
            run('umount', self.lab.path('usb'))
        if self.loop is not None:
            run('losetup', '-d', self.loop)
        self.loop = None

    def plug(self):
        self.attach()
        run('fsck.ext4', '-fy', self.loop, rc=None)
        run('mount', self.loop, self.lab.path('usb'))


def cannot_lie():
    if os.geteuid() == 0 and all(map(has, ('nbdkit', 'nbdfuse', 'losetup'))) and os.path.exists('/dev/fuse'):
        return False
    print('        skipped: needs root, nbdkit, nbdfuse and losetup')
    return True


def copy(lab, offset, reading):
    f = lab.path('bytes')
    if reading:
        return 'dd if=%s bs=$3 count=1 skip=%s iflag=skip_bytes,fullblock status=none' % (f, offset)
    return 'dd of=%s bs=$3 count=1 seek=%s oflag=seek_bytes iflag=fullblock conv=notrunc status=none' % (f, offset)


def caught(c, m):
    """The medium's lie is found, nothing is left there that could be taken for a bundle, and another one does."""
    p = c.to(m, rc=3)
    check('the medium does not give back what was written' in p.stderr, p.stderr)
    check(not m.names('*.vmf*') and not m.names('*.b2'), *m.names())
    good = Medium(c, 'good')
    c.to(good)
    audit(c, good)
    c.dr('import', '--media', good)
    c.arrived()


def test_a_medium_that_is_smaller_than_it_says_is_found_out():
    if cannot_lie():
        return
    c = Big()
    # 10 MiB that say they are 40; what is too much lands on what was written behind the first 2, which hold the
    # file system itself.
    wrap = WRAP % (10 * M, 2 * M, 10 * M, 8 * M)
    caught(c, Stick(c, 40 * M, wrap + copy(c, '$(at $4)', True), wrap + copy(c, '$(at $4)', False),
                    '-O', '^has_journal').medium)


def test_a_medium_that_loses_what_it_took_is_found_out():
    if cannot_lie():
        return
    c = Big()
    # It takes everything, and keeps what is small, such as the file system itself.
    caught(c, Stick(c, 40 * M, copy(c, '$4', True), 'if [ $3 -ge 65536 ]; then cat >/dev/null; else %s; fi' %
                    copy(c, '$4', False)).medium)


def test_a_medium_that_alters_what_it_keeps_is_found_out():
    if cannot_lie():
        return
    c = Big()
    # One byte of what is large is another than it was.
    caught(c, Stick(c, 40 * M, copy(c, '$4', True), '%s; if [ $3 -ge 65536 ]; then '
                    "printf 'x' | dd of=%s bs=1 seek=$(($4 + 777)) conv=notrunc status=none; fi" % (
                        copy(c, '$4', False), c.path('bytes'))).medium)


def test_a_disk_that_is_pulled_out_under_load_is_gone_on_with():
    if cannot_lie():
        return
    c = Big()
    gone, count = c.path('gone'), c.path('count')
    dead = 'if [ -e %s ]; then echo EIO >&2; exit 1; fi; ' % gone
    stick = Stick(c, 64 * M, dead + copy(c, '$4', True), dead + 'if [ -e %s ]; then head -c $3 /dev/zero >>%s; '
                  '[ $(stat -c %%s %s) -lt %d ] || touch %s; fi; ' % (count, count, count, 10 * M, gone) +
                  copy(c, '$4', False))
    open(count, 'w').close()            # from here on 10 MiB can be written
    p = c.to(stick.medium, '--volume-size', '4M', rc=3)
    check(os.path.exists(gone), 'it was not pulled out')
    stick.pull()
    os.unlink(gone)
    os.unlink(count)
    stick.plug()
    before = {n: os.stat(stick.medium.path(n)).st_ino for n in stick.medium.names('*.vmf')}
    check(before, 'nothing of it was done when it was pulled out')
    p = c.to(stick.medium, '--volume-size', '4M')
    check(audit(c, stick.medium) == 4, *stick.medium.names())
    check(before.items() <= {n: os.stat(stick.medium.path(n)).st_ino for n in stick.medium.names('*.vmf')}.items(),
          'a whole volume was written again')
    c.dr('import', '--media', stick.medium)
    c.arrived()


if __name__ == '__main__':
    main(__name__)
