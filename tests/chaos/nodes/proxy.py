"""HAProxy in front of the nodes, as deploy/haproxy.cfg has it."""

import re
import socket
from collections.abc import Sequence
from pathlib import Path

from bench.servers import ServerFailed
from tests.chaos.api import HOST
from tests.chaos.nodes.processes import Listening, Node, free_port
from tests.support.source import ROOT

# What it answers by itself carries this, so that clients can tell it from a node's answer.
MARK = "X-Answered-By"

EXAMPLE = ROOT / "deploy" / "haproxy.cfg"


class Proxy(Listening):
    """HAProxy.

    It asks each node's `/health` twice a second, and passes over those that do not say yes if others do. `/ready` would
    be wrong here: a node that cannot write at the moment can read.
    """

    def __init__(self, directory: Path, nodes: Sequence[Node]) -> None:
        self.port = free_port()
        self._orders = directory / "haproxy.sock"
        configuration = directory / "haproxy.cfg"
        configuration.write_text(here(EXAMPLE.read_text(encoding="ascii"), self._orders, self.port, nodes))
        # -db: in the foreground, as one process.
        super().__init__("haproxy", ["/usr/sbin/haproxy", "-db", "-f", str(configuration)], directory)

    def use(self, node: Node, *, use: bool) -> None:
        """Send a node nothing more from now on, or again; what it is doing is not disturbed."""
        for server in (node.name, f"{node.name}-unchecked"):
            with socket.socket(socket.AF_UNIX) as orders:
                orders.connect(str(self._orders))
                orders.sendall(f"set server servers/{server} state {'ready' if use else 'drain'}\n".encode())
                said = orders.recv(4096).decode().strip()
            if said:
                raise ServerFailed(f"haproxy: {said}")


def here(example: str, orders: Path, port: int, nodes: Sequence[Node]) -> str:
    """The example with these nodes, on loopback, without TLS, and with the mark of what HAProxy answers by itself."""
    example = re.sub(r"(?<=stats socket )\S+", str(orders), example)
    example = re.sub(r"(?<=bind ).*", f"{HOST}:{port}", example)
    example = example.replace("hdr Retry-After 1", f"hdr Retry-After 1 hdr {MARK} haproxy")
    example = re.sub(r"(?m)^    server .*\n", "", example)
    servers = [f"    server {node.name} {HOST}:{node.port} check" for node in nodes]
    backups = [f"    server {node.name}-unchecked {HOST}:{node.port} backup" for node in nodes]
    return "\n".join([example, *servers, *backups, ""])
