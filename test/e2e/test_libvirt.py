#!/usr/bin/env python3
"""What vmferry-libvirt(1) answers of VMs of a real libvirt: what they are, how they stopped, how they are defined here."""
import signal
import xml.etree.ElementTree as ET

import guest
import test_turn as turn
from lab import *
from test_views_host import Host
from virt import *

UUID = '11111111-2222-3333-4444-555555555555'
LIBVIRT = os.path.join(BIN, 'vmferry-libvirt')


def ask(lab, verb, name, rc=0, **more):
    """Ask as vmferry does; return the answer and the words."""
    q = dict(version=1, verb=verb, name=name, **more)
    p = run(LIBVIRT, verb, name, rc=rc, stdin=None, input=json.dumps(q) + '\n',
            env=dict(os.environ, VMFERRY_HOME=lab.path('home')))
    return (json.loads(p.stdout) if p.stdout.strip() else None), p.stderr


def define(lab, name, definition=None, rc=0, disks=None, **more):
    if disks is None:
        disks = [dict(id='vda', path=lab.make_disk('r-%s.raw' % name.replace(' ', ''), M), format='raw', size=M, excluded=False)]
    q = dict(dict(uuid=UUID, vm='web1', purpose='replica', network='defined', may_start=False, disks=disks), **more)
    if definition is not None:
        q['definition'] = definition
    return ask(lab, 'define', name, rc=rc, **q)[1]


def site_map(lab, *lines):
    os.makedirs(lab.path('home'), exist_ok=True)
    with open(lab.path('home', 'map'), 'w') as f:
        f.write('\n'.join(lines) + '\n')


class Folder(Lab):
    """A lab without sites."""
    def __init__(self):
        self.dir, self.random, self.disks = tempfile.mkdtemp(prefix='vmferry-test.'), random.Random(1), {}
        LABS.append(self)


def prepare():
    lab = Folder()
    os.makedirs(lab.path('home'), exist_ok=True)
    return lab, Virt(lab)


def plain(name='web1', devices='', top='', uuid=UUID):
    return ("<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
            "<os><type arch='x86_64' machine='pc'>hvm</type></os>%s<devices>%s</devices></domain>" % (name, uuid, top, devices))


def disk(path, dev, form='raw', more='', device='disk', kind='file', attr='file'):
    return ("<disk type='%s' device='%s'><driver name='qemu' type='%s'/><source %s='%s'/>"
            "<target dev='%s' bus='%s'/>%s</disk>" % (kind, device, form, attr, path, dev, 'virtio' if dev[0] == 'v' else 'ide', more))


def test_machine_says_what_each_disk_is_and_why_some_cannot_go():
    if not there():
        return
    lab, v = prepare()
    a, swap = lab.make_disk('a.raw', M), lab.make_disk('web1-swap.raw', 2 * M)
    q, b = lab.path('q.qcow2'), lab.path('b.qcow2')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', b, '3M')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', b, '-F', 'qcow2', q)
    pool = lab.path('pool')
    os.mkdir(pool)
    v.virsh('pool-create-as', 'p', 'dir', '--target', pool)
    v.virsh('vol-create-as', 'p', 'data.raw', '1M', '--format', 'raw')
    v.define(plain(devices=disk(a, 'vda') + disk(q, 'vdb', 'qcow2') + disk(swap, 'vdc') +
        disk(a, 'vdd', more='<shareable/>') + disk(a, 'vde', more='<readonly/>') + disk(lab.path('cd.iso'), 'hdc', device='cdrom') +
        "<disk type='volume' device='disk'><source pool='p' volume='data.raw'/><target dev='vdf' bus='virtio'/></disk>"
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'><host name='h' port='99'/>"
        "</source><target dev='vdg' bus='virtio'/></disk>"
        "<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='rbd' name='x/y'><host name='h'/>"
        "</source><target dev='vdh' bus='virtio'/></disk>"))
    o, words = ask(lab, 'machine', 'web1')
    check(o['uuid'] == UUID and o['definition'].startswith('<domain'), 'not the VM:', o)
    d = {x['id']: x for x in o['disks']}
    check(d['vda'] == {'id': 'vda', 'where': a, 'size': M}, d['vda'])
    check(d['vdb'] == {'id': 'vdb', 'where': 'qcow2:' + q, 'size': 3 * M}, d['vdb'])
    check(d['vdc'] == {'id': 'vdc', 'where': swap, 'size': 2 * M, 'swap': True}, d['vdc'])
    check(d['vdf']["where"] == pool + '/data.raw', d['vdf'])
    check(d['vdg']['where'] == 'nbd://h:99/x', d['vdg'])
    for i, why in (('vdd', 'shared'), ('vde', 'read-only'), ('hdc', 'removable'), ('vdh', 'rbd')):
        check(why in d[i]['why'], i, 'not refused:', d[i])
    v.virsh('pool-destroy', 'p')
    ask(lab, 'machine', 'web2', rc=1)
    check(ask(lab, 'state', 'web2')[0] == {'state': 'absent'}, 'web2 is not absent')
    check(ask(lab, 'state', 'web1')[0] == {'state': 'off', 'stopped': 'unknown'}, 'one that never ran')


HOSTILE = """<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>evil</name><uuid>%s</uuid>
<metadata><x:y xmlns:x='urn:x'/></metadata>
<memory unit='MiB'>64</memory><memoryBacking><source type='file'/></memoryBacking><vcpu cpuset='0-99'>1</vcpu>
<os firmware='efi'><type arch='x86_64' machine='pc-i440fx-99.9'>hvm</type><loader readonly='yes' type='pflash'>/etc/shadow</loader>
<nvram template='/etc/shadow'>/etc/passwd</nvram><kernel>/etc/shadow</kernel><initrd>/etc/shadow</initrd><dtb>/etc/shadow</dtb>
<acpi><table type='slic'>/etc/shadow</table></acpi></os>
<sysinfo type='fwcfg'><entry name='opt/x' file='/etc/shadow'/></sysinfo>
<features><acpi/><kvm><hidden state='on'/></kvm></features>
<clock offset='utc'/><on_crash>coredump-destroy</on_crash>
<devices><emulator>/etc/shadow</emulator>
<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='unsafe'/><source file='/etc/shadow'><privateData/></source>
<backingStore type='file'><source file='/etc/shadow'/></backingStore><target dev='vda' bus='virtio'/><serial>s1</serial><boot order='1'/></disk>
<disk type='file' device='disk'><source file='/etc/shadow'/><target dev='vdz' bus='virtio'/></disk>
<disk type='file' device='cdrom'><source file='/etc/shadow'/><target dev='hdc' bus='ide'/><readonly/></disk>
<filesystem type='mount'><source dir='/etc'/><target dir='x'/></filesystem>
<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='0' slot='1' function='0'/></source></hostdev>
<interface type='network'><mac address='52:54:00:01:02:03'/><source network='lan'/><model type='virtio'/><script path='/etc/shadow'/></interface>
<interface type='bridge'><source bridge='br0'/><filterref filter='x'/></interface>
<interface type='direct'><source dev='eth7'/></interface>
<interface type='vhostuser'><source type='unix' path='/etc/shadow' mode='server'/></interface>
<serial type='file'><source path='/etc/shadow'/><target port='0'/></serial>
<console type='unix'><source mode='bind' path='/etc/shadow'/><target type='virtio'/></console>
<channel type='unix'><source mode='bind' path='/etc/shadow'/><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<channel type='pipe'><source path='/etc/shadow'/><target type='virtio' name='x'/></channel>
<redirdev bus='usb' type='tcp'><source mode='connect' host='evil.example' service='1'/></redirdev>
<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>
<rng model='virtio'><backend model='random'>/etc/shadow</backend></rng>
<shmem name='evil'/><input type='evdev'><source dev='/dev/input/event0'/></input>
<graphics type='vnc' port='5901' listen='0.0.0.0' passwd='x'/><video><model type='nosuch'/></video>
<smartcard mode='host-certificates'><certificate>/etc/shadow</certificate><database>/etc</database></smartcard>
<panic model='isa'/><watchdog model='i6300esb' action='dump'/>
</devices>
<qemu:commandline><qemu:arg value='-drive'/><qemu:arg value='file=/etc/shadow'/></qemu:commandline>
<seclabel type='none'/></domain>""" % UUID


def test_a_definition_of_another_site_names_nothing_of_this_host():
    if not there():
        return
    lab, v = prepare()
    site_map(lab, '# here', 'network lan dmz  # by its name', 'bridge br0 network dmz', 'type qemu')
    v.network('dmz')
    words = define(lab, 'web1', HOSTILE.replace("firmware='efi'", '').replace("type='pflash'", ''))
    xml = v.xml('web1', '--inactive')
    for bad in ('shadow', 'passwd', 'evil', 'eth7', 'commandline', 'coredump', '0.0.0.0', 'unsafe', 'hostdev', 'filesystem',
                'evdev', 'smartcard', 'shmem', 'redirdev', 'filterref', 'passthrough', 'cpuset', 'fwcfg', 'vdz', "'dump'"):
        check(bad not in xml, bad, 'got through:\n' + xml)
    for said in ('hostdev', 'filesystem', 'commandline', 'disk vdz', 'eth7', 'nosuch', 'pc-i440fx-99.9', 'kernel'):
        check(said in words, said, 'is not said:', words)
    t = ET.fromstring(xml)
    check(t.findtext('name') == 'web1' and t.findtext('uuid') == UUID and t.get('type') == 'qemu', 'not the VM:\n' + xml)
    nets = [(i.find('source').get('network') if i.find('source') is not None else None) for i in t.findall('devices/interface')]
    check(nets == ['dmz', 'dmz', None, None], 'networks:', nets)
    check(t.find('devices/interface/mac').get('address') == '52:54:00:01:02:03', 'the MAC is another')
    check(all(i.find('link').get('state') == 'down' for i in t.findall('devices/interface')[2:]), 'a cable is not out')
    d = t.find("devices/disk[@device='disk']")
    check(d.find('driver').get('type') == 'raw' and d.find('source').get('file') == lab.path('r-web1.raw') and
          d.findtext('serial') == 's1' and d.find('boot').get('order') == '1', 'the disk:', ET.tostring(d))
    check(t.find("devices/disk[@device='cdrom']/source") is None, 'a disc is in')
    check(t.find('devices/graphics').get('listen') == '127.0.0.1', 'graphics')
    check(t.find('devices/rng/backend').text == '/dev/urandom', 'rng')
    define(lab, 'web1', HOSTILE)                    # once more, with its EFI, or libvirt's words for why not
    for what in ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/shadow">]>' + plain(top='<description>&a;</description>'), 'not XML', '<x/>'):
        check('none of libvirt' in define(lab, 'web1', what), 'not said')
        check('root:' not in v.xml('web1'), 'an entity')
    check('uninitialized' not in define(lab, 'web1', "<domain type='qemu'><os><type>linux</type></os></domain>", rc=1), 'a container')


def test_a_vm_without_a_definition_gets_a_plain_machine():
    if not there():
        return
    lab, v = prepare()
    site_map(lab, 'type qemu', 'network * dmz')
    d = [dict(id='vda', path=lab.make_disk('x.raw', M), format='raw', size=M, excluded=False),
         dict(id='swap', format='raw', size=8 * M, excluded=True)]
    words = define(lab, 'web1', disks=d)
    check('no definition' in words, words)
    t = ET.fromstring(v.xml('web1'))
    check(t.find('memory').text == str(2 << 20) and t.find('devices/interface/source').get('network') == 'dmz', 'the machine')
    made = t.findall('devices/disk')[1].find('source').get('file')
    check(os.path.getsize(made) == 8 * M and os.stat(made).st_blocks == 0, 'the excluded disk')
    check(define(lab, 'web1', disks=d) is not None and os.path.exists(made), 'again')
    run('cmp', '-n', str(M), made, '/dev/zero')
    # One that is made at a failover only, and the disks of a placeholder, are not there yet.
    later = [dict(x, path=lab.path('later', x['id'] + '.raw')) for x in d]
    define(lab, 'web1', purpose='placeholder', disks=later)
    places = [x.find('source').get('file') for x in ET.fromstring(v.xml('web1')).findall('devices/disk')]
    check(places == [x['path'] for x in later] and not os.path.exists(lab.path('later')), places)


def test_only_a_vm_of_vmferrys_is_changed_or_removed_and_the_hosts_own_keeps_its_settings():
    if not there():
        return
    lab, v = prepare()
    site_map(lab, 'type qemu')
    a, b = lab.make_disk('a.raw', M), lab.make_disk('b.raw', M)
    v.define(plain(uuid='99999999-2222-3333-4444-555555555555', devices=disk(a, 'vda')))
    before = v.xml('web1')
    check('is another' in define(lab, 'web1', rc=1) and v.xml('web1') == before, 'somebody else\'s was changed')
    check('not defined by vmferry' in ask(lab, 'undefine', 'web1', rc=1)[1] and v.xml('web1') == before, 'and removed')
    v.virsh('undefine', 'web1')
    v.define(plain('other'))
    check("as 'other'" in define(lab, 'web1', rc=1), 'two of one UUID')
    v.virsh('undefine', 'other')
    # The VM itself, which this host had first: its disks are changed, and nothing else.
    v.define(plain(devices=disk(a, 'vda'), top="<title>ours</title>"))
    v.virsh('autostart', 'web1')
    words = define(lab, 'web1', plain(top='<title>theirs</title>').replace('64', '96'),
        disks=[dict(id='vda', path=b, format='raw', size=M, excluded=False)])
    t = ET.fromstring(v.xml('web1'))
    check(t.findtext('title') == 'ours' and t.findtext('memory') == '65536', 'its own settings are gone')
    check(t.find('devices/disk/source').get('file') == b and 'autostart' in words, 'its disk, or', words)
    check('start="no"' in v.xml('web1') or "start='no'" in v.xml('web1'), 'its note is not there')
    check('stays' in ask(lab, 'undefine', 'web1')[1] and v.xml('web1'), 'it was removed')
    define(lab, 'web1', purpose='fenced', disks=[])
    check("purpose='fenced'" in v.xml('web1').replace('"', "'") and b in v.xml('web1'), 'what it is for is not noted')
    v.virsh('undefine', 'web1')
    # What we made goes as it came; a duplicate has another UUID, and keeps it.
    define(lab, 'web1', plain())
    define(lab, 'web1 - Test', plain(), purpose='test', network='isolated')
    uuid = v.virsh('domuuid', 'web1 - Test').stdout.strip()
    check(uuid != UUID, 'a duplicate with the UUID of the VM')
    define(lab, 'web1 - Test', plain(), purpose='test', network='isolated')
    check(uuid == v.virsh('domuuid', 'web1 - Test').stdout.strip(), 'defined again, it is another')
    for i in range(2):
        ask(lab, 'undefine', 'web1 - Test')
        ask(lab, 'undefine', 'web1')
    check(v.virsh('list', '--all', '--name').stdout.strip() == '' and os.path.exists(lab.path('r-web1.raw')), 'not gone')


def test_networks_that_are_missing_are_named_and_a_duplicate_is_alone():
    if not there():
        return
    lab, v = prepare()
    net = "<interface type='%s'><source %s='%s'/></interface>"
    xml = plain(devices=''.join(net % x for x in (('network', 'network', 'lan'), ('bridge', 'bridge', 'br0'), ('network', 'network', 'dmz'))))
    q = dict(uuid=UUID, vm='web1', purpose='replica', network='defined', may_start=False, disks=[], definition=xml)
    v.network('lan')
    v.network('down', active=False)
    o, words = ask(lab, 'networks', 'web1', **q)
    check(o == {'networks': ['lan', 'br0', 'dmz'], 'missing': ['br0', 'dmz']}, o)
    site_map(lab, 'bridge br0 bridge lo', 'network dmz down')
    o, words = ask(lab, 'networks', 'web1', **q)
    check(o == {'networks': ['lan', 'lo', 'down'], 'missing': ['down']} and 'net-start' in words, o, words)
    o, words = ask(lab, 'networks', 'web1 - Test', **dict(q, purpose='test', network='isolated'))
    check(o == {'networks': [], 'missing': []}, o)
    v.network('out', "<forward mode='open'/><bridge name='virbr9'/><ip address='192.168.199.1' netmask='255.255.255.0'/>", active=False)
    site_map(lab, 'test-network out')
    o, words = ask(lab, 'networks', 'web1 - Test', **dict(q, purpose='test', network='isolated'))
    check(o == {'networks': ['out'], 'missing': ['out']} and 'could meet' in words, o, words)
    for line, said in (('network lan', 'line 2: this wants'), ('nonsense x', 'no word of a map'), ('type xen', "'kvm' or 'qemu'"),
                       ('emulator qemu', 'absolute')):
        site_map(lab, '', line)
        check(said in ask(lab, 'networks', 'web1', rc=1, **q)[1], line, 'is taken')


class Stops:
    """A guest, and what is said of it after it was stopped."""
    def __init__(self, reboot='restart'):
        self.lab, self.v = prepare()
        disks = {'vda': 'raw:' + self.lab.make_disk('vda.raw', M)}
        self.serial = self.lab.path('serial')
        self.v.define(guest.domain_xml('web1', disks, self.serial, mode='idle', agent=os.path.exists(guest.made('initrd-agent')),
            uuid=UUID).replace('<on_reboot>restart', '<on_reboot>' + reboot))

    def up(self):
        if os.path.exists(self.serial):
            os.unlink(self.serial)
        ask(self.lab, 'start', 'web1')
        guest.Serial(self.serial).wait('GUEST-UP', 120)
        check(ask(self.lab, 'state', 'web1')[0] == {'state': 'running'}, 'it does not run')

    def judged(self, want, what, restart=True):
        self.v.wait_off('web1', 120)
        for i in range(2 if restart else 1):
            o = ask(self.lab, 'state', 'web1')[0]
            check(o == {'state': 'off', 'stopped': want}, what, 'is called', o, 'not', want, 'after a restart of libvirtd' if i else '')
            if restart and i == 0:
                self.v.restart()

    def press(self, *mode):
        self.v.virsh('shutdown', 'web1', *mode)


def test_each_way_to_stop_is_told_from_the_others():
    if not there() or not guest.there():
        return
    s = Stops()
    s.up()
    ask(s.lab, 'start', 'web1')                                         # that it runs already is fine
    ask(s.lab, 'shutdown', 'web1')
    s.judged('shutdown', 'a shutdown by us')
    ask(s.lab, 'shutdown', 'web1')
    s.up()                                                              # what was kept of that run says nothing of this one
    s.v.virsh('destroy', 'web1')
    s.judged('turned-off', 'virsh destroy')
    s.up()
    os.kill(s.v.pid('web1'), signal.SIGKILL)
    s.judged('crashed', 'a killed QEMU')
    s.up()
    os.kill(s.v.pid('web1'), signal.SIGTERM)
    s.judged('turned-off', 'a QEMU that was sent SIGTERM')
    s.up()
    s.v.virsh('qemu-monitor-command', 'web1', '{"execute": "quit"}', rc=None)
    s.judged('unknown', 'a QEMU that was quit by its monitor')


def test_a_vm_with_a_qcow2_disk_is_handed_over_and_comes_back():
    if not there():
        return
    lab = turn.Pair(sizes=(), enable=False)
    v, q, raw = Virt(lab), lab.path('web1.qcow2'), lab.path('converted')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', q, '8M')
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 7 0 300k', q)
    v.define(plain(devices=disk(q, 'vda', 'qcow2')))

    def bitmaps():
        return json.loads(run('qemu-img', 'info', '--output=json', '-f', 'qcow2', q).stdout)['format-specific']['data'].get('bitmaps', [])

    def same(what):
        run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', q, raw)
        check(filecmp.cmp(raw, lab.disk_paths(lab.dr)[0], shallow=False), what, 'the sites differ')

    lab.hq('enable', 'web1', '--to', 'dr', '--host', 'libvirt:' + URI)
    v.virsh('start', 'web1')
    lab.send(lab.hq, lab.dr, '--seed')      # live: libvirt keeps track from here on
    check(len(v.virsh('checkpoint-list', 'web1', '--name').stdout.split()) == 1, 'nothing is kept track of')
    v.virsh('destroy', 'web1')
    check(len(bitmaps()) == 1, bitmaps())
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 9 1M 64k', q)
    lab.planned(lab.hq, lab.dr)
    same('after the handover')
    lab.dirty(lab.dr)
    lab.send(lab.dr, lab.hq)
    same('after it followed')
    check(bitmaps() == [] and v.virsh('checkpoint-list', 'web1', '--name').stdout.split() == [], 'not forgotten:', bitmaps())
    d = ET.fromstring(v.xml('web1', '--inactive')).find('devices/disk')
    check(d.find('driver').get('type') == 'qcow2' and d.find('source').get('file') == q, ET.tostring(d))
    lab.planned(lab.dr, lab.hq)
    same('when it came back')


def test_a_vm_is_enabled_by_its_definition_and_a_shared_disk_by_a_persons_word():
    if not there():
        return
    lab = Lab(enable=False)
    v = Virt(lab)
    v.define(plain(devices=disk(lab.disks['vda'], 'vda') + disk(lab.disks['vdb'], 'vdb', more='<shareable/>') +
        disk(lab.make_disk('swap.raw', M), 'vdc') + disk(lab.path('cd.iso'), 'hdc', device='cdrom')))
    enable = ['enable', 'web1', '--host', 'libvirt:', '--to', 'dr']
    p = lab.hq(*enable, rc=1)
    check('vdb is shared' in p.stderr and '--exclude vdb' in p.stderr, p.stderr)
    p = lab.hq(*enable, '--exclude', 'vdb')
    check('hdc is left out' in p.stderr and 'vdc looks like swap' in p.stderr, p.stderr)
    p = lab.hq('enable', 'web1', '--exclude', 'vdc')
    out = lab.path('seed')
    lab.hq('export', 'web1', '-o', out)
    lab.dr('import', out)
    lab.dr('restore', 'web1', '-o', lab.path('out'))
    check(sorted(os.listdir(lab.path('out'))) == ['vda.raw'], os.listdir(lab.path('out')))
    check(filecmp.cmp(lab.disks['vda'], lab.path('out', 'vda.raw'), shallow=False), 'it is another disk')


def test_libvirt_starts_a_replica_by_vmferry_alone():
    """With its own user for QEMU, and the hook in its place."""
    if not there():
        return
    lab = Lab(enable=False)
    os.chmod(lab.dir, 0o711)
    source = Host(lab)
    source.put('state', state='off')
    source.put('machine', uuid=UUID, definition=plain(), disks=[{'id': i, 'where': p} for i, p in lab.disks.items()])
    lab.hq('enable', 'web1', '--to', 'dr', '--points', 24, '--host', 'exec:' + source.program)
    v = Virt(lab, 'user = "libvirt-qemu"\ngroup = "libvirt-qemu"\ndynamic_ownership = 1\n')
    with open('/etc/libvirt/hooks/qemu', 'w') as f:
        f.write('#!/bin/sh\nexec %s --home %s -- "$@"\n' % (os.path.join(BIN, 'vmferry-hook'), lab.dr.home))
    os.chmod('/etc/libvirt/hooks/qemu', 0o755)
    v.restart()     # it looks for hooks as it starts
    with open(os.path.join(lab.dr.home, 'map'), 'w') as f:
        f.write('type qemu\n')
    lab.dr('trust', 'add', lab.hq.card, '--vm', 'web*', '--host', 'libvirt:')
    for n in (1, 2):
        lab.keep(n)
        out = lab.export('--since', 'sent') if n > 1 else lab.export()
        p = lab.dr('import', out)
        lab.write(lab.disks['vda'], M, 64 * K)
    p = v.virsh('start', 'web1', rc=1)
    check('replica' in p.stderr, p.stderr)
    check(UUID in v.xml('web1'), 'it is another VM')
    lab.dr('failover', 'web1', '--test', '--start', '--point', 1)
    check(v.virsh('domstate', 'web1 - Test').stdout.strip() == 'running', 'the test does not run')
    check("<link state='down'/>" in v.xml('web1 - Test') or '<interface' not in v.xml('web1 - Test'), 'it is not alone')
    lab.dr('failover', 'web1', '--stop-test')
    check('web1 - Test' not in v.virsh('list', '--all', '--name').stdout, 'a duplicate is left')
    lab.dr('failover', 'web1', '--unplanned', '--yes', '--start')
    check(v.virsh('domstate', 'web1').stdout.strip() == 'running', 'it does not run')
    v.virsh('destroy', 'web1')
    v.virsh('start', 'web1')                                            # it lives here now
    v.virsh('destroy', 'web1')
    lab.dr('failover', 'web1', '--cancel')
    check('replica' in v.virsh('start', 'web1', rc=1).stderr, 'it may start')
    out = lab.path('out')
    lab.dr('restore', 'web1', '-o', out)
    lab.same(2, out)
    os.unlink('/etc/libvirt/hooks/qemu')
    v.restart()


if __name__ == '__main__':
    enter()
    main(__name__)
