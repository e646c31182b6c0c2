#!/usr/bin/env python3
"""Hostile peers on serve: it gives strangers nothing, keeps its bounds, says what happened, and changes nothing."""
import shlex

from lab import *

TEST = os.environ.get('VMFERRY_TEST', os.path.join(ROOT, 'build', 'test'))
CALLER = os.path.join(TEST, 'caller')
PEAK = 64 * K      # KiB that serve, or any process of it, may have at most


def contents(folder):
    """Every file and folder below, what is in it and who may; but for empty locks, which anybody who looks leaves."""
    found = {}
    for d, _, files in os.walk(folder):
        found[d] = os.stat(d).st_mode
        for name in files:
            path = os.path.join(d, name)
            if name.endswith('lock') and os.path.getsize(path) == 0:
                continue
            with open(path, 'rb') as f:
                found[path] = (os.stat(path).st_mode, f.read())
    return found


class Served:
    """A site with a replica, served to whoever calls."""
    def __init__(self):
        self.lab = Lab(sizes=(1 * M,))
        self.lab.dr('import', self.lab.export('--seed'))
        self.status, self.words = self.lab.path('status'), self.lab.path('words')
        self.command = '%s --home %s serve 2> %s; echo $? > %s' % tuple(
            map(shlex.quote, (VMFERRY, self.lab.dr.home, self.words, self.status)))
        self.before = contents(self.lab.dr.home)
        self.uuid = self.lab.dr.json('status')[0]['uuid']

    def call(self, recipe, *args, site=None):
        """What the caller printed, the exit status of serve and its words."""
        p = run(CALLER, (site or self.lab.hq).home, 'dr', self.command, recipe, *args, rc=None)
        check(p.returncode == 0, recipe, p.stdout, p.stderr)
        with open(self.status) as f:
            rc = int(f.read())
        with open(self.words) as f:
            return dict(line.split(' ', 1) if ' ' in line else (line, '') for line in p.stdout.splitlines()), rc, f.read()

    def same(self, what):
        after = contents(self.lab.dr.home)
        check(after == self.before, what, 'changed', {k for k in {*after, *self.before} if after.get(k) != self.before.get(k)})

    def expect(self, recipe, *args, rcs=(1, 3), **kw):
        out, rc, words = self.call(recipe, *args, **kw)
        check(rc in rcs, recipe, 'ended with', rc, words)
        check(rc == 0 or words.startswith('vmferry-serve: '), recipe, 'is not told of:', words)
        check(words.count('\n') < 10, recipe, 'fills the log:', words)
        check(int(out['peak']) < PEAK, recipe, 'took', out['peak'], 'KiB')
        self.same(recipe)
        return out, words


def recipes():
    return run(CALLER, '--list').stdout.split()


def test_who_makes_no_handshake_gets_no_byte():
    s = Served()
    for recipe in filter(lambda r: r.startswith('raw-'), recipes()):
        out, _ = s.expect(recipe)
        check(out['bytes'] == '0', recipe, 'got', out['bytes'], 'bytes')


def test_a_known_peer_that_does_not_keep_to_the_protocol_changes_nothing():
    s = Served()
    fair = ('ask-other-vm', 'ask-again', 'fetch-other-vm', 'compare-other-vm', 'compare-by-name', 'bundle-of-nothing', 'bundle-of-noise')
    for recipe in filter(lambda r: not r.startswith('raw-'), recipes()):
        s.expect(recipe, rcs=(0, 1, 3) if recipe in fair else (1, 3))
        # A comparison of its own VM would be put on record.
        if recipe.startswith(('ask-', 'fetch-')):
            s.expect(recipe, s.uuid, rcs=(0, 1, 3))


def test_a_stranger_gets_no_byte_and_is_named():
    s = Served()
    other = Site(s.lab, 'other')
    other('trust', 'add', s.lab.dr.card)
    p = run(VMFERRY, '--home', other.home, 'enable', 'web1', '--disk', 'vda=' + s.lab.disks['vda'], '--to', 'dr')
    p = other('sync', 'web1', '--via', s.command, '--patience', 0, rc=3)
    check('said nothing at all' in p.stderr, p.stderr)
    with open(s.words) as f:
        check('of no site in the trust file' in f.read())
    s.same('a stranger')


def test_a_known_site_has_no_vm_of_another_compared():
    s = Served()
    other = Site(s.lab, 'other')
    other('trust', 'add', s.lab.dr.card)
    s.lab.dr('trust', 'add', other.card)
    s.before = contents(s.lab.dr.home)
    for recipe, args in (('compare-by-name', ()), ('compare-by-name', (s.uuid,)), ('compare-other-vm', (s.uuid,))):
        out, words = s.expect(recipe, *args, site=other, rcs=(0,))
        check('nothing is here that is compared' in words, recipe, out, words)
        check(out['kinds'].split()[-1] == '8' and out['kinds'].split().count('4') <= 1, 'it was compared:', out, words)


def test_a_key_that_is_revoked_ends_what_its_session_may():
    s = Served()
    p = start(CALLER, s.lab.hq.home, 'dr', s.command, 'ask-again', s.uuid, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    check(p.stdout.readline() == 'asked\n')
    # Of the key that it has proved: the site itself, with its next one, is well known.
    s.lab.hq('key', 'rotate')
    s.lab.hq('key', 'revoke', '1')
    with open(s.lab.path('list'), 'w') as f:
        f.write(s.lab.hq('key', 'show').stdout)
    s.lab.dr('key', 'import', s.lab.path('list'))
    out, _ = p.communicate('\n')
    check(out.splitlines()[0].split()[1:] == ['4', '5', '6', '3'], 'it is told still:', out)


def test_a_site_that_has_nothing_of_a_primarys_vm_is_not_told_of_it():
    s = Served()
    other = Site(s.lab, 'other')
    other('trust', 'add', s.lab.hq.card)
    s.lab.hq('trust', 'add', other.card)
    told = {}
    for site in (other, s.lab.dr):
        if site is s.lab.dr:
            site('trust', 'add', s.lab.hq.card, '--vm', 'web*')
        p = run(CALLER, site.home, 'hq', '%s --home %s serve' % (shlex.quote(VMFERRY), shlex.quote(s.lab.hq.home)),
                'ask-other-vm', s.uuid)
        told[site.name] = p.stdout
    check('"state":"none"' in told['other'] and '"seq":0' in told['other'], told)
    check('"state":"none"' not in told['dr'] and '"seq":1' in told['dr'], told)
    # Nor whether there is such a VM.
    answers = set()
    for uuid in (s.uuid, s.uuid[::-1].replace('-', 'a')[:8] + s.uuid[8:]):
        p = run(CALLER, other.home, 'hq', '%s --home %s serve' % (shlex.quote(VMFERRY), shlex.quote(s.lab.hq.home)),
                'fetch-other-vm', uuid)
        answers |= {line.replace(uuid, 'UUID') for line in p.stdout.splitlines() if line.startswith('answer ')}
    check(len(answers) == 1 and 'not replicated to site' in answers.pop(), answers)


def test_a_session_that_was_recorded_says_nothing_again():
    s = Served()
    rec = s.lab.path('record')
    s.lab.hq('sync', 'web1', '--via', 'tee %s | %s' % (shlex.quote(rec), s.command))
    s.before = contents(s.lab.dr.home)
    check(os.path.getsize(rec) > 1000)
    with open(rec, 'rb') as f:
        p = run(VMFERRY, '--home', s.lab.dr.home, 'serve', stdin=f, rc=None, text=False)
    check(p.returncode in (1, 3) and p.stderr, p)
    # The key of the moment, the header and one frame, which nobody can read.
    check(len(p.stdout) == 56 + 118, len(p.stdout))
    s.same('a replay')


if __name__ == '__main__':
    main(__name__, jobs=2)
