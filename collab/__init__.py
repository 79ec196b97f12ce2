"""A self-hosted server for documents that people edit together."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collab.app import Collab, create_app
    from collab.auth.base import Authenticator, Principal
    from collab.core.connection import Access
    from collab.errors import CollabError, ForbiddenError, UnauthenticatedError
    from collab.settings import Anonymous, Settings
    from collab.stateless import Stateless, StatelessHandler

__all__ = [
    "Access",
    "Anonymous",
    "Authenticator",
    "Collab",
    "CollabError",
    "ForbiddenError",
    "Principal",
    "Settings",
    "Stateless",
    "StatelessHandler",
    "UnauthenticatedError",
    "create_app",
]
__version__ = "0.1.0"

_HOMES = {
    "Collab": "app",
    "create_app": "app",
    "Authenticator": "auth.base",
    "Principal": "auth.base",
    "Access": "core.connection",
    "CollabError": "errors",
    "ForbiddenError": "errors",
    "UnauthenticatedError": "errors",
    "Stateless": "stateless",
    "StatelessHandler": "stateless",
    "Anonymous": "settings",
    "Settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: worker processes need few of them, and at once."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'collab' has no attribute {name!r}")
    return getattr(import_module(f"collab.{_HOMES[name]}"), name)
