#!/usr/bin/env python3
"""The VM's disks are qcow2 images at the site that becomes the replica: roles change hands there as with raw disks."""
import fcntl, struct

import test_images as images
import test_turn as turn
from inject import hurry, on_disk, tool
from lab import *


def is_image(where):
    return where.startswith('qcow2:')


class Images(turn.Pair):
    """hq's disks are qcow2 images, vda alone and vdb on another one; those of dr are raw files."""
    def __init__(self, where=None):
        super().__init__(sizes=(), enable=False, where=where)
        a, b, base = self.path('a, b.qcow2'), self.path('top.qcow2'), self.path('base.qcow2')
        run('qemu-img', 'create', '-q', '-f', 'qcow2', a, 4 * M)
        run('qemu-img', 'create', '-q', '-f', 'qcow2', base, 1 * M)
        self.guest('qcow2:' + base, 'write -P 3 0 300k')
        run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', b, M + 512)
        self.base = base
        self.disks = {'vda': 'qcow2:' + a, 'vdb': 'qcow2:' + b}
        self.guest(self.disks['vda'], 'write -P 1 0 700k', 'write -P 2 2M 64k')
        swap = self.path('swap.qcow2')
        run('qemu-img', 'create', '-q', '-f', 'qcow2', swap, M)
        self.hq('enable', 'web1', '--to', 'dr', '--points', 24, *self.disk_args(), '--exclude', 'swap=qcow2:' + swap)
        self.send(self.hq, self.dr, '--seed')

    def disk_paths(self, site):
        return super().disk_paths(site)[:len(self.disks)]       # that of the excluded disk is the last

    def guest(self, where, *commands):
        """A VM writes."""
        fmt, path = where.split(':', 1) if is_image(where) else ('raw', where)
        run('qemu-io', '-f', fmt, *[a for c in commands for a in ('-c', c)], path)

    def dirty(self, site, n=3):
        for p in self.disk_paths(site):
            at = [self.random.randrange(M // 512 - 64) * 512 for _ in range(n)]
            self.guest(p, *['write -P %d %d 8k' % (self.random.randrange(1, 256), x) for x in at], 'write -z %d 12k' % at[0])

    def content(self, site):
        out = []
        for p in self.disk_paths(site):
            if is_image(p):
                raw = self.path('converted')
                run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', p[6:], raw)
                run('qemu-img', 'check', '-q', '-f', 'qcow2', p[6:], rc=None)
                p = raw
            with open(p, 'rb') as f:
                out.append(f.read())
        return out

    def same(self, what):
        check(self.content(self.hq) == self.content(self.dr), what, 'the sites differ')

    def are_whole(self):
        for p in self.disks.values():
            q = run('qemu-img', 'check', '-f', 'qcow2', p[6:], rc=None)
            check(q.returncode in (0, 3), p, q.stdout, q.stderr)     # 3: clusters leaked when it was killed, and no more

    def handed_over(self):
        """hq is a replica, at a point that dr goes on from."""
        self.dirty(self.hq)
        self.planned(self.hq, self.dr)
        self.dirty(self.dr)
        self.send(self.dr, self.hq)
        return self


def test_planned_there_and_back_twice():
    lab = Images()
    base = images.digest(lab.base)
    at = lab.disk_paths(lab.hq)
    for a, b in ((lab.hq, lab.dr), (lab.dr, lab.hq)) * 2:
        lab.dirty(a)
        want = lab.content(a)
        out = lab.file('final')
        p = a('failover', 'web1', '--planned', '--to', b.name, '--vm-is-shut-down', '-o', out)
        check('no replica can have it' not in p.stderr, p.stderr)
        b('import', out)
        p = b('failover', 'web1', '--planned', '--complete', '--reverse')
        if b is lab.hq:
            for w in (*at, 'qcow2:' + lab.path('swap.qcow2')):
                check("file=%s,format=qcow2" % w[6:].replace(',', ',,') in p.stdout, 'it is not said how it is run:', p.stdout)
        check(lab.content(b) == want, 'something was lost on the way to', b.name)
        lab.dirty(b)
        out = lab.send(b, a)
        check(json.loads(run(VMFERRY, 'inspect', '--json', out).stdout)['type'] == 'delta', 'all was sent again')
        check(turn.side(a) == [('replica', 'replicating')], turn.side(a))
        lab.same('after the way to ' + b.name)
        a('scrub', 'web1')
    check(lab.disk_paths(lab.hq) == at, 'the disks have moved')
    check(images.digest(lab.base) == base, 'what an image is based on was written to')
    lab.are_whole()
    images.no_server_is_left(lab)
    lab.close()


def test_unplanned_at_an_older_point_and_the_old_site_follows():
    lab = Images()
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    lab.dirty(lab.hq)                                   # what no point has
    lost = lab.content(lab.hq)
    lab.unplanned(lab.dr, '--point', 2)
    lab.dirty(lab.dr)
    word, says = lab.file('word'), lab.file('says')
    lab.dr('reverse', 'web1', '-o', word)
    lab.hq('import', word, rc=1)
    lab.hq('resync', 'web1', '--keep', 'dr', '-o', says, '--yes')
    out = lab.send(lab.dr, lab.hq, '--against', says)
    check(os.path.getsize(out) < 512 * K, 'all was sent again')
    lab.same('after the old site followed')
    lab.hq('scrub', 'web1')
    branch = [p for p in lab.hq.json('points', 'web1') if p['branch']][0]
    lab.hq('restore', 'web1', '--point', branch['seq'], '-o', lab.path('back'))
    for d, want in zip(('vda', 'vdb'), lost):
        with open(lab.path('back', d + '.raw'), 'rb') as f:
            check(f.read() == want, 'the branch is not what was lost, of', d)
    lab.planned(lab.dr, lab.hq, '--yes')
    lab.same('after the way back')
    lab.are_whole()
    lab.close()


def test_failovers_on_overlays_are_put_into_the_images():
    lab = Images().handed_over()
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    for seq in (lab.hq.json('points', 'web1')[-2]['seq'], lab.hq.json('points', 'web1')[-1]['seq']):
        before = lab.content(lab.hq)
        lab.hq('failover', 'web1', '--test', '--point', seq)
        test = os.path.join(lab.hq.replica(), 'test', 'vda.qcow2')
        lab.guest('qcow2:' + test, 'write -P 99 0 64k')
        lab.hq('failover', 'web1', '--stop-test')
        check(lab.content(lab.hq) == before, 'a test changed the disks')
    older = lab.hq.json('points', 'web1')[-2]['seq']
    lab.hq('restore', 'web1', '--point', older, '-o', lab.path('want'))
    lab.hq('failover', 'web1', '--unplanned', '--yes', '--point', older)
    for d in ('vda', 'vdb'):
        overlay = os.path.join(lab.hq.replica(), 'failover', d + '.qcow2')
        for where in ('qcow2:' + overlay, lab.path('want', d + '.raw')):
            lab.guest(where, 'write -P 77 128k 20k', 'write -z 0 64k')
    lab.hq('failover', 'web1', '--complete', '--yes')
    for d, got in zip(('vda', 'vdb'), lab.content(lab.hq)):
        with open(lab.path('want', d + '.raw'), 'rb') as f:
            check(f.read() == got, 'what the VM wrote is not on', d)
    word, says = lab.file('word'), lab.file('says')
    lab.hq('reverse', 'web1', '-o', word)
    lab.dr('import', word, rc=1)
    lab.dr('resync', 'web1', '--keep', 'hq', '-o', says, '--yes')
    lab.send(lab.hq, lab.dr, '--against', says)
    lab.same('after dr followed')
    lab.are_whole()
    lab.close()


def test_disks_grow_shrink_go_and_come_back():
    lab = Images().handed_over()
    a = lab.disk_paths(lab.dr)[0]
    for size in (6 * M, 1 * M + 512, 5 * M):
        os.truncate(a, size)
        lab.guest(a, 'write -P 9 %d 512' % (size - 512))
        lab.send(lab.dr, lab.hq)
        lab.same('at %d bytes:' % size)
    # One that is based on another shows nothing of that again where it was shorter meanwhile.
    b = lab.disk_paths(lab.dr)[1]
    for size in (128 * K, 512 * K):
        os.truncate(b, size)
        lab.send(lab.dr, lab.hq)
        lab.same('at %d bytes:' % size)
    lab.dr('enable', 'web1', '--remove', 'vda')
    lab.send(lab.dr, lab.hq)
    check(lab.hq.json('points', 'web1')[-1]['disks'][0]['size'] == 0, 'it is there yet')
    lab.hq('scrub', 'web1')
    lab.dr('enable', 'web1', '--disk', 'vda=' + a)
    lab.send(lab.dr, lab.hq)
    lab.same('after it came back')
    lab.send(lab.dr, lab.hq, '--seed')
    lab.same('after a new seed')
    lab.hq('scrub', 'web1')
    lab.are_whole()
    lab.close()


def test_an_image_that_a_vm_has_open_is_left_alone():
    lab = Images()
    lab.dirty(lab.hq)
    final = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', final)
    lab.dr('import', final)
    lab.dr('failover', 'web1', '--planned', '--complete', '--reverse')
    lab.dirty(lab.dr)
    delta = lab.file()
    lab.dr('export', 'web1', '-o', delta)
    path = lab.disks['vda'][6:]
    # As of the old primary's handover, which the first bundle is to use; and as a replica.
    for rc, words in ((None, 'open for writing'), (None, 'has it open')):
        with images.in_use(lab, 'qcow2', path):
            before = images.digest(path)
            p = lab.hq('import', delta, rc=rc)
            check(p.returncode == 1 and path in p.stderr and words in p.stderr, p.returncode, p.stderr)
            check(images.digest(path) == before, 'it was written to')
        if words == 'open for writing':
            lab.hq('import', delta)
            lab.dirty(lab.dr)
            delta = lab.file()
            lab.dr('export', 'web1', '--since', 'sent', '-o', delta)
        os.unlink(lab.path('sock')) if os.path.exists(lab.path('sock')) else None
    lab.hq('merge', 'web1')
    lab.same('at last')
    lab.close()


def killed_at(argv, name, n, log):
    """Killed at its own nth call of that name, not at one of those that it started; whether it was."""
    p = run('strace', '-qq', '-o', log, '-e', 'trace=' + name, '-e', 'inject=%s:signal=KILL:when=%d' % (name, n), *argv, rc=None)
    check(p.returncode in (0, -9, 137), argv, p.returncode, p.stderr)
    return p.returncode != 0


def test_a_merge_killed_anywhere_is_finished_later():
    if shutil.which('strace') is None:
        print('        skipped: no strace')
        return
    lab = Images(where=on_disk()).handed_over()
    n = 0
    for name, places in (('sendto', (2, 9, 21)), ('sendmsg', (1, 3)), ('pwrite64', (1, 4)), ('rename', (1, 2, 3)), ('renameat', (1, 2, 3)), ('fsync', (2, 6, 9)), ('clone', (1, 3, 5))):
        for k in places:
            lab.dirty(lab.dr, 1)
            delta, back = lab.file(), lab.file('r')
            lab.dr('export', 'web1', '-o', delta)
            lab.hq('import', '--no-merge', delta)
            if killed_at([tool('merge'), '--home', lab.hq.home, 'web1'], name, k, lab.path('log')):
                n += 1
                images.no_server_is_left(lab)
                lab.hq('merge', 'web1')
            lab.same('killed at %s %d:' % (name, k))
            lab.are_whole()
            lab.hq('import', delta, '--receipt', back, rc=None)
            lab.dr('import', back)
    print('        killed at %d places' % n)
    check(n >= 6, 'killed at', n, 'places only')
    lab.hq('scrub', 'web1')
    lab.close()


def test_qemu_nbd_killed_in_a_merge_is_no_merge():
    lab = Images().handed_over()
    a = lab.disk_paths(lab.dr)[0]
    run('qemu-img', 'bitmap', '--add', '-f', 'qcow2', lab.disks['vda'][6:], 'since')
    os.truncate(a, 64 * M)
    lab.guest(a, *['write -P %d %dM 4M' % (i + 1, 4 * i) for i in range(16)])
    delta = lab.file()
    lab.dr('export', 'web1', '-o', delta)
    lab.hq('import', '--no-merge', delta)
    path = lab.disks['vda'][6:]
    size = os.path.getsize(path)
    p = start(VMFERRY, '--home', lab.hq.home, 'merge', 'web1', stderr=subprocess.PIPE, text=True)
    while os.path.getsize(path) < size + 4 * M:
        check(p.poll() is None, 'it ended')
    for pid in images.servers(path):
        os.kill(pid, 9)
    words = p.communicate()[1]
    check(p.returncode == 3 and path in words, 'exit', p.returncode, words)
    lab.hq('merge', 'web1')
    lab.same('afterwards')
    # Its bitmap was not closed in order, and QEMU resizes no image that has such a one.
    os.truncate(a, 66 * M)
    lab.send(lab.dr, lab.hq, '--since', 'sent', receipt=False)
    lab.same('and larger')
    lab.hq('scrub', 'web1')
    lab.are_whole()
    lab.close()


HOST = """#!/bin/sh
cat >>'%s'
case $1 in
state) echo '{"state": "off", "stopped": "shutdown"}' ;;
*) echo '{}' ;;
esac
"""


def test_the_host_forgets_what_it_kept_track_of_and_is_told_the_format():
    lab = Images()
    program, log = lab.path('host'), lab.path('asked')
    with open(program, 'w') as f:
        f.write(HOST % log)
    os.chmod(program, 0o755)
    lab.hq('enable', 'web1', '--host', 'exec:' + program)
    state = glob.glob(os.path.join(lab.hq.home, 'primaries', '*-*', 'state'))[0]
    edit_record(state, lambda o: o.update(tracker='vmferry-x-1'))
    with open(state, 'rb') as f:
        lineage = json.loads(f.read()[:-22])['lineage']
    lab.handed_over()
    with open(log) as f:
        asked = [json.loads(x) for x in f.read().splitlines()]
    forget = [q for q in asked if q['verb'] == 'forget']
    check([q['prefix'] for q in forget] == ['vmferry-%s-' % lineage[:16]], 'asked to forget:', forget)
    told = [q for q in asked if q['verb'] == 'define'][-1]
    check(told['purpose'] == 'replica' and [(d['path'], d['format']) for d in told['disks']] == [(p, 'qcow2') for p in (*[w[6:] for w in lab.disks.values()], lab.path('swap.qcow2'))], told)
    n = len(asked)
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    with open(log) as f:
        check('forget' not in [json.loads(x)['verb'] for x in f.read().splitlines()[n:]], 'asked again')
    lab.close()


def test_an_image_is_moved_to_a_raw_file():
    lab = Images().handed_over()
    p = lab.hq('move', 'web1', '--disk', 'vda=qcow2:' + lab.path('x.qcow2'), rc=1)
    check('raw file' in p.stderr, p.stderr)
    path = lab.disks['vda'][6:]
    p = lab.hq('move', 'web1', '--disk', 'vda=' + lab.path('vda.raw'))
    check(lab.disk_paths(lab.hq)[0] == lab.path('vda.raw') and os.path.exists(path), p.stderr)
    lab.hq('move', 'web1', '--disk', 'vdb')
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    lab.same('after the move')
    lab.close()


def test_an_image_that_is_only_read_has_a_way_out():
    lab = turn.Pair(sizes=(), enable=False)
    lab.disks = {'vda': 'vmdk:' + images.image(lab, 'vmdk', 'disk.vmdk')}
    p = lab.disks['vda'][5:]
    run('qemu-img', 'convert', '-O', 'vmdk', images.image(lab, 'qcow2', 'x.qcow2'), p)
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args())
    lab.send(lab.hq, lab.dr, '--seed')
    out = lab.file('final')
    q = lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', out)
    check('no replica can have it' in q.stderr and 'qcow2' in q.stderr, q.stderr)
    lab.dr('import', out)
    lab.dr('failover', 'web1', '--planned', '--complete', '--reverse')
    delta = lab.file()
    lab.dr('export', 'web1', '-o', delta)
    q = lab.hq('import', delta, rc=1)
    check('--remove vda --disk vda=qcow2:PATH' in q.stderr, q.stderr)
    run('qemu-img', 'convert', '-f', 'vmdk', '-O', 'qcow2', p, lab.path('disk.qcow2'))
    lab.hq('enable', 'web1', '--remove', 'vda', '--disk', 'vda=qcow2:' + lab.path('disk.qcow2'))
    lab.hq('import', delta)
    check(turn.side(lab.hq) == [('replica', 'replicating')], turn.side(lab.hq))
    lab.hq('scrub', 'web1')
    lab.close()


if __name__ == '__main__':
    if any(shutil.which(p) is None for p in images.NEEDED):
        print('        skipped: no qemu-utils')
        print('1 passed, 0 failed')
        raise SystemExit(0)
    hurry()
    main(__name__)
