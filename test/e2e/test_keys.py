#!/usr/bin/env python3
"""Keys that change: replication goes on across it, what is revoked does not count, and nothing goes backwards.

The forged lists here are written by an encoder of this test's own, after keylist(5).
"""
import datetime

from inject import *
from lab import *
from test_golden import Golden, golden
from test_kill import Sweep, small_lab
from test_trust import clone, refused

SODIUM = ctypes.CDLL('libsodium.so.23')
DAY = 86400


def when(days_from_now=0):
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days_from_now)
    return t.strftime('%Y-%m-%dT%H:%M:%SZ')


class Key:
    """Both halves of a key; of a site's when they are read from its secret."""
    def __init__(self, seed=None, box=None):
        self.secret, public = ctypes.create_string_buffer(64), ctypes.create_string_buffer(32)
        SODIUM.crypto_sign_seed_keypair(public, self.secret, seed or os.urandom(32))
        self.sign = public.raw.hex()
        SODIUM.crypto_scalarmult_base(public, box or os.urandom(32))
        self.box = public.raw.hex()
        self.start, self.end = '2026-01-01T00:00:00Z', None

    def signed(self, text):
        out = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(out, None, text, ctypes.c_ulonglong(len(text)), self.secret)
        return out.raw.hex()

    def line(self, is_last):
        end = self.end or ('' if is_last else 'until=2030-01-01T00:00:00Z')
        return 'key: sign=%s box=%s from=%s%s\n' % (self.sign, self.box, self.start, end and ' ' + end)


def stolen(site):
    """The keys of a site, as a thief has them."""
    with open(os.path.join(site.home, 'secret')) as f:
        lines = f.read().split('vmferry keys 1')[0].splitlines()[1:]
    values = [bytes.fromhex(x.split(': ')[1]) for x in lines]
    return [Key(values[i], values[i + 1]) for i in range(0, len(values), 2)]


def forged(keys, version, name='hq', made='2026-06-01T00:00:00Z', signers=None, context='vmferry 1 keys\n'):
    """A list of these keys; all but the last are rotated, if nothing else was said of them."""
    text = 'vmferry keys 1\nname: %s\nversion: %s\nmade: %s\n' % (name, version, made)
    text += ''.join(k.line(i == len(keys) - 1) for i, k in enumerate(keys))
    return text + ''.join('signature: %s\n' % k.signed((context + text).encode()) for k in signers or keys)


def put(lab, text, name='list'):
    p = lab.path(name)
    with open(p, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return p


def listing(lab, site, name='list'):
    return put(lab, site('key', 'show').stdout, name)


def known(site, name):
    return [x for x in site.json('key', 'list')['sites'] if x['name'] == name][0]


def fingerprints(keys):
    return [k['fingerprint'] for k in keys]


def seqs(site):
    return [x['seq'] for x in site.json('points', 'web1')]


def all_points(lab, want):
    """Every point comes back as it was, and the replica proves itself."""
    check(seqs(lab.dr) == want, seqs(lab.dr))
    lab.dr('scrub', 'web1')
    for n in want:
        lab.dr('restore', 'web1', '--point', n, '-o', lab.path('out'))
        lab.same(n, lab.path('out'), 'point %d:' % n)
        shutil.rmtree(lab.path('out'))


def cut(lab, n, *how):
    if n > 1:
        lab.write(lab.disks['vda'], n * 64 * K, 8 * K)
        lab.write(lab.disks['vdb'], n * 8 * K, 4 * K)
    lab.keep(n)
    return lab.export(*(['--seed'] if n == 1 else ['--delta', '--since', 'sent']), *how)


# --- rotation ---------------------------------------------------------------------------------------------

def test_the_primary_changes_its_keys_while_bundles_are_on_their_way():
    lab = Lab()
    bundles = [cut(lab, n) for n in (1, 2, 3)]
    lab.dr('import', bundles[0], '--receipt', lab.path('r1'))
    lab.hq('key', 'rotate')
    bundles.append(cut(lab, 4))
    lab.hq('import', lab.path('r1'))                                # receipts are for the VM, whoever signs now
    lab.dr('import', bundles[1])                                    # of the old key, before the list
    refused(lab.dr, 'import', bundles[3], words=['does not know', 'key import'])
    refused(lab.dr, 'verify', bundles[3], words='not known')
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('verify', *bundles)
    lab.dr('import', bundles[2])                                    # of the old key, after the list
    lab.dr('import', bundles[3], '--receipt', lab.path('r4'))
    lab.hq('import', lab.path('r4'))
    target, = lab.hq.json('status')[0]['targets']
    check(target['acked'] == 4, target)
    all_points(lab, [1, 2, 3, 4])
    refused(lab.hq, 'import', bundles[0], words='this very site')
    lab.close()


def test_the_replica_changes_its_keys():
    lab = Lab()
    bundles = [cut(lab, n) for n in (1, 2, 3, 4)]
    lab.dr('import', bundles[0])
    lab.dr('import', bundles[1], '--receipt', lab.path('r2'))       # its undo is of the old key
    lab.dr('import', '--no-merge', bundles[2])                      # staged, sealed to the old card
    lab.dr('key', 'rotate')
    lab.dr('merge', 'web1')
    lab.dr('import', bundles[3], '--receipt', lab.path('r4'))       # sealed to the old card as well
    all_points(lab, [1, 2, 3, 4])
    refused(lab.hq, 'import', lab.path('r4'), words='does not know')
    lab.hq('import', lab.path('r2'))
    lab.hq('key', 'import', listing(lab, lab.dr))
    lab.hq('import', lab.path('r4'))
    target, = lab.hq.json('status')[0]['targets']
    check(target['acked'] == 4, target)
    lab.dr('import', cut(lab, 5))                                   # sealed to the new card
    target, = lab.hq.json('status')[0]['targets']
    all_points(lab, [1, 2, 3, 4, 5])
    lab.close()


def test_staged_bundles_are_merged_after_the_primary_changed_its_keys():
    lab = Lab()
    bundles = [cut(lab, n) for n in (1, 2)]
    lab.hq('key', 'rotate')
    bundles.append(cut(lab, 3))
    lab.dr('import', bundles[0])
    lab.dr('import', '--no-merge', bundles[1])
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('import', '--no-merge', bundles[2])
    lab.dr('merge', 'web1')
    all_points(lab, [1, 2, 3])
    lab.close()


def test_both_change_their_keys_again_and_again_and_only_the_last_lists_arrive():
    lab = Lab()
    bundles, receipts = [], []
    for n in range(1, 8):
        bundles.append(cut(lab, n))
        lab.hq('key', 'rotate')
    lab.dr('key', 'import', listing(lab, lab.hq))
    for n, b in enumerate(bundles):
        receipts.append(lab.path('r%d' % n))
        lab.dr('import', b, '--receipt', receipts[-1])
        lab.dr('key', 'rotate')
    lab.hq('import', receipts[0])
    refused(lab.hq, 'import', receipts[1], words='does not know')
    lab.hq('key', 'import', listing(lab, lab.dr))
    for n in (3, 1, 6):
        lab.hq('import', receipts[n])
    target, = lab.hq.json('status')[0]['targets']
    check(target['acked'] == 7, target)
    all_points(lab, list(range(1, 8)))
    check(len(known(lab.dr, 'hq')['keys']) == 8 and len(known(lab.hq, 'dr')['keys']) == 8)
    lab.close()


def test_a_site_that_is_met_after_it_changed_its_keys_is_known_by_all_of_them():
    lab = Lab(enable=False)
    lab.hq('key', 'rotate')
    new = put(lab, lab.hq('card').stdout, 'new.card')
    lab.dr('trust', 'remove', 'hq')
    lab.dr('trust', 'add', new, '--vm', '*')
    lab.hq('enable', 'web1', '--to', 'dr', '--points', '9', *lab.disk_args())
    lab.dr('import', cut(lab, 1))
    lab.dr('key', 'import', listing(lab, lab.hq))       # its first key comes to be known: the replica stays its own
    lab.hq('key', 'rotate')
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('import', cut(lab, 2))
    all_points(lab, [1, 2])
    lab.close()


def test_a_card_that_follows_from_the_list_may_be_added_and_no_other():
    lab = Lab(enable=False)
    old = lab.hq.card
    lab.hq('key', 'rotate')
    new = put(lab, lab.hq('card').stdout, 'new.card')
    refused(lab.dr, 'trust', 'add', new, words=['key import', 'fingerprints'])
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('trust', 'add', new, '--vm', 'db*')
    check(lab.dr.json('trust', 'list')[0]['vm'] == 'db*' and len(known(lab.dr, 'hq')['keys']) == 2)
    refused(lab.dr, 'trust', 'add', old, words='ask for the present one')
    check(lab.dr.json('trust', 'list')[0]['fingerprint'] == fingerprints(lab.hq.json('key', 'list')['own']['keys'])[1])
    refused(lab.hq, 'trust', 'add', old, words='own card')
    lab.close()


def test_an_earlier_key_counts_up_to_the_end_of_its_overlap():
    lab = Lab()
    two = clone(lab, lab.hq, 'two')     # another copy of the primary, which goes on with the old key
    lab.dr('import', cut(lab, 1))
    lab.hq('key', 'rotate', '--overlap', '2d')
    keys = lab.hq.json('key', 'list')['own']['keys']
    check(when(1.9) < keys[0]['until'] < when(2.1) and keys[1]['until'] is None, keys)
    two('export', 'web1', '--seed', '-o', lab.path('late'))
    trust = os.path.join(lab.dr.home, 'trust')
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('verify', lab.path('late'))
    with open(trust) as f:
        text = f.read()
    with open(trust, 'w') as f:
        f.write(text.replace('until/' + keys[0]['until'], 'until/' + when(-1)))
    for verb in ('import', 'verify'):
        refused(lab.dr, verb, lab.path('late'), words=["an earlier key of site 'hq'", when(-1)[:10]])
    lab.dr('import', cut(lab, 2))
    lab.close()


def test_there_may_be_so_many_keys():
    lab = Lab(enable=False)
    for n in range(2, 33):
        lab.hq('key', 'rotate')
    refused(lab.hq, 'key', 'rotate', words='32 keys')
    lab.hq('key', 'revoke', 7)
    check(os.path.getsize(listing(lab, lab.hq)) < 16384)
    lab.dr('key', 'import', lab.path('list'))
    check(fingerprints(known(lab.dr, 'hq')['keys']) == fingerprints(lab.hq.json('key', 'list')['own']['keys']))
    refused(lab.hq, 'key', 'rotate', '--overlap', '40000d', words='at most')
    lab.close()


def test_a_site_of_before_can_change_its_keys():
    lab = Lab(enable=False, sizes=())
    site = Golden(lab)
    with open(os.path.join(site.home, 'secret')) as f:
        check(f.readline() == 'vmferry secret 1\n')
    first = site('key', 'show').stdout
    check(site('key', 'show').stdout == first, 'its first list is not always the same')
    own = site.json('key', 'list')['own']
    check(own['version'] == 1 and len(own['keys']) == 1, own)
    with open(site.card) as f:
        check(f.read() == site('card').stdout)
    site('key', 'rotate')
    site('import', *golden('seed.vmf'))
    site('import', *golden('delta.vmf'))
    site('import', *golden('sealed.vmf'))       # sealed to its first key
    site.has('web1', 1)
    site.has('web1', 2)
    site.has('web2', 1)
    lab.close()


# --- revocation -------------------------------------------------------------------------------------------

def test_what_a_revoked_key_signs_after_the_cut_off_does_not_count():
    lab = Lab()
    lab.dr('import', cut(lab, 1))
    thief = clone(lab, lab.hq, 'thief')
    thief('export', 'web1', '--seed', '-o', lab.path('bad'))
    lab.hq('key', 'rotate')
    refused(lab.hq, 'key', 'revoke', 2, words='present one')
    lab.hq('key', 'revoke', 1, '--cutoff', '1h')
    lab.dr('key', 'import', listing(lab, lab.hq))
    refused(lab.dr, 'import', lab.path('bad'), words=['a revoked key', "'hq'"])
    refused(lab.dr, 'verify', lab.path('bad'), words='a revoked key')
    lab.dr('import', cut(lab, 2))               # and the replication goes on with the new one
    all_points(lab, [1, 2])
    lab.close()


def test_what_was_made_before_the_cut_off_and_comes_late_counts():
    lab = Lab()
    lab.dr('import', cut(lab, 1))
    late = cut(lab, 2)
    lab.hq('key', 'rotate')
    lab.hq('key', 'revoke', 1)
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('import', late)
    all_points(lab, [1, 2])
    lab.close()


def test_a_cut_off_only_goes_back():
    lab = Lab(enable=False)
    lab.hq('key', 'rotate')
    lab.hq('key', 'rotate')

    def end(site='own'):
        keys = lab.hq.json('key', 'list')['own']['keys'] if site == 'own' else known(lab.dr, site)['keys']
        return keys[0]['revoked']

    lab.hq('key', 'revoke', 1, '--cutoff', '3d')
    was, before = end(), tree(lab.hq.home)
    for later in ('2d', '0', when(-1), when(-2.9)):
        check('revoked already' in lab.hq('key', 'revoke', 1, '--cutoff', later).stderr)
    check(tree(lab.hq.home) == before and end() == was)
    print_1 = fingerprints(lab.hq.json('key', 'list')['own']['keys'])[0]
    lab.hq('key', 'revoke', print_1, '--cutoff', '2026-01-01T00:00:00Z')
    check(end() == '2026-01-01T00:00:00Z')
    refused(lab.hq, 'key', 'revoke', 1, '--cutoff', when(2), words='past')
    for name in ('4', '0', 'nobody', 'hq', print_1[:-1], ''):
        refused(lab.hq, 'key', 'revoke', name, words='key list')
    lab.dr('key', 'revoke', 'hq', '--cutoff', '2d')
    was = known(lab.dr, 'hq')['revoked']
    check('revoked already' in lab.dr('key', 'revoke', 'hq', '--cutoff', '1d').stderr)
    check(known(lab.dr, 'hq')['revoked'] == was and when(-2.1) < was < when(-1.9))
    lab.dr('key', 'revoke', 'hq', '--cutoff', '4d')
    check(when(-4.1) < known(lab.dr, 'hq')['revoked'] < when(-3.9))
    lab.close()


def test_a_site_that_is_revoked_here_is_taken_for_nothing():
    lab = Lab()
    lab.dr('import', cut(lab, 1), '--receipt', lab.path('r'))
    bundle = cut(lab, 2)
    lab.dr('key', 'revoke', 'hq', '--cutoff', '1h')
    refused(lab.dr, 'import', bundle, words='revoked here')
    refused(lab.dr, 'verify', bundle, words='revoked here')
    lab.hq('key', 'revoke', 'dr', '--cutoff', '1h')
    refused(lab.hq, 'import', lab.path('r'), words='revoked here')
    refused(lab.hq, 'export', 'web1', '--delta', '-o', lab.path('x'), words='revoked here')
    refused(lab.hq, 'enable', 'web2', '--to', 'dr', *lab.disk_args(), words='revoked here')
    # Its key does not come in again: by its card, its list, under another name, or after a removal.
    refused(lab.dr, 'trust', 'add', lab.hq.card, words='not added again')
    lab.hq('key', 'rotate')
    refused(lab.dr, 'key', 'import', listing(lab, lab.hq), words='revoked here')
    lab.dr('trust', 'remove', 'hq')
    refused(lab.dr, 'trust', 'add', lab.hq.card, words='not added again')
    refused(lab.dr, 'import', bundle, words='revoked here')
    entry, = lab.dr.json('trust', 'list')
    check(entry['vm'] is None and entry['revoked'] and 'revoked' in lab.dr('trust', 'list').stdout, entry)
    lab.close()


def test_a_revoked_site_goes_on_with_its_new_card_and_without_a_seed():
    lab = Lab()
    lab.dr('import', cut(lab, 1))
    thief = clone(lab, lab.hq, 'thief')
    thief('export', 'web1', '--seed', '-o', lab.path('bad'))
    lab.dr('key', 'revoke', 'hq', '--cutoff', '1h')
    lab.hq('key', 'rotate')
    lab.dr('trust', 'add', put(lab, lab.hq('card').stdout, 'new.card'), '--vm', 'web*')
    check(known(lab.dr, 'hq')['revoked'] is None)
    refused(lab.dr, 'import', lab.path('bad'), words='a revoked key')
    refused(lab.dr, 'trust', 'add', lab.hq.card, words='not added again')
    lab.dr('import', cut(lab, 2))
    lab.dr('key', 'import', listing(lab, lab.hq))       # in which the first is merely rotated
    check(known(lab.dr, 'hq')['keys'][0]['revoked'] is not None)
    refused(lab.dr, 'import', lab.path('bad'), words='a revoked key')
    lab.dr('import', cut(lab, 3))
    all_points(lab, [1, 2, 3])
    lab.close()


def test_a_removed_site_leaves_its_revoked_keys_behind():
    lab = Lab(enable=False)
    lab.hq('key', 'rotate')
    lab.hq('key', 'revoke', 1)
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('trust', 'remove', 'hq')
    refused(lab.dr, 'trust', 'add', lab.hq.card, words='not added again')
    lab.dr('trust', 'add', put(lab, lab.hq('card').stdout, 'new.card'))
    refused(lab.dr, 'trust', 'add', lab.hq.card, words='not added again')
    lab.close()


# --- backwards, and forged --------------------------------------------------------------------------------

def test_a_list_never_goes_backwards():
    lab = Lab(enable=False)
    lists = []
    for n in range(4):
        lists.append(listing(lab, lab.hq, 'l%d' % n))
        lab.hq('key', 'rotate') if n != 2 else lab.hq('key', 'revoke', 1)
    lab.dr('key', 'import', lists[2])
    before = tree(lab.dr.home)
    for n in (0, 1, 2):
        check('already have it: version 3' in lab.dr('key', 'import', lists[n]).stderr)
    check(tree(lab.dr.home) == before, 'an older list changed something')
    lab.dr('key', 'import', lists[3])
    check(known(lab.dr, 'hq')['version'] == 4)
    lab.close()


def test_two_lists_of_one_version_are_noticed():
    lab = Lab(enable=False)
    thief = clone(lab, lab.hq, 'thief')
    lab.hq('key', 'rotate')
    thief('key', 'rotate')
    lab.dr('key', 'import', listing(lab, lab.hq))
    refused(lab.dr, 'key', 'import', listing(lab, thief), words=['very version', 'key revoke'])
    refused(lab.hq, 'key', 'import', listing(lab, thief), words=["this very site's key list", 'somebody else'])
    thief('key', 'rotate')      # and he does not get further with more of them
    refused(lab.dr, 'key', 'import', listing(lab, thief), words=['only with an earlier one', 'ask there'])
    refused(lab.hq, 'key', 'import', listing(lab, thief), words='somebody else')
    lab.close()


def test_a_site_knows_its_own_lists():
    lab = Lab(enable=False)
    old = listing(lab, lab.hq, 'old')
    lab.hq('key', 'rotate')
    before = tree(lab.hq.home)
    for p in (old, listing(lab, lab.hq)):
        check('this very site' in lab.hq('key', 'import', p).stderr)
    check(tree(lab.hq.home) == before)
    lab.close()


def test_hostile_lists_are_refused_and_change_nothing():
    """Each with a name, and what of its refusal must be said."""
    lab = Lab(enable=False)
    third = Site(lab, 'third')
    lab.dr('trust', 'add', third.card)
    lab.hq('key', 'rotate')
    lab.hq('key', 'rotate')
    lab.dr('key', 'import', listing(lab, lab.hq))
    one, two, three = stolen(lab.hq)
    other, = stolen(third)
    good = forged([one, two, three, Key()], 4)
    body, signatures = good[:good.index('signature')], good[good.index('signature'):]
    late = Key()
    late.start = '2026-07-01T00:00:00Z'
    current = Key()
    current.end = 'until=2030-01-01T00:00:00Z'
    twice = Key()
    twice.box = three.box
    cases = {
        'nothing': ('', 'not a vmferry key list'),
        'a card': (open(lab.hq.card).read(), 'not a vmferry key list'),
        'rubbish': (os.urandom(5000), 'not a vmferry key list'),
        'zeroes': (bytes(16000), 'not a vmferry key list'),
        'larger than a list may be': (good + 'x' * 20000, 'not a vmferry key list'),
        'another version of the format': (good.replace('vmferry keys 1', 'vmferry keys 2'), 'not a vmferry key list'),
        'cut in a signature': (good[:-30], 'not all of its keys have signed'),
        'signed by none': (body, 'not all of its keys have signed'),
        'signed by the new key alone': (body + signatures.splitlines(True)[-1], 'is wrong'),
        'signed in another order': (body + ''.join(reversed(signatures.splitlines(True))), 'is wrong'),
        'signed as a card': (forged([one, two, three, Key()], 4, context='vmferry 1 card\n'), 'is wrong'),
        'signed under no context': (forged([one, two, three, Key()], 4, context=''), 'is wrong'),
        'its version changed': (good.replace('version: 4', 'version: 5'), 'is wrong'),
        'its name changed': (good.replace('name: hq', 'name: dr'), 'is wrong'),
        'an end changed': (good.replace('until=2030', 'until=2031'), 'is wrong'),
        'a revocation made a rotation': (good.replace('until=', 'revoked='), 'is wrong'),
        'lines that end as on another system': (good.replace('\n', '\r\n'), 'not a vmferry key list'),
        'a blank more': (good.replace(' from=', '  from='), 'a key that is none'),
        'version 0': (forged([one, two, three], 0), 'not a vmferry key list'),
        'version -1': (forged([one, two, three], -1), 'not a vmferry key list'),
        'version 04': (forged([one, two, three], '04'), 'not a vmferry key list'),
        'a version that is no number': (forged([one, two, three], '9' * 400), 'not a vmferry key list'),
        'a version beyond the last': (forged([one, two, three], 1000000001), 'not a vmferry key list'),
        'no keys': ('vmferry keys 1\nname: hq\nversion: 9\nmade: 2026-06-01T00:00:00Z\n', 'not a vmferry key list'),
        'too many keys': (forged([one, two, three] + [Key() for _ in range(30)], 4), 'too many keys'),
        'a name with an escape': (forged([one, two, three], 4, name='h\x1b[31mq'), 'not a vmferry key list'),
        'a name with a line': (forged([one, two, three], 4, name='hq\nversion: 9'), 'not a vmferry key list'),
        'a name of 256 bytes': (forged([one, two, three], 4, name='x' * 256), 'not a vmferry key list'),
        'a date that is none': (forged([one, two, three], 4, made='2026-02-30T00:00:00Z'), 'not a vmferry key list'),
        'a key made after the list': (forged([one, two, three, late], 4), 'out of order'),
        'no present key': (forged([one, two, three, current], 4), 'present one'),
        'a key twice': (forged([one, two, three, three], 4), 'present one|same key twice'),
        'a box twice': (forged([one, two, three, twice], 4), 'same key twice'),
        'of a stranger': (forged([Key(), Key()], 9), 'no key of a site that is known'),
        'of the same version, by who has the keys': (forged([one, two, three], 3), 'that very version'),
        'by who has the earlier keys': (forged([one, two, Key()], 4), 'only with an earlier one'),
        'by who has the first key': (forged([one, Key()], 9), 'only with an earlier one'),
        'an earlier key the present one again': (forged([two, three, one], 4), 'present one again'),
        'with a key of another site': (forged([one, two, three, other], 4), "of site 'hq' and of site 'third'"),
    }
    for name, (text, words) in cases.items():
        p = put(lab, text)
        q = refused(lab.dr, 'key', 'import', p)
        check(any(w in q.stderr for w in words.split('|')), name, ': it says', q.stderr)
        check('\x1b' not in q.stderr, name, ': a control character reaches the terminal')
        with open(p) as f:
            check(run(VMFERRY, '--home', lab.dr.home, 'key', 'import', '-', stdin=f, rc=1).stderr, name, ': on standard input')
    # And the harness writes lists that are taken when nothing is wrong with them.
    lab.dr('key', 'import', put(lab, good))
    check(known(lab.dr, 'hq')['version'] == 4)
    lab.dr('key', 'import', lab.path('none'), rc=3)
    lab.close()


def test_the_thief_of_a_current_key_is_a_question_for_people():
    """What the lists cannot prevent is as the manual says: he who has the present key can make the next list."""
    lab = Lab(enable=False)
    stolen_keys = stolen(lab.hq)
    lab.dr('key', 'import', put(lab, forged(stolen_keys + [Key()], 2)))
    lab.hq('key', 'rotate')
    refused(lab.dr, 'key', 'import', listing(lab, lab.hq), words='that very version')      # it is noticed
    lab.dr('key', 'revoke', 'hq', '--cutoff', '2026-01-01T00:00:00Z')                        # and a person settles it
    lab.dr('trust', 'add', put(lab, lab.hq('card').stdout, 'new.card'), '--vm', 'web*')
    lab.dr('key', 'import', listing(lab, lab.hq))
    check(fingerprints(known(lab.dr, 'hq')['keys'])[-1] == fingerprints(lab.hq.json('key', 'list')['own']['keys'])[-1])
    lab.close()


def test_one_change_of_keys_at_a_time():
    lab = Lab(enable=False)
    import fcntl
    lock = open(os.path.join(lab.hq.home, 'trust.lock'), 'w')
    fcntl.fcntl(lock, 37, b'\1\0' + bytes(30))      # F_OFD_SETLK, F_WRLCK
    for verb in (['rotate'], ['revoke', 'dr']):
        refused(lab.hq, 'key', *verb, words='another vmferry')
    lock.close()
    lab.hq('key', 'rotate')
    lab.close()


# --- killed -----------------------------------------------------------------------------------------------

def consistent(lab, versions):
    """Whatever was cut short: the site is there, with the keys of one of these versions, and its card is theirs."""
    own = lab.hq.json('key', 'list')['own']
    check(own['version'] in versions, 'version', own['version'])
    check(own['keys'][-1]['until'] is None and all(k['until'] or k['revoked'] for k in own['keys'][:-1]), own)
    card = lab.hq('card').stdout
    check(own['keys'][-1]['sign'] in card, 'the card is of another key')
    with open(os.path.join(lab.hq.home, 'card')) as f:
        check(f.read() == card, 'the file of the card is of another key')
    check(os.stat(os.path.join(lab.hq.home, 'secret')).st_mode & 0o777 == 0o600, 'the mode of the secret')
    return own


def goes_on(lab):
    """The other site takes the list and a bundle, and its receipt counts."""
    lab.dr('key', 'import', listing(lab, lab.hq))
    lab.dr('import', lab.path('late.vmf'))
    lab.hq('export', 'web1', '--delta', '-o', lab.path('new.vmf'))
    lab.dr('import', lab.path('new.vmf'), '--receipt', lab.path('receipt'))
    lab.hq('import', lab.path('receipt'))
    left = [x for x in os.listdir(lab.hq.home) if x.endswith('.new')]
    check(not left, 'left over:', *left)
    lab.same('now', os.path.join(lab.dr.replica(), 'disks'), 'the replica:')


def ready():
    lab = small_lab()
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.disks['vda'], 0, 8 * K)
    lab.keep('now')
    lab.hq('export', 'web1', '--delta', '-o', lab.path('late.vmf'))
    return lab


def test_rotate_killed_at_every_call():
    lab = ready()
    argv = [tool('key'), '--home', lab.hq.home, 'rotate']
    Sweep('key rotate', lab, argv, ['hq', 'dr'], lambda k: consistent(lab, (1, 2, 3)), lambda k: run(*argv),
          lambda k: (consistent(lab, (2, 3, 4)), goes_on(lab))).run()


def test_revoke_killed_at_every_call():
    lab = ready()
    lab.hq('key', 'rotate')
    argv = [tool('key'), '--home', lab.hq.home, 'revoke', '1', '--cutoff', when()]

    def finish(k):
        own = consistent(lab, (3,))
        check(own['keys'][0]['revoked'] is not None)
        goes_on(lab)

    Sweep('key revoke', lab, argv, ['hq', 'dr'], lambda k: consistent(lab, (2, 3)), lambda k: run(*argv), finish).run()


def test_import_killed_at_every_call():
    lab = ready()
    lab.hq('key', 'rotate')
    argv = [tool('key'), '--home', lab.dr.home, 'import', listing(lab, lab.hq)]

    def after_kill(k):
        check(known(lab.dr, 'hq')['version'] in (None, 2))
        lab.dr('verify', lab.path('late.vmf'))

    Sweep('key import', lab, argv, ['hq', 'dr'], after_kill, lambda k: run(*argv), lambda k: goes_on(lab)).run()


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
