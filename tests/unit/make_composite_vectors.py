#!/usr/bin/python3
"""Writes composite_vectors.h: a key of ML-DSA-44 and Ed25519, its certificates, a signature, and what ssh-add sends
of it, all made by OpenSSH 10.6 or later, whose programs have to be installed."""

import base64
import os
import sys
import tempfile

import make_key_vectors as plain

ALGORITHM = "ssh-mldsa44-ed25519"


def signature_of_openssh(folder):
    """Over what the other vectors' signatures are over."""
    with open(f"{folder}/message", "wb") as message:
        message.write(plain.MESSAGE)
    plain.ssh_keygen("-q", "-Y", "sign", "-f", f"{folder}/key", "-n", plain.NAMESPACE.decode(), f"{folder}/message")
    with open(f"{folder}/message.sig", encoding="ascii") as armoured:
        whole = base64.b64decode("".join(armoured.read().splitlines()[1:-1]))
    rest = whole[len(b"SSHSIG") + 4:]
    for _ in range(5):  # key, namespace, reserved, hash, signature
        length = int.from_bytes(rest[:4], "big")
        field, rest = rest[4:4 + length], rest[4 + length:]
    return base64.b64encode(field).decode()


def vector(folder):
    plain.ssh_keygen("-q", "-t", "mldsa44-ed25519", "-N", "", "-C", plain.COMMENT.decode(), "-f", f"{folder}/key")
    with open(f"{folder}/key.pub", encoding="ascii") as text:
        name, blob = text.read().split()[:2]
    shown = plain.ssh_keygen("-l", "-f", f"{folder}/key.pub").split()
    user_certificate = plain.certificate(folder, f"{folder}/authority", "-n", "me,you", "-z", "7")
    added, added_certificate = plain.what_ssh_add_sends(folder)
    return {"kind": "KEY_MLDSA44_ED25519", "name": name, "label": shown[-1].strip("()"), "bits": shown[0],
            "algorithm": ALGORITHM, "fingerprint": shown[1], "blob": blob, "user_certificate": user_certificate,
            "host_certificate": plain.certificate(folder, f"{folder}/key", "-h", "-n", "host"),
            "signature": signature_of_openssh(folder), "added": added, "added_certificate": added_certificate}


def main():
    with tempfile.TemporaryDirectory() as folder:
        plain.ssh_keygen("-q", "-t", "ed25519", "-N", "", "-C", "", "-f", f"{folder}/authority")
        made = vector(folder)
    path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "composite_vectors.h")
    with open(path, "w", encoding="ascii") as out:
        out.write("/*\n * Written by make_composite_vectors.py: a composite key of ssh-keygen 10.6, its certificates "
                  "(the\n * host's is signed by the key itself), a signature over vector_signed_data, messages of "
                  "ssh-add.\n * Bytes are in base64.\n */\n#ifndef COMPOSITE_VECTORS_H\n#define COMPOSITE_VECTORS_H\n\n"
                  '#include "key_vectors.h"\n\n/* clang-format off */\nstatic const struct key_vector composite_vector = {\n')
        for field, value in made.items():
            text = value if field in ("kind", "bits") else plain.quoted(value, 16)
            out.write(f"\t.{field} ={'\n\t\t\t' if '\n' in text else ' '}{text},\n")
        out.write("};\n/* clang-format on */\n\n#endif\n")


if __name__ == "__main__":
    main()
