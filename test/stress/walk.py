#!/usr/bin/env python3
"""Random walks of two or three sites, compared with an oracle at every step.

    walk.py [--seconds S] [--jobs N] [--seed N [--many]] [--walks N] [--enough N] [--keep]

A guest writes, trims and resizes; points are cut and exported in every way; bundles and receipts get lost, come
twice, late, damaged or to the wrong site; tools are killed.  What a replica holds is compared with plain copies of
the disks, what the tools say with the rules in oracle.py.  A walk is made from its seed alone: --seed N repeats
one, and a walk that fails prints its seed and its steps.
"""
import re, argparse, ctypes, itertools, signal, threading

from oracle import *
from inject import hurry, leftovers, on_disk, strace, tool

libc = ctypes.CDLL(None, use_errno=True)
SIZES = [512, 1024, 3584, 4096, 4608, 8192, 12 * K + 512, 64 * K, 128 * K + 512, 256 * K, 512 * K, 1 * M - 512, 1 * M,
         2 * M + 1536, 4 * M, 5 * M + 512, 9 * M]
WEIGHTS = [3, 2, 2, 3, 3, 3, 4, 5, 5, 5, 5, 4, 4, 3, 2, 1, 1]
LARGEST = 12 * M
# Where a tool is killed: a call, and the highest number of it that is worth a try, on one processor.  The loader
# makes some 25 opens before anything happens.
KILL_AT = {'fsync': 18, 'rename': 6, 'writev': 30, 'pwrite64': 8, 'ftruncate': 4, 'unlink': 4, 'fallocate': 3, 'openat': 66, 'write': 3,
           'fchmod': 3}
KILL_WEIGHTS = [6, 4, 4, 3, 2, 3, 1, 4, 1, 1]


def punch(path, offset, length):
    """Discard: True if the file system made a hole."""
    with open(path, 'r+b') as f:
        return libc.fallocate(f.fileno(), 3, ctypes.c_long(offset), ctypes.c_long(length)) == 0


class Walk:
    def __init__(self, seed):
        self.seed, self.log, self.counts = seed, [], collections.Counter()
        r = self.r = random.Random('walk %d' % seed)
        self.lab = Lab(where=on_disk(), sizes=(), enable=False)
        self.keep = r.choice([1, 1, 2, 3, 5, 24])
        names = ['dr', 'dr2'] if r.random() < 0.3 else ['dr']
        self.is_for_nobody = len(names) == 1 and r.random() < 0.06
        self.sites = {'dr': self.lab.dr}
        if len(names) == 2:
            self.sites['dr2'] = Site(self.lab, 'dr2')
            self.lab.hq('trust', 'add', self.lab.path('dr2.card'))
            self.sites['dr2']('trust', 'add', self.lab.hq.card, '--vm', 'web*')
        if self.is_for_nobody:
            self.lab.hq('trust', 'remove', 'dr')
        if r.random() < 0.3:
            self.lab.dr('trust', 'add', self.lab.hq.card, '--vm', 'web*', '--store', self.lab.path('store'))
        self.disks = self.lab.disks
        for i in range(r.choice([1, 1, 2, 2, 3])):
            size = r.choices(SIZES, WEIGHTS)[0]
            self.disks['vd%c' % (97 + i)] = p = self.lab.path('vd%c.img' % (97 + i))
            with open(p, 'wb') as f:
                f.truncate(size)
        to = [] if self.is_for_nobody or r.random() < 0.2 and len(names) == 1 else [a for n in names for a in ('--to', n)]
        self.lab.hq('enable', 'web1', *to, '--points', self.keep, *self.lab.disk_args())
        self.known_targets = [] if self.is_for_nobody else names
        self.primary = Primary(self.known_targets)
        self.oracle = Oracle(self.lab.path('oracle'), self.disks)
        self.state = {n: NOTHING for n in names}
        self.chain = {n: [] for n in names}
        self.accepted = {n: {} for n in names}      # by where it leads: the bundle that a replica took
        self.bundles, self.receipts, self.flips = [], [], {}
        self.tracked = {i: [] for i in self.disks}
        self.after_kill = set()     # sites where an interruption may have left files that no record names
        self.files = 0
        self.say('%d sites%s, %d points, disks %s' % (len(names), ', for nobody in particular' if self.is_for_nobody else '', self.keep,
                 ' '.join('%s=%d' % (i, os.path.getsize(p)) for i, p in self.disks.items())))
        self.content()

    def say(self, text):
        self.log.append(text)

    def close(self):
        self.lab.close()

    def new_file(self, kind):
        self.files += 1
        return self.lab.path('%s%d.vmf' % (kind, self.files))

    # --- the guest

    def disk(self):
        i = self.r.choice(sorted(self.disks))
        return i, self.disks[i], os.path.getsize(self.disks[i])

    def put(self, i, offset, data):
        with open(self.disks[i], 'r+b') as f:
            f.seek(offset)
            f.write(data)
        self.tracked[i].append((offset, len(data)))

    def data(self, n, path):
        r, kind = self.r, self.r.random()
        if kind < 0.45:
            return r.randbytes(n)
        if kind < 0.65:
            return (b'%08d the quick brown fox' % r.randrange(10 ** 8) * (n // 20 + 1))[:n]
        if kind < 0.75:
            return bytes([r.randrange(256)]) * n
        size = os.path.getsize(path)
        with open(path, 'rb') as f:     # what stands elsewhere on the disk
            f.seek(r.randrange(max(1, size - n) + 1))
            return f.read(n).ljust(n, b'\1')

    def content(self):
        for i, p in self.disks.items():
            n = os.path.getsize(p)
            for _ in range(self.r.randrange(4)):
                length = min(n, self.r.choice([512, 4 * K, 64 * K, 300 * K, n]))
                self.put(i, self.r.randrange(n - length + 1), self.data(length, p))

    def do_write(self):
        i, p, size = self.disk()
        kind = self.r.choice(['aligned', 'aligned', 'unaligned', 'scattered', 'scattered', 'big', 'same'])
        if kind == 'aligned':
            offset = self.r.randrange((size + 4095) // 4096) * 4096
            spans = [(offset, min(size - offset, self.r.randrange(1, 17) * 4096))]
        elif kind == 'unaligned':
            offset = self.r.randrange(size)
            spans = [(offset, min(size - offset, self.r.randrange(1, 64 * K)))]
        elif kind == 'big':
            length = min(size, self.r.choice([256 * K, 1 * M, 5 * M, size]))
            spans = [(self.r.randrange((size - length) // 512 + 1) * 512, length)]
        elif kind == 'same':
            offset = self.r.randrange(size)
            with open(p, 'rb') as f:
                f.seek(offset)
                self.put(i, offset, f.read(min(20 * K, size - offset)))
            spans = []
        else:
            spans = []
            for _ in range(self.r.randrange(3, 60)):
                offset = self.r.randrange(size // 512) * 512
                spans.append((offset, min(size - offset, self.r.choice([512, 512, 4 * K, 1536]))))
        for offset, length in spans:
            self.put(i, offset, self.data(length, p))
        self.say('write %s %s %s' % (i, kind, spans if len(spans) < 4 else '%d places' % len(spans)))

    def do_zero(self):
        i, p, size = self.disk()
        offset = self.r.randrange(size // 512) * 512
        length = min(size - offset, self.r.choice([512, 4 * K, 40 * K, 1 * M, size]))
        self.put(i, offset, bytes(length))
        self.say('zero %s %d %d' % (i, offset, length))

    def do_punch(self):
        i, p, size = self.disk()
        offset = self.r.randrange(size // 512) * 512
        length = min(size - offset, self.r.choice([512, 4 * K, 8 * K, 100 * K, 1 * M, size]))
        if not punch(p, offset, length):
            self.put(i, offset, bytes(length))
        self.tracked[i].append((offset, length))
        self.say('punch %s %d %d' % (i, offset, length))

    def do_resize(self):
        i, p, size = self.disk()
        new = self.r.choice([size + 512, size + 4096, size - 512, size - 4096, size * 2, size // 1024 * 512, size + 3584, 512,
                             self.r.choices(SIZES, WEIGHTS)[0], self.r.randrange(1, 2 * size // 512 + 1) * 512])
        new = max(512, min(LARGEST, new))
        os.truncate(p, new)
        self.tracked[i].append((min(size, new), abs(size - new)))
        self.say('resize %s %d -> %d' % (i, size, new))

    def do_flip(self):
        """X, then Y, then X again, with points between: a delta over all of it must still carry it."""
        i, p, size = self.disk()
        offset = self.r.randrange((size + 4095) // 4096) * 4096
        length = min(size - offset, self.r.choice([512, 4 * K, 12 * K]))
        with open(p, 'rb') as f:
            f.seek(offset)
            x = f.read(length)
        y = bytes(length) if self.r.random() < 0.3 else self.r.randbytes(length)
        self.say('flip %s %d %d' % (i, offset, length))
        for data in (y, x):
            if os.path.getsize(p) >= offset + length:
                self.put(i, offset, data)
            self.do_export()
            if self.r.random() < 0.4 and self.bundles:
                self.take(self.r.choice(sorted(self.sites)), self.bundles[-1])

    # --- the primary

    def lines(self, i, spans, kind):
        r, out, size = self.r, [], os.path.getsize(self.disks[i])
        for offset, length in spans:
            if kind == 'superset':
                offset, length = offset // 65536 * 65536, length + 65536
            form = r.choice(['%s %d %d', '%s %#x %#x', '%s\t%d  %d data', '%s %d %#x'])
            out.append(form % (i, offset, length))
        if kind == 'superset' and r.random() < 0.5:
            out.append('%s %d %d' % (i, r.randrange(size), r.randrange(1, size + 1)))
        return out

    def differing(self, i):
        """The sectors that are not what they were at the newest point, on what both have of the disk."""
        out = []
        with open(self.disks[i], 'rb') as f, open(self.oracle.path(self.primary.last, i), 'rb') as g:
            a, b = f.read(), g.read()
        for at in range(0, min(len(a), len(b)), 4096):
            if a[at:at + 4096] == b[at:at + 4096]:
                continue
            for s in range(at, min(at + 4096, len(a), len(b)), 512):
                if a[s:s + 512] != b[s:s + 512]:
                    out.append((s, 512))
        return out

    def changes(self):
        """A list of changes since the newest point; True if it leaves something out."""
        kind = self.r.choice(['exact', 'exact', 'tracked', 'superset', 'lying'])
        out, left_out = ['# changes'], False
        for i in sorted(self.disks):
            spans = self.tracked[i] if kind in ('tracked', 'superset') else self.differing(i)
            if kind == 'lying' and spans:
                spans = [s for s in spans if self.r.random() < 0.7]
                left_out = True
            out += self.lines(i, spans, kind)
        if self.r.random() < 0.5:
            self.r.shuffle(out)
        if self.r.random() < 0.3:
            out += self.r.sample(out, min(len(out), 5)) + ['']
        if len(self.disks) == 1 and self.r.random() < 0.5:
            out = [l.replace('vda', '', 1).strip() for l in out]
        path = self.lab.path('changes')
        with open(path, 'w') as f:
            f.write('\n'.join(out) + '\n')
        return kind, path, left_out

    def plan_export(self):
        r, args, how = self.r, [], {}
        if r.random() < (0.12 if self.primary.last else 0.7):
            how['seed'] = True
            args.append('--seed')
        elif r.random() < 0.6:
            how['delta'] = True
            args.append('--delta')
        if 'seed' not in how:
            pick = r.random()
            if pick < 0.3 and self.primary.last:
                how['since'] = r.randrange(max(1, self.primary.last - 5), self.primary.last + 1)
            elif pick < 0.5:
                how['since'] = 'sent'
            elif pick < 0.6:
                args += ['--since', 'acked']
            if 'since' in how:
                args += ['--since', how['since']]
        sites = self.known_targets
        if len(sites) > 1 and r.random() < 0.4:
            sites = [r.choice(sites)]
            args += ['--to', sites[0]]
        elif 'seed' not in how:
            # One that has nothing yet does not make a seed of what the others get.
            sites = [s for s in sites if self.primary.has_something(s)] or sites
        plain = self.is_for_nobody or r.random() < 0.45
        if plain:
            args.append('--plain')
        if r.random() < 0.6:
            args += ['--compress', r.choice(['none', 'fast', 'default', 'best'])]
        left_out = False
        if 'seed' not in how and self.primary.last and self.oracle.has(self.primary.last) and r.random() < 0.45:
            kind, path, left_out = self.changes()
            if self.primary.last not in self.oracle.unknown:
                args += ['--changes', path]
            elif kind in ('tracked', 'superset'):   # what was left out before is not in these either
                args += ['--changes', path]
                left_out = True
            else:                                   # a comparison finds it
                left_out = False
        return args, how, sites, plain, left_out

    def cut_points(self, base, sites, left_out, now):
        """Follow what the primary says was cut."""
        seq = self.primary.last + 1
        check(now['last_point'] and now['last_point']['seq'] == seq, 'the point was not cut:', now)
        self.primary.cut(sites, base)
        if left_out:
            self.oracle.unknown.add(seq)
        self.tracked = {i: [] for i in self.disks}
        self.oracle.untouched(seq)

    def status(self):
        return self.lab.hq.json('status')[0]

    def check_primary(self):
        now = self.status()
        check((now['last_point']['seq'] if now['last_point'] else 0) == self.primary.last, 'last point', now, 'not', self.primary.last)
        for t in now['targets']:
            mine = self.primary.targets[t['site']]
            check((t['acked'], t['sent']) == (mine['acked'], mine['sent']), 'target', t, 'is not', mine)
        if self.primary.exact:
            check(now['points'] == len(self.primary.points), 'the primary keeps', now['points'], 'points, not', self.primary.points)

    def do_export(self):
        args, how, sites, plain, left_out = self.plan_export()
        seq, bases = self.primary.last + 1, self.primary.bases(sites, **how)
        out = self.new_file('b')
        kill = self.choose_kill()
        self.say('export %s -> point %d%s' % (' '.join(map(str, args)).replace(self.lab.dir, ''), seq, kill and ', killed at %s %d' % kill or ''))
        self.oracle.keep(seq)
        p = self.tool(self.lab.hq, 'export', kill, 'web1', '--anew', '-o', out, *args)
        there = os.path.exists(out)
        if there:       # a file of that name is a whole bundle, also if the tool was killed right after
            base = base_of(out)
            check(base in bases, 'the bundle starts at', base, 'and not at', bases)
        else:
            base = max(bases, key=lambda b: -1 if b is None else b)
        if p.returncode == -signal.SIGKILL:
            self.killed_export(seq, base, sites, left_out, there)
        elif there:
            check(p.returncode == 0, 'export: exit', p.returncode, p.stderr)
            self.cut_points(base, sites, left_out, self.status())
            self.primary.prune()
            self.primary.sent(sites)
        else:
            check(p.returncode == 1 and None in bases, 'export: exit', p.returncode, 'from', bases, p.stderr)
            self.oracle.forget(seq)
        if there:
            self.bundles.append(Bundle(out, 'delta' if base else 'seed', base, seq, tuple(sites), plain))
            self.counts['bundles'] += 1
        self.check_primary()

    def killed_export(self, seq, base, sites, left_out, there):
        now = self.status()
        self.after_kill.add('hq')
        if (now['last_point']['seq'] if now['last_point'] else 0) < seq:
            self.oracle.forget(seq)
            check(not there, 'a bundle has its name, but its point was not cut')
            return
        check(base is not None, 'a point was cut by an export that must be refused')
        self.cut_points(base, sites, left_out, now)
        self.primary.exact = False
        for t in now['targets']:
            if t['site'] in sites:
                check(t['sent'] in (seq, self.primary.targets[t['site']]['sent']), 'sent', t)
                self.primary.targets[t['site']]['sent'] = t['sent']

    def do_pipe(self):
        """export | import, cut off somewhere or not."""
        args, how, sites, plain, left_out = self.plan_export()
        seq, bases = self.primary.last + 1, self.primary.bases(sites, **how)
        site = self.r.choice(sorted(self.sites))
        limit = None if self.r.random() < 0.6 else int(self.r.expovariate(1 / 200e3))
        self.say('export %s -> point %d | import at %s%s' % (' '.join(map(str, args)).replace(self.lab.dir, ''), seq, site,
                 '' if limit is None else ', cut after %d bytes' % limit))
        self.oracle.keep(seq)
        path = self.new_file('b')
        e = subprocess.Popen([tool('export'), '--home', self.lab.hq.home, 'web1', '--anew', *map(str, args)], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(path, 'wb') as f:
            while limit is None or f.tell() < limit:
                data = e.stdout.read(65536 if limit is None else min(65536, limit - f.tell()))
                if not data:
                    break
                f.write(data)
            size = f.tell()
        rest = limit is None or e.stdout.read(1) == b''
        e.stdout.close()
        words = e.stderr.read().decode()
        e.stderr.close()
        e.wait()
        now, base = self.status(), max(bases, key=lambda b: -1 if b is None else b)
        if rest and e.returncode == 0:
            base = base_of(path)
            check(base in bases, 'the bundle starts at', base, 'and not at', bases)
        if (now['last_point']['seq'] if now['last_point'] else 0) < seq:
            check(None in bases or not rest, 'export: exit', e.returncode, words)
            check(e.returncode in ((1, 3) if not rest else (1,)), 'export: exit', e.returncode, words)
            self.oracle.forget(seq)
        else:
            self.cut_points(base, sites, left_out, now)
            check(e.returncode == 0 or not rest, 'export: exit', e.returncode, words)
            self.primary.prune()
            if e.returncode == 0:
                self.primary.sent(sites)
        self.check_primary()
        if rest and e.returncode == 0:
            b = Bundle(path, 'delta' if base else 'seed', base, seq, tuple(sites), plain)
            self.bundles.append(b)
            self.take(site, b, stdin=True)
        elif size > 0:
            self.refuse(self.sites[site], site, path, 'cut off at byte %d' % size, stdin=True)

    # --- tools, killed or not

    def choose_kill(self):
        if self.r.random() > 0.18:
            return None
        call = self.r.choices(list(KILL_AT), KILL_WEIGHTS)[0]
        return call, self.r.randrange(25 if call == 'openat' else 1, KILL_AT[call] + 1)

    def tool(self, site, verb, kill, *args, **kw):
        """Run a verb, killed at that system call if it comes so far.  The exit status is -SIGKILL if it was."""
        if kill is None:
            return site(verb, *args, rc=None, **kw)
        log = self.lab.path('strace.log')
        p = strace(['-e', 'trace=' + kill[0], '-e', 'inject=%s:signal=KILL:when=%d' % kill], [tool(verb), '--home', site.home, *args], log)
        os.unlink(log)
        if p.returncode == 128 + signal.SIGKILL:
            p.returncode = -signal.SIGKILL
        self.counts['kills'] += p.returncode == -signal.SIGKILL
        return p

    # --- a replica

    def follow(self, name, rc, states, p, what, kill):
        """After a command that leads through these states: where it is now, and are the disks right?"""
        if p.returncode == -signal.SIGKILL:
            self.after_kill.add(name)
        else:
            check(p.returncode == rc, what + ': exit', p.returncode, 'not', rc, p.stderr)
        now = look(self.sites[name])
        if p.returncode == -signal.SIGKILL:
            self.state[name] = settle(self.state[name], states, now, what)
            self.counts['merges cut short'] += self.state[name].merging
        else:
            if states:
                self.state[name] = states[-1]
            check(seen(self.state[name]) == now, '%s left %s, not %s' % (what, now, seen(self.state[name])))
        self.compare(name)
        if p.returncode == 0 and self.state[name].known:
            self.check_files(name)

    def check_files(self, name):
        """After a command that ended well there are the files that the record names, and no others."""
        s, r = self.state[name], self.sites[name].replica()
        inbox, undo = sorted(os.listdir(os.path.join(r, 'inbox'))), sorted(os.listdir(os.path.join(r, 'undo')))
        # A placeholder's seed is on its disks.
        check(len(inbox) == (len(s.staged) if s.known == 2 else 0) and all(re.fullmatch(r'[0-9a-f]{32}\.1\.vmf', f) for f in inbox),
              'in the inbox are', inbox, 'and staged are', s.staged)
        way_back = s.points if s.merging and (self.keep > 1 or any(v for _, v in s.points)) else s.points[:-1]
        check(undo == sorted('1-%d.vmf' % seq for seq, _ in way_back), 'the undos are', undo, 'and the points', s.points)

    def compare(self, name):
        s = self.state[name]
        if s.points and not s.merging:
            self.oracle.compare(s.points[-1][0], os.path.join(self.sites[name].replica(), 'disks'), 'the replica at ' + name)
            self.counts['compared'] += 1

    def take(self, name, b, stdin=False):
        site, s = self.sites[name], self.state[name]
        merge = self.r.random() < 0.75
        args = [] if merge else ['--no-merge']
        receipt = None
        if self.r.random() < 0.5:
            receipt = self.new_file('r')
            args += ['--receipt', receipt]
        kill = None if stdin else self.choose_kill()
        rc, states = receive(s, b, name, self.keep, merge)
        if rc is None:
            return      # the histories of test/courier are about what comes early
        if rc == 1:
            return self.refuse(site, name, b.path, 'bundle %s %d -> %d for %s' % (b.kind, b.start, b.end, ' '.join(b.sites)))
        self.say('import at %s: %s %d -> %d %s%s' % (name, b.kind, b.start, b.end, ' '.join(args).replace(self.lab.dir, ''),
                 kill and ', killed at %s %d' % kill or ''))
        before = s
        if stdin:
            with open(b.path, 'rb') as f:
                p = self.tool(site, 'import', kill, *args, stdin=f)
        else:
            p = self.tool(site, 'import', kill, *args, b.path)
        self.follow(name, rc, states, p, 'import', kill)
        s = self.state[name]
        if b.end <= held(before) and p.returncode == 0:
            check('already have it' in p.stderr, 'a second import says', p.stderr)
        elif held(s) == b.end:
            self.accepted[name][b.end] = b
        if receipt and os.path.exists(receipt):
            # A file of that name is whole, also if the tool was killed right after.
            self.receipts.append((receipt, name, s.points[-1][0], held(s)))
        elif receipt:
            check(p.returncode == -signal.SIGKILL, 'no receipt was written')
        self.extend(name, before, s)

    def extend(self, name, before, s):
        """The bundles that the disks of a replica are made of, for the independent reader."""
        old, new = (x.points[-1][0] if x.points else 0 for x in (before, s))
        if new == old:
            return
        for seq in sorted(self.accepted[name]):
            if old < seq <= new:
                b = self.accepted[name][seq]
                self.chain[name] = [b] if b.kind == 'seed' else self.chain[name] + [b]

    def do_import(self):
        name = self.r.choice(sorted(self.sites))
        if not self.bundles:
            return self.do_export()
        fit = [b for b in self.bundles if name in b.sites + (('dr',) if not b.sites else ()) and b.end > held(self.state[name]) and
               (b.kind == 'seed' or self.state[name].points and b.start <= held(self.state[name]))]
        if not self.state[name].points:
            fit = [b for b in fit if b.kind == 'seed']
        if fit and self.r.random() < 0.75:
            b = min(fit, key=lambda b: (b.end, b.path)) if self.r.random() < 0.6 else self.r.choice(fit)
        else:
            b = self.r.choice(self.bundles[-12:])
        self.take(name, b, stdin=self.r.random() < 0.3)

    def wreckage(self, name):
        """Files that an interruption may have left: they may go at any command."""
        site = self.sites.get(name, self.lab.hq)
        folders = [site.home] + ([self.lab.path('store')] if name == 'dr' and os.path.exists(self.lab.path('store')) else [])
        return {os.path.join(f, k): v for f in folders for k, v in tree(f).items()}

    def refuse(self, site, name, path, what, stdin=False):
        """A bundle that must be refused, with nothing changed."""
        self.say('import at %s, to be refused: %s' % (name, what))
        before = self.wreckage(name)
        if stdin:
            with open(path, 'rb') as f:
                p = site('import', rc=None, stdin=f)
        else:
            p = site('import', path, rc=None)
        check(p.returncode == 1, 'import: exit', p.returncode, 'not 1', p.stderr)
        check(p.stderr.strip(), 'it is refused without a word')
        after = self.wreckage(name)
        gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
        changed = sorted(k for k in before.keys() & after.keys() if before[k] != after[k])
        if name in self.after_kill:
            gone = [g for g in gone if os.path.basename(os.path.dirname(g)) not in ('inbox', 'undo')]
        if name in self.state and self.state[name].known == 1:      # a placeholder may be prepared for another seed
            changed, new = [], []
            check(look(site) == seen(self.state[name]), 'a refused import changed the placeholder')
        elif name in self.state and self.state[name].known == 0 and name in self.after_kill:
            gone = []
        check(not (gone or new or changed), 'a refused import changed the site: gone', gone, 'new', new, 'changed', changed)
        self.counts['refusals'] += 1

    def do_corrupt(self):
        """A damaged copy must be refused."""
        pool = [(b.path, n) for b in self.bundles[-10:] for n in (b.sites or ('dr',))] + [(p, 'hq') for p, *_ in self.receipts[-5:]]
        if not pool:
            return self.do_export()
        path, name = self.r.choice(pool)
        with open(path, 'rb') as f:
            data = bytearray(f.read())
        kind = self.r.choice(['bit', 'bit', 'bit', 'cut', 'cut 512', 'append', 'swap', 'zero', 'repeat'])
        at = self.r.randrange(len(data))
        if kind == 'bit':
            data[at] ^= 1 << self.r.randrange(8)
        elif kind == 'cut':
            del data[at:]
        elif kind == 'cut 512':
            del data[at // 512 * 512:]
        elif kind == 'append':
            data += self.r.choice([b'\0', b'x', bytes(512), bytes(1024), bytes(data[:1024])])
        elif kind == 'zero':
            data[at:at + 512] = bytes(len(data[at:at + 512]))
        elif kind == 'repeat':
            data[at // 512 * 512:at // 512 * 512] = data[at // 512 * 512:at // 512 * 512 + 512]
        else:
            other = self.r.randrange(len(data) // 512) * 512
            at = at // 512 * 512
            data[at:at + 512], data[other:other + 512] = data[other:other + 512], data[at:at + 512]
        with open(path, 'rb') as f:
            if f.read() == data:
                return
        bad = self.lab.path('damaged')
        with open(bad, 'wb') as f:
            f.write(data)
        site = self.sites.get(name, self.lab.hq)
        self.refuse(site, name, bad, '%s, %s at byte %d of %d' % (os.path.basename(path), kind, at, len(data)), stdin=self.r.random() < 0.3)

    def do_astray(self):
        """A bundle at the primary, a receipt at a replica."""
        if self.receipts and self.r.random() < 0.5:
            path, name, *_ = self.r.choice(self.receipts)
            self.refuse(self.sites[name], name, path, 'its own receipt')
        elif self.bundles:
            self.refuse(self.lab.hq, 'hq', self.r.choice(self.bundles).path, 'its own bundle')

    def do_receipt(self):
        """Deliver a receipt: in time, late, or again.  Others are never delivered."""
        if not self.receipts:
            return self.do_import()
        path, name, at, seq = self.r.choice(self.receipts[-4:] if self.r.random() < 0.7 else self.receipts)
        if self.is_for_nobody:
            return self.refuse(self.lab.hq, 'hq', path, 'a receipt of a site that is not known')
        kill = self.choose_kill()
        self.say('receipt of %s for point %d (merged %d)%s' % (name, seq, at, kill and ', killed at %s %d' % kill or ''))
        p = self.tool(self.lab.hq, 'import', kill, path)
        if p.returncode == -signal.SIGKILL:
            self.after_kill.add('hq')
            now = [t['acked'] for t in self.status()['targets'] if t['site'] == name][0]
            old = self.primary.targets[name]['acked']
            check(now in (old, max(old, seq)), 'acknowledged is', now)
            self.primary.targets[name]['acked'] = now
        else:
            check(p.returncode == 0, 'receipt: exit', p.returncode, p.stderr)
            self.primary.acknowledge(name, seq)
        self.check_primary()

    def do_lose(self):
        if self.bundles:
            b = self.bundles.pop(self.r.randrange(len(self.bundles)))
            self.say('lost: %s %d -> %d' % (b.kind, b.start, b.end))

    def do_merge(self):
        name = self.r.choice(sorted(self.sites))
        s, kill = self.state[name], self.choose_kill()
        self.say('merge at %s%s' % (name, kill and ', killed at %s %d' % kill or ''))
        p = self.tool(self.sites[name], 'merge', kill, 'web1')
        self.follow(name, 0 if s.known else 1, merge_all(s, self.keep), p, 'merge', kill)
        self.extend(name, s, self.state[name])

    def do_points(self):
        name = self.r.choice(sorted(self.sites))
        s, kill = self.state[name], self.choose_kill()
        how = self.r.choice(['--pin', '--pin', '--unpin', '--unpin', '--prune'])
        seqs = [p for p, v in s.points if v or how == '--pin']
        seq = seqs[0] if seqs and self.r.random() < 0.5 else self.r.choice(seqs + [1000])
        self.say('points at %s %s%s%s' % (name, how, '' if how == '--prune' else ' %d' % seq, kill and ', killed at %s %d' % kill or ''))
        if how == '--prune':
            rc, states, args = 0, prune_now(s, self.keep), ['--prune']
        else:
            rc, states = pin(s, seq, how == '--pin', self.keep)
            args = [how, seq]
        p = self.tool(self.sites[name], 'points', kill, 'web1', *args)
        self.follow(name, rc if s.known else 1, states if s.known else [], p, 'points', kill)
        self.extend(name, s, self.state[name])

    def restore(self, name, seq, kill=None):
        s, out = self.state[name], self.lab.path('out')
        states = recover(s, self.keep)
        points = [p for p, _ in (states[-1] if states else s).points]
        want = seq or (points[-1] if points else 0)
        p = self.tool(self.sites[name], 'restore', kill, 'web1', *(['--point', seq] if seq else []), '-o', out)
        self.follow(name, 0 if want in points else 1, states if s.known else [], p, 'restore', kill)
        self.extend(name, s, self.state[name])
        if p.returncode == 0:
            self.oracle.compare(want, out, 'restored')
            check(sorted(os.listdir(out)) == sorted(i + '.raw' for i in self.disks), 'restore left', os.listdir(out))
            self.counts['restored'] += 1
        elif p.returncode == -signal.SIGKILL and want not in self.oracle.unknown:
            for i in self.disks:    # what has its name is whole
                image = os.path.join(out, i + '.raw')
                check(not os.path.exists(image) or first_difference(image, self.oracle.path(want, i)) is None, 'an unfinished', image)
        shutil.rmtree(out, ignore_errors=True)

    def do_restore(self):
        name = self.r.choice(sorted(self.sites))
        seq = self.r.choice([0, 1000] + 3 * [p for p, _ in self.state[name].points])
        kill = self.choose_kill()
        self.say('restore at %s point %d%s' % (name, seq, kill and ', killed at %s %d' % kill or ''))
        self.restore(name, seq, kill)

    def do_prove(self):
        """Every point of every replica, and what the independent reader makes of the bundles."""
        self.say('prove all')
        for name in sorted(self.sites):
            s = self.state[name]
            if not s.known:
                continue
            p = self.tool(self.sites[name], 'scrub', None, 'web1')
            self.follow(name, 0 if s.points else 1, recover(s, self.keep), p, 'scrub', None)
            self.extend(name, s, self.state[name])
            for seq, _ in self.state[name].points:
                self.restore(name, seq)
            self.rescue(name)

    def rescue(self, name):
        chain, s, out = self.chain[name], self.state[name], self.lab.path('rescued')
        if not s.points or not chain or chain[0].kind != 'seed' or not all(b.plain for b in chain):
            return
        check(chain[-1].end == s.points[-1][0], 'the chain ends at', chain[-1].end, 'the replica at', s.points[-1])
        run('python3', RESCUE, '-o', out, *[b.path for b in chain])
        self.oracle.compare(chain[-1].end, out, 'rescue.py')
        shutil.rmtree(out)
        self.counts['rescued'] += 1

    # --- the walk

    OPS = [('write', 20), ('zero', 5), ('punch', 6), ('resize', 6), ('flip', 4), ('export', 17), ('pipe', 5), ('import', 26), ('receipt', 8),
           ('corrupt', 7), ('astray', 1), ('lose', 4), ('merge', 5), ('points', 9), ('restore', 6)]

    def run(self):
        steps = self.r.randrange(20, 55)
        for k in range(steps):
            # A step is chosen by the walk's seed and its number alone, as far as the state allows.
            self.r = random.Random('walk %d step %d' % (self.seed, k))
            getattr(self, 'do_' + self.r.choices([o for o, _ in self.OPS], [w for _, w in self.OPS])[0])()
            self.counts['steps'] += 1
            if k % 7 == 6:
                self.do_prove()
        self.r = random.Random('walk %d end' % self.seed)
        self.arrive()

    def arrive(self):
        """In the end every replica can be brought to what the disks hold now, and nothing is left over."""
        self.do_write()
        for name in sorted(self.sites):
            s, site = self.state[name], self.sites[name]
            to = ['--to', name] if name in self.known_targets else []
            targets = [name] if to else []
            how = {'delta': True} if s.points else {'seed': True}
            out, seq = self.new_file('b'), self.primary.last + 1
            if any(b is None or b > held(s) for b in self.primary.bases(targets, **how)):
                how = {'seed': True}
            self.say('at last: export %s for %s -> %d, import' % (list(how)[0], name, seq))
            self.oracle.keep(seq)
            self.lab.hq('export', 'web1', '--anew', *['--' + h for h in how], *to, '-o', out, *([] if to else ['--plain']))
            base = base_of(out)
            self.cut_points(base, targets, False, self.status())
            self.primary.prune()
            self.primary.sent(targets)
            b = Bundle(out, 'delta' if base else 'seed', base, seq, tuple(targets), not to)
            rc, states = receive(s, b, name, self.keep, True)
            p = self.tool(site, 'import', None, out)
            self.follow(name, 0, states, p, 'import', None)
            self.accepted[name][seq] = b
            self.extend(name, s, self.state[name])
            check(self.state[name].points[-1][0] == seq, 'not at the newest point')
        self.check_primary()
        self.do_prove()
        for name, site in self.sites.items():
            left = leftovers(site)
            check(not left, 'left over at %s:' % name, *left)
        p, = glob.glob(os.path.join(self.lab.hq.home, 'primaries', '*-*', 'changes'))
        points = self.primary.points
        want = {'%d.%s' % (seq, i) for seq in points[1:] or points for i in self.disks}
        check(set(os.listdir(p)) == want, 'the maps of changes are', sorted(os.listdir(p)), 'not', sorted(want))
        left = os.listdir(os.path.join(self.lab.hq.home, 'tmp'))
        check(not left, 'left over at hq: tmp/', *left)


def walk(seed, keep=False):
    """One walk: None, or what went wrong; and what was done."""
    w, why = None, None
    try:
        w = Walk(seed)
        w.run()
    except Failed as e:
        why = str(e)
    except Exception:
        why = traceback.format_exc()
    finally:
        if w is not None and not (keep and why):
            w.close()
    if why is None:
        return seed, None, w.counts
    steps = '\n'.join('    %3d  %s' % x for x in enumerate(w.log)) if w else ''
    return seed, '%s\n  steps of walk %d (repeat: walk.py --seed %d)%s:\n%s' % (
        why.rstrip(), seed, seed, ', kept in ' + w.lab.dir if keep and w else '', steps), w.counts if w else collections.Counter()


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=60, help='no walk starts later than this')
    a.add_argument('--walks', type=int, help='so many, instead')
    a.add_argument('--many', action='store_true', help='with --seed: go on from there for as long as --seconds says')
    a.add_argument('--jobs', type=int, default=2)
    a.add_argument('--seed', type=int, help='repeat that walk')
    a.add_argument('--enough', type=int, default=5, help='failed walks after which none is started')
    a.add_argument('--keep', action='store_true', help='keep the folder of a walk that failed')
    o = a.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    hurry()
    first = o.seed if o.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    is_timed = o.walks is None and (o.seed is None or o.many)
    most = 1 << 30 if is_timed else o.walks or 1
    print('walks from seed %d on' % first, flush=True)
    end, total, ok, bad, n = time.monotonic() + o.seconds, collections.Counter(), 0, 0, 0

    def seeds():
        for k in itertools.count():
            room.acquire()      # so that none waits in a queue when the time is over
            if k >= most or is_timed and k > 0 and time.monotonic() > end:
                return
            yield first + k, o.keep

    room = threading.Semaphore(o.jobs)
    with multiprocessing.Pool(o.jobs) as pool:
        for seed, why, counts in pool.imap_unordered(one, seeds()):
            room.release()
            total += counts
            ok, bad = ok + (why is None), bad + (why is not None)
            if why is not None:
                print('FAILED  walk %d after %d steps: %s' % (seed, counts['steps'], why), flush=True)
            if bad == o.enough:
                print('        that is enough')
                most = 0
    print('        %d walks: %s' % (ok + bad, ', '.join('%d %s' % (total[k], k) for k in sorted(total))))
    print('%d passed, %d failed' % (ok, bad), flush=True)
    sys.exit(bad > 0)


def one(args):
    return walk(*args)


if __name__ == '__main__':
    main()
