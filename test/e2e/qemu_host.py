#!/usr/bin/env python3
"""A site's host that really runs VMs: by QEMU alone, asked as vmferry-host(7) says.  And the tests' view of it.

    qemu_host.py FOLDER VERB NAME       the program; all that it knows is in FOLDER
"""
import json, os, signal, subprocess, sys, time, uuid

from guest import Frozen, Qmp, Serial, domain_xml, qemu
from lab import LABS, UNDO, check


class QemuHost:
    """The host of a site, for tests: .spec is for --host."""
    def __init__(self, lab, name):
        self.dir = lab.path('host-' + name)
        os.makedirs(self.dir)
        self.program = os.path.join(self.dir, 'host')
        with open(self.program, 'w') as f:
            f.write('#!/bin/sh\nexec python3 -B "%s" "%s" "$@"\n' % (os.path.abspath(__file__), self.dir))
        os.chmod(self.program, 0o755)
        self.spec = 'exec:' + self.program
        UNDO.append(self.stop_all)

    def path(self, vm, what):
        return os.path.join(self.dir, '%s.%s' % (vm, what))

    def have(self, vm, disks, **how):
        """A VM that was there before vmferry.  disks: ID -> FORMAT:PATH; how: as qemu() takes it."""
        save(self, vm, {'disks': disks, 'asked': [], 'how': how})

    def asked(self, vm):
        """What define was told of it, in order."""
        with open(self.path(vm, 'vm')) as f:
            return json.load(f)['asked']

    def serial(self, vm):
        return Serial(self.path(vm, 'serial'), lambda: alive(self.path(vm, 'pid')))

    def start(self, vm):
        """As a person would start it."""
        verb_start(self, vm)
        return self.serial(vm)

    def shut_down(self, vm):
        """From inside.  Return the guest's last transaction."""
        verb_shutdown(self, vm)
        return self.serial(vm).seq()

    def kill(self, vm):
        p = alive(self.path(vm, 'pid'))
        if p:
            os.kill(p, signal.SIGKILL)
            wait_for(lambda: os.path.exists(self.path(vm, 'stopped')), 10)

    def stop_all(self):
        for f in os.listdir(self.dir):
            if f.endswith('.pid'):
                self.kill(f[:-4])


def alive(pid_file):
    """The process that a file names, unless it ended; else 0."""
    try:
        with open(pid_file) as f:
            pid = int(f.read() or 0)
        with open('/proc/%d/stat' % pid) as f:
            return 0 if ') Z ' in f.read() else pid
    except FileNotFoundError:
        return 0


def wait_for(is_so, seconds):
    end = time.time() + seconds
    while not is_so():
        if time.time() > end:
            return False
        time.sleep(0.02)
    return True


def load(host, vm):
    try:
        with open(host.path(vm, 'vm')) as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def save(host, vm, o):
    with open(host.path(vm, 'new'), 'w') as f:
        json.dump(o, f)
    os.rename(host.path(vm, 'new'), host.path(vm, 'vm'))


def verb_define(host, vm, question):
    o = load(host, vm) or {'asked': []}
    o['asked'].append({k: v for k, v in question.items() if k != 'definition'})
    o['disks'] = {d['id']: '%s:%s' % (d['format'], d['path']) for d in question['disks'] if not d['excluded']}
    o['uuid'] = question['uuid']
    save(host, vm, o)


def verb_state(host, vm, question=None):
    if load(host, vm) is None:
        print('{"state": "absent"}')
    elif alive(host.path(vm, 'pid')):
        print('{"state": "running"}')
    else:
        try:
            with open(host.path(vm, 'stopped')) as f:
                print(json.dumps({'state': 'off', 'stopped': f.read()}))
        except FileNotFoundError:
            print('{"state": "off"}')


def verb_start(host, vm, question=None):
    o = load(host, vm)
    if o is None:
        sys.exit('there is no VM %s' % vm)
    if alive(host.path(vm, 'pid')):
        return
    for what in ('serial', 'ours', 'events', 'stopped', 'pid'):
        if os.path.lexists(host.path(vm, what)):
            os.unlink(host.path(vm, what))
    argv = qemu(o['disks'], host.path(vm, 'serial'), (host.path(vm, 'ours'), host.path(vm, 'events')), name='guest', **o.get('how', {'boot': True}))
    if os.fork() == 0:
        os.setsid()
        try:
            watch(host, vm, argv)
        finally:
            os._exit(0)
    if not wait_for(lambda: os.path.exists(host.path(vm, 'ready')) or os.path.exists(host.path(vm, 'stopped')), 20):
        sys.exit('QEMU does not start')
    os.unlink(host.path(vm, 'ready'))


def watch(host, vm, argv):
    """Run QEMU, and note how it ended: by its guest's doing, or else."""
    with open(host.path(vm, 'log'), 'ab') as log:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    with open(host.path(vm, 'pid'), 'w') as f:
        f.write(str(p.pid))
    how = 'crashed'
    try:
        events = Qmp(host.path(vm, 'events'), timeout=None)
        open(host.path(vm, 'ready'), 'w').close()
        how = 'shutdown' if events.wait('SHUTDOWN')['data']['guest'] else 'turned-off'
    except Exception:
        pass
    p.wait()
    with open(host.path(vm, 'stopped.new'), 'w') as f:
        f.write(how)
    os.rename(host.path(vm, 'stopped.new'), host.path(vm, 'stopped'))


def verb_shutdown(host, vm, question=None):
    if not alive(host.path(vm, 'pid')):
        return
    ask = Qmp(host.path(vm, 'ours'))
    ask('system_powerdown')
    ask.close()
    if not wait_for(lambda: os.path.exists(host.path(vm, 'stopped')), 60):
        sys.exit('the guest does not shut down')


def verb_undefine(host, vm, question):
    host.kill(vm)
    for what in ('vm', 'serial', 'ours', 'events', 'stopped', 'pid', 'log'):
        if os.path.lexists(host.path(vm, what)):
            os.unlink(host.path(vm, what))


def verb_machine(host, vm, question):
    o = load(host, vm)
    if o is None:
        sys.exit(1)
    sizes = {i: json.loads(subprocess.check_output(['qemu-img', 'info', '-U', '--output=json', '-f', *w.split(':', 1)]))['virtual-size']
             for i, w in o['disks'].items()}
    o['uuid'] = o.get('uuid') or str(uuid.uuid4())
    save(host, vm, o)
    xml = domain_xml(vm, o['disks'], host.path(vm, 'serial'), uuid=o['uuid'], **o.get('how', {'boot': True}))
    print(json.dumps({'uuid': o['uuid'], 'definition': xml, 'disks': [
        {'id': i, 'where': w.removeprefix('raw:'), 'size': sizes[i]} for i, w in o['disks'].items()]}))


class Monitor:
    """What Frozen wants of a guest."""
    def __init__(self, host, vm):
        self.ask, self.path = Qmp(host.path(vm, 'ours')), lambda name: host.path(vm, name)


def verb_view(host, vm, question):
    guest, since, now = Monitor(host, vm), question.get('since'), question['token']
    ids = [d['id'] for d in question['disks']]
    for node in guest.ask('query-named-block-nodes', flat=True):
        for b in node.get('dirty-bitmaps', []):
            name = b.get('name', '')
            if node['node-name'] in ids and name.startswith(question['prefix']) and name not in (since, now):
                guest.ask('block-dirty-bitmap-remove', node=node['node-name'], name=name)
    view = Frozen(guest, ids, now, since)
    answer = [dict({'id': i, 'where': view.uri[i]}, **(
        {'bitmap': since, 'how': 'dirty bitmap'} if i in view.tracked else {'why': 'there is no bitmap since then'})) for i in ids]
    print(json.dumps({'disks': answer}), flush=True)
    word = sys.stdin.readline().strip()
    view.end(word if word in ('keep', 'drop') else 'both')


def verb_networks(host, vm, question):
    print('{}')


def main():
    folder, verb, vm = sys.argv[1:]
    host = object.__new__(QemuHost)
    host.dir = folder
    if 'verb_' + verb not in globals():
        sys.exit('this host does not know ' + verb)
    globals()['verb_' + verb](host, vm, json.loads(sys.stdin.readline() if verb == 'view' else sys.stdin.read()))


if __name__ == '__main__':
    main()
