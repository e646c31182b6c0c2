#!/usr/bin/env python3
"""Back up what a qcow2 image's dirty bitmap marks, as QEMU does it: one of the peers in `make bench`.

    qemu_backup.py IMAGE.qcow2 BITMAP TARGET.qcow2

qemu-storage-daemon copies the marked clusters, zstd-compressed, into TARGET; the bitmap stays as it is, so that the
same backup can be made again.
"""
import json
import subprocess
import sys


def image(node, path):
    return json.dumps({'driver': 'qcow2', 'node-name': node, 'discard': 'unmap',
                       'file': {'driver': 'file', 'filename': path}})


def answer(daemon, wanted):
    """Read what the daemon says up to an answer or event in which wanted is true; return it."""
    for line in daemon.stdout:
        message = json.loads(line)
        if 'error' in message or 'error' in message.get('data', {}):
            sys.exit('qemu_backup: %s' % line.strip())
        if wanted(message):
            return message
    sys.exit('qemu_backup: the daemon ended')


def order(daemon, command, **arguments):
    print(json.dumps({'execute': command, 'arguments': arguments}), file=daemon.stdin, flush=True)
    return answer(daemon, lambda message: 'return' in message)


def main():
    source, bitmap, target = sys.argv[1:]
    info = json.loads(subprocess.check_output(['qemu-img', 'info', '--output=json', source]))
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'compression_type=zstd', target,
                    str(info['virtual-size'])], check=True)
    daemon = subprocess.Popen(['qemu-storage-daemon', '--chardev', 'stdio,id=talk', '--monitor', 'talk,mode=control',
                               '--blockdev', image('source', source), '--blockdev', image('target', target)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    answer(daemon, lambda message: 'QMP' in message)
    order(daemon, 'qmp_capabilities')
    order(daemon, 'blockdev-backup', **{'job-id': 'backup', 'device': 'source', 'target': 'target', 'sync': 'bitmap',
                                        'bitmap': bitmap, 'bitmap-mode': 'never', 'compress': True})
    answer(daemon, lambda message: message.get('event') == 'BLOCK_JOB_COMPLETED')
    order(daemon, 'quit')
    return daemon.wait()


if __name__ == '__main__':
    sys.exit(main())
