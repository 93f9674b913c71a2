#!/usr/bin/python3
"""Writes key_vectors.h: keys and certificates made by ssh-keygen, what ssh-add sends of their
private parts, signatures over one SSHSIG message. Each signature is shown to `ssh-keygen -Y
verify` before it is written down, so the vectors are what OpenSSH takes, not what we think it
should take."""

import base64
import hashlib
import os
import socket
import struct
import subprocess
import sys
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

NAMESPACE = b"keystile"
MESSAGE = b"what was signed\n"
APPLICATION = b"ssh:keystile"
COMMENT = b"a comment"
SK_FLAGS = 0x05
SK_COUNTER = 0x01020304
DIGESTS = {"nistp256": hashes.SHA256, "nistp384": hashes.SHA384, "nistp521": hashes.SHA512}

# enum, ssh-keygen's type and bits, algorithm of the signature, is it a security key
KINDS = [
    ("KEY_ED25519", "ed25519", 256, "ssh-ed25519", False),
    ("KEY_ECDSA_P256", "ecdsa", 256, "ecdsa-sha2-nistp256", False),
    ("KEY_ECDSA_P384", "ecdsa", 384, "ecdsa-sha2-nistp384", False),
    ("KEY_ECDSA_P521", "ecdsa", 521, "ecdsa-sha2-nistp521", False),
    ("KEY_RSA", "rsa", 2048, "rsa-sha2-512", False),
    ("KEY_RSA", "rsa", 1024, "rsa-sha2-256", False),
    ("KEY_RSA", "rsa", 3072, "ssh-rsa", False),
    ("KEY_SK_ED25519", "ed25519", 256, "sk-ssh-ed25519@openssh.com", True),
    ("KEY_SK_ECDSA_P256", "ecdsa", 256, "sk-ecdsa-sha2-nistp256@openssh.com", True),
    ("KEY_DSS", "dsa", 1024, "ssh-dss", False),
]


def string(value):
    return struct.pack(">I", len(value)) + value


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


def signed_data():
    return (b"SSHSIG" + string(NAMESPACE) + string(b"") + string(b"sha512") +
            string(hashlib.sha512(MESSAGE).digest()))


def ssh_keygen(*arguments, **options):
    return subprocess.run(["ssh-keygen", *arguments], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options).stdout.decode()


def as_security_key(blob):
    """The blob of a plain key as that of a security key."""
    rest = blob[4 + struct.unpack(">I", blob[:4])[0]:]
    name = b"sk-" + blob[4:len(blob) - len(rest)] + b"@openssh.com"
    return string(name) + rest + string(APPLICATION)


def inner_signature(private, algorithm, data):
    if "ed25519" in algorithm:
        return private.sign(data)
    if algorithm == "ssh-dss":
        r, s = decode_dss_signature(private.sign(data, hashes.SHA1()))
        return r.to_bytes(20, "big") + s.to_bytes(20, "big")
    if "ecdsa" in algorithm:
        digest = DIGESTS[algorithm.split("-")[-1].split("@")[0]]()
        r, s = decode_dss_signature(private.sign(data, ec.ECDSA(digest)))
        return mpint(r) + mpint(s)
    digest = {"rsa-sha2-256": hashes.SHA256, "rsa-sha2-512": hashes.SHA512,
              "ssh-rsa": hashes.SHA1}[algorithm]()
    return private.sign(data, padding.PKCS1v15(), digest)


def signature_of(private, algorithm, security_key):
    data = signed_data()
    behind = b""
    if security_key:
        behind = struct.pack(">BI", SK_FLAGS, SK_COUNTER)
        data = hashlib.sha256(APPLICATION).digest() + behind + hashlib.sha256(data).digest()
    return string(algorithm.encode()) + string(inner_signature(private, algorithm, data)) + behind


def show_to_openssh(folder, public, blob, signature):
    with open(f"{folder}/allowed", "w") as allowed:
        allowed.write(f"somebody {public}\n")
    whole = (b"SSHSIG" + struct.pack(">I", 1) + string(blob) + string(NAMESPACE) + string(b"") +
             string(b"sha512") + string(signature))
    with open(f"{folder}/signature", "w") as armoured:
        armoured.write("-----BEGIN SSH SIGNATURE-----\n" +
                       base64.encodebytes(whole).decode() + "-----END SSH SIGNATURE-----\n")
    ssh_keygen("-Y", "verify", "-f", f"{folder}/allowed", "-I", "somebody", "-n",
               NAMESPACE.decode(), "-s", f"{folder}/signature", input=MESSAGE)


def write_security_key(path, blob):
    """A private key of a security key, whose handle no token knows."""
    rest = (struct.pack(">B", SK_FLAGS & 1) + string(b"key handle") + string(b"reserved") +
            string(COMMENT))
    inner = bytes(8) + blob + rest
    inner += bytes(range(1, 1 + -len(inner) % 8))
    whole = (b"openssh-key-v1\0" + string(b"none") + string(b"none") + string(b"") +
             struct.pack(">I", 1) + string(blob) + string(inner))
    with open(path, "w") as out:
        out.write("-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.encodebytes(whole).decode() +
                  "-----END OPENSSH PRIVATE KEY-----\n")


def receive(connection, length):
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            break
        received += part
    return received


def what_ssh_add_sends(folder):
    """The key, its comment and its constraints in each message by which ssh-add adds one."""
    messages = []
    path = f"{folder}/agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with subprocess.Popen(["ssh-add", "-q", f"{folder}/key"],
                              env={**os.environ, "SSH_AUTH_SOCK": path}) as client:
            connection, _ = listener.accept()
            with connection:
                while header := receive(connection, 4):
                    message = receive(connection, struct.unpack(">I", header)[0])
                    added = message[0] in (17, 25)
                    if added:
                        messages.append(base64.b64encode(message[1:]).decode())
                    connection.sendall(b"\0\0\0\1" + (b"\6" if added else b"\5"))
            if client.wait() != 0:
                raise SystemExit("ssh-add failed")
    os.unlink(path)
    return messages


def certificate(folder, authority, *options):
    ssh_keygen("-q", "-s", authority, "-I", "the key's id", "-V", "20200101:20400101", *options,
               f"{folder}/key.pub")
    with open(f"{folder}/key-cert.pub") as text:
        return text.read().split()[1]


def vector(folder, kind, key_type, bits, algorithm, security_key):
    for name in ("key", "key.pub"):
        if os.path.exists(f"{folder}/{name}"):
            os.unlink(f"{folder}/{name}")
    ssh_keygen("-q", "-t", key_type, "-b", str(bits), "-N", "", "-C", COMMENT.decode(), "-f",
               f"{folder}/key")
    with open(f"{folder}/key", "rb") as text:
        private = serialization.load_ssh_private_key(text.read(), None)
    with open(f"{folder}/key.pub") as text:
        blob = base64.b64decode(text.read().split()[1])
    if security_key:
        blob = as_security_key(blob)
        write_security_key(f"{folder}/key", blob)
    name = blob[4:4 + struct.unpack(">I", blob[:4])[0]].decode()
    public = f"{name} {base64.b64encode(blob).decode()}"
    with open(f"{folder}/key.pub", "w") as text:
        text.write(public + "\n")
    signature = signature_of(private, algorithm, security_key)
    if algorithm != "ssh-rsa":  # OpenSSH takes no SHA-1 here
        show_to_openssh(folder, public, blob, signature)
    shown = ssh_keygen("-l", "-f", f"{folder}/key.pub").split()
    user_certificate = certificate(folder, f"{folder}/authority-ed25519", "-n", "me,you",
                                   "-O", "force-command=true", "-z", "7")
    added, added_certificate = what_ssh_add_sends(folder)
    return {
        "kind": kind, "name": name, "label": shown[-1].strip("()"), "bits": bits,
        "algorithm": algorithm, "fingerprint": shown[1],
        "blob": base64.b64encode(blob).decode(),
        "user_certificate": user_certificate,
        "host_certificate": certificate(folder, f"{folder}/authority-rsa", "-h", "-n", "host"),
        "signature": base64.b64encode(signature).decode(),
        "added": added, "added_certificate": added_certificate,
    }


def quoted(value, column):
    """A C string, broken into lines."""
    room = 98 - column
    parts = [value[i:i + room] for i in range(0, len(value), room)]
    return ("\n" + "\t" * 3).join(f'"{part}"' for part in parts)


def write_header(vectors, authorities, out):
    out.write("/*\n * Written by make_key_vectors.py: keys and certificates of ssh-keygen, "
              "signatures that\n * it has verified, messages of ssh-add. Bytes are in base64.\n */\n"
              "#ifndef KEY_VECTORS_H\n#define KEY_VECTORS_H\n\n"
              "#include <keystile/public_key.h>\n\n"
              "struct key_vector {\n"
              "\tenum key_kind kind;\n\tunsigned bits;\n\tconst char *name;\n"
              "\tconst char *label;\n\tconst char *algorithm;\n\tconst char *fingerprint;\n"
              "\tconst char *blob;\n\tconst char *user_certificate;\n"
              "\tconst char *host_certificate;\n\tconst char *signature;\n"
              "\t/* Messages 17 or 25 of ssh-add, with the user's certificate in the second. */\n"
              "\tconst char *added;\n\tconst char *added_certificate;\n};\n\n"
              "/* clang-format off */\n")
    for name, value in authorities.items():
        out.write(f"static const char {name}[] =\n\t\t\t{quoted(value, 24)};\n")
    out.write(f"static const char vector_signed_data[] =\n\t\t\t"
              f"{quoted(base64.b64encode(signed_data()).decode(), 24)};\n")
    out.write(f'static const char vector_application[] = "{APPLICATION.decode()}";\n'
              f'static const char vector_comment[] = "{COMMENT.decode()}";\n'
              f"enum {{ VECTOR_SK_FLAGS = {SK_FLAGS}, VECTOR_SK_COUNTER = {SK_COUNTER} }};\n\n"
              "static const struct key_vector key_vectors[] = {\n")
    for entry in vectors:
        out.write("\t{\n")
        for field, value in entry.items():
            text = value if field in ("kind", "bits") else quoted(value, 24)
            separator = "\n\t\t\t" if "\n" in str(text) else " "
            out.write(f"\t\t.{field} ={separator}{text},\n")
        out.write("\t},\n")
    out.write("};\n#define KEY_VECTOR_COUNT (sizeof(key_vectors) / sizeof(key_vectors[0]))\n"
              "/* clang-format on */\n\n#endif\n")


def main():
    with tempfile.TemporaryDirectory() as folder:
        authorities = {}
        for key_type in ("ed25519", "rsa"):
            path = f"{folder}/authority-{key_type}"
            ssh_keygen("-q", "-t", key_type, "-N", "", "-C", "", "-f", path)
            with open(path + ".pub") as text:
                authorities[f"vector_authority_{key_type}"] = text.read().split()[1]
        vectors = [vector(folder, *kind) for kind in KINDS]
    with open(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "key_vectors.h"),
              "w") as out:
        write_header(vectors, authorities, out)


if __name__ == "__main__":
    main()
