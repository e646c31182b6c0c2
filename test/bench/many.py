#!/usr/bin/env python3
"""What it costs to look at a site with very many replications: their records are made from one real one of each side.

many.py [N [FOLDER]]: so many in all, half of them primaries; the folder is kept where it is named.
"""
import os, sys, time, uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from lab import Lab, edit_record, glob, shutil


def put_sparse(path, data):
    with open(path, 'wb') as f:
        for at in range(0, len(data), 4096):
            if data[at:at + 4096].strip(b'\0'):
                f.seek(at)
                f.write(data[at:at + 4096])
        f.truncate(len(data))


def multiply(home, kind, start, n):
    """n copies of the only record of that kind, with other names and UUIDs, and the figures of the first."""
    first, = glob.glob(os.path.join(home, kind, '*-*'))
    files = {}
    for name in 'state', 'cycles':
        with open(os.path.join(first, name), 'rb') as f:
            files[name] = f.read()
    for i in range(start, start + n):
        new = str(uuid.UUID(int=i + 1, version=4))
        d = os.path.join(home, kind, new)
        os.mkdir(d, 0o700)
        for name, data in files.items():
            put_sparse(os.path.join(d, name), data)
        edit_record(os.path.join(d, 'state'), lambda o: o.update(vm='vm%05d' % i, uuid=new))


def prepare(n, where):
    """A home with n replications: those that it sends, and as many that it receives."""
    lab = Lab(where=where)
    for k in range(24):
        bundle = lab.export('--seed' if k == 0 else '--delta')
        lab.dr('import', bundle, '--receipt', lab.path('r'))
        lab.hq('import', lab.path('r'))
        lab.write(lab.disks['vda'], k * 4096, 4096)
    multiply(lab.hq.home, 'primaries', 0, n // 2)
    multiply(lab.dr.home, 'replicas', n // 2, n - n // 2)
    for d in glob.glob(os.path.join(lab.dr.home, 'replicas', '00000000-*')):
        os.rename(d, os.path.join(lab.hq.home, 'replicas', os.path.basename(d)))
    return lab


def measure(lab, *args):
    best = None
    for _ in range(5):
        t = time.perf_counter()
        p = lab.hq('status', *args)
        took = time.perf_counter() - t
        best = took if best is None else min(best, took)
    print('status %-14s %6.3f s  %9d bytes' % (' '.join(args), best, len(p.stdout)), flush=True)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    lab = prepare(n, sys.argv[2] if len(sys.argv) > 2 else None)
    print('%d replications, %d processors' % (n, os.cpu_count()))
    print('home:', lab.hq.home)
    for args in ([], ['--json'], ['vm00042']):
        measure(lab, *args)
    if len(sys.argv) > 2:
        return
    lab.close()


if __name__ == '__main__':
    main()
