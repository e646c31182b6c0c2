#!/usr/bin/env python3
"""Who may do what: signers, patterns, limits, lineages, targets, receipts, keys and cards; misuse; locks."""
import signal

from lab import *

TOOLS = sorted(os.path.basename(p) for p in glob.glob(os.path.join(BIN, 'vmferry*')))
VERBS = [t[8:] for t in TOOLS if t != 'vmferry']


def refused(site, *args, words=(), rc=1, **kw):
    """The answer is no, with these words, and nothing below the home has changed."""
    before = tree(site.home)
    p = site(*args, rc=rc, **kw)
    for w in [words] if isinstance(words, str) else words:
        check(w in p.stderr, 'it does not say "%s": %s' % (w, p.stderr))
    check(tree(site.home) == before, 'a refusal changed', site.home)
    return p


def clone(lab, site, name):
    """The same site again, keys and all, as from a backup."""
    run('cp', '-a', site.home, lab.path(name))
    c = object.__new__(Site)
    c.lab, c.name, c.home, c.card = lab, name, lab.path(name), site.card
    return c


def primary_record(site):
    return glob.glob(os.path.join(site.home, 'primaries', '*-*', 'state'))[0]


def test_an_unknown_signer_is_refused():
    lab = Lab()
    seed = lab.export('--seed')
    lab.dr('trust', 'remove', 'hq')
    refused(lab.dr, 'import', seed, words=['does not know', 'trust add'])
    refused(lab.dr, 'verify', seed, words='not known')
    lab.dr('verify', '--key', lab.hq.card, seed)
    refused(lab.dr, 'verify', '--key', lab.dr.card, seed, words='another key')
    lab.dr('trust', 'add', lab.hq.card)         # known, but no VM of it is wanted
    refused(lab.dr, 'import', seed, words=['may not replicate', '--vm'])
    refused(lab.hq, 'import', seed, words='this very site')
    lab.close()


def test_only_the_vms_of_the_pattern_come_in():
    lab = Lab(enable=False)
    for vm, pattern, ok in (('web1', 'web?', 1), ('web10', 'web?', 0), ('db', 'web*', 0), ('web1', '[vw]eb1', 1), ('Web1', 'web1', 0)):
        lab.hq('enable', vm, '--to', 'dr', *lab.disk_args(), rc=None)
        lab.hq('export', vm, '--seed', '-o', lab.path('s'))
        lab.dr('trust', 'add', lab.hq.card, '--vm', pattern)
        if ok:
            lab.dr('import', lab.path('s'))
        else:
            refused(lab.dr, 'import', lab.path('s'), words='may not replicate')
    lab.close()


def test_a_vm_larger_than_allowed_is_refused():
    lab = Lab(sizes=(1 * M, 512 * K))
    seed = lab.export('--seed')
    lab.dr('trust', 'add', lab.hq.card, '--vm', '*', '--max-size', str(1 * M + 512 * K - 1))
    refused(lab.dr, 'import', seed, words='--max-size')
    lab.dr('trust', 'add', lab.hq.card, '--vm', '*', '--max-size', '1536K')
    lab.dr('import', seed)
    os.truncate(lab.disks['vdb'], 512 * K + 512)        # it grows past the limit
    refused(lab.dr, 'import', lab.export('--delta'), words='--max-size')
    lab.close()


def test_a_second_primary_that_claims_the_vm_is_refused():
    lab = Lab()
    evil = Site(lab, 'evil')
    lab.dr('trust', 'add', evil.card, '--vm', '*')
    evil('trust', 'add', lab.dr.card)
    lab.dr('import', lab.export('--seed'))
    run('cp', '-a', os.path.dirname(primary_record(lab.hq)), os.path.join(evil.home, 'primaries'))
    lab.write(lab.disks['vda'], 0, 4096)
    evil('export', 'web1', '--delta', '-o', lab.path('e'))
    refused(lab.dr, 'import', lab.path('e'), words=["accepted from site 'hq'", "'evil'"])
    evil('export', 'web1', '--seed', '-o', lab.path('e'))
    refused(lab.dr, 'import', lab.path('e'), words="accepted from site 'hq'")
    lab.close()


def test_another_lineage_epoch_or_history_is_refused():
    lab = Lab()
    lab.dr('import', lab.export('--seed'))
    two = clone(lab, lab.hq, 'two')
    edit_record(primary_record(two), lambda o: o.update(lineage='5' * len(o['lineage'])))
    two('export', 'web1', '--seed', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words='another lineage')
    shutil.rmtree(two.home)
    two = clone(lab, lab.hq, 'two')
    edit_record(primary_record(two), lambda o: o['role'].update(history=[dict(epoch=2, seq=1, site='5' * 64)]))
    two('export', 'web1', '--seed', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words='epoch 2')
    shutil.rmtree(two.home)
    two = clone(lab, lab.hq, 'two')     # a primary that was put back from a backup, and went another way
    lab.write(lab.disks['vda'], 0, 4096)
    lab.dr('import', lab.export('--delta'), '--receipt', lab.path('r'))
    lab.write(lab.disks['vda'], 0, 4096)
    two('export', 'web1', '--delta', '-o', lab.path('x'))
    p = lab.dr('import', lab.path('x'), rc=1)     # it is point 2 as well, but not that one
    check('restored from a backup' in p.stderr, p.stderr)
    two('export', 'web1', '--delta', '--since', 'sent', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words=['histories have parted', 'seed'])
    check('is not what was sent' in two('import', lab.path('r'), rc=1).stderr)
    check(two.json('status')[0]['state'] == 'waiting-for-resync', 'it does not wait for a resynchronization')
    lab.hq('import', lab.path('r'))
    lab.close()


def test_a_bundle_with_other_disks_is_refused():
    lab = Lab()
    lab.dr('import', lab.export('--seed'))
    two = clone(lab, lab.hq, 'two')
    edit_record(primary_record(two), lambda o: o['disks'][1].update(id='vdz'))
    run('mv', *glob.glob(two.home + '/primaries/*/leaves/vdb'), glob.glob(two.home + '/primaries/*/leaves')[0] + '/vdz')
    two('export', 'web1', '--seed', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words="disk 'vdz'")
    edit_record(primary_record(two), lambda o: (o['disks'].pop(), [p['disks'].pop() for p in o['points']]))
    two('export', 'web1', '--seed', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words='1 disks, the replica 2')
    lab.close()


def test_a_bundle_for_another_site_is_refused():
    lab = Lab()
    third = Site(lab, 'third')
    lab.hq('trust', 'add', third.card)
    third('trust', 'add', lab.hq.card, '--vm', '*')
    lab.hq('export', 'web1', '--seed', '--to', 'third', '-o', lab.path('x'))
    refused(lab.dr, 'import', lab.path('x'), words='not addressed')
    lab.dr('verify', lab.path('x'))     # that it is whole, anybody may see
    third('import', lab.path('x'))
    lab.hq('export', 'web1', '--seed', '--to', 'third', '--plain', '-o', lab.path('y'))
    refused(lab.dr, 'import', lab.path('y'), words='not addressed')
    lab.hq('export', 'web1', '--to', 'nobody', rc=1)
    lab.hq('trust', 'remove', 'third')
    p = lab.hq('export', 'web1', '--to', 'third', '-o', lab.path('z'), rc=1)
    p = lab.hq('export', 'web1', '--seed', '-o', lab.path('z'), rc=1)
    check("card is not known any more" in p.stderr, p.stderr)
    lab.close()


def test_a_bundle_for_no_site_in_particular():
    lab = Lab(enable=False)
    lab.hq('trust', 'remove', 'dr')
    lab.hq('enable', 'web1', *lab.disk_args())
    refused(lab.hq, 'export', 'web1', '--seed', '-o', lab.path('x'), words=['nobody to encrypt to', '--plain'])
    p = lab.hq('export', 'web1', '--seed', '--plain', '-o', lab.path('x'))
    check('whoever has it can read it' in p.stderr, p.stderr)
    lab.keep(1)
    lab.dr('import', lab.path('x'), '--receipt', lab.path('r'))
    lab.same(1, os.path.join(lab.dr.replica(), 'disks'))
    refused(lab.hq, 'import', lab.path('r'), words='does not know')
    lab.hq('trust', 'add', lab.dr.card)
    refused(lab.hq, 'import', lab.path('r'), words='nothing was ever sent to site')
    lab.close()


def test_receipts_that_do_not_belong_here_are_refused():
    lab = Lab()
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    third = Site(lab, 'third')
    third('trust', 'add', lab.dr.card)
    refused(third, 'import', lab.path('r'), words='no such VM is protected here')
    refused(lab.dr, 'import', lab.path('r'), words='this very site')
    two = clone(lab, lab.hq, 'two')
    edit_record(primary_record(two), lambda o: o.update(lineage='5' * len(o['lineage'])))
    refused(two, 'import', lab.path('r'), words='another lineage')
    shutil.rmtree(two.home)
    two = clone(lab, lab.hq, 'two')
    edit_record(primary_record(two), lambda o: o['points'].clear())
    check('restored from a backup' in two('import', lab.path('r'), rc=1).stderr)
    refused(two, 'export', 'web1', '--seed', '-o', lab.path('x'), words=['fenced', 'resync --keep'])
    # The replica's record says something else than what was sent.
    edit_record(os.path.join(lab.dr.replica(), 'state'), lambda o: o['points'][0]['disks'][0].update(root='00' * 16))
    before = lab.export('--seed')
    lab.dr('import', '--no-merge', before, '--receipt', lab.path('bad'))
    p = lab.hq('import', lab.path('bad'), rc=1)
    check('is not what was sent' in p.stderr and 'scrub' in p.stderr, p.stderr)
    refused(lab.hq, 'export', 'web1', '--delta', '-o', lab.path('x'), words=['is not what was sent', '--against', '--seed'])
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 0)
    lab.hq('import', lab.path('r'))
    check('already have it' in lab.hq('import', lab.path('r')).stderr)
    lab.close()


def test_a_secret_key_that_others_can_read_is_not_used():
    lab = Lab()
    secret = os.path.join(lab.hq.home, 'secret')
    check(os.stat(secret).st_mode & 0o777 == 0o600, 'the mode of a new secret')
    for mode in (0o640, 0o604, 0o666, 0o620):
        os.chmod(secret, mode)
        p = refused(lab.hq, 'export', 'web1', '--seed', '-o', lab.path('x'), words='0600', rc=3)
        check(not os.path.exists(lab.path('x')))
    os.chmod(secret, 0o600)
    with open(secret) as f:
        text = f.read()
    with open(secret, 'w') as f:
        f.write(text.replace('sign: ' + text.split('sign: ')[1][:2], 'sign: ' + ('00' if text.split('sign: ')[1][:2] != '00' else '11')))
    refused(lab.hq, 'card', words='not the secret key of the card', rc=3)
    lab.close()


def test_a_tampered_card_is_refused():
    lab = Lab(enable=False)
    third = Site(lab, 'third')
    with open(third.card) as f:
        text = f.read()
    for at in range(len(text)):
        for other in ('x', '0', '\n'):
            if text[at] == other or at % 7 and other != '0':
                continue
            with open(lab.path('t.card'), 'w') as f:
                f.write(text[:at] + other + text[at + 1:])
            p = lab.hq('trust', 'add', lab.path('t.card'), rc=None)
            check(p.returncode == 1, 'byte', at, 'made', repr(other), ': exit', p.returncode, p.stderr)
    for bad in ('', text[:-1], text + 'x', text + text, 'rubbish\n', '\0' * 100, 'x' * 100000):
        with open(lab.path('t.card'), 'w') as f:
            f.write(bad)
        check(lab.hq('trust', 'add', lab.path('t.card'), rc=None).returncode in (1, 3), repr(bad[:30]))
    check([x['name'] for x in lab.hq.json('trust', 'list')] == ['dr'])
    lab.hq('trust', 'add', third.card)
    # Another site of the same name.
    os.mkdir(lab.path('imp'))
    impostor = run(VMFERRY, 'init', '--home', lab.path('imp', 'ostor'), '--name', 'third').stdout
    with open(lab.path('t.card'), 'w') as f:
        f.write(impostor)
    refused(lab.hq, 'trust', 'add', lab.path('t.card'), words='fingerprints')
    refused(lab.hq, 'trust', 'add', lab.hq.card, words="own card")
    lab.close()


def test_home_is_taken_before_and_after_the_verb():
    lab = Lab()
    want = lab.hq('card').stdout
    env = {k: v for k, v in os.environ.items() if k != 'VMFERRY_HOME'}
    for argv in (['--home', lab.hq.home, 'card'], ['--home=' + lab.hq.home, 'card'], ['card', '--home', lab.hq.home],
                 ['card', '--home=' + lab.hq.home], ['--home', lab.dr.home, 'card', '--home', lab.hq.home]):
        check(run(VMFERRY, *argv, env=env).stdout == want, *argv)
    check(run(VMFERRY, 'card', env=dict(env, VMFERRY_HOME=lab.hq.home)).stdout == want, 'VMFERRY_HOME')
    check(run(VMFERRY + '-card', '--home', lab.hq.home, env=env).stdout == want)
    check(run(VMFERRY, 'status', 'web1', '--home', lab.hq.home, '--json', env=env).stdout.startswith('['), 'after the words')
    check(run(VMFERRY, '--home', lab.path('none'), 'card', rc=3).stderr.count('vmferry init') == 1)
    lab.close()


def test_help_of_every_tool():
    check(len(VERBS) >= 12, VERBS)
    for t in TOOLS:
        for option in ('--help', '-h'):
            p = run(os.path.join(BIN, t), option)
            check(p.stdout.startswith('usage: vmferry') and not p.stderr, t, option, p.stdout, p.stderr)
    for v in VERBS:
        check(run(VMFERRY, v, '--help').stdout == run(VMFERRY + '-' + v, '--help').stdout, v)
        check(v in run(VMFERRY, '--help').stdout, v, 'is not in the list of verbs')


MISUSE = {
    'libvirt': [[], ['state'], ['state', 'a', 'b']],
    'qmp': [[], ['state'], ['state', 'a', 'b']],
    'hook': [[], ['web1']],
    'sync': [['web1', '--seed', '--bundle', 'x'], [], ['a', 'b'], ['a', '--seed', '--resync'], ['a', '--json'], ['a', '--test', '--seed'], ['a', '--rate', 'x'],
             ['a', '--patience', '-1']],
    'serve': [['a'], ['--only']],
    'run': [['a'], ['--jobs', '0'], ['--jobs', 'x'], ['--rate', 'x'], ['--fast']],
    'adopt': [[], ['web1'], ['web1', '--from', 'hq'], ['web1', '--disk', 'a=b'], ['web1', '--drop', '--from', 'hq'],
              ['web1', '--drop', '--disk', 'a=b'], ['a', 'b', '--from', 'hq', '--disk', 'a=b']],
    'compare': [[], ['a', 'b'], ['web1', '-o']],
    'extend': [[], ['web1'], ['a', 'b', '--to', 'x'], ['web1', '--to', 'x', '--via', 'y', '--end']],
    'vmferry': [[], ['nonsense'], ['--nonsense'], ['--home'], ['../bin/ls'], ['']],
    'card': [['x']],
    'enable': [[], ['vm'], ['vm', '--disk'], ['vm', 'vm2', '--disk', 'a=b'], ['vm', '--disk', 'a=b', '--points', '0'],
               ['vm', '--disk', 'a=b', '--points', 'x'], ['vm', '--disk', 'a=b', '--frequency', '5x'], ['vm', '--disk', 'a=b', '--host', 'xen'],
               ['vm', '--disk', 'a=b', '--host', 'exec:x'], ['vm', '--disk', 'a=b', '--compress', 'lots'],
               ['vm', '--disk', 'a=b', '--points', '-1'], ['vm', '--disk', 'a=b', '--points', '99999999999999999999']],
    'export': [[], ['web1', 'web2'], ['web1', '--seed', '--delta'], ['web1', '--since', 'yesterday'], ['web1', '--since', '0'],
               ['web1', '--compress', 'lots'], ['web1', '-o'], ['web1', '--seed', '--changes', 'x'],
               ['web1', '--against', 'x', '--seed'], ['web1', '--against', 'x', '--delta'], ['web1', '--against', 'x', '--live-unsafe'],
               ['web1', '--against', 'x', '--since', 'sent'], ['web1', '--against', 'x', '--changes', '-'], ['web1', '--against']],
    'import': [['a', 'b'], ['--receipt'], ['--merge'], ['--media'], ['a', '--media', 'b'], ['--media', 'b', '--receipt', '-']],
    'disable': [[], ['a', 'b'], ['web1', '--yes']],
    'failover': [[], ['web1'], ['web1', '--test', '--planned'], ['web1', '--complete', '--cancel'], ['web1', '--planned', '--point', '1'],
                 ['web1', '--planned', '--json'], ['web1', '--planned', '--bandwidth', '1M'], ['web1', '--cancel', '--dry-run'],
                 ['web1', '--cancel', '-o', 'x'], ['web1', '--unplanned', '--to', 'dr'], ['web1', '--planned', '-o', 'x', '--media', 'y'],
                 ['web1', '--planned', '--volume-size', '2M'], ['web1', '--stop-test', '--start'], ['web1', '--test', '--reverse'],
                 ['web1', '--test', '--vm-is-shut-down'], ['web1', '--test', '--result', 'x'], ['web1', '--unplanned', '--point', '0']],
    'init': [['x'], ['--name']],
    'inspect': [['a', 'b'], ['--xml']],
    'key': [[], ['forget'], ['list', 'x'], ['rotate', 'x'], ['revoke'], ['import'], ['import', 'a', 'b'], ['show', 'x'], ['show', '--json'],
            ['rotate', '--overlap', 'x'], ['rotate', '--cutoff', '1d'], ['revoke', '1', '--overlap', '1d'], ['revoke', '1', '--cutoff', 'now'],
            ['revoke', '1', '--cutoff', '40000d'], ['list', '--json', '--cutoff', '1d'], ['rotate', '--overlap', '-1']],
    'extend': [[], ['web1'], ['a', 'b', '--to', 'c'], ['web1', '--to', 'c', '--end', '--via', 'd']],
    'merge': [[], ['a', 'b']],
    'move': [[], ['web1'], ['web1', '--store', 'a', '--disk', 'b'], ['web1', '--disk', 'vda='], ['a', 'b', '--store', 'c']],
    'media': [[], ['a', 'b'], ['a', '--bytes', '1G'], ['a', '--plan', '--clean'], ['a', '--plan', '--bytes', 'x'],
              ['a', '--plan', '--volume-size', '0'], ['a', '--label']],
    'combine': [[], ['a', '-o']],
    'pause': [[], ['a', 'b']],
    'resume': [[], ['a', 'b']],
    'reverse': [[], ['a', 'b'], ['web1', '--points', '0'], ['web1', '--compress', 'lots'], ['web1', '--plain', '--encrypt'], ['web1', '-o']],
    'resync': [[], ['a', 'b'], ['web1', '--keep'], ['web1', '-o']],
    'points': [[], ['a', 'b'], ['web1', '--drop'], ['web1', '--branch', '--yes'], ['web1', '--branch', '--json'], ['web1', '--json', '--prune'], ['web1', '--pin'], ['web1', '--pin', 'x'], ['web1', '--pin', '0']],
    'restore': [[], ['web1'], ['web1', '--point', '1'], ['web1', '-o'], ['web1', '--point', 'x', '-o', 'y'], ['a', 'b', '-o', 'c']],
    'scrub': [[], ['a', 'b']],
    'run': [['a'], ['--jobs', '0'], ['--jobs'], ['--rate', 'x']],
    'report': [[], ['--html'], ['a', 'b', '--html', 'x'], ['--html', 'x', '--interval', 'soon']],
    'complete': [['--xml']],
    'status': [['a', 'b'], ['--xml']],
    'confirm': [[], ['a'], ['a', 'b'], ['a', 'dns', 'x'], ['a', 'dns', '--every', '1d'], ['a', 'test', '--every', 'x']],
    'trust': [[], ['add'], ['add', 'a', 'b'], ['list', 'x'], ['remove'], ['forget', 'x'], ['add', 'x', '--max-size', '2X'],
              ['add', 'x', '--max-size', 'T']],
    'combine': [[], ['--key'], ['-o'], ['-o', 'x']],
    'media': [[], ['a', 'b']],
    'verify': [['--key'], ['--card', 'x']],
}


def test_misuse_of_every_tool_is_answered_with_2():
    lab = Lab()
    check(set(MISUSE) >= set(VERBS) | {'vmferry'}, 'not tried:', *(set(VERBS) - set(MISUSE)))
    before = tree(lab.dir)
    env = dict(os.environ, VMFERRY_HOME=lab.hq.home)
    for verb, tries in MISUSE.items():
        program = VMFERRY if verb == 'vmferry' else VMFERRY + '-' + verb
        for args in tries + [['--no-such-option']]:
            p = run(program, *args, rc=None, env=env, cwd=lab.dir)
            check(p.returncode == 2, verb, *args, ': exit', p.returncode, p.stderr)
            check(p.stderr and not p.stdout, verb, *args, 'says', p.stdout, p.stderr)
    check(tree(lab.dir) == before, 'misuse changed something')
    lab.close()


def test_names_that_could_be_something_else_are_refused():
    lab = Lab(enable=False)
    for name in ('../x', 'a/b', '', '.hidden', '-o', ' a', 'a\nb', 'a\tb', 'x' * 300, 'a\x1b[31m', '12345678-1234-1234-1234-123456789abc'):
        p = lab.hq('enable', *lab.disk_args(), '--', name, rc=1)
        check('\x1b' not in p.stderr, 'a control character reaches the terminal')
    for id in ('../x', 'a/b', '', '.', 'a b', 'x' * 300):
        lab.hq('enable', 'web1', '--disk', id + '=' + lab.disks['vda'], rc=1)
    lab.hq('enable', 'web1', '--disk', 'a=' + lab.disks['vda'], '--disk', 'a=' + lab.disks['vdb'], rc=1)
    lab.hq('enable', 'web1', '--to', 'nobody', *lab.disk_args(), rc=1)
    check(lab.hq.json('status') == [])
    check([x for x in os.listdir(lab.path('hq', 'primaries')) if x != 'lock'] == [])
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args())
    refused(lab.hq, 'enable', 'web1', '--to', 'dr', *lab.disk_args(), words='already')
    lab.close()


def test_a_home_below_a_folder_that_may_not_be_listed():
    """As in /home of mode 0711: another's folder is passed through, and need not be read or made durable."""
    lab = Lab(enable=False)
    for program in ('vmferry', 'vmferry-init', 'vmferry-card', 'vmferry-trust'):
        shutil.copy(os.path.join(BIN, program), lab.path(program))
    os.chmod(lab.dir, 0o711)
    os.makedirs(lab.path('closed', 'own'))
    who = {}
    if os.geteuid() == 0:       # root reads everything
        os.chown(lab.path('closed', 'own'), 65534, 65534)
        who = {'user': 65534, 'group': 65534, 'extra_groups': []}
    os.chmod(lab.path('closed'), 0o311)
    for home in (['own', 'new', 'home'], ['own', 'home']):
        run(lab.path('vmferry'), '--home', lab.path('closed', *home), 'init', '--name', 'x', **who)
        run(lab.path('vmferry'), '--home', lab.path('closed', *home), 'card', **who)
    os.chmod(lab.path('closed'), 0o755)
    lab.close()


def busy(p):
    check(p.returncode == 1 and 'another vmferry' in p.stderr, 'exit', p.returncode, p.stderr)


def test_one_exporter_for_each_vm():
    lab = Lab(sizes=(6 * M,))
    lab.write(lab.disks['vda'], 0, 6 * M)
    other = lab.make_disk('other', 64 * K)
    lab.hq('enable', 'web2', '--to', 'dr', '--disk', 'vda=' + other)
    p = start(VMFERRY, '--home', lab.hq.home, 'export', 'web1', '--seed', stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.read(p.stdout.fileno(), 1024)        # it waits for us now
    busy(lab.hq('export', 'web1', '--seed', '-o', lab.path('x'), rc=None))
    check(not glob.glob(lab.path('x*')))
    lab.hq('export', 'web2', '--seed', '-o', lab.path('y'))
    check(len(lab.hq.json('status')) == 2)
    p.send_signal(signal.SIGKILL)
    p.wait()
    p.stdout.close()
    lab.hq('export', 'web1', '--seed', '-o', lab.path('x'))     # a dead holder's lock is gone
    lab.dr('import', lab.path('x'))
    lab.close()


def test_one_importer_for_each_vm():
    lab = Lab(sizes=(6 * M,))
    lab.write(lab.disks['vda'], 0, 6 * M)
    lab.keep(1)
    seed = lab.export('--seed')

    def half(bundle):
        with open(bundle, 'rb') as f:
            data = f.read()
        p = start(VMFERRY, '--home', lab.dr.home, 'import', stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(data[:len(data) // 2])        # more than a pipe holds: it is well on its way
        p.stdin.flush()
        return p, data[len(data) // 2:]

    p, rest = half(seed)
    busy(lab.dr('import', seed, rc=None))
    p.send_signal(signal.SIGKILL)
    p.communicate()
    p, rest = half(seed)
    busy(lab.dr('import', seed, rc=None))
    p.communicate(rest)
    check(p.returncode == 0, 'the first importer was disturbed')
    lab.write(lab.disks['vda'], 0, 6 * M)
    lab.keep(2)
    delta = lab.export('--delta')
    p, rest = half(delta)
    for verb in (['import', delta], ['merge', 'web1'], ['scrub', 'web1'], ['points', 'web1', '--prune'], ['points', 'web1', '--pin', '1'],
                 ['restore', 'web1', '-o', lab.path('out')]):
        busy(lab.dr(*verb, rc=None))
    check([x['seq'] for x in lab.dr.json('points', 'web1')] == [1] and lab.dr.json('status'), 'looking needs no lock')
    p.send_signal(signal.SIGKILL)
    p.communicate()
    lab.dr('import', delta)                         # a dead holder's lock is gone
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'))
    lab.dr('restore', 'web1', '--point', 1, '-o', lab.path('out'))
    lab.same(1, lab.path('out'))
    lab.close()


if __name__ == '__main__':
    main(__name__, jobs=2)
