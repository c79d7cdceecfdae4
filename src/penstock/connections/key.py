"""The key that encrypts stored secrets: a file beside them, or ``PENSTOCK_CONNECTION_KEY``; never a keyring."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.connections.locked_file import replace_file
from penstock.errors import StoreError

VARIABLE = "PENSTOCK_CONNECTION_KEY"


class Key:
    """Encrypts and decrypts texts with the key of the folder ``home``, or of the variable where ``env`` sets it."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.file = home / "connections.key"
        self._given = env.get(VARIABLE)
        self._cipher: Any = None

    @property
    def place(self) -> str:
        """Where the key comes from, for messages."""
        return VARIABLE if self._given else str(self.file)

    def encrypt(self, text: str) -> str:
        """``text``, encrypted.

        Raises:
            StoreError: There is no key, or it is none.
        """
        return str(self._fernet().encrypt(text.encode()).decode("ascii"))

    def decrypt(self, token: str) -> str | None:
        """The text that ``encrypt`` was given, or None where another key was used or the token is damaged.

        Raises:
            StoreError: There is no key, or it is none.
        """
        from cryptography.fernet import InvalidToken

        try:
            return str(self._fernet().decrypt(token.encode()).decode())
        except (InvalidToken, UnicodeDecodeError):
            return None

    def make(self) -> None:
        """Write a new key file unless there is a key; call it under the store's lock."""
        from cryptography.fernet import Fernet

        if not self._given and not self.file.exists():
            replace_file(self.file, Fernet.generate_key() + b"\n")

    def _fernet(self) -> Any:
        if self._cipher is None:
            from cryptography.fernet import Fernet

            try:
                self._cipher = Fernet(self._given.strip() if self._given else self.file.read_bytes().strip())
            except FileNotFoundError as error:
                raise StoreError(
                    f"{self.file}: the key of the stored connections is gone. Restore it, set {VARIABLE}, or delete the"
                    " connections and create them again.",
                    code="ConnectionKeyNotFound",
                ) from error
            except OSError as error:
                raise StoreError(
                    f"{self.file}: cannot be read: {error.strerror}.", code="ConnectionKeyNotFound"
                ) from error
            except ValueError as error:
                raise StoreError(
                    f"{self.place}: this is no key; a key is 32 random bytes as url-safe base64 (44 characters).",
                    code="BadConnectionKey",
                ) from error
        return self._cipher
