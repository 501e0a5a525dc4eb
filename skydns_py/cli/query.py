"""`skydns-py query`: ask a DNS server one question and print its reply, as dig does."""

import ipaddress
import secrets
import socket

import click

from skydns_py.answers import dig
from skydns_py.errors import SettingsError, SourceError
from skydns_py.names import InvalidNameError

PORTS = (53, 5353)
"""Where a server on this machine is looked for: the usual port, and that of the demo."""

ATTEMPTS, TIMEOUT = 2, 2.0
"""Times a question is sent, and seconds an answer is waited for."""


@click.command("query")
@click.argument("name")
@click.argument("rrtype", metavar="[TYPE]", default="A")
@click.option("--at", default="127.0.0.1", metavar="ADDR[:PORT]", help="The server to ask.")
@click.option("--short", is_flag=True, help="Print the answers only.")
@click.option("--tcp", is_flag=True, help="Ask over TCP.")
def command(name: str, rrtype: str, at: str, *, short: bool, tcp: bool) -> None:
    """Ask a running server for NAME and print the reply.

    Without a port, 53 and then 5353 are tried.
    """
    number = dig.type_number(rrtype)
    if number is None:
        raise SettingsError(f"there is no record type {rrtype!r}; TYPE123 names one by its number")
    try:
        packet = dig.make_query(secrets.token_bytes(2), name, number)
    except InvalidNameError as error:
        raise SettingsError(str(error)) from error
    reply = _ask_any(_addresses(at), packet, tcp=tcp)
    try:
        text = dig.short_text(reply) if short else dig.long_text(reply)
    except dig.UnreadableReplyError as error:
        raise SourceError(str(error)) from error
    if text:
        click.echo(text)


def _addresses(at: str) -> list[tuple[str, int]]:
    host, _, port = at.rpartition(":") if at.count(":") == 1 or "]:" in at else (at, "", "")
    host = host.strip("[]")
    try:
        ipaddress.ip_address(host)
        ports = (int(port),) if port else PORTS
    except ValueError as error:
        raise SettingsError(f"--at {at}: write an address, with a port or without") from error
    return [(host, each) for each in ports]


def _ask_any(addresses: list[tuple[str, int]], packet: bytes, *, tcp: bool) -> bytes:
    """Return the reply of the first address where something listens."""
    for address in addresses:
        try:
            return _ask(address, packet, tcp=tcp)
        except ConnectionRefusedError:
            continue
        except OSError as error:
            raise SourceError(f"{address[0]} port {address[1]}: {error}") from error
    tried = " or ".join(str(port) for _, port in addresses)
    raise SourceError(
        f"nothing answers at {addresses[0][0]} port {tried}; --at ADDR:PORT names another server"
    )


def _ask(address: tuple[str, int], packet: bytes, *, tcp: bool) -> bytes:
    reply = _ask_tcp(address, packet) if tcp else _ask_udp(address, packet)
    return reply if tcp or not dig.is_truncated(reply) else _ask_tcp(address, packet)


def _ask_udp(address: tuple[str, int], packet: bytes) -> bytes:
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        for _ in range(ATTEMPTS):
            sock.send(packet)
            try:
                while True:
                    reply = sock.recv(65_535)
                    # Another's answer, or a late one: the wait for ours goes on (RFC 5452 9.1).
                    if reply[:2] == packet[:2] and len(reply) >= 12:
                        return reply
            except TimeoutError:
                continue
    raise TimeoutError(f"no answer within {ATTEMPTS * TIMEOUT:g} seconds")


def _ask_tcp(address: tuple[str, int], packet: bytes) -> bytes:
    with socket.create_connection(address, timeout=TIMEOUT) as sock:
        sock.sendall(len(packet).to_bytes(2, "big") + packet)
        with sock.makefile("rb") as stream:
            length = int.from_bytes(stream.read(2), "big")
            reply = stream.read(length)
    if len(reply) < max(length, 12):
        raise OSError("the connection was closed within the answer")
    return reply


def _family(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
