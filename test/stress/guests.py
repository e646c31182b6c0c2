#!/usr/bin/env python3
"""Real guests for longer than in `make test`: many live points, round trips of planned failovers, another tool's restore.

Those with libvirt are run in any case, the others as long as there is time.  --seed is not used: what a guest writes when is up to the machine.
Ends with "N passed, N failed".
"""
import argparse, os, shutil, signal, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
import test_libvirt, test_live, virt
from guest import Serial, check_pattern, make_disks, there
from lab import *
from qemu_host import QemuHost
from test_boot import BootLab, LibvirtHost, booted


def disks_at(site):
    """The VM's images at a site, in order, by its records."""
    role = site.json('status')[0]['role']
    with open(glob.glob(os.path.join(site.home, 'primaries' if role == 'primary' else 'replicas', '*-*', 'state'))[0], 'rb') as f:
        o = json.loads(f.read()[:-22])
    if role == 'primary':
        return [d['where'].removeprefix('raw:') for d in o['disks']]
    return [o.get('where', {}).get(i) or os.path.join(site.replica(), 'disks', i + '.raw') for i in o['disks']]


def test_a_guests_own_shutdown_is_known_however_it_came_and_nothing_else_is_called_so():
    if not virt.there() or not there():
        return
    s = test_libvirt.Stops()
    v = s.v
    for i in range(6):                              # with and without QEMU's line of libvirt's signal in the log
        s.up()
        s.press('--mode', 'acpi')
        s.judged('shutdown', 'a press of the power button')
    s.up()
    v.virsh('qemu-monitor-command', 'web1', '{"execute": "system_powerdown"}')
    v.stop()
    Serial(s.serial).wait('GUEST-OFF', 120)
    v.start()
    s.judged('shutdown', 'a guest that shut down while libvirtd was not there')
    for how, what in ((signal.SIGKILL, 'killed'), (signal.SIGTERM, 'ended')):
        s.up()
        pid = v.pid('web1')
        v.stop(signal.SIGKILL)
        os.kill(pid, how)
        while os.path.exists('/proc/%d' % pid):
            time.sleep(0.05)
        v.start()
        s.judged('crashed', 'a QEMU that was %s while libvirtd was not there' % what)
    s.up()
    pid = v.pid('web1')                             # the host is reset: what is in /run is gone with it
    v.stop(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    shutil.rmtree(virt.RUN)
    v.start()
    s.judged('turned-off', 'a host that was reset')
    s.up()
    v.virsh('managedsave', 'web1')
    s.judged('unknown', 'a VM whose memory was saved')
    test_libvirt.ask(s.lab, 'start', 'web1', rc=1)
    v.virsh('managedsave-remove', 'web1')


def test_where_a_reboot_stops_the_vm_it_is_not_called_a_shutdown():
    if not virt.there() or not there():
        return
    s = test_libvirt.Stops(reboot='destroy')
    s.up()
    s.v.virsh('reset', 'web1')
    s.judged('unknown', 'a guest that was reset')


def test_twenty_points_of_a_guest_that_writes_with_libvirt():
    if virt.there():
        test_live.live_points(test_live.ByLibvirt, 20)


def test_twenty_points_of_a_guest_that_writes_with_qemu_alone():
    test_live.live_points(test_live.ByQmp, 20)


def test_points_of_a_guest_whose_host_is_a_program():
    test_live.live_points(test_live.ByProgram, 6)


def test_points_of_raw_disks_are_whole_too():
    test_live.live_points(test_live.ByQmp, 4, 'raw')
    if virt.there():
        test_live.live_points(test_live.ByLibvirt, 4, 'raw')


def same_content(lab, restored, point):
    """virtnbdrestore's images, in whatever format, are what our restore of the point gives."""
    out = lab.path('point-%s' % point)
    lab.dr('restore', 'web1', '--point', point, '-o', out)
    for i in ('vda', 'vdb'):
        image, = [p for p in glob.glob(os.path.join(restored, '*-%s.*' % i)) if 'full' not in p and 'inc' not in p] or \
            glob.glob(os.path.join(restored, '*%s*' % i))
        p = run('qemu-img', 'compare', '-f', json.loads(run('qemu-img', 'info', '--output=json', image).stdout)['format'], '-F', 'raw',
                image, os.path.join(out, i + '.raw'), rc=None)
        check(p.returncode == 0, 'point', point, 'is not what virtnbdbackup has of', i, ':', p.stdout, p.stderr)
    shutil.rmtree(out)


def test_what_virtnbdbackup_restores_is_what_we_restore():
    if not virt.there():
        return
    if shutil.which('virtnbdbackup') is None:
        print('        skipped: not installed: virtnbdbackup')
        return
    lab = Lab(sizes=(), enable=False)
    vm = test_live.ByLibvirt(lab, make_disks(lab))
    virsh, other = vm.virt.virsh, lab.path('other')
    lab.hq('enable', 'web1', '--to', 'dr', '--points', 9, '--host', vm.spec)

    def both(level, *export):
        """At one and the same instant.  It stops at the checkpoints of others, so ours go away, and it comes last."""
        vm.serial.wait_seq(50)
        virsh('suspend', 'web1')
        said = test_live.pipe(lab, *export)
        for name in virsh('checkpoint-list', 'web1', '--name').stdout.split():
            if not name.startswith('virtnbdbackup'):
                virsh('checkpoint-delete', 'web1', name)
        run('virtnbdbackup', '-d', 'web1', '-l', level, '-o', other, '-n')
        virsh('resume', 'web1')
        return said

    both('full')
    for n in range(2, 6):
        vm.serial.wait_seq(50)
        said = test_live.pipe(lab, '--since', 'sent')
        check(n == 2 or said.count('changes are known from its dirty bitmap') == 2, 'the bitmaps were not used:', said)
    said = both('inc', '--since', 'sent')
    check(said.count('changes are known from its dirty bitmap') == 2, 'the bitmaps were not used:', said)
    vm.shut_down()
    for point, until in ((1, ['--until', 'virtnbdbackup.0']), (6, [])):
        out = lab.path('restored-%d' % point)
        run('virtnbdrestore', '-i', other, '-o', out, '-n', '-L', lab.path('log'), *until)
        same_content(lab, out, point)


def test_planned_failovers_there_and_back_twice_lose_no_write(dr=QemuHost):
    lab = BootLab(dr)
    lab.send(lab.hq, lab.dr)
    last = lab.run(lab.hq)
    for a, b in ((lab.hq, lab.dr), (lab.dr, lab.hq)) * 2:
        final = lab.path('final-%d' % len(glob.glob(lab.path('final-*'))))
        a('failover', 'web1', '--planned', '--to', b.name, '-o', final)         # the host says that it was shut down
        b('import', final)
        b('failover', 'web1', '--planned', '--complete', '--reverse', '--start')
        host = lab.hosts[b.name]
        booted(host.serial('web1'), last)
        last = host.shut_down('web1')
        check(check_pattern(*disks_at(b), boot=True) == last, 'what the guest wrote at', b.name, 'is not on its disks')
        lab.send(b, a)
        check(check_pattern(*disks_at(a), boot=True) == last, 'what the guest wrote at', b.name, 'did not come back')
        a('scrub', 'web1')


def test_a_vm_that_was_killed_is_not_handed_over():
    lab = BootLab()
    lab.send(lab.hq, lab.dr)
    lab.hosts['hq'].start('web1').wait_seq(5)
    for how in ('is running', 'shut'):
        p = lab.hq('failover', 'web1', '--planned', '-o', lab.path('final'), rc=1)
        check(how in p.stderr, 'the words are', p.stderr)
        lab.hosts['hq'].kill('web1')
    lab.run(lab.hq, 5)          # the remedy: start it, let it recover, shut it down
    lab.hq('failover', 'web1', '--planned', '-o', lab.path('final'))


def test_planned_failovers_between_libvirt_and_qemu_lose_no_write():
    if virt.there():
        test_planned_failovers_there_and_back_twice_lose_no_write(LibvirtHost)


def test_an_unplanned_failover_at_the_older_point_boots_that_one(dr=QemuHost):
    lab = BootLab(dr)
    lab.send(lab.hq, lab.dr)
    older = lab.run(lab.hq)
    lab.send(lab.hq, lab.dr)
    newer = lab.run(lab.hq)
    lab.send(lab.hq, lab.dr)
    host = lab.hosts['dr']
    seqs = [p['seq'] for p in lab.dr.json('points', 'web1')]
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--start')
    booted(host.serial('web1'), newer)
    lab.dr('failover', 'web1', '--cancel')
    lab.dr('failover', 'web1', '--unplanned', '--point', seqs[-2], '--yes', '--start')
    booted(host.serial('web1'), older)
    last = host.shut_down('web1')
    lab.dr('failover', 'web1', '--complete', '--yes', '--reverse', '--start')
    booted(host.serial('web1'), last)
    last = host.shut_down('web1')
    check(check_pattern(*disks_at(lab.dr), boot=True) == last, 'what the guest wrote is not on the disks')


def test_an_unplanned_failover_with_libvirt_boots_the_older_point():
    if virt.there():
        test_an_unplanned_failover_at_the_older_point_boots_that_one(LibvirtHost)


ALWAYS = [test_twenty_points_of_a_guest_that_writes_with_libvirt, test_planned_failovers_between_libvirt_and_qemu_lose_no_write,
          test_an_unplanned_failover_with_libvirt_boots_the_older_point, test_what_virtnbdbackup_restores_is_what_we_restore]


def main():
    a = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    a.add_argument('--seconds', type=float, default=600)
    a.add_argument('--seed', type=int)
    a.add_argument('tests', nargs='*')
    o = a.parse_args()
    if not there(boot=True):
        print('SKIPPED the guests')
        print('0 passed, 0 failed')
        return
    end, passed, failed = time.monotonic() + o.seconds, 0, 0
    tests = [f for n, f in globals().items() if n.startswith('test_') and callable(f)]
    for test in ALWAYS + [f for f in tests if f not in ALWAYS]:
        name = test.__name__
        if o.tests and name not in o.tests:
            continue
        if time.monotonic() > end and test not in ALWAYS:
            print('        %s was not begun in time' % name[5:])
        elif run_test((name, test)):
            passed += 1
        else:
            failed += 1
    print('%d passed, %d failed' % (passed, failed), flush=True)
    sys.exit(failed > 0)


if __name__ == '__main__':
    virt.enter()
    main()
