"""Ciphertexts and key files: those of existing installations are read, and ours are like them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.datastore import cmd
from st2common.datastore.crypto import CryptoKey, DecryptionError, KeyFile, NoKeyFile
from st2common.errors import ConfigError

KEY = CryptoKey(aes=bytes(range(32)), hmac=bytes(range(32, 64)))
# Made with `openssl enc -aes-256-cbc` and `openssl dgst -sha1 -mac HMAC` from KEY and the IV F0F1..FF.
FOREIGN = (
    "3030303030F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFFBD9B4E6DDA793EF852169414814683FB8F6E89698D2B0A66535662BB20B16B2010354731"
)
KEY_FILE = {
    "hmacKey": {"hmacKeyString": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8", "size": 256},
    "size": 256,
    "aesKeyString": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "mode": "CBC",
}


def test_a_ciphertext_that_another_program_made() -> None:
    assert KEY.decrypt(FOREIGN) == "shh ü"
    assert KEY.decrypt(FOREIGN.lower()) == "shh ü"


def test_the_layout_is_that_of_existing_installations() -> None:
    ciphertext = KEY.encrypt("shh")
    # As recorded: 57 bytes, which begin with five zeros.
    assert len(ciphertext) == 114
    assert ciphertext.startswith("3030303030")
    assert ciphertext == ciphertext.upper()
    assert KEY.encrypt("shh") != ciphertext


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_round_trip(text: str) -> None:
    assert KEY.decrypt(KEY.encrypt(text)) == text


@pytest.mark.parametrize("position", range(0, len(FOREIGN), 2))
def test_every_changed_byte_is_noticed(position: int) -> None:
    """Also in the header, whose content does not matter: it is under the MAC."""
    changed = f"{int(FOREIGN[position : position + 2], 16) ^ 1:02X}"
    with pytest.raises(DecryptionError):
        KEY.decrypt(FOREIGN[:position] + changed + FOREIGN[position + 2 :])


def signed(message: bytes) -> str:
    return (message + KEY._mac(message)).hex()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shh",
        "3",
        FOREIGN[:-2],
        FOREIGN + "00",
        # Rightly signed, and yet nothing that was ever encrypted: too short, no whole block, no padding.
        signed(b"00000"),
        signed(b"00000" + bytes(16) + b"half a block"),
        signed(b"00000" + bytes(32)),
    ],
)
def test_what_is_no_ciphertext(text: str) -> None:
    with pytest.raises(DecryptionError):
        KEY.decrypt(text)


def test_another_key_decrypts_nothing() -> None:
    with pytest.raises(DecryptionError):
        CryptoKey.generate().decrypt(KEY.encrypt("shh"))
    with pytest.raises(DecryptionError):
        CryptoKey(aes=KEY.aes, hmac=bytes(32)).decrypt(FOREIGN)


def test_key_files() -> None:
    assert CryptoKey.parse(json.dumps(KEY_FILE)) == KEY
    assert json.loads(KEY.dump()) == KEY_FILE
    padded = {**KEY_FILE, "aesKeyString": f"{KEY_FILE['aesKeyString']}="}
    assert CryptoKey.parse(json.dumps(padded)) == KEY
    generated = CryptoKey.generate()
    assert CryptoKey.parse(generated.dump()) == generated != CryptoKey.generate()
    assert "dump" not in repr(KEY)
    assert KEY.aes.hex() not in repr(KEY)


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        json.dumps({**KEY_FILE, "mode": "GCM"}),
        json.dumps({**KEY_FILE, "aesKeyString": "AAECAw"}),
        json.dumps({**KEY_FILE, "aesKeyString": "!"}),
        json.dumps({**KEY_FILE, "hmacKey": {"hmacKeyString": "AAECAw", "size": 256}}),
    ],
)
def test_what_is_no_key_file_is_told_without_its_content(content: str, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"encryption_key_path .*key\.json: ") as raised:
        KeyFile(path).key()
    assert "AAECAw" not in str(raised.value)


def test_no_key_file(tmp_path: Path) -> None:
    for nothing in (None, "", tmp_path / "absent.json"):
        with pytest.raises(NoKeyFile, match="st2-generate-symmetric-crypto-key"):
            KeyFile(nothing).key()


def test_the_command_makes_a_key_file_and_keeps_an_existing_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key.json"
    assert cmd.main(["--key-path", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = KeyFile(path).key()
    assert cmd.main(["--key-path", str(path)]) == 1
    assert "--force" in capsys.readouterr().err
    assert KeyFile(path).key() == first
    assert cmd.main(["--key-path", str(path), "--force"]) == 0
    assert KeyFile(path).key() != first
    assert cmd.main(["--key-path", str(tmp_path / "nowhere" / "key.json")]) == 1
    assert "cannot be written: No such file" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["key.json"]
