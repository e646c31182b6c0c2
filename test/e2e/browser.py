"""A real browser without a window, spoken with over two pipes by the DevTools protocol: nothing else is needed, and no port."""
import base64, fcntl, json, os, shutil, signal, subprocess, tempfile

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--disable-default-apps', '--disable-extensions',
         '--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND', '--remote-debugging-pipe', '--hide-scrollbars']


class Browser:
    """asked: every address that was asked for.  To be closed."""
    def __init__(self, folder):
        self.profile = tempfile.mkdtemp(prefix='profile.', dir=folder)
        theirs_in, self.out = os.pipe()
        self.inp, theirs_out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]

        def child():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        self.process = subprocess.Popen([CHROMIUM, *FLAGS, '--user-data-dir=' + self.profile, 'about:blank'], preexec_fn=child,
                                        close_fds=False, start_new_session=True, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self.number, self.rest, self.events, self.asked = 0, b'', [], []
        page = next(t for t in self.call('Target.getTargets')['targetInfos'] if t['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=page['targetId'], flatten=True)['sessionId']
        for domain in 'Page', 'Network', 'Runtime', 'Log':
            self(domain + '.enable')

    def read(self):
        while b'\0' not in self.rest:
            more = os.read(self.inp, 1 << 20)
            if not more:
                raise EOFError('the browser has ended')
            self.rest += more
        text, self.rest = self.rest.split(b'\0', 1)
        m = json.loads(text)
        if 'method' in m:
            if m['method'] == 'Network.requestWillBeSent':
                self.asked.append(m['params']['request']['url'])
            self.events.append((m['method'], m.get('params', {})))
        return m

    def call(self, method, session=None, **params):
        self.number += 1
        m = {'id': self.number, 'method': method, 'params': params}
        if session:
            m['sessionId'] = session
        os.write(self.out, json.dumps(m).encode() + b'\0')
        while True:
            m = self.read()
            if m.get('id') == self.number:
                if 'error' in m:
                    raise RuntimeError('%s: %s' % (method, m['error']))
                return m['result']

    def __call__(self, method, **params):
        return self.call(method, self.session, **params)

    def show(self, path, width=1280, height=800, scheme='light', media='screen'):
        """The page of that file, in a window of that width."""
        self('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)
        self('Emulation.setEmulatedMedia', media=media, features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.events.clear()
        self('Page.navigate', url='file://' + path)
        while not any(e[0] == 'Page.loadEventFired' for e in self.events):
            self.read()

    def ask(self, expression):
        r = self('Runtime.evaluate', expression=expression, returnByValue=True)
        if 'exceptionDetails' in r:
            raise RuntimeError(r['exceptionDetails'])
        return r['result'].get('value')

    def picture(self, path):
        """The whole page as a PNG."""
        data = self('Page.captureScreenshot', format='png', captureBeyondViewport=True,
                    clip=dict(self('Page.getLayoutMetrics')['cssContentSize'], scale=1))['data']
        with open(path, 'wb') as f:
            f.write(base64.b64decode(data))

    def pdf(self):
        return base64.b64decode(self('Page.printToPDF', paperWidth=8.27, paperHeight=11.69, printBackground=True)['data'])

    def close(self):
        if self.process.poll() is None:
            try:
                self.call('Browser.close')
                self.process.wait(10)
            except (OSError, EOFError, subprocess.TimeoutExpired):
                pass
        # Its helpers, which are of its own group, end a moment later, or not at all.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for fd in self.inp, self.out:
            os.close(fd)
        shutil.rmtree(self.profile, ignore_errors=True)
