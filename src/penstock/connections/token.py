"""Tokens of Microsoft Entra ID for Azure endpoints without keys."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any

from penstock.errors import BadConnection, MissingDependency

SCOPE = "https://cognitiveservices.azure.com/.default"


def azure_token(scope: str = SCOPE) -> str:
    """An access token for ``scope`` of whoever is signed in here; azure-identity keeps and renews it.

    Raises:
        MissingDependency: azure-identity is not installed.
        BadConnection: Nobody is signed in.
    """
    credential, refusals = _credential()
    try:
        return str(credential.get_token(scope).token)
    except refusals as error:
        raise BadConnection(
            f"No Azure token: {error.args[0] if error.args else error} Sign in with `az login`, or use auth_mode: key.",
            code="AzureTokenUnavailable",
        ) from error


@functools.cache
def _credential() -> tuple[Any, type[Exception]]:
    try:
        identity, exceptions = import_module("azure.identity"), import_module("azure.core.exceptions")
    except ImportError as error:
        raise MissingDependency("auth_mode: meid_token", "azure") from error
    return identity.DefaultAzureCredential(), exceptions.ClientAuthenticationError
