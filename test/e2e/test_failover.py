#!/usr/bin/env python3
"""Failovers at a replica: tests, unplanned ones, their end, for real disks; by QEMU's own tools."""
import filecmp, hashlib, json, os, shutil, subprocess, sys

from lab import BIN, K, M, Failed, Lab, check, edit_record, main, run, start, tree

# A host that says what it was asked, and knows which VMs it has and which of them run.
HOST = r'''#!/usr/bin/env python3
import json, os, sys
d, verb, name = os.path.dirname(os.path.realpath(sys.argv[0])), sys.argv[1], sys.argv[2]
q = json.load(sys.stdin)
with open(d + '/host.log', 'a') as f:
    f.write(json.dumps(q) + '\n')
vms = json.load(open(d + '/host.vms')) if os.path.exists(d + '/host.vms') else {}
if verb == 'define':
    vms[name] = dict(q, state=vms.get(name, {}).get('state', 'off'))
elif verb == 'state':
    print(json.dumps({'state': vms[name]['state'] if name in vms else 'absent'}))
elif verb == 'start':
    vms[name]['state'] = 'running'
elif verb == 'shutdown':
    if name in vms:
        if os.path.exists(d + '/host.stubborn'):
            sys.exit('the guest does not listen')
        vms[name]['state'] = 'off'
elif verb == 'undefine':
    vms.pop(name, None)
elif verb == 'networks':
    print(json.dumps({'networks': ['lan', 'dmz'], 'missing': ['dmz']}))
with open(d + '/host.new', 'w') as f:
    json.dump(vms, f)
os.rename(d + '/host.new', d + '/host.vms')
'''


class Host:
    """A host by a program, for the VMs of hq at dr."""
    def __init__(self, lab, site=None):
        self.lab, self.dir = lab, lab.path('host')
        os.makedirs(self.dir, exist_ok=True)
        self.program = os.path.join(self.dir, 'host')
        with open(self.program, 'w') as f:
            f.write(HOST)
        os.chmod(self.program, 0o755)
        (site or lab.dr)('trust', 'add', lab.hq.card, '--vm', 'web*', '--host', 'exec:' + self.program)

    def vms(self):
        p = os.path.join(self.dir, 'host.vms')
        return json.load(open(p)) if os.path.exists(p) else {}

    def asked(self):
        p = os.path.join(self.dir, 'host.log')
        return [json.loads(x) for x in open(p)] if os.path.exists(p) else []


def cycle(lab, n, tag=None):
    """One more recovery point, number n, at which the disks are kept."""
    r = lab.random
    for p in lab.disks.values():
        size = os.path.getsize(p)
        for _ in range(3):
            at = r.randrange(0, size - 8 * K)
            lab.write(p, at, r.randrange(1, 8 * K))
        at = r.randrange(0, size // 2) // (4 * K) * 4 * K
        lab.write(p, at, 16 * K, b'\0')
    lab.keep(n if tag is None else tag)
    b = lab.export('--since', n - 1) if n > 1 else lab.export('--seed')
    return b


def replicated(points=5, **kw):
    """A lab in which dr has so many points, and the disks of each are kept."""
    lab = Lab(**kw)
    for n in range(1, points + 1):
        lab.dr('import', cycle(lab, n))
    return lab


def folder(lab, name):
    return os.path.join(lab.dr.replica(), name)


def shows(lab, path, tag, disk, what=''):
    """Does the overlay read as the disk that was kept?  By QEMU's reading."""
    out = lab.path('read.raw')
    run('qemu-img', 'convert', '-U', '-f', 'qcow2', '-O', 'raw', path, out)
    check(filecmp.cmp(out, lab.path('kept', str(tag), disk + '.raw'), shallow=False), what, disk, 'does not show point', tag)


def shows_all(lab, name, tag):
    for d in lab.disks:
        shows(lab, os.path.join(folder(lab, name), d + '.qcow2'), tag, d, name)


def guest_writes(path, offset, length, byte=0xa5):
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P %d %d %d' % (byte, offset, length), path)


def raw(lab):
    """What the replica is: its files, but for the record and locks, with their content."""
    return {k: v for k, v in tree(lab.dr.replica()).items() if k not in ('state', 'cycles')}


def held(lab, path):
    """A VM that has an overlay open: qemu-io that waits for more to do."""
    p = start('qemu-io', '-f', 'qcow2', path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    p.stdin.write(b'length\n')
    p.stdin.flush()
    p.stdout.readline()
    return p


def let_go(p):
    p.stdin.close()
    p.wait()


def state(lab):
    return lab.dr.json('status')[0]['state']


# --- test failovers ---------------------------------------------------------------------------------------

def test_a_test_shows_any_point_and_leaves_no_trace():
    lab = replicated(5)
    before = raw(lab)
    for seq in (0, 1, 3, 5):
        lab.dr('failover', 'web1', '--test', *(['--point', seq] if seq else []))
        shows_all(lab, 'test', seq or 5)
        for d in lab.disks:
            guest_writes(os.path.join(folder(lab, 'test'), d + '.qcow2'), 64 * K, 128 * K)
        check([p['seq'] for p in lab.dr.json('points', 'web1') if p['stands'] == 'test'] == [seq or 5], 'points does not show the test')
        lab.dr('failover', 'web1', '--stop-test', '--result', 'as it should be')
        check(raw(lab) == before, 'the replica is not as before the test from point', seq)
    lab.dr('scrub', 'web1')


def test_one_test_at_a_time_and_none_beside_a_failover():
    lab = replicated(3)
    lab.dr('failover', 'web1', '--test')
    check('stands' in lab.dr('failover', 'web1', '--test', rc=1).stderr, 'a second test')
    check('stands' in lab.dr('failover', 'web1', '--test', '--point', 1, rc=1).stderr, 'a second test of another point')
    check('test' in lab.dr('failover', 'web1', '--unplanned', '--yes', rc=1).stderr, 'a failover beside a test')
    lab.dr('failover', 'web1', '--stop-test')
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('failover', 'web1', '--test', rc=1)
    lab.dr('failover', 'web1', '--cancel')
    lab.dr('failover', 'web1', '--test')


def test_what_comes_during_a_test_is_acknowledged_and_merged_after():
    lab = replicated(3)
    lab.dr('failover', 'web1', '--test')
    for n in (4, 5):
        p = lab.dr('import', cycle(lab, n), '--receipt', lab.path('r%d' % n))
        check('merges wait' in p.stderr, 'import does not say that merges wait:', p.stderr)
        lab.hq('import', lab.path('r%d' % n))
    check(lab.hq.json('status')[0]['targets'][0]['acked'] == 5, 'what is staged is not acknowledged')
    check(lab.dr.json('status')[0]['last_point']['seq'] == 3, 'it was merged below a test')
    lab.dr('merge', 'web1', rc=1)
    shows_all(lab, 'test', 3)
    lab.dr('failover', 'web1', '--stop-test')
    check(lab.dr.json('status')[0]['last_point']['seq'] == 5, 'it did not catch up')
    lab.same(5, os.path.join(lab.dr.replica(), 'disks'))


def test_a_test_takes_what_is_staged_first():
    lab = replicated(2)
    lab.dr('import', '--no-merge', cycle(lab, 3))
    lab.dr('failover', 'web1', '--test')
    shows_all(lab, 'test', 3)


def test_disks_that_grew_and_shrank_are_shown_as_they_were():
    lab = Lab(sizes=(4 * M, 1 * M + 512))
    sizes = [4 * M, 6 * M + 512, 2 * M + 1024, 5 * M, 3 * M + 3 * 512]
    for n, size in enumerate(sizes, 1):
        os.truncate(lab.disks['vda'], size)
        lab.write(lab.disks['vda'], size - 9 * K, 9 * K)
        if n == 4:      # is there from then on, and was not where point 3 ended before it
            lab.write(lab.disks['vda'], 2 * M + 512 * K, 64 * K)
        lab.dr('import', cycle(lab, n))
    for n in range(1, 6):
        lab.dr('failover', 'web1', '--test', '--point', n)
        shows_all(lab, 'test', n)
        lab.dr('failover', 'web1', '--stop-test')


def test_a_disk_that_lies_elsewhere_is_shown_and_settled_there():
    lab = replicated(3)
    os.mkdir(lab.path('else'))
    there = os.path.realpath(lab.path('else')) + '/vda.raw'
    lab.dr('move', 'web1', '--disk', 'vda=' + there)
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', 1)
    shows_all(lab, 'failover', 1)
    lab.dr('failover', 'web1', '--complete', '--yes')
    check(filecmp.cmp(lab.path('kept', '1', 'vda.raw'), there, shallow=False), 'it is not settled where it lies')


def test_a_duplicate_that_is_in_use_is_not_taken_away():
    lab = replicated(2)
    lab.dr('failover', 'web1', '--test')
    p = held(lab, os.path.join(folder(lab, 'test'), 'vda.qcow2'))
    check('open' in lab.dr('failover', 'web1', '--stop-test', rc=1).stderr, 'a test was taken away from under its VM')
    let_go(p)
    lab.dr('failover', 'web1', '--stop-test')
    lab.dr('failover', 'web1', '--stop-test')


def test_a_host_gets_the_duplicate_isolated():
    lab = replicated(2)
    host = Host(lab)
    lab.dr('failover', 'web1', '--test', '--start')
    vms = host.vms()
    check(sorted(vms) == ['web1', 'web1 - Test'] and vms['web1']['purpose'] == 'replica', 'not the duplicate:', vms)
    vm = vms['web1 - Test']
    check(vm['network'] == 'isolated' and vm['purpose'] == 'test' and vm['state'] == 'running', vm)
    check([(d['id'], d['format'], d['size']) for d in vm['disks']] == [('vda', 'qcow2', 4 * M), ('vdb', 'qcow2', M + 512)], vm['disks'])
    open(lab.path('host', 'host.stubborn'), 'w').close()     # a duplicate is turned off
    lab.dr('failover', 'web1', '--stop-test')
    check(list(host.vms()) == ['web1'], 'the host still has', host.vms())


def test_without_a_host_a_person_is_told_what_to_do():
    lab = replicated(2)
    out = lab.dr('failover', 'web1', '--test').stdout
    check(os.path.join(os.path.realpath(folder(lab, 'test')), 'vda.qcow2') in out and 'qemu-system-x86_64' in out, out)


def test_a_damaged_way_back_is_refused_and_leaves_nothing():
    lab = replicated(4)
    undo = sorted(os.listdir(folder(lab, 'undo')))[1]
    with open(os.path.join(folder(lab, 'undo'), undo), 'r+b') as f:
        f.seek(-3000, 2)
        b = f.read(1)
        f.seek(-3000, 2)
        f.write(bytes([b[0] ^ 1]))
    before = raw(lab)
    lab.dr('failover', 'web1', '--test', '--point', 1, rc=1)
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', 1, rc=1)
    check(raw(lab) == before and state(lab) == 'replicating', 'a refused failover left something')
    lab.dr('failover', 'web1', '--test', '--point', 4)
    shows_all(lab, 'test', 4)


# --- unplanned ------------------------------------------------------------------------------------------

def test_unplanned_needs_a_word_and_changes_nothing_without():
    lab = replicated(3)
    lab.dr('import', '--no-merge', cycle(lab, 4))
    before = tree(lab.dr.replica())
    p = lab.dr('failover', 'web1', '--unplanned', rc=1)
    check('is lost' in p.stderr and 'point 4' in p.stderr, p.stderr)
    check(tree(lab.dr.replica()) == before, 'something was changed')


def test_unplanned_cancel_and_another_point():
    lab = replicated(5)
    before = raw(lab)
    for seq in (5, 1, 3):
        out = lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', seq).stdout
        check('vda.qcow2' in out, out)
        check(state(lab) == 'failover-waiting-completion', state(lab))
        shows_all(lab, 'failover', seq)
        guest_writes(os.path.join(folder(lab, 'failover'), 'vda.qcow2'), 0, M)
        lab.dr('merge', 'web1', rc=1)
        lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', seq)      # as it stands
        lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', 2, rc=1)
        lab.dr('failover', 'web1', '--cancel')
        check(state(lab) == 'replicating', state(lab))
        check(raw(lab) == before, 'the replica is not as before the failover to point', seq)
    lab.dr('failover', 'web1', '--cancel', rc=1)
    lab.dr('import', cycle(lab, 6))
    lab.same(6, os.path.join(lab.dr.replica(), 'disks'))


def completed(seq, points=5, write=True, staged=0):
    """Fail over to a point, let the VM write, complete: the model has what the VM had."""
    lab = replicated(points)
    for n in range(points + 1, points + 1 + staged):
        lab.dr('import', '--no-merge', cycle(lab, n))
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--point', seq)
    for d in lab.disks:
        if write:
            path, model = os.path.join(folder(lab, 'failover'), d + '.qcow2'), lab.path('kept', str(seq), d + '.raw')
            for offset, length, byte in ((0, 4 * K, 7), (700 * K, 96 * K, 9), (M - 512, 1024, 11)):
                guest_writes(path, offset, length, byte)
                lab.write(model, offset, length, bytes([byte]))
    return lab


def is_one_point(lab, seq):
    check([p['seq'] for p in lab.dr.json('points', 'web1')] == [seq], 'other points are left')
    check(os.listdir(folder(lab, 'undo')) == [] and os.listdir(folder(lab, 'inbox')) == [], 'files of other points are left')
    check(not os.path.exists(folder(lab, 'failover')), 'the overlays are left')


def test_complete_keeps_what_the_vm_wrote():
    for seq in (5, 1, 3):
        lab = completed(seq, staged=1)
        lab.dr('failover', 'web1', '--complete', rc=1)
        lab.dr('failover', 'web1', '--complete', '--yes')
        check(state(lab) == 'failed-over', state(lab))
        lab.same(seq, os.path.join(lab.dr.replica(), 'disks'), 'after the failover')
        is_one_point(lab, seq)
        for verb in (['scrub', 'web1'], ['restore', 'web1', '-o', lab.path('out')], ['compare', 'web1', '-o', lab.path('c')], ['merge', 'web1']):
            lab.dr(*verb, rc=1)
        lab.dr('failover', 'web1', '--complete')
        lab.dr('failover', 'web1', '--cancel', rc=1)
        lab.close()


def test_complete_brings_the_leaves_to_the_point():
    """Seen by scrub, which a record that says replicating does not refuse."""
    for seq in (1, 3, 5):
        lab = completed(seq, write=False)
        lab.dr('failover', 'web1', '--complete', '--yes')
        edit_record(os.path.join(lab.dr.replica(), 'state'), lambda o: o['role'].update(state='replicating'))
        lab.dr('scrub', 'web1')
        lab.close()


def test_a_vm_that_runs_keeps_its_overlays_until_it_is_off():
    lab = completed(2)
    vm = held(lab, os.path.join(folder(lab, 'failover'), 'vda.qcow2'))
    check('stays on its overlays' in lab.dr('failover', 'web1', '--complete', '--yes').stderr, 'nothing is said of the overlays')
    check(state(lab) == 'failed-over' and os.path.exists(folder(lab, 'failover')), state(lab))
    lab.dr('failover', 'web1', '--complete', rc=1)
    let_go(vm)
    lab.dr('failover', 'web1', '--complete')
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'), 'after the VM was shut down')
    is_one_point(lab, 2)


def test_a_host_has_the_vm_on_overlays_and_then_on_the_disks():
    lab = replicated(3)
    host = Host(lab)
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--start', '--point', 2)
    vm = host.vms()['web1']
    check(vm['purpose'] == 'failover' and vm['state'] == 'running' and vm['disks'][0]['format'] == 'qcow2', vm)
    lab.dr('failover', 'web1', '--complete', '--yes')
    lab.dr('failover', 'web1', '--complete', rc=1)           # it runs
    subprocess.run([host.program, 'shutdown', 'web1'], input=b'{}', check=True)
    lab.dr('failover', 'web1', '--complete', '--start')
    vm = host.vms()['web1']
    check(vm['purpose'] == 'primary' and vm['state'] == 'running' and vm['disks'][0]['format'] == 'raw', vm)
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'))


def test_cancel_takes_the_vm_from_the_host_but_not_when_it_will_not_stop():
    lab = replicated(3)
    host = Host(lab)
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--start')
    open(lab.path('host', 'host.stubborn'), 'w').close()
    lab.dr('failover', 'web1', '--cancel', rc=1)
    check(state(lab) == 'failover-waiting-completion', state(lab))
    os.unlink(lab.path('host', 'host.stubborn'))
    lab.dr('failover', 'web1', '--cancel')
    vm = host.vms()['web1']
    check(vm['purpose'] == 'replica' and not vm['may_start'] and state(lab) == 'replicating', vm, state(lab))


def test_imports_go_on_until_a_failover_is_complete():
    lab = replicated(2)
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('import', cycle(lab, 3))
    lab.dr('failover', 'web1', '--cancel')
    check(lab.dr.json('status')[0]['last_point']['seq'] == 3, 'it did not catch up')


def test_a_dry_run_names_what_is_in_the_way_and_changes_nothing():
    lab = replicated(3)
    before = tree(lab.dr.replica())
    o = json.loads(lab.dr('failover', 'web1', '--unplanned', '--dry-run', '--json').stdout)
    check(o['ok'] and o['point'] == 3, o)
    lab.dr('failover', 'web1', '--unplanned', '--dry-run', '--point', 77, rc=1)
    o = json.loads(lab.dr('failover', 'web1', '--planned', '--complete', '--dry-run', '--json', rc=1).stdout)
    check([c['check'] for c in o['checks'] if not c['ok']] == ['handover'], o)
    check(tree(lab.dr.replica()) == before, 'something was changed')
    Host(lab)
    out = lab.dr('failover', 'web1', '--unplanned', '--dry-run', rc=1).stdout
    check('NOT YET  network: dmz' in out, out)


def test_an_excluded_disk_comes_empty():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args(), '--exclude', 'vdc=' + lab.make_disk('vdc.img', 64 * K))
    lab.dr('import', cycle(lab, 1))
    before = raw(lab)
    host = Host(lab)
    empty = {}
    for verb, name, stop in ((['--test'], 'web1 - Test', '--stop-test'), (['--unplanned', '--yes'], 'web1', '--cancel')):
        lab.dr('failover', 'web1', *verb)
        d = host.vms()[name]['disks'][2]
        check(d['id'] == 'vdc' and d['excluded'] and d['format'] == 'raw' and d['size'] == 64 * K, d)
        with open(d['path'], 'rb') as f:
            check(f.read() == bytes(64 * K), 'it is not empty')
        lab.dr('failover', 'web1', stop)
        check(raw(lab) == before, 'a trace of it is left')


def test_a_vm_that_does_not_run_as_we_do_reaches_its_disks_and_nothing_else():
    lab = replicated(points=2)
    host = Host(lab)
    os.chmod(lab.dir, 0o711)
    lab.dr('failover', 'web1', '--test', '--point', 1)
    disks = [d['path'] for d in host.vms()['web1 - Test']['disks']]
    other = lambda flag, path, rc: run('setpriv', '--reuid', '65534', '--clear-groups', 'test', flag, path, rc=rc)
    for p in disks:     # as libvirt does with what it is told of
        os.chown(p, 65534, 65534)
        other('-r', p, 0)
        other('-w', p, 0)
    for p in (lab.dr.home, folder(lab, '.'), os.path.dirname(disks[0]), os.path.join(lab.dr.home, 'secret'), folder(lab, 'state')):
        other('-r', p, 1)


def test_a_trust_entry_names_the_host():
    lab = Lab(enable=False)
    host = Host(lab)
    check(lab.dr.json('trust', 'list')[0]['host'] == 'exec:' + host.program, 'the host is not in the list')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--host', 'telepathy', rc=2)
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*')
    check(lab.dr.json('trust', 'list')[0]['host'] is None, 'it is still there')


# --- planned --------------------------------------------------------------------------------------------

def handed_over(points=3, merge=True, **kw):
    """hq has handed over to dr, at the point behind the last one."""
    lab = Lab(**kw)
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    for n in range(1, points + 1):
        lab.dr('import', cycle(lab, n), '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))
    lab.write(lab.disks['vda'], 100 * K, 5 * K)
    lab.keep('final')
    lab.final = lab.path('final.vmf')
    lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', lab.final)
    if merge is not None:
        lab.dr('import', lab.final, *([] if merge else ['--no-merge']))
    return lab


def test_a_planned_failover_loses_nothing():
    for merge in (True, False):
        lab = handed_over(merge=merge)
        host = Host(lab)
        o = json.loads(lab.dr('failover', 'web1', '--planned', '--complete', '--dry-run', '--json', rc=1).stdout)
        check([c['check'] for c in o['checks'] if not c['ok']] == ['network'], o)
        p = lab.dr('failover', 'web1', '--planned', '--complete', '--start')
        check('nothing is lost' in p.stderr and "'hq'" in p.stderr, p.stderr)
        check(state(lab) == 'failed-over', state(lab))
        lab.same('final', os.path.join(lab.dr.replica(), 'disks'))
        is_one_point(lab, 4)
        vm = host.vms()['web1']
        check(vm['purpose'] == 'primary' and vm['state'] == 'running' and [d['format'] for d in vm['disks']] == ['raw', 'raw'], vm)
        check(vm['disks'][0]['path'] == os.path.realpath(os.path.join(lab.dr.replica(), 'disks', 'vda.raw')), vm)
        lab.dr('failover', 'web1', '--planned', '--complete')
        lab.dr('failover', 'web1', '--cancel', rc=1)
        lab.close()


def test_a_planned_failover_drops_what_a_person_kept_only_by_a_word():
    lab = handed_over(merge=True)
    lab.dr('points', 'web1', '--pin', '2')
    before = tree(lab.dr.replica())
    o = json.loads(lab.dr('failover', 'web1', '--planned', '--complete', '--dry-run', '--json', rc=1).stdout)
    check([c['check'] for c in o['checks'] if not c['ok']] == ['points'], o)
    p = lab.dr('failover', 'web1', '--planned', '--complete', rc=1)
    check('1 points for good that are pinned or a branch' in p.stderr and '--yes' in p.stderr, p.stderr)
    check(tree(lab.dr.replica()) == before, 'something was changed')
    lab.dr('failover', 'web1', '--planned', '--complete', '--dry-run', '--yes')
    lab.dr('failover', 'web1', '--planned', '--complete', '--yes')
    is_one_point(lab, 4)
    lab.close()


def test_without_a_handover_nothing_is_taken_over():
    lab = handed_over(merge=None)
    before = tree(lab.dr.replica())
    p = lab.dr('failover', 'web1', '--planned', '--complete', rc=1)
    check('no handover' in p.stderr and 'is lost' not in p.stderr and '--unplanned' in p.stderr, p.stderr)
    check(tree(lab.dr.replica()) == before, 'something was changed')


def test_a_handover_to_another_site_does_not_count():
    lab = handed_over()
    edit_record(os.path.join(lab.dr.replica(), 'state'), lambda o: o['role'].pop('handover'))
    lab.dr('failover', 'web1', '--planned', '--complete', rc=1)


def test_a_handover_that_was_taken_back_does_not_count():
    lab = handed_over()
    lab.hq('failover', 'web1', '--planned', '--cancel')
    lab.write(lab.disks['vda'], 0, 4 * K)
    lab.dr('import', lab.export())
    check('no handover' in lab.dr('failover', 'web1', '--planned', '--complete', rc=1).stderr, 'an old handover was used')


def test_a_handover_waits_for_the_end_of_a_test():
    lab = handed_over(merge=None)
    lab.dr('failover', 'web1', '--test')
    lab.dr('import', lab.final)
    lab.dr('failover', 'web1', '--planned', '--complete', rc=1)
    lab.dr('failover', 'web1', '--stop-test')
    lab.dr('failover', 'web1', '--planned', '--complete')
    lab.same('final', os.path.join(lab.dr.replica(), 'disks'))


if __name__ == '__main__':
    main(__name__)
