#!/usr/bin/env python3
"""Paused, disabled, removed: at either side of a replication, and nothing more than was said."""
import pty

import test_kill as kill
from inject import *
from lab import *
from test_trust import clone, primary_record, refused


def replicated():
    lab = Lab()
    lab.dr('import', lab.export('--seed'), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    return lab


def state(site):
    return site.json('status')[0]['state']


def set_state(path, **role):
    edit_record(path, lambda o: o['role'].update(role))


def test_a_paused_primary_sends_nothing_and_takes_receipts():
    lab = replicated()
    lab.dr('import', lab.export(), '--receipt', lab.path('r2'))
    for verb, word in (('pause', 'suspended'), ('disable', 'disabled')):
        p = lab.hq(verb, 'web1')
        check('nothing is sent until' in p.stderr and state(lab.hq) == word, p.stderr)
        check('already' in refused(lab.hq, verb, 'web1', rc=0).stderr)
        refused(lab.hq, 'export', 'web1', '-o', lab.path('x'), words='vmferry resume')
        refused(lab.hq, 'export', 'web1', '--seed', '-o', lab.path('x'), words='vmferry resume')
        refused(lab.hq, 'failover', 'web1', '--planned', '--vm-is-shut-down', words='vmferry resume')
        if verb == 'pause':
            lab.hq('import', lab.path('r2'))
            check(lab.hq.json('status')[0]['targets'][0]['acked'] == 2, 'the receipt was not taken')
        else:
            refused(lab.hq, 'import', lab.path('r2'), words='vmferry resume')
        p = lab.hq('resume', 'web1')
        check('goes on: replicating' in p.stderr and state(lab.hq) == 'replicating', p.stderr)
    refused(lab.hq, 'resume', 'web1', words='not paused')
    check(not glob.glob(lab.path('x*')))
    lab.dr('import', lab.export())
    lab.close()


def test_a_paused_replica_takes_nothing_in():
    lab = replicated()
    lab.write(lab.disks['vda'], 0, 9000)
    two = lab.export()
    lab.keep(2)
    for verb, word in (('pause', 'suspended'), ('disable', 'disabled')):
        p = lab.dr(verb, 'web1')
        check('nothing is received until' in p.stderr and state(lab.dr) == word, p.stderr)
        refused(lab.dr, 'import', two, words='vmferry resume')
        refused(lab.dr, 'import', lab.path('b0.vmf'), words='vmferry resume')
        lab.dr('restore', 'web1', '-o', lab.path('out-' + verb))
        lab.dr('resume', 'web1')
        check(state(lab.dr) == 'replicating')
    refused(lab.dr, 'resume', 'web1', words='not paused')
    lab.dr('import', two)
    lab.same(2, os.path.join(lab.dr.replica(), 'disks'))
    lab.close()


def test_what_was_disabled_while_it_was_paused_comes_back():
    lab = replicated()
    for site in (lab.hq, lab.dr):
        site('pause', 'web1')
        site('disable', 'web1')
        site('resume', 'web1')
        check(state(site) == 'replicating', state(site))
    lab.close()


def test_a_removed_primary_leaves_the_disks():
    lab = replicated()
    lab.keep('before')
    refused(lab.hq, 'disable', 'web1', '--remove', words=['removed for good', '--yes'])
    lab.hq('disable', 'web1', '--remove', '--yes')
    check(lab.hq.json('status') == [] and os.listdir(lab.path('hq', 'primaries')) == ['lock'], os.listdir(lab.path('hq', 'primaries')))
    for i, p in lab.disks.items():
        check(filecmp.cmp(p, lab.path('kept', 'before', i + '.raw'), shallow=False), 'a disk was touched')
    refused(lab.hq, 'disable', 'web1', '--remove', '--yes', words='no such VM')
    lab.hq('enable', 'web1', '--to', 'dr', *lab.disk_args())        # and it is free again
    lab.close()


def test_a_removed_replica_takes_its_own_disks_only():
    lab = Lab()
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--store', lab.path('store'))
    lab.dr('import', lab.export('--seed'))
    lab.write(lab.path('vda.img'), 0, 100)
    with open(lab.path('store', 'other'), 'w') as f:
        f.write('not ours')
    refused(lab.dr, 'disable', 'web1', '--remove', words='--yes')
    lab.dr('disable', 'web1', '--remove', '--yes')
    check(lab.dr.json('status') == [] and os.listdir(lab.path('store')) == ['other'], os.listdir(lab.path('store')))
    check(os.listdir(lab.path('dr', 'replicas')) == [], os.listdir(lab.path('dr', 'replicas')))
    lab.close()


def on_terminal(argv, text):
    """Run it on a terminal of its own, where a person types text; its status and its words."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    os.write(fd, text)
    out = b''
    try:
        while chunk := os.read(fd, 4096):
            out += chunk
    except OSError:
        pass
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode()


def test_a_person_is_asked_for_the_name_on_a_terminal():
    lab = replicated()
    argv = [VMFERRY, '--home', lab.dr.home, 'disable', 'web1', '--remove']
    before = tree(lab.dr.home)
    for text in (b'web2\n', b'y\n', b'\n', b'\x04', b'web1x\n'):
        rc, out = on_terminal(argv, text)
        check(rc == 1 and 'nothing was removed' in out and tree(lab.dr.home) == before, rc, out)
    rc, out = on_terminal(argv, b'web1\n')
    check(rc == 0 and lab.dr.json('status') == [], rc, out)
    lab.close()


def test_nothing_is_removed_while_a_failover_stands():
    lab = replicated()
    record = os.path.join(lab.dr.replica(), 'state')
    for word, before in (('failover-waiting-completion', 'replicating'), ('failed-over', 'replicating'), ('disabled', 'failed-over')):
        set_state(record, state=word, before=before)
        refused(lab.dr, 'disable', 'web1', '--remove', '--yes', words="failed over to here")
    edit_record(record, lambda o: o['role'].update(state='replicating'))
    lab.dr('failover', 'web1', '--test')
    refused(lab.dr, 'disable', 'web1', '--remove', '--yes', words='--stop-test')
    lab.dr('failover', 'web1', '--stop-test')
    set_state(record, state='failover-waiting-completion', before='replicating')
    for verb in ('pause', 'disable', 'resume'):
        refused(lab.dr, verb, 'web1', words='--complete')
    lab.close()


def test_a_fenced_primary_can_be_removed_but_not_resumed():
    lab = replicated()
    set_state(primary_record(lab.hq), state='error', fenced=True, cause='somebody else has it')
    for verb in ('pause', 'resume'):
        refused(lab.hq, verb, 'web1', words='fenced')
    lab.hq('disable', 'web1')
    lab.hq('resume', 'web1')        # to what it was, and that is fenced
    check(state(lab.hq) == 'error', state(lab.hq))
    refused(lab.hq, 'export', 'web1', '--seed', '-o', lab.path('x'), words='fenced')
    lab.hq('disable', 'web1', '--remove', '--yes')
    lab.close()


def test_the_side_that_has_the_say_is_meant():
    lab = replicated()
    for verb in ('pause', 'resume', 'disable'):
        refused(lab.hq, verb, 'web9', words='no such VM')
    # Another VM of the same name comes in here.
    other = Site(lab, 'other')
    other('trust', 'add', lab.hq.card)
    lab.hq('trust', 'add', other.card, '--vm', '*')
    other('enable', 'web1', '--to', 'hq', '--disk', 'vda=' + lab.make_disk('o.img', 64 * K))
    other('export', 'web1', '-o', lab.path('o.vmf'))
    lab.hq('import', lab.path('o.vmf'))
    p = refused(lab.hq, 'pause', 'web1', words='by its UUID')
    for s in lab.hq.json('status'):
        check(s['uuid'] in p.stderr, p.stderr)
        lab.hq('pause', s['uuid'])
    check([s['state'] for s in lab.hq.json('status')] == ['suspended'] * 2)
    lab.close()


def test_what_was_disabled_after_a_failover_keeps_what_the_vm_has():
    lab = Lab(enable=False)
    lab.hq('enable', 'web1', '--to', 'dr', '--exclude', 'swap=' + lab.make_disk('swap.img', 64 * K), *lab.disk_args())
    lab.dr('import', lab.export(), '--receipt', lab.path('r'))
    lab.dr('failover', 'web1', '--unplanned', '--yes')
    lab.dr('failover', 'web1', '--complete', '--yes')
    swap = os.path.join(lab.dr.replica(), 'excluded', 'swap.raw')
    lab.write(swap, 0, 1000)
    lab.dr('disable', 'web1')
    before = tree(lab.dr.replica())
    refused(lab.dr, 'merge', 'web1', words='it is disabled')
    refused(lab.dr, 'scrub', 'web1', words='it is disabled')
    refused(lab.dr, 'move', 'web1', '--store', lab.path('store'), words='stay where they are')
    refused(lab.dr, 'disable', 'web1', '--remove', '--yes', words="disks are the VM's now")
    check(tree(lab.dr.replica()) == before, 'something has changed')
    lab.dr('resume', 'web1')
    check(lab.dr.json('status')[0]['state'] == 'failed-over')
    lab.close()


def test_a_handover_that_stands_is_not_forgotten_by_way_of_disable():
    lab = replicated()
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web1')
    lab.hq('failover', 'web1', '--planned', '--vm-is-shut-down', '-o', lab.path('final'))
    lab.hq('disable', 'web1')
    refused(lab.hq, 'disable', 'web1', '--remove', '--yes')
    lab.hq('resume', 'web1')
    lab.hq('failover', 'web1', '--cancel')
    lab.hq('disable', 'web1', '--remove', '--yes')
    lab.close()


def sweep(name, lab, site, args, states):
    argv = [tool(args[0]), '--home', site.home, *args[1:]]

    def now():
        s = site.json('status')
        return s[0]['state'] if s else None

    def again(k):
        p = run(*argv, rc=None)
        check(p.returncode == 0 or states[1] is None and 'no such VM' in p.stderr or states[1] == 'replicating' and 'not paused' in p.stderr,
              p.returncode, p.stderr)

    def finish(k):
        check(now() == states[1], 'it is', now())
        if states[1] is None and site is lab.hq:
            lab.hq('enable', 'web2', '--to', 'dr', *lab.disk_args())        # which sweeps, as the next enable does
            left = [x for x in os.listdir(lab.path('hq', 'primaries')) if x.startswith('.')]
            check(not left, 'left over:', left)

    kill.Sweep(name, lab, argv, [site.name], lambda k: check(now() in states, 'it is', now()), again, finish).run()


def small():
    lab = kill.small_lab()
    lab.dr('import', lab.export(), '--receipt', lab.path('r'))
    lab.hq('import', lab.path('r'))
    return lab


def test_pause_and_resume_killed_anywhere():
    lab = small()
    sweep('pause', lab, lab.hq, ['pause', 'web1'], ['replicating', 'suspended'])
    lab = small()
    lab.dr('pause', 'web1')
    sweep('resume', lab, lab.dr, ['resume', 'web1'], ['suspended', 'replicating'])


def test_a_removal_killed_anywhere():
    lab = small()
    sweep('disable --remove of a primary', lab, lab.hq, ['disable', 'web1', '--remove', '--yes'], ['replicating', None])
    lab = small()
    sweep('disable --remove of a replica', lab, lab.dr, ['disable', 'web1', '--remove', '--yes'], ['replicating', None])


if __name__ == '__main__':
    hurry()
    main(__name__, jobs=2)
