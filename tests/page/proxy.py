"""A proxy between the browser and the real server, which ends TLS on both sides and reads heads only: it tells what
was asked, and makes answers slow, failing or cut off. It runs in a thread of its own, never within the server.

modes, by the beginning of 'METHOD address' where they have a key:
    delay {"POST /api/": 0.5}      seconds until a request goes on
    fail {"POST /api/rename": [409, "exists", "No."]}    an error as the worker tells them, in the server's place
    cut {"PATCH /": 1000000}       the connection ends when so much of the request's body has gone to the server
    cut_answer {"GET /api/list": 900}    ... or of the answer's body to the browser
    hold True                      what is to be cut stands still first, as long as this mode lasts
    rate 2000000                   bytes a second of each connection, each way
"""
import asyncio
import collections
import contextlib
import json
import ssl
import threading

PIECE = 1 << 16
HEAD_MOST = 1 << 18


class Cut(Exception):
    """The mode is to cut this connection."""


class Head:
    """Of a request or an answer: its lines as they came, and how its body is framed."""

    def __init__(self, data):
        self.data = data
        lines = data.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        self.chunked = fields.get("transfer-encoding") == "chunked"
        self.length = int(fields["content-length"]) if "content-length" in fields else None


class Proxy:
    def __init__(self, port, certificate, key):
        """port: the real server's; certificate and key: the paths of its own, under which the browser finds this."""
        self.upstream, self.modes, self.log, self.busy = port, {}, [], set()
        self.inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.inward.load_cert_chain(certificate, key)
        self.inward.set_alpn_protocols(["http/1.1"])
        self.outward = ssl.create_default_context(cafile=certificate)
        self.outward.check_hostname = False
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, context: None)        # browsers end connections as they like
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.listener = self.call(asyncio.start_server(self.connection, "127.0.0.1", 0, ssl=self.inward, limit=HEAD_MOST))
        self.port = self.listener.sockets[0].getsockname()[1]

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def begin(self):
        """As if nobody had come yet: no connection, no modes, an empty log."""
        self.modes = {}
        self.call(self.end_all())
        self.log.clear()

    async def end_all(self):
        for task in list(self.busy):
            task.cancel()
        await asyncio.gather(*self.busy, return_exceptions=True)

    def close(self):
        self.listener.close()
        self.call(self.end_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    # -- a connection

    def mode(self, kind, what):
        return next((value for prefix, value in self.modes.get(kind, {}).items() if what.startswith(prefix)), None)

    async def connection(self, reader, writer):
        self.busy.add(asyncio.current_task())
        ends = [writer]
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream, ssl=self.outward, limit=HEAD_MOST)
            ends.append(to_server)
            asked = collections.deque()
            both = [asyncio.ensure_future(self.requests(reader, to_server, writer, asked)), asyncio.ensure_future(self.answers(server, writer, asked))]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if both[0].done() and both[0].exception() and not isinstance(both[0].exception(), (Cut, asyncio.IncompleteReadError)):
                    await asyncio.wait(both[1:], timeout=5)                # the server answered early, and ended: let it be heard
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            pass                                                           # no server: the browser's connection ends
        finally:
            self.busy.discard(asyncio.current_task())
            for end in ends:
                end.transport.abort() if end.transport.get_write_buffer_size() else end.close()

    async def requests(self, reader, to_server, to_browser, asked):
        while True:
            head = Head(await reader.readuntil(b"\r\n\r\n"))
            method, address, _ = head.first
            what = f"{method} {address}"
            await asyncio.sleep(self.mode("delay", what) or 0)
            refusal = self.mode("fail", what)
            if refusal:
                await self.body(head, reader, None, None)
                self.log.append(f"{what} {refusal[0]}")
                await self.refuse(to_browser, method, *refusal)
                continue
            asked.append(what)
            to_server.write(head.data)
            await self.body(head, reader, to_server, self.mode("cut", what))

    async def refuse(self, writer, method, status, code, sentence):
        text = json.dumps({"error": code, "message": sentence}).encode() + b"\n"
        writer.write(b"HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
                     b"Cross-Origin-Resource-Policy: same-origin\r\n\r\n" % (status, len(text)) + (b"" if method == "HEAD" else text))
        await writer.drain()

    async def answers(self, server, to_browser, asked):
        while True:
            head = Head(await server.readuntil(b"\r\n\r\n"))
            status = int(head.first[1])
            to_browser.write(head.data)
            if status < 200:
                continue
            what = asked.popleft() if asked else "early"
            self.log.append(f"{what} {status}")
            if what.startswith("HEAD ") or status in (204, 304):
                await to_browser.drain()
                continue
            if not head.chunked and head.length is None:
                await self.exactly(1 << 62, server, to_browser, None)
            await self.body(head, server, to_browser, self.mode("cut_answer", what))

    # -- bodies: from one side to the other, or to nowhere

    async def body(self, head, reader, writer, cut):
        if not head.chunked:
            await self.exactly(head.length or 0, reader, writer, cut)
            return
        left = cut
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if writer:
                writer.write(line)
            await self.exactly(size + 2, reader, writer, left)
            left = None if left is None else left - size
            if size == 0:
                break

    async def exactly(self, size, reader, writer, cut):
        gone = 0
        while gone < size:
            data = await reader.read(min(size - gone, PIECE))
            if not data:
                raise asyncio.IncompleteReadError(b"", size - gone)
            gone += len(data)
            if cut is not None and gone >= cut:
                data = data[:len(data) - (gone - cut)]
            if writer:
                writer.write(data)
                await writer.drain()
            if cut is not None and gone >= cut:
                while self.modes.get("hold"):
                    await asyncio.sleep(0.02)
                raise Cut
            if self.modes.get("rate"):
                await asyncio.sleep(len(data) / self.modes["rate"])
        if writer:
            with contextlib.suppress(ConnectionError):
                await writer.drain()
