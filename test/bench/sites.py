"""Pairs of vmferry sites to measure with: a primary "hq" that protects one disk, and the replica site "dr".

An export moves the primary on, and an import the replica.  So that each run starts from the same state, the state of
a pair is saved under a label and brought back to the same paths before the run.
"""
import dataclasses
import glob
import os

from measure import Command, Failed, bring_back_folder, remove, same, vmferry

VM = 'web1'


@dataclasses.dataclass
class Pair:
    folder: str
    disk: str                       # the file that is the VM's disk

    def __post_init__(self):
        self.hq, self.dr, self.store = (self.folder + '/' + name for name in ('hq', 'dr', 'store'))
        self.card = self.folder + '/hq.card'


def new_pair(bench, folder, disk, points=24, max_size='64T'):
    """Two sites that know each other, the disk (None: no VM) enabled, nothing sent yet; saved as "empty"."""
    pair = Pair(folder, disk)
    remove(folder)
    os.makedirs(pair.store)
    vmferry(bench, 'init', pair.hq, 'init', '--name', 'hq', output=pair.card)
    vmferry(bench, 'init', pair.dr, 'init', '--name', 'dr', output=folder + '/dr.card')
    vmferry(bench, 'trust', pair.hq, 'trust', 'add', folder + '/dr.card')
    vmferry(bench, 'trust', pair.dr, 'trust', 'add', pair.card, '--vm', '*', '--store', pair.store,
            '--max-size', max_size)
    if disk is not None:
        vmferry(bench, 'enable', pair.hq, 'enable', VM, '--disk', 'vda=' + disk, '--to', 'dr', '--points', str(points))
    save(pair, 'empty')
    return pair


def send_seed(bench, pair):
    """Bring the disk as it is now to the replica, and the receipt back; saved as "seeded"."""
    bundle, receipt = pair.folder + '/seed.vmf', pair.folder + '/receipt'
    vmferry(bench, 'export --seed, setting up', pair.hq, 'export', VM, '--seed', '--plain', '--compress', 'fast',
            '-o', bundle)
    vmferry(bench, 'import of a seed, setting up', pair.dr, 'import', bundle, '--receipt', receipt)
    vmferry(bench, 'import of a receipt', pair.hq, 'import', receipt)
    remove(bundle)
    save(pair, 'seeded')


def save(pair, label):
    for part in (pair.hq, pair.dr, pair.store):
        bring_back_folder(part + '.' + label, part)


def load(pair, label, *parts):
    for part in parts or (pair.hq, pair.dr, pair.store):
        bring_back_folder(part, part + '.' + label)


def replica_disk(pair):
    found = glob.glob(glob.escape(pair.store) + '/*/disks/vda.raw')
    if len(found) != 1:
        raise Failed('%s holds %d disks, not one' % (pair.store, len(found)))
    return found[0]


def arrives(bench, pair, label, bundle, image):
    """Whether the replica site in the state of that label makes of the bundle what the image holds."""
    load(pair, label, pair.dr, pair.store)
    vmferry(bench, 'import, checking', pair.dr, 'import', bundle)
    return same(replica_disk(pair), image)


def export_seed(bench, pair, output, plain, image):
    """The command that exports the whole disk, which is what image holds, from the state "empty"."""
    mode = ['--plain'] if plain else []
    return Command(' '.join(['vmferry', *mode]), [bench.vmferry, '--home', pair.hq, 'export', VM, '--seed', *mode,
                                                  '--compress', 'fast', '-o', output],
                   output, warm=(pair.disk,), before=lambda: load(pair, 'empty', pair.hq),
                   check=lambda: arrives(bench, pair, 'empty', output, image))


def export_delta(bench, pair, name, output, image, *options):
    """The command that exports what changed since the state "seeded"; the disk holds what image holds."""
    return Command(name, [bench.vmferry, '--home', pair.hq, 'export', VM, '--delta', *options, '-o', output],
                   output, warm=(pair.disk,), before=lambda: load(pair, 'seeded', pair.hq),
                   check=lambda: arrives(bench, pair, 'seeded', output, image))


def import_bundle(bench, pair, name, label, bundle, image):
    """The command that imports a bundle in the state of that label, and what the replica's disk must then hold."""
    return Command(name, [bench.vmferry, '--home', pair.dr, 'import', bundle],
                   warm=(bundle, glob.escape(pair.store) + '/*/disks/*'),
                   before=lambda: load(pair, label, pair.dr, pair.store),
                   check=lambda: same(replica_disk(pair), image), check_each=True)
