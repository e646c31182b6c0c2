#!/usr/bin/env python3
"""A line that is cut anywhere: sync goes on by itself, at the byte, and the replica is at a right point at any moment."""
import concurrent.futures, shlex, signal

from lab import *
from test_views_host import Host

CUTLINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cutline.py')
CUTS = int(os.environ.get('VMFERRY_CUTS', 2))
SEGMENT = 1 * M + 64 * K          # what a segment takes in a bundle, at most, with its frame
HANDSHAKE = 500                   # bytes of one way, at least
FRAME = 256 * K                   # of the session: what came of one that is not whole is of no use
SMALL = 96 * K                    # handshakes, questions and answers, receipts


def cut_line(cut):
    """(direction, bytes), or with who is killed then behind it."""
    return '%s %d %s\n' % (*cut, 'cut')[:3]


class CutLab(Lab):
    """Its line from hq to dr goes through one that is cut as cuts says: (direction, bytes) for each time."""
    def __init__(self, cuts=(), **kw):
        super().__init__(**kw)
        os.mkdir(self.path('line'))
        with open(self.path('line', 'cuts'), 'w') as f:
            f.writelines(cut_line(c) for c in cuts)
        self.via = ' '.join(map(shlex.quote, (sys.executable, '-B', CUTLINE, self.path('line'), VMFERRY, '--home',
                                              self.dr.home, 'serve')))

    def carried(self):
        """Bytes that went to dr, and that came from there, on each line."""
        with open(self.path('line', 'carried')) as f:
            return [tuple(map(int, l.split())) for l in f]

    def fill(self, length=6 * M):
        """All of the first disk is of content that does not compress."""
        self.write(self.disks['vda'], 0, length)

    def sync(self, *args, rc=0):
        return self.hq('sync', 'web1', '--via', self.via, *args, rc=rc)

    def is_same(self, what=''):
        for i, p in self.disks.items():
            check(filecmp.cmp(p, os.path.join(self.dr.replica(), 'disks', i + '.raw'), shallow=False), what, 'disk', i,
                  'differs')

    def acked(self):
        return self.hq.json('status')[0]['targets'][0]['acked']


def spread(total, first=0):
    """Places over all of it, and more of them where the session begins and ends; VMFERRY_CUTS says how many."""
    ends = range(0, 600, 600 // CUTS)
    return sorted({*ends, *range(600, total, max(1, total // CUTS)), *(total - e for e in ends)} - set(range(first)))


def whole_session(make):
    """What goes each way when nothing is cut."""
    lab = make(())
    lab.sync()
    (went, came), = lab.carried()
    lab.close()
    return went, came


def at_once(one, places):
    """Several at a time, since they mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for f in [pool.submit(one, p) for p in places]:
            f.result()


def cut_each(make, direction, places, whole):
    """Cut at each place, once."""
    def one(place):
        lab = make([(direction, place)])
        p = lab.sync(rc=None)
        if p.returncode != 0:
            # Of a way that never led anywhere it is said at once.
            check(p.returncode == 3 and place < HANDSHAKE, 'cut', direction, 'at', place, p.stderr)
            p = lab.sync()
        lab.is_same('cut %s at %d:' % (direction, place))
        sizes = lab.carried()
        again = sum(s[0] for s in sizes) - whole
        check(again <= SEGMENT + FRAME + SMALL, 'cut', direction, 'at', place, 'cost', again, 'bytes', sizes, p.stderr)
        points = lab.dr.json('points', 'web1')
        check(lab.acked() == points[-1]['seq'], 'cut', direction, 'at', place, 'what is acknowledged is not what is there')
        lab.close()
    at_once(one, places)


def seed_lab(cuts):
    lab = CutLab(cuts, sizes=(6 * M, 64 * K))
    lab.fill()
    return lab


def delta_lab(cuts):
    lab = CutLab(sizes=(6 * M, 64 * K))
    lab.dr('import', lab.export('--seed', '--to', 'dr'))
    with open(lab.path('line', 'cuts'), 'w') as f:
        f.writelines(cut_line(c) for c in cuts)
    lab.fill(5 * M)
    return lab


def test_a_seed_that_is_cut_on_its_way_goes_on_at_the_byte():
    went, _ = whole_session(seed_lab)
    cut_each(seed_lab, 'to', spread(went), went)


def test_a_delta_that_is_cut_on_its_way_goes_on_at_the_byte():
    went, _ = whole_session(delta_lab)
    cut_each(delta_lab, 'to', spread(went), went)


def test_answers_that_are_cut_are_asked_for_again():
    went, came = whole_session(delta_lab)
    cut_each(delta_lab, 'from', spread(came), went)


def test_a_line_that_is_cut_again_and_again_is_got_over():
    went, _ = whole_session(seed_lab)
    lab = seed_lab([('to', 1200 * K), ('to', 1500 * K), ('from', 300), ('to', 1300 * K), ('to', 200)])
    lab.sync()
    lab.is_same()
    again = sum(s[0] for s in lab.carried()) - went
    check(again <= 5 * (SEGMENT + FRAME) + SMALL, again)


def test_a_vm_that_runs_is_frozen_once_however_often_the_line_is_cut():
    lab = CutLab([('to', 1200 * K), ('to', 1500 * K), ('to', 1300 * K)], sizes=(6 * M, 64 * K), enable=False)
    lab.fill()
    host = Host(lab)
    lab.hq('enable', 'web1', '--to', 'dr', '--points', 24, '--host', 'exec:' + host.program)
    lab.keep('frozen')
    host.frozen()
    lab.fill()
    lab.sync()
    check(len(host.asked('view')) == 1, host.asked('view'))
    check([e['word'] for e in host.asked('end')] == ['keep'], host.asked('end'))
    lab.same('frozen', os.path.join(lab.dr.replica(), 'disks'))
    check(len(lab.carried()) == 4, lab.carried())


def killed(what, make):
    went, _ = whole_session(make)

    def one(place):
        lab = make([('to', place, what)])
        p = lab.sync(rc=None)
        if what == 'sync':
            # With its last byte it may be done.
            check(p.returncode == -signal.SIGKILL or place == went, p.returncode, p.stderr)
        for r in glob.glob(lab.dr.home + '/replicas/*-*'):
            check(lab.dr('scrub', 'web1', rc=None).returncode in (0, 1), 'the replica is damaged')
        if p.returncode != 0:
            lab.sync()
        lab.is_same('%s killed at %d:' % (what, place))
        check(lab.acked() == lab.dr.json('points', 'web1')[-1]['seq'])
        lab.close()
    at_once(one, spread(went, HANDSHAKE))


def test_a_caller_that_is_killed_is_gone_on_from():
    killed('sync', seed_lab)
    killed('sync', delta_lab)


def test_who_is_called_may_be_killed():
    killed('serve', seed_lab)
    killed('serve', delta_lab)


def test_a_large_bundle_is_gone_on_with_after_a_kill():
    """Where nobody is left who knows what was sent, the disks and the log of what was sent do."""
    lab = CutLab([('to', 50 * M, 'sync')], sizes=(66 * M, 64 * K))
    lab.fill(66 * M)
    os.utime(lab.disks['vda'], (1, 1))     # of what was written a moment ago nobody can say that it is the same
    os.utime(lab.disks['vdb'], (1, 1))
    lab.sync(rc=-signal.SIGKILL)
    p = lab.sync()
    lab.is_same()
    sizes = lab.carried()
    check(sum(s[0] for s in sizes) - 66 * M <= 2 * SEGMENT + 2 * SMALL, sizes, p.stderr)


def test_a_fetch_and_a_resync_that_are_cut_are_got_over():
    def fetch(place):
        lab = delta_lab([('from', place)])
        lab.dr('sync', 'web1', '--via', lab.via.replace(lab.dr.home, lab.hq.home))
        lab.is_same('fetch cut at %d' % place)
        lab.close()

    def resync(place):
        lab = delta_lab([('to', place)])
        lab.sync('--resync')
        lab.is_same('resync cut at %d' % place)
        lab.close()
    def killed(place):
        lab = delta_lab([('to', place, 'sync')])
        lab.sync('--resync', rc=-signal.SIGKILL)
        lab.sync('--resync')
        lab.is_same('resync killed at %d' % place)
        check(os.listdir(os.path.join(lab.dr.replica(), 'inbox')) == [], 'what is of no use was kept')
        lab.close()
    at_once(killed, (600, 3 * M))
    at_once(fetch, (600, 3 * M, 5 * M))
    at_once(resync, (600, 3 * M, 5 * M))


if __name__ == '__main__':
    main(__name__, jobs=4)
