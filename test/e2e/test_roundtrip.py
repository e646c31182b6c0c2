#!/usr/bin/env python3
"""A VM's whole life on real disks with real file systems in them: from site to site and back, planned and in the night.

The guest is played by debugfs and mke2fs, on the disks where the VM runs at that time.  Every point is kept as it was, and the
replica that comes of it compared byte by byte, file by file, by fsck, and with what the independent reader makes of
the same bundles.
"""
import filecmp, glob, json, os, shutil, subprocess, sys

from lab import K, M, RESCUE, Failed, Lab, check, main, run

OFF = '--vm-is-shut-down'
TOOLS = dict(os.environ, PATH=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


class Life:
    """Two sites that may both be the primary of web1, which has a file system and a raw disk."""
    def __init__(self, points=10):
        self.lab = lab = Lab(sizes=(24 * M, 1 * M + 512), points=points)
        self.hq, self.dr = lab.hq, lab.dr
        lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
        run('mke2fs', '-q', '-F', '-t', 'ext4', lab.disks['vda'], env=TOOLS)
        self.bundles, self.files, self.n = [], {}, 0
        self.at = dict(lab.disks)           # the VM's disks, where it runs

    def close(self):
        self.lab.close()

    def guest(self, writes=3):
        """The guest's work: files that come and go, and a record somewhere on its raw disk."""
        for _ in range(writes):
            self.n += 1
            name, data = 'file%d' % self.n, self.lab.random.randbytes(self.lab.random.randrange(1, 200 * K))
            path = self.lab.path('new')
            with open(path, 'wb') as f:
                f.write(data)
            run('debugfs', '-w', '-R', 'write %s %s' % (path, name), self.at['vda'], env=TOOLS)
            self.files[name] = data
        if len(self.files) > 4:
            gone = sorted(self.files)[0]
            run('debugfs', '-w', '-R', 'rm ' + gone, self.at['vda'], env=TOOLS)
            del self.files[gone]
        self.lab.write(self.at['vdb'], self.lab.random.randrange(0, 900 * K), 5000)

    def keep(self, tag):
        """Remember what the disks and the files are now."""
        os.makedirs(self.lab.path('kept', tag))
        for i, p in self.at.items():
            run('cp', '--sparse=always', p, self.lab.path('kept', tag, i + '.raw'))
        return dict(self.files)

    def export(self, site, *args):
        out = self.lab.path('b%d.vmf' % len(self.bundles))
        site('export', 'web1', *args, '-o', out)
        self.bundles.append(out)
        return out

    def ship(self, there, back, *args):
        """One more point to the other site, and the receipt of it back."""
        receipt = self.lab.path('r')
        there('import', self.export(back, *args), '--receipt', receipt)
        back('import', receipt)

    def disks(self, site):
        return {i: site.replica() + '/disks/' + i + '.raw' for i in ('vda', 'vdb')}

    def same(self, tag, disks, what):
        for i, p in disks.items():
            check(filecmp.cmp(self.lab.path('kept', tag, i + '.raw'), p, shallow=False), what, 'disk', i)

    def rescued(self, tag, what):
        """What the independent reader makes of all bundles that led here."""
        out = self.lab.path('rescued')
        shutil.rmtree(out, ignore_errors=True)
        run(sys.executable, '-B', RESCUE, '-o', out, *self.bundles)
        self.same(tag, {i: out + '/' + i + '.raw' for i in self.at}, what + ', as the independent reader has it:')
        shutil.rmtree(out)


def files_of(image, files, what):
    """The file system in an image is whole, and holds these very files."""
    run('e2fsck', '-fn', image, env=TOOLS)
    listed = run('debugfs', '-R', 'ls -p /', image, env=TOOLS).stdout
    names = {line.split('/')[5] for line in listed.split('\n') if line.count('/') > 5} - {'.', '..', 'lost+found'}
    check(names == set(files), what, 'has', sorted(names), 'not', sorted(files))
    for name, data in files.items():
        p = subprocess.run(['debugfs', '-R', 'cat ' + name, image], env=TOOLS, capture_output=True, check=True)
        check(p.stdout == data, what, 'has another', name)


def state(site):
    return site.json('status')[0]


def protected(points=10):
    """Seed and two deltas; the files of each point."""
    life = Life(points)
    past = {}
    life.guest()
    past[1] = life.keep('1')
    life.ship(life.dr, life.hq, '--seed', '--plain')
    for n in (2, 3):
        life.guest()
        past[n] = life.keep(str(n))
        life.ship(life.dr, life.hq, '--plain')
    return life, past


def tested(life, site, point, files):
    """A test failover from a point shows its files, and its guest may do as it likes."""
    before = {i: run('sha256sum', p).stdout for i, p in life.disks(site).items()}
    site('failover', 'web1', '--test', '--point', point)
    overlay = site.replica() + '/test/vda.qcow2'
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', overlay, life.lab.path('shown'))
    files_of(life.lab.path('shown'), files, 'a test from point %d' % point)
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 0x55 0 1M', '-c', 'write -P 0x66 9M 3M', overlay)
    site('failover', 'web1', '--stop-test', '--result', 'all there')
    check({i: run('sha256sum', p).stdout for i, p in life.disks(site).items()} == before, 'a test left a trace')
    site('scrub', 'web1')


def handed_over(life, old, new, tag):
    """The first half of a planned failover from one site to the other; the files."""
    life.guest()
    files = life.keep(tag)
    out = life.lab.path('b%d.vmf' % len(life.bundles))
    old('failover', 'web1', '--planned', OFF, '-o', out)
    life.bundles.append(out)
    check(state(old)['state'] == 'prepared-for-failover', state(old))
    old('export', 'web1', '-o', life.lab.path('never'), rc=1)
    new('import', out)
    return files


def moved(life, old, new, tag):
    """All of it, with the direction turned."""
    files = handed_over(life, old, new, tag)
    new('failover', 'web1', '--planned', '--complete', '--reverse')
    s = state(new)
    check(s['role'] == 'primary' and not s['fenced'], s)
    return files


def running_at(life, site):
    """Where the VM's disks are, at the site that runs it now."""
    [p] = glob.glob(site.home + '/primaries/*/state')
    with open(p, 'rb') as f:
        record = json.loads(f.read()[:-22])
    life.at = {d['id']: d['where'] for d in record['disks']}


def test_planned_there_and_back():
    life, past = protected()
    tested(life, life.dr, 2, past[2])
    life.rescued('3', 'point 3')
    for turn, (old, new) in enumerate([(life.hq, life.dr), (life.dr, life.hq)]):
        tag = 'final%d' % turn
        old('enable', 'web1', '--plain')
        files = moved(life, old, new, tag)
        life.same(tag, {i: p for i, p in life.at.items()}, 'the old primary was written to:')
        running_at(life, new)
        life.same(tag, life.at, 'the new primary has not what was final:')
        files_of(life.at['vda'], files, 'the new primary')
        life.rescued(tag, 'the final point')
        for n in (1, 2):
            life.guest()
            files = life.keep('%s.%d' % (tag, n))
            life.ship(old, new, '--plain')
            s = state(old)
            check(s['role'] == 'replica' and s['state'] == 'replicating' and s['epoch'] == turn + 2, s)
            out = life.lab.path('out')
            old('restore', 'web1', '-o', out)
            life.same('%s.%d' % (tag, n), {i: out + '/' + i + '.raw' for i in life.at}, 'the new replica:')
            files_of(out + '/vda.raw', files, 'the new replica')
            shutil.rmtree(out)
            old('scrub', 'web1')
        life.rescued('%s.%d' % (tag, 2), 'the way back')
        check(max(os.path.getsize(b) for b in life.bundles[1:]) < os.path.getsize(life.bundles[0]) * 2,
              'more than deltas has flown')
    tested(life, life.dr, state(life.dr)['last_point']['seq'], dict(life.files))
    life.close()


def test_unplanned_at_an_older_point_and_back():
    life, past = protected()
    life.guest()                                            # what the primary wrote before it was gone, never sent
    lost = life.keep('lost')
    hq_disks, at_hq = dict(life.at), dict(life.files)
    life.dr('failover', 'web1', '--unplanned', '--point', 2, '--yes')
    overlay = life.dr.replica() + '/failover/vda.qcow2'
    run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', overlay, life.lab.path('shown'))
    files_of(life.lab.path('shown'), past[2], 'the failover to point 2')
    life.dr('failover', 'web1', '--cancel')
    life.dr('failover', 'web1', '--unplanned', '--point', 1, '--yes')
    life.dr('failover', 'web1', '--cancel')
    life.dr('failover', 'web1', '--unplanned', '--point', 2, '--yes')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 0x77 300k 8k', life.dr.replica() + '/failover/vdb.qcow2')
    life.dr('failover', 'web1', '--complete', '--yes')
    life.dr('reverse', 'web1', '-o', life.lab.path('claim'))
    running_at(life, life.dr)
    life.files = dict(past[2])
    files_of(life.at['vda'], past[2], 'the VM at its new site')
    life.guest()
    after = life.keep('after')
    # The old primary comes back, with what it wrote.
    p = life.hq('import', life.lab.path('claim'), rc=1)
    check('dr' in p.stderr, p.stderr)
    s = state(life.hq)
    check(s['fenced'] and s['health'] == 'critical', s)
    life.hq('export', 'web1', '-o', life.lab.path('never'), rc=1)
    check('dr' in life.hq('status', 'web1', '--branches').stdout, 'the branches are not shown')
    life.hq('resync', 'web1', '--keep', 'dr', '--yes', '-o', life.lab.path('compare'))
    life.same('lost', hq_disks, 'giving way changed the disks:')
    life.dr('export', 'web1', '--against', life.lab.path('compare'), '-o', life.lab.path('back'))
    union = 0
    for i in life.at:
        a, b, c = (open(p, 'rb').read() for p in (life.lab.path('kept', '2', i + '.raw'), hq_disks[i], life.at[i]))
        n = max(map(len, (a, b, c)))
        union += sum(64 * K for at in range(0, n, 64 * K)
                     if a[at:at + 64 * K] != b[at:at + 64 * K] or a[at:at + 64 * K] != c[at:at + 64 * K])
    carried = life.dr.json('inspect', life.lab.path('back'))
    data = carried['end']['data'] if 'end' in carried else carried['data']
    check(data <= 1.05 * union, 'back flowed', data, 'bytes for', union)
    life.hq('import', life.lab.path('back'), '--receipt', life.lab.path('r'))
    life.dr('import', life.lab.path('r'))
    life.same('after', hq_disks, 'the old primary as a replica:')
    life.hq('scrub', 'web1')
    # What it wrote is still there, until a person drops it.
    [branch] = [p for p in life.hq.json('points', 'web1') if p.get('branch')]
    out = life.lab.path('branch')
    life.hq('restore', 'web1', '--point', branch['seq'], '-o', out)
    life.same('lost', {i: out + '/' + i + '.raw' for i in life.at}, 'the branch:')
    files_of(out + '/vda.raw', lost, 'the branch')
    for n in (1, 2):
        life.guest()
        files = life.keep('on%d' % n)
        life.ship(life.hq, life.dr)
        life.same('on%d' % n, hq_disks, 'the old primary goes on as a replica:')
    # And home again, which the branch does not survive: so it takes a word.
    handed_over(life, life.dr, life.hq, 'home')
    p = life.hq('failover', 'web1', '--planned', '--complete', '--reverse', rc=1)
    check('branch' in p.stderr and 'branch' in life.hq('failover', 'web1', '--planned', '--complete', '--dry-run',
                                                       rc=1).stdout, p.stderr)
    life.hq('restore', 'web1', '--point', branch['seq'], '-o', out + '2')
    life.same('lost', {i: out + '2/' + i + '.raw' for i in life.at}, 'the branch, when it goes:')
    life.hq('points', 'web1', '--branch', '--drop', '--yes')
    check(not any(p.get('branch') for p in life.hq.json('points', 'web1')), 'the branch was not dropped')
    life.hq('failover', 'web1', '--planned', '--complete', '--reverse')
    running_at(life, life.hq)
    check(life.at == hq_disks, 'home is', life.at)
    life.same('home', life.at, 'at home:')
    files_of(life.at['vda'], dict(life.files), 'at home')
    life.guest()
    life.keep('end')
    life.ship(life.dr, life.hq)
    life.dr('restore', 'web1', '-o', life.lab.path('end'))
    life.same('end', {i: life.lab.path('end', i + '.raw') for i in life.at}, 'at the end:')
    life.dr('scrub', 'web1')
    check(state(life.hq)['epoch'] == 3 and state(life.dr)['epoch'] == 3, 'the epochs')
    life.close()


if __name__ == '__main__':
    main(__name__)
