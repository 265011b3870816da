"""FTPS through address translation: in network namespaces of its own, a router that masquerades
stands between the client and the server, once before the one and once before the other. As root, and
where namespaces and nftables may be used; nothing of it stays."""
import contextlib
import ctypes
import ftplib
import os
import shutil
import socket
import subprocess

import pytest

import ftps_clients
from conftest import same
from server import IS_ROOT, wait_for

INNER, INNER_ROUTER = "10.77.1.2", "10.77.1.1"  # behind the router
OUTER, PUBLIC = "203.0.113.2", "203.0.113.1"  # in the open; the router's side there
PASSIVE = "21000-21099"
CLONE_NEWNET = 0x40000000
SIZE = 1_000_001

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root")


class Network:
    """inner (10.77.1.2) -- router -- outer (203.0.113.2). Nobody outside knows a way to 10.77.1.0/24."""

    def __init__(self):
        self.names = {role: f"sallyport-{os.getpid()}-{role}" for role in ("inner", "router", "outer")}
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.libc = ctypes.CDLL(None, use_errno=True)

    def ip(self, *words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def make(self):
        names = self.names
        for name in names.values():
            self.ip("netns", "add", name)
            self.ip("-n", name, "link", "set", "lo", "up")
        for role, its, routers in (("inner", INNER, INNER_ROUTER), ("outer", OUTER, PUBLIC)):
            self.ip("-n", names["router"], "link", "add", role, "type", "veth", "peer", "name", "eth0", "netns", names[role])
            self.ip("-n", names["router"], "address", "add", f"{routers}/24", "dev", role)
            self.ip("-n", names["router"], "link", "set", role, "up")
            self.ip("-n", names[role], "address", "add", f"{its}/24", "dev", "eth0")
            self.ip("-n", names[role], "link", "set", "eth0", "up")
        self.ip("-n", names["inner"], "route", "add", "default", "via", INNER_ROUTER)
        with self.inside("router"):
            with open("/proc/sys/net/ipv4/ip_forward", "w") as forward:
                forward.write("1")
        self.rules("add table ip nat",
                   "add chain ip nat before { type nat hook prerouting priority dstnat; }",
                   "add chain ip nat after { type nat hook postrouting priority srcnat; }",
                   'add rule ip nat after oifname "outer" masquerade')

    def rules(self, *lines):
        with self.inside("router"):
            done = subprocess.run(["nft", "-f", "-"], input="\n".join(lines) + "\n", capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"nft: {done.stderr.strip()}")

    def forward(self, *ports):
        """What comes to the router's public address goes to the inner one; numbers or ranges."""
        self.rules(f'add rule ip nat before iifname "outer" tcp dport {{ {", ".join(map(str, ports))} }} dnat to {INNER}')

    @contextlib.contextmanager
    def inside(self, role):
        """This process, what it starts and the sockets it makes meanwhile belong to that namespace."""
        with open(f"/run/netns/{self.names[role]}") as there:
            self.enter(there.fileno())
        try:
            yield
        finally:
            self.enter(self.home)

    def enter(self, fd):
        if self.libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def remove(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        os.close(self.home)


@pytest.fixture(scope="module")
def network():
    missing = [program for program in ("ip", "nft") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {missing[0]} here")
    one = Network()
    try:
        try:
            one.make()
        except OSError as trouble:
            pytest.skip(f"no namespaces with address translation here: {trouble}")
        yield one
    finally:
        one.remove()


@pytest.fixture
def serve(network, make_server):
    """serve(role, address): a server there, whose certificate has the addresses of both sides."""
    @contextlib.contextmanager
    def serving(role, address, **settings):
        with network.inside(role):
            one = make_server({"tls": {"names": f"{INNER} {PUBLIC} {OUTER}"}, "sftp": {"listen": "127.0.0.1"}}, start=False, own_keys=True)
            one.serve_ftps(listen=f"127.0.0.1 {address}", passive_ports=PASSIVE, **settings).start()
            one.add("alice")
        yield one

    return serving


class Told(ftps_clients.Session):
    """Connects where a reply says, without a second thought, as older clients do; keeps what it said.
    extended: by EPSV, whose replies say no address."""

    extended = False

    def makepasv(self):
        if self.extended:
            self.told = self.host, ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())[1]
        else:
            self.told = ftplib.parse227(self.sendcmd("PASV"))
        return self.told


def told_session(server, host, extended=False):
    ftp = ftps_clients.session(server, host=host, kind=Told)
    ftp.extended = extended
    return ftp


def there_and_back(server, place, payload, host, *options):
    """With a client that people have, told to believe the address in the reply, or to use EPSV."""
    client = ftps_clients.Curl(server, place, host=host)
    client.curl(*options, "-T", payload(SIZE), path="/there")
    assert same(payload(SIZE), server.home() / "there")
    client.curl(*options, "-o", place / "back", path="/there")
    assert same(payload(SIZE), place / "back")


BELIEVING = ("--disable-epsv", "--no-ftp-skip-pasv-ip")


def test_clients_behind_a_router(network, serve, place, payload):
    """Two at a time: to the server they come from one address, the control and the data connections."""
    with serve("outer", OUTER) as server:
        with network.inside("inner"):
            there_and_back(server, place, payload, OUTER, *BELIEVING)
            there_and_back(server, place, payload, OUTER)
            with told_session(server, OUTER) as one, told_session(server, OUTER, extended=True) as other:
                datas = [ftp.transfercmd("STOR /" + name) for ftp, name in ((one, "one"), (other, "other"))]
                for data, text in zip(datas, (b"of the one", b"of the other")):
                    data.sendall(text)
                    data.unwrap()
                    data.close()
                assert one.voidresp().startswith("226") and other.voidresp().startswith("226")
        assert (server.home() / "one").read_bytes() == b"of the one"
        assert (server.home() / "other").read_bytes() == b"of the other"
        assert {s["address"] for s in server.audit(event="login")} == {PUBLIC}


def test_active_mode_from_behind_a_router_is_refused_with_what_to_do(network, serve):
    with serve("outer", OUTER) as server:
        with network.inside("inner"), told_session(server, OUTER) as ftp:
            with pytest.raises(ftplib.error_perm, match=f"501 .*{PUBLIC}.*passive"):
                ftp.sendport(INNER, 5000)
            assert ftp.nlst("/") == []


def test_a_server_behind_a_router(network, serve, place, payload):
    """public_address: clients from outside are told the router's, those from inside the server's."""
    with serve("inner", INNER, public_address=f"10.77.1.0/24={INNER} {PUBLIC}") as server:
        network.forward(server.ftps_port, server.implicit_port, PASSIVE)
        with network.inside("outer"):
            with told_session(server, PUBLIC) as ftp:
                assert ftp.nlst("/") == [] and ftp.told[0] == PUBLIC
            there_and_back(server, place, payload, PUBLIC, *BELIEVING)
            there_and_back(server, place, payload, PUBLIC)
            with pytest.raises(OSError):
                socket.create_connection((INNER, server.ftps_port), 5)
        with network.inside("router"):
            with told_session(server, INNER) as ftp:
                assert len(ftp.nlst("/")) == 1 and ftp.told[0] == INNER
            there_and_back(server, place, payload, INNER, *BELIEVING)


def test_without_a_public_address(network, serve, place, payload):
    """Clients are told where they cannot connect to; EPSV, which says no address, works all the same."""
    with serve("inner", INNER) as server:
        network.forward(server.ftps_port, server.implicit_port, PASSIVE)
        with network.inside("outer"):
            with told_session(server, PUBLIC) as ftp:
                with pytest.raises(OSError):
                    ftp.nlst("/")
                assert ftp.told[0] == INNER
            there_and_back(server, place, payload, PUBLIC)
        wait_for("the end of the sessions", lambda: not server.sessions())
