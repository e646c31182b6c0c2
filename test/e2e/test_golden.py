#!/usr/bin/env python3
"""Bundles made by the first release of each format version can be read for ever: see fixtures/v1/README."""
import gzip, hashlib, itertools
from lab import *

FOLDER = os.path.join(ROOT, 'fixtures', 'v1')
KEYS = {'seed': 'hq', 'delta': 'hq', 'sealed': 'hq', 'open': 'lone', 'undo': 'dr', 'receipt': 'dr'}


def golden(*names):
    return [os.path.join(FOLDER, n) for n in names]


def expected(vm, point):
    with open(os.path.join(FOLDER, 'expected.json')) as f:
        return json.load(f)[vm][str(point)]


def must_match(folder, vm, point, values=None):
    for disk, digest in (values or expected(vm, point)).items():
        with open(os.path.join(folder, disk + '.raw'), 'rb') as f:
            check(hashlib.sha256(f.read()).hexdigest() == digest, vm, 'point', point, 'disk', disk, 'differs')


class Golden(Site):
    """The site that the bundles are for, as it was before they came."""
    def __init__(self, lab, folder=FOLDER, name='golden-dr'):
        self.lab, self.name, self.home = lab, 'dr', lab.path(name)
        self.card = os.path.join(folder, 'dr', 'card')
        shutil.copytree(os.path.join(folder, 'dr'), self.home)
        os.chmod(os.path.join(self.home, 'secret'), 0o600)
        for n in ('primaries', 'replicas', 'tmp'):
            os.mkdir(os.path.join(self.home, n), 0o700)

    def has(self, vm, point):
        out = self.lab.path('%s-%s' % (vm, point))
        self('restore', vm, '--point', point, '-o', out)
        must_match(out, vm, point)


def lab_and_site():
    lab = Lab(enable=False, sizes=())
    return lab, Golden(lab)


def test_golden_seed_and_delta_give_both_points_back():
    lab, site = lab_and_site()
    site('import', *golden('seed.vmf'))
    site.has('web1', 1)
    site('import', *golden('delta.vmf'))
    site('scrub', 'web1')
    site.has('web1', 2)
    site('restore', 'web1', '--point', 1, '-o', lab.path('back'))
    must_match(lab.path('back'), 'web1', 1)
    lab.close()


def test_golden_undo_leads_back():
    lab, site = lab_and_site()
    site('import', *golden('seed.vmf'))
    site('import', *golden('delta.vmf'))
    own = glob.glob(os.path.join(site.replica(), 'undo', '*.vmf'))
    check(len(own) == 1)
    shutil.copyfile(*golden('undo.vmf'), own[0])
    site.has('web1', 1)
    lab.close()


def test_golden_encrypted_seed_opens_with_its_key():
    lab, site = lab_and_site()
    site('import', *golden('sealed.vmf'))
    site('scrub', 'web2')
    site.has('web2', 1)
    lab.close()


def test_golden_seed_for_no_site_opens_anywhere_it_is_trusted():
    lab, site = lab_and_site()
    site('import', *golden('open.vmf'))
    site.has('web3', 1)
    lab.dr('trust', 'add', *golden('lone.card'), '--vm', 'web*')
    lab.dr('import', *golden('open.vmf'))
    lab.close()


def test_golden_bundles_verify_by_their_cards():
    lab, site = lab_and_site()
    for name, key in KEYS.items():
        card = site.card if key == 'dr' else os.path.join(FOLDER, key + '.card')
        run(VMFERRY, 'verify', '--key', card, *golden(name + '.vmf'))
        run(VMFERRY, 'inspect', '--json', *golden(name + '.vmf'))
    check(sorted(glob.glob(os.path.join(FOLDER, '*.vmf'))) == sorted(golden(*[n + '.vmf' for n in KEYS])))
    lab.close()


def test_golden_receipt_is_understood():
    lab, site = lab_and_site()
    lab.hq('trust', 'remove', 'dr')
    lab.hq('trust', 'add', site.card)
    p = lab.hq('import', *golden('receipt.vmf'), rc=1)
    check('no such VM is protected here' in p.stderr, p.stderr)
    lab.close()


def test_golden_plain_bundles_are_read_by_the_rescue_program():
    lab, site = lab_and_site()
    for point, names in ((1, ['seed']), (2, ['seed', 'delta'])):
        out = lab.path('rescued-%d' % len(names))
        os.mkdir(out)
        run(sys.executable, RESCUE, '-o', out, *golden(*[n + '.vmf' for n in names]))
        must_match(out, 'web1', point)
    lab.close()


def test_golden_keys_and_their_list_are_what_they_were():
    lab = Lab(enable=False, sizes=())
    kept = {}
    for n in ('card', 'list', 'first.card'):
        with open(os.path.join(FOLDER, 'rotated', n)) as f:
            kept[n] = f.read()
    home = lab.path('rotated')
    shutil.copytree(os.path.join(FOLDER, 'rotated'), home)
    os.chmod(os.path.join(home, 'secret'), 0o600)
    check(run(VMFERRY, '--home', home, 'card').stdout == kept['card'], 'the card is another')
    check(run(VMFERRY, '--home', home, 'key', 'show').stdout == kept['list'], 'the list is another')
    lab.dr('trust', 'add', os.path.join(home, 'first.card'))
    lab.dr('key', 'import', os.path.join(home, 'list'))
    site, = [x for x in lab.dr.json('key', 'list')['sites'] if x['name'] == 'rotated']
    check(site['version'] == 4 and [bool(k['revoked']) for k in site['keys']] == [True, False, False], site)
    lab.close()


def test_golden_volumes_give_both_points_back_in_any_order():
    lab, folder = Lab(enable=False, sizes=()), os.path.join(FOLDER, 'volumes')
    with open(os.path.join(folder, 'expected.json')) as f:
        values = json.load(f)['web1']
    files = []
    for path in sorted(glob.glob(os.path.join(folder, '*.vmf.gz'))):
        files.append(lab.path(os.path.basename(path)[:-3]))
        with gzip.open(path) as f, open(files[-1], 'wb') as g:
            g.write(f.read())
    check(len(files) == 4)
    for n, order in enumerate(itertools.permutations(files)):
        if n % 5 != 0:
            continue
        site = Golden(lab, folder, 'dr-%d' % n)
        for path in order:
            site('import', path)
        site('scrub', 'web1')
        for point in '12':
            out = lab.path('%d-%s' % (n, point))
            site('restore', 'web1', '--point', point, '-o', out)
            must_match(out, 'web1', point, values[point])
        run(sys.executable, RESCUE, '-o', lab.path('rescued-%d' % n), *sorted(order, key=lambda p: os.path.basename(p)[0]))
        must_match(lab.path('rescued-%d' % n), 'web1', '2', values['2'])
    for path in files:
        run(VMFERRY, 'verify', '--key', os.path.join(folder, 'hq.card'), path)
    lab.close()


def test_golden_combined_deltas_and_repairs_lead_where_they_did():
    lab, folder = Lab(enable=False, sizes=()), os.path.join(FOLDER, 'mended')
    with open(os.path.join(folder, 'expected.json')) as f:
        values = json.load(f)['web1']
    site, at = Golden(lab, folder), lambda name: os.path.join(folder, name)
    site('import', at('seed.vmf'))
    site('import', at('both.vmf'))
    site('import', at('torn.vmf'), rc=1)
    site('import', at('torn.vmf'), '--repair', at('repair.vmf'))
    site('scrub', 'web1')
    for point in '134':
        site('restore', 'web1', '--point', point, '-o', lab.path(point))
        must_match(lab.path(point), 'web1', point, values[point])
    for name, card in (('repair.vmf', 'hq.card'), ('request.vmf', 'dr.card'), ('compare.vmf', 'dr.card')):
        run(VMFERRY, 'verify', '--key', at(card), at(name))
    lab.close()


def test_golden_handovers_and_turns_lead_where_they_did():
    lab, folder = Lab(enable=False, sizes=()), os.path.join(FOLDER, 'turned')
    with open(os.path.join(folder, 'expected.json')) as f:
        values = json.load(f)['web1']
    at = lambda name: os.path.join(folder, name)
    for n, way in enumerate((['handover.vmf'], ['word.vmf', 'turned.vmf'], ['turned.vmf'])):
        site = Golden(lab, folder, 'golden%d' % n)
        for name in ['seed.vmf', 'delta.vmf'] + way:
            site('import', at(name))
        site('scrub', 'web1')
        for point, key in ((1, '1'), (2, '2'), (3, 'final' if way == ['handover.vmf'] else '3')):
            out = lab.path('%d-%d' % (n, point))
            site('restore', 'web1', '--point', point, '-o', out)
            must_match(out, 'web1', point, values[key])
        check(site.json('status')[0]['epoch'] == (1 if n == 0 else 2), site.json('status'))
        if n == 0:
            site('failover', 'web1', '--planned', '--complete')
            check(site.json('status')[0]['state'] == 'failed-over', site.json('status'))
    for name, card in (('handover', 'hq'), ('word', 'mid'), ('turned', 'mid')):
        run(VMFERRY, 'verify', '--key', at(card + '.card'), at(name + '.vmf'))
    h = json.loads(run(VMFERRY, 'inspect', '--json', at('turned.vmf')).stdout)
    check([(t['epoch'], t['seq']) for t in h['history']] == [(2, 2)] and len(h['heirs']) >= 1, h)
    for names, key in ((['seed', 'delta', 'handover'], 'final'), (['seed', 'delta', 'turned'], '3')):
        out = lab.path('rescued-' + key)
        run(sys.executable, RESCUE, '-o', out, *[at(n + '.vmf') for n in names])
        must_match(out, 'web1', 3, values[key])
    lab.close()


def test_golden_definitions_belong_to_their_points():
    lab, folder = Lab(enable=False, sizes=()), os.path.join(FOLDER, 'defined')
    with open(os.path.join(folder, 'expected.json')) as f:
        values = json.load(f)['web1']
    at = lambda name: os.path.join(folder, name)
    for n, (way, point) in enumerate((('delta.vmf', 2), ('both.vmf', 3))):
        site = Golden(lab, folder, 'golden%d' % n)
        site('import', at('seed.vmf'))
        site('import', at(way))
        site('scrub', 'web1')
        out = lab.path('out%d' % n)
        site('restore', 'web1', '-o', out)
        must_match(out, 'web1', point, values[str(point)])
        texts = []
        with open(os.path.join(site.replica(), 'state'), 'rb') as f:
            for p in json.loads(f.read()[:-22])['points']:
                with open(os.path.join(site.replica(), 'definitions', p['definition']), encoding='utf-8') as d:
                    texts.append(d.read())
        check(texts == ['<domain>one</domain>', '<domain>two, b\u00fccher</domain>'], texts)
    run(sys.executable, RESCUE, '-o', lab.path('rescued'), at('seed.vmf'))
    must_match(lab.path('rescued'), 'web1', 1, values['1'])
    lab.close()


def test_golden_bundles_are_few_bytes():
    sizes = [os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(FOLDER) for f in files]
    check(sum(sizes) < 440 * K, sum(sizes), 'bytes')


if __name__ == '__main__':
    main(__name__)
