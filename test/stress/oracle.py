"""What must be true: plain copies of the disks at each point, and the rules by which both sides move.

Nothing here asks the tools.  A command that changes a replica is a row of states, one for each durable step;
a command that was cut short, by a kill or a power failure, must have left one of them.
"""
import collections, os, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from lab import *

CHUNK = 1 << 16


def copy_sparse(src, dst):
    with open(src, 'rb') as f, open(dst, 'wb') as g:
        size = os.fstat(f.fileno()).st_size
        for at in range(0, size, CHUNK):
            data = f.read(CHUNK)
            if data.count(0) != len(data):
                g.seek(at)
                g.write(data)
        g.truncate(size)


def first_difference(a, b):
    """Where two files differ first; None if they do not."""
    with open(a, 'rb') as f, open(b, 'rb') as g:
        at = 0
        while True:
            x, y = f.read(CHUNK), g.read(CHUNK)
            if x != y:
                return at + next((i for i, (p, q) in enumerate(zip(x, y)) if p != q), min(len(x), len(y)))
            if not x:
                return None
            at += len(x)


class Oracle:
    """Plain, sparse copies of all disks at every point."""
    def __init__(self, folder, disks):
        self.folder, self.disks, self.unknown = folder, disks, set()
        os.makedirs(folder)

    def path(self, seq, disk):
        return os.path.join(self.folder, '%s.%s' % (seq, disk))

    def keep(self, seq):
        self.unknown.discard(seq)
        for i, p in self.disks.items():
            copy_sparse(p, self.path(seq, i))

    def forget(self, seq):
        for i in self.disks:
            os.unlink(self.path(seq, i))

    def has(self, seq):
        return os.path.exists(self.path(seq, next(iter(self.disks))))

    def compare(self, seq, folder, what):
        """The images in a folder are the disks at that point (if that is known)."""
        for i in self.disks:
            if seq in self.unknown:
                return
            image = os.path.join(folder, i + '.raw')
            at = first_difference(self.path(seq, i), image)
            check(at is None, '%s: %s differs from the disk at point %s from byte %s on (sizes %d and %d)' %
                  (what, image, seq, at, os.path.getsize(image), os.path.getsize(self.path(seq, i))))

    def untouched(self, seq):
        """No export writes to its source."""
        for i, p in self.disks.items():
            check(first_difference(self.path(seq, i), p) is None, 'the export changed disk', i)


# --- a replica ----------------------------------------------------------------------------------------------

Bundle = collections.namedtuple('Bundle', 'path kind start end sites plain')

# known: 0 no replica, 1 placeholder, 2 replica.  points: (seq, pinned), ascending.  staged: where they lead; at a
# placeholder: the seed that is on its way to the disks.
State = collections.namedtuple('State', 'known points staged merging')
NOTHING = State(0, (), (), False)


def held(s):
    if not s.points:
        return 0
    return s.staged[-1] if s.staged else s.points[-1][0] if s.points else 0


def prune(s, keep):
    points = s.points
    while len(points) > keep and not points[0][1]:
        points = points[1:]
    return s._replace(points=points)


def merge_one(s, keep):
    """The states that merging the first staged bundle leads through."""
    out = []
    if not s.merging:
        s = s._replace(merging=True)
        out.append(s)
    has_undo = keep > 1 or any(pinned for _, pinned in s.points)
    s = s._replace(points=(s.points if has_undo else ()) + ((s.staged[0], False),), staged=s.staged[1:], merging=False)
    return out + [s, prune(s, keep)]


def merge_all(s, keep):
    out = []
    while s.staged and s.points:
        out += merge_one(s, keep)
        s = out[-1]
    return out + [prune(s, keep)]


def recover(s, keep):
    """What a command does first that looks at the disks."""
    return merge_one(s, keep) if s.merging else []


def base_of(path):
    """Where a bundle starts, by its own word: 0 for a seed."""
    h = json.loads(run(VMFERRY, 'inspect', '--json', path).stdout)
    return h['from']['seq'] if h['type'] == 'delta' else 0


def receive(s, b, site, keep, merge):
    """An import of bundle b: its exit status, and the states that it leads through.  None: it would wait for others."""
    if b.sites and site not in b.sites:
        return 1, []
    if not s.points:
        if b.kind != 'seed':
            return None, []
        # A new placeholder has its record before it has its name.
        return 0, [s._replace(known=1), s._replace(known=1, staged=(b.end,)), State(2, ((b.end, False),), (), False)]
    if b.end <= held(s):
        return 0, merge_all(s, keep) if merge else []
    if b.kind == 'delta' and b.start > held(s):
        return None, []
    s = s._replace(staged=s.staged + (b.end,))
    return 0, [s] + (merge_all(s, keep) if merge else [])


def pin(s, seq, value, keep):
    out = recover(s, keep)
    s = out[-1] if out else s
    if seq not in [p for p, _ in s.points]:
        return 1, out
    return 0, out + [s._replace(points=tuple((p, value if p == seq else v) for p, v in s.points))]


def prune_now(s, keep):
    out = recover(s, keep)
    return out + [prune(out[-1] if out else s, keep)]


Seen = collections.namedtuple('Seen', 'known points staged merging')


def seen(s):
    """What of a state the tools show."""
    return Seen(s.known, s.points, len(s.staged), s.merging)


def look(site):
    """What the tools show of a replica now."""
    p = site('points', 'web1', '--json', rc=None)
    if p.returncode == 1:
        return Seen(0, (), 0, False)
    check(p.returncode == 0, 'points: exit', p.returncode, p.stderr)
    points = tuple((x['seq'], x['pinned']) for x in json.loads(p.stdout))
    status, = site.json('status')
    check(status['points'] == len(points), 'status and points differ:', status, points)
    last = status['last_point']
    check((last['seq'] if last else 0) == (points[-1][0] if points else 0), 'status and points differ:', status, points)
    check(status['state'] in ('waiting-for-initial', 'replicating'), 'the replica is in state', status['state'], *status['causes'])
    check((status['state'] == 'replicating') == bool(points), status['state'], 'with points', points)
    return Seen(2 if points else 1, points, status['staged'], any('interrupted' in c for c in status['causes']))


def settle(before, states, now, what):
    """After a command that may have been cut short: the state that it left, which must be one of its own."""
    found = [s for s in [before] + states if seen(s) == now]
    check(found, '%s left %s, which is none of %s' % (what, now, [tuple(seen(s)) for s in [before] + states]))
    return found[-1]


# --- the primary --------------------------------------------------------------------------------------------

class Primary:
    """What the primary's record must say."""
    def __init__(self, sites):
        self.last, self.points = 0, []
        self.targets = {s: {'seeded': 0, 'sent': 0, 'acked': 0} for s in sites}
        self.exact = True       # after an interruption those that nobody needs may be there, or not

    def bases(self, sites, seed=False, delta=False, since=None):
        """Where an export may start: one point, 0 for a seed, None if it is refused; more where it is not known."""
        if seed:
            return {0}
        if isinstance(since, int):
            return ({since} if since in self.points else {None}) | ({None} if not self.exact and since < self.low() else set())
        if not sites:
            # For nobody in particular: the first point whose changes are kept.
            return set(self.points[:1] if self.exact else self.points) or {None if delta else 0}
        base = min(t['sent'] if since == 'sent' and t['sent'] else t['acked'] or t['seeded'] for t in (self.targets[s] for s in sites))
        return {None if base == 0 and delta else base}

    def has_something(self, site):
        return bool(self.targets[site]['acked'] or self.targets[site]['seeded'])

    def low(self):
        """Nothing before this point is needed."""
        return min([t['acked'] or t['seeded'] for t in self.targets.values() if t['acked'] or t['seeded']] + [self.last])

    def cut(self, sites, base):
        """The point is in the record."""
        self.last += 1
        self.points.append(self.last)
        for s in sites:
            if base == 0 and self.targets[s]['seeded'] == 0:
                self.targets[s]['seeded'] = self.last

    def prune(self):
        self.points = [p for p in self.points if p >= self.low()]
        self.exact = True

    def sent(self, sites):
        for s in sites:
            self.targets[s]['sent'] = self.last

    def acknowledge(self, site, seq):
        self.targets[site]['acked'] = max(self.targets[site]['acked'], seq)
