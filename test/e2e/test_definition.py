#!/usr/bin/env python3
"""The VM's definition goes with its points, and a site's host knows the VM from the seed on: off, and not to be started."""
import json, os

import inject
from lab import *
from test_turn import Pair

# A host that has VMs, tells what they are, and notes what it is asked.
HOST = r'''#!/usr/bin/env python3
import json, os, sys
d, verb, name = os.path.dirname(os.path.realpath(sys.argv[0])), sys.argv[1], sys.argv[2]
q = json.load(sys.stdin)
with open(d + '/log', 'a') as f:
    f.write(json.dumps(q) + '\n')
if os.path.exists(d + '/refuses') and verb in open(d + '/refuses').read().split():
    sys.stderr.write('not today\n')
    sys.exit(1)
vms = json.load(open(d + '/vms')) if os.path.exists(d + '/vms') else {}
if verb == 'define':
    old = vms.get(name, {})
    keep = not q['disks'] and 'definition' not in q
    vms[name] = dict(old, purpose=q['purpose'], may_start=q['may_start']) if keep else dict(q, state='off')
elif verb == 'state':
    print(json.dumps({'state': vms[name].get('state', 'off'), 'stopped': 'shutdown'} if name in vms else {'state': 'absent'}))
elif verb == 'start':
    vms[name]['state'] = 'running'
elif verb == 'shutdown':
    if name in vms:
        vms[name]['state'] = 'off'
elif verb == 'undefine':
    vms.pop(name, None)
elif verb == 'networks':
    print(json.dumps({'networks': ['lan', 'dmz'], 'missing': ['dmz']}))
elif verb == 'machine':
    if 'wheres' not in vms.get(name, {}):
        sys.exit(1)
    print(json.dumps({'definition': vms[name]['definition'], 'disks': vms[name]['wheres']}))
elif verb == 'view':
    sys.exit(1)
with open(d + '/new', 'w') as f:
    json.dump(vms, f)
os.rename(d + '/new', d + '/vms')
'''


class Host:
    def __init__(self, lab, site):
        self.dir = lab.path('host-of-' + site.name)
        os.makedirs(self.dir)
        self.program = os.path.join(self.dir, 'host')
        with open(self.program, 'w') as f:
            f.write(HOST)
        os.chmod(self.program, 0o755)
        self.spec = 'exec:' + self.program

    def vms(self, change=None):
        p = os.path.join(self.dir, 'vms')
        vms = json.load(open(p)) if os.path.exists(p) else {}
        if change:
            change(vms)
            with open(p, 'w') as f:
                json.dump(vms, f)
        return vms

    def asked(self, verb):
        p = os.path.join(self.dir, 'log')
        return [q for q in map(json.loads, open(p)) if q['verb'] == verb] if os.path.exists(p) else []

    def refuses(self, *verbs):
        with open(os.path.join(self.dir, 'refuses'), 'w') as f:
            f.write(' '.join(verbs))


class Hosted(Pair):
    """hq and dr each have a host, and the VM is defined at hq's."""
    def __init__(self, **kw):
        super().__init__(enable=False, sizes=(256 * K, 64 * K), **kw)
        self.a, self.b = Host(self, self.hq), Host(self, self.dr)
        self.dr('trust', 'add', self.hq.card, '--vm', 'web*', '--host', self.b.spec)
        self.define('<domain>one</domain>')
        self.hq('enable', 'web1', '--to', 'dr', '--points', 5, '--host', self.a.spec)

    def define(self, text):
        wheres = [{'id': i, 'where': p, 'size': os.path.getsize(p)} for i, p in self.disks.items()]
        self.a.vms(lambda v: v.setdefault('web1', {'state': 'off', 'own': True}).update(definition=text, wheres=wheres))

    def points(self, site=None):
        with open(os.path.join((site or self.dr).replica(), 'state'), 'rb') as f:
            return json.loads(f.read()[:-22])['points']

    def kept(self, site=None):
        d = os.path.join((site or self.dr).replica(), 'definitions')
        return {n: open(os.path.join(d, n)).read() for n in os.listdir(d)} if os.path.isdir(d) else {}


def says(bundle):
    return json.loads(run(VMFERRY, 'inspect', '--json', bundle).stdout)['definition']


def test_it_comes_with_the_seed_and_whenever_it_changed_and_not_else():
    lab = Hosted()
    seed = lab.send(lab.hq, lab.dr, '--seed')
    check(says(seed)['bytes'] > 0, says(seed))
    with open(seed, 'rb') as f:
        check(b'<domain>' not in f.read(), 'it can be read by anybody')
    lab.dirty(lab.hq)
    delta = lab.send(lab.hq, lab.dr)
    check(says(delta) == dict(says(seed), bytes=0, text=None), says(delta))
    lab.define('<domain>two</domain>')
    lab.dirty(lab.hq)
    delta = lab.send(lab.hq, lab.dr, receipt=False)
    check(says(delta)['bytes'] > 0 and says(delta)['digest'] != says(seed)['digest'], says(delta))
    wide = lab.file()
    lab.hq('export', 'web1', '--since', 2, '-o', wide)
    check(says(wide)['bytes'] > 0, 'a delta from before the change does not carry it')
    of = [p['definition'] for p in lab.points()]
    check(of[0] == of[1] != of[2] and sorted(lab.kept()) == sorted(set(of)), of, lab.kept())
    check(lab.kept()[of[0]] == '<domain>one</domain>' and lab.kept()[of[2]] == '<domain>two</domain>', lab.kept())


def test_a_point_starts_as_what_the_vm_was_then():
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.define('<domain>two</domain>')
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    lab.dr('failover', 'web1', '--test', '--point', 1, '--start')
    check(lab.b.vms()['web1 - Test']['definition'] == '<domain>one</domain>', lab.b.vms())
    lab.dr('failover', 'web1', '--stop-test')
    check(lab.b.vms()['web1']['definition'] == '<domain>two</domain>', lab.b.vms())
    lab.dr('move', 'web1', '--store', lab.path('store'))
    check('<domain>one</domain>' in lab.kept().values(), 'a move left them behind')


def test_the_host_has_the_vm_from_the_seed_on_and_it_may_not_start():
    lab = Hosted()
    p = None
    medium = lab.path('medium')
    os.mkdir(medium)
    for d in lab.disk_paths(lab.hq):
        os.truncate(d, 4 * M)
        lab.write(d, 0, 3 * M)
    lab.hq('export', 'web1', '--seed', '--media', medium, '--volume-size', '2M')
    volumes = sorted(glob.glob(os.path.join(medium, 'vmferry', '*.vmf')))
    check(len(volumes) > 1, volumes)
    lab.dr('import', volumes[0])
    vm = lab.b.vms()['web1']
    check(vm['purpose'] == 'placeholder' and not vm['may_start'] and len(vm['disks']) == 2, vm)
    for v in volumes[1:]:
        p = lab.dr('import', v)
    vm = lab.b.vms()['web1']
    check(vm['purpose'] == 'replica' and not vm['may_start'] and vm['definition'] == '<domain>one</domain>', vm)
    check([(d['format'], os.path.exists(d['path'])) for d in vm['disks']] == [('raw', True)] * 2, vm['disks'])
    check("'dmz'" in p.stderr, 'a network that is missing is not named:', p.stderr)
    n = len(lab.b.asked('define'))
    lab.dirty(lab.hq)
    lab.send(lab.hq, lab.dr)
    check(len(lab.b.asked('define')) == n, 'it is told what it knows')
    lab.dr('disable', 'web1', '--remove', '--yes')
    check('web1' not in lab.b.vms(), lab.b.vms())


def test_a_host_that_refuses_is_told_again_and_no_import_fails_by_it():
    lab = Hosted()
    lab.b.refuses('define')
    seed = lab.file()
    lab.hq('export', 'web1', '--seed', '-o', seed)
    p = lab.dr('import', seed)
    check('not today' in p.stderr and lab.b.vms() == {}, p.stderr, lab.b.vms())
    lab.b.refuses()
    lab.dr('merge', 'web1')
    check(lab.b.vms()['web1']['purpose'] == 'replica', lab.b.vms())


def test_a_failover_that_the_host_refused_is_taken_back_without_a_word_to_somebody_else_s_vm():
    lab = Hosted()
    lab.b.vms(lambda v: v.update(web1={'state': 'off', 'definition': 'mine'}))
    seed = lab.file()
    lab.hq('export', 'web1', '--seed', '-o', seed)
    lab.dr('import', seed)
    lab.b.refuses('define')
    lab.dr('failover', 'web1', '--unplanned', '--yes', rc=1)
    lab.b.vms(lambda v: v['web1'].update(state='running'))
    lab.dr('failover', 'web1', '--cancel')
    check(lab.b.vms()['web1'] == {'state': 'running', 'definition': 'mine'}, lab.b.vms())
    check(not lab.b.asked('shutdown') and not lab.b.asked('undefine'), 'it was told to stop')


def test_a_replica_that_somebody_has_started_is_not_turned_off_by_disable():
    lab = Hosted()
    seed = lab.file()
    lab.hq('export', 'web1', '--seed', '-o', seed)
    lab.dr('import', seed)
    lab.b.vms(lambda v: v['web1'].update(state='running'))
    p = lab.dr('disable', 'web1')
    check('is running' in p.stderr and lab.b.vms()['web1']['state'] == 'running', p.stderr, lab.b.vms())
    p = lab.dr('disable', 'web1', '--remove', '--yes', rc=1)
    check('is running' in p.stderr and lab.b.vms()['web1']['state'] == 'running', p.stderr, lab.b.vms())
    lab.b.vms(lambda v: v['web1'].update(state='off'))
    lab.dr('disable', 'web1', '--remove', '--yes')
    check('web1' not in lab.b.vms(), lab.b.vms())


def test_a_vm_that_the_host_refused_to_make_is_nobody_s_of_vmferry():
    lab = Hosted()
    lab.b.refuses('define')
    seed = lab.file()
    lab.hq('export', 'web1', '--seed', '-o', seed)
    lab.dr('import', seed)
    # Somebody makes another VM of that name meanwhile, and it runs.
    lab.b.refuses()
    lab.b.vms(lambda v: v.update(web1={'state': 'running', 'definition': 'mine'}))
    lab.dr('merge', 'web1')
    lab.dr('disable', 'web1', '--remove', '--yes')
    check(lab.b.vms()['web1'] == {'state': 'running', 'definition': 'mine'}, lab.b.vms())


def test_a_vm_of_somebody_else_or_one_that_runs_is_left_alone():
    lab = Hosted()
    lab.b.vms(lambda v: v.update(web1={'state': 'off', 'definition': 'mine'}))
    seed = lab.file()
    lab.hq('export', 'web1', '--seed', '-o', seed)
    p = lab.dr('import', seed)
    check('not of vmferry' in p.stderr and lab.b.vms()['web1']['definition'] == 'mine', p.stderr)
    lab.dr('disable', 'web1', '--remove', '--yes')
    check(lab.b.vms()['web1']['definition'] == 'mine', 'it was removed with the replica')
    lab.b.vms(lambda v: v.clear())
    lab.dr('import', seed)
    lab.b.vms(lambda v: v['web1'].update(state='running'))
    lab.define('<domain>two</domain>')
    lab.dirty(lab.hq)
    out = lab.file()
    lab.hq('export', 'web1', '--since', 1, '-o', out)
    p = lab.dr('import', out)
    check('is running' in p.stderr and lab.b.vms()['web1']['definition'] == '<domain>one</domain>', p.stderr)


def test_the_old_site_is_fenced_then_a_replica_and_keeps_what_its_vm_was():
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    final = lab.file('final')
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '-o', final)
    vm = lab.a.vms()['web1']
    check(vm['purpose'] == 'fenced' and not vm['may_start'] and vm['own'] and vm['definition'] == '<domain>one</domain>', vm)
    lab.hq('failover', 'web1', '--cancel')
    check(lab.a.vms()['web1']['may_start'], lab.a.vms())
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '-o', final)
    lab.dr('import', final)
    lab.dr('failover', 'web1', '--planned', '--complete', '--start', '--reverse')
    vm = lab.b.vms()['web1']
    check(vm['purpose'] == 'primary' and vm['may_start'] and vm['definition'] == '<domain>one</domain>', vm)
    lab.b.vms(lambda v: v['web1'].update(state='off', definition='<domain>theirs</domain>', wheres=[
        {'id': d['id'], 'where': d['path'], 'size': d['size']} for d in vm['disks']]))
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    check(side_of(lab.hq) == 'replica', side_of(lab.hq))
    vm = lab.a.vms()['web1']
    check(vm['purpose'] == 'replica' and not vm['may_start'] and vm['definition'] == '<domain>theirs</domain>', vm)
    check(lab.kept(lab.hq)['own'] == '<domain>one</domain>', lab.kept(lab.hq))
    lab.hq('disable', 'web1')
    check('web1' in lab.a.vms(), 'a VM that was there before was removed')
    lab.hq('resume', 'web1')
    lab.planned(lab.dr, lab.hq)
    check(lab.a.vms()['web1']['purpose'] == 'primary' and lab.a.vms()['web1']['may_start'], lab.a.vms())


def test_a_vm_that_is_gone_from_the_host_is_not_made_only_to_be_fenced():
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.a.vms(lambda v: v.clear())
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', lab.file())
    check(lab.a.vms() == {} and not lab.a.asked('define'), lab.a.asked('define'))


def side_of(site):
    return site.json('status')[0]['role']


def test_a_fence_that_comes_with_a_bundle_reaches_the_host():
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.unplanned(lab.dr)
    word = lab.file('word')
    lab.dr('reverse', 'web1', '-o', word)
    lab.a.vms(lambda v: v['web1'].update(state='running'))
    p = lab.hq('import', word, rc=1)
    check('is running' in p.stderr and lab.a.vms()['web1'].get('may_start', True), p.stderr)
    lab.a.vms(lambda v: v['web1'].update(state='off'))
    lab.hq('import', word, rc=1)
    check(lab.a.vms()['web1']['purpose'] == 'fenced' and lab.a.vms()['web1']['own'], lab.a.vms())


def test_a_station_without_keys_combines_what_it_cannot_read():
    lab = Hosted()
    courier = Site(lab, 'courier')
    lab.dr('trust', 'add', courier.card, '--vm', 'web*')
    lab.send(lab.hq, lab.dr, '--seed')
    bundles = []
    for text in (None, 'two', 'three', None):
        if text:
            lab.define(text)
        lab.dirty(lab.hq)
        bundles.append(lab.file())
        lab.hq('export', 'web1', '--since', 'sent', '-o', bundles[-1])
    both, all4 = lab.file('c'), lab.file('c')
    courier('combine', '--key', lab.hq.card, *bundles[2:], '-o', both)
    courier('combine', '--key', lab.hq.card, *bundles[:2], both, '-o', all4)
    check(says(all4)['bytes'] > 0 and says(all4)['digest'] == says(bundles[3])['digest'], says(all4))
    run(sys.executable, '-B', RESCUE, '-h')
    lab.dr('import', all4)
    check(lab.b.vms()['web1']['definition'] == 'three' and lab.points()[-1]['definition'] == says(bundles[3])['digest'], lab.b.vms())


def test_one_that_is_too_long_stays_behind_and_the_disks_go():
    lab = Hosted()
    lab.send(lab.hq, lab.dr, '--seed')
    lab.define('<domain>' + lab.random.randbytes(40 * K).hex() + '</domain>')
    lab.dirty(lab.hq)
    out = lab.file()
    p = lab.hq('export', 'web1', '-o', out)
    check('too long' in p.stderr and says(out) is None, p.stderr)
    lab.dr('import', out)
    check(lab.points()[1]['definition'] == lab.points()[0]['definition'], lab.points())


def test_telling_survives_a_kill_anywhere():
    lab = Hosted()
    seed = lab.send(lab.hq, lab.dr, '--seed')
    lab.define('<domain>two</domain>')
    lab.dirty(lab.hq)
    out = lab.file()
    lab.hq('export', 'web1', '--since', 1, '-o', out)

    def is_right():
        check(lab.b.vms()['web1']['definition'] == '<domain>two</domain>', lab.b.vms())
        check(set(lab.kept()) == {p['definition'] for p in lab.points()}, lab.kept())
    stage = inject.Stage(lab)
    argv = [inject.tool('import'), '--home', lab.dr.home, out]
    n = 0
    for call, last in (('rename', 9), ('fsync', 16), ('unlink', 3), ('mkdir', 1)):
        for k in range(1, last + 1, 2):
            stage.reset()
            n += inject.killed(argv, lab.dir, call, k, must=False)
            run(*argv)
            lab.dr('merge', 'web1')
            is_right()
    check(n >= 8, 'only so many were killed:', n)
    print('        %d kills' % n)
    stage.close()


if __name__ == '__main__':
    inject.hurry()
    main(__name__, jobs=2)
