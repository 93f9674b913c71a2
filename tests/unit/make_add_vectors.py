#!/usr/bin/python3
"""Writes add_vectors.h: what the installed ssh-add sends to add keys and tokens, with every
constraint it knows, recorded on a socket that says yes to all. The keys were made for this."""

import base64
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

KINDS = [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "1024")]
HOSTS = ("first", "second", "third")
HOPS = ["-h", "first", "-h", "joe@second", "-h", "second>third", "-h", "first>j*@third"]


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class Recorder(threading.Thread):
    """An agent that takes everything and keeps what it was sent."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.messages = []
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        self.listening.listen()

    def run(self):
        while True:
            connection = self.listening.accept()[0].makefile("rwb", buffering=0)
            while head := connection.read(4):
                body = b""
                while len(body) < struct.unpack(">I", head)[0]:
                    body += connection.read(struct.unpack(">I", head)[0] - len(body))
                self.messages.append(body)
                connection.write(struct.pack(">IB", 1, 6))


def key(folder, kind, bits):
    path = f"{folder}/{kind}-{bits}"
    run("ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", f"{kind} {bits}", "-f", path)
    run("ssh-keygen", "-q", "-s", f"{folder}/authority", "-I", "id", "-n", "me", f"{path}.pub")
    return path


def prepare(folder):
    """Host keys in known_hosts, the last host by its authority; a program that knows the PIN."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/authority")
    with open(f"{folder}/known_hosts", "w", encoding="ascii") as known:
        for host in HOSTS:
            run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", f"{folder}/{host}")
            with open(f"{folder}/{host}.pub", encoding="ascii") as public:
                marker = "@cert-authority " if host == "third" else ""
                known.write(f"{marker}{host} {' '.join(public.read().split()[:2])}\n")
    with open(f"{folder}/askpass", "w", encoding="ascii") as askpass:
        askpass.write("#!/bin/sh\necho 1234\n")
    os.chmod(f"{folder}/askpass", 0o755)


def record(folder):
    prepare(folder)
    recorder = Recorder(f"{folder}/socket")
    recorder.start()
    env = {**os.environ, "SSH_AUTH_SOCK": f"{folder}/socket", "SSH_ASKPASS": f"{folder}/askpass",
           "SSH_ASKPASS_REQUIRE": "force"}
    known = ["-H", f"{folder}/known_hosts"]
    found = []

    def add(names, *words):
        del recorder.messages[:]
        run("ssh-add", "-q", *words, env=env, stdin=subprocess.DEVNULL)
        assert len(recorder.messages) == len(names), (words, recorder.messages)
        found.extend(zip(names, recorder.messages))

    paths = [key(folder, *kind) for kind in KINDS]
    for path in paths:
        name = os.path.basename(path).replace("-", "_")
        add([f"add_{name}", f"add_{name}_certificate"], path)
    add(["add_constrained", "add_constrained_certificate"], "-c", "-t", "90", *known, *HOPS, paths[0])
    add(["add_token"], "-s", "/usr/lib/module.so")
    add(["add_token_constrained"], "-c", "-t", "90", *known, *HOPS, "-s", "/usr/lib/module.so")
    return found


def quoted(value):
    parts = [value[i:i + 80] for i in range(0, len(value), 80)]
    return "\n".join(f'\t\t"{part}"' for part in parts)


def main():
    with tempfile.TemporaryDirectory() as folder:
        found = record(folder)
    version = subprocess.run(["ssh", "-V"], stderr=subprocess.PIPE, check=True).stderr.decode().split()[0]
    top = os.path.dirname(os.path.abspath(sys.argv[0]))
    with open(os.path.join(top, "add_vectors.h"), "w", encoding="ascii") as out:
        out.write(f"/*\n * Written by make_add_vectors.py: messages of ssh-add ({version}), type and "
                  "body. Bytes are in\n * base64.\n */\n#ifndef ADD_VECTORS_H\n#define ADD_VECTORS_H\n\n"
                  "/* clang-format off */\nstatic const struct add_vector {\n\tconst char *name;\n"
                  "\tconst char *message;\n} add_vectors[] = {\n")
        for name, message in found:
            out.write(f'\t{{"{name}",\n{quoted(base64.b64encode(message).decode())}}},\n')
        out.write("};\n/* clang-format on */\n"
                  "#define ADD_VECTOR_COUNT (sizeof(add_vectors) / sizeof(add_vectors[0]))\n\n#endif\n")


main()
