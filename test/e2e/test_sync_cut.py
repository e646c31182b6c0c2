#!/usr/bin/env python3
"""A line that is cut anywhere: sync goes on by itself, at the byte, and the replica is at a right point at any moment."""
import concurrent.futures, shlex, signal

from lab import *

CUTLINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cutline.py')
SEGMENT = 1 * M + 64 * K          # what a segment takes in a bundle, at most, with its frame
HANDSHAKE = 400                   # bytes of one way
FRAME = 256 * K                   # of the session: what came of one that is not whole is of no use
SMALL = 96 * K                    # handshakes, questions and answers, receipts


class CutLab(Lab):
    """Its line from hq to dr goes through one that is cut as cuts says: (direction, bytes) for each time."""
    def __init__(self, cuts=(), **kw):
        super().__init__(**kw)
        os.mkdir(self.path('line'))
        with open(self.path('line', 'cuts'), 'w') as f:
            f.writelines('%s %d\n' % c for c in cuts)
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


def spread(total, n):
    """n places over all of it, and the first and last bytes one by one."""
    return sorted({*range(0, 400, 57), *range(400, total, max(1, total // n)), *range(max(0, total - 300), total + 1, 41)})


def whole_session(make):
    """What goes each way when nothing is cut."""
    lab = make(())
    lab.sync()
    (went, came), = lab.carried()
    lab.close()
    return went, came


def cut_each(make, direction, places, whole):
    """Cut at each place, once; several at a time, since they mostly wait."""
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
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for f in [pool.submit(one, p) for p in places]:
            f.result()


def seed_lab(cuts):
    lab = CutLab(cuts, sizes=(6 * M, 64 * K))
    lab.fill()
    return lab


def delta_lab(cuts):
    lab = CutLab(sizes=(6 * M, 64 * K))
    lab.dr('import', lab.export('--seed', '--to', 'dr'))
    with open(lab.path('line', 'cuts'), 'w') as f:
        f.writelines('%s %d\n' % c for c in cuts)
    lab.fill(5 * M)
    return lab


def test_a_seed_that_is_cut_on_its_way_goes_on_at_the_byte():
    went, _ = whole_session(seed_lab)
    cut_each(seed_lab, 'to', spread(went, 12), went)


def test_a_delta_that_is_cut_on_its_way_goes_on_at_the_byte():
    went, _ = whole_session(delta_lab)
    cut_each(delta_lab, 'to', spread(went, 12), went)


def test_answers_that_are_cut_are_asked_for_again():
    went, came = whole_session(delta_lab)
    cut_each(delta_lab, 'from', spread(came, 10), went)


if __name__ == '__main__':
    main(__name__)
