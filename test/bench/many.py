#!/usr/bin/env python3
"""What it costs to look at a site with very many replications: their records are made from one real one of each side.

many.py [N [FOLDER]]: so many in all, half of them primaries; the folder is kept where it is named.
"""
import ctypes, json, os, resource, sys, time, uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from lab import Lab, glob

xxh3 = ctypes.CDLL('libxxhash.so.0').XXH3_64bits
xxh3.restype, xxh3.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)


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
    old = json.loads(files['state'][:-22])
    for i in range(start, start + n):
        new = str(uuid.UUID(int=i + 1, version=4))
        d = os.path.join(home, kind, new)
        os.mkdir(d, 0o700)
        text = files['state'][:-22].replace(b'"%s"' % old['uuid'].encode(), b'"%s"' % new.encode())
        text = text.replace(b'"vm": "web1"', b'"vm": "vm%05d"' % i)
        put_sparse(os.path.join(d, 'state'), text + b'xxh3 %016x\n' % xxh3(text, len(text)))
        put_sparse(os.path.join(d, 'cycles'), files['cycles'])


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
    """The best of five runs, and the least CPU time of one, which other work on the machine touches less."""
    walls, cpus = [], []
    for _ in range(5):
        t, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        p = lab.hq('status', *args)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - t)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print('status %-14s %6.3f s  CPU %6.3f s  %9d bytes' % (' '.join(args), min(walls), min(cpus), len(p.stdout)), flush=True)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    lab = prepare(n, sys.argv[2] if len(sys.argv) > 2 else None)
    print('%d replications, %d processors' % (n, os.cpu_count()))
    print('home:', lab.hq.home)
    for args in ([], ['--json'], ['--prometheus'], ['vm00042']):
        measure(lab, *args)
    if len(sys.argv) > 2:
        return
    lab.close()


if __name__ == '__main__':
    main()
