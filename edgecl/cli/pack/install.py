"""Install this pack: check every hash, and the signature, before anything is run or copied.

    python3 install.py --verify-key line.pub
    python3 install.py --unsigned          # a pack without a signature, or without a key at hand

It needs Python's standard library alone, and no network. The signature is checked by the package
cryptography where it is installed, else by the program openssl (3.0 or newer).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUMS, SIGNATURE, FACTS = "SHA256SUMS", "SHA256SUMS.sig", "pack.json"
HEADING = b"# edgecl pack, schema 1\n"


def main() -> int:
    """Check, then install; 2 where something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verify-key", type=Path, metavar="PUB", help="public key of the signer")
    parser.add_argument("--unsigned", action="store_true", help="install without a signature")
    parser.add_argument("--prefix", type=Path, help="folder to install to")
    parser.add_argument("--check", action="store_true", help="check alone, install nothing")
    arguments = parser.parse_args()
    try:
        if (arguments.verify_key is None) != arguments.unsigned:
            raise PackError("pass --verify-key PUB, or --unsigned to go without a signature")
        count = check_hashes(HERE)
        say(f"all files of {SUMS}, {count} of them, have its hashes, and no other is there")
        if arguments.verify_key is not None:
            check_signature(HERE, arguments.verify_key)
            say(f"{SUMS} is signed by the owner of {arguments.verify_key}")
        facts = json.loads((HERE / FACTS).read_text(encoding="utf-8"))
        check_machine(facts)
        if not arguments.check:
            install(facts, (arguments.prefix or Path(facts["prefix"])).absolute())
    except PackError as error:
        print(f"install.py: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except OSError as error:
        print(f"install.py: {error}", file=sys.stderr)  # noqa: T201
        return 3
    return 0


class PackError(Exception):
    """The pack cannot be installed: what is wrong, in one line."""


def say(text: str) -> None:
    """Say a line."""
    print(text, flush=True)  # noqa: T201


def check_hashes(pack: Path) -> int:
    """Return the number of files, once each has its hash and none is too many.

    Raises:
        PackError: the list is damaged; a file is missing, changed, or not in the list.
    """
    path = pack / SUMS
    if not path.is_file():
        raise PackError(f"{path} is missing; unpack the whole pack")
    data = path.read_bytes()
    if not data.startswith(HEADING):
        raise PackError(f"{path} is not the list of a pack")
    listed = {}
    for line in data[len(HEADING) :].decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9_.+/@ -]+)", line)
        if match is None or match[2].startswith("/") or ".." in match[2].split("/"):
            raise PackError(f"{path} is damaged at {line[:80]!r}")
        listed[match[2]] = match[1]
    for name, digest in listed.items():
        file = pack / name
        if file.is_symlink() or not file.is_file():
            raise PackError(f"{file} is missing; unpack the whole pack")
        if _digest(file) != digest:
            raise PackError(f"{file} is not what was packed; copy the pack again")
    there = {
        str(file.relative_to(pack))
        for file in pack.rglob("*")
        if (file.is_file() or file.is_symlink()) and "__pycache__" not in file.parts
    }
    more = sorted(there - listed.keys() - {SUMS, SIGNATURE})
    if more:
        raise PackError(f"{pack / more[0]} is not of the pack; unpack it into an empty folder")
    return len(listed)


def check_signature(pack: Path, key: Path) -> None:
    """Check the Ed25519 signature of the list of hashes.

    Raises:
        PackError: there is none, it is not by that key, or nothing here can check it.
    """
    signature, sums = pack / SIGNATURE, pack / SUMS
    if not key.is_file():
        raise PackError(f"the key {key} cannot be read")
    if not signature.is_file():
        raise PackError("the pack is not signed; make it with 'edgecl pack --sign KEY'")
    wrong = PackError(f"{signature} is not a signature of this pack by that key; do not use it")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        if not _openssl_agrees(key, sums, signature):
            raise wrong from None
        return
    try:
        loaded = load_pem_public_key(key.read_bytes())
    except ValueError:
        raise PackError(f"{key} is not a public key in PEM form") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise PackError(f"{key} is not an Ed25519 key")
    try:
        loaded.verify(signature.read_bytes(), sums.read_bytes())
    except InvalidSignature:
        raise wrong from None


def check_machine(facts: dict[str, str]) -> None:
    """Refuse another machine than the pack was made for.

    Raises:
        PackError: its processor or its Python is another one.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if platform.machine() != facts["machine"]:
        raise PackError(f"the pack is for {facts['machine']}, not for {platform.machine()}")
    if version != facts["python"]:
        raise PackError(
            f"the pack is for Python {facts['python']}, not {version}; "
            f"run it with python{facts['python']}"
        )


def install(facts: dict[str, str], prefix: Path) -> None:
    """Make the environment and put bundle, configuration and unit beside it.

    What is new is made beside what is there, which stays until all is whole.

    Raises:
        PackError: a step failed.
    """
    prefix.mkdir(parents=True, exist_ok=True)
    environment = prefix / f"venv-{_digest(HERE / SUMS)[:12]}"
    shutil.rmtree(environment, ignore_errors=True)
    pip = next(iter(sorted((HERE / "wheels").glob("pip-*.whl"))), None)
    made = [sys.executable, "-m", "venv", str(environment)]
    made += ["--system-site-packages"] if facts["system_packages"] else []
    made += ["--without-pip"] if pip is not None else []
    _run(made, "making the environment (Debian has it in python3-venv)")
    python = environment / "bin" / "python"
    runner = [str(python), "-m", "pip"] if pip is None else [str(python), f"{pip}/pip"]
    extras = f"[{facts['extras']}]" if facts["extras"] else ""
    options = ["--no-index", "--find-links", str(HERE / "wheels"), "--no-cache-dir", "--quiet"]
    options += ["--disable-pip-version-check"]
    _run([*runner, "install", *options, f"edgecl{extras}"], "installing the wheels")
    for name in ("line", "unit"):
        folder = HERE / name
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                _put(file, prefix / file.relative_to(folder), facts["prefix"], prefix)
    link = prefix / "venv.new"
    link.unlink(missing_ok=True)
    link.symlink_to(environment.name)
    link.replace(prefix / "venv")
    for old in prefix.glob("venv-*"):
        if old != environment:
            shutil.rmtree(old, ignore_errors=True)
    say(f"installed to {prefix}; try it: {prefix}/venv/bin/python -m edgecl doctor")
    unit = next((HERE / "unit").glob("*.service"), None)
    if unit is not None:
        say(f"then: cp {prefix / unit.name} /etc/systemd/system/ && systemctl daemon-reload")
        say(f"      systemctl enable --now {unit.stem}")


def _put(file: Path, place: Path, packed: str, prefix: Path) -> None:
    """Copy a file, whole or not at all; a unit names the folder that it is installed to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    data = file.read_bytes()
    if file.suffix == ".service":
        data = data.replace(f"{packed}/".encode(), f"{prefix}/".encode())
    with open(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(place)


def _openssl_agrees(key: Path, sums: Path, signature: Path) -> bool:
    program = shutil.which("openssl")
    if program is None:
        raise PackError(
            "the signature cannot be checked here: install Debian's openssl, or the package "
            "cryptography"
        )
    command = [program, "pkeyutl", "-verify", "-pubin", "-inkey", str(key), "-rawin"]
    command += ["-in", str(sums), "-sigfile", str(signature)]
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(command: list[str], what: str) -> None:
    # What the caller's shell has set for its own Python is none of the new one's business.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    done = subprocess.run(command, capture_output=True, text=True, env=clean)
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines()
        raise PackError(f"{what} failed: {lines[-1] if lines else 'no reason was given'}")


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
