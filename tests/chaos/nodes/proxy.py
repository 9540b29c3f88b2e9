"""HAProxy in front of the nodes."""

import socket
from collections.abc import Sequence
from pathlib import Path

from bench.servers import ServerFailed
from tests.chaos.api import HOST
from tests.chaos.nodes.processes import Listening, Node, free_port

# What it answers by itself carries this, so that clients can tell it from a node's answer.
MARK = "X-Answered-By"

_CONFIGURATION = """\
global
    maxconn 4000
    hard-stop-after 5s
    stats socket {orders} mode 600 level admin

defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout client-fin 5s
    timeout http-request 30s
    timeout queue 5s
    # Longer than the longest request: one that waits for a connection, for a lock, and is tried again.
    timeout server 30s

frontend public
    bind {host}:{port}
    http-error status 502 content-type application/json string '{{"error":"No answer","details":[]}}' \
hdr Retry-After 1 hdr {mark} haproxy
    http-error status 503 content-type application/json string '{{"error":"No node","details":[]}}' \
hdr Retry-After 1 hdr {mark} haproxy
    http-error status 504 content-type application/json string '{{"error":"No answer in time","details":[]}}' \
hdr Retry-After 1 hdr {mark} haproxy
    default_backend nodes

backend nodes
    balance leastconn
    option httpchk
    http-check send meth GET uri /health
    timeout check 2s

    # What has not reached a node may go to another one, whatever it is. What may have been handled is sent again only
    # if it reads.
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET

    default-server inter 500ms fastinter 200ms downinter 200ms fall 2 rise 1
{servers}

    # While no node says that it is healthy, as during a fault of the database that they share, all are asked: what they
    # answer is better than what the proxy could say.
    option allbackups
{backups}
"""


class Proxy(Listening):
    """HAProxy.

    It asks each node's `/health` twice a second, and passes over those that do not say yes if others do. `/ready` would
    be wrong here: a node that cannot write at the moment can read.
    """

    def __init__(self, directory: Path, nodes: Sequence[Node]) -> None:
        self.port = free_port()
        self._orders = directory / "haproxy.sock"
        configuration = directory / "haproxy.cfg"
        servers = [f"    server {node.name} {HOST}:{node.port} check" for node in nodes]
        backups = [f"    server {node.name}-unchecked {HOST}:{node.port} backup" for node in nodes]
        configuration.write_text(
            _CONFIGURATION.format(
                orders=self._orders,
                host=HOST,
                port=self.port,
                mark=MARK,
                servers="\n".join(servers),
                backups="\n".join(backups),
            ),
            encoding="ascii",
        )
        # -db: in the foreground, as one process.
        super().__init__("haproxy", ["/usr/sbin/haproxy", "-db", "-f", str(configuration)], directory)

    def use(self, node: Node, *, use: bool) -> None:
        """Send a node nothing more from now on, or again; what it is doing is not disturbed."""
        for server in (node.name, f"{node.name}-unchecked"):
            with socket.socket(socket.AF_UNIX) as orders:
                orders.connect(str(self._orders))
                orders.sendall(f"set server nodes/{server} state {'ready' if use else 'drain'}\n".encode())
                said = orders.recv(4096).decode().strip()
            if said:
                raise ServerFailed(f"haproxy: {said}")
