#!/usr/bin/env python3
"""Make the golden bundles of the present format version: fixtures/v1, anew; or that folder of it which is named.

They are made once for each version of the format and then stay as they are: test/e2e/test_golden.py proves that
they can be read for ever.  The site that they are for is made for this alone; its secret key lies beside them.
"""
import gzip, hashlib, os, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'e2e'))
from lab import *

FOLDER = os.path.join(ROOT, 'fixtures', 'v1')

README = """Golden bundles of format version 1, made by test/golden.py and read by test/e2e/test_golden.py.

    seed.vmf delta.vmf   web1, points 1 and 2, not encrypted
    undo.vmf             the way back from 2 to 1, signed by dr
    receipt.vmf          dr's word that it has point 2
    sealed.vmf           web2, point 1, encrypted to dr
    open.vmf             web3, point 1, for no site in particular
    hq.card lone.card    who signed web1 and web2, and web3
    dr/                  the site that they are for: its card, what it trusts, and its secret key,
                         which protects nothing
    rotated/             a site that has changed its keys twice and revoked the first; first.card is of that
                         one, and list is its key list
    expected.json        SHA-256 of each disk at each point
    volumes/             web1 of another hq, points 1 and 2, each in two volumes that are compressed as a whole;
                         its hq.card, expected.json, and the site dr that they are for
    mended/              web1 of another hq, encrypted: the seed; both.vmf, points 2 and 3 combined by a courier;
                         torn.vmf, point 4, damaged, with dr's request and hq's repair; compare.vmf of dr at point 4
    turned/              web1 of another hq, points 1 and 2 (vdb is gone); handover.vmf, hq's to dr at point 3; word.vmf
                         and turned.vmf, by mid, which took over at point 2 and cut another point 3
    defined/             web1 of another hq, with its definition: seed.vmf, in clear; delta.vmf, to point 2, encrypted, with
                         another one; both.vmf, to point 3, combined by a courier, who could read neither
"""


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def digests(disks):
    return {i: digest(p) for i, p in sorted(disks.items())}


def disk(lab, name, size):
    """A little that cannot be compressed, a little that can, and holes."""
    path = lab.path(name)
    with open(path, 'wb') as f:
        f.truncate(size)
    lab.write(path, 4 * K, 6 * K)
    lab.write(path, 16 * K, 12 * K, b'a line of text, and the next\n')
    lab.write(path, size - 512, 512, b'end')
    return path


def change(lab, disks):
    lab.write(disks['vda'], 5 * K, 100)
    lab.write(disks['vda'], 16 * K, 4 * K, b'\0')
    lab.write(disks['vdb'], 24 * K, 2 * K)
    with open(disks['vdb'], 'r+b') as f:
        f.truncate(48 * K)


def protect(lab, site, vm, disks, *to):
    site('enable', vm, '--points', 5, *to, *[a for i, p in disks.items() for a in ('--disk', '%s=%s' % (i, p))])


def rotated(lab, home):
    site = Site(lab, 'rotated')
    os.mkdir(home)
    shutil.copy(site.card, os.path.join(home, 'first.card'))
    site('key', 'rotate')
    site('key', 'revoke', 1)
    site('key', 'rotate')
    for n in ('card', 'secret'):
        shutil.copy(os.path.join(site.home, n), home)
    with open(os.path.join(home, 'list'), 'w') as f:
        f.write(site('key', 'show').stdout)


def keep_site(lab, out):
    home = os.path.join(out, 'dr')
    os.mkdir(home)
    for n in ('card', 'secret', 'trust'):
        shutil.copy(os.path.join(lab.dr.home, n), home)


def volumes(out):
    """Text that is not compressed in the bundles, so that there are bytes enough for two volumes and few to keep."""
    lab = Lab(sizes=(2 * M, 512))
    vda = lab.disks['vda']
    expected = {}
    for point in (1, 2):
        lab.write(vda, 0, 2 * M, b'point %d, and a line of text\n' % point)
        expected[str(point)] = digests(lab.disks)
        medium = lab.path('medium%d' % point)
        os.mkdir(medium)
        lab.hq('export', 'web1', '--plain', '--compress', 'none', '--media', medium, '--volume-size', '2M',
               '--seed' if point == 1 else '--delta')
        files = sorted(glob.glob(os.path.join(medium, 'vmferry', '*.vmf')))
        check(len(files) == 2, 'two volumes, not', files)
        for n, path in enumerate(files, 1):
            with open(path, 'rb') as f, open(os.path.join(out, '%d-%d.vmf.gz' % (point, n)), 'wb') as g:
                g.write(gzip.compress(f.read(), mtime=0))
    keep_site(lab, out)
    shutil.copy(lab.hq.card, os.path.join(out, 'hq.card'))
    with open(os.path.join(out, 'expected.json'), 'w') as f:
        json.dump({'web1': expected}, f, indent=1, sort_keys=True)
        f.write('\n')
    lab.close()


def mended(out):
    """What came to the format with media: a combined delta, a request, a repair, a compare."""
    lab = Lab(sizes=(40 * K, 8 * K + 512))
    courier = Site(lab, 'courier')
    lab.dr('trust', 'add', courier.card, '--vm', 'web*')
    keep_site(lab, out)
    shutil.copy(lab.hq.card, os.path.join(out, 'hq.card'))
    shutil.copy(lab.dr.card, os.path.join(out, 'dr.card'))

    def at(name):
        return os.path.join(out, name)
    expected = {'1': digests(lab.disks)}
    lab.hq('export', 'web1', '--seed', '-o', at('seed.vmf'))
    bundles = []
    for point in (2, 3, 4):
        lab.write(lab.disks['vda'], point * 8 * K, 2 * K)
        lab.write(lab.disks['vdb'], 4 * K, 2 * K, b'%d' % point)
        expected[str(point)] = digests(lab.disks)
        bundles.append(lab.export('--delta', '--since', 'sent'))
    courier('combine', '--key', lab.hq.card, *bundles[:2], '-o', at('both.vmf'))
    lab.dr('import', at('seed.vmf'))
    lab.dr('import', at('both.vmf'))
    lab.dr('verify', bundles[2])
    segment, = [l for l in run('tar', 'tvRf', bundles[2]).stdout.splitlines() if l.endswith('s/0000000001.dat')]
    shutil.copy(bundles[2], at('torn.vmf'))
    with open(at('torn.vmf'), 'r+b') as f:
        f.seek((int(segment.split()[1].rstrip(':')) + 1) * 512 + 100)
        f.write(b'torn')
    lab.dr('verify', at('torn.vmf'), '--request', at('request.vmf'), rc=1)
    lab.hq('export', '--repair', at('request.vmf'), '-o', at('repair.vmf'))
    lab.dr('import', at('torn.vmf'), '--repair', at('repair.vmf'))
    lab.dr('compare', 'web1', '-o', at('compare.vmf'))
    with open(at('expected.json'), 'w') as f:
        json.dump({'web1': expected}, f, indent=1, sort_keys=True)
        f.write('\n')
    lab.close()


def make(lab, out):
    lone = Site(lab, 'lone')
    lab.dr('trust', 'add', lone.card, '--vm', 'web*')
    expected = {}
    vms = {vm: {'vda': disk(lab, vm + '-a', 128 * K), 'vdb': disk(lab, vm + '-b', 36 * K + 512)}
           for vm in ('web1', 'web2', 'web3')}
    for vm in ('web1', 'web2'):
        protect(lab, lab.hq, vm, vms[vm], '--to', 'dr')
    protect(lab, lone, 'web3', vms['web3'])
    for vm, site, name, how in (('web1', lab.hq, 'seed', ['--plain']), ('web2', lab.hq, 'sealed', []),
                                ('web3', lone, 'open', ['--plain'])):
        expected[vm] = {'1': digests(vms[vm])}
        site('export', vm, '--seed', '-o', os.path.join(out, name + '.vmf'), *how)
    change(lab, vms['web1'])
    expected['web1']['2'] = digests(vms['web1'])
    lab.hq('export', 'web1', '--delta', '--plain', '-o', os.path.join(out, 'delta.vmf'))
    keep_site(lab, out)
    lab.dr('import', os.path.join(out, 'seed.vmf'))
    lab.dr('import', os.path.join(out, 'delta.vmf'), '--receipt', os.path.join(out, 'receipt.vmf'))
    shutil.copyfile(glob.glob(os.path.join(lab.dr.replica(), 'undo', '*.vmf'))[0], os.path.join(out, 'undo.vmf'))
    shutil.copy(lab.hq.card, os.path.join(out, 'hq.card'))
    shutil.copy(lone.card, os.path.join(out, 'lone.card'))
    rotated(lab, os.path.join(out, 'rotated'))
    for name, fill in FOLDERS.items():
        os.mkdir(os.path.join(out, name))
        fill(os.path.join(out, name))
    with open(os.path.join(out, 'expected.json'), 'w') as f:
        json.dump(expected, f, indent=1, sort_keys=True)
        f.write('\n')
    with open(os.path.join(out, 'README'), 'w') as f:
        f.write(README)


def turned(out):
    """What came to the format with roles: heirs, histories, handovers, a primary's word, disks of no size."""
    lab = Lab(sizes=(40 * K, 8 * K + 512), enable=False)
    mid = Site(lab, 'mid')
    for site, others in ((lab.hq, [mid]), (lab.dr, [mid]), (mid, [lab.hq, lab.dr])):
        for other in others:
            site('trust', 'add', other.card, '--vm', 'web*')
    lab.hq('trust', 'add', lab.dr.card, '--vm', 'web*')
    keep_site(lab, out)
    for card in (lab.hq.card, mid.card):
        shutil.copy(card, out)

    def at(name):
        return os.path.join(out, name)
    lab.hq('enable', 'web1', '--to', 'mid', '--to', 'dr', '--plain', '--points', 5, '--frequency', '5m', *lab.disk_args())
    expected = {'1': digests(lab.disks)}
    lab.hq('export', 'web1', '--seed', '-o', at('seed.vmf'))
    lab.hq('enable', 'web1', '--remove', 'vdb')
    del lab.disks['vdb']
    lab.write(lab.disks['vda'], 8 * K, 2 * K)
    expected['2'] = digests(lab.disks)
    lab.hq('export', 'web1', '--delta', '-o', at('delta.vmf'))
    for site in (mid, lab.dr):
        site('import', at('seed.vmf'))
        site('import', at('delta.vmf'), '--receipt', lab.path(site.name + '.receipt'))
        lab.hq('import', lab.path(site.name + '.receipt'))
    lab.write(lab.disks['vda'], 16 * K, 2 * K)
    expected['final'] = digests(lab.disks)
    lab.hq('failover', 'web1', '--planned', '--to', 'dr', '--vm-is-shut-down', '-o', at('handover.vmf'))
    mid('failover', 'web1', '--unplanned', '--yes')
    mid('failover', 'web1', '--complete', '--yes', '--reverse')
    mid('reverse', 'web1', '-o', at('word.vmf'))
    lab.dr('import', at('word.vmf'), '--receipt', lab.path('dr.word'))
    mid('import', lab.path('dr.word'))
    disk = os.path.join(mid.replica(), 'disks', 'vda.raw')
    lab.write(disk, 24 * K, 2 * K)
    expected['3'] = digests({'vda': disk})
    mid('export', 'web1', '--delta', '--to', 'dr', '--plain', '-o', at('turned.vmf'))
    with open(at('expected.json'), 'w') as f:
        json.dump({'web1': expected}, f, indent=1, sort_keys=True)
        f.write('\n')
    lab.close()


def defined(out):
    """What came to the format with hosts: the definition of the VM."""
    lab = Lab(sizes=(8 * K, 512), enable=False)
    courier = Site(lab, 'courier')
    lab.dr('trust', 'add', courier.card, '--vm', 'web*')
    keep_site(lab, out)
    shutil.copy(lab.hq.card, out)
    host = lab.path('host')

    def tells(text):
        disks = [{'id': i, 'where': p} for i, p in lab.disks.items()]
        with open(host, 'w') as f:
            f.write('#!/bin/sh\ncase $1 in\nstate) echo \'{"state": "off"}\' ;;\nmachine) echo \'%s\' ;;\n*) exit 1 ;;\nesac\n'
                    % json.dumps({'definition': text, 'disks': disks}))
        os.chmod(host, 0o755)

    def at(name):
        return os.path.join(out, name)
    tells('<domain>one</domain>')
    lab.hq('enable', 'web1', '--to', 'dr', '--points', 5, '--host', 'exec:' + host, *lab.disk_args())
    expected = {'1': digests(lab.disks)}
    lab.hq('export', 'web1', '--seed', '--plain', '-o', at('seed.vmf'))
    tells('<domain>two, b\u00fccher</domain>')
    for point, name in ((2, at('delta.vmf')), (3, lab.path('third'))):
        lab.write(lab.disks['vda'], 4 * K, 512)
        expected[str(point)] = digests(lab.disks)
        lab.hq('export', 'web1', '--delta', '--since', 'sent', '-o', name)
    courier('combine', '--key', lab.hq.card, at('delta.vmf'), lab.path('third'), '-o', at('both.vmf'))
    with open(at('expected.json'), 'w') as f:
        json.dump({'web1': expected}, f, indent=1, sort_keys=True)
        f.write('\n')
    lab.close()


FOLDERS = {'volumes': volumes, 'mended': mended, 'turned': turned, 'defined': defined}


def main():
    for name in sys.argv[1:]:
        folder = os.path.join(FOLDER, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        FOLDERS[name](folder)
    if sys.argv[1:]:
        return
    lab = Lab(enable=False, sizes=())
    try:
        new = lab.path('v1')
        os.mkdir(new)
        make(lab, new)
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(new, FOLDER)
    finally:
        lab.close()


if __name__ == '__main__':
    main()
